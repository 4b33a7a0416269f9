"""Scheduled work: what each entry of the schedule (`tasks/schedule.py`) did last, and whether it may run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, UtcDateTime


class Job(Base):
    """One entry of the schedule as it stands: its lock, its last run, whether a person paused it."""

    __tablename__ = "jobs"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    """The entry's name in `tasks/schedule.SCHEDULE`."""
    known_since: Mapped[datetime] = mapped_column(UtcDateTime)
    """From when on it could have run: a new installation is not late."""
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(254), default="")
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a person asked for a run now; None once it began."""
    asked_by: Mapped[str] = mapped_column(String(254), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """While a worker is at it: until when it is believed to live. Lapsed and still there: the worker died."""
    token: Mapped[str] = mapped_column(String(32), default="")
    """Of the run that holds the lease: one that lost it must not report."""
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it last ended well."""
    outcome: Mapped[str] = mapped_column(String(10), default="")
    """Of the last run that ended: `done`, `failed` or `lost` (its worker died); empty before the first."""
    took_ms: Mapped[int | None] = mapped_column()
    error: Mapped[str] = mapped_column(Text, default="")
    runs: Mapped[int] = mapped_column(default=0)
    """How many ever began."""
    failures: Mapped[int] = mapped_column(default=0)
    """In a row, lost runs too, since it last ended well."""


class JobRun(Base):
    """One run worth keeping: one that failed, was asked for by a person, or belongs to an entry that rings seldom."""

    __tablename__ = "job_runs"
    __table_args__ = (Index("ix_job_runs_key", "key", "id"), Index("ix_job_runs_started", "started_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60))
    trigger: Mapped[str] = mapped_column(String(10), default="schedule")
    """`schedule` or `person`."""
    asked_by: Mapped[str] = mapped_column(String(254), default="")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(10), default="")
    """`done`, `failed`, `lost` (its worker died); empty while it runs."""
    took_ms: Mapped[int | None] = mapped_column()
    error: Mapped[str] = mapped_column(Text, default="")
