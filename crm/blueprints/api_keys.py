"""Keys that programs use: made, shown once, revoked."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, flash, render_template, request, session

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain.errors import Invalid
from crm.exports import csv_response
from crm.queries import people
from crm.security import requires
from crm.services import api_keys
from crm.web import filters_of, go, page_number

blueprint = Blueprint("api_keys", __name__, url_prefix="/api-keys")

FILTERS = {"q": "", "state": "", "sort": "-made"}


@blueprint.get("/")
@requires("api_keys.manage")
def index() -> Any:
    return _list()


@blueprint.get("/export.csv")
@requires("api_keys.manage")
def export() -> Any:
    header = ("Name", "Begins with", "Scope", "State", "Made (UTC)", "Last used (UTC)")
    rows = (
        (key.name, key.prefix, key.scope, "revoked" if key.revoked_at else "active", key.created_at,
         key.last_used_at or "")
        for key in people.each(people.api_keys(**filters_of(request.args, FILTERS)))
    )  # fmt: skip
    return csv_response("api-keys.csv", header, rows)


def _list(errors: dict[str, str] | None = None, status: int = 200) -> Any:
    filters = filters_of(request.args, FILTERS)
    found = people.page(people.api_keys(**filters), number=page_number(request.args))
    form = request.form if errors else {}
    text = render_template(
        "api_keys/index.html",
        page=found,
        filters=filters,
        scopes=api_keys.SCOPES,
        errors=errors or {},
        form=form,
        once=secrets.token_urlsafe(9),
    )
    return text, status


@blueprint.post("/")
@requires("api_keys.manage")
def create() -> Any:
    form = request.form
    if form.get("once") in session.get("keys_made", ()):
        flash("That key was made already. It stands in the list; its text is shown only once.", "info")
        return go("api_keys.index")
    try:
        with transaction():
            row, key = api_keys.create(
                form.get("name", ""), scope=form.get("scope", ""), actor=actor(), now=clock.now()
            )  # fmt: skip
    except Invalid as problem:
        return _list(problem.fields, 422)
    # Sending the form again (a reload of the answer) must not make a second key.
    session["keys_made"] = [*session.get("keys_made", ())[-9:], form.get("once", "")]
    return render_template("api_keys/created.html", row=row, key=key)


@blueprint.post("/<int:key_id>/revoke")
@requires("api_keys.manage")
def revoke(key_id: int) -> Any:
    with transaction():
        api_keys.revoke(key_id, actor=actor(), now=clock.now())
    flash("The key is revoked. Programs that use it are refused from now on.", "success")
    return go("api_keys.index")
