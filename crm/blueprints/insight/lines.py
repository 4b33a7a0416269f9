"""The lines of issued invoices that sales by product are summed from: what such a figure opens."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.insight import blueprint
from crm.blueprints.insight.pages import common
from crm.blueprints.insight.viewing import View, asked, certain
from crm.db import transaction
from crm.domain.products import TYPES
from crm.exports import csv_response
from crm.formats import money, plural
from crm.queries import insight_products
from crm.queries.insight_products import FREE, KNOWN, Filters
from crm.security import requires
from crm.services import audit
from crm.web import page, page_number

SIZE = 50
EXPORT = ("Invoice", "Date", "Customer", "Name", "Description", "Amount", "Cost")


class Page:
    """As `ui.pagination` takes it."""

    def __init__(self, number: int, total: int) -> None:
        self.size, self.total = SIZE, total
        self.number = min(number, max(1, (total + SIZE - 1) // SIZE))


@blueprint.get("/lines")
@requires("money.read")
def lines() -> Any:
    view = asked()
    filters = _read(view)
    values = common(view) | {"applied": _applied(view, filters)}
    if not view.errors:
        number, amount, known, cost = insight_products.summed(filters)
        shown = Page(page_number(request.args), number)
        values |= {
            "page": shown, "amount": amount, "known": known, "cost": cost, "number": number,
            "rows": insight_products.lines(filters, limit=SIZE, offset=(shown.number - 1) * SIZE),
            "csv": view.here("insight.export_lines", **_query(filters)),
        }  # fmt: skip
    return page("insight/lines.html", status=422 if view.errors else 200, **values)


@blueprint.get("/lines.csv")
@requires("money.read")
def export_lines() -> Response:
    view, now = certain(), clock.now()
    filters = _read(view)
    number, amount, *_ = insight_products.summed(filters)
    with transaction():
        told = f"{plural(number, 'line')} of invoices, {view.span.words}, {money(amount, view.home)}"
        audit.record("insight_exported", actor=actor(), now=now, summary=told)
    rows = (
        (row.number, row.date, row.contact, row.name, row.description, row.amount, row.cost)
        for row in insight_products.each(filters)
    )
    header = [f"{name} ({view.home})" if name in ("Amount", "Cost") else name for name in EXPORT]
    return csv_response(f"insight-lines-{now:%Y-%m-%d}.csv", header, rows)


def _read(view: View) -> Filters:
    """What nobody understands is left out."""
    product, type_ = request.args.get("product", ""), request.args.get("type", "")
    whole = product.isascii() and product.isdigit() and len(product) < 10
    return Filters(
        view.span,
        product=product if whole or product == FREE else "",
        category=request.args["category"][:500] if "category" in request.args else None,
        type=type_ if type_ in TYPES or type_ == FREE else "",
        known=request.args.get("known", "") if request.args.get("known", "") in KNOWN else "",
    )


def _query(filters: Filters) -> dict[str, Any]:
    found = {"product": filters.product, "type": filters.type, "known": filters.known}
    return {name: text for name, text in found.items() if text} | (
        {} if filters.category is None else {"category": filters.category}
    )


def _applied(view: View, filters: Filters) -> list[tuple[str, str]]:
    """What narrows the list, in words, each with the address that leaves it out."""
    given = _query(filters)
    words = {
        "product": "Without a product" if filters.product == FREE else (
            insight_products.product_name(int(filters.product)) or "Unknown product" if filters.product else ""
        ),
        "category": filters.category.replace(":", " › ") if filters.category else "Without a category",
        "type": TYPES.get(filters.type, "Without a product"),
        "known": KNOWN.get(filters.known, ""),
    }  # fmt: skip
    return [
        (words[name], view.lines(**{other: text for other, text in given.items() if other != name})) for name in given
    ]
