"""Contacts and what people keep about them: lines to reach them, tags, notes, timeline, saved views, file imports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, UtcDateTime
from crm.models.people import User

contact_tags = Table(
    "contact_tags",
    Base.metadata,
    Column("contact_id", Integer, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Contact(Base):
    """A person or business we deal with. `version` guards against two people changing it at once."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index("ix_contacts_archived_sort", "archived_at", "sort_name", "id"),
        Index("ix_contacts_owner", "owner_id", "archived_at", "sort_name", "id"),
        Index("ix_contacts_type", "type", "archived_at", "sort_name", "id"),
        Index("ix_contacts_link_state", "link_state", "archived_at", "sort_name", "id"),
        Index("ix_contacts_last_activity", "archived_at", "last_activity_at", "id"),
        Index("ix_contacts_created", "archived_at", "created_at", "id"),
        Index("ix_contacts_place", "region", "city", "postal_code"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(String(500))
    sort_name: Mapped[str] = mapped_column(String(500))
    """`display_name` folded (lower case, no accents): what lists are sorted by."""
    given_name: Mapped[str] = mapped_column(String(100), default="")
    family_name: Mapped[str] = mapped_column(String(100), default="")
    company_name: Mapped[str] = mapped_column(String(500), default="")
    type: Mapped[str] = mapped_column(String(20), default="lead")
    """`lead`, `customer`, `vendor`, `partner` or `other`."""
    phone: Mapped[str] = mapped_column(String(60), default="")
    """The first line to call, as typed; every line stands in `points`."""
    email: Mapped[str] = mapped_column(String(254), default="")
    street: Mapped[str] = mapped_column(String(500), default="")
    city: Mapped[str] = mapped_column(String(255), default="")
    region: Mapped[str] = mapped_column(String(255), default="")
    postal_code: Mapped[str] = mapped_column(String(30), default="")
    country: Mapped[str] = mapped_column(String(255), default="")
    website: Mapped[str] = mapped_column(String(1000), default="")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    source: Mapped[str] = mapped_column(String(20), default="person")
    """Who made it: `person`, `file`, `quickbooks` or `api`."""
    link_state: Mapped[str] = mapped_column(String(20), default="none")
    """Kept beside `links` so that lists filter fast: `none`, `linked`, `review` (a doubtful match waits) or
    `inactive` (linked, but made inactive in the books)."""
    search_text: Mapped[str] = mapped_column(Text, default="")
    """Everything people search by, folded, with phone digits."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last note, edit by a person, or document in the books; being made, imported or linked is none."""
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    owner: Mapped[User | None] = relationship()
    points: Mapped[list[ContactPoint]] = relationship(
        back_populates="contact", cascade="all, delete-orphan", order_by="ContactPoint.position"
    )
    tags: Mapped[list[Tag]] = relationship(secondary=contact_tags, order_by="Tag.name")


class ContactPoint(Base):
    """One phone line or e-mail address of a contact."""

    __tablename__ = "contact_points"
    __table_args__ = (Index("ix_contact_points_contact", "contact_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    """`phone` or `email`."""
    label: Mapped[str] = mapped_column(String(20), default="")
    value: Mapped[str] = mapped_column(String(254))
    """As typed."""
    normal: Mapped[str] = mapped_column(String(254), default="", index=True)
    """E.164 or the lower-cased address; empty when it could not be read."""
    extension: Mapped[str] = mapped_column(String(20), default="")
    position: Mapped[int] = mapped_column(default=0)
    source: Mapped[str] = mapped_column(String(20), default="person")

    contact: Mapped[Contact] = relationship(back_populates="points")


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)


class Note(Base):
    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_contact", "contact_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    author: Mapped[User | None] = relationship()


class TimelineEntry(Base):
    """One thing that happened to a contact, with who or what made it happen."""

    __tablename__ = "timeline_entries"
    __table_args__ = (Index("ix_timeline_entries_contact", "contact_id", "at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(20))
    """`person`, `quickbooks`, `file`, `api` or `system`."""
    actor: Mapped[str] = mapped_column(String(254), default="")
    """Who, in words: a person's name, a file's name, the company's name in the books."""
    verb: Mapped[str] = mapped_column(String(40))
    """`created`, `changed`, `linked`, `unlinked`, `archived`, `restored`, `tagged`, `assigned`, `enriched` ..."""
    summary: Mapped[str] = mapped_column(Text, default="")
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Field -> [old, new], as text."""


class SavedView(Base):
    """A list's filters under a name. `shared` ones are seen by everybody."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "page", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    page: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(80))
    query: Mapped[str] = mapped_column(Text, default="")
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContactImport(Base):
    """One CSV file on its way in: uploaded, mapped, previewed, running, done, undone."""

    __tablename__ = "contact_imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(20))
    """`uploaded`, `queued`, `running`, `cancelling`, `cancelled`, `done`, `failed`, `undoing`, `undone`."""
    header: Mapped[list[str]] = mapped_column(JSON, default=list)
    mapping: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Place of the column (from 0, as text) -> a key of domain/contact_files.TARGETS; left out = not imported."""
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was chosen (duplicates, owner_id), and the run's own notes: undo_from, tries, since, from, rate (rows a
    second)."""
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """created, updated, unchanged, skipped, refused; undone, kept."""
    error: Mapped[str] = mapped_column(Text, default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    created_by: Mapped[User | None] = relationship()


class ContactImportRow(Base):
    """One row of the file, what became of it, and what stood there before (for the undo)."""

    __tablename__ = "contact_import_rows"
    __table_args__ = (
        UniqueConstraint("import_id", "number"),
        Index("ix_contact_import_rows_outcome", "import_id", "outcome", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("contact_imports.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column()
    """Line of the file as a spreadsheet shows it (the header is 1)."""
    cells: Mapped[list[str]] = mapped_column(JSON)
    outcome: Mapped[str] = mapped_column(String(20), default="")
    """Empty until handled, then `created`, `updated`, `unchanged`, `skipped`, `refused` or `undone`."""
    error: Mapped[str] = mapped_column(Text, default="")
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
