"""What a person does about entries of the outbox that wait for one: mend, try again, skip, give up, ask for a create.

Called inside `transaction()` of the entry point. Editing the contact itself needs nothing of this: a parked entry
absorbs the edit and is tried again (`outbox`). Where somebody was faster, `Changed` is raised and nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, db, table_of
from crm.domain import preflight
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.item_fields import TITLES
from crm.domain.refusals import REFUSALS
from crm.models import Connection, Customer, Item, Link, Match, OutboxEntry
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync.imports import links
from crm.services.sync.imports.attach import attach, detach
from crm.services.sync.items import linking
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.outbox.asking import Asked, ask_create
from crm.services.sync.outbox.kinds import OUTGOING, names
from crm.services.sync.outbox.outbox import GIVEN_UP, TASK, taken_anew
from crm.services.sync.outbox.verdicts import drop as drop_entry
from crm.services.sync.outbox.verdicts import taken_up
from crm.services.sync.outbox.waiting import tell_parked, waiting_behind
from crm.services.sync.purchases import adopting
from crm.services.sync.work import Batch, books_of

__all__ = [
    "Asked", "adopt", "ask_create", "create_again", "drop", "reactivate", "retry", "retry_cause", "skip", "skip_cause",
    "tell_parked", "unlink", "unskip", "use_name", "waiting_behind",
]  # fmt: skip

DECIDED = "Somebody has decided about this entry meanwhile. The list shows what is left."
UNSURE = "QuickBooks may have done this already. Look there, or try it again first: that does nothing twice."


# --- one, or all of a cause -----------------------------------------------------------------------------------


def retry(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """Try it now, whatever it waits for. What was frozen goes out again as it is, all else is made anew."""
    entry = _entry(entry_id, "parked", "pending", "frozen")
    if entry.state == "parked":
        _take_up(entry, now=now)
        _record("outbox_retried", entry, "Tried again", actor=actor, now=now)
    entry.available_at = now
    ring(TASK, entry.connection_id)
    return entry


def retry_cause(connection_id: int, cause: str, *, actor: Actor, now: datetime) -> int:
    """Try all that are parked for one cause; answers how many."""
    number = _all_of(connection_id, cause, {
        "state": case((OutboxEntry.request_key != "", "frozen"), else_="pending"), **taken_anew(now),
    })  # fmt: skip
    _record_all("outbox_retried", connection_id, cause, number, "tried again", actor=actor, now=now)
    ring(TASK, connection_id)
    return number


def skip(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """Not now. It stays, and later changes of its object are remembered on it, until somebody takes it up again."""
    entry = _entry(entry_id, "parked", "pending")
    entry.state, entry.updated_at = "skipped", now
    _record("outbox_skipped", entry, "Skipped", actor=actor, now=now)
    return entry


def skip_cause(connection_id: int, cause: str, *, actor: Actor, now: datetime) -> int:
    number = _all_of(connection_id, cause, {"state": "skipped", "updated_at": now})
    _record_all("outbox_skipped", connection_id, cause, number, "skipped", actor=actor, now=now)
    return number


def unskip(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    entry = _entry(entry_id, "skipped")
    _take_up(entry, now=now)
    _record("outbox_taken_up", entry, "Taken up again", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def drop(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """Give it up: nothing is sent. Both sides stay as they are. A create that may have been done is marked, so that
    whatever sends its object later repeats it first (`outbox`)."""
    entry = _entry(entry_id, "parked", "pending", "skipped")
    if entry.request_key and entry.operation == "create":
        entry.options = {**entry.options, GIVEN_UP: True}
    drop_entry(_batch(entry, now), entry, f"{actor.label} gave it up.")
    _record("outbox_given_up", entry, "Given up", actor=actor, now=now)
    return entry


def _all_of(connection_id: int, cause: str, values: Mapping[str, Any]) -> int:
    if cause not in REFUSALS:
        raise NotFound("There is no such cause.")
    mine = (OutboxEntry.connection_id == connection_id, OutboxEntry.state == "parked", OutboxEntry.cause == cause)
    db.session.flush()
    number = changed(update(OutboxEntry).where(*mine).values(dict(values)))
    db.session.expire_all()
    return number


# --- mending --------------------------------------------------------------------------------------------------


def use_name(entry_id: int, name: str, *, actor: Actor, now: datetime) -> OutboxEntry:
    """Bear another name there; the contact keeps its own. Raises Invalid for one that cannot be or is taken."""
    entry = _entry(entry_id, "parked")
    if entry.request_key:
        raise Refused(UNSURE)
    if entry.kind not in ("customer", "vendor"):
        raise Refused("Only contacts and vendors can bear another name there. Rename it here, then it is sent again.")
    name = " ".join(name.split())
    problem = preflight.name(name)
    if problem is not None:
        raise Invalid({"name": problem.sentence})
    for holder in names.bearers(db.session(), entry.connection_id, [name]).get(name.lower(), []):
        if (holder["kind"], holder["remote_id"]) != (entry.kind, entry.remote_id):
            raise Invalid({"name": f"{names.told_as(holder)} Choose another name."})
    entry.options = {**entry.options, "display_name": name}
    _make_anew(entry, now=now)
    _record("outbox_renamed", entry, f"Is called “{name}” in QuickBooks", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def adopt(entry_id: int, remote_id: str, *, actor: Actor, now: datetime) -> OutboxEntry:
    """It is that customer, or that item: link them. What differs is sent as a change; nothing is created."""
    session, entry = db.session(), _entry(entry_id, "parked")
    if entry.kind == "item" and entry.operation == "create":
        return _adopt_item(session, entry, remote_id, actor=actor, now=now)
    if entry.kind == "vendor" and entry.operation == "create":
        return _adopt_vendor(entry, remote_id, actor=actor, now=now)
    if entry.kind != "customer" or entry.operation != "create":
        raise Refused("Only a contact that is to become a customer can be linked to one.")
    customer = _free_customer(session, entry.connection_id, remote_id)
    known = (Link.connection_id == entry.connection_id, Link.kind == "customer", Link.local_id == entry.local_id)
    if session.scalar(select(Link.id).where(*known)) is not None:
        raise Changed("The contact has been linked to a customer meanwhile.")
    others = links.drop_drafts(session, [customer.id])
    upsert(session, table_of(Match), [
        {"connection_id": entry.connection_id, "customer_id": customer.id, "contact_id": entry.local_id,
         "state": "linked", "rank": 0, "score": 0, "rule": "adopted",
         "evidence": [{"reason": "adopted", "text": "the name was taken by this customer", "points": 0}],
         "decided_by": actor.label[:254], "decided_at": now, "run_id": None}
    ], by=("customer_id", "contact_id"))  # fmt: skip
    attach(session, customer, entry.local_id, actor=actor, now=now)
    links.refresh_link_states(session, others, now=now)
    entry.operation, entry.options = "update", _without(entry.options, "display_name")
    _make_anew(entry, now=now)
    _record("outbox_adopted", entry, f"Linked to the customer “{customer.display_name}”", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def _adopt_item(
    session: Session, entry: OutboxEntry, remote_id: str, *, actor: Actor, now: datetime
) -> OutboxEntry:  # fmt: skip
    query = select(Item.id).where(Item.connection_id == entry.connection_id, Item.remote_id == remote_id)
    item_id = session.scalar(query)
    if item_id is None:
        raise NotFound("This product of QuickBooks is not here (any more). Import from QuickBooks, then try again.")
    product = linking.attach(session, item_id, entry.local_id, actor=actor, now=now)
    # What stands here is what was to be created there: it counts as just edited.
    entry.operation, entry.fields = "update", dict.fromkeys(TITLES, now.isoformat())
    _make_anew(entry, now=now)
    _record("outbox_adopted", entry, f"Linked to the item of {product.name}", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def _adopt_vendor(entry: OutboxEntry, remote_id: str, *, actor: Actor, now: datetime) -> OutboxEntry:
    vendor, kept = adopting.adopt(_batch(entry, now), entry.local_id, remote_id)
    entry.operation, entry.fields = "update", dict.fromkeys(kept, now.isoformat())
    entry.options = _without(entry.options, "display_name")
    _make_anew(entry, now=now)
    _record("outbox_adopted", entry, f"Linked to the vendor “{vendor.display_name}”", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def _free_customer(session: Session, connection_id: int, remote_id: str) -> Customer:
    customer = session.scalar(
        select(Customer)
        .where(Customer.connection_id == connection_id, Customer.remote_id == remote_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if customer is None or customer.gone_at is not None:
        raise NotFound("This customer is not here (any more). Import from QuickBooks, then try again.")
    if customer.parent_remote_id is not None:
        raise Refused(f"“{customer.display_name}” is a job of another customer. Use another name instead.")
    if customer.match_state == "linked":
        raise Refused(f"“{customer.display_name}” is linked to another contact. Use another name, or unlink it there.")
    return customer


def reactivate(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """Make the record active there; what was to be sent follows by itself."""
    entry = _entry(entry_id, "parked")
    if entry.cause != "inactive":
        raise Refused("Only what is inactive in QuickBooks can be made active.")
    entry.operation = "reactivate"
    _make_anew(entry, now=now)
    _record("outbox_reactivated", entry, "Made active in QuickBooks", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def create_again(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """What is gone there is made anew, as another record."""
    entry = _entry(entry_id, "parked")
    _let_go(entry, actor=actor, now=now)
    entry.operation, entry.remote_id = "create", ""
    _make_anew(entry, now=now)
    _record("outbox_created_again", entry, "Created again in QuickBooks", actor=actor, now=now)
    ring(TASK, entry.connection_id)
    return entry


def unlink(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """What is gone there is let go here; the contact stays."""
    entry = _entry(entry_id, "parked")
    _let_go(entry, actor=actor, now=now)
    drop_entry(_batch(entry, now), entry, f"{actor.label} unlinked it.")
    _record("outbox_unlinked", entry, "Unlinked", actor=actor, now=now)
    return entry


def _let_go(entry: OutboxEntry, *, actor: Actor, now: datetime) -> None:
    if entry.cause != "gone" or entry.kind not in ("customer", "item"):
        raise Refused("Only a customer or product that is gone in QuickBooks can be let go here.")
    if entry.kind == "item":
        linking.let_go(db.session(), entry.connection_id, entry.local_id)
        return
    customer = db.session.scalar(
        select(Customer)
        .join(Link, (Link.connection_id == Customer.connection_id) & (Link.remote_id == Customer.remote_id))
        .where(Link.connection_id == entry.connection_id, Link.kind == "customer", Link.local_id == entry.local_id)
        .with_for_update(of=Customer)
    )
    if customer is not None:
        detach(db.session(), customer, entry.local_id, actor=actor, now=now)
        customer.match_state = "ignored"


# --- parts ----------------------------------------------------------------------------------------------------


def _entry(entry_id: int, *states: str) -> OutboxEntry:
    entry = db.session.get(OutboxEntry, entry_id, with_for_update=True, populate_existing=True)
    if entry is None:
        raise NotFound("There is no such entry in the outbox.")
    if entry.state not in states:
        raise Changed(DECIDED, entry)
    return entry


def _take_up(entry: OutboxEntry, *, now: datetime) -> None:
    """It is tried again: as it was where it may have been done, else made anew."""
    entry.state = taken_up(entry)
    for name, value in taken_anew(now).items():
        setattr(entry, name, value)


def _make_anew(entry: OutboxEntry, *, now: datetime) -> None:
    entry.body, entry.request_key, entry.batch_item = None, "", ""
    _take_up(entry, now=now)


def _batch(entry: OutboxEntry, now: datetime) -> Batch:
    connection = db.session.get_one(Connection, entry.connection_id)
    return Batch(db.session(), books_of(connection), now)


def _without(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != name}


def _record(action: str, entry: OutboxEntry, words: str, *, actor: Actor, now: datetime) -> None:
    name = OUTGOING[entry.kind].names(db.session(), [entry.local_id]).get(entry.local_id, "")
    audit.record(
        action, actor=actor, now=now, subject=f"outbox:{entry.id}", summary=f"{words}: {entry.operation} of {name}.",
        details={"connection": entry.connection_id, "kind": entry.kind, "local_id": entry.local_id},
    )  # fmt: skip


def _record_all(
    action: str, connection_id: int, cause: str, number: int, words: str, *, actor: Actor, now: datetime
) -> None:
    if number:
        audit.record(action, actor=actor, now=now, subject=f"connection:{connection_id}",
                     summary=f"{number:,} parked for “{REFUSALS[cause].title}” {words}.",
                     details={"cause": cause})  # fmt: skip
