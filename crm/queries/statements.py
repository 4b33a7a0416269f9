"""A customer's documents and payments as the mirror holds them, for their statement, to the cent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import and_, func, select

from crm.db import db
from crm.domain.amounts import ZERO
from crm.domain.money import Sale, aging
from crm.domain.statements import Movement, Statement, statement
from crm.models import Connection, Contact, Document, Link, Payment, SalesDocument


@dataclass(frozen=True, slots=True)
class Shown:
    contact: Contact
    currency: str
    currencies: tuple[str, ...]
    """In which this customer has documents; a statement is of one of them."""
    statement: Statement
    aging: tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
    """Open on invoices now, in the order of `money.BUCKETS`."""
    unapplied: Decimal
    """Unused of payments and credits now."""
    not_there: int
    """Finished invoices that the books do not hold yet; no part of this."""

    @property
    def open_now(self) -> Decimal:
        return sum(self.aging, ZERO) - self.unapplied


def of_contact(
    contact_id: int, *, since: date | None, until: date | None, today: date, currency: str = ""
) -> Shown | None:
    """None: there is no such contact. `currency` empty: that of most of the documents."""
    contact = db.session.get(Contact, contact_id)
    if contact is None:
        return None
    found = [(code, row) for code, row in _movements(contact_id)]
    counts: dict[str, int] = {}
    for code, _ in found:
        counts[code] = counts.get(code, 0) + 1
    currencies = tuple(sorted(counts, key=lambda code: (-counts[code], code)))
    chosen = currency if currency in counts else (currencies[0] if currencies else "")
    made = statement([row for code, row in found if code == chosen], since=since, until=until)
    sales, unapplied = _open(contact_id, chosen)
    return Shown(contact, chosen, currencies, made, aging(sales, today=today), unapplied, _not_there(contact_id))


def _movements(contact_id: int) -> list[tuple[str, Movement]]:
    d, p = Document, Payment
    found: list[tuple[str, Movement]] = []
    rows = db.session.execute(
        select(d.id, d.kind, d.number, d.date, d.due_date, d.total, d.currency, d.record, Connection.currency,
               Link.local_id)
        .join(Connection, Connection.id == d.connection_id)
        .outerjoin(Link, and_(Link.connection_id == d.connection_id, Link.kind == d.kind,
                              Link.remote_id == d.remote_id))
        .where(d.contact_id == contact_id, d.kind.in_(("invoice", "credit_memo")), d.void.is_(False),
               d.gone_at.is_(None))
        .order_by(d.id)
    )  # fmt: skip
    for id_, kind, number, day, due, total, code, record, home, local_id in rows:
        own = code or home
        sign = 1 if kind == "invoice" else -1
        found.append((own, Movement(kind, day, number, sign * total, due, id_, local_id)))
        deposit = Decimal(str(record.get("deposit") or 0)) if kind == "invoice" else ZERO
        if deposit:
            found.append((own, Movement("deposit", day, number, -deposit, None, id_, local_id)))
    paid = db.session.execute(
        select(p.id, p.date, p.method, p.reference, p.total, p.currency, Connection.currency)
        .join(Connection, Connection.id == p.connection_id)
        .where(p.contact_id == contact_id, p.void.is_(False), p.gone_at.is_(None), p.total != 0)
        .order_by(p.id)
    )
    for id_, day, method, reference, total, code, home in paid:
        words = " ".join(word for word in (method, reference) if word)
        found.append((code or home, Movement("payment", day, words, -total, None, id_)))
    return found


def _open(contact_id: int, currency: str) -> tuple[list[Sale], Decimal]:
    """Open invoices, and what is unused of payments and credit memos, in this currency."""
    d, p = Document, Payment
    own = func.coalesce(func.nullif(d.currency, ""), Connection.currency) == currency
    rows = db.session.execute(
        select(d.kind, d.remote_id, d.date, d.due_date, d.total, d.balance)
        .join(Connection, Connection.id == d.connection_id)
        .where(d.contact_id == contact_id, d.kind.in_(("invoice", "credit_memo")), d.void.is_(False),
               d.gone_at.is_(None), own)
        .order_by(d.id)
    ).all()  # fmt: skip
    sales = [Sale(one.kind, one.remote_id, one.date, one.due_date, one.total, one.balance or ZERO) for one in rows]
    unused = sum((one.balance for one in sales if one.kind == "credit_memo"), ZERO)
    code = func.coalesce(func.nullif(p.currency, ""), Connection.currency)
    paid = db.session.scalar(
        select(func.sum(p.unapplied))
        .join(Connection, Connection.id == p.connection_id)
        .where(p.contact_id == contact_id, p.void.is_(False), p.gone_at.is_(None), code == currency)
    )
    return [one for one in sales if one.kind == "invoice"], unused + (paid or ZERO)


def _not_there(contact_id: int) -> int:
    one = SalesDocument
    mine = (one.kind == "invoice", one.contact_id == contact_id, one.state == "open", one.books_total.is_(None),
            one.gone_at.is_(None))  # fmt: skip
    return db.session.scalar(select(func.count()).select_from(one).where(*mine)) or 0
