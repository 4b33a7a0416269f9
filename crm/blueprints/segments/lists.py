"""The list of segments with its export."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import company_day
from crm.blueprints.segments import blueprint
from crm.db import transaction
from crm.domain import segment_filters
from crm.domain.segment_filters import KINDS, SORTS, SegmentFilters
from crm.domain.segment_templates import TEMPLATES
from crm.exports import csv_response
from crm.queries import contacts, products
from crm.queries import segments as queries
from crm.security import requires
from crm.services import segments as service
from crm.web import is_fragment, page

EXPORT = ("Id", "Name", "Description", "Kind", "Rules", "Members", "Lifetime sales", "Balance", "Came in, 7 days",
          "Left, 7 days", "Owner", "Refreshed (UTC)", "Changed (UTC)", "Archived")  # fmt: skip


@blueprint.get("")
@requires("contacts.read")
def index() -> Any:
    filters = segment_filters.segment_filters(request.args)
    found = queries.page(filters, now=clock.now())
    owners = [("none", "Nobody"), *contacts.owners()]
    values: dict[str, Any] = {
        "page": found, "filters": filters, "orders": SORTS, "kinds": list(KINDS.items()), "owners": owners,
        "currency": products.home_currency(), "zone": company_day().zone, "templates": TEMPLATES,
        "applied": [(words, _address(rest)) for words, rest in _applied(filters, dict(owners))],
        "empty": not found.total and not filters.narrowed and not queries.any_segments(),
    }  # fmt: skip
    answer = page("segments/index.html", fragment="segments/_list.html", **values)
    if is_fragment():
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("segments.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("contacts.read")
def export() -> Response:
    filters, now = segment_filters.segment_filters(request.args), clock.now()
    owners = {"none": "Nobody", **dict(contacts.owners())}
    narrowed = ", ".join(words for words, _ in _applied(filters, owners)) or "all segments in use"
    with transaction() as session:
        number = queries.count(filters)
        service.record_export(session, number, narrowed, actor=actor(), now=now)
    rows = (
        (row.id, row.name, row.description, KINDS[row.kind], row.words, row.members, row.total_sales, row.balance,
         row.came, row.left, row.owner, row.refreshed_at.isoformat() if row.refreshed_at else "",
         row.updated_at.isoformat(), "yes" if row.archived else "no")
        for row in queries.each(filters, now=now)
    )  # fmt: skip
    return csv_response(f"segments-{now:%Y-%m-%d}.csv", EXPORT, rows)


def _applied(filters: SegmentFilters, owners: dict[str, str]) -> list[tuple[str, SegmentFilters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    out += [(KINDS[filters.kind], filters.without("kind"))] if filters.kind else []
    if filters.owner:
        out.append((f"Owner: {owners.get(filters.owner, 'somebody who is gone')}", filters.without("owner")))
    return out + ([("Archived", filters.without("archived"))] if filters.archived else [])


def _address(filters: SegmentFilters) -> str:
    return url_for("segments.index", **dict[str, Any](filters.query()))
