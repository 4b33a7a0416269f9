"""About where contacts are, kept beside their addresses in `contact_places`.

Whoever looks at changed contacts (`segment_refresh`) has theirs settled in the same transaction; a pass over all finds
what that missed. An address that says the same parts as before costs no look-up. `domain/places` knows where things
are; nothing leaves the house.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.db import db, table_of, transaction
from crm.domain import places as rules
from crm.domain.places import Place
from crm.models import Contact, ContactPlace
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import upsert

PLACES = table_of(ContactPlace)
PART = 5000
COLUMNS = ("x", "y", "z", "latitude", "longitude", "precision")


def settle(session: Session, contact_ids: Collection[int]) -> list[int]:
    """Look up those whose address says something else than what their place was found by; answers whose place is
    another one by now."""
    changed: list[int] = []
    for part in chunks(sorted(contact_ids), 1000):
        changed += _settle(session, Contact.id.in_(part))
    return changed


def settle_all(*, clock: Callable[[], datetime]) -> int:
    """The same for all contacts, a stretch at a time in transactions of its own; answers how many places changed."""
    last, count = 0, 0
    while True:
        end = db.session.scalar(
            select(Contact.id).where(Contact.id > last).order_by(Contact.id).offset(PART - 1).limit(1)
        )
        with transaction() as session:
            stretch = (Contact.id > last,) if end is None else (Contact.id > last, Contact.id <= end)
            count += len(_settle(session, *stretch))
        if end is None:
            return count
        last = end


def _settle(session: Session, *where: Any) -> list[int]:
    found = session.execute(
        select(Contact.id, Contact.postal_code, Contact.city, Contact.region, Contact.country, ContactPlace.key)
        .outerjoin(ContactPlace, ContactPlace.contact_id == Contact.id)
        .where(*where)
        .order_by(Contact.id)
    ).all()
    known: dict[str, Place | None] = {}
    rows, gone = [], []
    for id_, postal, city, region, country, old in found:
        new = rules.key(postal, city, region, country)
        if new == (old or ""):
            continue
        if new not in known:
            known[new] = rules.find(postal, city, region, country)
        place = known[new]
        if place is not None:
            rows.append({"contact_id": id_, "key": new, **{name: getattr(place, name) for name in COLUMNS}})
        elif old is not None:
            gone.append(id_)
    upsert(session, PLACES, rows, by=("contact_id",))
    for part in chunks(gone, 1000):
        session.execute(delete(PLACES).where(PLACES.c.contact_id.in_(part)))
    return [row["contact_id"] for row in rows] + gone
