"""A vendor or bill that was changed here and came in changed: field by field, the lines of a bill as a whole.

What theirs wins is taken into our row, what ours wins waits in the outbox, and what nobody but a person can decide
becomes a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from crm.db import table_of
from crm.domain import purchase_fields
from crm.domain.directions import OFF
from crm.models import Link
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.conflicts import Question
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.purchases import rows, taking
from crm.services.sync.purchases.comparing import MODELS, Held, held
from crm.services.sync.work import Batch

COLUMNS: Mapping[str, tuple[str, ...]] = {"vendor": ("vendor_remote_id",), "lines": ("lines", "total")}
"""Shared field -> our columns, where these are others."""


def applied(batch: Batch, kind: str, records: Sequence[Any]) -> None:
    """Merge those of the records that were changed here."""
    model = MODELS[kind]
    ids = [record.origin.remote_id for record in records]
    mine = (model.connection_id == batch.books.id, model.remote_id.in_(ids), model.edited_at.is_not(None))
    merge_ours(batch, kind, list(batch.session.scalars(select(model.id).where(*mine).order_by(model.id))))


def merge_ours(batch: Batch, kind: str, ids: Sequence[int], *, chosen: Sequence[str] = ()) -> None:
    """The same by our ids, from what the books last said."""
    if not ids:
        return
    found = held(batch.session, batch.books, kind, ids, chosen=chosen)
    questions: list[Question] = []
    wishes: dict[int, outbox.Wish] = {}
    whole: dict[int, Any] = {}
    for id_, one in found.items():
        if one.merged is None:
            continue
        questions += [_question(one, name, reason) for name, reason in one.merged.asked.items()]
        update_by_id(batch.session, table_of(Link), [
            {"id": one.link.id, "base": one.merged.base, "version": one.theirs.origin.version,
             "state": taking.state_of(one.theirs), "synced_at": batch.now}
        ])  # fmt: skip
        if not one.merged.sent and not one.merged.asked and not one.merged.differing:
            whole[id_] = one.theirs
            continue
        _take_fields(batch, kind, one)
        if one.merged.sent and one.direction.goes_out and not one.waiting:
            wishes[id_] = outbox.Wish("update")
    taking.take_whole(batch, kind, whole)
    if settings.current(batch.session, batch.books.id, kind).direction != OFF:
        conflicts.open_or_refresh(batch.session, batch.books.id, kind, questions, ids=list(found), now=batch.now)
    if wishes:
        outbox.note_many(batch.session, batch.books.id, kind, wishes, trigger="change", actor=batch.books.actor,
                         now=batch.now)  # fmt: skip


def _take_fields(batch: Batch, kind: str, one: Held) -> None:
    assert one.merged is not None
    said = taking.COLUMNS[kind](one.theirs)
    values = {name: said[name] for field in one.merged.taken for name in COLUMNS.get(field, (field,))}
    if kind == "vendor":
        values["active"] = one.theirs.active
        values |= rows.vendor_texts({name: values.get(name, getattr(one.row, name)) for name in said if name in
                                     ("display_name", "company_name", "email", "account_number", "phone")})  # fmt: skip
    else:
        if "vendor_remote_id" in values:
            values["vendor_id"] = taking.owners_of(batch, [one.theirs]).get(one.theirs.vendor.remote_id)
        now_said = {name: values.get(name, getattr(one.row, name)) for name in ("number", "private_note", "lines")}
        values |= rows.bill_texts(now_said)
    update_by_id(batch.session, table_of(MODELS[kind]), [
        {"id": one.row.id, **values, "updated_at": batch.now, "lock": one.row.lock + 1}
    ])  # fmt: skip
    taking.forget(batch.session)


def _question(one: Held, field: str, reason: str) -> Question:
    assert one.merged is not None
    ours, theirs = purchase_fields.shown(one.ours, field), purchase_fields.shown(one.theirs, field)
    here, there = one.merged.here[field], purchase_fields.keys(one.theirs)[field]
    before = one.link.base.get(field, "")
    base = ours if before == here else theirs if before == there else purchase_fields.shown_key(field, before)
    return Question(
        one.row.id, one.link.remote_id, field, reason, base, ours, theirs, one.edited.get(field),
        one.theirs.origin.updated_at,
    )  # fmt: skip
