"""Proofs: the list, one with its figures and differences, asking for one, and the buttons that mend.

Bookkeepers read and ask; what a proof finds is mended by reading again, which writes nothing to the books.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import Place, answers_on
from crm.db import transaction
from crm.domain.errors import Invalid
from crm.domain.proof import STATES, STEPS
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import proofs as queries
from crm.security import requires
from crm.services.sync.proof import mending as proof_mending
from crm.services.sync.proof import proof
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("proofs", __name__, url_prefix="/sync/proofs")
FILTERS = {"q": "", "state": "", "trigger": "", "sort": ""}
#: Remedy -> endpoint and words of the page where it is done.
PLACES = {"outbox": ("outbox.index", "Open the outbox"), "open_conflict": ("conflicts.index", "Open the conflict"),
          "waits": ("outbox.index", "Open the outbox"), "decide": ("conflicts.index", "Open the conflict"),
          "import": ("integrations.index", "Go to the import"),
          "settings": ("sync_settings.index", "Open the settings")}  # fmt: skip


def _asked_from() -> Place:
    """The page on which a proof was asked for: one of an older proof, or the list."""
    text = request.form.get("proof", "")
    return ("proofs.show", {"proof_id": int(text)}) if text.isdigit() and len(text) < 10 else ("proofs.index", {})


@blueprint.get("")
@requires("proofs.read")
def index() -> Any:
    filters = filters_of(request.args, FILTERS)
    return page(
        "proofs/index.html",
        page=queries.page(**filters, number=page_number(request.args)),
        filters=filters,
        states=list(STATES.items()),
        triggers=list(queries.TRIGGERS.items()),
        companies=[(id_, name, queries.paused(id_)) for id_, name in queries.companies()],
    )


@blueprint.get("/proofs.csv")
@requires("proofs.read")
def export() -> Any:
    header = ("Id", "Company", "Result", "Differences", "Asked for by", "Trigger", "As of (UTC)", "Ended (UTC)",
              "Error")  # fmt: skip
    rows = queries.each(**filters_of(request.args, FILTERS))
    return csv_response("proofs.csv", header, (
        (row.proof.id, row.company, row.proof.state, row.differences, row.proof.requested_by, row.proof.trigger,
         *(at.isoformat() if at else "" for at in (row.proof.as_of, row.proof.finished_at)), row.proof.error)
        for row in rows
    ))  # fmt: skip


@blueprint.post("")
@requires("proofs.read")
@answers_on(_asked_from)
def start() -> Any:
    text = request.form.get("connection", "")
    if not text.isdigit() or len(text) > 9:
        raise Invalid({"connection": "Say which company is to be proved: choose one and press the button again."})
    thorough = request.form.get("thorough") == "1"
    with transaction():
        started = proof.start(int(text), trigger="person", actor=actor(), now=clock.now(), thorough=thorough)
        proof_id = started.id
    return go("proofs.show", proof_id=proof_id)


@blueprint.get("/<int:proof_id>")
@requires("proofs.read")
def show(proof_id: int) -> Any:
    filters = filters_of(request.args, {"kind": "", "q": ""})
    row = queries.one(proof_id)
    return page(
        "proofs/show.html",
        fragment="proofs/_proof.html",
        row=row,
        paused=queries.paused(row.proof.connection_id),
        steps=len(STEPS),
        lines=queries.lines(proof_id, **filters, number=page_number(request.args)),
        filters=filters,
        kinds=queries.line_kinds(proof_id),
        mendable=queries.mendable(proof_id),
        to_set_right=queries.to_set_right(proof_id),
        remedy_place=_place,
    )


@blueprint.get("/<int:proof_id>/differences.csv")
@requires("proofs.read")
def differences(proof_id: int) -> Any:
    row = queries.one(proof_id)
    header = ("What", "QuickBooks id", "Name", "Figure", "Ours", "QuickBooks", "Difference", "Cause",
              "Asked again (UTC)")  # fmt: skip
    figures = (
        ("All", "", one.title, one.currency or "how many", one.ours, one.theirs, one.difference, "", "")
        for one in row.figures
    )
    found = (
        (view.what, view.line.remote_id, view.line.name, view.figure, view.line.ours, view.line.theirs,
         view.difference, view.line.cause, view.line.mended_at.isoformat() if view.line.mended_at else "")
        for view in queries.each_line(proof_id, **filters_of(request.args, {"kind": "", "q": ""}))
    )  # fmt: skip
    return csv_response(f"proof-{proof_id}.csv", header, (line for part in (figures, found) for line in part))


@blueprint.post("/<int:proof_id>/mend")
@requires("proofs.read")
@answers_on("proofs.show")
def mend(proof_id: int) -> Any:
    line_id = _line()
    with transaction():
        number = proof_mending.mend(proof_id, line_id=line_id, actor=actor(), now=clock.now())
    what = "1 object is" if number == 1 else f"{number} objects are"
    if queries.paused(queries.one(proof_id).proof.connection_id):
        flash(f"{plural(number, 'object')} will be read again once the sync is resumed: it is paused.", "info")
    else:
        flash(f"{what} being read again from QuickBooks. The next proof says what it helped.", "success")
    return go("proofs.show", proof_id=proof_id)


@blueprint.post("/<int:proof_id>/set-right")
@requires("proofs.read")
@answers_on("proofs.show")
def set_right(proof_id: int) -> Any:
    line_id = _line()
    with transaction():
        number = proof_mending.set_right(proof_id, line_id=line_id, actor=actor(), now=clock.now())
    left = queries.to_set_right(proof_id) if line_id is None else 0
    more = f" {plural(left, 'line')} left: press again." if left else " The next proof says what it helped."
    flash(f"{plural(number, 'object')} set back to what was read of QuickBooks.{more}", "success")
    return go("proofs.show", proof_id=proof_id)


def _line() -> int | None:
    """The one line that is meant, where one is named."""
    text = request.form.get("line", "")
    if text and not (text.isdigit() and len(text) < 10):
        raise Invalid({"line": "That is no line of this proof. Reload the page and press the button again."})
    return int(text) if text else None


def _place(remedy: str) -> tuple[str, str] | None:
    """Address and words of the page where a remedy is done; None where this installation has none."""
    endpoint, words = PLACES.get(remedy, ("", ""))
    return (url_for(endpoint), words) if endpoint in current_app.view_functions else None
