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
from crm.blueprints.contacts.merging import to_merge
from crm.db import transaction
from crm.domain import contact_filters
from crm.domain.contact_filters import Filters
from crm.domain.errors import Invalid
from crm.formats import plural
from crm.queries import contacts, households
from crm.security import requires
from crm.services import automation
from crm.services import contacts as service
from crm.web import go

NAMED = 10
"""Of those that cannot be archived, how many are named."""
#: Deed -> what was done, and the button that does it.
DEEDS: dict[str, tuple[str, str]] = {
    "tag": ("tagged", "Tag"), "untag": ("untagged", "Untag"), "assign": ("assigned", "Assign"),
    "archive": ("archived", "Archive"), "release": ("released for automation", "Release"),
}  # fmt: skip


@blueprint.post("/bulk")
@requires("contacts.write")
def bulk() -> Any:
    form, now = request.form, clock.now()
    filters, deed, owner = contact_filters.read(form), form.get("deed", ""), form.get("new_owner", "")
    if deed == "merge":
        return to_merge([] if "all" in form else _ticked())
    if deed not in DEEDS:
        raise Invalid({"deed": "Choose what to do with the chosen contacts: tag, assign, merge or archive."})
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
        ids = _ticked()
    if not ids:
        raise Invalid({"ids": "No contact is chosen. Tick the ones you mean in the list first."})
    with transaction():
        stay = list(households.billing_others(ids).values()) if deed == "archive" else []
        changed = _do(deed, ids, form, now)
    if stay:
        flash(_staying(stay), "warning")
    done = "without an owner now" if deed == "assign" and owner == "none" else DEEDS[deed][0]
    meant = len(ids) - len(stay)
    if meant:
        flash(f"{changed:,} of {meant:,} {done}; the others were so already." if changed < meant else
              f"{plural(changed, 'contact')} {done}.", "success")  # fmt: skip
    return go("contacts.index", **filters.query())


def _staying(names: Sequence[str]) -> str:
    """Why these were not archived."""
    more = f" and {plural(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    return (f"Not archived, since others are billed to them: {', '.join(names[:NAMED])}{more}. Make another one the"
            " bill-to of such a household first, or take the others out of it.")  # fmt: skip


def _ticked() -> list[int]:
    return [int(text) for text in request.form.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 10]


def _do(deed: str, ids: Sequence[int], form: Mapping[str, str], now: datetime) -> int:
    """Answers how many were changed by it."""
    tag, owner = form.get("tag_name", ""), form.get("new_owner", "")
    if deed == "tag":
        return service.tag(ids, tag, actor=actor(), now=now)
    if deed == "untag":
        return service.untag(ids, tag, actor=actor(), now=now)
    if deed == "assign":
        return service.assign(ids, None if owner == "none" else int(owner), actor=actor(), now=now)
    if deed == "release":
        return automation.release(ids, actor=actor(), now=now)
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
