"""Segments: groups of contacts by rules, who is in them since when, and what else rules ask about."""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, Money, UtcDateTime
from crm.models.people import User

BIG = BigInteger().with_variant(Integer, "sqlite")
"""A key that goes on counting: SQLite numbers rows by itself only where the type is INTEGER."""


class Segment(Base):
    """A named group of contacts. A live one follows its rules; a static one keeps who was in it when it was saved."""

    __tablename__ = "segments"
    __table_args__ = (Index("ix_segments_list", "archived_at", "sort_name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    sort_name: Mapped[str] = mapped_column(String(120))
    """`name` folded: what lists are sorted and searched by; unique among those that are not archived."""
    description: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[str] = mapped_column(String(10), default="live")
    """`live` or `static`."""
    template: Mapped[str] = mapped_column(String(40), default="")
    """Key of the ready-made segment it was made from; empty for one's own."""
    rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """A tree of `domain/segments` as JSON, amounts as text."""
    version: Mapped[int] = mapped_column(default=1)
    """Of the rules; `segment_versions` has each."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    members: Mapped[int] = mapped_column(default=0)
    """How many there were at `refreshed_at`."""
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When all contacts were last looked at; None: never."""
    refresh_ms: Mapped[int | None] = mapped_column()
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """From when on all contacts are to be looked at again whatever the day, because too many changed at once or the
    last refresh failed; None: not."""
    error: Mapped[str] = mapped_column(Text, default="")
    """Why the last refresh failed, in words; empty when it did not."""
    created_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lock: Mapped[int] = mapped_column(default=1)
    """Guards against two people changing it at once. A refresh does not count as a change."""

    __mapper_args__ = {"version_id_col": lock}

    owner: Mapped[User | None] = relationship()


class SegmentVersion(Base):
    """The rules of a segment as they stood from a moment on. Rows are never changed."""

    __tablename__ = "segment_versions"

    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    changed_by: Mapped[str] = mapped_column(String(254), default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SegmentMember(Base):
    """A contact that is in a segment now."""

    __tablename__ = "segment_members"
    __table_args__ = (Index("ix_segment_members_contact", "contact_id", "segment_id"),)

    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class SegmentChange(Base):
    """A contact came into a segment or left it."""

    __tablename__ = "segment_changes"
    __table_args__ = (
        Index("ix_segment_changes_segment", "segment_id", "at", "id"),
        Index("ix_segment_changes_contact", "contact_id", "at", "id"),
    )

    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    entered: Mapped[bool] = mapped_column()
    """True: came in. False: left."""
    version: Mapped[int] = mapped_column()
    """Of the rules that decided."""
    cause: Mapped[str] = mapped_column(String(20))
    """`facts` (something about the contact changed), `day` (a day passed), `rules` (the rules were saved), `hand`
    (a person, in a static segment)."""


class ContactChange(Base):
    """Something that rules ask about changed at a contact: its segments are due. Written by triggers (migration 0006),
    so that no way of writing can forget it; one change may leave many rows. No foreign key: a queue, not a fact."""

    __tablename__ = "contact_changes"

    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    contact_id: Mapped[int] = mapped_column()


class ContactPlace(Base):
    """About where a contact is, from its postal code or city; no address leaves the house for it."""

    __tablename__ = "contact_places"
    __table_args__ = (Index("ix_contact_places_x", "x", "y", "z"),)

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    x: Mapped[int] = mapped_column()
    """With `y` and `z`: metres from the middle of a round earth (radius 6,371,009 m), so that distances are compared
    with whole numbers alike on every database."""
    y: Mapped[int] = mapped_column()
    z: Mapped[int] = mapped_column()
    latitude: Mapped[int] = mapped_column()
    """Millionths of a degree, as `longitude`."""
    longitude: Mapped[int] = mapped_column()
    precision: Mapped[str] = mapped_column(String(10))
    """`postal` (the middle of its postal code) or `city`."""
    key: Mapped[str] = mapped_column(String(255), default="")
    """The parts of the address it was found by: another key means that it is looked up again."""


class ContactConsent(Base):
    """Whether a contact may be reached in a way, as a person noted it. No row: nobody asked."""

    __tablename__ = "contact_consents"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    """`email`, `sms` or `call`."""
    state: Mapped[str] = mapped_column(String(10))
    """`granted` or `denied`."""
    how: Mapped[str] = mapped_column(String(200), default="")
    """How it was learned: "signed form", "said so on the phone" ..."""
    noted_by: Mapped[str] = mapped_column(String(254), default="")
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RfmScore(Base):
    """How recently, how often and for how much a contact bought, in fifths of all who ever bought (5 is best)."""

    __tablename__ = "rfm_scores"
    __table_args__ = (Index("ix_rfm_scores_grid", "recency", "frequency", "monetary"),)

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    recency: Mapped[int] = mapped_column()
    frequency: Mapped[int] = mapped_column()
    monetary: Mapped[int] = mapped_column()
    last_on: Mapped[Day] = mapped_column(Date)
    invoices: Mapped[int] = mapped_column()
    total: Mapped[Decimal] = mapped_column(Money)
    as_of: Mapped[Day] = mapped_column(Date)
