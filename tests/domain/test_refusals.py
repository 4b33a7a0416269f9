"""Every refusal QuickBooks documents has its row, and each row can be acted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm.domain import errors, refusals
from crm.domain.errors import Cause, ProviderError
from crm.domain.refusals import BUTTONS, REFUSALS, Reaction, cause_of, suffixed
from crm.providers.accounting.quickbooks.errors import TABLE

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sync.md"
DOCUMENTED = (
    100, 110, 120, 130, 140, 150, 500, 600, 610, 620, 630, 700, 800, 900, 1000, 1010, 1020, 1040, 1050, 2000, 2010,
    2020, 2030, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140, 2150, 2160, 2170, 2180, 2190, 2200,
    2210, 2220, 2230, 2240, 2250, 2280, 2290, 2300, 2500, 2600, 3000, 3001, 3100, 3200, 3202, 4000, 4001, 4002, 5000,
    5010, 5020, 5030, 6000, 6010, 6020, 6030, 6040, 6041, 6050, 6070, 6080, 6090, 6100, 6110, 6120, 6130, 6140, 6150,
    6160, 6170, 6180, 6190, 6200, 6210, 6220, 6230, 6240, 6250, 6270, 6280, 6310, 6320, 6420, 6430, 6440, 6450, 6460,
    6470, 6480, 6520, 6530, 6540, 10000, 10100, 10200,
)  # fmt: skip


def test_every_documented_code_has_exactly_one_row() -> None:
    rows = [code for row in REFUSALS.values() for code in row.codes]
    assert len(rows) == len(set(rows))
    assert not set(DOCUMENTED) - set(rows) and not set(TABLE) - set(rows)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProviderError)]
)
def test_every_class_of_error_finds_a_row(kind: type[ProviderError]) -> None:
    assert cause_of(kind("says no")) in REFUSALS


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.Stale("x"), "stale"),
        (errors.Gone("x"), "gone"),
        (errors.Rejected("x"), "rule"),
        (errors.Rejected("x", cause=Cause(code="6540")), "in_deposit"),
        (errors.Rejected("x", cause=Cause(code="006220")), "open_balance"),
        (errors.Rejected("x", cause=Cause(code="987654")), "rule"),
        (errors.OutcomeUnknown("x", cause=Cause(code="3001")), "no_answer"),
        (ProviderError("x"), "fault"),
    ],
)
def test_the_code_counts_before_the_class_and_a_lost_answer_before_both(error: ProviderError, cause: str) -> None:
    assert cause_of(error) == cause


def test_what_may_have_arrived_or_is_none_of_ours_is_never_parked_at_once() -> None:
    assert REFUSALS["no_answer"].reaction is Reaction.SAME_KEY
    for kind in (errors.NeedsReconnect, errors.PermissionLost, errors.SubscriptionLapsed, errors.WrongKeys):
        assert REFUSALS[cause_of(kind("x"))].reaction is Reaction.CONNECTION


def test_whatever_waits_for_a_person_says_what_the_person_can_do() -> None:
    for key, row in REFUSALS.items():
        assert row.title and row.sentence.endswith("."), key
        assert set(row.buttons) <= set(BUTTONS), key
        assert row.buttons or row.reaction in (Reaction.CONNECTION, Reaction.SLOW, Reaction.LATER), key


@pytest.mark.parametrize(
    ("name", "taken", "city", "free"),
    [
        ("Ann Lee", {"ann lee"}, "", "Ann Lee (2)"),
        ("Ann Lee", {"ann lee", "ann lee (2)"}, "", "Ann Lee (3)"),
        ("Ann Lee", {"ann lee"}, "Liberty", "Ann Lee (Liberty)"),
        ("Ann Lee", {"ann lee (liberty)"}, "Liberty", "Ann Lee (2)"),
        ("x" * 500, set(), "", "x" * 496 + " (2)"),
    ],
)
def test_a_free_name_is_readable_and_fits(name: str, taken: set[str], city: str, free: str) -> None:
    assert suffixed(name, taken, city=city) == free and len(free) <= 500


def test_the_documentation_holds_the_table() -> None:
    assert refusals.markdown() in DOCS.read_text()
