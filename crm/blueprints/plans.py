"""Plans of what would be written to QuickBooks: the list, one with its lines, deciding about it, undoing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import Place, answers_on
from crm.db import transaction
from crm.domain import contact_filters
from crm.domain.errors import Invalid, Refused
from crm.domain.plans import ACTIONS, OUTCOMES, PURPOSES, STATES, LineFilters, field_names
from crm.domain.shared_fields import TITLES
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import contacts, plan_lines
from crm.queries import plans as queries
from crm.security import requires
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("plans", __name__, url_prefix="/sync/plans")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"plannable": queries.connections}


def _asked_from() -> Place:
    """Where a plan was asked for: the company's page, or the list of plans."""
    form = request.form
    if form.get("from") == "integrations":
        return "integrations.show", {"connection_id": _number(form, "connection")}
    return "plans.index", {}


def _chosen_from() -> Place:
    """Where contacts were chosen: the page of the one, or the list."""
    form = request.form
    return ("contacts.show", {"contact_id": _number(form, "ids")}) if form.get("from") == "contact" else (
        "contacts.index", {})  # fmt: skip


def _undone_from() -> Place:
    return "outbox.show", {"entry_id": _number(request.form, "entry_id")}


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    filters = _filters()
    return page(
        "plans/index.html",
        page=queries.page(**filters, number=page_number(request.args)),
        filters=filters, states=list(STATES.items()), purposes=list(PURPOSES.items()),
        connections=queries.connections(),
    )  # fmt: skip


@blueprint.get("/plans.csv")
@requires("connections.manage")
def export() -> Any:
    header = ("Id", "Company", "Purpose", "State", "Made by", "Made (UTC)", "Approved by", "Approved (UTC)",
              "Ended (UTC)", *(action.title for action in ACTIONS.values()))  # fmt: skip
    return csv_response("plans.csv", header, (
        (row.plan.id, row.company, row.title, row.state_words, row.plan.created_by, _iso(row.plan.created_at),
         row.plan.approved_by, _iso(row.plan.approved_at), _iso(row.plan.finished_at),
         *(row.number(name) for name in ACTIONS))
        for row in queries.each(**_filters())
    ))  # fmt: skip


@blueprint.post("")
@requires("connections.manage")
@answers_on(_asked_from)
def make() -> Any:
    connection_id = _connection_id()
    with transaction():
        plan = plans.ask(connection_id, actor=actor(), now=clock.now())
    return go("plans.show", plan_id=plan.id)


@blueprint.post("/contacts")
@requires("connections.manage")
@answers_on(_chosen_from)
def make_of_contacts() -> Any:
    connection_id, ids = _connection_id(), _chosen_contacts()
    with transaction():
        plan = plans.ask(connection_id, contact_ids=ids, actor=actor(), now=clock.now())
    return go("plans.show", plan_id=plan.id)


@blueprint.post("/undo")
@requires("connections.manage")
@answers_on(_undone_from)
def undo_entry() -> Any:
    with transaction():
        plan = plans.ask_undo(entry_id=_number(request.form, "entry_id"), actor=actor(), now=clock.now())
    return go("plans.show", plan_id=plan.id)


@blueprint.post("/imports/<int:run_id>/undo")
@requires("connections.manage")
@answers_on("sync_runs.show")
def undo_import(run_id: int) -> Any:
    with transaction():
        plan = plans.ask_unimport(run_id, actor=actor(), now=clock.now())
    return go("plans.show", plan_id=plan.id)


@blueprint.post("/connections/<int:connection_id>/pause")
@requires("connections.manage")
@answers_on("integrations.show")
def pause(connection_id: int) -> Any:
    with transaction():
        connection = plans.pause_writing(connection_id, actor=actor(), now=clock.now())
    flash(f"{connection.company_name or 'QuickBooks'} is read-only again. What waits in the outbox stays there.",
          "success")  # fmt: skip
    return go("integrations.show", connection_id=connection_id)


@blueprint.get("/<int:plan_id>")
@requires("connections.manage")
def show(plan_id: int) -> Any:
    filters, errors = _readable_filters()
    return page(
        "plans/show.html",
        fragment="plans/_plan.html",
        view=queries.show(plan_id),
        page=plan_lines.lines(plan_id, filters, number=page_number(request.args)),
        approvable=plan_lines.approvable(plan_id, filters) if filters.narrowed else 0,
        decidable=plan_lines.decidable(plan_id, filters),
        filters=filters, actions=ACTIONS, outcomes=OUTCOMES, titles=TITLES, errors=errors,
        typed=request.values.get("least", ""), status=422 if errors else 200,
    )  # fmt: skip


@blueprint.get("/<int:plan_id>/lines.csv")
@requires("connections.manage")
@answers_on("plans.show")
def export_lines(plan_id: int) -> Any:
    queries.find(plan_id)
    header = ("Contact", "Contact id", "QuickBooks id", "Action", "Changes", "Reason", "Open balance", "Approved",
              "Outcome", "What happened")  # fmt: skip
    return csv_response(f"plan-{plan_id}.csv", header, (
        (view.line.name, view.line.local_id, view.line.remote_id, view.action,
         "; ".join(f"{title}: {old or 'nothing'} -> {new or 'nothing'}" for title, old, new, left in view.changes
                   if not left),
         view.line.reason, "" if view.line.amount is None else view.line.amount,
         {True: "yes", False: "no", None: ""}[view.line.approved], view.outcome, view.line.outcome_text)
        for view in plan_lines.each_line(plan_id, _line_filters(request.args))
    ))  # fmt: skip


@blueprint.post("/<int:plan_id>/approve")
@requires("connections.manage")
@answers_on("plans.show")
def approve(plan_id: int) -> Any:
    choice = _choice(request.form)
    with transaction():
        plan = plans.approve(plan_id, choice, actor=actor(), now=clock.now())
        number = plan.total
    flash(f"Approved: {plural(number, 'line')}. The page shows what becomes of each." if number
          else "Approved with nothing to write.", "success")  # fmt: skip
    return go("plans.show", plan_id=plan_id)


@blueprint.post("/<int:plan_id>/create")
@requires("connections.manage")
@answers_on("plans.show")
def create(plan_id: int) -> Any:
    ids = None if request.form.get("what") == "all" else _ids(request.form)
    with transaction():
        number = plans.choose(plan_id, line_ids=ids, now=clock.now())
    flash(f"{plural(number, 'contact')} would be created in QuickBooks. Nothing is written before you approve.",
          "success")  # fmt: skip
    return go("plans.show", plan_id=plan_id, action="create")


@blueprint.post("/<int:plan_id>/differences")
@requires("connections.manage")
@answers_on("plans.show")
def decide(plan_id: int) -> Any:
    """`ours`, `theirs` or `leave` for the ticked fields that differ, or (`rule`) for all that the filters leave."""
    form = request.form
    choice, _, rule = form.get("choice", "").partition("-")
    ids, filters = (None, _line_filters(form)) if rule else (_ids(form), LineFilters())
    with transaction():
        number = plans.decide(plan_id, choice, line_ids=ids, filters=filters, now=clock.now())
    words = {"ours": "Tradebook’s value goes out", "theirs": "QuickBooks’ value is taken", "leave": "both sides stay"}
    flash(f"{plural(number, 'field')}: {words[choice]}. Nothing happens before you approve the plan.", "success")
    return go("plans.show", plan_id=plan_id, **filters.query())


@blueprint.post("/<int:plan_id>/lines/<int:line_id>/name")
@requires("connections.manage")
@answers_on("plans.show")
def rename(plan_id: int, line_id: int) -> Any:
    name = request.form.get("name", "")
    if not name.strip():
        raise Invalid({"name": "Write the name it shall have in QuickBooks."})
    with transaction():
        plans.rename(plan_id, line_id, name, now=clock.now())
    return go("plans.show", plan_id=plan_id)


@blueprint.post("/<int:plan_id>/discard")
@requires("connections.manage")
@answers_on("plans.show")
def discard(plan_id: int) -> Any:
    with transaction():
        plans.discard(plan_id, actor=actor(), now=clock.now())
    flash("The plan was discarded. Nothing was written.", "success")
    return go("plans.index")


@blueprint.post("/<int:plan_id>/stop")
@requires("connections.manage")
@answers_on("plans.show")
def stop(plan_id: int) -> Any:
    with transaction():
        number = plans.stop(plan_id, actor=actor(), now=clock.now())
    flash(f"Stopped: {plural(number, 'line')} left. What is on its way already arrives.", "success")
    return go("plans.show", plan_id=plan_id)


@blueprint.post("/<int:plan_id>/retry")
@requires("connections.manage")
@answers_on("plans.show")
def retry(plan_id: int) -> Any:
    with transaction():
        plans.retry(plan_id, now=clock.now())
    return go("plans.show", plan_id=plan_id)


@blueprint.post("/<int:plan_id>/undo")
@requires("connections.manage")
@answers_on("plans.show")
def undo(plan_id: int) -> Any:
    with transaction():
        plan = plans.ask_undo(plan_id=plan_id, actor=actor(), now=clock.now())
    return go("plans.show", plan_id=plan.id)


# --- reading what was asked -----------------------------------------------------------------------------------


def _filters() -> dict[str, str]:
    return filters_of(request.args, {"q": "", "state": "", "purpose": "", "sort": ""})


def _readable_filters() -> tuple[LineFilters, Mapping[str, str]]:
    """What can be read of the page's filters, and what is wrong with the others. A refused form brings its own."""
    given, errors = request.values.to_dict(), dict[str, str]()
    while True:
        try:
            return _line_filters(given), errors
        except Invalid as problem:
            errors |= problem.fields
            given = {name: text for name, text in given.items() if name not in problem.fields}


def _line_filters(args: Mapping[str, str]) -> LineFilters:
    least, text = None, args.get("least", "").strip()
    if text:
        least = contact_filters.read_amount(text)
        if least is None:
            raise Invalid({"least": f"“{text[:40]}” is no amount. Write it like 1500 or 1500.00, or leave it empty."})
    field = args.get("field", "")
    if field and field not in field_names():
        raise Invalid({"field": f"“{field[:40]}” is no field that both sides share. Choose one of the list."})
    given = filters_of(args, {"action": "", "outcome": "", "q": "", "sort": ""})
    return LineFilters(field=field, least=least, **given)


def _choice(form: Any) -> Choice:
    """What the pressed button means: `all`, `none`, `some`, `rule`, or `rule-field` (only the field filtered by)."""
    what, filters = form.get("what", ""), _line_filters(form)
    fields = (filters.field,) if what == "rule-field" and filters.field else ()
    ids = tuple(_ids(form)) if what == "some" else ()
    seen = _number(form, "seen") if form.get("seen") and what != "some" else None
    return Choice("rule" if what == "rule-field" else what, ids, filters, fields, seen)


def _chosen_contacts() -> list[int]:
    """The ticked contacts, or all that match the filters of the list."""
    if "all" not in request.form:
        return _ids(request.form)
    return list(contacts.page_ids(contact_filters.read(request.form), now=clock.now(), limit=plans.MOST + 1))


def _connection_id() -> int:
    """The company the plan is for; where none is named, the one that is connected."""
    if request.form.get("connection"):
        return _number(request.form, "connection")
    found = queries.connections()
    if not found:
        raise Refused("No company is connected. Connect QuickBooks first, then plan what to write to it.")
    return found[0].id


def _ids(form: Any) -> list[int]:
    return [int(text) for text in form.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 10]


def _number(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid({name: f"“{text[:20]}” is no number that {name} can have. Go back and try again."})
    return int(text)


def _iso(moment: Any) -> str:
    return moment.isoformat() if moment else ""
