"""One customer tied to a contact, or let go, because a person said so. The import does the same in pages (`links`).

Called by `services/matches` inside its transaction. Each leaves links, mirror, money facts, the contact's state and its
timeline in agreement, so that nothing has to wait for the next import.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from crm.domain.matching import RULE_TEXTS, Outcome
from crm.models import Connection, Customer, Link, Match
from crm.services import duplicates, timeline
from crm.services.audit import Actor
from crm.services.sync.imports import links
from crm.services.sync.imports.matching import decisions_about
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.enrich import Linked, enrich_linked, touch
from crm.services.sync.mirror import money
from crm.services.sync.work import books_of


def attach(session: Session, customer: Customer, contact_id: int, *, actor: Actor, now: datetime) -> None:
    """Link them: fill what is empty, bring jobs, documents and money. The caller has made sure that both are free."""
    books = books_of(session.get_one(Connection, customer.connection_id))
    row = links.link_row(books.id, customer, contact_id, by=actor.label, now=now, run_id=None)
    session.execute(insert(Link), [row])
    customer.match_state, customer.contact_id = "linked", contact_id
    session.flush()
    linked = Linked(contact_id, customer.remote_id, customer.record, customer.active, customer.remote_updated_at)
    enrich_linked(session, [linked], books=books, now=now)
    timeline.add(contact_id, verb="linked", actor=actor, now=now,
                 summary=f"Linked to QuickBooks customer “{customer.display_name}”.")  # fmt: skip
    _settle(session, customer, [contact_id], now=now)


def make_contact(session: Session, customer: Customer, *, actor: Actor, now: datetime) -> int:
    """A new contact of its own for the customer; answers its id."""
    books = books_of(session.get_one(Connection, customer.connection_id))
    session.flush()
    row: Any = session.execute(select(*links.NEEDED).where(Customer.id == customer.id)).one()
    [made] = links.create_contacts(session, books, [(row, ())], now=now, run_id=None, actor=actor)
    session.refresh(customer)
    _settle(session, customer, [made], now=now)
    return made


def detach(session: Session, customer: Customer, contact_id: int, *, actor: Actor, now: datetime) -> None:
    """Undo a link. Both stay, the pair is remembered as different, and the next import decides about the customer."""
    session.execute(
        delete(Link).where(
            Link.connection_id == customer.connection_id, Link.kind == "customer", Link.remote_id == customer.remote_id
        )
    )
    session.execute(
        update(Match)
        .where(Match.customer_id == customer.id, Match.contact_id == contact_id)
        .values(state="rejected", decided_by=actor.label, decided_at=now)
    )
    customer.match_state, customer.contact_id = "new", None
    session.flush()
    conflicts.settle(session, customer.connection_id, "customer", [contact_id], now=now)
    timeline.add(contact_id, verb="unlinked", actor=actor, now=now,
                 summary=f"No longer linked to QuickBooks customer “{customer.display_name}”.")  # fmt: skip
    _settle(session, customer, [contact_id], now=now)


def propose_again(session: Session, customer: Customer, *, now: datetime) -> None:
    """The customer, which is free, waits for a person, with all the contacts it may be by now beside the one it has."""
    books = books_of(session.get_one(Connection, customer.connection_id))
    decision = decisions_about(session, books, {customer.id: customer.record})[customer.id]
    known = set(session.scalars(select(Match.contact_id).where(Match.customer_id == customer.id)))
    rows = [
        {
            "connection_id": books.id, "customer_id": customer.id, "contact_id": int(one.key), "state": "proposed",
            "rank": rank, "score": one.score, "rule": one.rule, "decided_by": RULE_TEXTS[decision.rule][:254],
            "evidence": [{"reason": e.reason, "text": e.text, "points": e.points} for e in one.evidence],
            "decided_at": now,
        }
        for rank, one in enumerate(decision.candidates)
        if one.outcome is not Outcome.APART and int(one.key) not in known
    ]  # fmt: skip
    if rows:
        session.execute(insert(Match), rows)
    customer.match_state = "review"
    session.flush()


def _settle(session: Session, customer: Customer, contact_ids: list[int], *, now: datetime) -> None:
    books = books_of(session.get_one(Connection, customer.connection_id))
    links.spread_tree(session, customer.connection_id, customer.remote_id)
    links.refresh_link_states(session, contact_ids, now=now)
    touch(session, contact_ids, now=now)
    money.refresh(session, books, contact_ids, now=now)
    duplicates.note_contacts(contact_ids, now=now)
