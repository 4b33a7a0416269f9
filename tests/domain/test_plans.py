"""What may be taken back, and the words of plans."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm.domain.plans import ACTIONS, OUTCOMES, UNSETTLED, WRITES, LineFilters, narrowed, take_back, why_not_deactivate

OLD, LEFT = {"phone": "+1", "email": ""}, {"phone": "+2", "email": "a@b.example"}


def test_a_field_that_stands_as_we_left_it_on_both_sides_is_taken_back() -> None:
    back, kept = take_back(("phone", "email"), before=OLD, after=LEFT, there=LEFT, here=LEFT)
    assert (back, kept) == (("phone", "email"), ())


@pytest.mark.parametrize(
    ("there", "here", "why"),
    [
        ("+3", "+2", "was changed in QuickBooks since"),
        ("+2", "+3", "was changed in Tradebook since"),
        ("+1", "+1", "stands as before already"),
        ("+3", "+3", "was changed in QuickBooks since"),
    ],
)
def test_a_field_that_was_changed_since_stays_and_says_on_which_side(there: str, here: str, why: str) -> None:
    back, kept = take_back(("phone",), before=OLD, after=LEFT, there={"phone": there}, here={"phone": here})
    assert back == () and [(one.field, one.why) for one in kept] == [("phone", why)]


def test_a_value_that_came_back_in_the_books_alone_is_not_called_as_before() -> None:
    """Ours still holds what we wrote: left so, it would be sent again."""
    back, kept = take_back(("phone",), before=OLD, after=LEFT, there={"phone": "+1"}, here={"phone": "+2"})
    assert back == () and kept[0].why == "was changed in QuickBooks since"


def reason(**values: object) -> str:
    given = {"active": True, "gone": False, "balance": Decimal(0), "documents": 0, "jobs": 0} | values
    return why_not_deactivate(**given)  # type: ignore[arg-type]


def test_a_customer_that_only_we_made_may_be_made_inactive() -> None:
    assert reason() == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"balance": Decimal("1250.5")}, "open balance of 1,250.50"),
        ({"balance": Decimal("-3")}, "open balance of -3.00"),
        ({"documents": 1}, "1 document or payment hangs"),
        ({"documents": 2}, "2 documents and payments hang"),
        ({"jobs": 3}, "3 jobs stand"),
        ({"active": False}, "inactive in QuickBooks already"),
        ({"gone": True}, "nothing left to take back"),
    ],
)
def test_what_keeps_a_customer_active_is_said_with_a_way_out(values: dict[str, object], words: str) -> None:
    assert words in reason(**values)


def test_only_the_chosen_fields_of_a_line_count() -> None:
    changes = {"phone": ["a", "b"], "email": ["", "c"]}
    assert narrowed(changes, ()) == changes
    assert narrowed(changes, ["email"]) == {"email": ["", "c"]}


def test_every_outcome_but_two_settles_a_line_and_every_write_has_its_words() -> None:
    assert set(UNSETTLED) - {""} <= set(OUTCOMES)
    there = {"create", "update", "deactivate", "reactivate", "void", "delete", "send_ours"}
    here = {"take_theirs", "restore", "contact_link", "contact_create", "contact_update", "contact_unlink",
            "contact_archive"}  # fmt: skip
    assert set(WRITES) == there | here <= set(ACTIONS)


def test_filters_stand_in_an_address_without_the_empty_ones() -> None:
    filters = LineFilters(action="update", least=Decimal("10.50"))
    assert filters.query() == {"action": "update", "least": "10.50"} and filters.narrowed
    assert LineFilters(sort="name").query() == {"sort": "name"} and not LineFilters(sort="name").narrowed
