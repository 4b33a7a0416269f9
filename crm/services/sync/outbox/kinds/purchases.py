"""Vendors and bills on their way out: our rows become bodies, and what comes back is kept.

What is sent decides `purchases/comparing`, with the same base, policies and edits as on the way in; storing is the
kind's own way in, so an answer and an event end alike. What the books would refuse is found before a call is spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain import purchase_fields
from crm.domain.errors import InvalidValue
from crm.domain.purchase_fields import SENT, TITLES
from crm.domain.record_documents import BillRecord
from crm.domain.records import CustomerRecord, PartyRecord, Record, VendorRecord
from crm.domain.traits import traits
from crm.models import Bill, Link, OutboxEntry, Vendor
from crm.providers.accounting.base import Body
from crm.services.sync.imports.fetch import Names
from crm.services.sync.mirror import gone
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.kinds import names as named
from crm.services.sync.outbox.kinds.names import taken_by
from crm.services.sync.outbox.kinds.port import Answer, Nothing, Outgoing, Park, Prepared, Send
from crm.services.sync.outbox.kinds.purchase_checks import problem_of
from crm.services.sync.purchases import taking
from crm.services.sync.purchases.comparing import MODELS, Held, held
from crm.services.sync.work import BY_RULE, Batch

LINKS = table_of(Link)
AGREED = "Both sides agree; there is nothing to send."
UNDECIDED = "Nothing is sent before somebody has decided about the conflict ({})."
STAYS = "It was taken back before it was sent."
ENDED = "It is not in QuickBooks any more."
PAID = "The bill has payments in QuickBooks, so it is neither changed nor deleted. Take them off it there first."
VERBS = {"create": "Created in QuickBooks", "update": "Sent to QuickBooks", "delete": "Deleted in QuickBooks",
         "deactivate": "Made inactive in QuickBooks", "reactivate": "Made active in QuickBooks"}  # fmt: skip
WEIGHTY = ("vendor", "lines")
"""Fields of a bill that do not change under a payment."""


class Purchases(Outgoing):
    kind: str
    word: str
    shape: type

    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        model = MODELS[self.kind]
        session.execute(select(model.id).where(model.id.in_(local_ids)).order_by(model.id).with_for_update())

    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        here = held(batch.session, batch.books, self.kind, [entry.local_id for entry in entries])
        found: dict[int, Prepared] = {}
        for entry in entries:
            one = here.get(entry.local_id)
            try:
                found[entry.id] = Nothing(STAYS) if one is None else self._prepared(batch, entry, one, body)
            except InvalidValue as error:
                found[entry.id] = Park("bad_value", str(error))
        return found

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        ended = [one for one in answers if one.record is None]
        written = [one for one in answers if isinstance(one.record, self.shape)]
        self.gone(batch, [one.entry.remote_id for one in ended])
        self._link(batch, [one for one in written if one.entry.operation == "create"])
        self._agree(batch, written)
        records = [one.record for one in written]
        incoming.take(batch, self.kind, records, Names(known={}))
        self._remember(batch, records)
        return {one.entry.id: f"{VERBS[one.entry.operation]}: {self._called(one)}" for one in (*written, *ended)}

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        read = [record for record in records if isinstance(record, self.shape)]
        incoming.take(batch, self.kind, read, Names(known={}))

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        gone.mark(batch, self.kind, gone.rows_of(batch, self.kind, remote_ids))

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        return {}

    # --- out --------------------------------------------------------------------------------------------------

    def _prepared(self, batch: Batch, entry: OutboxEntry, one: Held, body: Body) -> Prepared:
        if one.theirs is not None:
            return self._known_there(batch, entry, one, body)
        if one.link is not None or one.row.remote_id:
            if entry.operation == "delete":
                return Nothing(ENDED)
            called = self.names(batch.session, [entry.local_id])[entry.local_id]
            return Park("gone", f"{called} was deleted in QuickBooks.", {"remote_id": one.row.remote_id})
        if entry.operation not in ("create", "update") or one.row.gone_at is not None:
            return Nothing(STAYS)
        ours = self._named(one.ours, entry)
        wrong = problem_of(batch, ours, None, fields=tuple(TITLES[self.kind])) or self._taken(batch, ours)
        if wrong is not None:
            return wrong
        changes = {name: ["", purchase_fields.shown(ours, name)]
                   for name, text in purchase_fields.keys(ours).items() if text}  # fmt: skip
        return Send("create", body(self.kind, "create", ours), changes=changes, traits=traits(ours))

    def _known_there(self, batch: Batch, entry: OutboxEntry, one: Held, body: Body) -> Prepared:
        stored = dict(one.row.record)
        if entry.operation in ("deactivate", "reactivate"):
            return self._switch(entry, one, body, stored)
        if entry.operation == "delete":
            if _is_paid(one.theirs):
                return Park("settled", PAID)
            made = body(self.kind, "delete", None, current=one.theirs)
            return Send("delete", made, stored, {}, one.row.remote_id)
        return self._update(batch, entry, one, body, stored)

    def _update(
        self, batch: Batch, entry: OutboxEntry, one: Held, body: Body, stored: dict[str, Any]
    ) -> Prepared:  # fmt: skip
        assert one.merged is not None
        if not getattr(one.theirs, "active", True):
            return Park("inactive", f"Vendor “{one.row.display_name}” is inactive in QuickBooks.",
                        {"remote_id": one.row.remote_id})  # fmt: skip
        ours, fields = self._named(one.ours, entry), list(one.merged.sent)
        if "display_name" in entry.options and "display_name" not in fields:
            fields.append("display_name")
        if not fields:
            asked = ", ".join(TITLES[self.kind][name] for name in one.merged.asked)
            return Nothing(UNDECIDED.format(asked) if asked else AGREED)
        if _is_paid(one.theirs) and set(fields) & set(WEIGHTY):
            return Park("settled", PAID)
        wrong = problem_of(batch, ours, one.theirs, fields=fields)
        if wrong is not None:
            return wrong
        changes = {name: [purchase_fields.shown(one.theirs, name), purchase_fields.shown(ours, name)]
                   for name in fields}  # fmt: skip
        sent = [SENT.get(name, name) for name in fields]
        made = body(self.kind, "update", ours, fields=sent, current=one.theirs)
        return Send("update", made, stored, changes, one.row.remote_id)

    def _switch(self, entry: OutboxEntry, one: Held, body: Body, stored: dict[str, Any]) -> Prepared:
        active = one.theirs.active
        if active is (entry.operation == "reactivate"):
            return Nothing(f"{self.word} is {'active' if active else 'inactive'} already.")
        if entry.operation == "deactivate" and one.theirs.balance:
            return Park("open_balance", f"Vendor “{one.row.display_name}” is owed money. Pay it in QuickBooks first.",
                        {"remote_id": one.row.remote_id})  # fmt: skip
        made = body(self.kind, entry.operation, one.ours if active is False else None, current=one.theirs)
        return Send(entry.operation, made, stored, {}, one.row.remote_id)

    def _named(self, ours: Any, entry: OutboxEntry) -> Any:
        return ours

    def _taken(self, batch: Batch, ours: Any) -> Park | None:
        return None

    # --- back -------------------------------------------------------------------------------------------------

    def _link(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Our rows are those of the books now. The event of our own write may have made one before its answer came."""
        for one in answers:
            assert one.record is not None
            taking.unite(batch, self.kind, one.entry.local_id, one.record.origin.remote_id)
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind,
                Link.local_id.in_([one.entry.local_id for one in answers]))  # fmt: skip
        known = {row.local_id: row.linked_by for row in
                 batch.session.execute(select(Link.local_id, Link.linked_by).where(*mine))}  # fmt: skip
        for one in answers:
            if known.get(one.entry.local_id) == BY_RULE:  # it came in before its answer
                own = (*mine, Link.local_id == one.entry.local_id)
                changed(update(Link).where(*own).values(linked_by=one.entry.actor, linked_at=batch.now))
        fresh = [
            taking.link_row(batch, self.kind, one.entry.local_id, one.record, by=one.entry.actor)
            for one in answers if one.entry.local_id not in known
        ]  # fmt: skip
        if fresh:
            batch.session.execute(insert(LINKS), fresh)

    def _agree(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """What was sent is agreed on as it came back. Where nothing was edited since it was frozen, nothing of ours is
        left, and the answer is taken whole."""
        ids, own = [one.entry.local_id for one in answers], [one.entry.id for one in answers]
        left = set(batch.session.scalars(select(OutboxEntry.local_id).where(
            OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == self.kind, OutboxEntry.local_id.in_(ids),
            OutboxEntry.state.in_(outbox.OPEN), OutboxEntry.id.not_in(own),
        )))  # fmt: skip
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind, Link.local_id.in_(ids))
        links = {row.local_id: row for row in batch.session.execute(select(LINKS).where(*mine))}
        table, bases = table_of(MODELS[self.kind]), []
        for one in answers:
            link, keys = links[one.entry.local_id], purchase_fields.keys(one.record)  # type: ignore[arg-type]
            sent = keys if one.entry.operation == "create" else one.entry.changes
            bases.append({"id": link.id, "base": {**link.base, **{name: keys[name] for name in sent if name in keys}}})
            if one.entry.local_id not in left:
                moment = one.entry.frozen_at or batch.now
                unchanged = (table.c.id == one.entry.local_id, table.c.edited_at <= moment)
                changed(update(table).where(*unchanged).values(edited_at=None))
        update_by_id(batch.session, LINKS, bases)
        taking.forget(batch.session)

    def _remember(self, batch: Batch, records: Sequence[Any]) -> None:
        """What our write left there: a change that comes in with the same content is its echo."""
        hashes = {record.origin.remote_id: content_hash(as_stored(record)) for record in records}
        mine = (Link.connection_id == batch.books.id, Link.kind == self.kind, Link.remote_id.in_(list(hashes)))
        found = batch.session.execute(select(Link.id, Link.remote_id).where(*mine)).all()
        update_by_id(batch.session, LINKS, [
            {"id": row.id, "written_hash": hashes[row.remote_id], "written_at": batch.now} for row in found
        ])  # fmt: skip

    def _called(self, one: Answer) -> str:
        name = getattr(one.record, "display_name", "") or getattr(one.record, "number", "")
        return f"{self.word.lower()} “{name}”." if name else f"{self.word.lower()} {one.entry.remote_id}.".strip()


class Bills(Purchases):
    kind, word, shape = "bill", "Bill", BillRecord

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        return Park("duplicate_number", "The number is used in QuickBooks already. Give another one.")

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        query = (
            select(Bill.id, Bill.number, Vendor.display_name)
            .outerjoin(Vendor, Vendor.id == Bill.vendor_id)
            .where(Bill.id.in_(local_ids))
        )
        return {id_: " ".join(part for part in ("Bill", number, f"of {vendor}" if vendor else "") if part)
                for id_, number, vendor in session.execute(query)}  # fmt: skip


class Vendors(Purchases):
    kind, word, shape = "vendor", "Vendor", VendorRecord

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        query = select(Vendor.id, Vendor.display_name).where(Vendor.id.in_(local_ids))
        return {row.id: row.display_name for row in session.execute(query)}

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        name = entry.changes.get("display_name", ["", ""])[1]
        holders = [
            {"kind": "customer" if isinstance(one, CustomerRecord) else one.kind, "remote_id": one.origin.remote_id,
             "name": one.display_name, "active": one.active, "adoptable": isinstance(one, VendorRecord)}
            for one in bearers if isinstance(one, CustomerRecord | PartyRecord)
        ]  # fmt: skip
        return taken_by(batch.session, batch.books.id, name, holders)

    def _named(self, ours: VendorRecord, entry: OutboxEntry) -> VendorRecord:
        """A person may have chosen another name for there alone."""
        name = str(entry.options.get("display_name", ""))
        return replace(ours, display_name=name) if name else ours

    def _taken(self, batch: Batch, ours: VendorRecord) -> Park | None:
        """Who bears the name there, as far as it is known here."""
        name = ours.display_name
        found = named.bearers(batch.session, batch.books.id, [name]).get(name.lower(), [])
        holders = [{**holder, "adoptable": holder["kind"] == "vendor"} for holder in found]
        return taken_by(batch.session, batch.books.id, name, holders) if holders else None


def _is_paid(record: Any) -> bool:
    """Whether something was paid on a bill; a vendor has no such thing."""
    return isinstance(record, BillRecord) and record.balance is not None and record.balance != record.total
