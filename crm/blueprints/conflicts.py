"""The conflict desk: fields on which a person is asked, one after the other or many at once, and rules for the next."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.conflict_texts import shown
from crm.blueprints.objects import address_of, word_of
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain import policies
from crm.domain.conflicts import CHOICES, REASONS, RULES, STATES, by_hand, differing_parts
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.purchases import PLACE, VENDOR_LABELS
from crm.domain.sales_fields import WHOLE
from crm.domain.shared_fields import ADDRESS, LINE_FIELDS
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import conflict_page
from crm.queries import conflicts as queries
from crm.queries.conflicts import Filters
from crm.security import may, requires
from crm.services import conflict_wholes, conflicts
from crm.services.conflict_desk import may_decide
from crm.services.conflict_values import Typed
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("conflicts", __name__, url_prefix="/sync/conflicts")
PLACES = {"customer": ADDRESS, "vendor": PLACE}
"""Kind -> parts of its address."""
LABELS = VENDOR_LABELS | {"street": "Street", "region": "State", "postal_code": "ZIP code"}
USUAL = {"q": "", "field": "", "state": "open", "reason": "", "connection": "", "sort": "-opened"}
HEADER = ("Id", "Kind", "Own id", "About", "Contact", "Company", "QuickBooks id", "Field", "Reason", "Before", "Here",
          "QuickBooks", "State", "Choice", "Decided", "Decided by", "Opened (UTC)", "Decided (UTC)")  # fmt: skip


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"conflict_reasons": REASONS, "conflict_choices": CHOICES, "conflict_states": STATES,
            "differing_parts": differing_parts, "conflict_value": shown, "address_of": address_of,
            "word_of": word_of}  # fmt: skip


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
        (one.id, word_of(one.kind), one.local_id, row.name, row.contact.display_name if row.contact else "",
         one.connection.company_name, one.remote_id, row.title,
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
@answers_on("conflicts.show")
def decide(conflict_id: int) -> Any:
    filters, form = _filters(), request.form
    after = conflict_page.following(conflict_id, filters)
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
@answers_on("conflicts.show")
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
@answers_on("conflicts.index")
def bulk() -> Any:
    filters, chosen = _filters(), _chosen()
    with transaction():
        decided = conflicts.resolve_all(chosen, request.form.get("choice", ""), actor=actor(), now=clock.now())
    flash(f"{plural(decided, 'conflict')} decided.", "success")
    return go("conflicts.index", **filters.query())


@blueprint.post("/contacts/<int:contact_id>")
@requires("conflicts.decide")
@answers_on("contacts.show")
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
    found = conflict_page.one(conflict_id, Filters())
    if found is not None and found.conflict.field == "address":
        return {part: form.get(part, "") for part in PLACES[found.conflict.kind]}
    return form.get("value", "")


def _said(result: conflicts.Result) -> Markup:
    """What came of it, with the way back: to the object, and to what it left in the outbox."""
    there = address_of(result.kind, result.local_id)
    said = Markup("{}").format(result.text)
    if there:
        said += Markup(' <a href="{}">{}</a>').format(there, word_of(result.kind))
    entry_id = None
    if may(current_user, "connections.manage"):
        entry_id = queries.waiting_entry(result.local_id, kind=result.kind)
    if entry_id is None:
        return said
    return said + Markup(' · <a href="{}">In the outbox</a>').format(url_for("outbox.show", entry_id=entry_id))


def _go_on(conflict_id: int | None, filters: Filters) -> Any:
    """To the next one; to the list when there is none."""
    if conflict_id is None:
        return go("conflicts.index", **filters.query())
    return go("conflicts.show", conflict_id=conflict_id, **filters.query())


def _page(conflict_id: int, *, errors: dict[str, str] | None = None, changed: str = "", status: int = 200) -> Any:
    filters = _filters()
    view = conflict_page.one(conflict_id, filters)
    if view is None:
        raise NotFound("There is no such conflict. The link may be old, or what it is about is not here any more.")
    one = view.conflict
    whole = None
    if one.kind in conflict_wholes.KINDS and one.field == WHOLE and one.state == "open":
        whole = conflict_wholes.of_one(db.session(), one.connection_id, one.kind, one.local_id)
    name = policies.emptied(one.field) if one.reason == policies.EMPTIED else one.field
    values = {
        "view": view, "filters": filters, "errors": errors or {}, "changed": changed, "form": request.form,
        "editing": bool(errors) or "edit" in request.args,
        "is_lines": one.kind == "customer" and one.field in LINE_FIELDS,
        "whole": whole, "by_hand": by_hand(one.kind, one.field),
        "open": one.state == "open" and may_decide(db.session(), one.kind, actor=actor()),
        "place": [(part, LABELS[part]) for part in view.fields],
        "rules": {choice: policies.rule_text(one.kind, name, rule) for choice, rule in RULES.items()},
        "here": url_for("conflicts.show", conflict_id=conflict_id, **filters.query()),
    }  # fmt: skip
    return render_template("conflicts/show.html", **values), status
