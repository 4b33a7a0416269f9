"""What beat rings, how often, and why each entry exists. People read title and reason on the page of jobs.

Each entry is rung through `tasks/jobs.run`, which keeps it from running twice at once, paused, or unseen. Its task does
the work, and says in its docstring why twice is harmless. An entry needs nothing but its line here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm.domain.jobs import Entry

SCHEDULE: dict[str, Entry] = {
    "connections-keep-alive": Entry(
        "crm.tasks.connections.keep_alive",
        timedelta(hours=1),
        "Keep sign-ins at QuickBooks alive",
        "QuickBooks forgets a grant that nobody uses for about 100 days, and ends every grant after some years: idle"
        " ones are renewed weekly, and admins are warned 30, 14, 7 and 1 days ahead. Hourly, so that a missed turn"
        " costs nothing.",
        meanwhile="Idle sign-ins are not renewed and may end, and nobody is warned before.",
    ),
    "connections-tend": Entry(
        "crm.tasks.connections.tend",
        timedelta(minutes=2),
        "Finish checks of connections",
        "A check or a revocation whose bell was lost; a lapsed subscription or a wrong key that was mended elsewhere.",
        meanwhile="A connection that was mended elsewhere stays stopped, and a sign-in given back may live on.",
    ),
    "connections-budget": Entry(
        "crm.tasks.connections.watch_budget",
        timedelta(hours=1),
        "Watch the month's reads",
        "Intuit refuses reads when the month's are used up: admins should hear while longer intervals can still save"
        " some.",
        meanwhile="Nobody hears that this month's reads will not last.",
    ),
    "sync-sweep": Entry(
        "crm.tasks.sync.sweep",
        timedelta(seconds=15),
        "Take up imports again",
        "Imports whose bell was lost, whose worker died, or whose retry or reconnect has come. A person may be"
        " watching, so it should not stand still for long.",
        meanwhile="An import that stopped is not taken up again.",
    ),
    "sync-start-due": Entry(
        "crm.tasks.sync.start_due",
        timedelta(hours=1),
        "Start the daily import",
        "Balances and documents grow old: every company is read again once a day, counted from its last good import.",
        meanwhile="Companies are not read completely any more; only single changes come in.",
    ),
    "money-aging": Entry(
        "crm.tasks.sync.refresh_aging",
        timedelta(hours=6),
        "Refresh balances, aging and days to pay",
        "An invoice becomes overdue without any import: days in the companies' zones begin at different hours.",
        meanwhile="Who is overdue, and by how much, stands as it was.",
    ),
    "contact-imports-sweep": Entry(
        "crm.tasks.contact_imports.sweep",
        timedelta(seconds=30),
        "Take up files of contacts again",
        "A file of contacts whose bell was lost or whose worker died; somebody may be watching its progress.",
        meanwhile="A file import that stopped is not taken up again.",
    ),
    "outbox-tend": Entry(
        "crm.tasks.outbox.tend",
        timedelta(seconds=15),
        "Send what waits for QuickBooks",
        "Changes for the books whose bell was lost, whose worker died, or whose pause has ended; people watch their"
        " badge.",
        meanwhile="Changes that could not be sent at once stay here and do not reach QuickBooks.",
    ),
    "outbox-tell": Entry(
        "crm.tasks.outbox.tell",
        timedelta(minutes=5),
        "Tell of parked changes",
        "What has been parked for over an hour is told to admins; minutes do not matter then.",
        meanwhile="Nobody hears of changes that QuickBooks refused.",
    ),
    "inbox-ring-due": Entry(
        "crm.tasks.inbox.ring_due",
        timedelta(seconds=15),
        "Read what webhooks told",
        "Webhook deliveries whose bell was lost or whose worker died, and events whose second look or retry is due"
        " (asked thirty seconds after an object was not found): what changed in the books is wanted here within the"
        " minute.",
        meanwhile="Changes in QuickBooks that could not be read at once are not read again.",
    ),
    "inbox-decide-newcomers": Entry(
        "crm.tasks.inbox.decide_newcomers",
        timedelta(seconds=30),
        "Decide about new customers",
        "A customer that came in while one of ours was being created waits until that is settled: it may be the same"
        " one.",
        meanwhile="New customers of QuickBooks may stay without a contact.",
    ),
    "plans-sweep": Entry(
        "crm.tasks.plans.sweep",
        timedelta(seconds=15),
        "Take up plans again",
        "Plans whose bell was lost or whose worker died, and approved ones whose lines the outbox has settled"
        " meanwhile. Somebody may be watching either.",
        meanwhile="Plans are not finished, although their lines went out.",
    ),
    "proofs-tend": Entry(
        "crm.tasks.proofs.tend",
        timedelta(seconds=20),
        "Take up proofs again",
        "Proofs whose bell was lost, whose worker died or whose retry is due; somebody may be watching.",
        meanwhile="A proof that stopped is not taken up again.",
    ),
    "proofs-nightly": Entry(
        "crm.tasks.proofs.start_due",
        timedelta(minutes=10),
        "Start the nightly proof",
        "Each company's nightly proof starts at three in its own zone; often, so that one an import held up soon"
        " follows.",
        meanwhile="Nobody proves at night that both sides are equal to the cent.",
    ),
    "inbox-ring-sweeps": Entry(
        "crm.tasks.inbox.ring_sweeps",
        timedelta(minutes=1),
        "Ask QuickBooks what changed",
        "Each company says itself how often it is swept (a quarter of an hour by default); a minute late is soon"
        " enough.",
        meanwhile="Changes in QuickBooks come in by webhooks only; what those miss stays unseen.",
    ),
    "inbox-prune": Entry(
        "crm.tasks.inbox.prune",
        timedelta(hours=6),
        "Clear old webhook deliveries",
        "Raw bodies go after thirty days, settled events after ninety: some hours sooner or later do not matter, but a"
        " beat that is restarted daily must get to it.",
    ),
    "sync-log-prune": Entry(
        "crm.tasks.sync.prune_log",
        timedelta(hours=8),
        "Clear the old sync log",
        "Each read and write leaves a line in the sync log, so it grows without end: what is older than SYNC_LOG_DAYS"
        " goes. Hours do not matter, but a beat that is restarted daily must get to it.",
    ),
    "sales-tend-mail": Entry(
        "crm.tasks.sales.tend_mail",
        timedelta(seconds=20),
        "Send mails through QuickBooks",
        "Mails that QuickBooks sends for us whose bell was lost, that waited for a change to arrive there first, or"
        " whose worker died: somebody watches what becomes of them.",
        meanwhile="Mails that had to wait are not sent.",
    ),
    "duplicates-tend": Entry(
        "crm.tasks.duplicates.tend",
        timedelta(seconds=30),
        "Take up searches for duplicates again",
        "Searches for duplicates whose bell was lost or whose worker died; somebody may be watching the progress. And"
        " contacts made in the last two minutes once more: two made in the same moment did not see each other.",
        meanwhile="A search for duplicates that stopped is not taken up again, and two contacts made in the same moment"
        " are compared by the daily search only.",
    ),
    "duplicates-start-due": Entry(
        "crm.tasks.duplicates.start_due",
        timedelta(hours=1),
        "Start the daily search for duplicates",
        "What is made or changed is compared at once; a search over everything once a day finds what that cannot see:"
        " two records made in the same moment, customers that left the books, and sales as they are by now.",
    ),
    "duplicates-learn-due": Entry(
        "crm.tasks.duplicates.learn_due",
        timedelta(hours=6),
        "Learn from decisions about matches",
        "What people decided changes the points of reasons a little, once a night at most; hours do not matter, but a"
        " beat that is restarted daily must get to it.",
    ),
    "segments-changed": Entry(
        "crm.tasks.segments.refresh_changed",
        timedelta(seconds=15),
        "Move contacts between segments",
        "Whatever changes a contact leaves a note, and its segments are worked out anew: who watches a payment come in"
        " should see the move within half a minute. Nothing is written while no note waits.",
        meanwhile="Contacts stay in the segments they are in, whatever happens to them; what changes is kept and"
        " caught up with later.",
    ),
    "segments-day": Entry(
        "crm.tasks.segments.refresh_day",
        timedelta(minutes=10),
        "Work out all segments for the day",
        "Days pass without anything being written: invoices become overdue, customers lapse, fifths of buyers shift."
        " Once in each of the company's days all contacts are looked at; often, so that it is soon after midnight there"
        " and a failure is tried again.",
        meanwhile="Segments by days (overdue, lapsed, RFM) stand as they were.",
    ),
    "insight-refresh-due": Entry(
        "crm.tasks.insight.refresh_due",
        timedelta(minutes=10),
        "Work out expected payments, forecasts and customer values",
        "Once a night after two in the company's zone, and after each complete import: they rest on everything there"
        " is, and a day older is good enough. Often, so that a first import is soon followed by its figures; where"
        " nothing is due it asks that and no more.",
        meanwhile="Expected dates of payment, forecasts and customer values stay as they were, and say of which day.",
    ),
    "insight-store-results": Entry(
        "crm.tasks.insight.store_results",
        timedelta(minutes=30),
        "Work out the long sums of Insight",
        "Where there are many invoices, sums by customer, service and place take seconds, and so does what the members"
        " of segments come to: they are worked out for the usual periods, so that nobody waits for them. Each says as"
        " of when. Where there are few, nothing is kept.",
        meanwhile="Sums by customer, service and place stand as they were, and say as of when.",
    ),
    "jobs-tend": Entry(
        "crm.tasks.jobs.tend",
        timedelta(minutes=1),
        "Look after this schedule",
        "Runs whose worker died are marked, runs a person asked for begin although their bell was lost, and what rings"
        " seldom is tried again after a bad end.",
        meanwhile="Runs whose worker died are not noticed, and “Run now” may have no effect.",
    ),
    "jobs-prune": Entry(
        "crm.tasks.jobs.prune",
        timedelta(hours=8),
        "Clear what nobody needs any more",
        "Kept runs of this schedule, tries of signing in, states of consents that were never finished, notices long"
        " settled, and who came into segments or left them over a year ago would grow without end. Hours do not matter,"
        " but a beat that is restarted daily must get to it.",
    ),
}


def rung() -> dict[str, dict[str, Any]]:
    """As beat takes it. A ring that nobody took until the next one is due is thrown away: one run answers both."""
    return {
        key: {
            "task": "crm.tasks.jobs.run",
            "schedule": entry.every,
            "args": (key,),
            "options": {"expires": max(60.0, entry.every.total_seconds())},
        }
        for key, entry in SCHEDULE.items()
    }
