"""Part: pages of segments and insight over the books of part `books`, whole requests, as the server makes them.

Expectations and values are worked out first by the nightly job itself, sums of the usual periods by theirs; both are
timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import event, func, select

from bench.books import settle
from bench.child import answer
from bench.pages import case
from bench.segments import timed
from crm import clock, create_app
from crm.db import db, transaction
from crm.models import Contact, SalesDocument, Segment, User
from crm.services import forecasting, insight_results


def measure(repeats: int) -> dict[str, Any]:
    app = create_app()
    with app.app_context():
        engine = db.engine
        settle()
        nightly = timed(lambda: forecasting.refresh(clock=clock.now))
        stored = timed(lambda: insight_results.refresh(clock=clock.now))
        user_id, addresses = prepare()
        queries: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *call: queries.append(call[2]))
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = user_id, True
    found = [case(app, client, queries, name, address, repeats) for name, address in addresses]
    return {"nightly": nightly, "stored": stored, "cases": found, "dialect": engine.dialect.name}


def prepare() -> tuple[str, list[tuple[str, str]]]:
    with transaction() as session:
        user = User(email="insight@example.com", name="Insight", role="admin", password_hash="", created_at=clock.now())
        session.add(user)
        session.flush()
        largest = session.scalar(select(Segment.id).order_by(Segment.members.desc(), Segment.id).limit(1))
        owing = session.scalar(
            select(SalesDocument.id).where(SalesDocument.kind == "invoice", SalesDocument.balance > 0)
            .order_by(SalesDocument.id).limit(1)
        )  # fmt: skip
        someone = session.scalar(select(func.max(Contact.id)))
        return user.get_id(), list(cases(largest or 0, owing or 0, someone or 0))


def cases(segment: int, invoice: int, contact: int) -> Iterator[tuple[str, str]]:
    yield "insight, last twelve months", "/insight"
    yield "insight, this month", "/insight?period=month"
    yield "insight, all time", "/insight?period=all"
    yield "insight, own dates, never worked out beforehand", "/insight?period=own&since=2025-03-04&until=2026-02-10"
    yield "map", "/insight/map"
    yield "forecast", "/insight/forecast"
    yield "customers by value", "/insight/customers"
    yield "segments", "/segments"
    yield "a segment's members", f"/segments/{segment}"
    yield "why a contact is in or out", f"/segments/{segment}/why/{contact}"
    yield "RFM grid", "/segments/rfm"
    yield "contacts of a segment", f"/contacts?segment={segment}"
    yield "an open invoice with its expected day", f"/invoices/{invoice}"


if __name__ == "__main__":
    answer(measure)
