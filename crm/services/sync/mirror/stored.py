"""Records as JSON for the mirror, and the hash that tells a real change from a moved time stamp.

Empty values are left out; amounts are text, days and moments ISO text. In an `extra` exact numbers are kept as numbers
(`{"$number": "12.50"}`), since it goes back to the provider as it came. The hash covers what we map, not the version,
the time stamps or what the provider sent beyond: QuickBooks moves those without a change of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import orjson

_PLAIN = frozenset((str, int, bool, type(None)))
"""Types that stand in JSON as they are."""
NUMBER = "$number"


@lru_cache(maxsize=64)
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def as_stored(value: Any) -> Any:
    """Plain JSON of a record or a part of one. Runs for every field of every record: the common types come first."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Decimal:
        return format(value, "f")
    names = _names(kind)  # type: ignore[arg-type]  # a class is hashable
    if names is not None:
        stored = {}
        for name in names:
            part = getattr(value, name)
            if part or _says_something(part):
                stored[name] = _kept(part) if name == "extra" else part if type(part) in _PLAIN else as_stored(part)
        return stored
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [as_stored(part) for part in value]
    if isinstance(value, Mapping):
        return {str(name): as_stored(part) for name, part in value.items()}
    raise TypeError(f"a record holds a {kind.__name__}, which cannot be stored")


def _kept(value: Any) -> Any:
    """An extra, or a part of one."""
    if isinstance(value, Decimal):
        return {NUMBER: format(value, "f")}
    if isinstance(value, Mapping):
        return {str(name): _kept(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(part) for part in value]
    return as_stored(value)


def _given_back(part: Any) -> Any:
    if isinstance(part, Mapping):
        if part.keys() == {NUMBER}:
            return Decimal(part[NUMBER])
        return {name: _given_back(inner) for name, inner in part.items()}
    return [_given_back(inner) for inner in part] if isinstance(part, list) else part


def content_hash(stored: Mapping[str, Any]) -> str:
    """SHA-256 of a stored record's own content."""
    content = {name: part for name, part in stored.items() if name not in ("origin", "extra")}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def exceeds(amount: Decimal | None) -> bool:
    """Whether an amount does not fit our columns (fifteen digits and four decimals)."""
    if amount is None:
        return False
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        return True
    return amount != amount.quantize(Decimal("0.0001"))


def _says_something(falsy: Any) -> bool:
    """False and zero are values; None and empty texts, lists and mappings are left out."""
    return isinstance(falsy, bool | int | Decimal)


Made = TypeVar("Made")


def from_stored(shape: type[Made], stored: Mapping[str, Any]) -> Made:
    """The record of a shape (`CustomerRecord` ...) that `as_stored` made this of. What stands in it from before numbers
    were kept in an `extra` has them as text there."""
    hints = _hints(shape)  # type: ignore[arg-type]  # a class is hashable
    read = {name: _read(hints[name], part) for name, part in stored.items() if name in hints}
    return shape(**{**_left_out(shape), **read})  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _left_out(shape: type) -> dict[str, Any]:
    """What a field that must be given was, where it is not stored: an empty text or None."""
    hints = _hints(shape)
    needed = [one.name for one in fields(shape) if one.default is MISSING and one.default_factory is MISSING]
    return {name: "" if hints[name] is str else None for name in needed}


@lru_cache(maxsize=64)
def _hints(shape: type) -> dict[str, Any]:
    return get_type_hints(shape)


def _read(hint: Any, part: Any) -> Any:
    if part is None:
        return None
    inner = [one for one in get_args(hint) if one is not type(None)]
    if get_origin(hint) is tuple:
        return tuple(_read(inner[0], one) for one in part)
    if get_origin(hint) is Mapping:
        return _given_back(part)
    if inner:  # one of several, None among them
        return _read(inner[0], part)
    if is_dataclass(hint):
        return from_stored(hint, part)  # type: ignore[arg-type]  # the class, not an object of it
    if hint is Decimal:
        return Decimal(part)
    return hint.fromisoformat(part) if hint in (date, datetime) else part
