"""The engine that keeps the CRM in step with the books. This is its door; what stands inside is its own business.

So far it imports: customers are read, matched with contacts and linked, documents are mirrored, money facts computed.
A run is a row (`SyncRun`); tasks and commands only lend it hands. Nothing is written to the books.
"""

from crm.domain.runs import RESOURCES
from crm.services.sync.attach import attach, detach, make_contact
from crm.services.sync.links import refresh_link_states
from crm.services.sync.money import refresh_aging
from crm.services.sync.runner import run
from crm.services.sync.runs import cancel_run, ring_due, start_due, start_run, wake_run
from crm.services.sync.steps import STEPS, plan, read_resources

__all__ = [
    "RESOURCES", "STEPS", "attach", "cancel_run", "detach", "make_contact", "plan", "read_resources", "refresh_aging",
    "refresh_link_states", "ring_due", "run", "start_due", "start_run", "wake_run",
]  # fmt: skip
