"""Tells admins when the month's metered calls will not last, and settles that notice when they do again.

Looked at hourly. One notice for all companies, kept at the one connected first, since the budget is the app's.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from crm import config
from crm.db import db
from crm.domain.budget import Forecast
from crm.domain.connections import DISCONNECTED
from crm.models import Connection
from crm.queries import budget as queries
from crm.services import notices

TOPIC = "budget_short"


def watch(*, now: datetime) -> Forecast:
    """Post, reword or settle the notice. Needs the open transaction."""
    found = queries.this_month(now, budget=config.current().quickbooks_monthly_calls)
    ids = list(db.session.scalars(select(Connection.id).order_by(Connection.state == DISCONNECTED, Connection.id)))
    if found.short and ids:
        level = "danger" if found.used_up else "warning"
        notices.post(TOPIC, ids[0], level=level, text=sentence(found), now=now)
        ids = ids[1:]
    if found.eased or found.short:
        for connection_id in ids:
            notices.settle(connection_id, TOPIC, now=now)
    return found


def sentence(found: Forecast) -> str:
    """What admins read."""
    ends = _day(found.month_ends)
    if found.used_up:
        return (
            f"All {found.budget:,} reads of this month are used. QuickBooks refuses reads until {ends} (UTC);"
            " what is written still goes out. A paid Intuit tier includes more."
        )
    assert found.lasts_until is not None
    return (
        f"At {found.a_day:,.0f} reads a day, this month's {found.budget:,} reads last until"
        f" {_day(found.lasts_until)} only; {found.used:,} are used. Longer sweep intervals in the sync"
        " settings save the most."
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"
