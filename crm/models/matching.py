"""The match desk: pairs that may be one, what was decided, merges that can be taken back, who belongs together.

Contact against customer is a `Match` (models/books). Here are pairs of one sort, contacts or customers, the log of all
three sorts of decisions, and the settings by which they are made.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, Money, UtcDateTime
from crm.models.contacts import Contact


class Duplicate(Base):
    """Two contacts, or two customers of one company, that may be one. Never proposed again once kept apart."""

    __tablename__ = "duplicates"
    __table_args__ = (
        UniqueConstraint("sort", "one_id", "other_id"),
        CheckConstraint("one_id < other_id", name="ordered"),
        Index("ix_duplicates_stake", "state", "outcome", "sort", "stake", "score", "id"),
        Index("ix_duplicates_score", "state", "outcome", "sort", "score", "stake", "id"),
        Index("ix_duplicates_newest", "state", "outcome", "sort", "found_at", "id"),
        Index("ix_duplicates_name", "state", "outcome", "sort", "name", "id"),
        Index("ix_duplicates_rule", "state", "outcome", "rule"),
        Index("ix_duplicates_decided", "state", "decided_at", "id"),
        Index("ix_duplicates_other", "sort", "other_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sort: Mapped[str] = mapped_column(String(10))
    """`contact` (ids of contacts) or `customer` (customers.id, both of one connection)."""
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    one_id: Mapped[int] = mapped_column()
    other_id: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(String(20), default="proposed")
    """`proposed`, `apart` (a person said: never the same), `merged`, or `known` (customers: one person, to be merged in
    the books; both links stay until then)."""
    outcome: Mapped[str] = mapped_column(String(10), default="doubtful")
    """What the rules say: `same` (certain) or `doubtful`."""
    score: Mapped[int] = mapped_column(default=0)
    rule: Mapped[str] = mapped_column(String(60), default="")
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{reason, text, points}], best first."""
    stake: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    """Lifetime sales of both as last found, in the company's currency: what the desk sorts by."""
    name: Mapped[str] = mapped_column(String(500), default="", server_default="")
    """What the first of the two is called, in lower case: by which lists are sorted. Kept by triggers (migration
    0006), so that a new name counts at once, whoever gave it."""
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(254), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OpenMatch(Base):
    """A customer that waits for a contact, with what the match desk is sorted by: one row, so that every order has its
    index. Kept by triggers on `customers` and `matches` (migration 0006), written by nobody else."""

    __tablename__ = "open_matches"
    __table_args__ = (
        Index("ix_open_matches_stake", "stake", "score", "customer_id"),
        Index("ix_open_matches_score", "score", "stake", "customer_id"),
        Index("ix_open_matches_newest", "found_at", "customer_id"),
        Index("ix_open_matches_name", "name", "customer_id"),
        Index("ix_open_matches_rule", "rule"),
    )

    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    stake: Mapped[Decimal] = mapped_column(Money)
    """What it owes with its jobs; where that was never read, so little that it comes last."""
    score: Mapped[int] = mapped_column()
    """Of its best proposal, as is `rule`."""
    rule: Mapped[str] = mapped_column(String(60))
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    name: Mapped[str] = mapped_column(String(500))
    """In lower case."""


class ContactMerge(Base):
    """Two contacts made one, with what is needed to make them two again. The absorbed one stays as an archived row."""

    __tablename__ = "contact_merges"
    __table_args__ = (
        Index("ix_contact_merges_survivor", "survivor_id", "id"),
        Index("ix_contact_merges_absorbed", "absorbed_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    survivor_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    absorbed_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`survivor` and `absorbed`: fields, points and tags as they stood."""
    after: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The survivor's fields, points and tags as the merge left them: what differs later was edited afterwards."""
    moved: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What became of the rows that pointed to the absorbed one: services/contact_merge_journal.Journal as JSON."""
    merged_by: Mapped[str] = mapped_column(String(254), default="")
    merged_at: Mapped[datetime] = mapped_column(UtcDateTime)
    undone_by: Mapped[str] = mapped_column(String(254), default="")
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    survivor: Mapped[Contact] = relationship(foreign_keys=survivor_id)
    absorbed: Mapped[Contact] = relationship(foreign_keys=absorbed_id)


class HouseholdMember(Base):
    """A person who belongs to another contact's customer: one customer, many contacts, one of them the bill-to."""

    __tablename__ = "household_members"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    bill_to_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    added_by: Mapped[str] = mapped_column(String(254), default="")
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    contact: Mapped[Contact] = relationship(foreign_keys=contact_id)
    bill_to: Mapped[Contact] = relationship(foreign_keys=bill_to_id)


class AutomationHold(Base):
    """A contact that an import made: nothing automatic is done with it until a person releases it (the row goes)."""

    __tablename__ = "automation_holds"
    __table_args__ = (Index("ix_automation_holds_source", "source", "source_id"),)

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    """`file` (source_id: contact_imports.id) or `quickbooks` (source_id: sync_runs.id)."""
    source_id: Mapped[int] = mapped_column(default=0)
    held_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MatchDecision(Base):
    """One decision about one pair, by a rule or a person; never changed. What corrects it is a later one."""

    __tablename__ = "match_decisions"
    __table_args__ = (
        Index("ix_match_decisions_at", "at"),
        Index("ix_match_decisions_pair", "sort", "one_id", "other_id"),
        Index("ix_match_decisions_by", "decided_by", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sort: Mapped[str] = mapped_column(String(10))
    """`match` (one_id: customers.id, other_id: contacts.id or 0), `contact` or `customer` (one_id < other_id)."""
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    one_id: Mapped[int] = mapped_column()
    other_id: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str] = mapped_column(String(12))
    """`same` (linked, merged or known as one), `apart`, `new` (a contact of its own), `skipped`, `unlinked`,
    `undone`."""
    automatic: Mapped[bool] = mapped_column(default=False)
    score: Mapped[int] = mapped_column(default=0)
    rule: Mapped[str] = mapped_column(String(60), default="")
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Keys of evidence.POINTS that stood when it was decided."""
    names: Mapped[str] = mapped_column(Text, default="")
    """Both sides as they were called, for people."""
    took_ms: Mapped[int | None] = mapped_column()
    """From the card's being shown to the decision; None where it was not shown (rules, API)."""
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("match_decisions.id", ondelete="SET NULL"))
    decided_by: Mapped[str] = mapped_column(String(254), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class MatchSettings(Base):
    """How matching decides, one row per version; the highest counts. Rows are never changed."""

    __tablename__ = "match_settings"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rules: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Rule -> outcome (`same`, `doubtful`, `apart`), where a person chose another than the usual one."""
    margin: Mapped[int | None] = mapped_column()
    least_score: Mapped[int | None] = mapped_column()
    """Points below which a link is never made without a person; None is the usual."""
    weights: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Reason -> points added to evidence.POINTS, learned from decisions, within the shown bounds."""
    learning: Mapped[bool] = mapped_column(default=True)
    changed_by: Mapped[str] = mapped_column(String(254), default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MatchRun(Base):
    """One search for duplicates over everything. A worker takes the row by lease and goes on at `cursor`."""

    __tablename__ = "match_runs"
    __table_args__ = (Index("ix_match_runs_state", "state", "lease_until"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    """`queued`, `running`, `cancelling`, `cancelled`, `done` or `failed`."""
    step: Mapped[str] = mapped_column(String(20), default="contact")
    """`contact`, then `customer`; before them `contact_keys` and `customer_keys`, where keys are of an older form."""
    cursor: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """same, doubtful, apart."""
    settings_version: Mapped[int | None] = mapped_column()
    """By which version of the settings all of it is decided; None before the first page."""
    keys_form: Mapped[int | None] = mapped_column()
    """In which form (`identity.KEYS_FORM`) the identity keys stand once it is done."""
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    requested_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
