"""Part: invoices as they are mostly synced with python-quickbooks and an ORM.

`push` asks for the customer and for the items of each invoice by name and creates it, one by one. `pages` asks
for the invoices in pages of 100 (the library's default), looks each one up, writes it with its lines and commits, one
by one. Its tables are leaner than ours (no record kept, no history, no search) and indexed for its own look-ups.
"""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from quickbooks import QuickBooks
from quickbooks.objects import Customer, Invoice, Item, Ref, SalesItemLine, SalesItemLineDetail
from sqlalchemy import ForeignKey, Numeric, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from bench.child import answer
from bench.usual import PAGE, engine_of, opened


class Base(DeclarativeBase):
    pass


class Sale(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    quickbooks_id: Mapped[str | None] = mapped_column(String(40), index=True)
    sync_token: Mapped[str] = mapped_column(String(40), default="")
    number: Mapped[str] = mapped_column(String(40), default="")
    customer: Mapped[str] = mapped_column(String(40), default="", index=True)
    date: Mapped[str] = mapped_column(String(10), default="")
    due_date: Mapped[str] = mapped_column(String(10), default="")
    total: Mapped[Decimal | None] = mapped_column(Numeric(19, 4))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(19, 4))
    lines: Mapped[list[SaleLine]] = relationship(cascade="all, delete-orphan")


class SaleLine(Base):
    __tablename__ = "invoice_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    item: Mapped[str] = mapped_column(String(40), default="")
    description: Mapped[str] = mapped_column(String(4000), default="")
    quantity: Mapped[Decimal | None] = mapped_column(Numeric(19, 6))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(19, 4))


def work(deed: str, url: str, company_url: str, tokens: dict[str, str], invoices: str = "") -> dict[str, Any]:
    """`deed` is `push` (of the file `invoices`) or `pages`; `records` are the invoices dealt with."""
    engine = engine_of(url)
    Base.metadata.create_all(engine)
    with opened(company_url, tokens) as client, Session(engine) as db:
        began, cpu = time.monotonic(), time.process_time()
        records = push(client, db, invoices) if deed == "push" else pages(client, db)
        return {
            "seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu, "records": records,
        }  # fmt: skip


def push(client: QuickBooks, db: Session, invoices: str) -> int:
    wanted = json.loads(Path(invoices).read_text())
    for one in wanted:
        [customer] = Customer.filter(DisplayName=one["customer"], qb=client)
        names = list({name for name, *_ in one["lines"]})
        items = {item.Name: item for item in Item.choose(names, field="Name", qb=client)}
        invoice = Invoice()
        invoice.CustomerRef = _ref(customer.Id)
        for name, description, quantity, price in one["lines"]:
            invoice.Line.append(_line(items[name].Id, description, Decimal(quantity), Decimal(price)))
        _keep(db, invoice.save(qb=client))
    return len(wanted)


def _line(item: str, description: str, quantity: Decimal, price: Decimal) -> SalesItemLine:
    line = SalesItemLine()
    line.Amount, line.Description = round(quantity * price, 2), description
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = _ref(item)
    line.SalesItemLineDetail.Qty, line.SalesItemLineDetail.UnitPrice = quantity, price
    return line


def _ref(id_: str) -> Ref:
    made = Ref()
    made.value = id_
    return made


def pages(client: QuickBooks, db: Session) -> int:
    records = 0
    while page := Invoice.all(start_position=records + 1, max_results=PAGE, qb=client):
        for invoice in page:
            _keep(db, invoice)
        records += len(page)
    return records


def _keep(db: Session, invoice: Invoice) -> None:
    row = db.scalars(select(Sale).where(Sale.quickbooks_id == invoice.Id).limit(1)).first()
    if row is None:
        row = Sale(quickbooks_id=invoice.Id)
        db.add(row)
    row.sync_token, row.number = invoice.SyncToken, invoice.DocNumber or ""
    row.customer, row.date, row.due_date = invoice.CustomerRef.value, invoice.TxnDate, invoice.DueDate
    row.total, row.balance = invoice.TotalAmt, invoice.Balance
    row.lines = [
        SaleLine(
            item=line.SalesItemLineDetail.ItemRef.value, description=line.Description or "",
            quantity=line.SalesItemLineDetail.Qty, amount=line.Amount,
        )
        for line in invoice.Line if line.DetailType == "SalesItemLineDetail"
    ]  # fmt: skip
    db.commit()


if __name__ == "__main__":
    answer(work)
