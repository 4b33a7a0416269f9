"""Every table, by subject. Typed mappings only: no session, no I/O; properties cost nothing."""

from crm.models.books import (
    Customer,
    Document,
    IdentityKey,
    ListEntry,
    Match,
    MoneyFacts,
    Payment,
    PaymentApplication,
)
from crm.models.conflicts import Conflict
from crm.models.connections import CallCount, Connection, Notice, OAuthState
from crm.models.contacts import (
    Contact,
    ContactImport,
    ContactImportRow,
    ContactPoint,
    Note,
    SavedView,
    Tag,
    TimelineEntry,
    contact_tags,
)
from crm.models.inbox import Delivery, InboxEvent, Sweep
from crm.models.outbox import OutboxEntry, OutboxNeed
from crm.models.people import ApiKey, AuditEntry, SignInAttempt, User
from crm.models.plans import Plan, PlanLine
from crm.models.proofs import Proof, ProofLine
from crm.models.sync import CallSlot, Link, SyncLogEntry, SyncRun, SyncSettings

__all__ = [
    "ApiKey", "AuditEntry", "CallCount", "CallSlot", "Conflict", "Connection", "Contact", "ContactImport",
    "ContactImportRow", "ContactPoint", "Customer", "Delivery", "Document", "IdentityKey", "InboxEvent", "Link",
    "ListEntry", "Match", "MoneyFacts", "Note", "Notice", "OAuthState", "OutboxEntry", "OutboxNeed", "Payment",
    "PaymentApplication", "Plan", "PlanLine", "Proof", "ProofLine", "SavedView", "SignInAttempt", "Sweep",
    "SyncLogEntry", "SyncRun", "SyncSettings", "Tag", "TimelineEntry", "User", "contact_tags",
]  # fmt: skip
