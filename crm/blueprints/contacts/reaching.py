"""May we reach them? What a contact consented to by each channel, and how that was learned."""

from __future__ import annotations

from typing import Any

from flask import flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.security import requires
from crm.services import contact_consents
from crm.web import go


@blueprint.post("/<int:contact_id>/consents/<channel>")
@requires("contacts.write")
@answers_on("contacts.show")
def note_consent(contact_id: int, channel: str) -> Any:
    """`state`: granted, denied, or nothing: then what was noted is taken back."""
    state, how = request.form.get("state", "?"), request.form.get("how", "")
    with transaction():
        changed = contact_consents.note(contact_id, channel, state, how=how, actor=actor(), now=clock.now())
    words = contact_consents.STATES.get(state, "never asked").lower()
    name = contact_consents.CHANNELS[channel]
    flash(f"{name}: {words}." if changed else f"{name}: nothing was changed.", "success" if changed else "info")
    return go("contacts.show", contact_id=contact_id, _anchor="reaching")
