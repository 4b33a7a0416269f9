"""Quotes and invoices at the conflict desk (`conflict_desk.Desk`): one field, or the whole document by its lines.

Kept ours, the lines here are written over those there; taken theirs, the document becomes what the books say. What was
given up stays readable in the document's history. By hand a document is edited on its own page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from crm.db import db, table_of
from crm.domain import sales_fields
from crm.domain.conflicts import CHOICES
from crm.domain.errors import Invalid
from crm.domain.sales_fields import TITLES, WHOLE
from crm.models import Link, SalesDocument, SyncLogEntry
from crm.services import sales_documents
from crm.services.audit import Actor
from crm.services.conflict_values import Typed
from crm.services.sync.merge.enrich_told import Decided
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.sales import deciding
from crm.services.sync.sales.comparing import Held, held
from crm.services.sync.sales.merging import leaves
from crm.services.sync.work import Batch, Books

VOIDED = "Voided"
"""What the books write before the private note of what is void [FACTS 2.5]."""


class Documents:
    def __init__(self, kind: str, word: str) -> None:
        self.kind, self.subject = kind, word
        self.titles: Mapping[str, str] = {name: TITLES[name] for name in sales_fields.OF_KIND[kind]}

    def compare(self, session: Session, local_ids: Sequence[int], *, books: Books) -> Mapping[int, Held]:
        return {id_: one for id_, one in held(session, books, self.kind, local_ids).items() if one.merged is not None}

    def is_linked(self, compared: Held) -> bool:
        return compared.link is not None and compared.link.state != "gone"

    def agrees(self, compared: Held, field: str) -> bool:
        return compared.merged is not None and field in compared.merged.agreed

    def value(self, compared: Held, field: str, choice: str) -> str:
        record = compared.theirs if choice == "theirs" else compared.ours
        return sales_fields.shown(record, field) if record is not None else ""

    def write_by_hand(
        self, compared: Held, field: str, value: Typed | None, *, actor: Actor, now: datetime
    ) -> str:  # fmt: skip
        raise Invalid({"value": f"Change the {self.subject} on its own page, then keep ours."})

    def carry_out(
        self, session: Session, meant: Sequence[Held], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> bool:  # fmt: skip
        bases = []
        for one in meant:
            assert one.merged is not None and one.theirs is not None
            agreed = one.merged.here[field] if choice == "theirs" else sales_fields.keys(one.theirs)[field]
            bases.append({"id": one.link.id, "base": {**one.link.base, field: agreed}})
        update_by_id(session, table_of(Link), bases)
        goes_out = all(one.direction.goes_out for one in meant)
        if choice != "theirs" and goes_out:
            wishes = {one.document.id: outbox.Wish("update", outbox.dated(_fields(one, field), now),
                                                   needs=tuple(sales_documents.needs(one.document)))
                      for one in meant if leaves(one.document)}  # fmt: skip
            outbox.note_many(session, books.id, self.kind, wishes, trigger="conflict", actor=actor, now=now)
        decided = Decided(frozenset([field]), actor) if choice == "theirs" else None
        batch = Batch(session, books, now, trigger="person")
        deciding.again(batch, self.kind, [one.document.id for one in meant], decided=decided)
        self._log(session, meant, field, choice, books=books, actor=actor, now=now)
        return goes_out

    def said(self, compared: Held, field: str, choice: str, *, chosen: str, goes_out: bool) -> str:
        title, value = TITLES[field].capitalize(), chosen or "nothing"
        if choice == "theirs":
            return f"{title}: {value} was taken from QuickBooks."
        there = self.value(compared, field, "theirs") or "nothing"
        if not goes_out:
            return f"{title}: {value} stays here; QuickBooks keeps {there}, since nothing is sent there."
        if not leaves(compared.document):
            return f"{title}: {value} stays here, and goes to QuickBooks once the {self.subject} is sent again."
        return f"{title}: {value} stays here and is sent to QuickBooks, where it was {there}."

    def tell(self, texts: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
        for document_id, text in texts.items():
            document = db.session.get_one(SalesDocument, document_id)
            sales_documents.tell(document, "decided", text, actor=actor, now=now)

    def again(self, session: Session, local_ids: Sequence[int], *, books: Books, now: datetime) -> None:
        deciding.again(Batch(session, books, now, trigger="person"), self.kind, local_ids)

    def _log(
        self, session: Session, meant: Sequence[Held], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> None:  # fmt: skip
        if meant:
            session.execute(insert(table_of(SyncLogEntry)), [
                {"connection_id": books.id, "at": now, "level": "info", "event": "conflict_decided", "kind": self.kind,
                 "remote_id": one.link.remote_id, "contact_id": one.document.contact_id, "trigger": "person",
                 "outcome": choice, "direction": "in" if choice == "theirs" else "out",
                 "details": {"field": field, "local_id": one.document.id},
                 "message": f"{TITLES[field].capitalize()}: decided by {actor.label}. {CHOICES[choice]}."}
                for one in meant
            ])  # fmt: skip


def _fields(one: Held, field: str) -> list[str]:
    """What goes out with the decision. Lines written over those of a void document: it is void no more, so the word
    that the books put before its private note goes as well."""
    assert one.theirs is not None
    if field != WHOLE or not one.theirs.void:
        return [field]
    note = one.document.private_note
    if note.startswith(VOIDED):
        one.document.private_note = note.removeprefix(VOIDED).removeprefix(" - ")
    return [field, "private_note"]
