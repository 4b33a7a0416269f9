"""The list of contacts: searched, filtered, exported, and kept as views."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, request, url_for
from flask_login import current_user

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.db import transaction
from crm.domain import contact_filters
from crm.domain.contact_files import EXPORT, export_row
from crm.domain.contact_filters import BALANCES, SINCE, Filters
from crm.domain.contacts import LINK_STATES, TYPES
from crm.exports import csv_response
from crm.queries import contact_page, contacts, segments, sync_badges
from crm.security import may, requires
from crm.services import contact_views
from crm.services import contacts as service
from crm.web import go, is_fragment, page

#: The orders worth a name; the heads of the columns offer both directions.
ORDERS = {
    "name": "Name", "-created": "Newest first", "created": "Oldest first", "-activity": "Last active first",
    "-balance": "Highest balance", "-sales": "Highest sales",
}  # fmt: skip
SINCE_WORDS = {"7d": "Last 7 days", "30d": "Last 30 days", "90d": "Last 90 days", "365d": "Last year"}


@blueprint.get("")
@requires("contacts.read")
def index() -> Any:
    filters = contact_filters.read(request.args)
    now = clock.now()
    found = contacts.page(filters, now=now)
    opened = request.args.get("open", "")
    values: dict[str, Any] = {
        "page": found,
        "badges": sync_badges.of_page([(row.id, row.link_state) for row in found.rows]),
        "filters": filters,
        "choices": _choices(),
        "orders": ORDERS,
        "opened": contact_page.show(int(opened)) if opened.isdigit() and len(opened) < 10 else None,
        "views": contacts.views(current_user.id),
        "empty": not found.total and not filters.narrowed and not filters.archived and not contacts.any_contacts(),
        "today": now.date(),
    }
    values["applied"] = [(words, _address(rest)) for words, rest in _applied(filters, values["choices"])]
    answer = page("contacts/index.html", fragment="contacts/_list.html", **values)
    if is_fragment():  # the form sends empty fields too; the address should hold only what says something
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        if values["opened"]:
            more["open"] = opened
        answer.headers["HX-Push-Url"] = url_for("contacts.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("contacts.read")
def export() -> Response:
    filters, now = contact_filters.read(request.args), clock.now()
    count = contacts.count(filters, now=now)
    with transaction():
        service.record_export(count, words_of(filters), actor=actor(), now=now)
    rows = (export_row(row, details) for row, details in contacts.each(filters, now=now))
    return csv_response(f"contacts-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.post("/views")
@requires("contacts.read")
def save_view() -> Any:
    filters = contact_filters.read(request.form)
    with transaction():
        view = contact_views.save(
            request.form.get("name", ""), filters, shared="shared" in request.form, actor=actor(), now=clock.now()
        )
    flash(f"The view “{view.name}” is saved.", "success")
    return go("contacts.index", **filters.query())


@blueprint.post("/views/<int:view_id>/delete")
@requires("contacts.read")
def delete_view(view_id: int) -> Any:
    with transaction():
        name = contact_views.delete(view_id, actor=actor(), any_owner=may(current_user, "users.manage"))
    flash(f"The view “{name}” is gone. No contact was changed.", "success")
    return go("contacts.index")


def _choices() -> dict[str, Any]:
    return {
        "owner": [("none", "Nobody"), *contacts.owners()],
        "tag": [*contacts.tags(), ("none", "Without a tag")],
        "type": list(TYPES.items()),
        "link": list(LINK_STATES.items()),
        "balance": list(BALANCES.items()),
        "segment": segments.choices(),
        "since": [(key, SINCE_WORDS[key]) for key in SINCE],
    }


def _applied(filters: Filters, choices: dict[str, Any]) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    names = {"owner": "Owner", "tag": "Tag", "type": "Type", "link": "QuickBooks", "since": "Active"}
    out = []
    if filters.q:
        out.append((f"“{filters.q}”", filters.without("q")))
    for name, label in names.items():
        value = getattr(filters, name)
        if value:
            words = dict(choices[name]).get(value, f"since {value}" if name == "since" else value)
            out.append((f"{label}: {words}", filters.without(name)))
    if filters.balance:
        words = BALANCES.get(filters.balance) or f"Balance over {filters.balance}"
        out.append((words, filters.without("balance")))
    if filters.held or filters.made_by:
        which = f" since {filters.made_by.replace('-', ' import ')}" if filters.made_by else ""
        out.append((f"Held from automation{which}", filters.without("held", "made_by")))
    if filters.segment:
        found = segments.one(int(filters.segment))
        out.append((f"Segment: {found.name if found else 'one that is gone'}", filters.without("segment")))
    if filters.rfm:
        recency, _, frequency = filters.rfm.partition("-")
        out.append((f"RFM: recency {recency}, frequency {frequency}", filters.without("rfm")))
    if filters.archived:
        out.append(("Archived", filters.without("archived")))
    return out


def _address(filters: Filters) -> str:
    return url_for("contacts.index", **dict[str, Any](filters.query()))


def words_of(filters: Filters) -> str:
    """What the list is narrowed by, in words."""
    return ", ".join(words for words, _ in _applied(filters, _choices())) or "all contacts in use"
