"""Customers that were merged in the books although a person here keeps them apart: the decision stands, and is told.

Called by `merges.follow`. What was said of the customer that went is said from then on of whom its contact would meet:
of the customer that is left, or of that one's contact. So no link follows by itself and nobody is asked, until a person
proposes the pair again at the match desk, among those kept apart.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.models import Customer, Link, Match
from crm.services import duplicates
from crm.services.sync.work import Batch

SOMEBODY = "somebody here"


def by(session: Session, survivor: Customer, loser: Customer, link: Link | None) -> str:
    """Who said that the two customers, or the loser's contact and the survivor, are never the same; empty: nobody."""
    found = duplicates.kept_apart_by("customer", survivor.id, loser.id)
    if found is None and link is not None:
        mine = (Match.customer_id == survivor.id, Match.contact_id == link.local_id, Match.state == "rejected")
        found = session.scalar(select(Match.decided_by).where(*mine))
    return "" if found is None else found or SOMEBODY


def from_customer(batch: Batch, survivor: Customer, contact_id: int, *, who: str) -> None:
    """The contact is never that customer, as `who` said; a proposal that says otherwise is settled with it."""
    session = batch.session
    mine = select(Match).where(Match.customer_id == survivor.id, Match.contact_id == contact_id)
    match = session.scalar(mine.execution_options(populate_existing=True))
    if match is not None and match.state == "rejected":
        return
    if match is None:
        match = Match(connection_id=batch.books.id, customer_id=survivor.id, contact_id=contact_id, evidence=[])
        session.add(match)
    match.state, match.decided_by, match.decided_at = "rejected", who[:254], batch.now
    session.flush()


def contacts(batch: Batch, one_id: int, other_id: int, *, who: str) -> None:
    """The two contacts are never one, as `who` said of their customers."""
    duplicates.hold_apart(one_id, other_id, by=who, now=batch.now)
