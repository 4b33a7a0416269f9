"""How much waits for a person, as the menu shows it: one small statement each, asked only for who may see the page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.models import Conflict, Connection, Customer, Duplicate, OutboxEntry
from crm.queries.conflicts import present

COMPANIES = select(Connection.id)
"""Named in each question, since the indexes by state begin with the company."""


def sync_waiting(*, conflicts: bool, parked: bool) -> int:
    """Open conflicts of what there still is, and parked entries; without either, nothing is asked."""
    parts: list[Any] = []
    if conflicts:
        parts.append(
            present(select(func.count()))
            .where(Conflict.connection_id.in_(COMPANIES), Conflict.state == "open")
            .scalar_subquery()
        )
    if parked:
        parts.append(
            select(func.count())
            .select_from(OutboxEntry)
            .where(OutboxEntry.connection_id.in_(COMPANIES), OutboxEntry.state == "parked")
            .scalar_subquery()
        )
    return sum(db.session.execute(select(*parts)).one()) if parts else 0


def matches_waiting() -> int:
    """Questions of the match desk: customers that wait for a contact, and pairs that may be one."""
    where = (Customer.connection_id.in_(COMPANIES), Customer.match_state == "review")
    parts = (
        select(func.count()).select_from(Customer).where(*where).scalar_subquery(),
        select(func.count()).select_from(Duplicate).where(Duplicate.state == "proposed").scalar_subquery(),
    )
    return sum(db.session.execute(select(*parts)).one())
