"""The API's operations about the outbox: the list, one entry with what waits behind it, and the deeds of a person."""

from __future__ import annotations

from typing import Any

from flask import g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import engine_outbox_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.api.engine_schemas import Nothing
from crm.db import db, transaction
from crm.domain.refusals import REFUSALS
from crm.queries import outbox as queries
from crm.queries.outbox import OutboxFilters
from crm.services.sync.outbox import parked

DEEDS = {"pending": ("retry", "skip"), "frozen": ("retry",), "skipped": ("unskip",)}
"""State -> what can be done; of a parked entry what its cause allows."""
CALCULATED = ("contact_id", "name", "fields")


@operation(
    blueprint, "GET", "/outbox", summary="What must leave for QuickBooks, and what has left, newest first",
    scope="read", answer=schemas.OutboxPage, query=schemas.OutboxQuery,
)  # fmt: skip
def list_outbox(query: schemas.OutboxQuery) -> schemas.OutboxPage:
    days = {name: day.isoformat() if day else "" for name, day in (("since", query.since), ("until", query.until))}
    rows = queries.newest(
        OutboxFilters(q=query.q, kind=query.kind, cause=query.cause, trigger=query.trigger, **days),
        before=_read_cursor(query.cursor), limit=query.limit + 1, state=query.state,
        connection_id=query.connection_id, contact_id=query.contact_id,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.OutboxPage(
        data=[schemas.OutboxRow.model_validate(_values(row)) for row in page],
        next_cursor=_cursor(page[-1].entry.id) if more else None,
    )


@operation(
    blueprint, "GET", "/outbox/<int:entry_id>", summary="One entry of the outbox", scope="read",
    answer=schemas.OutboxDetail, refusals=(404,),
)  # fmt: skip
def get_outbox_entry(entry_id: int) -> schemas.OutboxDetail:
    return _detail(entry_id)


@operation(
    blueprint, "POST", "/outbox/<int:entry_id>/retry", summary="Try it now; what may have been done goes out as it was",
    scope="write", answer=schemas.OutboxDetail, body=Nothing, refusals=(404, 409),
)  # fmt: skip
def retry_outbox_entry(entry_id: int, body: Nothing) -> schemas.OutboxDetail:
    with transaction():
        parked.retry(entry_id, actor=g.actor, now=clock.now())
    return _detail(entry_id)


@operation(
    blueprint, "POST", "/outbox/<int:entry_id>/skip", summary="Not now: it stays until it is put back",
    scope="write", answer=schemas.OutboxDetail, body=Nothing, refusals=(404, 409),
)  # fmt: skip
def skip_outbox_entry(entry_id: int, body: Nothing) -> schemas.OutboxDetail:
    with transaction():
        parked.skip(entry_id, actor=g.actor, now=clock.now())
    return _detail(entry_id)


@operation(
    blueprint, "POST", "/outbox/<int:entry_id>/unskip", summary="Put back what was skipped: it is sent",
    scope="write", answer=schemas.OutboxDetail, body=Nothing, refusals=(404, 409),
)  # fmt: skip
def unskip_outbox_entry(entry_id: int, body: Nothing) -> schemas.OutboxDetail:
    with transaction():
        parked.unskip(entry_id, actor=g.actor, now=clock.now())
    return _detail(entry_id)


def _values(row: queries.EntryRow) -> dict[str, Any]:
    entry = row.entry
    own = {name: getattr(entry, name) for name in schemas.OutboxRow.model_fields if name not in CALCULATED}
    fields = list(entry.changes or entry.fields)
    return own | {"contact_id": row.contact_id, "local_id": entry.local_id, "name": row.name, "fields": fields}


def _detail(entry_id: int) -> schemas.OutboxDetail:
    row = queries.one(entry_id)
    behind = parked.waiting_behind(db.session(), [entry_id])[entry_id]
    return schemas.OutboxDetail.model_validate(
        _values(row) | {"changes": row.entry.changes, "waiting_behind": behind, "deeds": _deeds(row.entry)}
    )


def _deeds(entry: Any) -> list[str]:
    if entry.state != "parked":
        return list(DEEDS.get(entry.state, ()))
    cause = REFUSALS.get(entry.cause)
    return [name for name in ("retry", "skip") if cause is None or not cause.buttons or name in cause.buttons]
