"""What beat rings, and why each entry exists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    # QuickBooks forgets a grant that nobody uses for about 100 days, and ends every grant after some years: idle ones
    # are renewed weekly, and admins are warned 30, 14, 7 and 1 days ahead. Hourly, so that a missed beat costs nothing.
    "connections-keep-alive": {"task": "crm.tasks.connections.keep_alive", "schedule": timedelta(hours=1)},
    # A check or a revocation whose bell was lost; a lapsed subscription or a wrong key that was mended elsewhere.
    "connections-tend": {"task": "crm.tasks.connections.tend", "schedule": timedelta(minutes=2)},
    # Intuit refuses reads when the month's are used up: admins should hear while longer intervals can still save some.
    "connections-budget": {"task": "crm.tasks.connections.watch_budget", "schedule": timedelta(hours=1)},
    # Imports whose bell was lost, whose worker died (lease lapsed), or whose retry or reconnect has come. A person
    # may be watching, so it should not stand still for long.
    "sync-sweep": {"task": "crm.tasks.sync.sweep", "schedule": timedelta(seconds=15)},
    # Balances and documents grow old: every company is read again once a day, counted from its last good import.
    "sync-start-due": {"task": "crm.tasks.sync.start_due", "schedule": timedelta(hours=1)},
    # An invoice becomes overdue without any import: days in the companies' zones begin at different hours.
    "money-aging": {"task": "crm.tasks.sync.refresh_aging", "schedule": timedelta(hours=6)},
    # A file of contacts whose bell was lost or whose worker died; somebody may be watching its progress.
    "contact-imports-sweep": {"task": "crm.tasks.contact_imports.sweep", "schedule": timedelta(seconds=30)},
    # Changes for the books whose bell was lost, whose worker died, or whose pause has ended; people watch their badge.
    "outbox-tend": {"task": "crm.tasks.outbox.tend", "schedule": timedelta(seconds=15)},
    # What has been parked for over an hour is told to admins; minutes do not matter then.
    "outbox-tell": {"task": "crm.tasks.outbox.tell", "schedule": timedelta(minutes=5)},
    # Webhook deliveries whose bell was lost or whose worker died, and events whose second look or retry is due (asked
    # thirty seconds after an object was not found): what changed in the books is wanted here within the minute.
    "inbox-ring-due": {"task": "crm.tasks.inbox.ring_due", "schedule": timedelta(seconds=15)},
    # A customer that came in while one of ours was being created waits until that is settled: it may be the same one.
    "inbox-decide-newcomers": {"task": "crm.tasks.inbox.decide_newcomers", "schedule": timedelta(seconds=30)},
    # Plans whose bell was lost or whose worker died, and approved ones whose lines the outbox has settled meanwhile.
    # Somebody may be watching either.
    "plans-sweep": {"task": "crm.tasks.plans.sweep", "schedule": timedelta(seconds=15)},
    # Proofs whose bell was lost, whose worker died or whose retry is due; somebody may be watching.
    "proofs-tend": {"task": "crm.tasks.proofs.tend", "schedule": timedelta(seconds=20)},
    # Each company's nightly proof starts at three in its own zone; often, so that one an import held up soon follows.
    "proofs-nightly": {"task": "crm.tasks.proofs.start_due", "schedule": timedelta(minutes=10)},
    # Each company says itself how often it is swept (a quarter of an hour by default); a minute late is soon enough.
    "inbox-ring-sweeps": {"task": "crm.tasks.inbox.ring_sweeps", "schedule": timedelta(minutes=1)},
    # Raw bodies go after thirty days, settled events after ninety: some hours sooner or later do not matter, but a beat
    # that is restarted daily must get to it.
    "inbox-prune": {"task": "crm.tasks.inbox.prune", "schedule": timedelta(hours=6)},
    # Each read and write leaves a line in the sync log, so it grows without end: what is older than SYNC_LOG_DAYS goes.
    # Hours do not matter, but a beat that is restarted daily must get to it.
    "sync-log-prune": {"task": "crm.tasks.sync.prune_log", "schedule": timedelta(hours=8)},
}
