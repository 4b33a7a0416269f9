"""Imports: the list of them; starting one, watching it, its result, stopping it.

The page of a run is one fragment with three faces that looks again by itself.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import Place, answers_on
from crm.db import transaction
from crm.exports import csv_response
from crm.queries import runs
from crm.queries import sync as queries
from crm.security import requires
from crm.services import sync
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("sync_runs", __name__, url_prefix="/integrations")
COUNTS = ("created", "linked", "enriched", "review", "unchanged", "gone", "refused", "calls")


def _asked_from(connection_id: int) -> Place:
    """The page on which an import was asked for: the dashboard of the sync, or the company's own."""
    own = ("integrations.show", {"connection_id": connection_id})
    return ("engine.index", {}) if request.form.get("from") == "engine" else own


@blueprint.post("/<int:connection_id>/import")
@requires("connections.manage")
@answers_on(_asked_from)
def start(connection_id: int) -> Any:
    wanted, plan_first = request.form.getlist("resources"), request.form.get("plan") == "first"
    with transaction():
        run = sync.start_run(
            connection_id, resources=wanted, trigger="person", actor=actor(), now=clock.now(), plan_first=plan_first
        )
        run_id = run.id
    return go("sync_runs.show", run_id=run_id)


@blueprint.get("/runs")
@requires("connections.manage")
def index() -> Any:
    filters = _filters()
    found = runs.page(**filters, number=page_number(request.args))
    return page("sync_runs/index.html", page=found, filters=filters, states=list(runs.STATES))


@blueprint.get("/runs.csv")
@requires("connections.manage")
def export() -> Any:
    header = ("Id", "Company", "State", "Who", "Trigger", "Resources", "Asked for (UTC)", "Started (UTC)",
              "Ended (UTC)", *(name.replace("_", " ").capitalize() for name in COUNTS), "Error")  # fmt: skip
    return csv_response("imports.csv", header, (
        (row.run.id, row.company, row.run.state, row.run.requested_by, row.run.trigger, " ".join(row.run.resources),
         *(moment.isoformat() if moment else "" for moment in
           (row.run.created_at, row.run.started_at, row.run.finished_at)),
         *(row.run.counts.get(name, 0) for name in COUNTS), row.run.error)
        for row in runs.each(**_filters())
    ))  # fmt: skip


def _filters() -> dict[str, str]:
    return filters_of(request.args, {"q": "", "state": "", "sort": ""})


@blueprint.get("/runs/<int:run_id>")
@requires("connections.manage")
def show(run_id: int) -> Any:
    plan = sync.plan(queries.resources_of(run_id), plan_first=queries.is_planned(run_id))
    run = queries.run(run_id, plan=plan, now=clock.now())
    number = max(1, request.args.get("page", 1, type=int))
    return page(
        "sync_runs/show.html",
        fragment="sync_runs/_run.html",
        run=run,
        trouble=queries.trouble(run_id),
        refused=queries.log_page(run_id, "record_refused", number=number),
        outcomes=queries.OUTCOMES,
        recent=queries.recent(run.connection_id),
    )


@blueprint.get("/runs/<int:run_id>/refused.csv")
@requires("connections.manage")
def refused(run_id: int) -> Any:
    queries.resources_of(run_id)
    rows = queries.log_rows(run_id, ("record_refused", "customer_ignored"))
    header = ("What", "Kind", "QuickBooks id", "Reason")
    return csv_response(
        f"import-{run_id}-left-out.csv", header,
        ((row.event.split("_")[1], row.kind, row.remote_id, row.message) for row in rows),
    )  # fmt: skip


@blueprint.post("/runs/<int:run_id>/cancel")
@requires("connections.manage")
@answers_on("sync_runs.show")
def cancel(run_id: int) -> Any:
    with transaction():
        run = sync.cancel_run(run_id, actor=actor(), now=clock.now())
        ended = run.state == "cancelled"
    flash("The import was cancelled." if ended else "The import stops after the page at hand.", "success")
    return go("sync_runs.show", run_id=run_id)


@blueprint.post("/runs/<int:run_id>/wake")
@requires("connections.manage")
@answers_on("sync_runs.show")
def wake(run_id: int) -> Any:
    with transaction():
        sync.wake_run(run_id, now=clock.now())
    return go("sync_runs.show", run_id=run_id)
