"""The month's metered calls of all companies together, and whether they will last. Months and days are UTC.

Calls to sandboxes are counted in although Intuit does not: whoever tries things out sees what it would cost.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import func, select

from crm.db import db
from crm.domain.budget import DAYS, Forecast, forecast, month_start
from crm.models import CallCount

METERED = CallCount.category == "metered"


def this_month(now: datetime, *, budget: int) -> Forecast:
    """`budget` is the setting QUICKBOOKS_MONTHLY_CALLS."""
    back = now.date() - timedelta(days=DAYS - 1)
    first, used, recent = db.session.execute(
        select(
            func.min(CallCount.day),
            func.sum(CallCount.calls).filter(CallCount.day >= month_start(now).date()),
            func.sum(CallCount.calls).filter(CallCount.day >= back),
        ).where(METERED)
    ).one()
    since = datetime.combine(max(back, first or back), time(), now.tzinfo)
    days = (now - since) / timedelta(days=1)
    return forecast(now, budget=budget, used=int(used or 0), recent=int(recent or 0), recent_days=days)
