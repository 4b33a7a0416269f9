"""What is done with a segment by its buttons: renewed, copied, archived; members of a static one by hand."""

from __future__ import annotations

from typing import Any

from flask import flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import lock_of
from crm.blueprints.refusing import answers_on
from crm.blueprints.segments import blueprint
from crm.db import transaction
from crm.formats import plural
from crm.security import requires
from crm.services import segment_refresh
from crm.services import segments as service
from crm.web import go


@blueprint.post("/<int:segment_id>/refresh")
@requires("segments.write")
@answers_on("segments.show")
def refresh(segment_id: int) -> Any:
    with transaction() as session:
        service.held(session, segment_id, None)
        done = segment_refresh.refresh(session, segment_id, cause="facts", now=clock.now())
    flash(f"Up to date: {plural(done.came, 'contact')} came in, {done.left:,} left.", "success")
    return go("segments.show", segment_id=segment_id)


@blueprint.post("/<int:segment_id>/static")
@requires("segments.write")
@answers_on("segments.show")
def save_static(segment_id: int) -> Any:
    with transaction() as session:
        made = service.save_static(
            session, segment_id, name=request.form.get("name", ""), actor=actor(), now=clock.now()
        )
        number, name = made.id, made.name
    flash(f"“{name}” keeps who is in it now, whatever changes.", "success")
    return go("segments.show", segment_id=number)


@blueprint.post("/<int:segment_id>/rename")
@requires("segments.write")
@answers_on("segments.show")
def rename(segment_id: int) -> Any:
    form = request.form
    with transaction() as session:
        service.rename(
            session, segment_id, name=form.get("name", ""), description=form.get("description", ""),
            lock=lock_of(form), actor=actor(), now=clock.now(),
        )  # fmt: skip
    flash("Saved.", "success")
    return go("segments.show", segment_id=segment_id)


@blueprint.post("/<int:segment_id>/archive")
@requires("segments.write")
@answers_on("segments.show")
def archive(segment_id: int) -> Any:
    with transaction() as session:
        segment = service.archive(session, segment_id, actor=actor(), now=clock.now())
        name = segment.name
    flash(f"“{name}” is archived. It is not kept up to date until it is restored; no contact was changed.", "success")
    return go("segments.index")


@blueprint.post("/<int:segment_id>/restore")
@requires("segments.write")
@answers_on("segments.show")
def restore(segment_id: int) -> Any:
    with transaction() as session:
        segment = service.restore(session, segment_id, actor=actor(), now=clock.now())
        name = segment.name
    flash(f"“{name}” is back.", "success")
    return go("segments.show", segment_id=segment_id)


@blueprint.post("/<int:segment_id>/members")
@requires("segments.write")
@answers_on("segments.show")
def add_member(segment_id: int) -> Any:
    with transaction() as session:
        service.add_member(session, segment_id, _contact(), actor=actor(), now=clock.now())
    flash("Added.", "success")
    return go("segments.show", segment_id=segment_id)


@blueprint.post("/<int:segment_id>/members/<int:contact_id>/remove")
@requires("segments.write")
@answers_on("segments.show")
def remove_member(segment_id: int, contact_id: int) -> Any:
    with transaction() as session:
        service.remove_member(session, segment_id, contact_id, actor=actor(), now=clock.now())
    flash("Taken out. The contact itself was not changed.", "success")
    return go("segments.show", segment_id=segment_id)


def _contact() -> int:
    """0, which nobody has, where no contact is named."""
    text = request.form.get("contact", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
