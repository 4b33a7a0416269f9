"""What pages of vendors and bills share: the company's day, and the version a form was opened with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm import clock
from crm.db import db
from crm.queries import connections
from crm.services import invoice_drafts, sales_settings


@dataclass(frozen=True, slots=True)
class Day:
    company: int | None
    """The company in use."""
    today: date
    """Its own calendar day."""
    zone: str


def company_day() -> Day:
    company = sales_settings.company_in_use(db.session())
    zone = connections.one(company).time_zone if company is not None else ""
    return Day(company, invoice_drafts.today(clock.now()), zone or "UTC")


def lock_of(form: Mapping[str, str]) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = form.get("lock", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
