"""The outbox: what must leave for the books, why some of it waits for a person, and what that person can do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, request, url_for

from crm.domain import outbox_words
from crm.domain.outbox_words import TABS
from crm.domain.refusals import REFUSALS
from crm.domain.runs import RESOURCES
from crm.domain.shared_fields import TITLES
from crm.exports import csv_response
from crm.queries import outbox as queries
from crm.queries.outbox import OutboxFilters
from crm.security import requires
from crm.web import filters_of, page, page_number

blueprint = Blueprint("outbox", __name__, url_prefix="/sync/outbox")

FILTERS = {"tab": "waiting", "q": "", "kind": "", "cause": "", "trigger": "", "since": "", "until": "", "sort": ""}
HEADER = ("Id", "Company", "Kind", "Contact id", "Contact", "QuickBooks id", "Operation", "State", "Cause", "Error",
          "Error code", "Trace id", "Trigger", "Who", "Fields", "Attempts", "Created (UTC)",
          "Settled (UTC)")  # fmt: skip
EMPTY = {
    "waiting": ("Nothing waits", "Every change was handed to QuickBooks or settled."),
    "sending": ("Nothing is on the way", "Changes stand here for a few seconds, until QuickBooks has answered."),
    "parked": ("Nothing is parked", "Every change could be sent. What QuickBooks refuses stands here with its reason."),
    "skipped": ("Nothing is skipped", "What you skip stands here, so that it can be put back."),
    "done": ("Nothing was sent yet", "Changes that have arrived in QuickBooks stand here."),
}


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"outbox_words": outbox_words, "outbox_causes": REFUSALS, "field_titles": TITLES,
            "moment": datetime.fromisoformat}  # fmt: skip


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    filters = _filters()
    causes = queries.causes()
    kept = {name: getattr(filters, name) for name in FILTERS}
    return page(
        "outbox/index.html",
        page=queries.page(filters, number=page_number(request.args)),
        filters=filters,
        kept=kept,
        narrowed=any(kept[name] for name in ("q", "kind", "cause", "trigger", "since", "until")),
        tabs=_tabs(filters.tab),
        causes=causes,
        choices={
            "kind": list(RESOURCES.items())[:1],
            "cause": [(cause.key, cause.title) for cause in causes],
            "trigger": [(word, outbox_words.TRIGGERS.get(word, word)) for word in queries.triggers()],
        },
        any=queries.any_at_all(),
        empty=EMPTY[filters.tab],
    )


@blueprint.get("/export.csv")
@requires("connections.manage")
def export() -> Any:
    filters = _filters()
    queries.check(filters)
    return csv_response("outbox.csv", HEADER, (_cells(row) for row in queries.each(filters)))


@blueprint.get("/<int:entry_id>")
@requires("connections.manage")
def show(entry_id: int) -> Any:
    row = queries.one(entry_id)
    entry = row.entry
    return page(
        "outbox/show.html",
        row=row,
        entry=entry,
        cause=REFUSALS.get(entry.cause),
        buttons=(),
        waits="",
        link=queries.link_of(entry),
        lines=queries.history(entry),
        others=queries.others_of(entry),
        there_url="",
        waiting_why="",
    )


def _filters() -> OutboxFilters:
    values = filters_of(request.args, FILTERS)
    return OutboxFilters(**values | {"tab": values["tab"] if values["tab"] in TABS else "waiting"})


def _tabs(now: str) -> list[tuple[str, str, bool, int | None]]:
    counts = queries.tabs()
    return [(words, url_for("outbox.index", tab=tab), tab == now, counts[tab]) for tab, (words, _) in TABS.items()]


def _cells(row: queries.EntryRow) -> tuple[Any, ...]:
    one = row.entry
    return (
        one.id, row.company, one.kind, one.local_id, row.name, one.remote_id, one.operation, one.state, one.cause,
        one.error, one.error_code, one.trace_id, one.trigger, one.actor, " ".join(one.changes or one.fields),
        one.attempts, one.created_at.isoformat(), one.settled_at.isoformat() if one.settled_at else "",
    )  # fmt: skip
