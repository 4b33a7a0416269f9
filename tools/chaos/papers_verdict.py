"""The verdict about quotes and invoices: alike on both sides and to the cent, none twice, no writing lost, none mixed.

Every check reads the company itself. A difference needs something to show for it: a conflict, an entry that waits for a
person, fields a plan left alone, or a version that was not sent yet. A sentence per violation.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain import sales_fields
from crm.domain.record_documents import DocumentRecord
from crm.models import Conflict, Link, OutboxEntry, SalesDocument, SalesEvent
from crm.providers.accounting.quickbooks import mapper
from crm.services import sales_documents
from crm.services.sync.sales import rows
from crm.services.sync.sales.comparing import known_of
from crm.services.sync.sales.records import record_of
from tools.chaos import waits
from tools.chaos.edits import Writing
from tools.chaos.papers import ENTITIES
from tools.chaos.verdict import Case

MARK = re.compile(r"^Writing \d+, line ")
FIGURES = ("tax", "total", "balance", "books_tax", "books_total")


@dataclass(frozen=True, slots=True)
class Pair:
    """A document the books hold, and ours."""

    document: SalesDocument
    link: Link
    ours: DocumentRecord
    theirs: DocumentRecord
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.document.kind} {self.document.id} (there {self.link.remote_id})"


def pairs(case: Case) -> Iterator[Pair]:
    """All that are linked and stand on both sides."""
    for kind in ENTITIES:
        bodies = _there(case, kind)
        mine = (Link.connection_id == case.connection_id, Link.kind == kind, Link.state != "gone")
        for link in db.session.scalars(select(Link).where(*mine).order_by(Link.id)):
            body = bodies.get(link.remote_id)
            if body is None:
                continue
            document = db.session.get_one(SalesDocument, link.local_id)
            theirs = mapper.to_record(kind, body)
            assert isinstance(theirs, DocumentRecord)
            known = known_of(db.session(), case.connection_id, [document])[document.id]
            yield Pair(document, link, record_of(document, known, theirs), theirs, body)


def _there(case: Case, kind: str) -> dict[str, dict[str, Any]]:
    return {one["Id"]: one for one in case.world.state(ENTITIES[kind])}


# --- alike ----------------------------------------------------------------------------------------------------


def unequal(case: Case) -> Iterator[str]:
    """Field by field; what differs must have something to show for it."""
    asked = {(row.kind, row.local_id, row.field)
             for row in db.session.scalars(select(Conflict).where(Conflict.state == "open"))}  # fmt: skip
    kept = _kept()
    for pair in pairs(case):
        here, there = sales_fields.keys(pair.ours), sales_fields.keys(pair.theirs)
        unsent = pair.document.state == "draft" and pair.document.edited_at is not None
        excused = unsent or (pair.document.kind, pair.document.id) in kept
        for name in here:
            place = (pair.document.kind, pair.document.id, name)
            if here[name] != there[name] and not (excused or place in asked or name in pair.link.left):
                yield (f"{pair.name}: {name} is {here[name]!r} here and {there[name]!r} in QuickBooks, and no conflict "
                       f"is open{_history(pair)}")  # fmt: skip


def figures(case: Case) -> Iterator[str]:
    """To the cent: what the books made of each, and where nothing differs our own figures as well."""
    for pair in pairs(case):
        said: dict[str, Any] = {**rows.header(pair.theirs)}
        agreed = pair.document.edited_at is None
        if said["balance"] is not None:  # where our lines stay, what is paid is the books' word, and our total ours
            said["balance"] += pair.document.total - said["total"]
        for name in FIGURES if agreed else ("balance", "books_tax", "books_total"):
            if getattr(pair.document, name) != said[name]:
                yield f"{pair.name}: {name} is {getattr(pair.document, name)} here and {said[name]} in QuickBooks"
        sold = pair.document.subtotal - pair.document.discount + pair.document.tax
        if agreed and pair.document.tax_mode != "inclusive" and sold != pair.document.total:
            yield f"{pair.name}: its parts come to {sold}, its total is {pair.document.total}"
        if agreed and (pair.document.state == "void") is not pair.theirs.void:
            yield f"{pair.name} is {pair.document.state} here{', and not void' * (not pair.theirs.void)} in QuickBooks"


def strays(case: Case) -> Iterator[str]:
    """Each document has its other side: none that only the books know, none that never arrived there."""
    kept = _kept()
    for kind in ENTITIES:
        bodies, mine = _there(case, kind), (Link.connection_id == case.connection_id, Link.kind == kind)
        links = {link.remote_id: link for link in db.session.scalars(select(Link).where(*mine))}
        for remote_id in sorted(bodies.keys() - links.keys(), key=int):
            yield f"{kind} {remote_id} is in QuickBooks, and not here"
        for remote_id, link in links.items():
            if (link.state == "gone") is (remote_id in bodies):
                yield f"{kind} {link.local_id}: its link to {remote_id} is {link.state}, against what QuickBooks has"
        linked = {link.local_id for link in links.values()}
        for document in db.session.scalars(select(SalesDocument).where(SalesDocument.kind == kind)):
            waits = (kind, document.id) in kept
            if document.id not in linked and not waits and sales_documents.goes_out(document):
                yield f"{kind} {document.id} ({document.state}) never went to QuickBooks, and nothing waits"


# --- twice ----------------------------------------------------------------------------------------------------


def twice(case: Case) -> Iterator[str]:
    """One document there for each of ours, by the calls that were carried out as by what stands there."""
    entries = {(row.request_key, row.batch_item): row for row in db.session.scalars(select(OutboxEntry))}
    made: dict[tuple[str, int], set[str]] = defaultdict(set)
    for write in case.world.ask("GET", "/writes"):
        entry = entries.get((write["request_id"], write["item"]))
        if entry is not None and entry.operation == "create" and entry.kind in ENTITIES:
            made[entry.kind, entry.local_id].add(write["id"])
    for (kind, local_id), ids in sorted(made.items()):
        if len(ids) > 1:
            yield f"{kind} {local_id} was created {len(ids)} times in QuickBooks: {sorted(ids)}"
    for kind in ENTITIES:
        mine = (Link.connection_id == case.connection_id, Link.kind == kind)
        links = db.session.scalars(select(Link).where(*mine)).all()
        for local_id, number in Counter(link.local_id for link in links).items():
            if number > 1:
                yield f"{kind} {local_id} has {number} links"
        for link in links:
            owned = (kind, link.remote_id) in case.people.papers_there
            begun = db.session.get_one(SalesDocument, link.local_id).source == "quickbooks"
            if owned is not begun:
                who = "its owner made" if owned else "nobody there made"
                yield f"{kind} {link.remote_id}, which {who}, is tied to {kind} {link.local_id} that began " + (
                    "in QuickBooks" if begun else "here")  # fmt: skip


# --- lost and mixed -------------------------------------------------------------------------------------------


def lost(case: Case) -> Iterator[str]:
    """The last writing of each side either stands (also where it was written, while a version here waits to be sent),
    was asked about, went to the books, or is told in the history."""
    kept = _kept()
    there = {kind: _there(case, kind) for kind in ENTITIES}
    last = {(one.side, one.kind, one.id, one.field): one for one in case.people.writings}
    for one in last.values():
        document = _document(case, one)
        if document is None:
            yield f"{one.kind} {one.id} there, which was written at, has no row here"
        elif one.side == "there" and one.value in json.dumps(there[one.kind].get(one.id), default=str):
            continue
        elif not (_stands(document, one) or _remembered(document, one) or (document.kind, document.id) in kept):
            yield (f"{one.kind} {document.id}: the {one.field} “{one.value}” given {one.side} vanished without a trace")


def _document(case: Case, one: Writing) -> SalesDocument | None:
    if one.side == "here":
        return db.session.get(SalesDocument, int(one.id))
    mine = (Link.connection_id == case.connection_id, Link.kind == one.kind, Link.remote_id == one.id)
    local_id = db.session.scalar(select(Link.local_id).where(*mine))
    return db.session.get(SalesDocument, local_id) if local_id else None


def _stands(document: SalesDocument, one: Writing) -> bool:
    if one.field == "lines":
        return any(line.description.startswith(one.value) for line in document.lines)
    return one.value in str(getattr(document, one.field))


def _remembered(document: SalesDocument, one: Writing) -> bool:
    """Deleted in QuickBooks, or from here since, it need not be read any more. That somebody typed it here is no trace
    by itself."""
    if document.gone_at is not None and (one.side == "there" or _deleted_since(document, one)):
        return True
    wanted = one.amount or one.value
    mine = (Conflict.kind == document.kind, Conflict.local_id == document.id)
    asked = [text for row in db.session.scalars(select(Conflict).where(*mine))
             for text in (row.ours, row.theirs, row.decided)]  # fmt: skip
    told = [json.dumps(row.details, ensure_ascii=False) for row in db.session.scalars(
        select(SalesEvent).where(SalesEvent.document_id == document.id, SalesEvent.at >= one.at)
    ) if row.event == "taken" or row.event.startswith("there_")]  # fmt: skip
    sent = [json.dumps(row.changes, ensure_ascii=False) for row in db.session.scalars(
        select(OutboxEntry).where(OutboxEntry.kind == document.kind, OutboxEntry.local_id == document.id,
                                  OutboxEntry.state == "done", OutboxEntry.settled_at >= one.at)
    )]  # fmt: skip
    return any(wanted in text for text in (*asked, *told, *sent))


def _deleted_since(document: SalesDocument, one: Writing) -> bool:
    query = select(OutboxEntry.id).where(
        OutboxEntry.kind == document.kind, OutboxEntry.local_id == document.id, OutboxEntry.operation == "delete",
        OutboxEntry.state == "done", OutboxEntry.settled_at >= one.at,
    )  # fmt: skip
    return db.session.scalar(query.limit(1)) is not None


def mixed(case: Case) -> Iterator[str]:
    """Lines of one writing only, on either side: whoever writes lines writes all of them."""
    for pair in pairs(case):
        ours = [line.description for line in pair.document.lines if line.chosen or not line.optional]
        theirs = [line.get("Description", "") for line in pair.body["Line"]
                  if line["DetailType"] in ("SalesItemLineDetail", "DescriptionOnly")]  # fmt: skip
        for side, texts in (("here", ours), ("in QuickBooks", theirs)):
            marks = {found.group() if (found := MARK.match(text)) else "unmarked " for text in texts}
            if len(marks) > 1:
                yield f"{pair.name}: lines of several writings stand together {side}: {sorted(marks)}{_history(pair)}"


# --- what led there -------------------------------------------------------------------------------------------


def _kept() -> set[tuple[str, int]]:
    """Objects that wait for a person, or behind one that does."""
    waits_ = OutboxEntry.state.in_(waits.KEPT) | OutboxEntry.id.in_(waits.behind_people())
    found = db.session.execute(select(OutboxEntry.kind, OutboxEntry.local_id).where(waits_))
    return {(row.kind, row.local_id) for row in found}


def _history(pair: Pair) -> str:
    mine = (OutboxEntry.kind == pair.document.kind, OutboxEntry.local_id == pair.document.id)
    entries: Sequence[OutboxEntry] = db.session.scalars(select(OutboxEntry).where(*mine).order_by(OutboxEntry.id)).all()
    lines = [f"{pair.document.state}, edited {pair.document.edited_at}, base {json.dumps(pair.link.base)[:600]}"]
    lines += [f"entry {one.id} ({one.operation}, {one.trigger}) {one.state} frozen {one.frozen_at} settled "
              f"{one.settled_at}, fields {dict(one.fields)}, sent {one.changes} {one.error}"
              for one in entries]  # fmt: skip
    told = select(SalesEvent).where(SalesEvent.document_id == pair.document.id).order_by(SalesEvent.id)
    lines += [f"{one.at:%H:%M:%S} {one.event}: {one.text} {one.details}" for one in db.session.scalars(told)]
    return "".join(f"\n    {line}" for line in lines)
