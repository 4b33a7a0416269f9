"""Part: the list of contacts as the server makes it, whole requests, on the database an import has filled.

Each case is asked for `repeats` times after one for warming up; queries are counted on the way to the database.
Balances come from documents, which the measured company has none of, so they are written here: every fifth contact
with facts owes something, every twentieth is overdue.
"""

from __future__ import annotations

import time
from statistics import median, quantiles
from typing import Any

from flask import Flask
from sqlalchemy import event, func, select, text, update

from bench.child import answer
from crm import clock, create_app
from crm.db import db, transaction
from crm.models import Contact, MoneyFacts, Tag, User


def measure(repeats: int) -> dict[str, Any]:
    app = create_app()
    with app.app_context():
        number, user_id, cases = prepare()
        engine = db.engine
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.execute(text("ANALYZE"))
        queries: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *call: queries.append(call[2]))
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = user_id, True
    found = [case(app, client, queries, name, address, repeats) for name, address in cases]
    return {"contacts": number, "cases": found, "dialect": engine.dialect.name}


def prepare() -> tuple[int, str, list[tuple[str, str]]]:
    with transaction() as session:
        owes, late = MoneyFacts.contact_id % 5 == 0, MoneyFacts.contact_id % 20 == 0
        amount = MoneyFacts.contact_id % 9973
        session.execute(update(MoneyFacts).where(owes).values(balance=amount, balance_with_jobs=amount))
        session.execute(update(MoneyFacts).where(late).values(overdue=amount))
        user = User(email="bench@example.com", name="Bench", role="admin", password_hash="", created_at=clock.now())
        session.add(user)
        session.flush()
        owner = session.scalar(select(User.id).where(User.role == "rep").order_by(User.id))
        tag = session.scalar(select(Tag.id).order_by(Tag.id))
        number = session.scalar(select(func.count(Contact.id))) or 0
        user_id = user.get_id()
    return (
        number,
        user_id,
        [
            ("first page", "/contacts"),
            ("deep page", f"/contacts?page={number // 50 * 4 // 5}"),
            ("last page", f"/contacts?page={number // 50}"),
            ("search, a name", "/contacts?q=petersen"),
            ("search, two words", "/contacts?q=mary+jo"),
            ("search, four digits of a phone", "/contacts?q=4417"),
            ("search, a whole phone", "/contacts?q=%28816%29+555-0134"),
            ("search, a common mail host", "/contacts?q=example"),
            ("search, nothing fits", "/contacts?q=qqqqzz"),
            ("filter, owner", f"/contacts?owner={owner}"),
            ("filter, tag", f"/contacts?tag={tag}"),
            ("filter, to review", "/contacts?link=review"),
            ("filter, open balance", "/contacts?balance=open"),
            ("filter, last 30 days", "/contacts?since=30d"),
            ("search, filter and sort", "/contacts?q=smith&link=linked&sort=-balance"),
            ("sort, balance", "/contacts?sort=-balance"),
            ("sort, last activity", "/contacts?sort=-activity"),
        ],
    )


def case(app: Flask, client: Any, queries: list[str], name: str, address: str, repeats: int) -> dict[str, Any]:
    taken = []
    for _ in range(repeats + 1):
        queries.clear()
        began = time.perf_counter()
        answered = client.get(address)
        taken.append((time.perf_counter() - began) * 1000)
        if answered.status_code != 200:
            raise RuntimeError(f"{address} answered {answered.status_code}")
    taken = taken[1:]
    slow = quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
    return {"name": name, "median_ms": median(taken), "p95_ms": slow, "queries": len(queries)}


if __name__ == "__main__":
    answer(measure)
