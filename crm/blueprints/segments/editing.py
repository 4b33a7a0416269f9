"""A segment being built: a new one, of nothing or of a ready-made one; one that is there, anew; the live figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, make_response, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import lock_of
from crm.blueprints.segments import blueprint, ready, rules
from crm.blueprints.segments.pages import segment_of
from crm.blueprints.segments.rules import Built
from crm.db import db, transaction
from crm.domain import segment_forms, segment_moves, segment_templates, segments
from crm.domain.contact_filters import RFM
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.segment_templates import TEMPLATES
from crm.queries import products, segment_names
from crm.security import requires
from crm.services import segments as service
from crm.web import go, is_fragment


@blueprint.get("/new")
@requires("segments.write")
def new() -> Any:
    """The ready-made ones to choose from; with `template` one of them, with `rfm` (5-4) a cell of the grid, with
    `empty` a builder with nothing in it."""
    key, cell = request.args.get("template", ""), request.args.get("rfm", "")
    if key in TEMPLATES:
        return draw(ready.beginning(key))
    if RFM.fullmatch(cell):
        recency, _, frequency = cell.partition("-")
        tree = segment_forms.tree(segments.write(segment_templates.of_fifths(recency, frequency)))
        return draw(Built(tree, {"name": f"RFM: recency {recency}, frequency {frequency}"}, focus="f-name"))
    if "empty" in request.args:
        first = segment_moves.acted(segment_forms.EMPTY, "add", segment_forms.ROOT).tree
        return draw(Built(first, {}, focus="f-name"))
    return render_template("segments/choose.html", templates=TEMPLATES)


@blueprint.post("")
@requires("segments.write")
def create() -> Any:
    if rules.asks(request.form):
        return draw(_acted(), changed=True)
    built = _typed()
    said = rules.meant(built.tree)
    wrong = ready.wrong(built) or rules.wrong_of(said, built.tree)
    if wrong:
        return draw(built, errors=wrong, status=422)
    try:
        with transaction() as session:
            made = service.create(
                session, name=built.head["name"], description=built.head["description"], rules=said.group,
                template=built.template, actor=actor(), now=clock.now(),
            )  # fmt: skip
            number, name = made.id, made.name
    except Invalid as problem:
        return draw(built, errors=problem.fields, status=422)
    flash(f"“{name}” is saved.", "success")
    return go("segments.show", segment_id=number)


@blueprint.get("/<int:segment_id>/edit")
@requires("segments.write")
def edit(segment_id: int) -> Any:
    segment = segment_of(segment_id)
    if segment.kind != "live":
        raise Refused("A static segment has no rules: members are added and removed by hand on its page.")
    head = {"name": segment.name, "description": segment.description}
    return draw(Built(segment_forms.tree(segment.rules), head), segment=segment)


@blueprint.post("/<int:segment_id>")
@requires("segments.write")
def update(segment_id: int) -> Any:
    segment = segment_of(segment_id)
    if rules.asks(request.form):
        return draw(_acted(), segment=segment, changed=True)
    built = rules.read(request.form)
    said = rules.meant(built.tree)
    if wrong := rules.wrong_of(said, built.tree):
        return draw(built, segment=segment, errors=wrong, status=422)
    try:
        with transaction() as session:
            service.change(
                session, segment_id, name=built.head["name"], description=built.head["description"], rules=said.group,
                lock=lock_of(request.form), actor=actor(), now=clock.now(),
            )  # fmt: skip
    except Invalid as problem:
        return draw(built, segment=segment, errors=problem.fields, status=422)
    except Changed:
        db.session.expire_all()
        return draw(built, segment=segment_of(segment_id), standing=True, status=409)
    flash("Saved. Its members are looked up anew.", "success")
    return go("segments.show", segment_id=segment_id)


@blueprint.post("/preview")
@requires("segments.write")
def preview() -> Any:
    """What the rules in the form come to, saved or not: nothing is written."""
    built = _typed()
    return render_template("segments/_preview.html", asked=True, **rules.preview_values(built.tree))


@blueprint.get("/pick-product")
@requires("segments.write")
def pick_product() -> Any:
    """Products for what is typed at the rule `key`, each a button that puts it into the rule."""
    key = request.args.get("key", "")[:20]
    if not is_fragment():
        return go("segments.new", empty=1)
    text = request.args.get(f"q-{key}", "").strip()[:200]
    found = products.pick(db.session(), text, rules.FOUND)
    return render_template("segments/_products.html", rows=found, key=key, q=text, currency=products.home_currency())


def draw(
    built: Built, *, segment: Any = None, errors: Mapping[str, str] | None = None, standing: bool = False,
    changed: bool = False, status: int = 200,
) -> Any:  # fmt: skip
    """The builder's page, or its form alone for htmx, which then asks for the live figures."""
    sent = lock_of(request.form)
    now_stands = segment.lock if segment is not None else 0
    values = {
        **(ready.page_values(built) if built.template else {}), **rules.page_values(built, errors=errors or {}),
        "segment": segment, "changed": changed or bool(errors), "standing": _standing(segment) if standing else "",
        "lock": now_stands if standing or sent < 0 else sent,
        "action": url_for("segments.update", segment_id=segment.id) if segment else url_for("segments.create"),
        "cancel_url": url_for("segments.show", segment_id=segment.id) if segment else url_for("segments.index"),
    }  # fmt: skip
    template = "segments/builder.html"
    if is_fragment():
        template = "segments/_ready_form.html" if built.template else "segments/_form.html"
    answer = make_response(render_template(template, **values), status)
    if is_fragment():
        answer.headers["HX-Trigger-After-Settle"] = "rules-changed"
    return answer


def _typed() -> Built:
    """The form, with rules or with a ready-made one's numbers."""
    built = rules.read(request.form)
    return ready.read(request.form, built) if built.template else built


def _acted() -> Built:
    """What the pressed button makes of it."""
    built = _typed()
    return ready.acted(built, request.form.get("action", "")) if built.template else rules.acted(request.form)


def _standing(segment: Any) -> str:
    group = segments.read(segment.rules)
    return segments.words(group, segment_names.names(group), products.home_currency())
