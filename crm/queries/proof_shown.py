"""What people see and work with here, held against what was read of the books: which rows differ, and what all come to.

Set-based: a statement or two per kind, whatever number of rows there is; only rows that differ are answered. Asked by
`services/sync/proof`. Reads only. Amounts stand here as they are stored; nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Float, Numeric, and_, case, cast, func, or_, select, type_coerce

from crm.db import Money, db
from crm.domain.proof import ZERO, Difference
from crm.domain.proof_shown import OWN, compared
from crm.models import Bill, Document, Link, Payment, PaymentApplication, Receipt, ReceiptPart, SalesDocument, Vendor

Sums = tuple[Decimal, Decimal]


def differing(connection_id: int, *, limit: int) -> list[Difference]:
    """What differs, kind by kind, at most so many rows of each."""
    return [one for find in FIND.values() for one in find(connection_id, limit)]


def sums(connection_id: int) -> dict[str, Sums]:
    """Kind -> (what stands here comes to, what was read), without what was changed here and has not gone out."""
    return {kind: add(connection_id) for kind, add in SUMS.items()}


# --- quotes and invoices --------------------------------------------------------------------------------------


def _documents(kind: str) -> Callable[[int, int], list[Difference]]:
    return lambda connection_id, limit: _differing_documents(connection_id, kind, limit)


def _differing_documents(connection_id: int, kind: str, limit: int) -> list[Difference]:
    read, own = Document, SalesDocument
    void: Any = own.state == "void" if kind == "invoice" else read.void
    unlike = [
        own.total != read.total, own.tax != func.coalesce(read.tax, 0), own.date.is_distinct_from(read.date),
        and_(own.edited_at.is_(None), own.books_total.is_distinct_from(read.total)),
    ]  # fmt: skip
    if kind == "invoice":
        unlike += [own.balance.is_distinct_from(read.balance), void != read.void,
                   own.due_date.is_distinct_from(read.due_date)]  # fmt: skip
    both = and_(read.gone_at.is_(None), own.gone_at.is_(None))
    differs = or_(
        and_(read.gone_at.is_(None), or_(own.id.is_(None), own.gone_at.is_not(None))),
        and_(read.gone_at.is_not(None), own.id.is_not(None), own.gone_at.is_(None)),
        and_(both, or_(*unlike)),
    )
    query = (
        select(
            read.remote_id, func.coalesce(own.number, read.number).label("number"), own.id,
            func.coalesce(own.contact_id, read.contact_id).label("contact_id"), own.edited_at, own.gone_at,
            read.gone_at.label("read_gone"), own.total, read.total.label("read_total"), own.books_total, own.tax,
            func.coalesce(read.tax, 0).label("read_tax"), own.balance, read.balance.label("read_balance"),
            void.label("void"), read.void.label("read_void"), own.date, read.date.label("read_date"), own.due_date,
            read.due_date.label("read_due"),
        )
        .select_from(read)
        .outerjoin(Link, and_(Link.connection_id == connection_id, Link.kind == kind, Link.remote_id == read.remote_id))
        .outerjoin(own, own.id == Link.local_id)
        .where(read.connection_id == connection_id, read.kind == kind, differs)
        .order_by(read.id)
        .limit(limit)
    )  # fmt: skip
    return [one for row in db.session.execute(query) for one in _document_differences(kind, row)]


def _document_differences(kind: str, row: Any) -> list[Difference]:
    blank = Difference(OWN + kind, row.remote_id, "", None, None, row.number or "", row.contact_id,
                       edited=row.edited_at is not None)  # fmt: skip
    if row.id is None:
        return compared(blank, [("own_missing", None, row.read_total)], [])
    gone, read_gone = row.gone_at is not None, row.read_gone is not None
    if gone or read_gone:
        return compared(blank, [], [("own_gone", gone, read_gone)])
    amounts = [("own_total", row.total, row.read_total), ("own_tax", row.tax, row.read_tax)]
    words: list[tuple[str, object, object]] = [("own_date", row.date, row.read_date)]
    if row.edited_at is None:
        amounts.append(("own_books_total", row.books_total, row.read_total))
    if kind == "invoice":
        amounts.append(("own_open", row.balance, row.read_balance))
        words += [("own_void", bool(row.void), row.read_void), ("own_due", row.due_date, row.read_due)]
    return compared(blank, amounts, words)


def _document_sums(kind: str) -> Callable[[int], Sums]:
    return lambda connection_id: _sums_of_documents(connection_id, kind)


def _sums_of_documents(connection_id: int, kind: str) -> Sums:
    read, own = Document, SalesDocument
    here = func.sum(case((own.gone_at.is_(None), own.total), else_=None))
    there = func.sum(case((read.gone_at.is_(None), read.total), else_=None))
    query = (
        select(type_coerce(here, Money), type_coerce(there, Money))
        .select_from(read)
        .outerjoin(Link, and_(Link.connection_id == connection_id, Link.kind == kind, Link.remote_id == read.remote_id))
        .outerjoin(own, own.id == Link.local_id)
        .where(read.connection_id == connection_id, read.kind == kind, own.edited_at.is_(None))
    )
    return _pair(query)


# --- payments recorded here -----------------------------------------------------------------------------------


def _payments(connection_id: int, limit: int) -> list[Difference]:
    """What a void took away there stays here as evidence, so only the void itself is compared then."""
    read, own = Payment, Receipt
    voided = own.voided_at.is_not(None)
    gone = own.gone_at.is_not(None) != read.gone_at.is_not(None)
    stands = and_(own.gone_at.is_(None), read.gone_at.is_(None))
    valid = and_(read.void.is_(False), or_(own.amount != read.total, own.date.is_distinct_from(read.date)))
    query = (
        select(read.remote_id, own.reference, own.contact_id, own.gone_at, read.gone_at.label("read_gone"), own.amount,
               read.total, voided.label("voided"), read.void, own.date, read.date.label("read_date"))
        .select_from(read)
        .join(Link, and_(Link.connection_id == connection_id, Link.kind == "payment", Link.remote_id == read.remote_id))
        .join(own, own.id == Link.local_id)
        .where(read.connection_id == connection_id, or_(gone, and_(stands, or_(voided != read.void, valid))))
        .order_by(read.id)
        .limit(limit)
    )  # fmt: skip
    found: list[Difference] = []
    for row in db.session.execute(query):
        blank = Difference(OWN + "payment", row.remote_id, "", None, None, row.reference, row.contact_id)
        ends, read_ends = row.gone_at is not None, row.read_gone is not None
        if ends or read_ends:
            found += compared(blank, [], [("own_gone", ends, read_ends)])
        elif bool(row.voided) or row.void:
            found += compared(blank, [], [("own_void", bool(row.voided), row.void)])
        else:
            found += compared(blank, [("own_total", row.amount, row.total)], [("own_date", row.date, row.read_date)])
    return found + _applied(connection_id, limit)


def _applied(connection_id: int, limit: int) -> list[Difference]:
    """Payments of which an invoice gets another amount here than as read: what these invoices get, added up."""
    paid, invoice = Link.__table__.alias("paid"), Link.__table__.alias("invoiced")
    part, read = ReceiptPart, PaymentApplication
    of_payment = and_(paid.c.connection_id == connection_id, paid.c.kind == "payment")
    of_invoice = and_(invoice.c.connection_id == connection_id, invoice.c.kind == "invoice")
    columns = (paid.c.remote_id, paid.c.local_id, part.amount.label("here"), read.amount.label("read"))
    same = and_(read.connection_id == connection_id, read.payment_remote_id == paid.c.remote_id,
                read.document_kind == "invoice", read.document_remote_id == invoice.c.remote_id)  # fmt: skip
    ours = (
        select(*columns).select_from(part)
        .join(paid, and_(of_payment, paid.c.local_id == part.receipt_id))
        .join(invoice, and_(of_invoice, invoice.c.local_id == part.document_id))
        .outerjoin(read, same)
        .where(or_(read.id.is_(None), read.amount != part.amount))
    )  # fmt: skip
    theirs = (
        select(*columns).select_from(read)
        .join(paid, and_(of_payment, paid.c.remote_id == read.payment_remote_id))
        .join(invoice, and_(of_invoice, invoice.c.remote_id == read.document_remote_id))
        .outerjoin(part, and_(part.receipt_id == paid.c.local_id, part.document_id == invoice.c.local_id))
        .where(read.connection_id == connection_id, read.document_kind == "invoice", part.id.is_(None))
    )  # fmt: skip
    pairs = ours.union_all(theirs).subquery()
    stands = and_(Receipt.gone_at.is_(None), Receipt.voided_at.is_(None), Payment.gone_at.is_(None),
                  Payment.void.is_(False))  # fmt: skip
    query = (
        select(pairs.c.remote_id, Receipt.reference, Receipt.contact_id,
               type_coerce(func.sum(func.coalesce(pairs.c.here, 0)), Money).label("here"),
               type_coerce(func.sum(func.coalesce(pairs.c.read, 0)), Money).label("read"))
        .join(Receipt, Receipt.id == pairs.c.local_id)
        .join(Payment, and_(Payment.connection_id == connection_id, Payment.remote_id == pairs.c.remote_id))
        .where(stands)
        .group_by(pairs.c.remote_id, Receipt.reference, Receipt.contact_id)
        .order_by(pairs.c.remote_id)
        .limit(limit)
    )  # fmt: skip
    return [
        Difference(OWN + "payment", row.remote_id, "own_applied", row.here, row.read, row.reference, row.contact_id)
        for row in db.session.execute(query)
    ]


def _payment_sums(connection_id: int) -> Sums:
    """Of those recorded here that the books hold."""
    query = (
        select(func.sum(Receipt.amount), func.sum(Payment.total))
        .select_from(Payment)
        .join(Link, and_(Link.connection_id == connection_id, Link.kind == "payment",
                         Link.remote_id == Payment.remote_id))
        .join(Receipt, Receipt.id == Link.local_id)
        .where(Payment.connection_id == connection_id, Payment.gone_at.is_(None), Payment.void.is_(False))
    )  # fmt: skip
    return _pair(query)


# --- vendors and bills ----------------------------------------------------------------------------------------


def _vendors(connection_id: int, limit: int) -> list[Difference]:
    read = _amount(Vendor.record["balance"].as_string())
    query = select(Vendor.remote_id, Vendor.display_name, Vendor.balance, read.label("read")).where(
        *_held(Vendor, connection_id), Vendor.balance.is_distinct_from(read)
    )
    return [
        Difference(OWN + "vendor", row.remote_id, "own_open", row.balance, row.read, row.display_name)
        for row in db.session.execute(query.order_by(Vendor.id).limit(limit))
    ]


def _bills(connection_id: int, limit: int) -> list[Difference]:
    total, open_ = (_amount(Bill.record[name].as_string()) for name in ("total", "balance"))
    void = func.coalesce(Bill.record["void"].as_boolean(), False)
    query = select(
        Bill.remote_id, Bill.number, Bill.edited_at, Bill.total, total.label("read_total"), Bill.balance,
        open_.label("read_open"), Bill.void, void.label("read_void"),
    ).where(
        *_held(Bill, connection_id),
        or_(Bill.total.is_distinct_from(total), Bill.balance.is_distinct_from(open_), Bill.void != void),
    )  # fmt: skip
    found: list[Difference] = []
    for row in db.session.execute(query.order_by(Bill.id).limit(limit)):
        blank = Difference(OWN + "bill", row.remote_id, "", None, None, row.number, edited=row.edited_at is not None)
        amounts = [("own_total", row.total, row.read_total), ("own_open", row.balance, row.read_open)]
        found += compared(blank, amounts, [("own_void", row.void, bool(row.read_void))])
    return found


def _held(model: Any, connection_id: int) -> tuple[Any, ...]:
    return model.connection_id == connection_id, model.remote_id.is_not(None), model.gone_at.is_(None)


def _sum_of(model: Any, column: Any, name: str) -> Callable[[int], Sums]:
    def add(connection_id: int) -> Sums:
        read = _amount(model.record[name].as_string())
        query = select(func.sum(column), type_coerce(func.sum(read), Money))
        return _pair(query.where(*_held(model, connection_id), model.edited_at.is_(None)))

    return add


def _amount(text: Any) -> Any:
    """A record's amount, which is text there, as our columns hold it."""
    if db.session.get_bind().dialect.name == "sqlite":
        return type_coerce(cast(func.round(cast(text, Float) * Money.SCALE), BigInteger), Money)
    return type_coerce(cast(text, Numeric(19, 4)), Money)


def _pair(query: Any) -> Sums:
    here, read = db.session.execute(query).one()
    return here or ZERO, read or ZERO


FIND: Mapping[str, Callable[[int, int], list[Difference]]] = {
    "estimate": _documents("estimate"), "invoice": _documents("invoice"), "payment": _payments, "vendor": _vendors,
    "bill": _bills,
}  # fmt: skip
SUMS: Mapping[str, Callable[[int], Sums]] = {
    "estimate": _document_sums("estimate"), "invoice": _document_sums("invoice"), "payment": _payment_sums,
    "vendor": _sum_of(Vendor, Vendor.balance, "balance"), "bill": _sum_of(Bill, Bill.total, "total"),
}  # fmt: skip
