"""Who is in segments, kept true. What waits is in the tables: a task that is lost or killed loses nothing."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.services import segment_refresh


@shared_task(name="crm.tasks.segments.refresh_changed")
def refresh_changed() -> None:
    """Twice is harmless: a note is taken in the transaction that looks at its contact, and the second finds none."""
    segment_refresh.refresh_changed(clock=clock.now)


@shared_task(name="crm.tasks.segments.refresh_day")
def refresh_day() -> None:
    """Twice is harmless: what was looked at today is left alone."""
    segment_refresh.refresh_day(clock=clock.now)
