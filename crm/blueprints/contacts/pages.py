"""One contact: its page with everything on it, the pieces htmx asks for, its notes, and archiving."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import contact_filters
from crm.domain.errors import Invalid, NotFound
from crm.queries import (
    automation,
    contact_consents,
    contact_merges,
    contact_page,
    households,
    quotes,
    segments,
    sync_badges,
)
from crm.security import requires
from crm.services import contacts as service
from crm.services import quote_drafts
from crm.services.contact_consents import CHANNELS
from crm.services.contact_merge_checks import refuse_merged
from crm.web import go, is_fragment

MISSING = "There is no such contact. The link may be old or not complete."


@blueprint.get("/<int:contact_id>")
@requires("contacts.read")
def show(contact_id: int) -> Any:
    return page_of(contact_id)


@blueprint.get("/<int:contact_id>/timeline")
@requires("contacts.read")
def timeline(contact_id: int) -> Any:
    number = contact_filters.read(request.args).page
    if not is_fragment():
        return page_of(contact_id, timeline_page=number)
    entries = contact_page.timeline(contact_id, page=number)
    return render_template("contacts/_timeline.html", entries=entries, contact_id=contact_id)


@blueprint.get("/<int:contact_id>/notes")
@requires("contacts.read")
def notes(contact_id: int) -> Any:
    number = contact_filters.read(request.args).page
    if not is_fragment():
        return page_of(contact_id, notes_page=number)
    found = contact_page.notes(contact_id, page=number)
    return render_template("contacts/_notes.html", view=view_of(contact_id), notes=found)


@blueprint.get("/<int:contact_id>/documents/<kind>")
@requires("money.read")
def documents(contact_id: int, kind: str) -> Any:
    if kind not in contact_page.TABS:
        abort(404)
    number = contact_filters.read(request.args).page
    if not is_fragment():
        return page_of(contact_id, tab=kind, document_page=number)
    return render_template("contacts/_documents.html", **_documents(view_of(contact_id), kind, number))


@blueprint.get("/<int:contact_id>/details")
@requires("contacts.read")
def details(contact_id: int) -> Any:
    if not is_fragment():
        return go("contacts.show", contact_id=contact_id)
    return render_template("contacts/_details.html", view=view_of(contact_id))


@blueprint.get("/<int:contact_id>/sync-badge")
@requires("contacts.read")
def sync_badge(contact_id: int) -> Any:
    if not is_fragment():
        return go("contacts.show", contact_id=contact_id)
    found = sync_badges.one(contact_id)
    if found is None:
        raise NotFound(MISSING)
    return render_template("contacts/_sync_badge.html", contact_id=contact_id, sync=found)


@blueprint.post("/<int:contact_id>/archive")
@requires("contacts.write")
@answers_on("contacts.show")
def archive(contact_id: int) -> Any:
    with transaction():
        contact = service.archive(contact_id, actor=actor(), now=clock.now())
    flash(f"{contact.display_name} is archived. Nothing was deleted, and nothing changed in QuickBooks.", "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.post("/<int:contact_id>/restore")
@requires("contacts.write")
def restore(contact_id: int) -> Any:
    with transaction():
        contact = service.restore(contact_id, actor=actor(), now=clock.now())
    flash(f"{contact.display_name} is back in the lists.", "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.post("/<int:contact_id>/notes")
@requires("contacts.write")
def add_note(contact_id: int) -> Any:
    body = request.form.get("body", "")
    try:
        with transaction():
            service.add_note(contact_id, body, actor=actor(), now=clock.now())
    except Invalid as problem:
        return page_of(contact_id, status=422, note_errors=problem.fields, note_body=body)
    flash("Note added.", "success")
    return go("contacts.show", contact_id=contact_id, _anchor="notes")


def view_of(contact_id: int) -> contact_page.ContactView:
    found = contact_page.show(contact_id)
    if found is None:
        raise NotFound(MISSING)
    refuse_merged(found.contact)
    return found


def contact_of(contact_id: int) -> Any:
    """Raises NotFound, and Merged where the contact went into another one; so does `view_of`."""
    found = contact_page.contact(contact_id)
    if found is None:
        raise NotFound(MISSING)
    refuse_merged(found)
    return found


def page_of(
    contact_id: int,
    *,
    tab: str = "",
    document_page: int = 1,
    timeline_page: int = 1,
    notes_page: int = 1,
    status: int = 200,
    **more: Any,
) -> Any:
    view = view_of(contact_id)
    tab = tab or next((kind for kind in ("invoice", "estimate", "payment") if view.counts.get(kind)), "invoice")
    values = {
        "view": view,
        "notes": contact_page.notes(contact_id, page=notes_page),
        "entries": contact_page.timeline(contact_id, page=timeline_page),
        "quotes": quotes.of_contact(contact_id, today=quote_drafts.today(clock.now())),
        "contact_id": contact_id,
        "has_matches": "matches.index" in current_app.view_functions,
        "newest_merge": contact_merges.newest_live(contact_id),
        "house": households.of_contact(contact_id),
        "hold": automation.hold_on(contact_id),
        "segments_in": segments.of_contact(contact_id),
        "segment_moves": segments.moves_of_contact(contact_id, 5),
        "consents": contact_consents.of_contact(contact_id),
        "channels": CHANNELS,
        **_documents(view, tab, document_page),
        **more,
    }
    return render_template("contacts/show.html", **values), status


def _documents(view: contact_page.ContactView, tab: str, number: int) -> dict[str, Any]:
    found = contact_page.documents(view.contact.id, tab, page=number, now=clock.now())
    return {"view": view, "tab": tab, "tabs": contact_page.TABS, "documents": found}
