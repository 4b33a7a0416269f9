"""The conflict desk: fields on which a person is asked, one after the other or many at once, and rules for the next."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain import policies
from crm.domain.conflicts import CHOICES, REASONS, RULES, STATES, differing_parts, is_number
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.shared_fields import ADDRESS, LINE_FIELDS
from crm.exports import csv_response
from crm.formats import phone, plural
from crm.queries import conflicts as queries
from crm.queries.conflicts import Filters
from crm.security import may, requires
from crm.services import conflicts
from crm.services.conflict_values import Typed
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("conflicts", __name__, url_prefix="/sync/conflicts")
USUAL = {"q": "", "field": "", "state": "open", "reason": "", "connection": "", "sort": "-opened"}
HEADER = ("Id", "Contact id", "Contact", "Company", "QuickBooks id", "Field", "Reason", "Before", "Here",
          "QuickBooks", "State", "Choice", "Decided", "Decided by", "Opened (UTC)", "Decided (UTC)")  # fmt: skip


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"conflict_reasons": REASONS, "conflict_choices": CHOICES, "conflict_states": STATES,
            "differing_parts": differing_parts, "shown": _shown}  # fmt: skip


@blueprint.get("")
@requires("conflicts.decide")
def index() -> Any:
    filters = _filters()
    return page(
        "conflicts/index.html",
        fragment="conflicts/_list.html",
        page=queries.page(filters, number=page_number(request.args)),
        filters=filters,
        tabs=queries.tabs(),
        fields=queries.fields(filters.state),
        companies=queries.companies(),
        most=conflicts.MOST,
    )


@blueprint.get("/conflicts.csv")
@requires("conflicts.decide")
def export() -> Any:
    return csv_response("conflicts.csv", HEADER, (
        (one.id, one.local_id, row.contact.display_name, one.connection.company_name, one.remote_id, row.title,
         one.reason, one.base, one.ours, one.theirs, one.state, one.choice, one.decided, one.decided_by,
         one.opened_at.isoformat(), one.decided_at.isoformat() if one.decided_at else "")
        for row in queries.each(_filters()) for one in [row.conflict]
    ))  # fmt: skip


@blueprint.get("/<int:conflict_id>")
@requires("conflicts.decide")
def show(conflict_id: int) -> Any:
    return _page(conflict_id)


@blueprint.post("/<int:conflict_id>")
@requires("conflicts.decide")
def decide(conflict_id: int) -> Any:
    filters, form = _filters(), request.form
    after = queries.following(conflict_id, filters)
    try:
        with transaction():
            result = conflicts.resolve(
                conflict_id, form.get("choice", ""), value=_typed(conflict_id), seen=form.get("seen", ""),
                actor=actor(), now=clock.now(),
            )  # fmt: skip
    except Invalid as problem:
        return _page(conflict_id, errors=problem.fields, status=422)
    except Changed as problem:
        return _page(conflict_id, changed=str(problem), status=409)
    flash(_said(result), "success")
    return _go_on(after, filters)


@blueprint.post("/<int:conflict_id>/always")
@requires("connections.manage")
def always(conflict_id: int) -> Any:
    filters, form = _filters(), request.form
    try:
        with transaction():
            result = conflicts.always(
                conflict_id, form.get("choice", ""), seen=form.get("seen", ""), actor=actor(), now=clock.now()
            )
    except Changed as problem:
        return _page(conflict_id, changed=str(problem), status=409)
    flash(_said(result), "success")
    return _go_on(next(iter(queries.ids(filters, limit=1)), None), filters)


@blueprint.post("/bulk")
@requires("conflicts.decide")
def bulk() -> Any:
    filters, chosen = _filters(), _chosen()
    with transaction():
        decided = conflicts.resolve_all(chosen, request.form.get("choice", ""), actor=actor(), now=clock.now())
    flash(f"{plural(decided, 'conflict')} decided.", "success")
    return go("conflicts.index", **filters.query())


@blueprint.post("/contacts/<int:contact_id>")
@requires("conflicts.decide")
def difference(contact_id: int) -> Any:
    """A field that merely differs since the contact was linked, from the contact's page."""
    form = request.form
    with transaction():
        result = conflicts.resolve_difference(
            contact_id, form.get("field", ""), form.get("choice", ""), actor=actor(), now=clock.now()
        )
    flash(result.text, "success")
    return go("contacts.show", contact_id=contact_id)


def _filters() -> Filters:
    return Filters(**filters_of(request.args, USUAL))


def _chosen() -> list[int]:
    """The ticked ones, or all of the list, if it still holds as many as the person saw."""
    form, most = request.form, conflicts.MOST
    found = [int(text) for text in form.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 10]
    if "all" in form:
        found = queries.ids(_filters(), limit=most + 1)
        if form["all"] != str(len(found)) and len(found) <= most:
            raise Changed(f"The list holds {plural(len(found), 'open conflict')} by now. Look at it again first.")
    if not found:
        raise Invalid({"ids": "No open conflict is chosen. Tick the ones you mean in the list first."})
    return found


def _typed(conflict_id: int) -> Typed | None:
    form = request.form
    if form.get("choice") != "edited":
        return None
    found = queries.one(conflict_id, Filters())
    if found is not None and found.conflict.field == "address":
        return {part: form.get(part, "") for part in ADDRESS}
    return form.get("value", "")


def _said(result: conflicts.Result) -> Markup:
    """What came of it, with the way back: to the contact, and to what it left in the outbox."""
    contact_url = url_for("contacts.show", contact_id=result.contact_id)
    said = Markup('{} <a href="{}">Contact</a>').format(result.text, contact_url)
    entry_id = queries.waiting_entry(result.contact_id) if may(current_user, "connections.manage") else None
    if entry_id is None:
        return said
    return said + Markup(' · <a href="{}">In the outbox</a>').format(url_for("outbox.show", entry_id=entry_id))


def _shown(field: str, text: str, region: str) -> str:
    """Numbers in one notation on every side; what is more than a number stays as it was typed."""
    if LINE_FIELDS.get(field) is None:
        return text
    return ", ".join(phone(piece, region) if is_number(piece) else piece for piece in text.split(", "))


def _go_on(conflict_id: int | None, filters: Filters) -> Any:
    """To the next one; to the list when there is none."""
    if conflict_id is None:
        return go("conflicts.index", **filters.query())
    return go("conflicts.show", conflict_id=conflict_id, **filters.query())


def _page(conflict_id: int, *, errors: dict[str, str] | None = None, changed: str = "", status: int = 200) -> Any:
    filters = _filters()
    view = queries.one(conflict_id, filters)
    if view is None:
        raise NotFound("There is no such conflict. The link may be old, or its contact is not here any more.")
    one = view.conflict
    name = policies.emptied(one.field) if one.reason == policies.EMPTIED else one.field
    values = {
        "view": view, "filters": filters, "errors": errors or {}, "changed": changed, "form": request.form,
        "editing": bool(errors) or "edit" in request.args, "is_lines": one.field in LINE_FIELDS,
        "rules": {choice: policies.rule_text(one.kind, name, rule) for choice, rule in RULES.items()},
        "here": url_for("conflicts.show", conflict_id=conflict_id, **filters.query()),
    }  # fmt: skip
    return render_template("conflicts/show.html", **values), status
