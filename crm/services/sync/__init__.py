"""The engine that keeps the CRM in step with the books. This is its door; what stands inside is its own business.

It imports: customers are read, matched with contacts and linked, documents are mirrored, money facts computed. And it
sends: what changed here waits in the outbox until it has arrived there, or until a person has decided about it. Runs
and entries are rows; tasks and commands only lend them hands.

| package | its modules |
|---|---|
| imports | runs, runner, steps, reading, fetch, matching, links, attach |
| outbox | outbox, asking, claiming, freezing, sending, settling, settling_work, refused, verdicts, lookups, parked |
| outbox | waiting; kinds/ is what each kind brings |
| items | kind, mirroring, matching, taking, comparing, merged, rows, records, categories, linking, asking |
| inbox | inbox, event_rows, intake, event_reads, outcomes, failures, replaying, reading_again, showing |
| sweep | sweep, start, turns, sweeping, gaps, handing, asking |
| mirror | kinds (the registry of what comes in), port, table, customer_kind, document_kind, lists |
| mirror | applying, customers, documents, gone, newcomers, merges, kept_apart, money, activity, contact_rows, stored |
| merge | comparing, enrich, enrich_lines, enrich_told, conflicts |
| plans | plans, planning, plan_work, drawing, carrying, leaving, undo, before_images |
| proof | proof, steps, work, confirm, causes, verdict, mending |
| (all) | work (the open transaction in which records are taken), settings, log_care |
"""

from crm.domain.runs import RESOURCES
from crm.services.sync.imports.attach import attach, detach, make_contact, propose_again
from crm.services.sync.imports.links import refresh_link_states
from crm.services.sync.imports.runner import run
from crm.services.sync.imports.runs import cancel_run, ring_due, start_due, start_run, wake_run
from crm.services.sync.imports.steps import STEPS, plan, read_resources
from crm.services.sync.inbox.replaying import read_again, replay, replay_between
from crm.services.sync.items.asking import ask_products
from crm.services.sync.items.asking import missing as missing_products
from crm.services.sync.mirror.merges import undo as undo_merge
from crm.services.sync.mirror.money import refresh_aging
from crm.services.sync.outbox.asking import ask_create
from crm.services.sync.outbox.sending import send, tend_outbox
from crm.services.sync.outbox.waiting import tell_parked

__all__ = [
    "RESOURCES", "STEPS", "ask_create", "ask_products", "attach", "cancel_run", "detach", "make_contact",
    "missing_products", "plan", "propose_again", "read_again", "read_resources", "refresh_aging",
    "refresh_link_states", "replay", "replay_between", "ring_due", "run", "send", "start_due", "start_run",
    "tell_parked", "tend_outbox", "undo_merge", "wake_run",
]  # fmt: skip
