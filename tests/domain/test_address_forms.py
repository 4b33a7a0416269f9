"""Addresses of a form: what is typed is kept, what is only shown is not rewritten, what is too long is told."""

from __future__ import annotations

import pytest

from crm.domain import address_forms
from crm.domain.sales_content import Content

KEPT = Content(
    billing_address={"line1": "Ada Byron", "line3": "12 Mill Lane", "city": "Bath", "country": "UK"},
    shipping_address={"line1": "Dock 4"},
)


def test_what_comes_back_as_it_was_shown_changes_nothing() -> None:
    assert address_forms.read(address_forms.typed(KEPT), KEPT) == (KEPT, {})
    assert address_forms.read({"title": "North wall"}, KEPT) == (KEPT, {})


def test_what_is_typed_takes_the_place_of_that_address_only() -> None:
    given = address_forms.typed(KEPT) | {"bill-street": " Ada  Byron \r\n\r\n14 Mill Lane\n", "bill-country": ""}
    content, wrong = address_forms.read(given, KEPT)
    assert content.billing_address == {"line1": "Ada Byron", "line2": "14 Mill Lane", "city": "Bath"} and not wrong
    assert content.shipping_address == KEPT.shipping_address
    emptied, _ = address_forms.read(dict.fromkeys(given, ""), KEPT)
    assert (emptied.billing_address, emptied.shipping_address) == ({}, {})


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [("ship-street", "1\n2\n3\n4\n5\n6", "Service address: 5 lines of the street"),
     ("bill-postal_code", "9" * 31, "Billing address: 30 letters of “Postal code”")],
)  # fmt: skip
def test_what_the_books_would_cut_is_told_beside_its_field(field: str, text: str, words: str) -> None:
    _, wrong = address_forms.read({field: text}, KEPT)
    assert list(wrong) == [field] and wrong[field].startswith(words)
