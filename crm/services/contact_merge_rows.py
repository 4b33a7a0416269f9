"""Everything that points to a contact, re-pointed to another one when they are merged, and back.

`MOVED` are plain columns; `STAYS` says why a reference is left alone; the rest has rules of its own here. A test of
the house compares these lists with the tables, so that a new table cannot be forgotten. What is done is written into a
`Journal`, by which `put_back` undoes it wherever nobody changed the row since. Used by `contact_merges` only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import (
    Conflict,
    ContactConsent,
    Customer,
    Link,
    Match,
    OutboxEntry,
    Segment,
    SegmentChange,
    SegmentMember,
)
from crm.models.matching import Duplicate, HouseholdMember
from crm.services import segments
from crm.services.contact_merge_journal import Journal, change, column_of, key_of, remove, repoint_rows
from crm.services.sync.outbox.outbox import WAITING

MOVED = (
    "notes.contact_id", "timeline_entries.contact_id", "customers.contact_id", "documents.contact_id",
    "payments.contact_id", "sales_documents.contact_id", "receipts.contact_id", "sync_log_entries.contact_id",
    "inbox_events.contact_id", "proof_lines.contact_id", "contact_import_rows.contact_id",
    "plan_lines.local_id",
)  # fmt: skip
"""`table.column`; of a `local_id` the rows of kind `customer`."""
RULED = (
    "matches.contact_id", "links.local_id", "outbox_entries.local_id", "outbox_needs.local_id", "conflicts.local_id",
    "household_members.contact_id", "household_members.bill_to_id", "duplicates.one_id", "duplicates.other_id",
    "segment_members.contact_id", "contact_consents.contact_id",
)  # fmt: skip
"""Where a row of the survivor may stand in the way: see the functions below."""
STAYS = {
    "contact_points.contact_id": "lines are copied; the absorbed one keeps its own",
    "contact_tags.contact_id": "tags are given to the survivor too; the absorbed one keeps its own",
    "money_facts.contact_id": "computed anew for both",
    "identity_keys.owner_id": "computed anew for both",
    "contact_places.contact_id": "looked up anew from the address of each",
    "rfm_scores.contact_id": "computed anew each day for both",
    "customer_values.contact_id": "computed anew each day for both",
    "segment_changes.contact_id": "the history says who came and left then, and is never changed",
    "automation_holds.contact_id": "the hold is on the absorbed one, which is archived; the survivor keeps what it has",
    "contact_merges.survivor_id": "earlier merges are undone after this one",
    "contact_merges.absorbed_id": "earlier merges are undone after this one",
    "match_decisions.one_id": "the log says what was decided about whom, and is never changed",
    "match_decisions.other_id": "the log says what was decided about whom, and is never changed",
}
"""Reference -> why it is left as it is."""
MATCHES, HOUSEHOLD, DUPLICATES = table_of(Match), table_of(HouseholdMember), table_of(Duplicate)
LINKS, ENTRIES, CONFLICTS = table_of(Link), table_of(OutboxEntry), table_of(Conflict)
SEGMENTS, MEMBERS, COMINGS = table_of(Segment), table_of(SegmentMember), table_of(SegmentChange)
CONSENTS = table_of(ContactConsent)
MERGED_INTO = "Its contact was merged into another one, for which something waits already."


def repoint(session: Session, absorbed: int, survivor: int, *, now: datetime) -> Journal:
    """Everything of the absorbed one is the survivor's from here on. The caller holds the locks and flushed."""
    journal = Journal()
    _links(session, journal, absorbed, survivor)
    for place in MOVED:
        _move(session, journal, place, absorbed, survivor)
    _matches(session, journal, absorbed, survivor)
    _entries(session, journal, absorbed, survivor, now=now)
    _needs(session, journal, absorbed, survivor)
    _conflicts(session, journal, absorbed, survivor)
    _household(session, journal, absorbed, survivor)
    _apart(session, journal, absorbed, survivor)
    _static_segments(session, journal, absorbed, survivor, now=now)
    _consents(session, journal, absorbed, survivor)
    return journal


def _links(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """A link goes along unless the survivor has one there; then it is gone in the books, and stays as evidence."""
    taken = set(session.scalars(select(LINKS.c.connection_id).where(LINKS.c.kind == "customer",
                                                                     LINKS.c.local_id == survivor)))  # fmt: skip
    theirs = (LINKS.c.kind == "customer", LINKS.c.local_id == absorbed)
    for link in session.execute(select(LINKS).where(*theirs).order_by(LINKS.c.id)).all():
        if link.connection_id in taken:
            mine = (Customer.connection_id == link.connection_id, Customer.remote_id == link.remote_id)
            found = session.execute(select(table_of(Customer)).where(*mine)).one_or_none()
            if found is not None:  # it owns no contact any more, so that the survivor shows one customer
                change(session, journal, table_of(Customer), found, {"match_state": "ignored"})
            continue
        journal.links.append([link.connection_id, link.remote_id])
        session.execute(update(LINKS).where(LINKS.c.id == link.id).values(local_id=survivor))


def _move(session: Session, journal: Journal, place: str, absorbed: int, survivor: int, *where: Any) -> None:
    table, column = column_of(place)
    kind = (table.c.kind == "customer",) if column.name == "local_id" else ()
    key = key_of(table)
    ids = list(session.scalars(select(key).where(column == absorbed, *kind, *where).order_by(key)))
    if ids:
        journal.rows[place] = ids
        repoint_rows(session, key, ids, column, survivor)


def _matches(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """Where both were in question for one customer, a link counts more than a rejection, and that more than a doubt
    of the absorbed one; a doubt of the survivor's stays for a person."""
    ours = {row.customer_id: row for row in session.execute(select(MATCHES).where(MATCHES.c.contact_id == survivor))}
    for row in session.execute(select(MATCHES).where(MATCHES.c.contact_id == absorbed).order_by(MATCHES.c.id)).all():
        own = ours.get(row.customer_id)
        if own is None or row.state == "linked":
            if own is not None:
                remove(session, journal, MATCHES, own)
            journal.rows.setdefault("matches.contact_id", []).append(row.id)
            session.execute(update(MATCHES).where(MATCHES.c.id == row.id).values(contact_id=survivor))
        elif row.state == "proposed":
            remove(session, journal, MATCHES, row)


def _entries(session: Session, journal: Journal, absorbed: int, survivor: int, *, now: datetime) -> None:
    """What waits for the absorbed one gives way to what waits for the survivor; the merge notes what differs."""
    mine = (ENTRIES.c.kind == "customer", ENTRIES.c.state.in_(WAITING))
    waits = {row.connection_id for row in session.execute(select(ENTRIES).where(*mine, ENTRIES.c.local_id == survivor))}
    for row in session.execute(select(ENTRIES).where(*mine, ENTRIES.c.local_id == absorbed)).all():
        if row.connection_id in waits:
            dropped = {"state": "dropped", "settled_at": now, "updated_at": now, "error": MERGED_INTO}
            change(session, journal, ENTRIES, row, dropped)
    _move(session, journal, "outbox_entries.local_id", absorbed, survivor)


def _needs(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    table, _ = column_of("outbox_needs.local_id")
    has = select(table.c.entry_id).where(table.c.kind == "customer", table.c.local_id == survivor)
    _move(session, journal, "outbox_needs.local_id", absorbed, survivor, table.c.entry_id.not_in(has))


def _conflicts(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """An open question goes along unless the survivor is asked about a field of that company itself."""
    asked = CONFLICTS.alias("asked")
    clash = select(asked.c.id).where(
        asked.c.connection_id == CONFLICTS.c.connection_id, asked.c.kind == "customer", asked.c.local_id == survivor,
        asked.c.field == CONFLICTS.c.field, asked.c.state == "open",
    )  # fmt: skip
    _move(session, journal, "conflicts.local_id", absorbed, survivor,
          or_(CONFLICTS.c.state != "open", ~clash.exists()))  # fmt: skip


def _household(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """Nobody belongs to themselves, and who is billed for others belongs to nobody."""
    both = (absorbed, survivor)
    mine = session.execute(select(HOUSEHOLD).where(HOUSEHOLD.c.contact_id.in_(both))).all()
    others = (HOUSEHOLD.c.bill_to_id.in_(both), HOUSEHOLD.c.contact_id.not_in(both))
    bills = session.scalar(select(HOUSEHOLD.c.contact_id).where(*others).limit(1)) is not None
    free = {row.contact_id: row for row in mine if not bills and row.bill_to_id not in both}
    stays = free.get(survivor) or free.get(absorbed)
    for row in mine:
        if row is not stays or row.contact_id == absorbed:
            remove(session, journal, HOUSEHOLD, row)
    if stays is not None and stays.contact_id == absorbed:
        session.execute(insert(HOUSEHOLD), [{**stays._mapping, "contact_id": survivor}])
        journal.made.setdefault("household_members", []).append(survivor)
    _move(session, journal, "household_members.bill_to_id", absorbed, survivor)


def _apart(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """The pair itself is merged; who was kept apart from the absorbed one is kept apart from the survivor too."""
    pair = (DUPLICATES.c.sort == "contact", DUPLICATES.c.one_id == min(absorbed, survivor),
            DUPLICATES.c.other_id == max(absorbed, survivor))  # fmt: skip
    found = session.execute(select(DUPLICATES).where(*pair)).one_or_none()
    if found is not None:
        change(session, journal, DUPLICATES, found, {"state": "merged"})
    mine = or_(DUPLICATES.c.one_id == absorbed, DUPLICATES.c.other_id == absorbed)
    kept = select(DUPLICATES).where(DUPLICATES.c.sort == "contact", DUPLICATES.c.state == "apart", mine)
    for row in session.execute(kept.order_by(DUPLICATES.c.id)).all():
        third = row.other_id if row.one_id == absorbed else row.one_id
        one, other = sorted((third, survivor))
        same = (DUPLICATES.c.sort == "contact", DUPLICATES.c.one_id == one, DUPLICATES.c.other_id == other)
        stands = session.execute(select(DUPLICATES).where(*same)).one_or_none()
        if stands is None:
            values = {name: value for name, value in row._mapping.items() if name != "id"}
            made = insert(DUPLICATES).values(**values | {"one_id": one, "other_id": other}).returning(DUPLICATES.c.id)
            journal.made.setdefault("duplicates", []).append(session.execute(made).scalar_one())
        elif stands.state == "proposed":
            told = {name: getattr(row, name) for name in ("state", "decided_by", "decided_at")}
            change(session, journal, DUPLICATES, stands, told)


def _static_segments(session: Session, journal: Journal, absorbed: int, survivor: int, *, now: datetime) -> None:
    """Who was put into a static segment stays in it as the survivor. Live ones find out by themselves."""
    theirs = (
        select(SEGMENTS.c.id, SEGMENTS.c.version)
        .join(MEMBERS, MEMBERS.c.segment_id == SEGMENTS.c.id)
        .where(SEGMENTS.c.kind == "static", MEMBERS.c.contact_id == absorbed)
        .order_by(SEGMENTS.c.id)
    )
    for segment_id, version in session.execute(theirs.with_for_update(of=SEGMENTS, key_share=True)).all():
        both = select(MEMBERS).where(MEMBERS.c.segment_id == segment_id, MEMBERS.c.contact_id.in_((absorbed, survivor)))
        found = {row.contact_id: row for row in session.execute(both)}
        told = {"segment_id": segment_id, "at": now, "version": version, "cause": "hand"}
        came = [{**told, "contact_id": absorbed, "entered": False}]
        remove(session, journal, MEMBERS, found[absorbed])
        if survivor not in found:
            since = found[absorbed].since
            session.execute(insert(MEMBERS).values(segment_id=segment_id, contact_id=survivor, since=since))
            journal.made.setdefault("segment_members", []).append(segment_id)
            came.append({**told, "contact_id": survivor, "entered": True})
        for one in came:
            made = session.execute(insert(COMINGS).values(one).returning(COMINGS.c.id)).scalar_one()
            journal.made.setdefault("segment_changes", []).append(made)
        segments.recount(session, segment_id)


def _consents(session: Session, journal: Journal, absorbed: int, survivor: int) -> None:
    """Who said no to one of the two said no. The absorbed one keeps its own."""
    mine = {row.channel: row for row in session.execute(select(CONSENTS).where(CONSENTS.c.contact_id == survivor))}
    theirs = select(CONSENTS).where(CONSENTS.c.contact_id == absorbed).order_by(CONSENTS.c.channel)
    for row in session.execute(theirs).all():
        own = mine.get(row.channel)
        if own is None:
            session.execute(insert(CONSENTS).values({**row._mapping, "contact_id": survivor}))
            journal.made.setdefault("contact_consents", []).append(row.channel)
        elif row.state == "denied" and own.state != "denied":
            said = {name: getattr(row, name) for name in ("state", "how", "noted_by", "noted_at")}
            change(session, journal, CONSENTS, own, said)
