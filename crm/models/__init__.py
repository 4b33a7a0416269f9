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
from crm.models.insight import CustomerValue, Forecast, InsightResult, PaymentExpectation
from crm.models.jobs import Job, JobRun
from crm.models.matching import (
    AutomationHold,
    ContactMerge,
    Duplicate,
    HouseholdMember,
    MatchDecision,
    MatchRun,
    MatchSettings,
    OpenMatch,
)
from crm.models.outbox import OutboxEntry, OutboxNeed
from crm.models.people import ApiKey, AuditEntry, SignInAttempt, User
from crm.models.plans import Plan, PlanLine
from crm.models.products import Item, PriceChange, Product
from crm.models.proofs import Proof, ProofLine
from crm.models.purchases import Bill, BillPayment, Vendor
from crm.models.sales import (
    Attachment,
    PublicLink,
    Receipt,
    ReceiptPart,
    SalesDocument,
    SalesEvent,
    SalesLine,
    SalesSettings,
    SalesVersion,
)
from crm.models.segments import (
    ContactChange,
    ContactConsent,
    ContactPlace,
    RfmScore,
    Segment,
    SegmentChange,
    SegmentMember,
    SegmentVersion,
)
from crm.models.sync import CallSlot, Link, SyncLogEntry, SyncRun, SyncSettings

__all__ = [
    "ApiKey", "Attachment", "AuditEntry", "AutomationHold", "Bill", "BillPayment", "CallCount", "CallSlot",
    "Conflict", "Connection", "Contact", "ContactChange", "ContactConsent", "ContactImport", "ContactImportRow",
    "ContactMerge", "ContactPlace", "ContactPoint", "Customer", "CustomerValue", "Delivery", "Document", "Duplicate",
    "Forecast", "HouseholdMember", "IdentityKey", "InboxEvent", "InsightResult", "Item", "Job", "JobRun", "Link",
    "ListEntry", "Match", "MatchDecision", "MatchRun", "MatchSettings", "MoneyFacts", "Note", "Notice", "OAuthState",
    "OpenMatch", "OutboxEntry", "OutboxNeed", "Payment", "PaymentApplication", "PaymentExpectation", "Plan",
    "PlanLine", "PriceChange", "Product", "Proof", "ProofLine", "PublicLink", "Receipt", "ReceiptPart", "RfmScore",
    "SalesDocument", "SalesEvent", "SalesLine", "SalesSettings", "SalesVersion", "SavedView", "Segment",
    "SegmentChange", "SegmentMember", "SegmentVersion", "SignInAttempt", "Sweep", "SyncLogEntry", "SyncRun",
    "SyncSettings", "Tag", "TimelineEntry", "User", "Vendor", "contact_tags",
]  # fmt: skip
