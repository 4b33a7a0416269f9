"""Contacts as a merge sees, keeps and writes them: sides for the proposal, images as JSON, and values put into a row.

Used by `contact_merges` inside its transaction. What is best, and what goes back, decides `domain/contact_merging`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import shared_fields
from crm.domain.contact_merging import MERGED_FIELDS, Image, JoinedLine, Side, line_key
from crm.domain.contacts import FIELDS, Line
from crm.models import Contact, ContactPoint, Customer, Link
from crm.queries import contact_merges as queries
from crm.services.contact_parts import settle_texts, tags_named
from crm.services.identity_keys import home_region


def side_of(session: Session, contact: Contact) -> Side:
    return Side(
        values_of(contact), lines_of(contact), tags_of(contact), contact.created_at, contact.last_activity_at,
        queries.changed_at(contact.id), _books(session, contact.id),
    )  # fmt: skip


def values_of(contact: Contact) -> dict[str, str]:
    """MERGED_FIELDS -> text."""
    texts = {name: getattr(contact, name) for name in (*FIELDS, "type")}
    return {**texts, "owner": str(contact.owner_id or "")}


def lines_of(contact: Contact) -> tuple[Line, ...]:
    return tuple(Line(p.kind, p.value, p.normal, p.extension, p.label) for p in contact.points)


def tags_of(contact: Contact) -> tuple[str, ...]:
    return tuple(tag.name for tag in contact.tags)


def _books(session: Session, contact_id: int) -> dict[str, str]:
    """What the contact's customer in the books says, field by field."""
    same = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    mine = (Link.kind == "customer", Link.local_id == contact_id, Customer.gone_at.is_(None))
    record = session.scalar(select(Customer.record).join(Link, same).where(*mine).order_by(Link.id).limit(1))
    return shared_fields.read(record, home_region(session)).values if record else {}


# --- as JSON --------------------------------------------------------------------------------------------------


def stored(contact: Contact) -> dict[str, Any]:
    """Everything of the contact itself that a merge may change."""
    lines = [{name: getattr(p, name) for name in ("kind", "value", "normal", "extension", "label", "source")}
             for p in contact.points]  # fmt: skip
    active = contact.last_activity_at
    return {
        "values": values_of(contact), "lines": lines, "tags": list(tags_of(contact)),
        "created_at": contact.created_at.isoformat(), "last_activity_at": active.isoformat() if active else None,
    }  # fmt: skip


def image(kept: Mapping[str, Any]) -> Image:
    lines = [Line(one["kind"], one["value"], one["normal"], one["extension"], one["label"]) for one in kept["lines"]]
    return Image({name: kept["values"][name] for name in MERGED_FIELDS}, tuple(lines), tuple(kept["tags"]))


def image_of(contact: Contact) -> Image:
    return Image(values_of(contact), lines_of(contact), tags_of(contact))


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# --- into the row ---------------------------------------------------------------------------------------------


def write(
    contact: Contact,
    values: Mapping[str, str],
    lines: Sequence[Line],
    tags: Sequence[str],
    *,
    sources: Mapping[str, str],
) -> None:
    """The contact becomes this. A line that stands there already stays as a row; `sources` (line_key -> source) says
    where the others came from."""
    for name in (*FIELDS, "type"):
        setattr(contact, name, values[name])
    contact.owner_id = int(values["owner"]) if values["owner"] else None
    if lines_of(contact) != tuple(lines):
        contact.points = _points(contact, lines, sources)
    if set(tags_of(contact)) != set(tags):
        contact.tags = list(tags_named(tags).values())
    settle_texts(contact)


def _points(contact: Contact, lines: Sequence[Line], sources: Mapping[str, str]) -> list[ContactPoint]:
    here: dict[Line, list[ContactPoint]] = {}
    for line, point in zip(lines_of(contact), list(contact.points), strict=True):
        here.setdefault(line, []).append(point)
    points = [here[line].pop(0) if here.get(line) else _point(line, sources) for line in lines]
    for position, point in enumerate(points):
        point.position = position
    return points


def _point(line: Line, sources: Mapping[str, str]) -> ContactPoint:
    return ContactPoint(
        kind=line.kind, value=line.value, normal=line.normal, extension=line.extension, label=line.label,
        source=sources.get(line_key(line), "person"),
    )  # fmt: skip


def sources_of(kept: Mapping[str, Any]) -> dict[str, str]:
    """Line key -> where it came from, of a stored contact."""
    return {line_key(line): one["source"] for line, one in zip(image(kept).lines, kept["lines"], strict=True)}


def chosen_lines(joined: Sequence[JoinedLine], without: Sequence[str]) -> tuple[Line, ...]:
    """Phones first, then e-mails, in the order proposed; those whose key is in `without` left out."""
    kept = [one.line for one in joined if line_key(one.line) not in without]
    return tuple(sorted(kept, key=lambda line: line.kind != "phone"))
