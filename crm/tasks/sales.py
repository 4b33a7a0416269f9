"""The hands of sales: mails that QuickBooks sends. A task that is lost loses nothing: `tend_mail` rings again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import sales_mail


@shared_task(name="crm.tasks.sales.send_mail")
def send_mail(event_id: int) -> None:
    sales_mail.send_due(event_id, clock=clock.now)


@shared_task(name="crm.tasks.sales.tend_mail")
def tend_mail() -> None:
    """Twice is harmless: it only rings, and a mail is claimed before its one call is made."""
    with transaction():
        sales_mail.tend(now=clock.now())
