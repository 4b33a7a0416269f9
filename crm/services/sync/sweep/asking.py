"""A person asks for the change sweep now instead of waiting for its turn."""

from __future__ import annotations

from datetime import datetime

from crm.bell import ring
from crm.db import db
from crm.domain.directions import EVERYTHING
from crm.domain.errors import NotFound, Refused
from crm.models import Connection, Sweep
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync import settings
from crm.services.sync.sweep import turns
from crm.services.sync.sweep.sweep import TASK


def ask(connection_id: int, *, actor: Actor, now: datetime) -> None:
    """Make the sweep due and ring for it. Raises NotFound, and Refused where it would not be done.

    One that is under way meanwhile loses its hold and stores nothing: the new one asks for the same and more.
    """
    connection = db.session.get(Connection, connection_id, with_for_update=True, populate_existing=True)
    if connection is None:
        raise NotFound("There is no such connection.")
    if not connection.live:
        raise Refused("This connection does not work at present. Reconnect it first.")
    if settings.current(db.session(), connection_id, EVERYTHING).stopped:
        raise Refused("The sync is paused. Resume it first.")
    if "customer" not in connection.read_at:
        raise Refused("Nothing has been imported yet. Import once; from then on only changes are asked for.")
    sweep = db.session.get(Sweep, connection_id, populate_existing=True)
    if sweep is None:
        db.session.add(Sweep(connection_id=connection_id, available_at=now))
    else:
        sweep.available_at = now
        turns.all_due(sweep)
    audit.record("sweep_asked", actor=actor, now=now, subject=f"connection:{connection_id}",
                 summary=f"{actor.label} asked {connection.company_name or 'QuickBooks'} for its changes.")  # fmt: skip
    ring(TASK, connection_id)
