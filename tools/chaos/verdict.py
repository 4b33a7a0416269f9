"""The verdict: both sides field by field and to the cent, nothing twice, nothing lost, no limit passed.

Every check reads the company itself, not the mirror. A sentence per violation.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from crm.db import db
from crm.domain import shared_fields
from crm.models import (
    Conflict,
    Connection,
    Contact,
    ContactPoint,
    Customer,
    Document,
    Link,
    OutboxEntry,
    Payment,
    TimelineEntry,
)  # fmt: skip
from crm.providers.accounting.quickbooks import mapper
from crm.services.sync.mirror.stored import as_stored
from tools.chaos.edits import Edit, People
from tools.chaos.world import World

REGION = "US"
Place = tuple[int, str]
"""A contact and one of its shared fields."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: the company, what people did, and how everything stood before."""

    world: World
    connection_id: int
    people: People
    apart_before: set[Place]
    """What nobody edited there may differ afterwards as well: it did before, or one edit here cannot mean it."""
    customers_before: set[str]
    grant_before: int
    began: float
    """By the monotonic clock."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def opened(world: World, connection_id: int, people: People) -> Case:
    """The case before anything happened."""
    return Case(
        world, connection_id, people, differences(world, connection_id) | ambiguous(world, connection_id),
        {one["Id"] for one in world.state("Customer")},
        db.session.get_one(Connection, connection_id).grant_version, time.monotonic(),
    )  # fmt: skip


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


def ambiguous(world: World, connection_id: int) -> set[Place]:
    """Where one number stands in two fields there: here it is one line, and an edit of it changes one of the fields.

    The other keeps the old number; the contact's page shows that, and offers both values.
    """
    found: set[Place] = set()
    theirs = {one["Id"]: one for one in world.state("Customer")}
    for link in _links(connection_id):
        body = theirs.get(link.remote_id)
        keys = shared_fields.read(as_stored(mapper.to_record("customer", body)), REGION).keys() if body else {}
        lines = {name: keys[name] for name in shared_fields.LINE_FIELDS if keys.get(name)}
        often = Counter(lines.values())
        found |= {(link.local_id, name) for name, key in lines.items() if often[key] > 1}
    return found


def _links(connection_id: int) -> Sequence[Link]:
    mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.state != "gone")
    return db.session.scalars(select(Link).where(*mine).order_by(Link.id)).all()


def unequal(case: Case) -> Iterator[str]:
    """A difference must have something to show for it: a conflict, an entry that waits for a person, or a plan."""
    asked = {(row.local_id, row.field) for row in db.session.scalars(select(Conflict).where(Conflict.state == "open"))}
    kept = OutboxEntry.state.in_(("parked", "skipped"))
    parked = set(db.session.scalars(select(OutboxEntry.local_id).where(OutboxEntry.kind == "customer", kept)))
    left = {(link.local_id, name) for link in _links(case.connection_id) for name in link.left}
    edited = {(edit.contact_id, edit.field) for edit in case.people.edits}
    for place in sorted(differences(case.world, case.connection_id)):
        never_agreed = place in case.apart_before and place not in edited
        if not (never_agreed or place in asked or place in left or place[0] in parked):
            yield f"contact {place[0]}: {place[1]} differs from QuickBooks, and no conflict is open{_history(*place)}"


def _history(contact_id: int, name: str) -> str:
    """What led to a difference: the base, the entries of the contact, and its timeline of this field."""
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == contact_id)).first()
    entries = db.session.scalars(
        select(OutboxEntry).where(OutboxEntry.kind == "customer", OutboxEntry.local_id == contact_id)
        .order_by(OutboxEntry.id)
    )  # fmt: skip
    lines = [f"base: {(link.base or {}).get(name) if link else 'no link'}"]
    lines += [f"entry {one.id} ({one.trigger}) {one.state} at {one.settled_at or one.updated_at:%H:%M:%S}, fields "
              f"{sorted(one.fields)}, sent {one.changes.get(name)} {one.error}" for one in entries]  # fmt: skip
    told = db.session.scalars(
        select(TimelineEntry).where(TimelineEntry.contact_id == contact_id).order_by(TimelineEntry.at, TimelineEntry.id)
    )
    lines += [f"{one.at:%H:%M:%S} {one.verb} {one.changes}" for one in told if one.changes]
    return "".join(f"\n    {line}" for line in lines)


def lost(case: Case) -> Iterator[str]:
    """The last value each side gave a field either stands, was asked about, or is told of in the timeline."""
    people = case.people
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


def twice(case: Case) -> Iterator[str]:
    world, people = case.world, case.people
    names = Counter(one["DisplayName"].removesuffix(" (deleted)") for one in world.state("Customer"))
    for contact_id, name in people.created_here:
        links = db.session.scalar(
            select(func.count()).select_from(Link).where(Link.kind == "customer", Link.local_id == contact_id)
        )
        mine = (OutboxEntry.kind == "customer", OutboxEntry.local_id == contact_id)
        kept = select(OutboxEntry.id).where(*mine, OutboxEntry.state.in_(("parked", "skipped")))
        if names[name] != 1 and not (names[name] == 0 and db.session.scalar(kept)):
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


def money(case: Case) -> Iterator[str]:
    """Balances of customers and documents, ours against the company's own, exact."""
    world, connection_id = case.world, case.connection_id
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
