"""Scheduled work for admins: what ran and what did not, each with its reason; run now, pause, resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import job_filters
from crm.domain import jobs as rules
from crm.domain.errors import Invalid, NotFound
from crm.domain.job_filters import JobFilters
from crm.exports import csv_response
from crm.queries import jobs as queries
from crm.queries.jobs import RunFilters
from crm.security import requires
from crm.services import jobs as services
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

HEADER = ("Key", "Title", "Reason", "Every (seconds)", "State", "Trouble", "Last run (UTC)", "Milliseconds", "Outcome",
          "Error", "Next (UTC)", "Runs", "Failures in a row", "Paused (UTC)", "Paused by")  # fmt: skip
RUN_HEADER = ("Id", "Started (UTC)", "Ended (UTC)", "Outcome", "Milliseconds", "Cause", "Asked by", "Error")
RUN_OUTCOMES = [*rules.OUTCOMES.items(), (queries.RUNNING, "Running")]
NOTHING: Mapping[str, str] = {}


@blueprint.get("")
@requires("jobs.manage")
def index() -> Any:
    now, filters = clock.now(), _filters()
    watch = queries.watch(_schedule(), now=now)
    errors: Mapping[str, str] = {}
    try:
        rows = job_filters.found(watch.judged, filters)
    except Invalid as problem:
        rows, errors = [], problem.fields
    return page(
        "jobs/index.html",
        fragment="jobs/_list.html",
        watch=watch,
        rows=rows,
        filters=filters,
        kept=_kept(filters),
        groups=list(job_filters.GROUPS.items()),
        errors=errors,
        status=422 if errors else 200,
    )


@blueprint.get("/export.csv")
@requires("jobs.manage")
@answers_on("jobs.index")
def export() -> Any:
    rows = job_filters.found(queries.watch(_schedule(), now=clock.now()).judged, _filters())
    return csv_response("jobs.csv", HEADER, (_cells(one) for one in rows))


@blueprint.get("/<key>")
@requires("jobs.manage")
def show(key: str) -> Any:
    entry, filters = _entry(key), _run_filters()
    errors: Mapping[str, str] = {}
    try:
        found = queries.runs(key, filters, number=page_number(request.args))
    except Invalid as problem:
        found, errors = queries.NONE, problem.fields
    kept = {name: value for name in RUN_NAMES if (value := getattr(filters, name))}
    watch = queries.watch({key: entry}, now=clock.now())
    return page(
        "jobs/show.html",
        fragment="jobs/_job.html",
        job=watch.judged[0],
        page=found,
        filters=filters,
        kept=kept,
        narrowed=any(name != "sort" for name in kept),
        outcomes=RUN_OUTCOMES,
        triggers=list(queries.TRIGGERS.items()),
        words=dict(RUN_OUTCOMES),
        errors=errors,
        status=422 if errors else 200,
    )


@blueprint.get("/<key>/export.csv")
@requires("jobs.manage")
@answers_on("jobs.show")
def export_runs(key: str) -> Any:
    _entry(key)
    filters = _run_filters()
    queries.check(key, filters)
    return csv_response(f"{key}.csv", RUN_HEADER, (
        (row.id, _moment(row.started_at), _moment(row.finished_at), row.outcome or queries.RUNNING, row.took_ms,
         row.trigger, row.asked_by, row.error)
        for row in queries.each_run(key, filters)
    ))  # fmt: skip


def _back(key: str) -> tuple[str, dict[str, Any]]:
    """The page whose button was pressed."""
    return ("jobs.show", {"key": key}) if request.form.get("from") == "job" else ("jobs.index", {})


@blueprint.post("/<key>/run")
@requires("jobs.manage")
@answers_on(_back)
def run(key: str) -> Any:
    entry = _entry(key)
    with transaction():
        services.ask(key, entry, actor=actor(), now=clock.now())
    flash(f"“{entry.title}” begins as soon as a worker takes it.", "success")
    return _return(key)


@blueprint.post("/<key>/pause")
@requires("jobs.manage")
@answers_on(_back)
def pause(key: str) -> Any:
    entry = _entry(key)
    with transaction():
        services.pause(key, entry, actor=actor(), now=clock.now())
    flash(f"“{entry.title}” is paused until somebody resumes it. {entry.meanwhile}".strip(),
          "warning" if entry.meanwhile else "success")  # fmt: skip
    return _return(key)


@blueprint.post("/<key>/resume")
@requires("jobs.manage")
@answers_on(_back)
def resume(key: str) -> Any:
    entry = _entry(key)
    with transaction():
        services.resume(key, entry, actor=actor(), now=clock.now())
    flash(f"“{entry.title}” is resumed. It runs now, and then in its turn.", "success")
    return _return(key)


def _return(key: str) -> Any:
    endpoint, values = _back(key)
    return go(endpoint, **values, **(_kept(_filters()) if endpoint == "jobs.index" else {}))


def _schedule() -> Mapping[str, rules.Entry]:
    found: Mapping[str, rules.Entry] = current_app.extensions["schedule"]
    return found


def _entry(key: str) -> rules.Entry:
    entry = _schedule().get(key)
    if entry is None:
        raise NotFound("There is no such scheduled work. It may have gone with a newer release.")
    return entry


def _filters() -> JobFilters:
    return JobFilters(**filters_of(request.args, {"q": "", "state": "", "sort": ""}))


def _kept(filters: JobFilters) -> dict[str, str]:
    """As they stand in an address: only what says something."""
    return {name: value for name in ("q", "state", "sort") if (value := getattr(filters, name))}


RUN_NAMES = ("q", "outcome", "trigger", "since", "until", "sort")


def _run_filters() -> RunFilters:
    return RunFilters(**filters_of(request.args, dict.fromkeys(RUN_NAMES, "")))


def _cells(one: rules.Judged) -> tuple[Any, ...]:
    facts = one.facts
    return (
        one.key, one.entry.title, one.entry.reason, int(one.entry.every.total_seconds()), one.words, one.trouble,
        _moment(facts.started_at), facts.took_ms, facts.outcome, facts.error, _moment(one.next_at), facts.runs,
        facts.failures, _moment(facts.paused_at), facts.paused_by,
    )  # fmt: skip


def _moment(value: Any) -> str:
    return value.isoformat() if value else ""
