"""Where sales come from: what was invoiced in a span by the address of the contact, and where that lies on a map.

Home currency only. Spellings of one place are put together by `domain/sales_places`, as the list a place opens does it.
Where a place lies is the middle of its contacts' own places (`contact_places`), found without asking anybody outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select

from crm.db import db
from crm.domain.periods import Span
from crm.domain.sales_places import city_key, postal_key, region_key
from crm.models import Contact, ContactPlace
from crm.queries.insight_customers import per_contact
from crm.queries.insight_stored import stored

STATE, CITY, POSTAL = "state", "city", "postal"
LEVELS: dict[str, tuple[Any, ...]] = {
    STATE: (Contact.region,), CITY: (Contact.region, Contact.city),
    POSTAL: (Contact.region, Contact.city, Contact.postal_code),
}  # fmt: skip
READ = {"region": region_key, "city": city_key, "postal_code": postal_key}


class Key(NamedTuple):
    """Empty from the level on that is not asked for."""

    region: str
    city: str = ""
    postal: str = ""


@dataclass(slots=True)
class Place:
    key: Key | None
    """None: documents without a contact here."""
    amount: Decimal = Decimal(0)
    invoices: int = 0
    customers: int = 0
    located: int = 0
    """Customers whose place is known."""
    latitude: int = 0
    """Summed over those, in millionths of a degree; so is `longitude`."""
    longitude: int = 0
    unlocated: Decimal = field(default=Decimal(0))
    """What of `amount` is of customers whose place is not known."""


def by_place(span: Span, level: str, *, located: bool = False) -> list[Place]:
    """The places with the highest sums first. `located`: with where they lie."""
    found = stored(level, span)
    return by_place_now(span, level, located=located) if found is None else [_place(row) for row in found.rows]


def _place(row: list[Any]) -> Place:
    key, amount, unlocated, invoices, customers, located, latitude, longitude = row
    return Place(
        Key(*key) if key is not None else None, Decimal(amount), invoices, customers, located, latitude, longitude,
        Decimal(unlocated),
    )  # fmt: skip


def row_of(place: Place) -> list[Any]:
    """As it is worked out beforehand."""
    key = None if place.key is None else list(place.key)
    return [
        key, str(place.amount), str(place.unlocated), place.invoices, place.customers, place.located, place.latitude,
        place.longitude,
    ]  # fmt: skip


def by_place_now(span: Span, level: str, *, located: bool = False) -> list[Place]:
    sums = per_contact(span)
    columns = LEVELS[level]
    missing = ContactPlace.contact_id.is_(None)
    where: tuple[Any, ...] = (
        (func.count(ContactPlace.contact_id), func.sum(ContactPlace.latitude), func.sum(ContactPlace.longitude))
        if located else ()
    )  # fmt: skip
    rest: tuple[Any, ...] = (func.sum(sums.c.amount).filter(missing),) if located else ()
    query = (
        select(
            sums.c.contact_id.is_(None), *columns, func.sum(sums.c.amount), func.sum(sums.c.invoices), func.count(),
            *where, *rest,
        )
        .select_from(sums)
        .outerjoin(Contact, Contact.id == sums.c.contact_id)
        .group_by(sums.c.contact_id.is_(None), *columns)
    )  # fmt: skip
    if located:
        query = query.outerjoin(ContactPlace, ContactPlace.contact_id == sums.c.contact_id)
    found: dict[Key | None, Place] = {}
    readers = [READ[column.key] for column in columns]
    for row in db.session.execute(query):
        texts = row[1 : 1 + len(columns)]
        key = None if row[0] else Key(*(read(text) for read, text in zip(readers, texts, strict=True)))
        place = found.setdefault(key, Place(key))
        amount, invoices, customers, *more = row[1 + len(columns) :]
        place.amount += amount
        place.invoices += int(invoices)
        place.customers += customers if key is not None else 0
        if located:
            place.located += more[0]
            place.latitude += int(more[1] or 0)
            place.longitude += int(more[2] or 0)
            place.unlocated += more[3] or Decimal(0)
    return sorted(found.values(), key=lambda one: (-one.amount, one.key or Key("\uffff")))
