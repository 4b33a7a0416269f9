"""What is open as of today: receivables by age, quotes with the customer; and how quotes of a span ended.

Home currency, except where a row says its own. The conditions are those of the lists that the figures open.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from crm.db import db
from crm.domain import quote_filters
from crm.domain.invoice_filters import AGES
from crm.domain.money import bucket
from crm.domain.periods import Span
from crm.domain.quotes import ACCEPTED, DECLINED, GOING_ON, INVOICED, PARTLY, SENT, VIEWED
from crm.models import Document, Forecast, Link, SalesDocument
from crm.queries import products, quotes
from crm.queries.insight_money import between, in_home
from crm.queries.invoices import OWED

D = SalesDocument
AS_OF = (quote_filters.OPEN, SENT, VIEWED, ACCEPTED, PARTLY)
DATED = (quote_filters.WON, quote_filters.LOST)


class Sum(NamedTuple):
    currency: str
    number: int
    amount: Decimal


def receivables(today: date) -> dict[str, tuple[int, Decimal]]:
    """Key of AGES -> (invoices, what is open of them)."""
    due = func.coalesce(D.due_date, D.date, today).label("due")
    query = select(due, func.count(), func.sum(D.balance)).where(*OWED, in_home(D.currency)).group_by(due)
    found = {key: (0, Decimal(0)) for key in AGES}
    for day, number, amount in db.session.execute(query):
        day = date.fromisoformat(day) if isinstance(day, str) else day
        key = tuple(AGES)[bucket((today - day).days)]
        found[key] = (found[key][0] + number, found[key][1] + (amount or Decimal(0)))
    return found


def owed_elsewhere() -> list[Sum]:
    """What is owed in other currencies."""
    query = select(D.currency, func.count(), func.sum(D.balance)).where(*OWED, ~in_home(D.currency))
    rows = db.session.execute(query.group_by(D.currency).order_by(D.currency))
    return [Sum(currency, number, amount or Decimal(0)) for currency, number, amount in rows]


def quotes_standing(today: date, span: Span) -> dict[str, list[Sum]]:
    """State or group of the list of quotes -> what that list comes to, by currency: of AS_OF as they stand today, of
    DATED those dated in the span. One statement. The home currency is there first in any case."""
    every = quotes.conditions(quote_filters.Filters(), today)
    asked = {state: quotes.in_state(state, today) for state in AS_OF}
    within = between(D.date, span)
    asked |= {state: and_(*within, quotes.in_state(state, today)) for state in DATED}
    columns = [
        column
        for state, condition in asked.items()
        for column in (func.count().filter(condition), func.sum(D.total, type_=D.total.type).filter(condition))
    ]
    reached = or_(D.state.in_(GOING_ON), and_(D.state.in_((INVOICED, DECLINED)), *within))
    query = select(D.currency, *columns).where(*every, reached).group_by(D.currency).order_by(D.currency)
    home = products.home_currency()
    found = {state: {home: Sum(home, 0, Decimal(0))} for state in asked}
    for currency, *told in db.session.execute(query):
        for state, number, amount in zip(asked, told[::2], told[1::2], strict=True):
            known = found[state].get(currency or home, Sum(currency, 0, Decimal(0)))
            if number:
                sums = Sum(currency or home, known.number + number, known.amount + amount)
                found[state][currency or home] = sums
    return {state: list(sums.values()) for state, sums in found.items()}


def days_to_decide(span: Span) -> list[tuple[int, int]]:
    """(days from a quote's date to the customer's answer, how many quotes), of quotes dated in the span.

    The day the books give for an acceptance counts before the moment its change was seen here.
    """
    decided = D.decided_at if db.engine.dialect.name == "sqlite" else func.timezone("UTC", D.decided_at)
    accepted = Document.record["accepted_on"].as_string().label("accepted")
    day = func.date(decided).label("day")
    query = (
        select(D.date, accepted, day, func.count())
        .outerjoin(Link, and_(Link.kind == quotes.KIND, Link.local_id == D.id, Link.state != "gone"))
        .outerjoin(Document, and_(
            Document.connection_id == Link.connection_id, Document.kind == quotes.KIND,
            Document.remote_id == Link.remote_id,
        ))
        .where(
            D.kind == quotes.KIND, D.gone_at.is_(None), D.template.is_(False), *between(D.date, span),
            D.state.in_((ACCEPTED, INVOICED, DECLINED)), or_(D.decided_at.is_not(None), accepted.is_not(None)),
            D.date.is_not(None), in_home(D.currency),
        )
        .group_by(D.date, accepted, day)
    )  # fmt: skip
    found: dict[int, int] = {}
    for dated, told, seen, number in db.session.execute(query):
        answered = told or seen
        answered = date.fromisoformat(answered) if isinstance(answered, str) else answered
        days = max(0, (answered - dated).days)
        found[days] = found.get(days, 0) + number
    return sorted(found.items())


def learned_of_quotes() -> Forecast | None:
    """The newest making of a forecast of quotes."""
    query = select(Forecast).where(Forecast.kind == "quotes").order_by(Forecast.id.desc()).limit(1)
    return db.session.scalar(query)


def recent(today: date, days: int) -> Span:
    """The last days, today included."""
    return Span(today - timedelta(days=days - 1), today)
