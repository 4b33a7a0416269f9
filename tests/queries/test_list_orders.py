"""Lists of documents come in the order of an index: nothing is sorted to show the first of very many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from crm import clock
from crm.db import db
from crm.domain.invoice_filters import Filters as InvoiceFilters
from crm.domain.quote_filters import Filters as QuoteFilters
from crm.models import SalesDocument
from crm.queries import invoices, quotes, sales_settings
from tests.engine_rows import add, company

WILLING = ("enable_seqscan = off", "enable_bitmapscan = off", "enable_sort = off")
"""On PostgreSQL, so that the few rows of a test are found as very many would be: by an index that has the order."""


def today() -> date:
    return clock.now().date()


def latest() -> None:
    sales_settings.facts(db.session(), company())


LISTS: dict[str, Callable[[], object]] = {
    "the latest, by which settings begin": latest,
    "invoices, newest first": lambda: invoices.page(InvoiceFilters(), today=today()),
    "invoices, oldest first": lambda: invoices.page(InvoiceFilters(sort="date"), today=today()),
    "invoices, largest first": lambda: invoices.page(InvoiceFilters(sort="-total"), today=today()),
    "quotes, newest first": lambda: quotes.page(QuoteFilters(), today=today()),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_first_of_a_list_are_found_without_sorting_all(app: Flask, name: str) -> None:
    seen: list[list[str]] = []
    now = clock.now()
    for kind, state in (("invoice", "open"), ("estimate", "sent")):
        add(SalesDocument(kind=kind, state=state, number="1", date=now.date(), currency="USD", total=Decimal(5),
                          created_at=now, updated_at=now))  # fmt: skip

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "ORDER BY sales_documents." not in statement:
            return
        asked = connection.connection.cursor()
        if sqlite := connection.dialect.name == "sqlite":
            asked.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        else:
            for setting in WILLING:
                asked.execute(f"SET LOCAL {setting}")
            asked.execute(f"EXPLAIN {statement}", parameters)
        steps = [row[3 if sqlite else 0] for row in asked.fetchall()]
        seen.append([one for one in steps if "Sort" in one or "TEMP B-TREE" in one])

    event.listen(db.engine, "before_cursor_execute", explain)
    try:
        LISTS[name]()
    finally:
        event.remove(db.engine, "before_cursor_execute", explain)
    assert seen and not any(seen), seen
