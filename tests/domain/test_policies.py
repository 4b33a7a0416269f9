"""Policies: the defaults, what may lie over them, and the words; docs/sync.md shows the table of the code."""

from __future__ import annotations

from dataclasses import fields as fields_of
from pathlib import Path

import pytest

from crm.domain import item_fields, policies, sales_fields
from crm.domain.errors import Invalid
from crm.domain.records import DocumentRecord, ItemRecord
from crm.domain.shared_fields import LINE_FIELDS, TEXTS

DOCS = Path(__file__).parents[2] / "docs" / "sync.md"


def test_the_documentation_shows_the_table_of_the_code() -> None:
    said = DOCS.read_text()
    for kind in ("customer", "item", "estimate", "invoice", "vendor", "bill"):
        assert policies.markdown(kind) in said


def test_every_field_has_known_words() -> None:
    for field in (field for fields in policies.FIELDS.values() for field in fields):
        assert field.policy in policies.POLICIES and field.travels in policies.TRAVELS
        assert bool(field.theirs) == (field.travels != "none")


def test_what_is_shared_is_what_can_be_compared() -> None:
    assert set(policies.defaults("customer")) == {*TEXTS, "address", *LINE_FIELDS}
    assert set(policies.defaults("customer").values()) == {"newest"}
    records = {"item": ItemRecord, "estimate": DocumentRecord, "invoice": DocumentRecord}
    for kind, shape in records.items():
        assert set(policies.defaults(kind)) <= {field.name for field in fields_of(shape)}
    assert {*item_fields.TITLES} == {*policies.defaults("item")}
    for kind in ("estimate", "invoice"):
        assert set(policies.defaults(kind)) == {*sales_fields.OF_KIND[kind]}


def test_overrides_lie_over_the_defaults_and_nonsense_is_passed_over() -> None:
    overrides = {
        "phone": "quickbooks",
        "email.emptied": "ours",
        "balance": "ours",
        "fax": "whoever",
        "fax.emptied": "ask",
    }
    resolved = policies.resolve("customer", overrides)
    assert resolved == {**policies.defaults("customer"), "phone": "quickbooks", "email.emptied": "ours"}


@pytest.mark.parametrize(("name", "rule"), [
    ("balance", "ours"), ("owner", "ask"), ("phone", "loudest"), ("phone.emptied", "newest"), ("phone.full", "ours"),
])  # fmt: skip
def test_an_override_that_cannot_be_kept_is_refused_by_name(name: str, rule: str) -> None:
    with pytest.raises(Invalid) as caught:
        policies.check("customer", {"email": "ask", name: rule})
    assert list(caught.value.fields) == [name]


def test_rules_are_said_in_plain_words() -> None:
    assert policies.rule_text("customer", "phone", "quickbooks") == "Phone: QuickBooks wins"
    assert policies.rule_text("customer", "mobile", "ours") == "Mobile phone: Tradebook wins"
    said = policies.rule_text("customer", "email.emptied", "quickbooks")
    assert said == "E-mail, emptied in QuickBooks: Empty it here too"
