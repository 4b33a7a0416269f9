"""Where the two sides of a card stand: balance, open invoices, what was sold in all, and the last documents.

Of a customer with what stands below it. Read from the mirror for the few records of one card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, case, func, literal, or_, select, union_all

from crm.db import db
from crm.models import Contact, Customer, Document, MoneyFacts, Payment

LAST = 3


@dataclass(frozen=True, slots=True)
class Paper:
    kind: str
    """`estimate`, `invoice`, `credit_memo` or `payment`."""
    number: str
    date: Day | None
    total: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a side stands. What is None is not known."""

    balance: Decimal | None = None
    currency: str = "USD"
    open_invoices: int | None = None
    lifetime: Decimal | None = None
    last_on: Day | datetime | None = None
    papers: Sequence[Paper] = ()


def of_contact(contact_id: int) -> Standing:
    facts = (MoneyFacts.balance_with_jobs, MoneyFacts.currency, MoneyFacts.open_invoices, MoneyFacts.total_sales)
    query = select(*facts, Contact.last_activity_at).outerjoin(MoneyFacts, MoneyFacts.contact_id == Contact.id)
    row = db.session.execute(query.where(Contact.id == contact_id)).first()
    if row is None:
        return Standing()
    papers = _papers(Document.contact_id == contact_id, Payment.contact_id == contact_id)
    return Standing(row[0], row[1] or "USD", row[2], row[3], row[4], papers)


def of_customer(customer: Customer) -> Standing:
    tree = (Customer.connection_id == customer.connection_id,
            or_(Customer.remote_id == customer.remote_id, Customer.root_remote_id == customer.remote_id))  # fmt: skip
    ids = db.session.scalars(select(Customer.remote_id).where(*tree)).all()
    mine, paid = (
        and_(table.connection_id == customer.connection_id, table.customer_remote_id.in_(ids))
        for table in (Document, Payment)
    )
    papers = _papers(mine, paid)
    open_one = (Document.kind == "invoice") & (Document.balance > 0)
    amount = case((Document.kind == "invoice", Document.total), (Document.kind == "credit_memo", -Document.total))
    unpaid, sales = db.session.execute(
        select(func.sum(case((open_one, 1), else_=0)), func.sum(amount, type_=Document.total.type)).where(
            mine, Document.void.is_(False), Document.gone_at.is_(None)
        )
    ).one()
    last = papers[0].date if papers else None
    return Standing(customer.balance_with_jobs, customer.currency or "USD", unpaid or 0, sales, last, papers)


def _papers(documents: Any, payments: Any) -> list[Paper]:
    """The last of both, newest first."""
    parts = []
    for table, kind, number, mine in (
        (Document, Document.kind, Document.number, documents),
        (Payment, literal("payment"), Payment.reference, payments),
    ):
        query: Any = select(kind.label("kind"), number.label("number"), table.date, table.total, table.id)
        query = query.where(mine, table.gone_at.is_(None), table.void.is_(False), table.date.is_not(None))
        parts.append(select(query.order_by(table.date.desc(), table.id.desc()).limit(LAST).subquery()))
    found = union_all(*parts).subquery()
    order = (found.c.date.desc(), found.c.kind, found.c.id.desc())
    rows = db.session.execute(select(found).order_by(*order).limit(LAST))
    return [Paper(row.kind, row.number, row.date, row.total) for row in rows]
