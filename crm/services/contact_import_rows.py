"""Carrying out what was decided about one page of a file's rows, in a fixed number of statements.

Called by `contact_imports` inside a transaction; `contact_import_decisions` decides, `contact_import_undo` takes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from crm.db import db, table_of
from crm.domain import shared_fields
from crm.domain.contacts import FIELDS, Line
from crm.models import Contact, ContactImportRow, ContactPoint, Note, Tag, User, contact_tags
from crm.services import automation, duplicates, timeline
from crm.services.audit import Actor
from crm.services.contact_import_decisions import Decision
from crm.services.contact_parts import loaded, settle_texts, tags_named, text_columns
from crm.services.sync.outbox import outbox

CONTACTS, POINTS = table_of(Contact), table_of(ContactPoint)
NOTES, ROWS = table_of(Note), table_of(ContactImportRow)


def carry_out(decisions: Sequence[Decision], *, owner_id: int | None, actor: Actor, now: datetime) -> None:
    """Write them. Rows that are the same as a row above wait until that one is stored, and are decided again."""
    now_due = [decision for decision in decisions if not decision.later]
    _create([d for d in now_due if d.outcome == "created"], owner_id=owner_id, actor=actor, now=now)
    _fill([d for d in now_due if d.outcome == "updated"], actor=actor, now=now)
    _settle([d for d in now_due if d.outcome in ("skipped", "refused")])


def _create(decisions: Sequence[Decision], *, owner_id: int | None, actor: Actor, now: datetime) -> None:
    if not decisions:
        return
    owners = _owner_ids({d.read.owner for d in decisions if d.read.owner})
    values = [_contact_values(d, owners.get(d.read.owner, owner_id), actor, now) for d in decisions]
    ids = _insert_contacts(values)
    points, notes, tags, entries = [], [], [], []
    tags_of = tags_named([name for d in decisions for name in d.read.draft.tags])
    for contact_id, decision in zip(ids, decisions, strict=True):
        decision.contact_id = contact_id
        points += _point_values(contact_id, decision.lines, 0)
        tags += [{"contact_id": contact_id, "tag_id": tags_of[n.lower()].id} for n in decision.read.draft.tags]
        if decision.read.note:
            notes.append(_note(contact_id, decision.read.note, actor, now))
        text = f"Created from line {decision.row.number} of a file"
        entries.append(timeline.row(contact_id, verb="imported", summary=text, actor=actor, now=now))
    for table, rows in ((POINTS, points), (contact_tags, tags), (NOTES, notes)):
        if rows:
            db.session.execute(insert(table), rows)
    timeline.add_many(entries)
    automation.hold(ids, source=automation.FILE, source_id=decisions[0].row.import_id, now=now)
    duplicates.note_contacts(ids, now=now)
    _settle(decisions)


def _insert_contacts(values: list[dict[str, Any]]) -> list[int]:
    """Their ids, in order. PostgreSQL tells them; SQLite would insert one by one to tell, so there we choose them:
    the transaction holds the only pen."""
    if db.engine.dialect.name != "sqlite":
        return list(db.session.scalars(insert(CONTACTS).returning(CONTACTS.c.id, sort_by_parameter_order=True), values))
    first = (db.session.scalar(select(func.max(CONTACTS.c.id))) or 0) + 1
    ids = list(range(first, first + len(values)))
    db.session.execute(insert(CONTACTS), [{"id": id_, **row} for id_, row in zip(ids, values, strict=True)])
    return ids


def _contact_values(decision: Decision, owner_id: int | None, actor: Actor, now: datetime) -> dict[str, Any]:
    values = {name: decision.read.draft.values.get(name, "") for name in FIELDS}
    return values | text_columns(values, decision.lines) | {
        "type": decision.read.draft.values.get("type") or "lead",
        "owner_id": owner_id, "source": "file", "created_at": now, "updated_at": now, "last_activity_at": None,
        "link_state": "none", "version": 1,
    }  # fmt: skip


def _fill(decisions: Sequence[Decision], *, actor: Actor, now: datetime) -> None:
    """Give the contacts what they lack: empty fields, lines and tags they do not have yet. Nothing is overwritten."""
    if not decisions:
        return
    contacts = loaded([d.contact_id for d in decisions if d.contact_id])
    tags = tags_named([name for d in decisions for name in d.read.draft.tags])
    changed: dict[int, tuple[str, ...]] = {}
    for decision in decisions:
        contact = contacts[decision.contact_id or 0]
        shared = shared_fields.own_keys(contact, contact.points)
        before = _give(contact, decision, tags, actor)
        if not before:
            decision.outcome = "unchanged"
            continue
        settle_texts(contact)
        contact.updated_at = now
        decision.row.before = before
        after = shared_fields.changed_fields(shared, shared_fields.own_keys(contact, contact.points))
        changed[contact.id] = (*changed.get(contact.id, ()), *after)
        words = ", ".join(FIELDS[name].label if name in FIELDS else name for name in before)
        timeline.add(
            contact.id, verb="imported", summary=f"{words} added from line {decision.row.number} of a file",
            actor=actor, now=now, changes={name: new for name, new in before.items() if name in FIELDS},
        )  # fmt: skip
    db.session.flush()
    duplicates.note_contacts(list(changed), now=now)
    outbox.contacts_changed(db.session(), changed, actor=actor, now=now)
    _settle(decisions)


def _give(contact: Contact, decision: Decision, tags: Mapping[str, Tag], actor: Actor) -> dict[str, Any]:
    """Fill what is empty; answers what it took: field -> [old, new], and lists of the lines and tags added."""
    before: dict[str, Any] = {}
    for name in FIELDS:
        value = decision.read.draft.values.get(name, "")
        if value and not getattr(contact, name):
            before[name] = ["", value]
            setattr(contact, name, value)
    held = {(point.kind, point.normal or point.value) for point in contact.points}
    lines = [line for line in decision.lines if (line.kind, line.normal or line.value) not in held]
    for values in _point_values(contact.id, lines, len(contact.points)):
        contact.points.append(ContactPoint(**values))
    if lines:
        before["lines"] = [[line.kind, line.value] for line in lines]
    had = {tag.name.lower() for tag in contact.tags}
    fresh = [tags[name.lower()] for name in decision.read.draft.tags if name.lower() not in had]
    contact.tags.extend(fresh)
    if fresh:
        before["tags"] = [tag.name for tag in fresh]
    return before


def _settle(decisions: Sequence[Decision]) -> None:
    values = [
        {"row_id": d.row.id, "outcome": d.outcome, "contact_id": d.contact_id, "before": d.row.before,
         "error": d.reason if d.outcome in ("refused", "skipped") else ""}
        for d in decisions
    ]  # fmt: skip
    if values:
        db.session.connection().execute(update(ROWS).where(ROWS.c.id == bindparam("row_id")), values)


def _point_values(contact_id: int, lines: Sequence[Line], start: int) -> list[dict[str, Any]]:
    return [
        {"contact_id": contact_id, "kind": line.kind, "label": line.label, "value": line.value, "normal": line.normal,
         "extension": line.extension, "position": position, "source": "file"}
        for position, line in enumerate(lines, start)
    ]  # fmt: skip


def _note(contact_id: int, body: str, actor: Actor, now: datetime) -> dict[str, Any]:
    return {"contact_id": contact_id, "author_id": actor.user_id, "body": body, "created_at": now}


def _owner_ids(emails: set[str]) -> dict[str, int]:
    wanted = select(User.email, User.id).where(
        User.email.in_(emails), User.disabled_at.is_(None), User.role.in_(("admin", "rep"))
    )
    return {email: id_ for email, id_ in db.session.execute(wanted)} if emails else {}
