"""Reading and writing what papers of the folder have in common: texts, amounts, days, places. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crm.domain.records import Address, Origin
from crm.providers.accounting.ledgerfile.ledger import DRAWERS

PLACE = {"town": "city", "state": "region", "zip": "postal_code", "land": "country"}
STREET = ("line1", "line2", "line3", "line4", "line5")
KINDS_BY_BEGINNING = {beginning: kind for kind, (_, beginning) in DRAWERS.items()}


class Unreadable(ValueError):
    """The text names the field."""


def origin_of(paper: Mapping[str, Any]) -> Origin:
    return Origin(paper["id"], paper["etag"], moment_of(paper, "made"), moment_of(paper, "touched"))


def kind_of(remote_id: str) -> str:
    return KINDS_BY_BEGINNING.get(remote_id.partition("_")[0], "")


def text_of(paper: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = paper.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise Unreadable(f"{name} is {value!r}, where a text belongs.")
    return value


def amount_of(paper: Mapping[str, Any], name: str) -> Decimal:
    try:
        found = Decimal(text_of(paper, name, needed=True))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Unreadable(f"{name} is {paper.get(name)!r}, where an amount belongs.")
    return found


def day_of(paper: Mapping[str, Any], name: str) -> date | None:
    text = text_of(paper, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Unreadable(f"{name} is {text!r}, which is not a day.") from None


def moment_of(paper: Mapping[str, Any], name: str) -> datetime:
    text = text_of(paper, name, needed=True)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Unreadable(f"{name} is {text!r}, which is not a moment.")
    return found.astimezone(UTC)


def address_of(place: Mapping[str, Any]) -> Address | None:
    street = place.get("street") or []
    ours = {line: str(text) for line, text in zip(STREET, street, strict=False)}
    ours |= {ours_: text_of(place, theirs) for theirs, ours_ in PLACE.items()}
    return Address(**ours) if any(ours.values()) else None


def place_of(address: Address | None) -> dict[str, Any]:
    place = address or Address()
    return {
        "street": [text for line in STREET if (text := getattr(place, line))],
        **{theirs: getattr(place, ours) for theirs, ours in PLACE.items()},
    }
