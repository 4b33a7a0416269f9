"""One shared field of contacts as it stands here, exactly, and put back so: for fields a plan took from the books.

Used by the customers' plans. What is put back counts as nobody's edit: nothing of it goes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm.domain.shared_fields import ADDRESS, LINE_FIELDS, TITLES
from crm.models import ContactPoint
from crm.services import contacts, duplicates, timeline
from crm.services.audit import Actor
from crm.services.contact_parts import loaded, settle_texts

POINT = ("kind", "value", "normal", "extension", "label", "position", "source")


def image(contact_ids: Sequence[int], field: str) -> dict[int, dict[str, Any]]:
    """Contact -> its columns of this field, or all its lines of that kind, in order."""
    return {id_: _image(contact, field) for id_, contact in loaded(contact_ids).items()}


def _image(contact: Any, field: str) -> dict[str, Any]:
    if field in LINE_FIELDS:
        kind = _kind(field)
        points = sorted((one for one in contact.points if one.kind == kind), key=lambda one: one.position)
        return {"lines": [{name: getattr(one, name) for name in POINT} for one in points]}
    return {"values": {name: getattr(contact, name) for name in (ADDRESS if field == "address" else (field,))}}


def restore(
    plan_id: int, contact_id: int, field: str, before: Mapping[str, Any], *, actor: Actor, now: datetime
) -> None:
    contact = contacts.find(contact_id)
    for name, text in before.get("values", {}).items():
        setattr(contact, name, text)
    if "lines" in before:
        kept = [point for point in contact.points if point.kind != _kind(field)]
        old = [ContactPoint(**row) for row in before["lines"]]
        contact.points = sorted([*kept, *old], key=lambda one: one.position)
    settle_texts(contact)
    contact.updated_at = now
    timeline.add(contact_id, verb="undone", actor=actor, now=now,
                 summary=f"Plan {plan_id} put back as it stood here: {TITLES[field]}.")  # fmt: skip
    duplicates.note_contact(contact_id, now=now)


def _kind(field: str) -> str:
    return "email" if field == "email" else "phone"
