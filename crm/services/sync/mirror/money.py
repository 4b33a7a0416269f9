"""Money facts of contacts: the books' own balances, and what `domain/money` computes from imported documents.

`facts_page` computes the next contacts of a run, `refresh` those a person just linked or unlinked, `refresh_aging` all
of them once a day (what is overdue moves with the calendar). A fixed number of statements per page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from crm.db import table_of, transaction
from crm.domain.money import BUCKETS, Part, Receipt, Sale, summary
from crm.models import Connection, Customer, CustomerValue, Document, Link, MoneyFacts, Payment, PaymentApplication
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.merge.enrich import touch
from crm.services.sync.mirror import activity
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.work import Books, Work, books_of

PAGE = 1000
FACTS = table_of(MoneyFacts)
VALUES = table_of(CustomerValue)
"""Forecasts of what a customer is worth; they rest on the documents that leave with the customer."""
NEEDED = ("invoice", "payment", "credit_memo")
"""Kinds that facts are computed from."""
MOMENTS = ("balance_as_of", "documents_as_of")


def facts_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """Facts of the next linked contacts."""
    after = int(cursor or 0)
    with work.page() as page:
        session = page.session
        linked = (Link.connection_id == work.books.id, Link.kind == "customer")
        if cursor is None:
            page.note(total=session.scalar(select(func.count()).select_from(Link).where(*linked)) or 0)
        ids = list(session.scalars(
            select(Link.local_id).where(*linked, Link.local_id > after).order_by(Link.local_id).limit(PAGE)
        ))  # fmt: skip
        changed = refresh(session, work.books, ids, now=page.now)
        page.count("enriched", changed)
        return page.reached(str(ids[-1]) if len(ids) == PAGE else None, done=len(ids))


def refresh(session: Session, books: Books, contact_ids: Sequence[int], *, now: datetime) -> int:
    """Compute the facts of these contacts anew; those no longer linked lose theirs. Returns how many facts changed."""
    changed: set[int] = set()
    for ids in chunks(sorted(set(contact_ids)), PAGE):
        before = {
            row.contact_id: row._mapping for row in session.execute(select(FACTS).where(FACTS.c.contact_id.in_(ids)))
        }
        rows = _rows(session, books, ids, today=books.today(now))
        upsert(session, FACTS, rows, by=("contact_id",))
        gone = [id_ for id_ in ids if id_ in before and before[id_].connection_id == books.id
                and id_ not in {row["contact_id"] for row in rows}]  # fmt: skip
        if gone:
            session.execute(delete(FACTS).where(FACTS.c.contact_id.in_(gone)))
            session.execute(delete(VALUES).where(VALUES.c.contact_id.in_(gone)))
        news = {row["contact_id"] for row in rows if _is_news(row, before.get(row["contact_id"]))}
        touch(session, [*news, *gone], now=now)
        changed |= news
        activity.refresh(session, ids, now=now)
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, MoneyFacts):
            session.expire(loaded)
    return len(changed)


def refresh_aging(*, clock: Callable[[], datetime]) -> int:
    """All facts of all companies, page by page, each in its own transaction: aging moves with the calendar."""
    done = 0
    with transaction() as session:
        companies = [books_of(connection) for connection in session.scalars(select(Connection))]
    for books in companies:
        after: int | None = 0
        while after is not None:
            with transaction() as session:
                own = select(FACTS.c.contact_id).where(FACTS.c.connection_id == books.id, FACTS.c.contact_id > after)
                ids = list(session.scalars(own.order_by(FACTS.c.contact_id).limit(PAGE)))
                refresh(session, books, ids, now=clock())
            done += len(ids)
            after = ids[-1] if len(ids) == PAGE else None
    return done


def _is_news(row: dict[str, Any], old: Any) -> bool:
    return old is None or any(row[name] != old[name] for name in row if name not in MOMENTS)


def _rows(session: Session, books: Books, ids: Sequence[int], *, today: date) -> list[dict[str, Any]]:
    customers = session.execute(
        select(Link.local_id, Customer.balance, Customer.balance_with_jobs, Customer.currency, Customer.seen_at)
        .join(Customer, and_(Customer.connection_id == Link.connection_id, Customer.remote_id == Link.remote_id))
        .where(Link.connection_id == books.id, Link.kind == "customer", Link.local_id.in_(ids))
    ).all()
    sales, receipts = _sales(session, books.id, ids), _receipts(session, books.id, ids)
    parts, as_of = _parts(session, books.id, ids), documents_as_of(session, books.id)
    rows = []
    for customer in customers:
        id_ = customer.local_id
        found = summary(sales.get(id_, ()), receipts.get(id_, ()), parts.get(id_, ()), today=today)
        rows.append({
            "contact_id": id_, "connection_id": books.id, "currency": customer.currency or books.currency,
            "balance": customer.balance, "balance_with_jobs": customer.balance_with_jobs,
            "balance_as_of": customer.seen_at, "total_sales": found.total_sales, "invoices": found.invoices,
            "open_invoices": found.open_invoices, "unapplied_credit": found.unapplied_credit,
            "last_invoice_on": found.last_invoice_on, "last_payment_on": found.last_payment_on,
            "last_payment": found.last_payment, "days_to_pay": found.days_to_pay,
            **{f"aging_{name}": amount for name, amount in zip(BUCKETS, found.aging, strict=True)},
            "overdue": found.overdue, "documents_as_of": as_of,
        })  # fmt: skip
    return rows


def documents_as_of(session: Session, connection_id: int) -> datetime | None:
    """As of when the documents that facts are computed from are complete; None until each kind was read once."""
    read_at = session.scalar(select(Connection.read_at).where(Connection.id == connection_id)) or {}
    moments = [read_at.get(kind) for kind in NEEDED]
    return min(datetime.fromisoformat(moment) for moment in moments if moment) if all(moments) else None


def _sales(session: Session, connection_id: int, ids: Sequence[int]) -> dict[int, list[Sale]]:
    sales: dict[int, list[Sale]] = {}
    for row in session.execute(
        select(Document.contact_id, Document.kind, Document.remote_id, Document.date, Document.due_date, Document.total,
               Document.balance, Document.void)
        .where(Document.contact_id.in_(ids), Document.connection_id == connection_id,
               Document.kind.in_(("invoice", "credit_memo")), Document.gone_at.is_(None))
    ):  # fmt: skip
        sales.setdefault(row.contact_id, []).append(
            Sale(row.kind, row.remote_id, row.date, row.due_date, row.total, row.balance or Decimal(0), row.void)
        )
    return sales


def _receipts(session: Session, connection_id: int, ids: Sequence[int]) -> dict[int, list[Receipt]]:
    receipts: dict[int, list[Receipt]] = {}
    for row in session.execute(
        select(Payment.contact_id, Payment.date, Payment.total, Payment.unapplied, Payment.void)
        .where(Payment.contact_id.in_(ids), Payment.connection_id == connection_id, Payment.gone_at.is_(None))
    ):  # fmt: skip
        receipts.setdefault(row.contact_id, []).append(Receipt(row.date, row.total, row.unapplied, row.void))
    return receipts


def _parts(session: Session, connection_id: int, ids: Sequence[int]) -> dict[int, list[Part]]:
    """What was paid on the contacts' invoices, by whichever payment."""
    parts: dict[int, list[Part]] = {}
    applied, paid = PaymentApplication, Payment
    for row in session.execute(
        select(Document.contact_id, Document.remote_id, applied.amount, paid.date)
        .join(applied, and_(applied.connection_id == Document.connection_id, applied.document_kind == Document.kind,
                            applied.document_remote_id == Document.remote_id))
        .join(paid, and_(paid.connection_id == applied.connection_id, paid.remote_id == applied.payment_remote_id))
        .where(Document.contact_id.in_(ids), Document.connection_id == connection_id, Document.kind == "invoice",
               paid.void.is_(False), paid.gone_at.is_(None), Document.gone_at.is_(None))
    ):  # fmt: skip
        parts.setdefault(row.contact_id, []).append(Part(row.remote_id, row.amount, row.date))
    return parts
