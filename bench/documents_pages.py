"""Part: the lists of invoices and of quotes at `number` each, whole requests, as the server makes them.

The rows are those an import leaves, written in bulk: three in ten invoices have an open amount, one in ten is late,
one in PARTS was made from the quote with its number, which is then partly invoiced unless it is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from bench.child import answer
from bench.pages import case
from crm import clock, create_app
from crm.db import db, table_of, transaction
from crm.domain.quotes import STORED
from crm.models import Contact, SalesDocument, User

CHUNK = 5000
WORDS = ("gutters", "roof", "siding", "kitchen", "deck", "windows", "drywall", "painting")
PARTS = 8
LAST = {"invoice": "/invoices", "estimate": "/quotes"}


def measure(connection_id: int, number: int, repeats: int) -> dict[str, Any]:
    app = create_app()
    with app.app_context():
        user_id, today = prepare(connection_id, number), clock.now().date()
        engine = db.engine
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.execute(text("ANALYZE"))
        queries: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *call: queries.append(call[2]))
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = user_id, True
    found = [case(app, client, queries, name, address, repeats) for name, address in cases(number, today)]
    return {"number": number, "cases": found, "dialect": engine.dialect.name}


def cases(number: int, today: date) -> Iterator[tuple[str, str]]:
    late = {"/invoices": ("overdue", "overdue"), "/quotes": ("expired", "expired")}
    for address in LAST.values():
        name, (said, state) = address[1:], late[address]
        yield f"{name}, first page", address
        yield f"{name}, filter {said}", f"{address}?state={state}"
        if state == "expired":
            yield f"{name}, filter partly invoiced", f"{address}?state=partly"
            yield f"{name}, board", f"{address}/board"
        yield f"{name}, search, a word", f"{address}?q=kitchen"
        yield f"{name}, search, a number", f"{address}?q={number - 3}"
        yield f"{name}, search, nothing fits", f"{address}?q=qqqqzz"
        yield f"{name}, filter last 30 days", f"{address}?since={today - timedelta(days=30)}"
        yield f"{name}, sort by amount", f"{address}?sort=-total"
        yield f"{name}, last page", f"{address}?page={(number - 1) // 50 + 1}"


def prepare(connection_id: int, number: int) -> str:
    now = clock.now()
    with transaction() as session:
        contacts = list(session.execute(select(Contact.id, Contact.display_name).order_by(Contact.id)))
        session.execute(SalesDocument.__table__.delete())
        for kind in LAST:
            for start in range(0, number, CHUNK):
                session.execute(insert(table_of(SalesDocument)), [
                    row(kind, at, contacts[at * 31 % len(contacts)], connection_id, now)
                    for at in range(start, min(start + CHUNK, number))
                ])  # fmt: skip
        from_quotes(session)
        user = User(email="lists@example.com", name="Lists", role="admin", password_hash="", created_at=now)
        session.add(user)
        session.flush()
        assert session.scalar(select(func.count(SalesDocument.id))) == number * len(LAST)
        return user.get_id()


def from_quotes(session: Session) -> None:
    quote = aliased(SalesDocument)
    of_number = select(quote.id).where(quote.kind == "estimate", quote.number == SalesDocument.number).scalar_subquery()
    made = (SalesDocument.kind == "invoice", SalesDocument.id % PARTS == 0)
    session.execute(
        update(SalesDocument).where(*made).values(quote_id=of_number),
        execution_options={"synchronize_session": False},
    )


def row(kind: str, at: int, contact: Any, connection_id: int, now: Any) -> dict[str, Any]:
    """The document number `at` of its kind, the newest first."""
    today = now.date()
    issued = today - timedelta(days=at * 2000 // 100_000)
    total = Decimal(at * 7919 % 2_000_000) / 100 + 1
    owed = total if at % 10 < 2 else total / 2 if at % 10 == 2 else Decimal(0)
    due = issued + timedelta(days=30 if at % 10 else 3)
    number, words = str(at + 1), f"{WORDS[at % 8]} {WORDS[at * 3 % 8]}"
    return {
        "kind": kind, "connection_id": connection_id, "contact_id": contact.id, "number": number,
        "title": words.capitalize(), "state": "open" if kind == "invoice" else STORED[at % len(STORED)],
        "date": issued, "due_date": due if kind == "invoice" else None,
        "expires_on": due if kind == "estimate" else None, "currency": "USD", "tax_mode": "us", "subtotal": total,
        "total": total, "books_total": total, "books_tax": Decimal(0), "source": "quickbooks",
        "balance": round(owed, 2) if kind == "invoice" else None,
        "search_text": f" {number} {words} {contact.display_name.lower()} {WORDS[at % 8]} installed and cleaned up",
        "created_at": now, "updated_at": now,
    }  # fmt: skip


if __name__ == "__main__":
    answer(measure)
