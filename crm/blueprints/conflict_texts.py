"""Values of conflicts as people write them: days, sums with their currency, numbers of phones, fields with their names.

Used by the pages of the conflict desk; what is stored stays as the sides said it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date as Day
from decimal import Decimal, InvalidOperation
from typing import Any

from crm import formats
from crm.domain.conflicts import DAYS, SUMS, is_number
from crm.domain.shared_fields import LINE_FIELDS


def shown(one: Any, text: str) -> str:
    """One of the values of a conflict (a row, with its connection); what is not of its field's sort stays as it was."""
    if one.field in DAYS:
        return _day(text)
    if one.field in SUMS:
        return _sum(text, one.connection.currency or "USD")
    if one.field == "custom_fields":
        return _named(text, one.connection.preferences.get("custom_fields") or ())
    return phones(one.field, text, one.connection.country or "US")


def phones(field: str, text: str, region: str) -> str:
    """Numbers in one notation on every side; what is more than a number stays as it was typed."""
    if LINE_FIELDS.get(field) is None:
        return text
    return ", ".join(formats.phone(piece, region) if is_number(piece) else piece for piece in text.split(", "))


def _day(text: str) -> str:
    try:
        return formats.date(Day.fromisoformat(text)) if text else ""
    except ValueError:
        return text


def _sum(text: str, currency: str) -> str:
    try:
        return formats.money(Decimal(text), currency) if text else ""
    except InvalidOperation:
        return text


def _named(text: str, defined: Iterable[Mapping[str, Any]]) -> str:
    """Lines of `id=value` with the names the company has given these fields."""
    names = {str(one["definition_id"]): one.get("name") for one in defined}
    pairs = (line.partition("=") for line in text.splitlines())
    return "\n".join(f"{names.get(id_) or f'Custom field {id_}'}: {value}" for id_, _, value in pairs)
