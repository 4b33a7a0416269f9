"""What a rule finds at one contact: the value of each field, worked out of a `Person` alone. Pure.

Texts are as typed, figures exact (a share or average is a Fraction), sets hold texts as rules do. None: no value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from crm.domain.quotes import ACCEPTED, DECLINED, EXPIRED, INVOICED, PARTLY, WITH_CUSTOMER, state_now
from crm.domain.segment_periods import Period
from crm.domain.segment_person import Books, Invoice, Line, Person, Quote

Fact = Callable[[Person, Period, date], Any]


def _in_period(documents: Sequence[Any], period: Period, today: date) -> list[Any]:
    """One without a date is in all time only."""
    since, until = period.bounds(today)
    return [
        one for one in documents
        if (since is None or (one.date is not None and one.date >= since))
        and (until is None or (one.date is not None and one.date <= until))
    ]  # fmt: skip


def _invoices(person: Person, period: Period, today: date, *, home: bool = False) -> list[Invoice]:
    return [one for one in _in_period(person.invoices, period, today) if one.home or not home]


def _dates(person: Person) -> list[date]:
    return [one.date for one in person.invoices if one.date is not None]


def _sales(person: Person, period: Period, today: date) -> Decimal:
    return sum((one.total for one in _invoices(person, period, today, home=True)), Decimal(0))


def _largest(person: Person, period: Period, today: date) -> Decimal | None:
    return max((one.total for one in _invoices(person, period, today, home=True)), default=None)


def late(person: Person, today: date) -> list[tuple[date, Invoice]]:
    """(due, invoice) of what is overdue today, the longest first."""
    found = []
    for one in person.invoices:
        due = one.due_date or one.date
        if one.balance is not None and one.balance > 0 and due is not None and due < today:
            found.append((due, one))
    return sorted(found, key=lambda pair: (pair[0], pair[1].id))


def _overdue(person: Person, period: Period, today: date) -> Decimal:
    return sum((one.balance or Decimal(0) for _, one in late(person, today) if one.home), Decimal(0))


def _days_overdue(person: Person, period: Period, today: date) -> int | None:
    found = late(person, today)
    return (today - found[0][0]).days if found else None


def _costed(person: Person, period: Period, today: date) -> list[Line]:
    lines = (line for one in _invoices(person, period, today, home=True) for line in one.lines)
    return [line for line in lines if line.taken and line.amount is not None and line.cost is not None]


def _margin(person: Person, period: Period, today: date) -> Decimal | None:
    lines = _costed(person, period, today)
    return (
        sum(((line.amount or Decimal(0)) - (line.cost or Decimal(0)) for line in lines), Decimal(0)) if lines else None
    )


def _margin_percent(person: Person, period: Period, today: date) -> Fraction | None:
    amount = sum((line.amount or Decimal(0) for line in _costed(person, period, today)), Decimal(0))
    margin = _margin(person, period, today)
    return Fraction(margin) * 100 / Fraction(amount) if margin is not None and amount > 0 else None


def _days_between(person: Person, period: Period, today: date) -> Fraction | None:
    days = sorted(set(_dates(person)))
    return Fraction((days[-1] - days[0]).days, len(days) - 1) if len(days) > 1 else None


def _now(quote: Quote, today: date) -> str:
    return state_now(quote.state, expires_on=quote.expires_on, today=today, partly=quote.begun)


def _open(person: Person, today: date) -> list[Quote]:
    return [one for one in person.quotes if _now(one, today) in WITH_CUSTOMER]


def _won(person: Person, period: Period, today: date) -> int:
    quotes = _in_period(person.quotes, period, today)
    return sum(1 for one in quotes if _now(one, today) in (ACCEPTED, PARTLY, INVOICED))


def _lost(person: Person, period: Period, today: date) -> int:
    return sum(1 for one in _in_period(person.quotes, period, today) if _now(one, today) in (DECLINED, EXPIRED))


def _share_won(person: Person, period: Period, today: date) -> Fraction | None:
    won, lost = _won(person, period, today), _lost(person, period, today)
    return Fraction(won * 100, won + lost) if won + lost else None


def _season(person: Person, period: Period, today: date) -> frozenset[str]:
    return frozenset(str(one.date.month) for one in _invoices(person, period, today) if one.date is not None)


def _bought(person: Person, period: Period, today: date) -> frozenset[str]:
    lines = (line for one in _invoices(person, period, today) for line in one.lines if line.taken)
    return frozenset(str(line.product_id) for line in lines if line.product_id is not None)


def _plain(value: Callable[[Person], Any]) -> Fact:
    return lambda person, period, today: value(person)


def _books(value: Callable[[Books], Decimal | None]) -> Fact:
    return lambda person, period, today: None if person.books is None else value(person.books)


def _rfm(place: int) -> Fact:
    return lambda person, period, today: None if person.rfm is None else person.rfm[place]


def _consent(channel: str) -> Fact:
    return lambda person, period, today: person.consents.get(channel, "unasked")


FACTS: dict[str, Fact] = {
    "name": _plain(lambda person: person.sort_name),
    "company": _plain(lambda person: person.company),
    "kind": _plain(lambda person: "company" if person.company else "person"),
    "type": _plain(lambda person: person.type),
    "owner": _plain(lambda person: "none" if person.owner_id is None else str(person.owner_id)),
    "source": _plain(lambda person: person.source),
    "tags": _plain(lambda person: frozenset(map(str, person.tags))),
    "created": _plain(lambda person: person.created),
    "last_activity": _plain(lambda person: person.last_activity),
    "state": _plain(lambda person: person.state),
    "city": _plain(lambda person: person.city),
    "postal_code": _plain(lambda person: person.postal_code),
    "country": _plain(lambda person: person.country),
    "distance": _plain(lambda person: person.place),
    "link": _plain(lambda person: person.link),
    "held": _plain(lambda person: person.held),
    "lifetime_sales": _books(lambda books: books.total_sales),
    "sales": _sales,
    "largest_invoice": _largest,
    "invoices": lambda person, period, today: len(_invoices(person, period, today)),
    "balance": _books(lambda books: books.balance),
    "overdue": _overdue,
    "days_overdue": _days_overdue,
    "days_to_pay": _books(lambda books: books.days_to_pay),
    "unused_credit": _books(lambda books: books.unused_credit),
    "margin": _margin,
    "margin_percent": _margin_percent,
    "rfm_recency": _rfm(0),
    "rfm_frequency": _rfm(1),
    "rfm_monetary": _rfm(2),
    "first_invoice": _plain(lambda person: min(_dates(person), default=None)),
    "last_invoice": _plain(lambda person: max(_dates(person), default=None)),
    "days_between": _days_between,
    "season": _season,
    "quotes_open": lambda person, period, today: len(_open(person, today)),
    "quotes_open_total": lambda person, period, today: sum(
        (one.total for one in _open(person, today) if one.home), Decimal(0)
    ),
    "quote_sent": lambda person, period, today: min(
        (one.sent_on for one in _open(person, today) if one.sent_on is not None), default=None
    ),
    "quotes_won": _won,
    "quotes_lost": _lost,
    "share_won": _share_won,
    "bought": _bought,
    "has_phone": _plain(lambda person: bool(person.phone)),
    "has_email": _plain(lambda person: bool(person.email)),
    **{f"consent_{channel}": _consent(channel) for channel in ("email", "sms", "call")},
    "last_note": _plain(lambda person: person.last_note),
}
"""Key of FIELDS -> its value at a contact, in a stretch of time where the field has one."""
