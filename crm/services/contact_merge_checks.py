"""When two contacts cannot be merged, in sentences with the way out. Asked by `contact_merges` before it writes.

`know_customers` keeps what such a refusal found: two customers of the books that are one person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Changed, Merged, Refused
from crm.models import Contact, Customer, Duplicate, Link, OutboxEntry
from crm.queries import contact_merges as queries
from crm.queries import households
from crm.services import audit, match_log
from crm.services.audit import Actor


class TwoCustomers(Refused):
    """Each contact has a customer of its own in one company. `pairs`: customers.id of both, one pair per company."""

    def __init__(self, message: str, pairs: tuple[tuple[int, int], ...]) -> None:
        super().__init__(message)
        self.pairs = pairs


def refuse_impossible(session: Session, survivor: Contact, absorbed: Contact) -> None:
    """Raises Refused, Merged or TwoCustomers."""
    if survivor.id == absorbed.id:
        raise Refused("A contact cannot be merged with itself. Choose another one.")
    for contact in (survivor, absorbed):
        refuse_merged(contact)
        if contact.archived_at is not None:
            raise Refused(f"“{contact.display_name}” is archived. Restore it first, then merge.")
    _refuse_apart(session, survivor, absorbed)
    _refuse_member(session, survivor, absorbed)
    _refuse_links(session, survivor, absorbed)


def refuse_merged(contact: Contact) -> None:
    """Raises Merged where the contact went into another one."""
    into = queries.into(contact.id) if contact.archived_at is not None else None
    if into is not None:
        name = db.session.scalar(select(Contact.display_name).where(Contact.id == into))
        text = f"“{contact.display_name}” was merged into “{name}” (contact {into}), which stands for both."
        raise Merged(text, into)


def refuse_on_its_way(session: Session, *both: Contact) -> None:
    """What is being sent just now must have arrived first. Locks what waits for them."""
    ids = [contact.id for contact in both]
    waits = (OutboxEntry.kind == "customer", OutboxEntry.local_id.in_(ids),
             OutboxEntry.state.in_(("pending", "parked", "skipped", "frozen")))  # fmt: skip
    query = select(OutboxEntry).where(*waits).order_by(OutboxEntry.id).with_for_update()
    entries = session.scalars(query.execution_options(populate_existing=True)).all()
    names = {contact.id: contact.display_name for contact in both}
    for entry in entries:
        if entry.state == "frozen":
            raise Changed(f"A change of “{names[entry.local_id]}” is on its way to QuickBooks just now. Try again in a"
                          " minute.")  # fmt: skip
    unsure = {entry.connection_id for entry in entries if entry.request_key}
    if any(len({e.local_id for e in entries if e.connection_id == one}) > 1 for one in unsure):
        raise Refused("Both contacts wait to be sent to QuickBooks, and one of them may have arrived there already."
                      " Decide about it in the outbox first, then merge.")  # fmt: skip


def _refuse_apart(session: Session, *both: Contact) -> None:
    one, other = sorted(contact.id for contact in both)
    mine = (Duplicate.sort == "contact", Duplicate.one_id == one, Duplicate.other_id == other)
    apart = session.scalar(select(Duplicate).where(*mine, Duplicate.state == "apart"))
    if apart is not None:
        by = apart.decided_by or "Somebody"
        raise Refused(f"{by} decided that these two are never the same. Take that decision back first, then merge.")


def _refuse_member(session: Session, *both: Contact) -> None:
    """A member of a household has no customer of its own, and would get the other's; its bill-to may take it in."""
    payers = households.payers(contact.id for contact in both)
    ids = {contact.id for contact in both}
    for member, other in (both, both[::-1]):
        payer = payers.get(member.id)
        if payer is not None and payer not in ids and _linked(session, other.id):
            name = db.session.scalar(select(Contact.display_name).where(Contact.id == payer))
            raise Refused(f"“{member.display_name}” belongs to “{name}”, and “{other.display_name}” has a QuickBooks"
                          f" customer of its own. Take “{member.display_name}” out of that household first, then"
                          " merge.")  # fmt: skip


def _refuse_links(session: Session, survivor: Contact, absorbed: Contact) -> None:
    ours, theirs = _linked(session, survivor.id), _linked(session, absorbed.id)
    pairs = []
    for connection_id, (link, customer) in ours.items():
        other_link, other = theirs.get(connection_id, (None, None))
        if other_link is None or other_link.state == "gone":
            continue
        if link.state == "gone":
            raise Refused(f"The customer of “{survivor.display_name}” is gone in QuickBooks, that of"
                          f" “{absorbed.display_name}” is there. Keep “{absorbed.display_name}” and merge the other"
                          " into it.")  # fmt: skip
        if customer is not None and other is not None:
            pairs.append((customer, other))
    if pairs:
        names = " and ".join(f"“{customer.display_name}”" for customer in pairs[0])
        raise TwoCustomers(
            f"{names} are two QuickBooks customers for one person. Merge them there: the link follows, and then these"
            " two contacts can be merged. Or unlink one of the contacts first. Until then both stay linked.",
            tuple((one.id, other.id) for one, other in pairs),
        )


def _linked(session: Session, contact_id: int) -> dict[int, tuple[Link, Customer | None]]:
    """Connection -> the contact's link there with its customer."""
    same = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    mine = (Link.kind == "customer", Link.local_id == contact_id)
    rows: Any = session.execute(select(Link, Customer).outerjoin(Customer, same).where(*mine).order_by(Link.id))
    return {link.connection_id: (link, customer) for link, customer in rows}


def know_customers(pairs: tuple[tuple[int, int], ...], *, actor: Actor, now: datetime) -> None:
    """Keep that these customers are one person each, to be merged in the books. What is known already stays."""
    session = db.session()
    for pair in pairs:
        one, other = sorted(pair)
        mine = (Duplicate.sort == "customer", Duplicate.one_id == one, Duplicate.other_id == other)
        row = session.scalar(select(Duplicate).where(*mine).with_for_update())
        if row is not None and row.state != "proposed":
            continue
        customers = [session.get_one(Customer, id_) for id_ in (one, other)]
        if row is None:
            text = "Each is linked to a contact, and a person found these two contacts to be one."
            row = Duplicate(sort="customer", connection_id=customers[0].connection_id, one_id=one, other_id=other,
                            outcome="same", rule="known", found_at=now,
                            evidence=[{"reason": "known", "text": text, "points": 0}])  # fmt: skip
            session.add(row)
        row.state, row.decided_by, row.decided_at = "known", actor.label[:254], now
        names = match_log.pair_names(*(customer.display_name for customer in customers))
        match_log.record(
            sort="customer", connection_id=row.connection_id, one_id=one, other_id=other, outcome="same",
            automatic=False, score=row.score or 0, rule="known", reasons=[], names=names, actor=actor, now=now,
        )  # fmt: skip
        audit.record("customers_known_as_one", actor=actor, now=now, subject=f"customer:{one}",
                     summary=f"{names} are one person in QuickBooks.")  # fmt: skip
