"""The hands of forecasts. A run that is lost loses nothing: what is due is found again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.services import forecasting, insight_results


@shared_task(name="crm.tasks.insight.refresh_due")
def refresh_due() -> None:
    """Twice is harmless: rows of a range of contacts are replaced together, and the newest making counts."""
    forecasting.refresh_due(clock=clock.now)


@shared_task(name="crm.tasks.insight.store_results")
def store_results() -> None:
    """Twice is harmless: each result replaces the one before."""
    insight_results.refresh(clock=clock.now)
