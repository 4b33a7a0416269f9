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
from crm.models.people import ApiKey, AuditEntry, SignInAttempt, User
from crm.models.sync import Link, SyncLogEntry, SyncRun

__all__ = [
    "ApiKey", "AuditEntry", "CallCount", "Connection", "Contact", "ContactImport", "ContactImportRow", "ContactPoint",
    "Customer", "Document", "IdentityKey", "Link", "ListEntry", "Match", "MoneyFacts", "Note", "Notice", "OAuthState",
    "Payment", "PaymentApplication", "SavedView", "SignInAttempt", "SyncLogEntry", "SyncRun", "Tag", "TimelineEntry",
    "User", "contact_tags",
]  # fmt: skip
