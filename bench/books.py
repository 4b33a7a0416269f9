"""Part: a migrated database full of books: contacts, five invoices for each, payments, quotes, products.

The rows are those an import leaves, written in bulk: filling is not what is measured. Behaviour is known: every
contact buys at a pace of its own, pays so many days late, and takes a share of its quotes; a few buy often and most
seldom. The same seed makes the same books.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import delete, func, insert, select, text

from bench.child import ROOT, answer
from crm import clock, create_app
from crm.db import db, table_of, transaction
from crm.models import (
    Connection,
    Contact,
    ContactChange,
    ContactPoint,
    Document,
    Link,
    MoneyFacts,
    Payment,
    PaymentApplication,
    Product,
    SalesDocument,
    SalesLine,
    Tag,
    User,
)
from crm.models.contacts import contact_tags

CHUNK = 5_000
YEARS = 5
PRODUCTS = 24
TAGS = ("warm", "referral", "realtor", "warranty", "builder", "commercial")
PLACES = (
    ("Olathe", "KS", "66061"), ("Overland Park", "KS", "66212"), ("Lenexa", "KS", "66215"), ("Topeka", "KS", "66604"),
    ("Wichita", "KS", "67202"), ("Kansas City", "MO", "64111"), ("Independence", "MO", "64055"),
    ("Springfield", "MO", "65806"), ("Columbia", "MO", "65201"), ("Omaha", "NE", "68104"), ("Lincoln", "NE", "68508"),
    ("Tulsa", "OK", "74105"),
)  # fmt: skip
WON, LOST, OPEN = "accepted", "declined", "sent"


def fill(contacts: int, invoices: int, seed: int = 7) -> dict[str, Any]:
    began = time.monotonic()
    with create_app().app_context():
        upgrade(directory=str(ROOT / "migrations"))
        books = Books(random.Random(seed), contacts, invoices, clock.now())
        books.write()
        settle()
        counts = books.counts
    return {"seconds": time.monotonic() - began, **counts}


class Books:
    """What is written, contact by contact; ids are given by hand, so that rows can name each other unread."""

    def __init__(self, dice: random.Random, contacts: int, invoices: int, now: Any) -> None:
        self.dice, self.contacts, self.invoices, self.now = dice, contacts, invoices, now
        self.today: date = now.date()
        self.counts = {"contacts": contacts, "invoices": 0, "quotes": 0, "lines": 0, "payments": 0}
        self.waiting: dict[Any, list[dict[str, Any]]] = {}
        self.documents = 0

    def write(self) -> None:
        self.user_id, self.connection_id, tags = self.frame()
        weights = [self.dice.paretovariate(1.4) for _ in range(self.contacts)]
        share = self.invoices / sum(weights)
        for at, weight in enumerate(weights, start=1):
            self.contact(at, tags, min(round(weight * share + self.dice.random() - 0.5), 400))
            if at % 1000 == 0:
                self.flush()
        self.flush()
        with transaction() as session:
            session.execute(delete(ContactChange))
        self.count_on()

    def frame(self) -> tuple[int, int, dict[str, int]]:
        """The user, the company, its products, the tags."""
        with transaction() as session:
            user = User(email="books@example.com", name="Books", role="admin", password_hash="", created_at=self.now)
            company = Connection(
                provider="quickbooks", realm_id="1", realm_fingerprint="books", company_name="Measured company",
                country="US", currency="USD", time_zone="UTC", state="connected", connected_at=self.now,
                environment="simulated", scopes=["com.intuit.quickbooks.accounting"],
                read_at={kind: self.now.isoformat() for kind in ("customer", "invoice", "payment", "credit_memo")},
            )  # fmt: skip
            named = {name: Tag(name=name) for name in TAGS}
            session.add_all([user, company, *named.values()])
            session.flush()
            for at in range(1, PRODUCTS + 1):
                session.add(Product(
                    id=at, name=f"Service {at}", sort_name=f"service {at}", category=f"Group {at % 5}",
                    price=Decimal(at * 50), cost=Decimal(at * 20) if at % 4 else None, currency="USD",
                    source="quickbooks", search_text=f" service {at}", created_at=self.now, updated_at=self.now,
                ))  # fmt: skip
            return user.id, company.id, {name: tag.id for name, tag in named.items()}

    def contact(self, at: int, tags: dict[str, int], bought: int) -> None:
        dice, (city, region, postal) = self.dice, PLACES[self.dice.randrange(len(PLACES)) % (1 + at % len(PLACES))]
        name, made = f"Customer {at:06}", self.now - timedelta(days=dice.randrange(30, 365 * YEARS))
        self.add(table_of(Contact), {
            "id": at, "display_name": name, "sort_name": name.lower(), "type": "customer" if bought else "lead",
            "city": city, "region": region, "postal_code": postal, "country": "US", "email": f"c{at}@example.com",
            "phone": f"+1913555{at % 10000:04}" if at % 3 else "", "owner_id": self.user_id, "source": "quickbooks",
            "link_state": "linked" if bought else "none", "search_text": f" {name.lower()} {city.lower()}",
            "created_at": made, "updated_at": made, "last_activity_at": made, "version": 1,
        })  # fmt: skip
        self.add(table_of(ContactPoint), {
            "contact_id": at, "kind": "email", "label": "", "value": f"c{at}@example.com", "position": 0,
            "normal": f"c{at}@example.com", "extension": "", "source": "quickbooks",
        })  # fmt: skip
        if at % 4 == 0:
            self.add(contact_tags, {"contact_id": at, "tag_id": tags[TAGS[at // 4 % len(TAGS)]]})
        late = dice.choice((-5, 0, 0, 3, 8, 20, 45))
        sales = owed = overdue = Decimal(0)
        days, last = [], None
        for _ in range(bought):
            day = self.today - timedelta(days=int(365 * YEARS * dice.random() ** 1.3))
            total, due, paid = self.invoice(at, day, late)
            sales, last = sales + total, max(last or day, day)
            if paid is None:
                owed += total
                overdue += total if due < self.today else 0
            else:
                days.append((paid - day).days)
        for _ in range(dice.randrange(3)):
            self.quote(at)
        self.add(table_of(MoneyFacts), {
            "contact_id": at, "connection_id": self.connection_id, "currency": "USD", "balance": owed,
            "balance_with_jobs": owed, "balance_as_of": self.now, "total_sales": sales, "invoices": bought,
            "open_invoices": 0, "unapplied_credit": Decimal(0), "last_invoice_on": last, "overdue": overdue,
            "days_to_pay": round(Decimal(sum(days)) / len(days), 4) if days else None, "aging_current": owed - overdue,
            "aging_1_30": overdue, "aging_31_60": Decimal(0), "aging_61_90": Decimal(0), "aging_over_90": Decimal(0),
            "documents_as_of": self.now,
        })  # fmt: skip

    def invoice(self, contact: int, day: date, late: int) -> tuple[Decimal, date, date | None]:
        """Its total, its due date, the day it was paid or None."""
        self.counts["invoices"] += 1
        due = day + timedelta(days=30)
        paid = max(day, due + timedelta(days=late + self.dice.randrange(-6, 7)))
        settled = paid <= self.today and self.dice.random() > 0.01
        number, total = self.document(contact, "invoice", day, state="open", due_date=due, settled=settled)
        remote = str(number)
        self.add(table_of(Link), {
            "connection_id": self.connection_id, "kind": "invoice", "local_id": number, "remote_id": remote,
            "base": {}, "left": {}, "linked_at": self.now, "synced_at": self.now,
        })  # fmt: skip
        self.add(
            table_of(Document),
            {
                "connection_id": self.connection_id, "kind": "invoice", "remote_id": remote, "number": remote,
                "customer_remote_id": str(contact), "contact_id": contact, "date": day, "due_date": due,
                "currency": "USD", "total": total, "tax": Decimal(0), "balance": Decimal(0) if settled else total,
                "void": False, "record": {}, "seen_at": self.now,
            },
        )  # fmt: skip
        if settled:
            self.counts["payments"] += 1
            self.add(table_of(Payment), {
                "connection_id": self.connection_id, "remote_id": f"p{remote}", "customer_remote_id": str(contact),
                "contact_id": contact, "date": paid, "currency": "USD", "total": total, "unapplied": Decimal(0),
                "record": {}, "seen_at": self.now, "void": False,
            })  # fmt: skip
            self.add(table_of(PaymentApplication), {
                "connection_id": self.connection_id, "payment_remote_id": f"p{remote}", "document_kind": "invoice",
                "document_remote_id": remote, "amount": total,
            })  # fmt: skip
        return total, due, paid if settled else None

    def quote(self, contact: int) -> None:
        self.counts["quotes"] += 1
        day = self.today - timedelta(days=int(365 * 2 * self.dice.random() ** 1.5))
        age = (self.today - day).days
        state = OPEN if age < 40 and self.dice.random() < 0.6 else self.dice.choice((WON, LOST, LOST))
        sent = self.now - timedelta(days=age)
        self.document(
            contact, "estimate", day, state=state, expires_on=day + timedelta(days=60), sent_at=sent,
            decided_at=None if state == OPEN else sent + timedelta(days=min(age, self.dice.randrange(1, 30))),
        )  # fmt: skip

    def document(
        self, contact: int, kind: str, day: date, *, settled: bool = False, **more: Any
    ) -> tuple[int, Decimal]:
        self.documents += 1
        number, total = self.documents, Decimal(0)
        for place in range(self.dice.randrange(1, 4)):
            product, quantity = self.dice.randrange(1, PRODUCTS + 1), self.dice.randrange(1, 6)
            amount = Decimal(product * 50 * quantity)
            total += amount
            self.counts["lines"] += 1
            self.add(table_of(SalesLine), {
                "document_id": number, "position": place, "kind": "item", "product_id": product,
                "item_remote_id": str(product), "name": f"Service {product}", "description": "",
                "quantity": Decimal(quantity), "unit_price": Decimal(product * 50), "amount": amount,
                "cost": Decimal(product * 20 * quantity) if product % 4 else None,
            })  # fmt: skip
        made = self.now - timedelta(days=(self.today - day).days)
        self.add(table_of(SalesDocument), {
            "id": number, "kind": kind, "connection_id": self.connection_id, "contact_id": contact,
            "customer_remote_id": str(contact), "number": str(number), "date": day, "currency": "USD",
            "tax_mode": "none", "subtotal": total, "total": total, "books_total": total, "books_tax": Decimal(0),
            "tax": Decimal(0), "balance": (Decimal(0) if settled else total) if kind == "invoice" else None,
            "source": "quickbooks", "search_text": f" {number} customer {contact:06}", "created_at": made,
            "updated_at": made, "due_date": None, "expires_on": None, "sent_at": None, "decided_at": None, **more,
        })  # fmt: skip
        return number, total

    def add(self, table: Any, row: dict[str, Any]) -> None:
        self.waiting.setdefault(table, []).append(row)

    def flush(self) -> None:
        """Parents before what names them."""
        with transaction() as session:
            for table in sorted(self.waiting, key=lambda one: db.metadata.sorted_tables.index(one)):
                for part in chunks(self.waiting[table], CHUNK):
                    session.execute(insert(table), part)
        self.waiting.clear()

    def count_on(self) -> None:
        """PostgreSQL gives the next row the number after ours, which were given by hand."""
        with transaction() as session:
            if session.get_bind().dialect.name == "postgresql":
                for model in (Contact, SalesDocument, Product):
                    sequence = func.pg_get_serial_sequence(model.__tablename__, "id")
                    session.execute(select(func.setval(sequence, func.max(model.id))))


def settle() -> None:
    """PostgreSQL's figures about rows, and which pages all may read: what its autovacuum sees to soon after an import.
    By hand, because when that comes would be chance and a server may have it switched off; without such figures one
    count of two rules was not done after nine minutes of a processor."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def chunks(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while part := list(islice(rows, size)):
        yield part


if __name__ == "__main__":
    answer(fill)
