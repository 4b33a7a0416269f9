"""Two contacts become one, and two again: what stays, what is re-pointed, what the books are told, what is refused.

Pages and the match desk call `merge` and `unmerge` inside `transaction()`, after showing `proposal`. The absorbed
contact stays as an archived row that leads to the survivor. What changes for QuickBooks goes there by the outbox, as
an edit does. Rows are re-pointed by `contact_merge_rows`, contacts written by `contact_merge_images`; nothing is
deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from crm.db import db
from crm.domain import contacts as rules
from crm.domain import shared_fields
from crm.domain.contact_merging import Proposal, Side, parted, problems_of_choice
from crm.domain.contact_merging import proposal as propose
from crm.domain.contacts import FIELDS, Entry
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.models import Connection, Contact, ContactMerge, Customer, Link, User
from crm.queries import contact_merges as queries
from crm.services import audit, contacts, duplicates, match_log, timeline
from crm.services import contact_merge_images as images
from crm.services.audit import Actor
from crm.services.contact_merge_checks import refuse_impossible, refuse_on_its_way
from crm.services.contact_merge_journal import put_back
from crm.services.contact_merge_rows import repoint
from crm.services.sync import refresh_link_states
from crm.services.sync.imports.links import spread_tree
from crm.services.sync.merge import conflicts
from crm.services.sync.mirror import money
from crm.services.sync.outbox import outbox
from crm.services.sync.work import books_of

MOVED_ON = "One of these contacts was changed meanwhile. Nothing is merged yet: look at both again."
VERB, VERB_UNDONE = "contacts_merged", "contacts_parted"
BY_HAND = "merged"
"""In place of a rule, where none had asked about the two."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What came of taking a merge back."""

    survivor_id: int
    absorbed_id: int
    kept: tuple[str, ...]
    """Fields edited since the merge, which stay with the survivor, by their labels."""
    text: str


def proposal(one_id: int, other_id: int) -> Proposal:
    """What `one_id` would become if `other_id` were merged into it. Raises NotFound, Refused (see `merge`)."""
    session = db.session()
    one, other = contacts.find(one_id), contacts.find(other_id)
    refuse_impossible(session, one, other)
    return propose(images.side_of(session, one), images.side_of(session, other))


def sides(one_id: int, other_id: int) -> tuple[Side, Side]:
    """Both as they stand, to be shown beside each other."""
    session = db.session()
    return images.side_of(session, contacts.find(one_id)), images.side_of(session, contacts.find(other_id))


def merge(
    survivor_id: int,
    absorbed_id: int,
    *,
    chosen: Mapping[str, str],
    without: Sequence[str] = (),
    versions: tuple[int, int] | None = None,
    actor: Actor,
    now: datetime,
    took_ms: int | None = None,
) -> ContactMerge:
    """Make `absorbed_id` part of `survivor_id`.

    `chosen`: field of MERGED_FIELDS -> its value, where it is another than the proposed one; `without`: keys of lines
    (`line_key`) to leave out; `versions` of both, as the person saw them. Raises NotFound, Merged, Invalid, Changed,
    and Refused with the way out (TwoCustomers where each has a customer of its own).
    """
    session = db.session()
    survivor, absorbed = _locked(session, survivor_id, absorbed_id, versions=versions)
    refuse_impossible(session, survivor, absorbed)
    refuse_on_its_way(session, survivor, absorbed)
    before = {"survivor": images.stored(survivor), "absorbed": images.stored(absorbed)}
    shown, shared = contacts.snapshot(survivor), _keys_in_books(session, survivor, absorbed)
    asked = match_log.asked("contact", survivor_id, absorbed_id)
    _unite(session, survivor, absorbed, chosen, without, now=now)
    row = _keep(session, survivor, absorbed, before, actor=actor, now=now)
    timeline.add(survivor_id, verb=VERB, actor=actor, now=now, changes=_changes(shown, survivor),
                 summary=f"“{absorbed.display_name}” was merged into this contact.")  # fmt: skip
    _settle(session, survivor, absorbed, {survivor_id: shared}, actor=actor, now=now)
    _record(row, survivor, absorbed, "same", asked=asked, actor=actor, now=now, took_ms=took_ms)
    return row


def unmerge(merge_id: int, *, actor: Actor, now: datetime) -> Parting:
    """Make them two again: rows and links go back, and fields nobody edited since. Raises NotFound, Refused."""
    session = db.session()
    row = session.get(ContactMerge, merge_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such merge.")
    survivor, absorbed = _locked(session, row.survivor_id, row.absorbed_id)
    session.refresh(row, with_for_update=True)
    _refuse_undo(row, survivor)
    refuse_on_its_way(session, survivor, absorbed)
    shown, was = contacts.snapshot(survivor), shared_fields.own_keys(survivor, survivor.points)
    kept = _part(row, survivor)
    absorbed.archived_at, survivor.updated_at, absorbed.updated_at = None, now, now
    row.undone_by, row.undone_at = actor.label[:254], now
    _flush(session)
    links = put_back(session, row.moved, absorbed.id, survivor.id)
    text = f"“{absorbed.display_name}” is a contact of its own again."
    text += f" {', '.join(kept)}: edited since, and kept here." if kept else ""
    timeline.add(survivor.id, verb=VERB_UNDONE, actor=actor, now=now, changes=_changes(shown, survivor), summary=text)
    timeline.add(absorbed.id, verb=VERB_UNDONE, actor=actor, now=now,
                 summary=f"No longer merged into “{survivor.display_name}”.")  # fmt: skip
    _links_return(session, links, survivor.id, absorbed.id, now=now)
    _settle(session, survivor, absorbed, {survivor.id: was, absorbed.id: was}, actor=actor, now=now)
    _record(row, survivor, absorbed, "undone", actor=actor, now=now)
    return Parting(survivor.id, absorbed.id, kept, text)


# --- the survivor itself --------------------------------------------------------------------------------------


def _unite(
    session: Session,
    survivor: Contact,
    absorbed: Contact,
    chosen: Mapping[str, str],
    without: Sequence[str],
    *,
    now: datetime,
) -> None:
    offered = propose(images.side_of(session, survivor), images.side_of(session, absorbed))
    chosen = {name: rules.clean(value) for name, value in chosen.items()}
    lines = images.chosen_lines(offered.lines, without)
    _refuse_values(session, offered, chosen, [Entry(line.kind, line.value) for line in lines])
    sources = images.sources_of(images.stored(absorbed)) | images.sources_of(images.stored(survivor))
    images.write(survivor, offered.values | chosen, lines, offered.tags, sources=sources)
    survivor.created_at = offered.created_at or survivor.created_at
    survivor.last_activity_at = offered.last_activity_at
    survivor.updated_at = absorbed.updated_at = absorbed.archived_at = now
    _flush(session)


def _keep(
    session: Session, survivor: Contact, absorbed: Contact, before: Mapping[str, Any], *, actor: Actor, now: datetime
) -> ContactMerge:
    """Everything re-pointed, and what an undo needs."""
    journal = repoint(session, absorbed.id, survivor.id, now=now)
    row = ContactMerge(
        survivor_id=survivor.id, absorbed_id=absorbed.id, before=dict(before), after=images.stored(survivor),
        moved=journal.as_json(), merged_by=actor.label[:254], merged_at=now,
    )  # fmt: skip
    session.add(row)
    return row


def _part(row: ContactMerge, survivor: Contact) -> tuple[str, ...]:
    """The survivor as before, but for what was edited since: the labels of that."""
    before, after = row.before["survivor"], row.after
    back = parted(images.image(before), images.image(after), images.image_of(survivor))
    sources = images.sources_of(after) | images.sources_of(before)
    images.write(survivor, back.values, back.lines, back.tags, sources=sources)
    survivor.created_at = images.moment(before["created_at"]) or survivor.created_at
    if survivor.last_activity_at == images.moment(after["last_activity_at"]):
        survivor.last_activity_at = images.moment(before["last_activity_at"])
    return tuple(contacts.LABELS[name] for name in back.kept)


def _changes(before: Mapping[str, str], contact: Contact) -> dict[str, tuple[str, str]]:
    after = contacts.snapshot(contact)
    return {name: (before[name], after[name]) for name in after if before[name] != after[name]}


# --- what both need -------------------------------------------------------------------------------------------


def _locked(
    session: Session, survivor_id: int, absorbed_id: int, *, versions: tuple[int, int] | None = None
) -> tuple[Contact, Contact]:
    """Their customers, then both contacts, each by number: the order of everybody who holds several."""
    both = (survivor_id, absorbed_id)
    held = select(Customer.id).where(Customer.contact_id.in_(both), Customer.match_state == "linked")
    session.execute(held.order_by(Customer.id).with_for_update()).all()
    query = select(Contact).where(Contact.id.in_(both)).order_by(Contact.id).with_for_update(of=Contact)
    found = {contact.id: contact for contact in session.scalars(query.execution_options(populate_existing=True))}
    if len(found) < len(set(both)):
        raise NotFound("There is no such contact. The link may be old or not complete.")
    survivor, absorbed = found[survivor_id], found[absorbed_id]
    if versions is not None and versions != (survivor.version, absorbed.version):
        raise Changed(MOVED_ON)
    return survivor, absorbed


def _keys_in_books(session: Session, survivor: Contact, absorbed: Contact) -> dict[str, str]:
    """The shared fields as the one of them stood that the books know: what leaves is what differs from these."""
    linked = select(Link.local_id).where(Link.kind == "customer", Link.local_id == survivor.id)
    known = absorbed if session.scalar(linked.limit(1)) is None else survivor
    return shared_fields.own_keys(known, known.points)


def _settle(
    session: Session,
    survivor: Contact,
    absorbed: Contact,
    before: Mapping[int, Mapping[str, str]],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """What is computed from rows, for both; and what the books must be told: `before` is what they knew of each."""
    both = [survivor.id, absorbed.id]
    session.flush()
    refresh_link_states(session, both, now=now)
    for connection in session.scalars(select(Connection).order_by(Connection.id)):
        money.refresh(session, books_of(connection), both, now=now)
    session.expire_all()
    duplicates.note_contacts(both, now=now)
    changed = {
        contact.id: shared_fields.changed_fields(before[contact.id], shared_fields.own_keys(contact, contact.points))
        for contact in (survivor, absorbed)
        if contact.id in before
    }
    outbox.contacts_changed(session, {id_: names for id_, names in changed.items() if names}, actor=actor, now=now)


def _links_return(
    session: Session, links: Sequence[Sequence[Any]], survivor_id: int, absorbed_id: int, *, now: datetime
) -> None:
    """Customers go with their links, and what came in for them since with the customers."""
    for connection_id, _ in links:
        link = (Link.connection_id == connection_id, Link.kind == "customer", Link.local_id == absorbed_id)
        remote_id = session.scalars(select(Link.remote_id).where(*link)).one()  # it may have followed a merge there
        mine = (Customer.connection_id == connection_id, Customer.remote_id == remote_id)
        session.execute(update(Customer).where(*mine).values(contact_id=absorbed_id))
        spread_tree(session, connection_id, remote_id)
        conflicts.settle(session, connection_id, "customer", [survivor_id], now=now)


def _record(
    row: ContactMerge, survivor: Contact, absorbed: Contact, outcome: str, *, asked: match_log.Asked | None = None,
    actor: Actor, now: datetime, took_ms: int | None = None,
) -> None:  # fmt: skip
    pair, undone = (survivor.id, absorbed.id), outcome == "undone"
    score, rule, reasons = asked or (0, BY_HAND, [])
    match_log.record(
        sort="contact", one_id=pair[0], other_id=pair[1], outcome=outcome, automatic=False, score=score, rule=rule,
        reasons=reasons, names=match_log.pair_names(survivor.display_name, absorbed.display_name), took_ms=took_ms,
        corrects=match_log.standing("contact", *pair) if undone else None, actor=actor, now=now,
    )  # fmt: skip
    words = "is two contacts again" if undone else f"went into “{survivor.display_name}”"
    audit.record("contacts_parted" if undone else "contacts_merged", actor=actor, now=now,
                 subject=f"contact:{survivor.id}", summary=f"“{absorbed.display_name}” {words}.",
                 details={"merge": row.id, "absorbed": absorbed.id})  # fmt: skip


def _refuse_undo(row: ContactMerge, survivor: Contact) -> None:
    if row.undone_at is not None:
        raise Changed("This merge was undone already. Both contacts are there.")
    later = queries.live_into(survivor.id)
    if later is not None:
        raise Refused(f"“{survivor.display_name}” was merged into another contact since. Undo that merge first.")
    newest = queries.newest_live(survivor.id)
    if newest is not None and newest.id != row.id:
        name = newest.absorbed.display_name
        raise Refused(f"“{name}” was merged into this contact later. Undo that merge first, then this one.")


def _refuse_values(session: Session, offered: Proposal, chosen: Mapping[str, str], entries: Sequence[Entry]) -> None:
    """What a person wrote must be good; what stood in one of the two already passes."""
    stood = {(choice.name, value) for choice in offered.choices for value in (choice.one, choice.other)}
    fresh = {name: value for name, value in chosen.items() if (name, value) not in stood}
    wrong = problems_of_choice(fresh)
    known = frozenset(entry.value for entry in entries)
    wrong |= rules.problems({name: value for name, value in fresh.items() if name in FIELDS}, entries, known=known)
    owner = fresh.get("owner", "")
    if owner.isdigit():
        person = session.get(User, int(owner))
        if person is None or person.disabled_at is not None or person.role not in ("admin", "rep"):
            wrong["owner"] = "This person cannot own contacts. Choose one of the list."
    if wrong:
        raise Invalid(wrong)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except StaleDataError:
        raise Changed(MOVED_ON) from None
