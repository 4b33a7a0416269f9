"""Accounts of the people who sign in: admins make, change and disable them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain.errors import Invalid
from crm.exports import csv_response
from crm.queries import people
from crm.security import ROLES, requires
from crm.services import accounts
from crm.web import filters_of, go, page_number

blueprint = Blueprint("users", __name__, url_prefix="/people")

FILTERS = {"q": "", "role": "", "state": "", "sort": "name"}


@blueprint.get("/")
@requires("users.manage")
def index() -> Any:
    return _list()


@blueprint.get("/export.csv")
@requires("users.manage")
def export() -> Any:
    header = ("Name", "E-mail", "Role", "State", "Made (UTC)", "Last sign-in (UTC)")
    rows = (
        (user.name, user.email, ROLES[user.role], "disabled" if user.disabled_at else "active", user.created_at,
         user.last_sign_in_at or "")
        for user in people.each(people.users(**filters_of(request.args, FILTERS)))
    )  # fmt: skip
    return csv_response("people.csv", header, rows)


def _list(errors: dict[str, str] | None = None, status: int = 200) -> Any:
    filters = filters_of(request.args, FILTERS)
    found = people.page(people.users(**filters), number=page_number(request.args))
    form = request.form if errors else {}
    text = render_template("users/index.html", page=found, filters=filters, roles=ROLES, errors=errors or {}, form=form)
    return text, status


@blueprint.post("/")
@requires("users.manage")
def create() -> Any:
    form = request.form
    try:
        with transaction():
            user = accounts.create(
                form.get("email", ""), role=form.get("role", ""), password=form.get("password", ""),
                name=form.get("name", ""), actor=actor(), now=clock.now(), temporary=True,
            )  # fmt: skip
    except Invalid as problem:
        return _list(problem.fields, 422)
    flash(f"{user.email} can sign in now and will be asked to choose their own password.", "success")
    return go("users.index")


@blueprint.post("/<int:user_id>/role")
@requires("users.manage")
def role(user_id: int) -> Any:
    with transaction():
        user = accounts.change_role(user_id, request.form.get("role", ""), actor=actor(), now=clock.now())
    flash(f"{user.label} is now: {ROLES[user.role]}.", "success")
    return go("users.index")


@blueprint.post("/<int:user_id>/password")
@requires("users.manage")
def reset(user_id: int) -> Any:
    with transaction():
        user, temporary = accounts.reset_password(user_id, actor=actor(), now=clock.now())
    # Shown once, on this answer only: a flash would keep it in a cookie.
    return render_template("users/reset.html", user=user, temporary=temporary)


@blueprint.post("/<int:user_id>/sign-out")
@requires("users.manage")
def end_sessions(user_id: int) -> Any:
    with transaction():
        accounts.sign_out_everywhere(user_id, actor=actor(), now=clock.now())
    flash("Every device of that person is signed out.", "success")
    return go("users.index")


@blueprint.post("/<int:user_id>/disable")
@requires("users.manage")
def disable(user_id: int) -> Any:
    with transaction():
        user = accounts.disable(user_id, actor=actor(), now=clock.now())
    flash(f"{user.label} can no longer sign in. Nothing of theirs was deleted.", "success")
    return go("users.index")


@blueprint.post("/<int:user_id>/enable")
@requires("users.manage")
def enable(user_id: int) -> Any:
    with transaction():
        user = accounts.enable(user_id, actor=actor(), now=clock.now())
    flash(f"{user.label} can sign in again.", "success")
    return go("users.index")
