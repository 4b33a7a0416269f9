"""Part: the same job as it is mostly done today with python-quickbooks and an ORM.

`pages` asks for the customers in pages of 100 (the library's default), looks each one up among the contacts by e-mail,
phone and name, makes or updates an ORM object and commits, one by one. `singly` asks QuickBooks once per contact, by
name, and commits each. Its table is leaner than ours (no lines, keys, evidence or timeline) and indexed for its own
look-ups, and its phones are stored as ten digits already: the comparison is in its favour.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any

import requests
from quickbooks import QuickBooks
from quickbooks.objects import Customer
from sqlalchemy import Numeric, String, create_engine, event, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.child import answer

PAGE = 100


class Base(DeclarativeBase):
    pass


class Contact(Base):
    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(500), index=True)
    company: Mapped[str] = mapped_column(String(500), default="")
    phone: Mapped[str] = mapped_column(String(20), default="", index=True)
    email: Mapped[str] = mapped_column(String(254), default="", index=True)
    street: Mapped[str] = mapped_column(String(500), default="")
    city: Mapped[str] = mapped_column(String(255), default="")
    quickbooks_id: Mapped[str | None] = mapped_column(String(40), index=True)
    sync_token: Mapped[str] = mapped_column(String(40), default="")
    balance: Mapped[Decimal | None] = mapped_column(Numeric(19, 4))


def engine_of(url: str) -> Any:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _as_ours(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def work(
    deed: str, url: str, contacts: str = "", company_url: str = "", tokens: dict[str, str] | None = None, most: int = 0
) -> dict[str, Any]:
    """`deed` is `fill`, `pages` or `singly`; `most` customers (0: all) are done."""
    engine = engine_of(url)
    if deed == "fill":
        return fill(engine, contacts)
    with opened(company_url, tokens or {}) as client, Session(engine) as db:
        began, cpu = time.monotonic(), time.process_time()
        records, linked = (pages if deed == "pages" else singly)(client, db, most)
        return {
            "seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu, "records": records,
            "linked": linked,
        }  # fmt: skip


@contextmanager
def opened(company_url: str, tokens: dict[str, str]) -> Iterator[QuickBooks]:
    """A client of that company as the library makes it, one HTTP connection kept open."""
    client = QuickBooks(company_id=tokens["realm_id"], minorversion=75, use_decimal=True)
    client.api_url_v3 = f"{company_url}/v3"
    with requests.Session() as session:
        session.access_token = tokens["access_token"]  # type: ignore[attr-defined]  # what the library asks of it
        client.session = session
        yield client


def fill(engine: Any, contacts: str) -> dict[str, Any]:
    Base.metadata.create_all(engine)
    with open(contacts, encoding="utf-8", newline="") as file, engine.begin() as connection:
        rows = csv.DictReader(file)
        while chunk := list(islice(rows, 5000)):
            connection.execute(insert(Contact), [
                {"name": row["Name"], "company": row["Company"], "phone": digits(row["Phone"] or row["Mobile"]),
                 "email": row["Email"].lower(), "street": row["Street"], "city": row["City"]}
                for row in chunk
            ])  # fmt: skip
    engine.dispose()  # closes the file whole: it is copied afterwards
    return {}


def digits(text: str) -> str:
    """A phone as ten digits, as far as a plain reading goes."""
    return re.sub(r"\D", "", text)[-10:]


def pages(client: QuickBooks, db: Session, most: int) -> tuple[int, dict[int, str]]:
    linked: dict[int, str] = {}
    records = 0
    for customer in islice(_each(client), most or None):
        phone = digits(getattr(customer.PrimaryPhone, "FreeFormNumber", "") or "")
        email = (getattr(customer.PrimaryEmailAddr, "Address", "") or "").lower()
        contact = _look_up(db, customer, email, phone)
        if contact is None:
            contact = Contact(name=customer.DisplayName, phone=phone, email=email)
            db.add(contact)
            known = False
        else:
            known = True
        _take(contact, customer, email, phone)
        db.commit()
        if known:
            linked[contact.id] = customer.Id
        records += 1
    return records, linked


def _each(client: QuickBooks) -> Iterator[Customer]:
    position = 1
    while page := Customer.all(start_position=position, max_results=PAGE, qb=client):
        yield from page
        position += PAGE


def _look_up(db: Session, customer: Customer, email: str, phone: str) -> Contact | None:
    for column, value in (
        (Contact.quickbooks_id, customer.Id), (Contact.email, email), (Contact.phone, phone),
        (Contact.name, customer.DisplayName),
    ):  # fmt: skip
        if value and (found := db.scalars(select(Contact).where(column == value).limit(1)).first()):
            return found
    return None


def _take(contact: Contact, customer: Customer, email: str, phone: str) -> None:
    address = customer.BillAddr
    contact.quickbooks_id, contact.sync_token = customer.Id, customer.SyncToken
    contact.company = contact.company or customer.CompanyName or ""
    contact.phone, contact.email = contact.phone or phone, contact.email or email
    contact.street = contact.street or getattr(address, "Line1", "") or ""
    contact.city = contact.city or getattr(address, "City", "") or ""
    contact.balance = customer.Balance


def singly(client: QuickBooks, db: Session, most: int) -> tuple[int, dict[int, str]]:
    linked: dict[int, str] = {}
    records = 0
    ids = db.scalars(select(Contact.id).order_by(Contact.id).limit(most or None)).all()
    for id_ in ids:
        contact = db.get_one(Contact, id_)
        found = Customer.filter(DisplayName=contact.name, qb=client)
        if found:
            _take(contact, found[0], "", "")
            linked[contact.id] = found[0].Id
        db.commit()
        records += 1
    return records, linked


if __name__ == "__main__":
    answer(work)
