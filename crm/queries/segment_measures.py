"""The figures rules compare, as sub-selects: one row for each contact that has the figure, with its value.

A figure is a numerator, for a share or an average divided by a denominator: nothing is divided in the database, so that
every comparison is exact alike on SQLite and PostgreSQL. Documents count as `docs/segments.md` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, and_, case, func, literal, or_, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from crm.domain.quotes import ACCEPTED, DECLINED, INVOICED, WITH_CUSTOMER
from crm.domain.segments import Period
from crm.models import MoneyFacts, Note, RfmScore, SalesDocument, SalesLine
from crm.queries.quote_progress import begun

D = SalesDocument


class DaysBetween(FunctionElement[int]):
    """Whole days from the second date to the first."""

    type = Integer()
    inherit_cache = True
    name = "days_between"


@compiles(DaysBetween, "sqlite")
def _days_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    later, earlier = (compiler.process(one, **kw) for one in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


@compiles(DaysBetween)
def _days(element: Any, compiler: Any, **kw: Any) -> str:
    later, earlier = (compiler.process(one, **kw) for one in element.clauses)
    return f"({later} - {earlier})"


class PassedOver(FunctionElement[Any]):
    """The column or condition, spelled on SQLite so that no index is chosen by it: its planner knows no figures, and
    would rather go by days to half of all documents than through them once in the order of contacts."""

    inherit_cache = True
    name = "passed_over"

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(PassedOver, "sqlite")
def _passed_over_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"+({compiler.process(element.clauses, **kw)})"


@compiles(PassedOver)
def _passed_over(element: Any, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)})"


_STANDING = (D.kind == "invoice", D.gone_at.is_(None), D.state == "open")
INVOICE = (*_STANDING, PassedOver(D.hold).is_(False))
"""What counts as invoiced: as `invoice_narrowing.issued` says it."""
QUOTE = (D.kind == "estimate", D.gone_at.is_(None), PassedOver(D.template).is_(False))
DAY = PassedOver(D.date)
TOTAL = func.coalesce(D.books_total, D.total, type_=D.total.type)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a figure may depend on: the company's day, its home currency, and the rule's stretch of time."""

    today: date
    currency: str
    period: Period | None = None
    scoped: bool = False
    """Of some contacts only: then documents are found by their contact, else by what is rarest of them."""

    @property
    def rare(self) -> Any:
        """The contact of documents of which there are few."""
        return D.contact_id if self.scoped else PassedOver(D.contact_id)

    @property
    def home(self) -> ColumnElement[bool]:
        return D.currency.in_(("", self.currency))

    @property
    def dated(self) -> list[ColumnElement[bool]]:
        since, until = (self.period or Period()).bounds(self.today)
        within = [since <= DAY] if since is not None else []
        return [*within, until >= DAY] if until is not None else within

    @property
    def expired(self) -> ColumnElement[bool]:
        return and_(D.expires_on.is_not(None), D.expires_on < self.today)


@dataclass(frozen=True, slots=True)
class Measure:
    """`contact` and `value` of the rows that `where` leaves; grouped by contact where `grouped`. `over`: what `value`
    is divided by, only where that is more than nothing. `zero`: contacts without a row have 0, else no value."""

    contact: Any
    value: Any
    where: tuple[Any, ...] = ()
    join: Any = None
    grouped: bool = True
    over: Any = None
    zero: bool = False


def _books(column: Any) -> Callable[[Asked], Measure]:
    def measure(asked: Asked) -> Measure:
        home = MoneyFacts.currency.in_(("", asked.currency))
        return Measure(MoneyFacts.contact_id, column, (home,), grouped=False)

    return measure


def _rfm(column: Any) -> Callable[[Asked], Measure]:
    return lambda asked: Measure(RfmScore.contact_id, column, grouped=False)


def _sales(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.sum(TOTAL), (*INVOICE, asked.home, *asked.dated), zero=True)


def _largest(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.max(TOTAL), (*INVOICE, asked.home, *asked.dated))


def _invoices(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.count(), (*INVOICE, *asked.dated), zero=True)


def _late(asked: Asked) -> tuple[Any, ...]:
    if asked.scoped:
        return (*INVOICE, PassedOver(D.balance) > 0, _due() < asked.today)
    return (*_STANDING, D.hold.is_(False), D.balance > 0, _due() < asked.today)


def _due() -> Any:
    return func.coalesce(D.due_date, D.date, type_=Date())


def _overdue(asked: Asked) -> Measure:
    return Measure(asked.rare, func.sum(D.balance), (*_late(asked), asked.home), zero=True)


def _days_overdue(asked: Asked) -> Measure:
    return Measure(asked.rare, DaysBetween(literal(asked.today, Date()), func.min(_due())), _late(asked))


def _lines(asked: Asked) -> tuple[Any, ...]:
    known = (SalesLine.cost.is_not(None), SalesLine.amount.is_not(None))
    taken = or_(SalesLine.optional.is_(False), SalesLine.chosen.is_(True))
    return (*INVOICE, asked.home, *asked.dated, *known, taken)


def _margin(asked: Asked) -> Measure:
    gained = func.sum(SalesLine.amount - SalesLine.cost, type_=SalesLine.amount.type)
    return Measure(D.contact_id, gained, _lines(asked), join=SalesLine)


def _margin_percent(asked: Asked) -> Measure:
    amount, cost = (type_coerce(column, BigInteger()) for column in (SalesLine.amount, SalesLine.cost))
    return Measure(D.contact_id, func.sum(amount - cost) * 100, _lines(asked), join=SalesLine, over=func.sum(amount))


def _date(of: Any) -> Callable[[Asked], Measure]:
    return lambda asked: Measure(D.contact_id, of(D.date, type_=Date()), (*INVOICE, DAY.is_not(None)))


def _days_between(asked: Asked) -> Measure:
    days = DaysBetween(func.max(D.date), func.min(D.date))
    return Measure(D.contact_id, days, (*INVOICE, DAY.is_not(None)), over=func.count(D.date.distinct()) - 1)


def _open(asked: Asked) -> tuple[Any, ...]:
    return (*QUOTE, D.state.in_(WITH_CUSTOMER), or_(D.expires_on.is_(None), D.expires_on >= asked.today), ~begun())


def _quotes_open(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.count(), _open(asked), zero=True)


def _quotes_total(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.sum(TOTAL), (*_open(asked), asked.home), zero=True)


def _quote_sent(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.min(D.sent_at), (*_open(asked), D.sent_at.is_not(None)))


def _won(asked: Asked) -> ColumnElement[bool]:
    return or_(D.state.in_((ACCEPTED, INVOICED)), and_(D.state.in_(WITH_CUSTOMER), begun()))


def _lost(asked: Asked) -> ColumnElement[bool]:
    return or_(D.state == DECLINED, and_(D.state.in_(WITH_CUSTOMER), asked.expired, ~begun()))


def _quotes_won(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.count(), (*QUOTE, *asked.dated, _won(asked)), zero=True)


def _quotes_lost(asked: Asked) -> Measure:
    return Measure(D.contact_id, func.count(), (*QUOTE, *asked.dated, _lost(asked)), zero=True)


def _share_won(asked: Asked) -> Measure:
    won = func.sum(case((_won(asked), 100), else_=0))
    return Measure(D.contact_id, won, (*QUOTE, *asked.dated, or_(_won(asked), _lost(asked))), over=func.count())


MEASURES: dict[str, Callable[[Asked], Measure]] = {
    "lifetime_sales": _books(MoneyFacts.total_sales),
    "sales": _sales,
    "largest_invoice": _largest,
    "invoices": _invoices,
    "balance": _books(MoneyFacts.balance_with_jobs),
    "overdue": _overdue,
    "days_overdue": _days_overdue,
    "days_to_pay": _books(MoneyFacts.days_to_pay),
    "unused_credit": _books(MoneyFacts.unapplied_credit),
    "margin": _margin,
    "margin_percent": _margin_percent,
    "rfm_recency": _rfm(RfmScore.recency),
    "rfm_frequency": _rfm(RfmScore.frequency),
    "rfm_monetary": _rfm(RfmScore.monetary),
    "first_invoice": _date(func.min),
    "last_invoice": _date(func.max),
    "days_between": _days_between,
    "quotes_open": _quotes_open,
    "quotes_open_total": _quotes_total,
    "quote_sent": _quote_sent,
    "quotes_won": _quotes_won,
    "quotes_lost": _quotes_lost,
    "share_won": _share_won,
    "last_note": lambda asked: Measure(Note.contact_id, func.max(Note.created_at)),
}
"""Key of FIELDS -> its figure."""
