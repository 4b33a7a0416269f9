"""The list of products: searched, filtered, exported; and finding one of them by typing, for whoever builds a quote."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.products import blueprint
from crm.db import db, transaction
from crm.domain import product_filters
from crm.domain.product_filters import BOOKS, COSTS, STATES, STOCK, YES_NO, Filters
from crm.domain.products import TYPES
from crm.exports import csv_response
from crm.queries import object_badges, products
from crm.security import requires, safe_next
from crm.services import products as service
from crm.web import go, is_fragment, page

ORDERS = {
    "name": "Name", "-price": "Highest price first", "price": "Lowest price first", "sku": "SKU",
    "stock": "Least in stock first", "-updated": "Changed last first",
}  # fmt: skip
WORDS: dict[str, tuple[str, dict[str, str]]] = {
    "type": ("Type", TYPES), "active": ("", STATES), "taxable": ("", YES_NO), "stock": ("", STOCK),
    "books": ("", BOOKS), "cost": ("", COSTS),
}  # fmt: skip
"""Filter -> what stands before its words, and the words."""
EXPORT = (
    "Id", "Name", "Type", "Category", "SKU", "Description", "Price", "Cost", "Currency", "Taxable", "Active",
    "In stock", "Reorder point", "Changed (UTC)",
)  # fmt: skip
PICKED = 12
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    filters = product_filters.read(request.args)
    found = products.page(filters)
    values: dict[str, Any] = {
        "page": found,
        "badges": object_badges.badges("item", [row.id for row in found.rows]),
        "filters": filters,
        "orders": ORDERS,
        "choices": {**{name: list(words.items()) for name, (_, words) in WORDS.items()},
                    "category": [(path, path) for path in products.categories()]},
        "figures": products.figures(),
        "currency": products.home_currency(),
        "applied": [(words, _address(rest)) for words, rest in _applied(filters)],
        "empty": not found.total and not filters.narrowed and not products.any_products(),
    }  # fmt: skip
    answer = page("products/index.html", fragment="products/_list.html", **values)
    if is_fragment():  # the form sends empty fields too; the address should hold only what says something
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("products.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, now = product_filters.read(request.args), clock.now()
    narrowed = ", ".join(words for words, _ in _applied(filters)) or "all products in use"
    with transaction():
        service.record_export(products.count(filters), narrowed, actor=actor(), now=now)
    home = products.home_currency()
    rows = (
        (row.id, row.name, TYPES.get(row.type, row.type), row.category, row.sku, row.description, row.price, row.cost,
         row.currency or home, _yes(row.taxable), _yes(row.active), row.quantity_on_hand, row.reorder_point,
         row.updated_at.isoformat())
        for row in products.each(filters)
    )  # fmt: skip
    return csv_response(f"products-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.get("/pick")
@requires("sales.read")
def pick() -> Any:
    """Products that what is typed may mean, each as a button named `name` that sends its id with the form it stands in;
    as a page of its own the form leads to `next`, a page of ours."""
    name, text = request.args.get("name", "product"), request.args.get("q", "").strip()[:200]
    values: dict[str, Any] = {
        "q": text,
        "rows": products.pick(db.session(), text, PICKED),
        "name": name if _NAME.fullmatch(name) else "product",
        "next": safe_next(request.args.get("next")) or "",
        "currency": products.home_currency(),
    }
    return page("products/pick.html", fragment="products/_pick.html", **values)


@blueprint.get("/open")
@requires("sales.read")
def open_picked() -> Any:
    """The page of the product that was picked for nothing else."""
    text = request.args.get("product", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return go("products.pick")
    return go("products.show", product_id=int(text))


def _applied(filters: Filters) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    for name, (label, words) in WORDS.items():
        value = getattr(filters, name)
        if value:
            out.append((f"{label}: {words[value]}" if label else words[value], filters.without(name)))
    if filters.category:
        out.append((f"Category: {filters.category}", filters.without("category")))
    return out


def _address(filters: Filters) -> str:
    return url_for("products.index", **dict[str, Any](filters.query()))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
