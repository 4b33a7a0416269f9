"""Who buys: customers by what they were invoiced in a span, and new ones against those who bought before.

Home currency only. A customer is a contact; what has none here (its customer of the books is not matched yet) is told
apart, so that the parts always make the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Subquery, case, func, literal, select

from crm.db import db
from crm.domain.periods import Span
from crm.models import Contact, SalesDocument
from crm.queries.insight_money import between, in_home
from crm.queries.insight_stored import stored
from crm.queries.invoice_narrowing import bought_before, issued
from crm.queries.segment_measures import PassedOver

D = SalesDocument
NEW, RETURNING, UNMATCHED = "new", "returning", "unmatched"
CUSTOMERS, NEWNESS = "customers", "newness"
KEPT = 500
"""Customers that are ranked beforehand."""


class Buyer(NamedTuple):
    contact_id: int | None
    name: str
    amount: Decimal
    invoices: int


class Part(NamedTuple):
    """Of all that was invoiced: that to new customers, to returning ones, or to nobody known here."""

    amount: Decimal
    invoices: int
    customers: int


def per_contact(span: Span) -> Subquery:
    """(contact_id, amount, invoices) of each contact that was invoiced in the span."""
    # Passed over: SQLite would go through all invoices in the order of contacts, however short the span.
    whose: Any = PassedOver(D.contact_id) if span.since or span.until else D.contact_id
    return (
        select(whose.label("contact_id"), func.sum(D.total).label("amount"), func.count().label("invoices"))
        .where(*issued(), in_home(D.currency), *between(D.date, span))
        .group_by(whose)
        .subquery()
    )


def largest(span: Span, *, limit: int | None) -> list[Buyer]:
    """The customers with the highest sums first; documents without a contact are one of them. So many as were worked
    out beforehand come from there."""
    found = stored(CUSTOMERS, span) if limit is not None and limit <= KEPT else None
    if found is None:
        return largest_now(span, limit=limit)
    return [Buyer(row[0], row[1], Decimal(row[2]), row[3]) for row in found.rows[1 : 1 + (limit or KEPT)]]


def largest_now(span: Span, *, limit: int | None) -> list[Buyer]:
    sums = per_contact(span)
    ranked = (
        select(sums.c.contact_id, sums.c.amount, sums.c.invoices)
        .order_by(sums.c.amount.desc(), sums.c.contact_id)
        .limit(limit)
        .subquery()
    )
    query = (
        select(ranked.c.contact_id, Contact.display_name, ranked.c.amount, ranked.c.invoices)
        .outerjoin(Contact, Contact.id == ranked.c.contact_id)
        .order_by(ranked.c.amount.desc(), ranked.c.contact_id)
    )
    return [Buyer(id_, name or "", amount, number) for id_, name, amount, number in db.session.execute(query)]


def number(span: Span) -> int:
    """How many there are to rank."""
    found = stored(CUSTOMERS, span)
    return number_now(span) if found is None else int(found.rows[0][0])


def number_now(span: Span) -> int:
    return db.session.scalar(select(func.count()).select_from(per_contact(span))) or 0


def of_contacts(ids: Sequence[int | None], span: Span) -> dict[int | None, Decimal]:
    """What these were invoiced in the span; whoever was not is missing."""
    known = [one for one in ids if one is not None]
    conditions = (*issued(), in_home(D.currency), *between(D.date, span))
    query = select(D.contact_id, func.sum(D.total)).where(*conditions, D.contact_id.in_(known)).group_by(D.contact_id)
    found: dict[int | None, Decimal] = {id_: amount for id_, amount in db.session.execute(query)}
    if None in ids:
        left = db.session.scalar(select(func.sum(D.total)).where(*conditions, D.contact_id.is_(None)))
        found |= {None: left} if left is not None else {}
    return found


def newness(span: Span) -> dict[str, Part]:
    """NEW, RETURNING and UNMATCHED -> what they come to. Without a first day nobody can have bought before."""
    found = stored(NEWNESS, span)
    if found is None:
        return newness_now(span)
    return {row[0]: Part(Decimal(row[1]), row[2], row[3]) for row in found.rows}


def newness_now(span: Span) -> dict[str, Part]:
    sums = per_contact(span)
    before: Any = bought_before(sums.c.contact_id, span.since) if span.since else literal(False)
    kind = case((sums.c.contact_id.is_(None), UNMATCHED), (before, RETURNING), else_=NEW).label("kind")
    told = select(kind, sums.c.amount, sums.c.invoices).subquery()
    query = select(told.c.kind, func.sum(told.c.amount), func.sum(told.c.invoices), func.count()).group_by(told.c.kind)
    found = {row[0]: Part(row[1], int(row[2]), row[3]) for row in db.session.execute(query)}
    return {key: found.get(key, Part(Decimal(0), 0, 0)) for key in (NEW, RETURNING, UNMATCHED)}
