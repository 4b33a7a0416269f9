"""Sync settings of a company: direction and policies per kind, pausing, the sweep's interval, who changed what when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import custom_fields, directions, policies
from crm.domain.errors import Changed, Invalid
from crm.domain.runs import RESOURCES
from crm.queries import connections
from crm.queries import sync_settings as queries
from crm.security import requires
from crm.services.sync import settings
from crm.web import go

blueprint = Blueprint("sync_settings", __name__, url_prefix="/sync/settings")
RULE, CUSTOM = "rule-", "custom-"
"""A form's fields that begin so are policies, or what fills a custom field."""
NO_FORM: Mapping[str, str] = {}


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    every = connections.every()
    if not every:
        return render_template("sync_settings/none.html")
    sent = (request.view_args or {}).get("connection_id")  # a refused form of this page
    return _page(sent or request.args.get("connection", every[0].id, type=int))


@blueprint.post("/<int:connection_id>/kinds/<kind>")
@requires("connections.manage")
@answers_on("sync_settings.index")
def change(connection_id: int, kind: str) -> Any:
    form = request.form
    rules = {name.removeprefix(RULE): rule for name, rule in form.items() if name.startswith(RULE) and rule}
    sources = {name.removeprefix(CUSTOM): source for name, source in form.items() if name.startswith(CUSTOM)}
    try:
        with transaction() as session:
            settings.change(
                session, connection_id, kind, direction=form.get("direction", ""),
                policies=rules if kind in policies.FIELDS else None, interval=form.get("interval_minutes"),
                custom_fields=sources if kind in custom_fields.KINDS else None,
                version=_version(form), actor=actor(), now=clock.now(),
            )  # fmt: skip
    except Invalid as problem:
        return _page(connection_id, place=kind, form=form, errors=problem.fields, status=422)
    except Changed as problem:
        return _page(connection_id, place=kind, form=form, changed=str(problem), status=409)
    flash(f"{RESOURCES[kind]}: saved.", "success")
    return _back(connection_id, kind)


@blueprint.post("/<int:connection_id>/interval")
@requires("connections.manage")
@answers_on("sync_settings.index")
def interval(connection_id: int) -> Any:
    form = request.form
    try:
        with transaction() as session:
            settings.set_interval(
                session, connection_id, _whole(form.get("interval", "")), version=_version(form), actor=actor(),
                now=clock.now(),
            )  # fmt: skip
    except Invalid as problem:
        return _page(connection_id, place="*", form=form, errors=problem.fields, status=422)
    except Changed as problem:
        return _page(connection_id, place="*", form=form, changed=str(problem), status=409)
    flash("Saved.", "success")
    return go("sync_settings.index", connection=connection_id)


@blueprint.post("/<int:connection_id>/pause")
@requires("connections.manage")
@answers_on("sync_settings.index")
def pause(connection_id: int) -> Any:
    with transaction() as session:
        settings.pause(session, connection_id, request.form.get("kind", ""), actor=actor(), now=clock.now())
    flash("Paused. What is under way is finished; what comes up meanwhile waits and is not lost.", "success")
    return _back(connection_id, request.form.get("kind", ""))


@blueprint.post("/<int:connection_id>/resume")
@requires("connections.manage")
@answers_on("sync_settings.index")
def resume(connection_id: int) -> Any:
    with transaction() as session:
        settings.resume(session, connection_id, request.form.get("kind", ""), actor=actor(), now=clock.now())
    flash("Resumed. What waited goes on now.", "success")
    return _back(connection_id, request.form.get("kind", ""))


def _page(
    connection_id: int,
    *,
    place: str = "",
    form: Mapping[str, str] = NO_FORM,
    errors: Mapping[str, str] = NO_FORM,
    changed: str = "",
    status: int = 200,
) -> Any:
    """`place` is the kind (`*`: the whole) whose form was sent: it shows what was typed, with what is wrong with it."""
    text = render_template(
        "sync_settings/index.html",
        connection=connections.one(connection_id),
        others=[one for one in connections.every() if one.id != connection_id],
        view=queries.page(connection_id),
        ways=settings.ways(connection_id),
        directions=directions.DIRECTIONS,
        bounds=(directions.LEAST_MINUTES, directions.MOST_MINUTES),
        kinds=RESOURCES,
        policies=policies,
        custom=custom_fields,
        in_words=queries.in_words,
        place=place,
        opened=request.args.get("open", ""),
        form=form,
        errors=errors,
        changed=changed,
    )
    return text, status


def _back(connection_id: int, kind: str) -> Any:
    """To the page, with the kind open whose button was pressed."""
    if kind not in RESOURCES:
        return go("sync_settings.index", connection=connection_id)
    return go("sync_settings.index", connection=connection_id, open=kind, _anchor=f"kind-{kind}")


def _version(form: Mapping[str, str]) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    found = _whole(form.get("version", ""))
    return -1 if found is None else found


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
