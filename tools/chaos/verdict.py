"""The verdict: both sides field by field and to the cent, nothing twice, nothing lost, no limit passed.

Every check reads the company itself, not the mirror. A sentence per violation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain import shared_fields
from crm.models import Conflict, Contact, ContactPoint, Customer, Document, Link, OutboxEntry, Payment, TimelineEntry
from crm.providers.accounting.quickbooks import mapper
from crm.services.sync.stored import as_stored
from tools.chaos.edits import Edit, People
from tools.chaos.world import World

REGION = "US"
Place = tuple[int, str]
"""A contact and one of its shared fields."""


def violations(world: World, connection_id: int, people: People, *, before: set[Place]) -> list[str]:
    db.session.remove()
    return [
        *_unequal(world, connection_id, people, before),
        *_lost(people),
        *_twice(world, connection_id, people),
        *_money(world, connection_id),
        *_limits(world),
    ]


def differences(world: World, connection_id: int) -> set[Place]:
    """Where contact and customer say something else."""
    found: set[Place] = set()
    theirs = {one["Id"]: one for one in world.state("Customer")}
    for link in _links(connection_id):
        body = theirs.get(link.remote_id)
        if body is None:
            continue
        read = shared_fields.read(as_stored(mapper.to_record("customer", body)), REGION)
        contact = db.session.get_one(Contact, link.local_id)
        points = db.session.scalars(
            select(ContactPoint).where(ContactPoint.contact_id == contact.id).order_by(ContactPoint.position)
        ).all()
        merged = shared_fields.compare(link.base, contact, shared_fields.lines_here(contact, points, REGION), read)
        there = read.keys()
        found |= {(contact.id, name) for name in there if merged.here[name] != there[name]}
    return found


def _links(connection_id: int) -> Sequence[Link]:
    mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.state != "gone")
    return db.session.scalars(select(Link).where(*mine).order_by(Link.id)).all()


def _unequal(world: World, connection_id: int, people: People, before: set[Place]) -> Iterator[str]:
    asked = {(row.local_id, row.field) for row in db.session.scalars(select(Conflict).where(Conflict.state == "open"))}
    parked = set(db.session.scalars(select(OutboxEntry.local_id).where(OutboxEntry.state.in_(("parked", "skipped")))))
    edited = {(edit.contact_id, edit.field) for edit in people.edits}
    for contact_id, name in sorted(differences(world, connection_id)):
        never_agreed = (contact_id, name) in before and (contact_id, name) not in edited
        if not (never_agreed or (contact_id, name) in asked or contact_id in parked):
            yield f"contact {contact_id}: {name} differs from QuickBooks, and no conflict is open"


def _lost(people: People) -> Iterator[str]:
    """The last value each side gave a field either stands, was asked about, or is told of in the timeline."""
    last: dict[tuple[str, int, str], Edit] = {(e.side, e.contact_id, e.field): e for e in people.edits}
    for edit in last.values():
        if edit.value in _stands(edit.contact_id) or _asked(edit) or _told(edit):
            continue
        if edit.side == "there" and _newer_here(people, edit):
            continue
        yield f"contact {edit.contact_id}: the {edit.field} “{edit.value}” given {edit.side} vanished without a trace"


def _stands(contact_id: int) -> str:
    contact = db.session.get_one(Contact, contact_id)
    points = db.session.scalars(select(ContactPoint.value).where(ContactPoint.contact_id == contact_id))
    return "\n".join([contact.company_name, contact.given_name, contact.street, *points])


def _asked(edit: Edit) -> bool:
    rows = db.session.scalars(
        select(Conflict).where(Conflict.local_id == edit.contact_id, Conflict.field == edit.field)
    ).all()
    return any(edit.value in text for row in rows for text in (row.ours, row.theirs, row.decided))


def _told(edit: Edit) -> bool:
    """The timeline holds it as what was replaced, later than it was given."""
    rows = db.session.scalars(
        select(TimelineEntry.changes).where(TimelineEntry.contact_id == edit.contact_id, TimelineEntry.at > edit.at)
    )
    return any(edit.value in json.dumps([old for old, _ in changes.values()]) for changes in rows)


def _newer_here(people: People, edit: Edit) -> bool:
    """A later edit here replaced it before it was ever read, or while it was: newest wins."""
    same = [e for e in people.edits if (e.contact_id, e.field) == (edit.contact_id, edit.field)]
    return any(other.side == "here" and other.at >= edit.at for other in same)


def _twice(world: World, connection_id: int, people: People) -> Iterator[str]:
    names = Counter(one["DisplayName"].removesuffix(" (deleted)") for one in world.state("Customer"))
    for contact_id, name in people.created_here:
        links = db.session.scalar(
            select(func.count()).select_from(Link).where(Link.kind == "customer", Link.local_id == contact_id)
        )
        parked = db.session.scalar(
            select(OutboxEntry.id).where(OutboxEntry.local_id == contact_id, OutboxEntry.state == "parked")
        )
        if names[name] != 1 and not (names[name] == 0 and parked):
            yield f"{name} was created {names[name]} times in QuickBooks"
        if names[name] == 1 and links != 1:
            yield f"{name} has {links} links"
    for remote_id, name in people.created_there:
        contacts = db.session.scalar(select(func.count()).where(Contact.display_name == name))
        if contacts != 1:
            yield f"{name} (customer {remote_id}) has {contacts} contacts here"
    for name, number in sorted(names.items()):
        if name.startswith("Chaos") and number > 1:
            yield f"{name} stands {number} times in QuickBooks"


def _money(world: World, connection_id: int) -> Iterator[str]:
    """Balances of customers and documents, ours against the company's own, exact."""
    ours: dict[str, dict[str, Decimal | None]] = {"Customer": {}, "Invoice": {}, "CreditMemo": {}, "Payment": {}}
    for row in db.session.scalars(select(Customer).where(Customer.connection_id == connection_id)):
        if row.gone_at is None:
            ours["Customer"][row.remote_id] = row.balance
    for document in db.session.scalars(select(Document).where(Document.connection_id == connection_id)):
        if document.gone_at is None and document.kind in ("invoice", "credit_memo"):
            ours["Invoice" if document.kind == "invoice" else "CreditMemo"][document.remote_id] = document.balance
    for payment in db.session.scalars(select(Payment).where(Payment.connection_id == connection_id)):
        if payment.gone_at is None:
            ours["Payment"][payment.remote_id] = payment.total
    figure = {"Customer": "Balance", "Invoice": "Balance", "CreditMemo": "Balance", "Payment": "TotalAmt"}
    for entity, mine in ours.items():
        theirs = {one["Id"]: Decimal(one.get(figure[entity], 0)) for one in world.state(entity)}
        yield from _compared(entity, mine, theirs)


def _compared(entity: str, ours: Mapping[str, Decimal | None], theirs: Mapping[str, Decimal]) -> Iterator[str]:
    for remote_id in sorted({*ours, *theirs}):
        if remote_id not in ours:
            yield f"{entity} {remote_id} is missing here"
        elif remote_id not in theirs:
            yield f"{entity} {remote_id} is here, but not in QuickBooks"
        elif (ours[remote_id] or Decimal(0)) != theirs[remote_id]:
            yield f"{entity} {remote_id}: {ours[remote_id]} here, {theirs[remote_id]} in QuickBooks"


def _limits(world: World) -> Iterator[str]:
    calls: dict[str, Any] = next(iter(world.ask("GET", "/calls").values()), {})
    if calls.get("throttled"):
        yield f"QuickBooks' limits were passed {calls['throttled']} times"
    refreshes = calls.get("refresh", 0)
    killed = sum(number for deed, number in world.did.items() if deed.startswith("kill -9"))
    if refreshes > world.did["access tokens expired"] + killed:
        expired = world.did["access tokens expired"]
        yield f"{refreshes} refreshes for {expired} expired tokens (and {killed} kills)"
    world.did["calls"] = sum(number for kind, number in calls.items() if kind not in ("coreplus", "core"))
    world.did["refreshes"] = refreshes
