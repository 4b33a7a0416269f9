"""One conflict as its page shows it: both sides with what helps to decide, its neighbours in the filtered list, and the
one that comes next.

Read by the page of one conflict; the list is `conflicts`. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.conflicts import mark_of
from crm.domain.purchases import PLACE
from crm.models import Conflict, MoneyFacts, SalesEvent, TimelineEntry
from crm.queries.conflicts import DOCUMENTS, Filters, Row, count, listed, money, order, present, rows, where

LOOKED_AT = 100
"""Timeline entries looked through for who changed ours last."""
OWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "address": ("street", "city", "region", "postal_code", "country"),
    "email": ("emails", "email"),
    **dict.fromkeys(("phone", "mobile", "other", "fax"), ("phones", "phone")),
}
"""Shared field -> what a contact's timeline calls it, where that is another name."""


@dataclass(frozen=True, slots=True)
class View(Row):
    """One conflict with what helps to decide."""

    company: str
    currency: str
    changed_by: str
    """Who changed ours last, as the timeline knows; empty where it does not."""
    previous_id: int | None
    next_id: int | None
    place: int | None
    """Its place in the filtered list, from 1; None when it is not in it (any more)."""
    total: int
    fields: Mapping[str, str]
    """Parts of the address here under the names of the form; empty where there is none to write."""

    @property
    def mark(self) -> str:
        return mark_of(self.conflict.ours, self.conflict.theirs)


def one(conflict_id: int, filters: Filters) -> View | None:
    """The conflict, with its neighbours in the filtered list."""
    query = rows().where(Conflict.id == conflict_id).options(joinedload(Conflict.connection))
    found: Any = db.session.execute(query).one_or_none()
    if found is None:
        return None
    conflict, contact, money, document, product, vendor, bill = found
    before, after, place, total = _neighbours(conflict_id, filters)
    parts: dict[str, str] = {}
    if contact is not None and conflict.kind == "customer":
        parts = {part: getattr(contact, part) for part in OWN_NAMES["address"]}
    elif vendor is not None and conflict.kind == "vendor":
        parts = {part: vendor.address.get(part, "") for part in PLACE}
    company = conflict.connection
    return View(
        conflict, contact, money, document, product, vendor, bill, company.company_name or "QuickBooks",
        company.currency or "USD", _changed_by(conflict), before, after, place, total, parts,
    )  # fmt: skip


def following(conflict_id: int, filters: Filters) -> int | None:
    """The open conflict to look at once this one is decided: the next of the list, or the one before the last."""
    before, after, _, _ = _neighbours(conflict_id, filters)
    return after or before


def _neighbours(conflict_id: int, filters: Filters) -> tuple[int | None, int | None, int | None, int]:
    """(before, after, place, how many), in the order of the list."""
    by = order(filters)
    query = select(
        Conflict.id.label("id"),
        func.lag(Conflict.id).over(order_by=by).label("before"),
        func.lead(Conflict.id).over(order_by=by).label("after"),
        func.row_number().over(order_by=by).label("place"),
        func.count().over().label("total"),
    )
    window = present(query).outerjoin(MoneyFacts, money()).where(*where(filters)).subquery()
    found = db.session.execute(select(window).where(window.c.id == conflict_id)).one_or_none()
    if found is not None:
        return found.before, found.after, found.place, found.total
    first = db.session.scalar(listed(filters).with_only_columns(Conflict.id).limit(1))
    return None, first, None, count(filters)


def _changed_by(conflict: Conflict) -> str:
    """Who the history names for the last change of this field here, before the conflict was decided."""
    upto: datetime | None = conflict.decided_at
    names = set(OWN_NAMES.get(conflict.field, (conflict.field,)))
    if conflict.kind in DOCUMENTS:
        at, latest = SalesEvent.at, select(SalesEvent.actor, SalesEvent.details["changes"]).where(
            SalesEvent.document_id == conflict.local_id, SalesEvent.source != "quickbooks"
        ).order_by(SalesEvent.at.desc(), SalesEvent.id.desc())  # fmt: skip
    elif conflict.kind == "customer":
        at, latest = TimelineEntry.at, select(TimelineEntry.actor, TimelineEntry.changes).where(
            TimelineEntry.contact_id == conflict.local_id, TimelineEntry.verb.in_(("changed", "enriched"))
        ).order_by(TimelineEntry.at.desc(), TimelineEntry.id.desc())  # fmt: skip
    else:
        return ""
    rows = db.session.execute(latest.where(at <= upto if upto else true()).limit(LOOKED_AT))
    return next((actor for actor, changes in rows if names & set(changes or {})), "")
