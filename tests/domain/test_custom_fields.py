"""What fills a company's custom fields on quotes and invoices."""

from __future__ import annotations

import pytest

from crm.domain import custom_fields
from crm.domain.errors import Invalid


def test_a_source_fills_its_field_and_what_is_typed_stays_in_the_others() -> None:
    values = {"title": "North wall " * 5, "owner": ""}
    found = custom_fields.filled({"1": "by hand", "2": "old", "3": "old"}, {"2": "title", "3": "owner"}, values)
    assert found == {"1": "by hand", "2": ("North wall " * 5)[:31]}


def test_a_field_that_is_not_there_and_a_source_that_is_not_are_told() -> None:
    with pytest.raises(Invalid) as told:
        custom_fields.check({"1": "title", "9": "title", "2": "weather"}, ["1", "2"])
    assert told.value.fields.keys() == {"custom-9", "custom-2"}
    assert custom_fields.check({"1": "title", "2": ""}, ["1", "2"]) == {"1": "title"}


def test_a_change_of_the_title_changes_what_it_fills() -> None:
    assert custom_fields.affected({"title"}, {"1": "title"})
    assert not custom_fields.affected({"title"}, {"1": "owner"})
    assert not custom_fields.affected({"customer_memo"}, {"1": "title"})
