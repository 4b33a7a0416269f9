"""Sales settings of a company: six questions with their found defaults, and the header its documents carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, flash, render_template, request, send_file

from crm import clock
from crm.blueprints.acting import actor
from crm.db import db, transaction
from crm.domain import numbers
from crm.domain import sales_settings as rules
from crm.domain.errors import Changed, Invalid, NotFound
from crm.queries import connections
from crm.queries import sales_settings as queries
from crm.security import requires
from crm.services import sales_settings as service
from crm.web import go

blueprint = Blueprint("sales_settings", __name__, url_prefix="/sales-settings")
NO_FORM: Mapping[str, str] = {}


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    every = connections.every()
    if not every:
        return render_template("sales_settings/none.html")
    return _page(request.args.get("connection", every[0].id, type=int))


@blueprint.post("/<int:connection_id>")
@requires("connections.manage")
def save(connection_id: int) -> Any:
    form = request.form
    answers = {name: form[name] for name in rules.FIELDS if name in form}
    try:
        with transaction() as session:
            service.save(session, connection_id, answers, version=_version(form), actor=actor(), now=clock.now())
    except (Invalid, Changed) as problem:
        return _refused(connection_id, "answers", problem)
    flash(
        "Saved. New products, quotes and invoices begin with it; nothing that is there already was changed.", "success"
    )
    return go("sales_settings.index", connection=connection_id)


@blueprint.post("/<int:connection_id>/header")
@requires("connections.manage")
def save_header(connection_id: int) -> Any:
    form = request.form
    try:
        with transaction() as session:
            service.save_header(session, connection_id, form, version=_version(form), actor=actor(), now=clock.now())
    except (Invalid, Changed) as problem:
        return _refused(connection_id, "header", problem)
    flash("Saved. Documents carry it from now on.", "success")
    return go("sales_settings.index", connection=connection_id)


@blueprint.post("/<int:connection_id>/logo")
@requires("connections.manage")
def save_logo(connection_id: int) -> Any:
    form, file = request.form, request.files.get("logo")
    picture = b"" if "remove" in form or file is None else file.read()
    try:
        if not picture and "remove" not in form:
            raise Invalid({"logo": "Choose a PNG or JPEG file first."})
        with transaction() as session:
            service.save_logo(session, connection_id, picture, instance=_instance(), version=_version(form),
                              actor=actor(), now=clock.now())  # fmt: skip
    except (Invalid, Changed) as problem:
        return _refused(connection_id, "logo", problem)
    flash("The logo is kept." if picture else "The logo is gone from new documents.", "success")
    return go("sales_settings.index", connection=connection_id)


@blueprint.get("/<int:connection_id>/logo/<name>")
@requires("signed_in")
def logo(connection_id: int, name: str) -> Any:
    """The picture that counts now; its name changes with it, so that a browser may keep it."""
    header = service.current(db.session(), connection_id).header
    path = service.logo(header, _instance())
    if path is None or name != header.logo:
        raise NotFound("There is no such logo. It may have been replaced.")
    kind = "image/png" if path.suffix == ".png" else "image/jpeg"
    return send_file(path, mimetype=kind, max_age=86_400)


def _page(
    connection_id: int,
    *,
    place: str = "",
    errors: Mapping[str, str] = NO_FORM,
    changed: str = "",
    status: int = 200,
) -> Any:
    """`place` is the form that was sent: it shows what was typed, with what is wrong with it."""
    session = db.session()
    connection = connections.one(connection_id)
    now = service.current(session, connection_id)
    stands: Mapping[str, str] = {**now.answers, **{name: getattr(now.header, name) for name in rules.HEADER}}
    text = render_template(
        "sales_settings/index.html",
        connection=connection,
        others=[one for one in connections.every() if one.id != connection_id],
        now=now,
        stands=stands,
        answers={**stands, **request.form.to_dict()} if place else stands,
        questions=rules.QUESTIONS,
        rules=rules,
        number_rules=[(name, *numbers.RULES[name]) for name in numbers.fitting(_own_numbers(now))],
        offered=_offered(now.facts),
        history=queries.history(session, connection_id),
        has_logo=service.logo(now.header, _instance()) is not None,
        place=place,
        errors=errors,
        changed=changed,
    )
    return text, status


def _refused(connection_id: int, place: str, problem: Invalid | Changed) -> Any:
    if isinstance(problem, Invalid):
        return _page(connection_id, place=place, errors=problem.fields, status=422)
    return _page(connection_id, place=place, changed=str(problem), status=409)


def _offered(facts: rules.Facts) -> dict[str, list[tuple[str, str]]]:
    """Field -> (remote id, name) of what can be chosen."""
    income = rules.offered(facts.accounts, rules.INCOME_TYPES)
    lists = {
        "income_service": income, "income_item": income, "tax_code": rules.offered(facts.tax_codes),
        "terms": rules.offered(facts.terms), "deposit_account": rules.offered(facts.accounts, rules.DEPOSIT_TYPES),
    }  # fmt: skip
    return {name: [(entry.remote_id, entry.name) for entry in entries] for name, entries in lists.items()}


def _own_numbers(now: service.Current) -> bool | None:
    return now.facts.preferences.get("own_document_numbers")


def _instance() -> Any:
    return current_app.extensions["settings"].instance_dir


def _version(form: Mapping[str, str]) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
