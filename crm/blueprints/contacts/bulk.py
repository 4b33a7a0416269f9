"""Something done to many contacts at once: the ticked ones, or all that match the filters of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.blueprints.contacts.lists import words_of
from crm.db import transaction
from crm.domain import contact_filters
from crm.domain.contact_filters import Filters
from crm.domain.errors import Invalid
from crm.formats import plural
from crm.queries import contacts
from crm.security import requires
from crm.services import contacts as service
from crm.web import go

#: Deed -> what was done, and the button that does it.
DEEDS: dict[str, tuple[str, str]] = {
    "tag": ("tagged", "Tag"), "untag": ("untagged", "Untag"), "assign": ("assigned", "Assign"),
    "archive": ("archived", "Archive"),
}  # fmt: skip


@blueprint.post("/bulk")
@requires("contacts.write")
def bulk() -> Any:
    form, now = request.form, clock.now()
    filters, deed, owner = contact_filters.read(form), form.get("deed", ""), form.get("new_owner", "")
    if deed not in DEEDS:
        raise Invalid({"deed": "Choose what to do with the chosen contacts: tag, assign or archive."})
    if deed == "assign" and owner != "none" and not owner.isdigit():
        raise Invalid({"new_owner": "Choose the new owner first; “Nobody” takes the owner away."})
    if "all" in form:
        found = contacts.count(filters, now=now)
        if found > service.MAX_BULK:
            most = f"up to {service.MAX_BULK:,} contacts can be changed at once"
            raise Invalid({"all": f"The list holds {found:,}; {most}. Narrow it by a filter first."})
        if form.get("confirmed", "") != str(found):
            return _ask(filters, found)
        ids: Sequence[int] = contacts.page_ids(filters, now=now, limit=service.MAX_BULK)
    else:
        ids = [int(text) for text in form.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 10]
    if not ids:
        raise Invalid({"ids": "No contact is chosen. Tick the ones you mean in the list first."})
    with transaction():
        changed = _do(deed, ids, form, now)
    done = "without an owner now" if deed == "assign" and owner == "none" else DEEDS[deed][0]
    flash(f"{changed:,} of {len(ids):,} {done}; the others were so already." if changed < len(ids) else
          f"{plural(changed, 'contact')} {done}.", "success")  # fmt: skip
    return go("contacts.index", **filters.query())


def _do(deed: str, ids: Sequence[int], form: Mapping[str, str], now: datetime) -> int:
    """Answers how many were changed by it."""
    tag, owner = form.get("tag_name", ""), form.get("new_owner", "")
    if deed == "tag":
        return service.tag(ids, tag, actor=actor(), now=now)
    if deed == "untag":
        return service.untag(ids, tag, actor=actor(), now=now)
    if deed == "assign":
        return service.assign(ids, None if owner == "none" else int(owner), actor=actor(), now=now)
    return service.archive_many(ids, actor=actor(), now=now)


def _ask(filters: Filters, found: int) -> Any:
    """The number, to be confirmed; again when it is another one by then, so that nobody changes more than they saw."""
    deed, tag, owner = (request.form.get(name, "") for name in ("deed", "tag_name", "new_owner"))
    values = {
        "filters": filters, "found": found, "deed": deed, "tag": tag, "owner": owner, "button": DEEDS[deed][1],
        "narrowed": words_of(filters), "owner_name": dict(contacts.owners()).get(owner, "nobody"),
        "other": "confirmed" in request.form,
    }  # fmt: skip
    return render_template("contacts/bulk.html", **values), 409 if values["other"] else 200
