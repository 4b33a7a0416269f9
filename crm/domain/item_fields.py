"""The fields of a product that both sides share, in the form in which they are compared.

A key is a field of `ItemRecord`, by the same name a column of our product; a value is its text, empty where nothing
stands there. What only the books say (type, category, stock) is none of them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.domain.policies import shared
from crm.domain.product_values import ACCOUNTS, NUMBERS
from crm.domain.record_parts import Ref

KIND = "item"
TITLES: Mapping[str, str] = {field.name: field.title for field in shared(KIND)}
ACTIVE = {True: "active", False: "inactive"}
_FLAGS = {True: "yes", False: "no", None: ""}


def keys(said: Any) -> dict[str, str]:
    """Shared field -> what stands there. `said`: an ItemRecord, or a row of our products."""
    return {name: _key(name, getattr(said, name)) for name in TITLES}


def shown(said: Any, field: str, accounts: Mapping[str, str] | None = None) -> str:
    """A field as people read it. `accounts`: remote id -> name, for the accounts of our side."""
    value = getattr(said, field)
    if isinstance(value, Ref):
        return value.name or value.remote_id
    if field in ACCOUNTS:
        return (accounts or {}).get(value or "", "") or value or ""
    return _key(field, value)


def shown_key(field: str, key: str, accounts: Mapping[str, str] | None = None) -> str:
    """A value of which only the key was kept."""
    return (accounts or {}).get(key, key) if field in ACCOUNTS else key


def _key(name: str, value: Any) -> str:
    if name in NUMBERS:
        return _number(value)
    if name == "active":
        return ACTIVE[bool(value)]
    if name == "taxable":
        return _FLAGS[value]
    if isinstance(value, Ref):
        return value.remote_id
    return "" if value is None else "\n".join(line.rstrip() for line in str(value).strip().splitlines())


def _number(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize() + 0, "f")
