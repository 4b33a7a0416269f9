"""Our side of a proof, as it stands now: accounts, papers, shares and counts of one connection. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.proof import MONEY_KINDS, ZERO, Account, Paper, Share
from crm.models import Customer, Document, MoneyFacts, Payment, PaymentApplication

CHUNK = 500
"""Ids in one statement."""


def count(connection_id: int, kind: str) -> int:
    model: Any = {"customer": Customer, "payment": Payment}.get(kind, Document)
    query = select(func.count()).select_from(model).where(model.connection_id == connection_id, model.gone_at.is_(None))
    if model is Document:
        query = query.where(Document.kind == kind)
    return db.session.scalar(query) or 0


def accounts(connection_id: int, ids: Sequence[str]) -> dict[str, Account]:
    found: dict[str, Account] = {}
    for some in _chunks(ids):
        rows = db.session.execute(
            select(Customer.remote_id, Customer.display_name, Customer.currency, Customer.balance,
                   Customer.balance_with_jobs, Customer.remote_updated_at, Customer.contact_id)
            .where(Customer.connection_id == connection_id, Customer.remote_id.in_(some), Customer.gone_at.is_(None))
        )  # fmt: skip
        found |= {row[0]: Account(*row) for row in rows}
    return found


def account_ids(connection_id: int) -> set[str]:
    where = (Customer.connection_id == connection_id, Customer.gone_at.is_(None))
    return set(db.session.scalars(select(Customer.remote_id).where(*where)))


def paper_ids(connection_id: int, kind: str) -> set[str]:
    return set(db.session.scalars(select(_columns(kind)[0]).where(*_where(connection_id, kind))))


def papers(connection_id: int, kind: str, ids: Sequence[str]) -> dict[str, Paper]:
    found: dict[str, Paper] = {}
    for some in _chunks(ids):
        columns = _columns(kind)
        rows = db.session.execute(select(*columns).where(*_where(connection_id, kind), columns[0].in_(some)))
        found |= {row[0]: _paper(kind, row) for row in rows}
    return found


def open_papers(connection_id: int, *, later_than: Any) -> list[Paper]:
    """Papers with something open, and those dated later than the day: all that the aging of that day can rest on
    together with `shares_of_later`."""
    found: list[Paper] = []
    for kind in MONEY_KINDS:
        columns = _columns(kind)
        open_, date = columns[6], columns[3]
        rows = db.session.execute(
            select(*columns).where(*_where(connection_id, kind), (func.coalesce(open_, 0) != 0) | (date > later_than))
        )
        found += [_paper(kind, row) for row in rows]
    return found


def shares_of_later(connection_id: int, *, day: Any) -> tuple[list[Share], list[Paper]]:
    """What payments dated later than the day settled, and what earlier ones put on documents dated later; with the
    papers on both ends."""
    part = PaymentApplication
    rows = db.session.execute(
        select(part.payment_remote_id, part.document_kind, part.document_remote_id, part.amount)
        .join(Payment, (Payment.connection_id == part.connection_id) & (Payment.remote_id == part.payment_remote_id))
        .join(Document, (Document.connection_id == part.connection_id) & (Document.kind == part.document_kind)
              & (Document.remote_id == part.document_remote_id))
        .where(part.connection_id == connection_id, Payment.gone_at.is_(None), Document.gone_at.is_(None),
               (Payment.date > day) | (Document.date > day))
    )  # fmt: skip
    shares = [Share(*row) for row in rows]
    ends: list[Paper] = list(papers(connection_id, "payment", sorted({one.payment_id for one in shares})).values())
    for kind in ("invoice", "credit_memo"):
        ids = sorted({one.document_id for one in shares if one.kind == kind})
        ends += papers(connection_id, kind, ids).values()
    return shares, ends


def open_by_customer(connection_id: int, ids: Sequence[str]) -> dict[str, Decimal]:
    """What our papers say is open, per customer (its own, without jobs)."""
    found: dict[str, Decimal] = {}
    for some in _chunks(ids):
        for kind in MONEY_KINDS:
            _, owner, *_, open_, void, _, _ = _columns(kind)
            rows = db.session.execute(
                select(owner, func.sum(open_))
                .where(*_where(connection_id, kind), owner.in_(some), void.is_(False))
                .group_by(owner)
            )
            for customer, amount in rows:
                sign = 1 if kind == "invoice" else -1
                found[customer] = found.get(customer, ZERO) + sign * (amount or ZERO)
    return found


def stale_facts(connection_id: int) -> Iterator[tuple[int, Decimal, Decimal]]:
    """(contact, what its page shows as open, what its invoices say) where the two differ."""
    shown = (MoneyFacts.aging_current + MoneyFacts.aging_1_30 + MoneyFacts.aging_31_60 + MoneyFacts.aging_61_90
             + MoneyFacts.aging_over_90)  # fmt: skip
    ours = {
        row[0]: row[1] or ZERO
        for row in db.session.execute(
            select(Document.contact_id, func.sum(Document.balance))
            .where(Document.connection_id == connection_id, Document.kind == "invoice", Document.gone_at.is_(None),
                   Document.void.is_(False), Document.contact_id.is_not(None))
            .group_by(Document.contact_id)
        )
    }  # fmt: skip
    facts = select(MoneyFacts.contact_id, shown).where(MoneyFacts.connection_id == connection_id)
    for contact_id, amount in db.session.execute(facts.order_by(MoneyFacts.contact_id)):
        if amount != ours.get(contact_id, ZERO):
            yield contact_id, amount, ours.get(contact_id, ZERO)


def _columns(kind: str) -> tuple[Any, ...]:
    """remote id, customer, name, date, due date, total, open, void, changed, contact"""
    if kind == "payment":
        return (
            Payment.remote_id, Payment.customer_remote_id, Payment.reference, Payment.date, Payment.date,
            Payment.total, Payment.unapplied, Payment.void, Payment.remote_updated_at, Payment.contact_id,
        )  # fmt: skip
    return (
        Document.remote_id, Document.customer_remote_id, Document.number, Document.date, Document.due_date,
        Document.total, Document.balance, Document.void, Document.remote_updated_at, Document.contact_id,
    )  # fmt: skip


def _where(connection_id: int, kind: str) -> list[Any]:
    if kind == "payment":
        return [Payment.connection_id == connection_id, Payment.gone_at.is_(None)]
    return [Document.connection_id == connection_id, Document.kind == kind, Document.gone_at.is_(None)]


def _paper(kind: str, row: Sequence[Any]) -> Paper:
    remote_id, customer, name, date, due, total, open_, void, changed_at, contact_id = row
    return Paper(kind, remote_id, customer, name, date, None if kind == "payment" else due, total, open_ or ZERO, void,
                 changed_at, contact_id)  # fmt: skip




def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
