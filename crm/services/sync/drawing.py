"""What would become of contacts if they were sent now: asked when a plan is made, and again when it is carried out.

The answer comes from the very code that makes the bodies of the outbox (`kinds`), so that a plan never shows anything
else than what is done. Reads only: whatever that code would keep is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.domain.plans import KEPT_BACK, STAYS
from crm.domain.shared_fields import TITLES
from crm.models import Conflict, Connection, Contact, Customer, Link, MoneyFacts, OutboxEntry
from crm.providers.accounting import registry
from crm.services.sync.kinds import OUTGOING
from crm.services.sync.kinds.port import Nothing, Park, Prepared, Wait
from crm.services.sync.outbox import WAITING
from crm.services.sync.work import Batch, Books

KIND = "customer"
GONE = "It was deleted or merged in QuickBooks, so there is nothing to write to. Unlink it on the contact's page."
INACTIVE = "Inactive in QuickBooks, which changes no inactive customer. Make it active there first."
ARCHIVED = "The contact is archived. Restore it first."
REVIEW = "A customer in QuickBooks looks like it. Decide under Matches first, so that nobody is created twice."
NOT_YET = "Stays in Tradebook. Before it can be created in QuickBooks: {}"
TWIN = "Another contact of this plan has the same name; QuickBooks lets no two share one. Give it another name there."
CONFLICT = "Waits for your decision under Conflicts: {}."
NOT_NOW = "Somebody said in the outbox that it shall not go out now: {}"
SKIPPED = "take it up again there."


@dataclass(frozen=True, slots=True)
class Drawn:
    """One contact: what would be done about it in the books."""

    local_id: int
    name: str
    """What people call it here."""
    action: str
    """`create`, `update`, `link` (agrees already), `skip` or `refuse`."""
    remote_id: str = ""
    changes: Mapping[str, list[str]] = field(default_factory=dict)
    reason: str = ""
    amount: Decimal | None = None
    before: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a page of contacts besides themselves."""

    links: Mapping[int, Any]
    customers: Mapping[str, Any]
    """Remote id -> whether it is active, and when it was found gone."""
    entries: Mapping[int, OutboxEntry]
    amounts: Mapping[int, Decimal]
    conflicts: Mapping[int, list[str]]


def draw(
    session: Session,
    books: Books,
    contact_ids: Sequence[int],
    *,
    chosen: bool,
    now: datetime,
    names: Mapping[int, str] | None = None,
) -> dict[int, Drawn]:
    """Contact id -> what would be done; ids without a contact are missing.

    `chosen`: those not in the books yet would be created; else they stay here until somebody chooses them. `names`:
    contact id -> another name than its own to create it under.
    """
    names = names or {}
    found = session.execute(
        select(Contact.id, Contact.display_name, Contact.type, Contact.archived_at, Contact.link_state)
        .where(Contact.id.in_(contact_ids))
    ).all()  # fmt: skip
    around = _around(session, books, [row.id for row in found])
    known: dict[int, Drawn] = {}
    open_ones = []
    for row in found:
        one = _at_once(row, around)
        if one is None:
            open_ones.append(row)
        else:
            known[row.id] = one
    prepared = _prepared(session, books, [row.id for row in open_ones], around, names, now)
    for row in open_ones:
        known[row.id] = _drawn(row, around, prepared[row.id], chosen=chosen)
    return known


def twin(one: Drawn) -> Drawn:
    """A contact whose name another one of the same plan has."""
    return replace(one, action="refuse" if one.action == "create" else "skip", reason=TWIN)


def _around(session: Session, books: Books, ids: Sequence[int]) -> Around:
    mine = (Link.connection_id == books.id, Link.kind == KIND, Link.local_id.in_(ids))
    known = select(Link.local_id, Link.remote_id, Link.state).where(*mine)
    links = {row.local_id: row for row in session.execute(known)}
    remote_ids = [link.remote_id for link in links.values()]
    there = select(Customer.remote_id, Customer.active, Customer.gone_at).where(
        Customer.connection_id == books.id, Customer.remote_id.in_(remote_ids)
    )
    waiting = select(OutboxEntry).where(
        OutboxEntry.connection_id == books.id, OutboxEntry.kind == KIND, OutboxEntry.local_id.in_(ids),
        OutboxEntry.state.in_(WAITING),
    )  # fmt: skip
    money = select(MoneyFacts.contact_id, func.coalesce(MoneyFacts.balance_with_jobs, MoneyFacts.balance)).where(
        MoneyFacts.contact_id.in_(ids), MoneyFacts.connection_id == books.id
    )
    asked = select(Conflict.local_id, Conflict.field).where(
        Conflict.connection_id == books.id, Conflict.kind == KIND, Conflict.local_id.in_(ids), Conflict.state == "open"
    )
    conflicts: dict[int, list[str]] = {}
    for local_id, name in session.execute(asked.order_by(Conflict.local_id, Conflict.field)):
        conflicts.setdefault(local_id, []).append(TITLES.get(name, name))
    return Around(
        links,
        {row.remote_id: row for row in session.execute(there)},
        {entry.local_id: entry for entry in session.scalars(waiting)},
        {contact_id: amount for contact_id, amount in session.execute(money) if amount is not None},
        conflicts,
    )


def _at_once(row: Any, around: Around) -> Drawn | None:
    """What needs no comparing to be known; None where the object must be looked at."""
    link, entry, amount = around.links.get(row.id), around.entries.get(row.id), around.amounts.get(row.id)
    remote_id = link.remote_id if link else ""

    def stays(action: str, reason: str) -> Drawn:
        return Drawn(row.id, row.display_name, action, remote_id, {}, reason, amount)

    if entry is not None and entry.state == "skipped" and not entry.error.startswith(KEPT_BACK):
        return stays("skip", NOT_NOW.format(entry.error or SKIPPED))
    if link is not None:
        customer = around.customers.get(link.remote_id)
        if link.state == "gone" or customer is None or customer.gone_at is not None:
            return stays("skip", GONE)
        return stays("skip", INACTIVE) if link.state == "inactive" or not customer.active else None
    if row.archived_at is not None:
        return stays("skip", ARCHIVED)
    if row.link_state == "review":
        return stays("refuse", REVIEW)
    return None


def _prepared(
    session: Session, books: Books, ids: Sequence[int], around: Around, names: Mapping[int, str], now: datetime
) -> Mapping[int, Prepared]:
    """What the outbox would make of these contacts, as if each had an entry; nothing of it is kept."""
    if not ids:
        return {}
    provider = session.get_one(Connection, books.id).provider
    entries = [_imagined(books, id_, around, names) for id_ in ids]
    session.flush()
    trial = session.begin_nested()
    try:
        batch = Batch(session, books, now, trigger="plan")
        prepared = OUTGOING[KIND].prepare(batch, entries, body=registry.body(provider))
    finally:
        trial.rollback()
    return prepared


def _imagined(books: Books, contact_id: int, around: Around, names: Mapping[int, str]) -> OutboxEntry:
    """The entry this contact would have; what waits already is part of it. Never stored."""
    real, link = around.entries.get(contact_id), around.links.get(contact_id)
    options = {**(real.options if real else {}), "left": {}}  # what an earlier plan left is offered again
    if contact_id in names:
        options["display_name"] = names[contact_id]
    return OutboxEntry(
        id=contact_id, connection_id=books.id, kind=KIND, local_id=contact_id, state="pending", options=options,
        operation=real.operation if real else "update" if link else "create", fields=dict(real.fields) if real else {},
        attempts=0, failures=0, rounds=0, generation=0, remote_id=link.remote_id if link else "", trigger="plan",
        evidence={}, actor="",
    )  # fmt: skip


def _drawn(row: Any, around: Around, prepared: Prepared, *, chosen: bool) -> Drawn:
    link, entry = around.links.get(row.id), around.entries.get(row.id)
    one = Drawn(row.id, row.display_name, "skip", link.remote_id if link else "", amount=around.amounts.get(row.id))
    asked = CONFLICT.format(", ".join(around.conflicts[row.id])) if row.id in around.conflicts else ""
    if isinstance(prepared, Park):
        here = link is None and not (chosen or entry is not None)
        reason = NOT_YET.format(prepared.error) if here else prepared.error
        return replace(one, action="skip" if here else "refuse", reason=reason)
    if isinstance(prepared, Wait):
        return replace(one, reason=prepared.why)
    if isinstance(prepared, Nothing):
        return replace(one, reason=asked) if asked else replace(one, action="link")
    one = replace(one, action=prepared.operation, changes=prepared.changes, before=prepared.before)
    if prepared.operation == "create":
        asked_for = chosen or entry is not None
        lead = "" if row.type == "customer" else f"It is a {row.type} here; in QuickBooks it becomes a customer."
        return replace(one, reason=lead) if asked_for else replace(one, action="skip", reason=STAYS)
    parked = f"Parked in the outbox: {entry.error}" if entry is not None and entry.state == "parked" else ""
    return replace(one, reason=parked or asked)
