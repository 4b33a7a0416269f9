"""Quotes and invoices that are not in the books any more.

| deleted there, and here | becomes |
|---|---|
| unchanged | kept as evidence, in no list and no figure |
| to be deleted or void | the same: both sides wanted it |
| changed, its edit waits | stays; its entry of the outbox is parked: create it again there, or delete it here |
| changed, a draft | stays as a draft that the books do not know |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select

from crm.db import table_of
from crm.domain.directions import DIRECTIONS
from crm.models import Link, OutboxEntry, SalesDocument
from crm.services.identity_keys import chunks
from crm.services.sync import settings
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.sales import merging, told
from crm.services.sync.sales.taking import forget
from crm.services.sync.work import Batch

DOCUMENTS = table_of(SalesDocument)
DELETED = "Deleted in QuickBooks"
KEPT = "Deleted in QuickBooks; what was changed here since is kept, and a person decides"
DRAFT = "Deleted in QuickBooks; the draft here is kept"
ENDS = ("delete", "void")


def gone(batch: Batch, kind: str, remote_ids: Collection[str]) -> None:
    """Somebody has made sure that these are not there."""
    for part in chunks(sorted(remote_ids), 500):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(part))
        query = select(Link.id, Link.local_id).where(*mine, Link.state != "gone").order_by(Link.local_id)
        links = batch.session.execute(query).all()
        held = select(DOCUMENTS.c.id).where(DOCUMENTS.c.id.in_([row.local_id for row in links]))
        batch.session.execute(held.order_by(DOCUMENTS.c.id).with_for_update()).all()
        update_by_id(batch.session, table_of(Link), [{"id": row.id, "state": "gone"} for row in links])
        _part(batch, kind, [row.local_id for row in links])


def gone_again(batch: Batch, kind: str, remote_ids: Collection[str]) -> None:
    """The same for rows of ours that stand here although it is known that theirs are not there any more."""
    for part in chunks(sorted(remote_ids), 500):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(part))
        _part(batch, kind, list(batch.session.scalars(select(Link.local_id).where(*mine).order_by(Link.local_id))))


def _part(batch: Batch, kind: str, ids: Sequence[int]) -> None:
    query = select(DOCUMENTS.c.id, DOCUMENTS.c.state, DOCUMENTS.c.template, DOCUMENTS.c.edited_at)
    rows = batch.session.execute(query.where(DOCUMENTS.c.id.in_(ids)).order_by(DOCUMENTS.c.id).with_for_update()).all()
    ending = _ending(batch, kind, ids)
    kept = [row for row in rows if row.edited_at is not None and row.id not in ending]
    held = {row.id for row in kept}
    left = {"gone_at": batch.now, "edited_at": None, "seen_hash": "", "updated_at": batch.now}
    update_by_id(batch.session, DOCUMENTS, [{"id": row.id, **left} for row in rows if row.id not in held])
    there = {"seen_hash": "", "books_tax": None, "books_total": None, "updated_at": batch.now}
    update_by_id(batch.session, DOCUMENTS, [{"id": id_, **there} for id_ in held])
    asked = [row for row in kept if merging.leaves(row)]
    told.note(batch, [
        (row.id, "gone", DELETED if row.id not in held else KEPT if merging.leaves(row) else DRAFT, {}) for row in rows
    ])  # fmt: skip
    _ask(batch, kind, asked)
    merging.settle(batch, kind, [row.id for row in rows])
    forget(batch.session, [row.id for row in rows])


def _ending(batch: Batch, kind: str, ids: Sequence[int]) -> set[int]:
    """Those that are to be deleted or void there by us, or are just being."""
    query = select(OutboxEntry.local_id).where(
        OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == kind, OutboxEntry.local_id.in_(ids),
        OutboxEntry.operation.in_(ENDS), OutboxEntry.state.in_(outbox.OPEN),
    )  # fmt: skip
    return set(batch.session.scalars(query))


def _ask(batch: Batch, kind: str, rows: Sequence[Any]) -> None:
    """Each has an entry in the outbox, which is parked as gone when it is to be sent."""
    if rows and DIRECTIONS[settings.current(batch.session, batch.books.id, kind).direction].goes_out:
        wishes = {row.id: outbox.Wish("update") for row in rows}
        outbox.note_many(batch.session, batch.books.id, kind, wishes, trigger="change", actor=batch.books.actor,
                         now=batch.now)  # fmt: skip
