"""What the first page tells each role: where an admin stands on the way in, what waits, whose money is late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, String, cast, false, func, literal, select
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.directions import DIRECTIONS
from crm.models import Connection, Contact, Customer, Match, MoneyFacts, Notice, SalesDocument, SyncRun, TimelineEntry
from crm.queries import contact_search, freshness, menu, sync_settings


@dataclass(frozen=True, slots=True)
class Standing:
    """How far this installation has come."""

    contacts: int
    connection: Connection | None
    """The one in use, else the last one."""
    imported: bool
    """Whether an import of it was ever done."""
    linked: int
    to_decide: int
    """All questions of the match desk, as the menu counts them."""
    awaits_plan: bool
    """Customers are to go out, and no plan has opened the books for writing yet."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Open and late money over all contacts, per currency of a connection."""

    currency: str
    open: Decimal
    overdue: Decimal
    owing: int
    late: int
    unmatched: Decimal
    """What customers of the books owe that have no contact yet: with `open`, the receivables of the books."""
    as_of: datetime | None


def standing() -> Standing:
    connection = db.session.scalar(
        select(Connection).order_by(Connection.disconnected_at.is_not(None), Connection.connected_at.desc()).limit(1)
    )
    done = [SyncRun.connection_id == connection.id, SyncRun.state == "done"] if connection else [false()]
    return Standing(
        contacts=_count(select(Contact.id).where(Contact.archived_at.is_(None))),
        connection=connection,
        imported=db.session.scalar(select(SyncRun.id).where(*done).limit(1)) is not None,
        linked=_count(select(Customer.id).where(Customer.match_state == "linked")),
        to_decide=menu.matches_waiting(),
        awaits_plan=connection is not None and connection.read_only and _goes_out(connection.id),
    )


def _goes_out(connection_id: int) -> bool:
    return DIRECTIONS[sync_settings.current(db.session(), connection_id, "customer").direction].goes_out


def totals() -> Sequence[Totals]:
    rows = db.session.execute(
        select(
            MoneyFacts.currency,
            func.sum(MoneyFacts.balance_with_jobs),
            func.sum(MoneyFacts.overdue),
            func.count().filter(MoneyFacts.balance_with_jobs > 0),
            func.count().filter(MoneyFacts.overdue > 0),
            func.min(MoneyFacts.balance_as_of),
        ).group_by(MoneyFacts.currency)
    )
    zero, apart = Decimal("0.00"), _unmatched()
    companies = db.session.execute(select(Connection.id, Connection.read_at)).all()
    moments = freshness.proven(*companies[0]) if len(companies) == 1 else {}
    return [
        Totals(
            currency,
            open_ or zero,
            late or zero,
            owing,
            lates,
            apart.get(currency, zero),
            freshness.later(as_of, moments, ("customer",)),
        )
        for currency, open_, late, owing, lates, as_of in rows
    ]


def _unmatched() -> dict[str, Decimal]:
    """Per currency, the balance of the books' customers without a contact, their jobs included."""
    currency = func.coalesce(func.nullif(Customer.currency, ""), Connection.currency)
    rows = db.session.execute(
        select(currency, func.sum(Customer.balance_with_jobs))
        .join(Connection, Connection.id == Customer.connection_id)
        .where(Customer.contact_id.is_(None), Customer.parent_remote_id.is_(None), Customer.gone_at.is_(None))
        .group_by(currency)
    )
    return {name: amount for name, amount in rows if amount}


def most_overdue(owner_id: int | None = None, limit: int = 6) -> Sequence[tuple[Contact, MoneyFacts]]:
    """Contacts who are late, the largest sums first; only those of `owner_id` when given."""
    query = (
        select(Contact, MoneyFacts)
        .join(MoneyFacts, MoneyFacts.contact_id == Contact.id)
        .where(MoneyFacts.overdue > 0, Contact.archived_at.is_(None))
        .order_by(MoneyFacts.overdue.desc())
        .limit(limit)
    )
    if owner_id is not None:
        query = query.where(Contact.owner_id == owner_id)
    return [(contact, facts) for contact, facts in db.session.execute(query)]


def owned(owner_id: int) -> int:
    return _count(select(Contact.id).where(Contact.owner_id == owner_id, Contact.archived_at.is_(None)))


def recent_changes(limit: int = 8) -> Sequence[tuple[TimelineEntry, Contact]]:
    query = (
        select(TimelineEntry, Contact)
        .join(Contact, Contact.id == TimelineEntry.contact_id)
        .where(TimelineEntry.source == "person")
        .order_by(TimelineEntry.id.desc())
        .limit(limit)
    )
    return [(entry, contact) for entry, contact in db.session.execute(query)]


def best_proposals(limit: int = 5) -> Sequence[Match]:
    query = (
        select(Match)
        .options(joinedload(Match.customer), joinedload(Match.contact))
        .where(Match.state == "proposed", Match.rank == 0)
        .order_by(Match.score.desc(), Match.id)
        .limit(limit)
    )
    return db.session.scalars(query).all()


def notices() -> Sequence[Notice]:
    return db.session.scalars(
        select(Notice).where(Notice.settled_at.is_(None)).order_by(Notice.created_at.desc())
    ).all()


def notices_of(user_id: int) -> Sequence[Notice]:
    """Open notices about quotes this person owns."""
    topic = literal("quote_answer:") + cast(SalesDocument.id, String)
    query = select(Notice).join(SalesDocument, Notice.topic == topic)
    mine = (SalesDocument.owner_id == user_id, Notice.settled_at.is_(None))
    return db.session.scalars(query.where(*mine).order_by(Notice.created_at.desc(), Notice.id.desc())).all()


def palette_contacts(q: str, limit: int = 8) -> Sequence[Contact]:
    """Contacts whose searchable text holds every word."""
    query = select(Contact).where(Contact.archived_at.is_(None), *contact_search.matching(search_terms(q)))
    return db.session.scalars(query.order_by(Contact.sort_name).limit(limit)).all()


def _count(query: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
