"""Part: two-way sync as it is mostly done with python-quickbooks: one look-up and one create per customer; changes by
asking for each kind since the last time, or by reading everything and comparing it object by object.

On the lean table of `usual`, with its client. No duplicate name is expected and no answer is lost, so what such
services do about those costs nothing here.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from quickbooks import QuickBooks
from quickbooks.exceptions import QuickbooksException
from quickbooks.objects import (
    Address,
    CreditMemo,
    Customer,
    EmailAddress,
    Estimate,
    Invoice,
    Item,
    Payment,
    PaymentMethod,
    PhoneNumber,
    Term,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.child import answer
from bench.usual import PAGE, Contact, engine_of, opened

ENTITIES = (Customer, Invoice, Estimate, CreditMemo, Payment, Item, Term, PaymentMethod)
LARGEST = 1000


def work(deed: str, url: str, company_url: str, tokens: dict[str, str]) -> dict[str, Any]:
    """`deed` is `push`, `mirror`, `since` or `compare`; `records` are the objects dealt with."""
    with opened(company_url, tokens) as client, Session(engine_of(url)) as db:
        began, cpu = time.monotonic(), time.process_time()
        told = {"push": push, "mirror": mirror, "since": since, "compare": compare}[deed](client, db)
        return {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu, **told}


def push(client: QuickBooks, db: Session) -> dict[str, int]:
    """Everything QuickBooks does not know yet: asked for by name, created when it is not there, kept."""
    created = refused = 0
    for id_ in db.scalars(select(Contact.id).where(Contact.quickbooks_id.is_(None)).order_by(Contact.id)).all():
        contact = db.get_one(Contact, id_)
        try:
            found = Customer.filter(DisplayName=contact.name, qb=client)
            customer = found[0] if found else body_of(contact).save(qb=client)
        except QuickbooksException:
            refused += 1
            continue
        contact.quickbooks_id, contact.sync_token = customer.Id, customer.SyncToken
        db.commit()
        created += 1
    return {"records": created, "refused": refused}


def body_of(contact: Contact) -> Customer:
    customer = Customer()
    customer.DisplayName, customer.CompanyName = contact.name, contact.company
    if contact.phone:
        customer.PrimaryPhone = PhoneNumber()
        customer.PrimaryPhone.FreeFormNumber = contact.phone
    if contact.email:
        customer.PrimaryEmailAddr = EmailAddress()
        customer.PrimaryEmailAddr.Address = contact.email
    if contact.street or contact.city:
        customer.BillAddr = Address()
        customer.BillAddr.Line1, customer.BillAddr.City = contact.street, contact.city
    return customer


def mirror(client: QuickBooks, db: Session) -> dict[str, int]:
    """A row for every customer, as a first read leaves it."""
    records = 0
    while page := Customer.all(start_position=records + 1, max_results=LARGEST, qb=client):
        db.add_all(Contact(name=one.DisplayName, quickbooks_id=one.Id, sync_token=one.SyncToken) for one in page)
        db.commit()
        records += len(page)
    return {"records": records}


def since(client: QuickBooks, db: Session) -> dict[str, int]:
    """What changed in the last quarter of an hour, kind by kind and page by page."""
    moment = (datetime.now(UTC) - timedelta(minutes=15)).isoformat(timespec="seconds")
    changed = 0
    for entity in ENTITIES:
        position, page = 1, [None] * LARGEST
        while len(page) == LARGEST:
            page = entity.where(
                f"MetaData.LastUpdatedTime > '{moment}'", start_position=position, max_results=LARGEST, qb=client
            )
            changed += sum(1 for record in page if entity is not Customer or differs(db, record))
            position += LARGEST
    return {"records": changed, "changed": changed}


def compare(client: QuickBooks, db: Session) -> dict[str, int]:
    """Every customer read and held against its row."""
    records = changed = 0
    while page := Customer.all(start_position=records + 1, max_results=PAGE, qb=client):
        changed += sum(1 for customer in page if differs(db, customer))
        records += len(page)
    return {"records": records, "changed": changed}


def differs(db: Session, customer: Customer) -> bool:
    row = db.scalars(select(Contact).where(Contact.quickbooks_id == customer.Id).limit(1)).first()
    return row is None or row.sync_token != customer.SyncToken


if __name__ == "__main__":
    answer(work)
