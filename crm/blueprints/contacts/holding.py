"""Contacts that an import made, released for automation: one of them, or all of an import."""

from __future__ import annotations

from typing import Any

from flask import flash

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.db import transaction
from crm.formats import plural
from crm.security import requires
from crm.services import automation
from crm.web import go


@blueprint.post("/<int:contact_id>/release")
@requires("contacts.write")
def release(contact_id: int) -> Any:
    with transaction():
        automation.release([contact_id], actor=actor(), now=clock.now())
    flash("Released: automation may act on this contact.", "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.post("/release/<any(file, quickbooks):source>/<int:source_id>")
@requires("contacts.import")
def release_import(source: str, source_id: int) -> Any:
    with transaction():
        number = automation.release_import(source, source_id, actor=actor(), now=clock.now())
    flash(f"{plural(number, 'contact')} released: automation may act on them.", "success")
    if source == automation.FILE:
        return go("contact_imports.show", import_id=source_id)
    return go("sync_runs.show", run_id=source_id)
