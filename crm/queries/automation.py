"""Which contacts are held from automation, and how many an import left so. `services/automation` decides."""

from __future__ import annotations

from sqlalchemy import func, select

from crm.db import db
from crm.models import AutomationHold


def held_of(source: str, source_id: int) -> int:
    """How many contacts of an import (`file` or `quickbooks`, with its id) are still held."""
    mine = (AutomationHold.source == source, AutomationHold.source_id == source_id)
    return db.session.scalar(select(func.count()).select_from(AutomationHold).where(*mine)) or 0


def hold_on(contact_id: int) -> AutomationHold | None:
    """The hold on one contact; None where automation may act on it."""
    return db.session.get(AutomationHold, contact_id)
