"""What QuickBooks would refuse is found before a call is spent, and named with its field."""

from __future__ import annotations

from datetime import date

import pytest

from crm.domain import preflight
from crm.domain.records import Address, CustomerRecord, Origin, PhoneField
from crm.domain.refusals import REFUSALS
from crm.domain.shared_fields import TITLES


def customer(name: str = "Ann Lee", **values: object) -> CustomerRecord:
    return CustomerRecord(Origin(""), name, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "field", "cause"),
    [
        (customer(""), "display_name", "no_name"),
        (customer(" \t\n"), "display_name", "no_name"),
        (customer("\N{WRENCH}\N{GRINNING FACE}"), "display_name", "no_name"),
        (customer("Lee: Kitchen"), "display_name", "bad_name"),
        (customer("x" * 501), "display_name", "too_long"),
        (customer(given_name="x" * 101), "given_name", "too_long"),
        (customer(company_name="x" * 101), "company_name", "too_long"),
        (customer(phones=(PhoneField("mobile", "8" * 31),)), "mobile", "bad_phone"),
        (customer(email_text="ann@lee.example, nonsense"), "email", "bad_email"),
        (customer(email_text=f"{'a' * 95}@lee.example"), "email", "too_long"),
        (customer(website="https://lee example"), "website", "bad_url"),
        (customer(website="ftp://lee.example"), "website", "bad_url"),
        (customer(website="https://[lee"), "website", "bad_url"),
        (customer(website=f"https://lee.example/{'x' * 1000}"), "website", "too_long"),
        (customer(billing_address=Address(postal_code="6" * 31)), "address", "too_long"),
        (customer(billing_address=Address(city="x" * 256)), "address", "too_long"),
        (customer(billing_address=Address(*["x" * 450] * 5)), "address", "too_long"),
    ],
)
def test_each_problem_names_its_field_and_its_row(record: CustomerRecord, field: str, cause: str) -> None:
    [problem] = preflight.customer(record, TITLES)
    assert (problem.field, problem.cause) == (field, cause)
    assert cause in REFUSALS and problem.sentence.endswith(".")
    assert preflight.customer(record, set(TITLES) - {field}) == [], "what is not sent is not looked at"


@pytest.mark.parametrize(
    "record",
    [
        customer("O'Neil & Söhne, Ltd. (Kansas)"),
        customer("Ann \N{WRENCH} Lee\tJr"),
        customer("x" * 500, given_name="x" * 100),
        customer(email_text="ann@lee.example, bob+x@mail.lee.example", website="http://lee.example:8080/a?b=c"),
        customer(phones=(PhoneField("primary", "8" * 30),), billing_address=Address("1 Main St", city="Liberty")),
    ],
)
def test_what_quickbooks_takes_passes(record: CustomerRecord) -> None:
    assert preflight.customer(record, TITLES) == []


def test_closed_books_count_the_closing_day_itself() -> None:
    closed = date(2025, 12, 31)
    problem = preflight.dated(date(2025, 12, 31), closed_until=closed)
    assert problem is not None and problem.cause == "closed_books" and "December 31, 2025" in problem.sentence
    assert preflight.dated(date(2026, 1, 1), closed_until=closed) is None
    assert preflight.dated(date(2020, 1, 1), closed_until=None) is None


def test_a_currency_must_be_the_customers_and_one_the_books_keep() -> None:
    assert preflight.currency("EUR", home="USD", several=False).cause == "bad_currency"  # type: ignore[union-attr]
    assert preflight.currency("EUR", home="USD", theirs="USD", several=True) is not None
    assert preflight.currency("EUR", home="USD", theirs="EUR", several=True) is None
    assert preflight.currency("USD", home="USD", several=False) is None
    assert preflight.currency("", home="USD", several=False) is None


def test_numbers_follow_the_rule_of_the_company() -> None:
    assert preflight.number("", own_numbers=True).cause == "bad_number"  # type: ignore[union-attr]
    assert preflight.number("1" * 22, own_numbers=False) is not None
    assert preflight.number("", own_numbers=False) is None and preflight.number("1" * 21, own_numbers=True) is None


def test_what_is_pointed_to_must_be_there_and_active() -> None:
    assert preflight.reference("the item “Filter”", active=False).cause == "inactive"  # type: ignore[union-attr]
    assert preflight.reference("the item “Filter”", active=True, there=False).cause == "reference"  # type: ignore[union-attr]
    assert preflight.reference("the item “Filter”", active=True) is None
