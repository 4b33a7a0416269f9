"""What each field means, by hand: a contact, a rule, and whether it passes. The database is held to the same answers by
tests/queries/test_segment_sql."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.domain.segment_evaluation import evaluate, one_change_away, told
from crm.domain.segment_facts import FACTS
from crm.domain.segment_fields import FIELDS
from crm.domain.segment_person import Books, Invoice, Line, Person, Quote
from crm.domain.segments import Group, Period, Rule

TODAY = date(2026, 11, 21)
YEAR = Period("days", days=365)
AMY = Person(
    id=1, name="Amy Müller", sort_name="amy muller", company="Müller & Söhne", type="customer", owner_id=4,
    source="quickbooks", tags=frozenset({1, 2}), created=date(2025, 11, 21), last_activity=date(2026, 11, 11),
    state="Kansas", city="Łódź", postal_code="66044-1234", country="USA", place=(6_371_009, 0, 0), link="linked",
    held=True, books=Books(Decimal(900), Decimal("250.50"), Decimal(40), Decimal("12.3")), rfm=(5, 3, 1),
    invoices=(
        Invoice(1, "1001", date(2025, 3, 1), date(2025, 3, 31), Decimal(500), Decimal(0),
                lines=(Line(7, Decimal(500), Decimal(200)),)),
        Invoice(2, "1002", date(2026, 3, 1), date(2026, 3, 31), Decimal(300), Decimal(100),
                lines=(Line(8, Decimal(300), Decimal(200)), Line(9, Decimal(50), None), Line(7, taken=False))),
        Invoice(3, "1003", date(2026, 11, 1), None, Decimal("150.50"), Decimal("150.50")),
        Invoice(4, "1004", date(2026, 11, 2), date(2026, 12, 2), Decimal(10_000), Decimal(10_000), home=False),
        Invoice(5, "1005", date(2026, 11, 2), date(2026, 11, 3), Decimal(7), Decimal(0)),
    ),
    quotes=(
        Quote(6, "Q1", "sent", date(2026, 10, 1), date(2026, 12, 1), date(2026, 10, 2), Decimal(80)),
        Quote(7, "Q2", "viewed", date(2026, 11, 1), None, date(2026, 11, 1), Decimal(20)),
        Quote(8, "Q3", "sent", date(2026, 9, 1), date(2026, 9, 30), date(2026, 9, 1), Decimal(1000)),  # expired
        Quote(9, "Q4", "sent", date(2026, 8, 1), None, date(2026, 8, 1), Decimal(1000), begun=True),  # partly invoiced
        Quote(10, "Q5", "accepted", date(2026, 7, 1)), Quote(11, "Q6", "invoiced", date(2024, 1, 1)),
        Quote(12, "Q7", "declined", date(2026, 6, 1)), Quote(13, "Q8", "draft", date(2026, 6, 1)),
        Quote(14, "Q9", "cancelled", date(2026, 6, 1)),
    ),
    phone="555", consents={"email": "granted", "sms": "denied"}, last_note=date(2026, 11, 20),
    names={"tags": {"1": "VIP", "2": "Roof"}, "owners": {"4": "Rita"},
           "products": {"7": "Gutter", "8": "Roof", "9": "Wall"}},
)  # fmt: skip
NEW = Person(id=2, name="New", sort_name="new", created=TODAY)
"""Nothing is known of this one."""


def passes(person: Person, field: str, op: str, *values: str, period: Period | None = None) -> bool:
    rule = Rule(field, op, values, period or (Period() if FIELDS[field].period else None))
    return evaluate(Group("all", (rule,)), person, TODAY).passed


def has(person: Person, field: str, period: Period | None = None) -> str:
    rule = Rule(field, FIELDS[field].ops[0], ("1",), period)
    return told(rule, FACTS[field](person, period or Period(), TODAY), person, TODAY)


EXPECTED: list[tuple[str, str, tuple[str, ...], Period | None, bool, bool]] = [
    # field, operator, values, period, Amy passes, one of whom nothing is known passes
    ("name", "contains", ("MULL",), None, True, False),
    ("name", "begins", ("müller",), None, False, False),
    ("company", "one_of", ("muller sohne",), None, True, False),
    ("company", "none_of", ("x",), None, True, True),
    ("company", "unknown", (), None, False, True),
    ("kind", "one_of", ("company",), None, True, False),
    ("type", "none_of", ("lead", "vendor"), None, True, False),
    ("owner", "one_of", ("4",), None, True, False),
    ("owner", "one_of", ("none",), None, False, True),
    ("source", "one_of", ("quickbooks",), None, True, False),
    ("tags", "has_all", ("1", "2"), None, True, False),
    ("tags", "has_all", ("1", "3"), None, False, False),
    ("tags", "has_none", ("3",), None, True, True),
    ("created", "before", ("2025-11-22",), None, True, False),
    ("created", "last_days", ("365",), None, True, True),
    ("created", "days_ago", ("365",), None, False, False),
    ("last_activity", "last_days", ("10",), None, True, False),
    ("last_activity", "days_ago", ("10",), None, False, False),
    ("last_activity", "never", (), None, False, True),
    ("state", "one_of", ("ks",), None, True, False),
    ("state", "none_of", ("Missouri",), None, True, True),
    ("city", "contains", ("lodz",), None, True, False),
    ("postal_code", "begins", ("6604", "9"), None, True, False),
    ("postal_code", "one_of", ("660441234",), None, True, False),
    ("country", "one_of", ("United States",), None, True, False),
    ("distance", "within", ("1", "km", "a", "A", "6371009", "0", "0"), None, True, False),
    ("distance", "beyond", ("1", "km", "a", "A", "0", "6371009", "0"), None, True, False),
    ("distance", "unknown", (), None, False, True),
    ("link", "one_of", ("linked",), None, True, False),
    ("held", "yes", (), None, True, False),
    ("lifetime_sales", "equals", ("900",), None, True, False),
    ("lifetime_sales", "less", ("1000",), None, True, False),
    ("lifetime_sales", "unknown", (), None, False, True),
    ("sales", "equals", ("957.5",), None, True, False),
    ("sales", "equals", ("457.5",), YEAR, True, False),
    ("sales", "less", ("1000",), None, True, True),
    ("sales", "at_most", ("0",), YEAR, False, True),
    ("largest_invoice", "equals", ("500",), None, True, False),
    ("largest_invoice", "less", ("400",), YEAR, True, False),
    ("invoices", "equals", ("5",), None, True, False),
    ("invoices", "equals", ("4",), YEAR, True, False),
    ("invoices", "less", ("1",), None, False, True),
    ("balance", "between", ("250.5", "300"), None, True, False),
    ("balance", "less", ("300",), None, True, False),
    ("overdue", "equals", ("250.5",), None, True, False),
    ("overdue", "at_most", ("0",), None, False, True),
    ("days_overdue", "equals", ("235",), None, True, False),
    ("days_overdue", "at_most", ("300",), None, True, False),
    ("days_to_pay", "less", ("12.4",), None, True, False),
    ("days_to_pay", "unknown", (), None, False, True),
    ("unused_credit", "more", ("39.99",), None, True, False),
    ("margin", "equals", ("400",), None, True, False),
    ("margin", "equals", ("100",), YEAR, True, False),
    ("margin_percent", "equals", ("50",), None, True, False),
    ("margin_percent", "less", ("33.4",), YEAR, True, False),
    ("margin_percent", "less", ("33.3",), YEAR, False, False),
    ("rfm_recency", "at_least", ("5",), None, True, False),
    ("rfm_frequency", "equals", ("3",), None, True, False),
    ("rfm_monetary", "less", ("2",), None, True, False),
    ("first_invoice", "dates", ("2025-03-01", "2025-03-01"), None, True, False),
    ("last_invoice", "last_days", ("19",), None, True, False),
    ("last_invoice", "never", (), None, False, True),
    ("days_between", "more", ("203.6",), None, True, False),
    ("days_between", "less", ("203.7",), None, True, False),
    ("season", "has_all", ("3", "11"), None, True, False),
    ("season", "has_none", ("4",), YEAR, True, True),
    ("quotes_open", "equals", ("2",), None, True, False),
    ("quotes_open_total", "equals", ("100",), None, True, False),
    ("quote_sent", "days_ago", ("49",), None, True, False),
    ("quote_sent", "days_ago", ("50",), None, False, False),
    ("quotes_won", "equals", ("3",), None, True, False),
    ("quotes_won", "equals", ("2",), YEAR, True, False),
    ("quotes_lost", "equals", ("2",), None, True, False),
    ("share_won", "equals", ("60",), None, True, False),
    ("share_won", "equals", ("50",), YEAR, True, False),
    ("share_won", "unknown", (), None, False, True),
    ("bought", "has_all", ("7", "8"), None, True, False),
    ("bought", "has_any", ("7",), YEAR, False, False),
    ("bought", "has_none", ("7",), YEAR, True, True),
    ("has_phone", "yes", (), None, True, False),
    ("has_email", "no", (), None, True, True),
    ("consent_email", "one_of", ("granted",), None, True, False),
    ("consent_sms", "none_of", ("granted", "unasked"), None, True, False),
    ("consent_call", "one_of", ("unasked",), None, True, True),
    ("last_note", "since", ("2026-11-20",), None, True, False),
]


@pytest.mark.parametrize(("field", "op", "values", "period", "amy", "new"), EXPECTED)
def test_each_field_by_hand(
    field: str, op: str, values: tuple[str, ...], period: Period | None, amy: bool, new: bool
) -> None:
    assert passes(AMY, field, op, *values, period=period) is amy
    assert passes(NEW, field, op, *values, period=period) is new


def test_no_field_is_left_out() -> None:
    assert {one[0] for one in EXPECTED} == set(FIELDS) == set(FACTS)


@pytest.mark.parametrize("field", [key for key, one in FIELDS.items() if one.type in ("money", "days", "percent")])
def test_a_figure_nobody_knows_passes_no_comparison(field: str) -> None:
    if "unknown" in FIELDS[field].ops:
        assert not any(passes(NEW, field, op, "0") for op in ("more", "at_least", "less", "at_most", "equals"))
        assert not passes(NEW, field, "between", "-9", "9")
    else:
        assert passes(NEW, field, "equals", "0")
        assert passes(NEW, field, "less", "1")


@pytest.mark.parametrize(("field", "period", "words"), [
    ("name", None, "Amy Müller"), ("type", None, "Customer"), ("owner", None, "Rita"), ("tags", None, "VIP, Roof"),
    ("created", None, "Nov 21, 2025, 365 days ago"), ("last_note", None, "Nov 20, 2026, 1 day ago"),
    ("state", None, "Kansas"), ("held", None, "yes"), ("sales", YEAR, "$457.50"), ("invoices", YEAR, "4 invoices"),
    ("margin_percent", YEAR, "33.3%"), ("days_to_pay", None, "12.3 days"), ("rfm_recency", None, "5 of 5"),
    ("season", None, "March, November"), ("bought", None, "Gutter, Roof, Wall"), ("consent_call", None, "Never asked"),
    ("days_overdue", None, "235 days"), ("quotes_open", None, "2 quotes"),
])  # fmt: skip
def test_the_value_stands_in_words(field: str, period: Period | None, words: str) -> None:
    assert has(AMY, field, period) == words


@pytest.mark.parametrize(("field", "words"), [
    ("company", "not known"), ("last_activity", "never"), ("owner", "nobody"), ("tags", "none"), ("sales", "$0.00"),
    ("balance", "not known"), ("days_between", "not known"), ("distance", "not known"),
    ("created", "Nov 21, 2026, today"),
])  # fmt: skip
def test_what_is_not_known_is_said_so(field: str, words: str) -> None:
    assert has(NEW, field) == words


def test_a_distance_is_told_in_the_unit_of_the_rule() -> None:
    quarter = Rule("distance", "beyond", ("5", "mi", "a", "A", "0", "6371009", "0"))
    found = evaluate(Group("all", (quarter,)), AMY, TODAY).parts[0]
    assert (found.passed, found.value) == (True, "6,218.4 miles away")


def test_groups_and_what_one_change_would_do() -> None:
    yes, no = Rule("held", "yes"), Rule("held", "no")
    cases: list[tuple[Group, bool, tuple[str, ...]]] = [
        (Group("all", (yes, no)), False, ("1",)),
        (Group("all", (no, no)), False, ()),
        (Group("any", (no, yes)), True, ()),
        (Group("any", (no, no)), False, ("0", "1")),
        (Group("none", (no, yes)), False, ("1",)),
        (Group("none", (no, no)), True, ()),
        (Group("all", (yes, Group("none", (yes, no)), yes)), False, ("1.0",)),
        (Group("all", ()), False, ()),
        (Group("none", ()), False, ()),
        (Group("none", (Group("all", ()),)), True, ()),
    ]
    for group, passed, away in cases:
        assert evaluate(group, AMY, TODAY).passed is passed
        assert one_change_away(group, AMY, TODAY) == away


def test_an_archived_contact_is_in_nothing_and_is_told_so() -> None:
    found = evaluate(Group("all", (Rule("held", "yes"),)), replace(AMY, archived=True), TODAY)
    assert not found.passed
    assert "archived" in found.value
    assert one_change_away(Group("all", (Rule("held", "no"),)), replace(AMY, archived=True), TODAY) == ()


def test_answers_change_with_the_day_alone() -> None:
    cold: dict[str, Any] = {"field": "quote_sent", "op": "days_ago", "values": ("49",)}
    group = Group("all", (Rule(**cold),))
    assert evaluate(group, AMY, TODAY).passed
    assert not evaluate(group, AMY, TODAY - timedelta(days=1)).passed
