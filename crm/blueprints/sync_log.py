"""The sync log: everything that was read, written or refused, searched and downloaded; one line with all it knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request

from crm.blueprints.objects import address_of, word_of
from crm.blueprints.refusing import answers_on
from crm.domain import log_filters
from crm.domain.errors import Invalid
from crm.domain.runs import RESOURCES
from crm.exports import csv_response
from crm.queries import sync_log as queries
from crm.security import requires
from crm.web import page

blueprint = Blueprint("sync_log", __name__, url_prefix="/sync/log")

HEADER = ("Id", "At (UTC)", "Company", "Level", "Event", "Direction", "Trigger", "Run", "Kind", "QuickBooks id",
          "Contact id", "Contact", "Attempt", "Milliseconds", "Outcome", "Error code", "Trace id", "Message",
          "Details")  # fmt: skip


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    filters = log_filters.read(request.args)
    errors: Mapping[str, str] = {}
    try:
        queries.check(filters)
        found = queries.page(filters, before=log_filters.number(request.args.get("before", "")))
    except Invalid as problem:
        found, errors = queries.NONE, problem.fields
    return page("sync_log/index.html", found=found, filters=filters, choices=_choices(), words=WORDS, errors=errors,
                status=422 if errors else 200)  # fmt: skip


@blueprint.get("/export.csv")
@requires("connections.manage")
@answers_on("sync_log.index")
def export() -> Any:
    filters = log_filters.read(request.args)
    queries.check(filters)
    return csv_response("sync-log.csv", HEADER, (_cells(row) for row in queries.each(filters)))


@blueprint.get("/<int:entry_id>")
@requires("connections.manage")
def show(entry_id: int) -> Any:
    row = queries.one(entry_id)
    return page(
        "sync_log/show.html",
        row=row,
        entry=row.entry,
        others=queries.same_object(row.entry),
        outbox=queries.outbox_entries(row.entry),
        object_url=address_of(row.entry.kind, queries.object_of(row.entry)),
        object_word=word_of(row.entry.kind),
        words=WORDS,
        parts=[(name, _pretty(value)) for name, value in row.entry.details.items()],
    )


#: What programs write, as people read it; a word that is missing is shown as it is.
WORDS = {"in": "From QuickBooks", "out": "To QuickBooks", **{kind: title for kind, title in RESOURCES.items()}}


def _choices() -> dict[str, list[tuple[str, str]]]:
    found = {name: queries.words_in_use(name) for name in ("trigger", "kind", "outcome", "event")}
    return {name: [(word, WORDS.get(word, word.replace("_", " ").capitalize())) for word in words]
            for name, words in found.items()} | {
        "direction": list(log_filters.DIRECTIONS), "level": list(log_filters.LEVELS),
    }  # fmt: skip


def _cells(row: queries.LogRow) -> tuple[Any, ...]:
    one = row.entry
    return (
        one.id, one.at.isoformat(), row.company, one.level, one.event, one.direction, one.trigger, one.run_id, one.kind,
        one.remote_id, one.contact_id, row.contact, one.attempt, one.duration_ms, one.outcome, one.error_code,
        one.trace_id, one.message, json.dumps(one.details, ensure_ascii=False, default=str) if one.details else "",
    )  # fmt: skip


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
