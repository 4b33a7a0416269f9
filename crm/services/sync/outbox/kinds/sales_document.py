"""Quotes and invoices on their way out: our rows become the body of an estimate or invoice; what comes back is kept.

What is sent decides `sales/comparing`, with the same base, policies and edits as on the way in; storing is the kind's
own way in (`mirror/kinds.take`), so an answer and an event end alike. What the books would refuse is found before a
call is spent: closed books, inactive references, a line without an item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain import sales_fields
from crm.domain.errors import InvalidValue
from crm.domain.record_documents import NEXT_NUMBER, DocumentRecord
from crm.domain.records import Record
from crm.domain.refusals import cause_of
from crm.domain.sales_fields import TITLES
from crm.domain.traits import traits
from crm.models import Connection, Link, OutboxEntry, SalesDocument, SalesEvent
from crm.providers.accounting.base import Body
from crm.services.sync.imports.fetch import Names
from crm.services.sync.inbox import reading_again
from crm.services.sync.merge import conflicts
from crm.services.sync.mirror import documents, gone
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.kinds.port import Answer, Nothing, Outgoing, Park, Prepared, Send
from crm.services.sync.outbox.kinds.sales_document_checks import Idle, inactive_items, refused
from crm.services.sync.sales import expecting, merging, taking
from crm.services.sync.sales.comparing import Held, held
from crm.services.sync.work import Batch

LINKS, DOCUMENTS = table_of(Link), table_of(SalesDocument)
AGREED = "Both sides agree; there is nothing to send."
UNDECIDED = "Nothing is sent before somebody has decided about the conflict ({})."
STAYS = "It was deleted or withdrawn before it was sent."
HELD_BACK = "It is held back from QuickBooks, or a draft again."
VERBS = {"create": "Created in QuickBooks", "update": "Sent to QuickBooks", "void": "Void in QuickBooks",
         "delete": "Deleted in QuickBooks"}  # fmt: skip


class SalesDocuments(Outgoing):
    def __init__(self, kind: str, word: str) -> None:
        self.kind, self.word = kind, word

    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        query = select(SalesDocument.id).where(SalesDocument.id.in_(local_ids))
        session.execute(query.order_by(SalesDocument.id).with_for_update())

    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        here = held(batch.session, batch.books, self.kind, [entry.local_id for entry in entries])
        connection = batch.session.get_one(Connection, batch.books.id)
        idle = inactive_items(batch, here)
        found: dict[int, Prepared] = {}
        for entry in entries:
            try:
                found[entry.id] = self._prepared(entry, here.get(entry.local_id), connection, idle, body)
            except InvalidValue as error:
                found[entry.id] = Park(cause_of(error), str(error), {"field": error.cause.field})
        return found

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        documents.hold(batch, self.kind, [one.entry.remote_id for one in answers])
        if self.kind == "invoice":
            _read_customers(batch, answers)
        ended = [one for one in answers if one.entry.operation == "delete"]
        written = [one for one in answers if isinstance(one.record, DocumentRecord)]
        self._ended(batch, ended)
        self._link(batch, [one for one in written if one.entry.operation == "create"])
        self._agree(batch, written)
        expecting.note(batch, written, edited=self._open(batch, written))
        records = [one.record for one in written if isinstance(one.record, DocumentRecord)]
        incoming.take(batch, self.kind, records, Names(known={}))
        self._remember(batch, records)
        said = {one.entry.id: f"{VERBS[one.entry.operation]}: {self._called(one)}" for one in (*written, *ended)}
        self._tell(batch, [*written, *ended], said)
        return said

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        read = [record for record in records if isinstance(record, DocumentRecord)]
        incoming.take(batch, self.kind, read, Names(known={}))

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        gone.mark(batch, self.kind, gone.rows_of(batch, self.kind, remote_ids))

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        found = [one.origin.remote_id for one in bearers if isinstance(one, DocumentRecord)]
        number = entry.changes.get("number", ["", ""])[1]
        text = f"Number {number} is used in QuickBooks already. Use the next number, or link to that one if it is this."
        return Park("duplicate_number", text, {"documents": found, "number": number})

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        query = select(SalesDocument.id, SalesDocument.contact_id).where(
            SalesDocument.id.in_(local_ids), SalesDocument.contact_id.is_not(None)
        )
        return {row.id: row.contact_id for row in session.execute(query)}

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        query = select(SalesDocument.id, SalesDocument.number, SalesDocument.title).where(
            SalesDocument.id.in_(local_ids)
        )
        return {id_: " ".join(part for part in (self.word, number or title) if part)
                for id_, number, title in session.execute(query)}  # fmt: skip

    # --- out --------------------------------------------------------------------------------------------------

    def _prepared(
        self, entry: OutboxEntry, one: Held | None, connection: Connection, idle: Idle, body: Body
    ) -> Prepared:
        if one is None:
            return Nothing(STAYS)
        if one.theirs is None:
            if one.link is not None and entry.operation in ("delete", "void"):
                return Nothing("It is not in QuickBooks any more.")
            if one.link is not None:
                return Park("gone", f"{self.word} {one.document.number} was deleted in QuickBooks.".replace("  ", " "),
                            {"remote_id": one.link.remote_id})  # fmt: skip
            return self._create(entry, one, connection, idle, body)
        stored = as_stored(one.theirs)
        if entry.operation in ("delete", "void"):
            if one.theirs.void and entry.operation == "void":
                return Nothing("It is void there already.")
            made = body(self.kind, entry.operation, None, current=one.theirs)
            return Send(entry.operation, made, stored, {}, one.link.remote_id)
        return self._update(one, connection, idle, body, stored)

    def _create(
        self, entry: OutboxEntry, one: Held, connection: Connection, idle: Idle, body: Body
    ) -> Prepared:
        document = one.document
        if entry.operation in ("delete", "void") or document.gone_at is not None or document.template:
            return Nothing(STAYS)
        if document.hold or document.state == "draft":
            return Nothing(HELD_BACK)
        stays = refused(one, connection, idle, new=True)
        if stays is not None:
            return stays
        ours = one.ours
        if not ours.number and connection.preferences.get("own_document_numbers"):
            # Without a number one would stay without, where people number documents themselves [FACTS 5.4].
            ours = replace(ours, number=NEXT_NUMBER)
        changes = {name: ["", sales_fields.shown(one.ours, name)]
                   for name, text in sales_fields.keys(one.ours).items() if text}  # fmt: skip
        return Send("create", body(self.kind, "create", ours), changes=changes, traits=traits(ours))

    def _update(
        self, one: Held, connection: Connection, idle: Idle, body: Body, stored: dict[str, Any]
    ) -> Prepared:
        assert one.merged is not None and one.theirs is not None
        if one.document.state == "draft" or one.document.hold:
            return Nothing(HELD_BACK)
        fields = list(one.merged.sent)
        if not fields:
            asked = ", ".join(TITLES[name] for name in one.merged.asked)
            return Nothing(UNDECIDED.format(asked) if asked else AGREED)
        stays = refused(one, connection, idle, new=False)
        if stays is not None:
            return stays
        changes = {name: [sales_fields.shown(one.theirs, name), sales_fields.shown(one.ours, name)] for name in fields}
        sent = [*fields, "discount_before_tax"] if sales_fields.WHOLE in fields else fields
        made = body(self.kind, "update", one.ours, fields=sent, current=one.theirs)
        return Send("update", made, stored, changes, one.link.remote_id)

    # --- back -------------------------------------------------------------------------------------------------

    def _link(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Links for what was created; one that is linked already (its answer came twice) stays as it is."""
        ids = [one.entry.local_id for one in answers]
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind, Link.local_id.in_(ids))
        known = set(batch.session.scalars(select(Link.local_id).where(*mine)))
        remote = [one.record.origin.remote_id for one in answers if one.record is not None]
        theirs = (Link.connection_id == batch.books.id, Link.kind == self.kind, Link.remote_id.in_(remote))
        elsewhere = {row.remote_id: row for row in batch.session.execute(select(LINKS).where(*theirs))}
        fresh = []
        for one in answers:
            assert isinstance(one.record, DocumentRecord)
            if one.entry.local_id in known:
                continue
            if one.record.origin.remote_id in elsewhere:
                self._adopt(batch, one, elsewhere[one.record.origin.remote_id])
                continue
            fresh.append({
                "connection_id": batch.books.id, "kind": self.kind, "local_id": one.entry.local_id,
                "remote_id": one.record.origin.remote_id, "version": one.record.origin.version, "state": "linked",
                "written_hash": "", "merged_from": "", "base": sales_fields.keys(one.record), "left": {},
                "run_id": None, "linked_at": batch.now, "linked_by": one.entry.actor, "synced_at": batch.now,
            })  # fmt: skip
        if fresh:
            batch.session.execute(insert(LINKS), fresh)

    def _adopt(self, batch: Batch, one: Answer, link: Any) -> None:
        """The event of our own write was read before its answer came, and made a row of its own: that row gives way to
        the one it was written from."""
        batch.session.execute(update(DOCUMENTS).where(DOCUMENTS.c.id == link.local_id).values(gone_at=batch.now))
        batch.session.execute(update(LINKS).where(LINKS.c.id == link.id).values(
            local_id=one.entry.local_id, linked_by=one.entry.actor, linked_at=batch.now,
        ))  # fmt: skip
        batch.session.expire_all()

    def _ended(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Deleted there because it was here: nothing of it is left to be decided."""
        ids = [one.entry.local_id for one in answers]
        batch.session.execute(update(DOCUMENTS).where(DOCUMENTS.c.id.in_(ids)).values(edited_at=None))
        self.gone(batch, [one.entry.remote_id for one in answers])

    def _agree(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """What was sent is agreed on as it came back. Where nothing was edited since it was frozen and nothing is asked
        about it, nothing of ours is left, and the answer is taken whole."""
        open_ones = self._open(batch, answers)
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind,
                Link.local_id.in_([one.entry.local_id for one in answers]))  # fmt: skip
        links = {row.local_id: row for row in batch.session.execute(select(LINKS).where(*mine))}
        bases, done = [], []
        for one in answers:
            link = links.get(one.entry.local_id)
            if link is None or not isinstance(one.record, DocumentRecord):
                continue
            keys = sales_fields.keys(one.record)
            sent = one.entry.changes if one.entry.operation == "update" else keys
            bases.append({"id": link.id, "base": {**link.base, **{name: keys[name] for name in sent if name in keys}}})
            if one.entry.local_id not in open_ones:
                done.append(one)
        update_by_id(batch.session, LINKS, bases)
        asked = conflicts.undecided(batch.session, batch.books.id, self.kind, [one.entry.local_id for one in done])
        left = []
        for one in done:
            moment = one.entry.frozen_at or batch.now
            unchanged = (DOCUMENTS.c.id == one.entry.local_id, DOCUMENTS.c.edited_at <= moment)
            if one.entry.local_id in asked or not changed(update(DOCUMENTS).where(*unchanged).values(edited_at=None)):
                left.append(one)
        batch.session.expire_all()
        self._arrived(batch, left)

    def _arrived(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Of those of which something of ours is left: what was sent is taken as the books made it, so that their way
        of writing it is no edit of ours."""
        read = {one.record.origin.remote_id: one.record for one in answers if isinstance(one.record, DocumentRecord)}
        here = held(batch.session, batch.books, self.kind, [one.entry.local_id for one in answers], read=read)
        for one in answers:
            mine = here.get(one.entry.local_id)
            if mine is None or mine.theirs is None or mine.merged is None or mine.document.edited_at is None:
                continue
            sent = one.entry.changes if one.entry.operation == "update" else mine.merged.here
            now = {name: sales_fields.shown(mine.ours, name) for name in sent if name in mine.merged.here}
            same = [name for name, text in now.items() if text == one.entry.changes.get(name, ["", ""])[1]]
            merging.take(batch.session, mine, same, now=batch.now)

    def _open(self, batch: Batch, answers: Sequence[Answer]) -> set[int]:
        """Those of which something else waits to be sent."""
        ids = [one.entry.local_id for one in answers]
        own = [one.entry.id for one in answers]
        query = select(OutboxEntry.local_id).where(
            OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == self.kind, OutboxEntry.local_id.in_(ids),
            OutboxEntry.state.in_(outbox.OPEN), OutboxEntry.id.not_in(own),
        )  # fmt: skip
        return set(batch.session.scalars(query))

    def _remember(self, batch: Batch, records: Sequence[DocumentRecord]) -> None:
        """What our write left there: a change that comes in with the same content is its echo."""
        hashes = {record.origin.remote_id: content_hash(as_stored(record)) for record in records}
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind, Link.remote_id.in_(list(hashes)))
        found = batch.session.execute(select(Link.id, Link.remote_id).where(*mine)).all()
        update_by_id(batch.session, LINKS, [
            {"id": row.id, "written_hash": hashes[row.remote_id], "written_at": batch.now} for row in found
        ])  # fmt: skip

    def _called(self, one: Answer) -> str:
        number = one.record.number if isinstance(one.record, DocumentRecord) else ""
        return f"{self.word} {number}".strip()

    def _tell(self, batch: Batch, answers: Sequence[Answer], said: Mapping[int, str]) -> None:
        if answers:
            batch.session.execute(insert(table_of(SalesEvent)), [
                {"document_id": one.entry.local_id, "at": batch.now, "event": f"there_{one.entry.operation}"[:30],
                 "actor": one.entry.actor or "Tradebook", "source": "system", "text": said[one.entry.id],
                 "details": {"changes": {name: list(pair) for name, pair in one.entry.changes.items()}
                             if one.entry.operation == "update" else {}}}
                for one in answers
            ])  # fmt: skip
        taking.forget(batch.session, [one.entry.local_id for one in answers])


def _read_customers(batch: Batch, answers: Sequence[Answer]) -> None:
    """An invoice moves its customer's balance without saying so in our answer [FACTS 7.1]: it is read at once."""
    ids = [one.entry.local_id for one in answers]
    whose = batch.session.scalars(select(SalesDocument.customer_remote_id).where(SalesDocument.id.in_(ids)))
    moved = {one.record.customer.remote_id for one in answers if isinstance(one.record, DocumentRecord)} | set(whose)
    reading_again.read_again(batch.books.id, {("customer", id_) for id_ in moved if id_},
                             asked_by="Tradebook, after an invoice was written", now=batch.now)  # fmt: skip
