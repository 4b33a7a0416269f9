"""Contacts in undo: what taking back a write to a customer would do, and the contact as it was before.

| written was | taken back by | unless |
|---|---|---|
| a new customer | making it inactive: QuickBooks deletes no customer | it owes, is owed, or has documents or jobs |
| fields | their old values, field by field, on both sides | the field was changed since, on either side |
| inactive | making it active | it is active again |
| active | making it inactive | as above |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.domain import shared_fields
from crm.domain.contacts import Entry
from crm.domain.errors import Invalid
from crm.domain.merging import Merged
from crm.domain.plans import AS_BEFORE, GONE_HERE, Kept, take_back, why_not_deactivate
from crm.domain.shared_fields import ADDRESS, LINE_FIELDS, TITLES, Theirs, line_key, line_keys_of
from crm.models import Contact, Customer, Document, Link, Payment, Plan
from crm.services import contacts, timeline
from crm.services.audit import Actor
from crm.services.contact_parts import loaded
from crm.services.sync.plans.kinds.port import Deed, Drawn
from crm.services.sync.work import Books

OPPOSITE = {"create": "deactivate", "update": "update", "deactivate": "reactivate", "reactivate": "deactivate"}
CREATED = "It was created by us. QuickBooks deletes no customer, so it is made inactive; the contact stays as it is."
OTHER = "The contact is linked to another customer by now."
NO_IMAGE = "It was changed in QuickBooks since, and how we had left it is not known. Change it by hand where needed."
THERE = "deleted or merged in QuickBooks since: there is nothing left to put back"


@dataclass(frozen=True, slots=True)
class Taken(Drawn):
    """What taking it back would do: a line of a plan, with what is needed to carry it out."""

    target: Theirs | None = None
    merged: Merged | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What stands here and there now."""

    contacts: Mapping[int, Contact]
    links: Mapping[int, Link]
    customers: Mapping[str, Customer]
    documents: Mapping[str, int]
    jobs: Mapping[str, int]


def draw(session: Session, books: Books, written: Sequence[Deed]) -> list[Taken]:
    known = _known(session, books, written)
    return [_one(deed, known, books) for deed in written]


def _known(session: Session, books: Books, written: Sequence[Deed]) -> Known:
    ids, remote_ids = [deed.local_id for deed in written], [deed.remote_id for deed in written]
    mine = (Link.connection_id == books.id, Link.kind == "customer", Link.local_id.in_(ids))
    there = (Customer.connection_id == books.id, Customer.remote_id.in_(remote_ids))
    documents: dict[str, int] = {}
    for model in (Document, Payment):
        query = select(model.customer_remote_id, func.count()).where(
            model.connection_id == books.id, model.customer_remote_id.in_(remote_ids), model.gone_at.is_(None)
        )
        for remote_id, number in session.execute(query.group_by(model.customer_remote_id)):
            documents[remote_id] = documents.get(remote_id, 0) + number
    jobs = select(Customer.parent_remote_id, func.count()).where(
        Customer.connection_id == books.id, Customer.parent_remote_id.in_(remote_ids), Customer.active.is_(True),
        Customer.gone_at.is_(None),
    )  # fmt: skip
    return Known(
        loaded(ids),
        {link.local_id: link for link in session.scalars(select(Link).where(*mine))},
        {row.remote_id: row for row in session.scalars(select(Customer).where(*there))},
        documents,
        {parent: number for parent, number in session.execute(jobs.group_by(Customer.parent_remote_id)) if parent},
    )


def _one(deed: Deed, known: Known, books: Books) -> Taken:
    contact, link = known.contacts.get(deed.local_id), known.links.get(deed.local_id)
    customer = known.customers.get(deed.remote_id)
    name = contact.display_name if contact else customer.display_name if customer else ""
    amount = (customer.balance_with_jobs or customer.balance) if customer else None
    record = dict(customer.record) if customer else None

    def stays(action: str, reason: str) -> Taken:
        return Taken(deed.local_id, name, action, deed.remote_id, {}, reason, amount, record)

    if customer is None or customer.gone_at is not None:
        return stays("skip", f"It was {THERE}.")
    if contact is None:
        return stays("skip", GONE_HERE)
    if link is None or link.remote_id != deed.remote_id:
        return stays("skip", OTHER)
    action = OPPOSITE[deed.operation]
    if action == "deactivate":
        why = why_not_deactivate(
            active=customer.active, gone=False, balance=customer.balance_with_jobs or customer.balance or Decimal(0),
            documents=known.documents.get(deed.remote_id, 0), jobs=known.jobs.get(deed.remote_id, 0),
        )  # fmt: skip
        return stays("skip" if not customer.active else "refuse", why) if why else stays("deactivate", CREATED)
    if action == "reactivate":
        return stays("skip", "It is active again already.") if customer.active else stays("reactivate", "")
    return _fields_back(deed, contact, link, customer, books, stays)


def _fields_back(deed: Deed, contact: Contact, link: Link, customer: Customer, books: Books, stays: Any) -> Taken:
    if deed.after is None or deed.before is None:
        return stays("skip", NO_IMAGE)
    records = (deed.before, deed.after, customer.record)
    before, after, there = (shared_fields.read(record, books.region) for record in records)
    old, left = before.keys(), after.keys()
    written = [name for name in TITLES if old.get(name, "") != left.get(name, "")]
    lines = shared_fields.lines_here(contact, contact.points, books.region)
    merged = shared_fields.compare(link.base, contact, lines, there)
    back, kept = take_back(written, before=old, after=left, there=there.keys(), here=merged.here)
    reason = _told(kept)
    if not back:
        return stays("skip", reason or AS_BEFORE)
    changes = {name: [there.shown(name), before.shown(name)] for name in back}
    amount = customer.balance_with_jobs or customer.balance
    return Taken(
        contact.id, contact.display_name, "update", deed.remote_id, changes, reason, amount, dict(customer.record),
        target=before, merged=merged,
    )  # fmt: skip


def _told(kept: Sequence[Kept]) -> str:
    """Why some fields stay: "Left as they are: phone (was changed in QuickBooks since)."."""
    parts = [f"{TITLES[one.field]} ({one.why})" for one in kept]
    return f"Left as they are: {', '.join(parts)}." if parts else ""


# --- the contact ----------------------------------------------------------------------------------------------


def put_back(plan: Plan, one: Taken, fields: Sequence[str], *, books: Books, actor: Actor, now: datetime) -> str:
    """The contact as it was before our write, in these fields; answers why not, where it cannot be."""
    assert one.target is not None and one.merged is not None
    contact = contacts.find(one.local_id)
    values: dict[str, str] = {}
    for name in fields:
        if name == "address":
            values |= {part: one.target.values[part] for part in ADDRESS}
        elif name not in LINE_FIELDS:
            values[name] = one.target.values[name]
    lines = _lines_back(contact, one, fields, books)
    try:
        contacts.change(one.local_id, values, lines=lines, version=contact.version, actor=actor, now=now)
    except Invalid as refused:
        return f"The contact cannot get its old values back: {refused}"
    words = ", ".join(TITLES[name] for name in fields)
    timeline.add(one.local_id, verb="undone", summary=f"Plan {plan.id} put back as before: {words}.", actor=actor,
                 now=now)  # fmt: skip
    return ""


def _lines_back(contact: Contact, one: Taken, fields: Sequence[str], books: Books) -> dict[str, list[Entry]]:
    """Kind -> all its lines, with those of these fields as they were; the contact's other lines stay."""
    assert one.target is not None and one.merged is not None
    out: dict[str, list[Entry]] = {}
    for kind in ("phone", "email"):
        mine = [name for name in fields if name in LINE_FIELDS and (name == "email") == (kind == "email")]
        if not mine:
            continue
        leave = set().union(*(line_keys_of(one.merged.here[name]) for name in mine))
        here = shared_fields.lines_here(contact, contact.points, books.region)
        kept = [line for line in here if line.kind == kind and line_key(line) not in leave]
        old = [line for name in mine for line in one.target.lines[name]]
        have = {line_key(line) for line in kept}
        put = [line for line in old if line_key(line) not in have]
        out[kind] = [Entry(kind, line.value, line.label) for line in [*put, *kept]]
    return out
