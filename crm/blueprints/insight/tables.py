"""Tables of figures: what the dashboard draws, a page shows whole, CSV carries. Every amount leads to its documents."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import url_for

from crm.blueprints.insight.figures import Flows, flows
from crm.blueprints.insight.viewing import View
from crm.domain import insight
from crm.domain.insight import FORMULAS, ZERO, Cell, Column, Stretch, Table, change, share
from crm.domain.invoice_filters import AGES
from crm.domain.products import TYPES
from crm.domain.sales_places import NONE, city_name, region_name
from crm.queries import insight_customers, insight_money, insight_open, insight_places, insight_products
from crm.queries.insight_customers import NEW, RETURNING, UNMATCHED
from crm.queries.insight_places import CITY, POSTAL, STATE, Place
from crm.queries.insight_products import FREE, Sold

ON_PAGE = 500
"""Rows of a page; CSV has them all."""
WORDS = {NEW: "New customers", RETURNING: "Returning customers", UNMATCHED: "Without a contact here"}
QUOTE_ROWS = (
    ("sent", "Sent", False), ("viewed", "Viewed", False), ("accepted", "Accepted, not invoiced", False),
    ("partly", "Partly invoiced", False), ("won", "Won in the period", True), ("lost", "Lost in the period", True),
)  # fmt: skip


def over_time(view: View, limit: int | None = None, found: Flows | None = None) -> Table:
    found = found or flows(view)
    days = [row.date for row in (*found.invoiced, *found.collected)]
    parts = insight.stretches(view.span, days)
    other = view.period.other
    beside = insight.stretches(other) if other else []
    invoiced, collected = (insight.by_stretch(rows, parts, view.home) for rows in (found.invoiced, found.collected))
    before = insight.by_stretch(found.invoiced_then, beside, view.home)
    columns = [Column("When"), Column("Invoiced", "money"), Column("Collected", "money")]
    if other:
        columns += [Column("Invoiced then", "money", spare=True), Column("Change", "change", spare=True)]
    rows = []
    for at, part in enumerate(parts):
        cells = [
            Cell(part.label), Cell(invoiced[at], view.invoices(part.span)),
            Cell(collected[at], view.payments(part.span)),
        ]  # fmt: skip
        if other:
            cells += _then(view, beside[at] if at < len(beside) else None, before[at : at + 1], invoiced[at])
        rows.append(tuple(cells))
    total = [Cell("Together"), Cell(sum(invoiced, ZERO), view.invoices()), Cell(sum(collected, ZERO), view.payments())]
    if other:
        whole = sum(before, ZERO)
        total += [Cell(whole, view.invoices(other)), Cell(change(sum(invoiced, ZERO), whole))]
    return Table("time", "Over time", FORMULAS["time"], tuple(columns), tuple(rows), tuple(total))


def _then(view: View, part: Stretch | None, before: list[Decimal], now: Decimal) -> list[Cell]:
    if part is None or not before:
        return [Cell(None), Cell(None)]
    return [Cell(before[0], view.invoices(part.span), part.label), Cell(change(now, before[0]))]


def customers(view: View, limit: int | None = ON_PAGE) -> Table:
    found = insight_customers.largest(view.span, limit=limit)
    whole = _invoiced(view)
    other = view.period.other
    then = insight_customers.of_contacts([one.contact_id for one in found], other) if other else {}
    columns = [
        Column("Customer"), Column("Invoiced", "money"), Column("Share", "share"), Column("Invoices", "number", True)
    ]  # fmt: skip
    columns += [Column("Then", "money", True), Column("Change", "change", True)] if other else []
    rows = []
    for one in found:
        narrowed: dict[str, Any] = {"contact": one.contact_id} if one.contact_id else {"buyers": UNMATCHED}
        page = url_for("contacts.show", contact_id=one.contact_id) if one.contact_id else ""
        cells = [
            Cell(one.name or WORDS[UNMATCHED], page), Cell(one.amount, view.invoices(**narrowed)),
            Cell(share(one.amount, whole)), Cell(one.invoices),
        ]  # fmt: skip
        if other:
            before = then.get(one.contact_id, ZERO)
            cells += [Cell(before, view.invoices(other, **narrowed)), Cell(change(one.amount, before))]
        rows.append(tuple(cells))
    more = 0 if limit is None or len(found) < limit else insight_customers.number(view.span) - len(found)
    total = (Cell("All customers"), Cell(whole, view.invoices()), _all(whole))
    return Table(
        "customers", "Top customers", FORMULAS["customers"], tuple(columns), tuple(rows),
        (*total, *(Cell(None) for _ in columns[3:])), max(more, 0),
    )  # fmt: skip


def newness(view: View, limit: int | None = None) -> Table:
    found = insight_customers.newness(view.span)
    whole = sum((part.amount for part in found.values()), ZERO)
    rows = tuple(
        (
            Cell(WORDS[key], ""), Cell(part.amount, view.invoices(buyers=key if view.span.since else None)),
            Cell(share(part.amount, whole)), Cell(part.customers if key != UNMATCHED else None), Cell(part.invoices),
        )
        for key, part in found.items()
        if key != UNMATCHED or part.invoices
    )  # fmt: skip
    columns = (
        Column("Customers"), Column("Invoiced", "money"), Column("Share", "share"), Column("Number", "number"),
        Column("Invoices", "number", True),
    )  # fmt: skip
    note = "" if view.span.since else "Over all time every customer is new once: choose a period to tell them apart."
    total = (Cell("Together"), Cell(whole, view.invoices()), _all(whole), Cell(None), Cell(None))
    return Table("newness", "New and returning", FORMULAS["newness"], columns, () if note else rows, total, note=note)


def services(view: View, limit: int | None = ON_PAGE) -> Table:
    found = view.once(insight_products.by_product, view.span)
    return _sold(view, "services", "Sales by service", found, "Service", limit, lambda one: (
        (one.name if one.product_id else "Lines without a product"),
        {"product": one.product_id or FREE},
    ))  # fmt: skip


def categories(view: View, limit: int | None = ON_PAGE) -> Table:
    found = _grouped(view.once(insight_products.by_product, view.span), lambda one: one.category)
    return _sold(view, "categories", "Sales by category", found, "Category", limit, lambda one: (
        one.category.replace(":", " › ") or "Without a category", {"category": one.category}
    ))  # fmt: skip


def types(view: View, limit: int | None = ON_PAGE) -> Table:
    found = _grouped(view.once(insight_products.by_product, view.span), lambda one: one.type)
    return _sold(view, "types", "Sales by type", found, "Type", limit, lambda one: (
        TYPES.get(one.type, "Lines without a product"), {"type": one.type or FREE}
    ))  # fmt: skip


def _grouped(found: list[Sold], by: Callable[[Sold], str]) -> list[Sold]:
    parts: dict[str, Sold] = {}
    for one in found:
        known = parts.get(by(one), Sold(None, "", one.category, one.type, 0, ZERO, ZERO, ZERO))
        parts[by(one)] = known._replace(
            lines=known.lines + one.lines, amount=known.amount + one.amount, known=known.known + one.known,
            cost=known.cost + one.cost,
        )  # fmt: skip
    return sorted(parts.values(), key=lambda one: (-one.amount, by(one)))


def _sold(
    view: View, key: str, title: str, found: list[Sold], head: str, limit: int | None,
    named: Callable[[Sold], tuple[str, dict[str, Any]]],
) -> Table:  # fmt: skip
    whole, sold = _invoiced(view), sum((one.amount for one in found), ZERO)
    rows = []
    for one in found[:limit]:
        words, narrowed = named(one)
        gained = insight.margin(one.amount, one.known, one.cost)
        covered = share(one.known, one.amount)
        rows.append((
            Cell(words), Cell(one.amount, view.lines(**narrowed)), Cell(share(one.amount, sold)),
            Cell(gained[0] if gained else None, view.lines(**narrowed, known="yes") if gained else "",
                 "" if gained else "cost not known" if not one.known else "cost of too little known"),
            Cell(gained[1] if gained else None), Cell(covered),
        ))  # fmt: skip
    columns = (
        Column(head), Column("Sales", "money"), Column("Share", "share"), Column("Margin", "money"),
        Column("Of sales", "percent", True), Column("Cost known", "percent", True),
    )  # fmt: skip
    blank = (Cell(None),) * 4
    rest = (Cell("Tax, less discounts of whole invoices"), Cell(whole - sold, view.invoices()), *blank)
    total = (Cell("Invoiced"), Cell(whole, view.invoices()), *blank)
    shown = (*rows, rest) if whole != sold and len(found) <= (limit or len(found)) else tuple(rows)
    return Table(key, title, FORMULAS["services"], columns, shown, total, max(0, len(found) - len(rows)))


def states(view: View, limit: int | None = ON_PAGE) -> Table:
    return _places(view, "states", "Sales by state", "State", STATE, limit)


def cities(view: View, limit: int | None = ON_PAGE) -> Table:
    return _places(view, "cities", "Sales by city", "City", CITY, limit)


def postal(view: View, limit: int | None = ON_PAGE) -> Table:
    return _places(view, "postal", "Sales by postal code", "Postal code", POSTAL, limit)


def _places(view: View, key: str, title: str, head: str, level: str, limit: int | None) -> Table:
    found = insight_places.by_place(view.span, level)
    whole = sum((one.amount for one in found), ZERO)
    rows = tuple(
        (
            Cell(place_words(one, level)), Cell(one.amount, place_address(view, one)), Cell(share(one.amount, whole)),
            Cell(one.customers if one.key else None), Cell(one.invoices),
        )
        for one in found[:limit]
    )  # fmt: skip
    columns = (
        Column(head), Column("Invoiced", "money"), Column("Share", "share"), Column("Customers", "number", True),
        Column("Invoices", "number", True),
    )  # fmt: skip
    total = (Cell("All places"), Cell(whole, view.invoices()), _all(whole), Cell(None), Cell(None))
    return Table(key, title, FORMULAS["places"], columns, rows, total, max(0, len(found) - len(rows)))


def place_words(place: Place, level: str) -> str:
    if place.key is None:
        return WORDS[UNMATCHED]
    region = region_name(place.key.region)
    if level == STATE:
        return region
    short = place.key.region if len(place.key.region) == 2 else region
    city = f"{city_name(place.key.city)}, {short}" if place.key.region != NONE else city_name(place.key.city)
    if level == CITY:
        return city
    return f"{'No postal code' if place.key.postal == NONE else place.key.postal} {city}"


def place_address(view: View, place: Place) -> str:
    if place.key is None:
        return view.invoices(buyers=UNMATCHED)
    return view.invoices(**{name: text for name, text in place.key._asdict().items() if text})


def aging(view: View, limit: int | None = None) -> Table:
    found = view.once(insight_open.receivables, view.today)
    whole = sum((amount for _, amount in found.values()), ZERO)
    everything = insight.Span()
    rows = tuple(
        (
            Cell(words), Cell(found[age][1], view.invoices(everything, state="unpaid", age=age)),
            Cell(share(found[age][1], whole)), Cell(found[age][0]),
        )
        for age, words in AGES.items()
    )  # fmt: skip
    columns = (Column("Age"), Column("Open", "money"), Column("Share", "share"), Column("Invoices", "number"))
    total = (
        Cell("Open today"), Cell(whole, view.invoices(everything, state="unpaid")),
        _all(whole), Cell(sum(number for number, _ in found.values())),
    )  # fmt: skip
    return Table("aging", "Receivables by age", FORMULAS["aging"], columns, rows, total)


def quotes(view: View, limit: int | None = None) -> Table:
    rows, standing = [], view.once(insight_open.quotes_standing, view.today, view.span)
    for state, words, dated in QUOTE_ROWS:
        found, *_ = standing[state]
        rows.append((Cell(words), Cell(found.amount, view.quotes(state, dated=dated)), Cell(found.number)))
    columns = (Column("Quotes"), Column("Amount", "money"), Column("Number", "number"))
    return Table("quotes", "Quotes", FORMULAS["quotes"], columns, tuple(rows))


def _all(whole: Decimal) -> Cell:
    """The share of the whole in itself."""
    return Cell(Decimal(1) if whole else None)


def _invoiced(view: View) -> Decimal:
    return insight.summed(view.once(insight_money.invoiced, view.span), view.home).home


TABLES: dict[str, Callable[..., Table]] = {
    "time": over_time, "customers": customers, "newness": newness, "services": services, "categories": categories,
    "types": types, "states": states, "cities": cities, "postal": postal, "aging": aging, "quotes": quotes,
}  # fmt: skip
TITLES: dict[str, str] = {
    "time": "Over time", "customers": "Customers", "newness": "New and returning", "services": "Services",
    "categories": "Categories", "types": "Types", "states": "States", "cities": "Cities", "postal": "Postal codes",
    "aging": "Receivables", "quotes": "Quotes",
}  # fmt: skip
