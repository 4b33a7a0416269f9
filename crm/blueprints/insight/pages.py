"""The dashboard, and each of its tables as a page of its own and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, abort, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.insight import blueprint, tables
from crm.blueprints.insight.figures import figures, flows
from crm.blueprints.insight.viewing import View, asked, certain
from crm.db import transaction
from crm.domain.insight import Table
from crm.domain.periods import COMPARISONS, PERIODS
from crm.exports import csv_response
from crm.queries import insight_money, insight_stored
from crm.security import requires
from crm.services import audit
from crm.web import page

ON_DASHBOARD = 8
"""Rows of a table there."""


@blueprint.get("")
@requires("money.read")
def index() -> Any:
    view = asked()
    values = common(view)
    if not view.errors and not values["empty"]:
        found = flows(view)
        values |= {
            "figures": figures(view, found),
            "over_time": tables.over_time(view, found=found),
            **{
                name: tables.TABLES[name](view, ON_DASHBOARD)
                for name in ("aging", "customers", "newness", "services", "states", "quotes")
            },
        }
    return page("insight/index.html", status=422 if view.errors else 200, **values)


@blueprint.get("/tables/<key>")
@requires("money.read")
def table(key: str) -> Any:
    if key not in tables.TABLES:
        abort(404)
    view = asked()
    values = common(view)
    if not view.errors and not values["empty"]:
        values["table"] = tables.TABLES[key](view, tables.ON_PAGE)
    titles = tables.TITLES
    return page("insight/table.html", status=422 if view.errors else 200, **values, key=key, titles=titles)


@blueprint.get("/tables/<key>.csv")
@requires("money.read")
def export(key: str) -> Response:
    if key not in tables.TABLES:
        abort(404)
    view, now = certain(), clock.now()
    found: Table = tables.TABLES[key](view, None)
    with transaction():
        told = f"{tables.TITLES[key]}, {view.span.words}: {len(found.rows)} rows"
        audit.record("insight_exported", actor=actor(), now=now, summary=told)
    header = [f"{column.label} ({view.home})" if column.kind == "money" else column.label for column in found.columns]
    return csv_response(f"insight-{key}-{now:%Y-%m-%d}.csv", header, _cells(found))


def common(view: View) -> dict[str, Any]:
    """What every page of figures needs for its head."""
    return {
        "view": view,
        "periods": list(PERIODS.items()),
        "comparisons": list(COMPARISONS.items()),
        "empty": not insight_money.anything(),
        "stored_at": None if view.errors else insight_stored.as_of(view.span),
        "table_url": lambda key: view.here("insight.table", key=key),
        "csv_url": lambda key: view.here("insight.export", key=key),
        "plain_url": url_for("insight.index"),
    }


def _cells(found: Table) -> Iterator[list[Any]]:
    for row in (*found.rows, *([found.total] if found.total else [])):
        yield ["" if cell.value is None else cell.value for cell in row]
