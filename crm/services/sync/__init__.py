"""The engine that keeps the CRM in step with the books. This is its door; what stands inside is its own business.

It imports: customers are read, matched with contacts and linked, documents are mirrored, money facts computed. And it
sends: what changed here waits in the outbox until it has arrived there, or until a person has decided about it. Runs
and entries are rows; tasks and commands only lend them hands.

| what | where |
|---|---|
| import | runs, runner, steps, work, fetch, matching, links, attach, gone |
| outbox | outbox, asking, sending, settling, verdicts, lookups, parked, waiting, kinds/ |
| inbox | inbox, event_rows, intake, event_reads, intake_outcomes, intake_failures, replaying, reading_again, showing |
| sweep | sweep, sweep_start, sweeping, sweep_gaps, sweep_handing, sweep_asking |
| mirror | applying, customers, documents, newcomers, merges, money, activity, contact_rows, stored, bulk |
| merge | comparing, enrich, enrich_lines, enrich_told, conflicts |
| plans, undo | plans, planning, plan_work, drawing, carrying, leaving, undo, before_images |
| proof | proof, proof_steps, proof_work, proof_confirm, proof_causes, proof_verdict, proof_mending |
| all | settings, log_care |
"""

from crm.domain.runs import RESOURCES
from crm.services.sync.asking import ask_create
from crm.services.sync.attach import attach, detach, make_contact
from crm.services.sync.links import refresh_link_states
from crm.services.sync.merges import undo as undo_merge
from crm.services.sync.money import refresh_aging
from crm.services.sync.replaying import read_again, replay, replay_between
from crm.services.sync.runner import run
from crm.services.sync.runs import cancel_run, ring_due, start_due, start_run, wake_run
from crm.services.sync.sending import send, tend_outbox
from crm.services.sync.steps import STEPS, plan, read_resources
from crm.services.sync.waiting import tell_parked

__all__ = [
    "RESOURCES", "STEPS", "ask_create", "attach", "cancel_run", "detach", "make_contact", "plan", "read_again",
    "read_resources", "refresh_aging", "refresh_link_states", "replay", "replay_between", "ring_due", "run", "send",
    "start_due", "start_run", "tell_parked", "tend_outbox", "undo_merge", "wake_run",
]  # fmt: skip
