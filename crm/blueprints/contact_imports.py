"""Contacts from files: upload, choose what the columns are, look, run, undo."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain.contact_files import TARGETS
from crm.domain.errors import Invalid, NotFound
from crm.exports import csv_response
from crm.queries import contact_imports, contacts, people
from crm.security import requires
from crm.services import contact_imports as service
from crm.web import filters_of, go, is_fragment, page_number

blueprint = Blueprint("contact_imports", __name__, url_prefix="/contacts/imports")

DUPLICATES = [
    (
        "update",
        "Add what is missing",
        "Empty fields are filled, new phones, e-mails and tags added. Nothing is replaced.",
    ),
    ("skip", "Leave them alone", "The row is skipped; the list of skipped rows can be downloaded."),
    ("create", "Make a new contact anyway", "Every row becomes a contact of its own."),
]

FILTERS = {"q": "", "state": "", "sort": "-at"}
GROUPS = {
    "uploaded": "To look at", "busy": "Under way", "done": "Done", "stopped": "Failed or cancelled", "undone": "Undone",
}  # fmt: skip
#: State -> the badge's kind and the words.
STATES = {
    "uploaded": ("pending", "To look at"), "queued": ("queued", "Queued"), "running": ("running", "Running"),
    "cancelling": ("running", "Stopping"), "cancelled": ("cancelled_partly", "Cancelled"), "done": ("done", "Done"),
    "failed": ("failed", "Failed"), "undoing": ("running", "Being undone"), "undone": ("off", "Undone"),
}  # fmt: skip
COUNTS = {
    "created": "Created", "updated": "Added to", "unchanged": "Unchanged", "skipped": "Skipped", "refused": "Refused",
    "undone": "Undone", "kept": "Kept",
}  # fmt: skip


@blueprint.get("")
@requires("contacts.import")
def index() -> Any:
    return _list()


@blueprint.get("/export.csv")
@requires("contacts.import")
def export() -> Response:
    header = ("File", "Uploaded (UTC)", "By", "State", "Rows", *COUNTS.values())
    files = people.each(contact_imports.imports(**filters_of(request.args, FILTERS)))
    rows = (
        (file.filename, file.created_at.isoformat(), file.created_by.label if file.created_by else "a command",
         STATES[file.state][1], file.total, *(file.counts.get(name, 0) for name in COUNTS))
        for file in files
    )  # fmt: skip
    return csv_response("file-imports.csv", header, rows)


@blueprint.post("")
@requires("contacts.import")
def upload() -> Any:
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise Invalid({"file": "Choose a CSV file first."})
        with transaction():
            found = service.upload(file.filename, file.read(), actor=actor(), now=clock.now())
    except Invalid as problem:
        return _list(errors=problem.fields, status=422)
    return go("contact_imports.show", import_id=found.id)


@blueprint.get("/<int:import_id>")
@requires("contacts.import")
def show(import_id: int) -> Any:
    found = _found(import_id)
    if is_fragment() and found.state != "uploaded":
        return render_template("contact_imports/_progress.html", **_progress(found))
    return _page_of(found)


@blueprint.post("/<int:import_id>")
@requires("contacts.import")
def arrange(import_id: int) -> Any:
    """Keep the choices; then show what would happen, or start at once when that was pressed."""
    form = request.form
    mapping = {name.removeprefix("map-"): value for name, value in form.items() if name.startswith("map-") and value}
    owner = form.get("owner", "")
    try:
        with transaction():
            service.arrange(
                import_id,
                mapping,
                duplicates=form.get("duplicates", ""),
                owner_id=int(owner) if owner.isdigit() else None,
            )
            if "start" in form:
                service.start(import_id, actor=actor(), now=clock.now())
    except Invalid as problem:
        return _page_of(_found(import_id), errors=problem.fields, status=422)
    return go("contact_imports.show", import_id=import_id)


@blueprint.post("/<int:import_id>/undo")
@requires("contacts.import")
def undo(import_id: int) -> Any:
    with transaction():
        service.undo(import_id, actor=actor(), now=clock.now())
    return go("contact_imports.show", import_id=import_id)


@blueprint.post("/<int:import_id>/cancel")
@requires("contacts.import")
def cancel(import_id: int) -> Any:
    with transaction():
        service.cancel(import_id, now=clock.now())
    return go("contact_imports.show", import_id=import_id)


@blueprint.post("/<int:import_id>/restart")
@requires("contacts.import")
def restart(import_id: int) -> Any:
    with transaction():
        service.restart(import_id)
    return go("contact_imports.show", import_id=import_id)


@blueprint.post("/<int:import_id>/discard")
@requires("contacts.import")
def discard(import_id: int) -> Any:
    with transaction():
        name = service.discard(import_id)
    flash(f"{name} is discarded; no contact was changed.", "success")
    return go("contact_imports.index")


@blueprint.get("/<int:import_id>/reasons.csv")
@requires("contacts.import")
def reasons(import_id: int) -> Response:
    found = _found(import_id)
    header = (*found.header, "Line", "Reason")
    return csv_response(f"import-{found.id}-not-imported.csv", header, service.rows_with_reason(found))


def _list(*, errors: dict[str, str] | None = None, status: int = 200) -> Any:
    filters = filters_of(request.args, FILTERS)
    values = {
        "page": people.page(contact_imports.imports(**filters), number=page_number(request.args)), "filters": filters,
        "any": contact_imports.any_imports(), "errors": errors or {}, "states": STATES,
        "groups": list(GROUPS.items()),
    }  # fmt: skip
    return render_template("contact_imports/index.html", **values), status


def _found(import_id: int) -> Any:
    found = contact_imports.find(import_id)
    if found is None:
        raise NotFound("There is no such file import.")
    return found


def _page_of(found: Any, *, errors: dict[str, str] | None = None, status: int = 200) -> Any:
    if found.state != "uploaded":
        return render_template("contact_imports/show.html", **_progress(found)), status
    chosen = {name.removeprefix("map-"): value for name, value in request.form.items() if name.startswith("map-")}
    values = {
        "file": found, "errors": errors or {}, "mapping": chosen or found.mapping, "targets": list(TARGETS.items()),
        "duplicates": DUPLICATES, "owners": contacts.owners(), "preview": service.preview(found),
        "chosen": request.form.get("duplicates") or found.options.get("duplicates", "update"),
        "owner": request.form.get("owner", found.options.get("owner_id") or ""),
    }  # fmt: skip
    return render_template("contact_imports/map.html", **values), status


def _progress(found: Any) -> dict[str, Any]:
    rate, left = contact_imports.pace(found)
    return {
        "file": found,
        "busy": found.state in service.BUSY,
        "rate": rate,
        "left": left,
        "reasons": contact_imports.with_reason(found.id),
        "first": contact_imports.first_reasons(found.id),
    }
