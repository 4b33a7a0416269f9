"""What came of an import is told by kind: on its page, and in the log."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.domain.runs import KINDS, came_of
from crm.models import Connection, SyncLogEntry, SyncRun
from sandbox import Served
from tests.flows.imports import everything, run_import
from tests.flows.test_purchases import company as company
from tests.flows.test_purchases import sandbox as sandbox
from tests.quickbooks import quickbooks  # noqa: F401

THERE = {"item": "Item", "estimate": "Estimate", "invoice": "Invoice", "payment": "Payment", "vendor": "Vendor",
         "bill": "Bill", "bill_payment": "BillPayment", "credit_memo": "CreditMemo"}  # fmt: skip


def lines(event: str) -> list[str]:
    query = select(SyncLogEntry.message).where(SyncLogEntry.event == event).order_by(SyncLogEntry.id)
    return list(db.session.scalars(query))


def test_every_kind_that_was_read_is_counted_on_the_page_and_in_the_log(
    company: Connection, sandbox: Served, client: FlaskClient, sign_in: Any
) -> None:
    sign_in("admin")
    run = db.session.scalars(select(SyncRun)).one()
    page, done = client.get(f"/integrations/runs/{run.id}").text, lines("run_done")[-1]
    for kind, name in THERE.items():
        number, (title, one) = came_of(run.counts, kind)[0], KINDS[kind]
        assert number >= len(everything(sandbox, name)), "those out of use come too, and are not asked for here"
        assert f"{title}: {number:,} done ({number:,} new, 0 changed, 0 unchanged)." in lines("step_done")
        assert number == 0 or f"{number:,} {one}{'' if number == 1 else 's'}" in done
        assert title in page
    assert '<a href="/vendors">Vendors</a>' in page and '<a href="/products">Products</a>' in page
    again = run_import(company.id)
    assert came_of(again.counts, "bill") == (0, 0, len(everything(sandbox, "Bill")))
