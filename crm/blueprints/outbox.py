"""The outbox: what must leave for the books, why some of it waits for a person, and what that person can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, g, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.objects import address_of, word_of
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain import log_filters, outbox_words
from crm.domain.directions import OUTGOING
from crm.domain.errors import Invalid, NotFound
from crm.domain.outbox_words import TABS
from crm.domain.plans import field_title
from crm.domain.refusals import REFUSALS
from crm.domain.runs import RESOURCES
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import outbox as queries
from crm.queries.outbox import OutboxFilters
from crm.security import requires
from crm.services import parked_documents
from crm.services.sync.outbox import parked
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("outbox", __name__, url_prefix="/sync/outbox")

NOTHING: Mapping[str, str] = {}
FILTERS = {"tab": "waiting", "q": "", "kind": "", "cause": "", "trigger": "", "since": "", "until": "", "sort": ""}
HEADER = ("Id", "Company", "Kind", "Own id", "About", "QuickBooks id", "Operation", "State", "Cause", "Error",
          "Error code", "Trace id", "Trigger", "Who", "Fields", "Attempts", "Created (UTC)",
          "Settled (UTC)")  # fmt: skip
Deed = Callable[..., Any]
#: What a press of a button does with one entry, and what is said then.
DEEDS: dict[str, tuple[Deed, str]] = {
    "retry": (parked.retry, "It is tried again now."),
    "skip": (parked.skip, "Skipped. It stays under Skipped until you put it back."),
    "unskip": (parked.unskip, "Put back: it is sent now."),
    "drop": (parked.drop, "Given up: nothing is sent. A later change is sent again."),
    "create_again": (parked.create_again, "A new customer is created in QuickBooks from this contact."),
    "reactivate": (parked.reactivate, "The customer is made active there, then the change follows."),
    "unlink": (parked.unlink, "Unlinked. The contact stays here and is no longer kept in step."),
}
#: Of quotes and invoices, where they need something else than contacts do.
DEEDS_OF_DOCUMENTS: dict[str, tuple[Deed, str]] = {
    "next_number": (parked_documents.next_number, "It bears another number now, and is sent again."),
    "create_again": (parked_documents.create_again, "A new document is created in QuickBooks from this one."),
    "unlink": (parked_documents.delete_here, "Deleted here too. It stays in the history of its contact."),
    "reactivate": (parked_documents.reactivate, "The product is made active there, then the document follows."),
}
BY_CAUSE: dict[str, tuple[Deed, str]] = {
    "retry": (parked.retry_cause, "tried again now"), "skip": (parked.skip_cause, "skipped"),
}  # fmt: skip
#: Of entries that are not parked: state -> buttons.
BUTTONS = {
    "pending": ("retry", "skip", "drop"), "frozen": ("retry",), "skipped": ("unskip", "drop"), "done": ("undo",),
}  # fmt: skip
EMPTY = {
    "waiting": ("Nothing waits", "No change waits to be handed to QuickBooks."),
    "sending": ("Nothing is on the way", "Changes stand here for a few seconds, until QuickBooks has answered."),
    "parked": ("Nothing is parked", "What QuickBooks refuses stands here with its reason."),
    "skipped": ("Nothing is skipped", "What you skip stands here, so that it can be put back."),
    "done": ("Nothing was sent yet", "Changes that have arrived in QuickBooks stand here."),
}


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"outbox_words": outbox_words, "outbox_causes": REFUSALS, "field_title": field_title,
            "address_of": address_of, "word_of": word_of, "moment": datetime.fromisoformat}  # fmt: skip


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    counts, causes = queries.tabs(), queries.causes()
    filters = _filters(counts)
    kept = {name: getattr(filters, name) for name in FILTERS}
    found, errors = _read(filters)
    return page(
        "outbox/index.html",
        page=found,
        errors=errors,
        status=422 if errors else 200,
        filters=filters,
        kept=kept,
        narrowed=any(kept[name] for name in ("q", "kind", "cause", "trigger", "since", "until")),
        tabs=_tabs(filters.tab, counts),
        elsewhere=_elsewhere(filters.tab, counts),
        causes=causes,
        choices={
            "kind": [(kind, RESOURCES[kind]) for kind in OUTGOING if kind in RESOURCES],
            "cause": [(cause.key, cause.title) for cause in causes],
            "trigger": [(word, outbox_words.TRIGGERS.get(word, word)) for word in queries.triggers()],
        },
        any=queries.any_at_all(),
        empty=EMPTY[filters.tab],
    )


@blueprint.get("/export.csv")
@requires("connections.manage")
@answers_on("outbox.index")
def export() -> Any:
    filters = _filters(queries.tabs())
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
        buttons=_buttons(entry),
        waits=outbox_words.behind(parked.waiting_behind(db.session(), [entry_id])[entry_id]),
        bearers=parked_documents.bearers(entry) if entry.cause == "duplicate_number" else [],
        link=queries.link_of(entry),
        lines=queries.history(entry),
        others=queries.others_of(entry),
        there_url=queries.address_there(entry),
        waiting_why=_why_waiting(row),
        typed=request.form.get("name", ""),
        errors=g.refusal.fields if "refusal" in g else NOTHING,
    )


@blueprint.post("/<int:entry_id>/do/<deed>")
@requires("connections.manage")
@answers_on("outbox.show")
def do(entry_id: int, deed: str) -> Any:
    deeds = DEEDS | (DEEDS_OF_DOCUMENTS if queries.one(entry_id).entry.kind in parked_documents.KINDS else {})
    if deed not in deeds:
        raise NotFound("There is no such thing to do with an entry of the outbox.")
    act, words = deeds[deed]
    with transaction():
        act(entry_id, actor=actor(), now=clock.now())
    flash(words, "success")
    return go("outbox.show", entry_id=entry_id)


@blueprint.post("/<int:entry_id>/adopt")
@requires("connections.manage")
@answers_on("outbox.show")
def adopt(entry_id: int) -> Any:
    of_document = queries.one(entry_id).entry.kind in parked_documents.KINDS
    act = parked_documents.adopt if of_document else parked.adopt
    with transaction():
        act(entry_id, request.form.get("remote_id", ""), actor=actor(), now=clock.now())
    flash("Linked. What differs is sent as a change; no second one is created.", "success")
    return go("outbox.show", entry_id=entry_id)


@blueprint.post("/<int:entry_id>/name")
@requires("connections.manage")
@answers_on("outbox.show")
def name(entry_id: int) -> Any:
    with transaction():
        parked.use_name(entry_id, request.form.get("name", ""), actor=actor(), now=clock.now())
    flash("It is sent with that name; the contact keeps its own here.", "success")
    return go("outbox.show", entry_id=entry_id)


@blueprint.post("/cause")
@requires("connections.manage")
@answers_on("outbox.index")
def cause() -> Any:
    form, now = request.form, clock.now()
    act, done = BY_CAUSE["skip" if form.get("deed") == "skip" else "retry"]
    connection_id = log_filters.number(form.get("connection_id", "")) or 0
    with transaction():
        number = act(connection_id, form.get("cause", ""), actor=actor(), now=now)
    flash(f"{plural(number, 'entry', 'entries')} {done}.", "success" if number else "info")
    return go("outbox.index", tab="parked")


def _buttons(entry: Any) -> tuple[str, ...]:
    """What a person may do: of a parked entry what its cause offers, else what its state does."""
    if entry.state != "parked":
        return BUTTONS.get(entry.state, ())
    row = REFUSALS.get(entry.cause)
    buttons = row.buttons if row and row.buttons else ("retry", "skip")
    if entry.cause == "reference" and not entry.evidence.get("products"):
        return tuple(name for name in buttons if name != "reactivate")
    return buttons


def _why_waiting(row: queries.EntryRow) -> str:
    if row.read_only:
        return "Nothing is written to QuickBooks before you approved a first plan. Later changes are added to this one."
    if row.connection_state != "connected":
        return "The connection needs an admin. It goes out by itself once the company is connected again."
    return "It goes out within seconds, unless the sync is paused or something it needs is not there yet."


def _filters(counts: Mapping[str, int | None]) -> OutboxFilters:
    """As the address says them; without a tab the first that holds something."""
    values = filters_of(request.args, FILTERS)
    tab = values["tab"] if "tab" in request.args and values["tab"] in TABS else outbox_words.first_tab(counts)
    return OutboxFilters(**values | {"tab": tab})


def _read(filters: OutboxFilters) -> tuple[queries.EntryPage, Mapping[str, str]]:
    """What was found, and what is wrong with the filters."""
    try:
        return queries.page(filters, number=page_number(request.args)), NOTHING
    except Invalid as problem:
        return queries.NONE, problem.fields


def _elsewhere(now: str, counts: Mapping[str, int | None]) -> tuple[str, str]:
    """What needs somebody in another tab, in a sentence, and where it stands; both empty where nothing does."""
    for tab, sentence in outbox_words.needing(now, counts):
        return sentence, url_for("outbox.index", tab=tab)
    return "", ""


def _tabs(now: str, counts: Mapping[str, int | None]) -> list[tuple[str, str, bool, int | None]]:
    return [(words, url_for("outbox.index", tab=tab), tab == now, counts[tab]) for tab, (words, _) in TABS.items()]


def _cells(row: queries.EntryRow) -> tuple[Any, ...]:
    one = row.entry
    return (
        one.id, row.company, one.kind, one.local_id, row.name, one.remote_id, one.operation, one.state, one.cause,
        one.error, one.error_code, one.trace_id, one.trigger, one.actor, " ".join(one.changes or one.fields),
        one.attempts, one.created_at.isoformat(), one.settled_at.isoformat() if one.settled_at else "",
    )  # fmt: skip
