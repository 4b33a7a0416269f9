"""The grid of RFM: how recently and how often contacts bought, with what each cell is worth."""

from __future__ import annotations

from typing import Any

from flask import render_template

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.segments import blueprint
from crm.db import transaction
from crm.exports import csv_response
from crm.queries import products, rfm_grid
from crm.security import requires
from crm.services import segments as service

EXPORT = ("Recency (5: most recent)", "Frequency (5: most often)", "Contacts", "Lifetime sales", "Last bought from",
          "Last bought to", "Fewest invoices", "Most invoices")  # fmt: skip


@blueprint.get("/rfm")
@requires("money.read")
def rfm() -> Any:
    values = {"grid": rfm_grid.grid(), "fifths": rfm_grid.FIFTHS, "currency": products.home_currency()}
    return render_template("segments/rfm.html", **values)


@blueprint.get("/rfm.csv")
@requires("money.read")
def export_rfm() -> Any:
    found, now = rfm_grid.grid(), clock.now()
    with transaction() as session:
        service.record_export(session, len(found.cells), "the grid of RFM", actor=actor(), now=now)
    rows = (
        (cell.recency, cell.frequency, cell.contacts, cell.total, *cell.last_on, *cell.invoices)
        for cell in found.cells.values()
    )
    return csv_response(f"rfm-{found.as_of or f'{now:%Y-%m-%d}'}.csv", EXPORT, rows)
