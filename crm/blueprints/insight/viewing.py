"""What an address of a page of figures asks for: its period, and the company's day, zone and currency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from flask import request, url_for

from crm import clock
from crm.domain import periods
from crm.domain.days import company_day
from crm.domain.errors import Invalid
from crm.domain.periods import Period, Span
from crm.queries import insight_money, products
from crm.queries.insight_money import Company

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    period: Period
    today: date
    """The company's own day."""
    home: str
    """The currency that figures are in."""
    company: Company | None
    errors: dict[str, str] = field(default_factory=dict)
    """Argument -> why it cannot be read; then nothing is counted."""
    answers: dict[Any, Any] = field(default_factory=dict)
    """What the database was asked for this page, see `once`."""

    def once(self, ask: Callable[..., T], *given: Any) -> T:
        """What `ask` answers: figures and tables of one page show the same in several places, and it is asked once."""
        if (ask, given) not in self.answers:
            self.answers[ask, given] = ask(*given)
        found: T = self.answers[ask, given]
        return found

    @property
    def span(self) -> Span:
        return self.period.span

    @property
    def zone(self) -> str:
        return (self.company.zone if self.company else "") or "UTC"

    def here(self, endpoint: str, **more: Any) -> str:
        """A page of figures for the same period."""
        return url_for(endpoint, **{**dict[str, Any](self.period.query()), **more})

    def invoices(self, span: Span | None = None, **more: Any) -> str:
        """The issued invoices of the period, or of another span, in the home currency unless told otherwise."""
        dated: dict[str, Any] = dict((self.span if span is None else span).query())
        return url_for("invoices.index", **{"state": "issued", "currency": self.home, **dated, **more})

    def payments(self, span: Span | None = None, **more: Any) -> str:
        dated: dict[str, Any] = dict((self.span if span is None else span).query())
        return url_for("payments.index", **{"state": "standing", "currency": self.home, **dated, **more})

    def quotes(self, state: str, *, dated: bool = False, **more: Any) -> str:
        days: dict[str, Any] = dict(self.span.query()) if dated else {}
        return url_for("quotes.index", **{"state": state, "currency": self.home, **days, **more})

    def lines(self, **more: Any) -> str:
        """The lines of the same invoices."""
        return url_for("insight.lines", **{**dict[str, Any](self.period.query()), **more})


def asked() -> View:
    """As the address says. What cannot be read is in `errors`, with the plain period in its place."""
    company = insight_money.company()
    today = company_day(clock.now(), company.zone if company else "")
    first_month = periods.month_of(company.fiscal_year_begins) if company else 1
    errors: dict[str, str] = {}
    try:
        period = periods.read(request.args, today=today, first_month=first_month)
    except Invalid as refusal:
        errors, period = refusal.fields, periods.read({}, today=today, first_month=first_month)
    return View(period, today, products.home_currency(), company, errors)


def certain() -> View:
    """The same where nothing can be shown of a period that cannot be read. Raises Invalid."""
    view = asked()
    if view.errors:
        raise Invalid(view.errors)
    return view
