"""What is done to contacts: made, changed, archived, tagged, assigned, noted.

Called by the pages, the commands and the API inside `transaction()`. Every change keeps the sorting and searching
columns and the identity keys true, and leaves an entry in the timeline. Whoever changes a contact says which version
they saw; when it is no longer that one, `Changed` is raised and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm.exc import StaleDataError

from crm.db import db
from crm.domain import contacts as rules
from crm.domain import shared_fields
from crm.domain.contacts import FIELDS, TYPES, Draft, Entry, Line
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.models import Contact, ContactPoint, Note, Tag, User, contact_tags
from crm.queries import households
from crm.services import audit, duplicates, identity_keys, timeline
from crm.services.audit import Actor
from crm.services.contact_merge_checks import refuse_merged
from crm.services.contact_parts import settle_texts, tags_named
from crm.services.sync.outbox import outbox

MAX_BULK = 10_000
BULK_PAGE = 1000
CHANGED = "Somebody changed this contact while you were editing it. Nothing of yours is lost: choose what to keep."
LABELS = {name: field.label for name, field in FIELDS.items()} | {
    "type": "Type", "owner": "Owner", "phones": "Phones", "emails": "E-mails", "tags": "Tags",
}  # fmt: skip
OURS_ALONE = {"type", "tags", "owner"}
"""Of what a person edits: what no books ever get."""


def create(draft: Draft, *, actor: Actor, now: datetime) -> Contact:
    """A new contact. Raises Invalid with a sentence per field."""
    values = {name: rules.clean(draft.values.get(name)) for name in FIELDS}
    values["type"] = draft.values.get("type") or "lead"
    first = {entry.kind: entry.value for entry in reversed(draft.entries)}
    values["display_name"] = values["display_name"] or rules.name_from({**values, **first})
    _refuse(rules.problems(values, draft.entries))
    contact = Contact(
        **values, sort_name="", source=actor.source, owner_id=_owner_id(draft.owner_id), created_at=now, updated_at=now,
        points=_points(draft.entries, actor), tags=_tags(draft.tags),
    )  # fmt: skip
    settle_texts(contact)
    db.session.add(contact)
    db.session.flush()
    duplicates.note_contact(contact.id, now=now)
    timeline.add(contact.id, verb="created", summary="Contact created", actor=actor, now=now)
    return contact


def update_whole(contact_id: int, draft: Draft, *, version: int, actor: Actor, now: datetime) -> Contact:
    """Everything of the contact becomes the draft. Raises Invalid, NotFound, Changed (carrying the fresh contact)."""
    contact = _at_version(contact_id, version)
    values = {name: rules.clean(draft.values.get(name)) for name in FIELDS} | {"type": draft.values.get("type", "")}
    known = frozenset(point.value for point in contact.points)
    _refuse(rules.problems(values, draft.entries, known=known))
    before, shared = snapshot(contact), shared_fields.own_keys(contact, contact.points)
    if draft.owner_id != contact.owner_id:
        contact.owner_id = _owner_id(draft.owner_id)
    if draft.tags != tuple(tag.name for tag in contact.tags):
        contact.tags = _tags(draft.tags)
    if list(draft.entries) != entries_of(contact):
        _give_lines(contact, draft.entries, actor)
    return _store(contact, values, before, shared, actor=actor, now=now)


def change(
    contact_id: int,
    values: Mapping[str, str],
    *,
    lines: Mapping[str, Sequence[Entry]] | None = None,
    tags: Sequence[str] | None = None,
    version: int,
    actor: Actor,
    now: datetime,
) -> Contact:
    """Only these fields (of FIELDS, "type" and "owner") become new. Raises as `update_whole`.

    `lines` is "phone" or "email" -> all lines of that kind; `tags` all tags. What is left out stays as it is.
    """
    contact = _at_version(contact_id, version)
    texts = {name: rules.clean(values[name]) for name in values if name in FIELDS or name == "type"}
    given = [entry for entries in (lines or {}).values() for entry in entries]
    _refuse(rules.problems(texts, given, known=frozenset(point.value for point in contact.points)))
    before, shared = snapshot(contact), shared_fields.own_keys(contact, contact.points)
    if lines:
        others = [entry for entry in entries_of(contact) if entry.kind not in lines]
        _give_lines(contact, sorted([*given, *others], key=lambda entry: entry.kind != "phone"), actor)
    if tags is not None and tuple(tags) != tuple(tag.name for tag in contact.tags):
        contact.tags = _tags(tags)
    if "owner" in values:
        contact.owner_id = _owner_id(int(values["owner"]) if values["owner"] else None)
    return _store(contact, texts, before, shared, actor=actor, now=now)


def archive(contact_id: int, *, actor: Actor, now: datetime) -> Contact:
    """Take it from the lists; nothing is deleted, and nothing changes in the books. Twice changes nothing.

    Raises Refused for one whose household others belong to.
    """
    contact = find(contact_id)
    if contact.archived_at is None:
        if households.bills_others(contact_id):
            raise Refused(f"Others are billed to {contact.display_name}. Make another one the bill-to of that household"
                          " first, or take them out of it.")  # fmt: skip
        contact.archived_at = contact.updated_at = now
        _flush()
        duplicates.note_contact(contact.id, now=now)
        timeline.add(contact.id, verb="archived", summary="Contact archived", actor=actor, now=now)
    return contact


def restore(contact_id: int, *, actor: Actor, now: datetime) -> Contact:
    contact = find(contact_id)
    if contact.archived_at is not None:
        contact.archived_at, contact.updated_at = None, now
        _flush()
        duplicates.note_contact(contact.id, now=now)
        timeline.add(contact.id, verb="restored", summary="Contact restored", actor=actor, now=now)
    return contact


def add_note(contact_id: int, body: str, *, actor: Actor, now: datetime) -> Note:
    """Raises Invalid for an empty or endless text. Notes move the last activity, not the contact's version."""
    text = body.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise Invalid({"body": "The note is empty. Write something, or leave the page."})
    if len(text) > rules.MAX_NOTE:
        raise Invalid({"body": f"The note is too long: shorten it to {rules.MAX_NOTE} characters."})
    contact = find(contact_id)
    note = Note(contact_id=contact.id, author_id=actor.user_id, body=text, created_at=now)
    db.session.add(note)
    db.session.execute(update(Contact).where(Contact.id == contact.id).values(last_activity_at=now))
    timeline.add(contact.id, verb="noted", summary="Note added", actor=actor, now=now)
    return note


def tag(contact_ids: Sequence[int], name: str, *, actor: Actor, now: datetime) -> int:
    """Give these contacts a tag (made when new); answers how many did not have it yet."""
    names = rules.read_tags(name)
    if not names:
        raise Invalid({"tag": "Write the tag to give, for example “warranty”."})
    given, changed = _tags(names), 0
    for ids in _pages(contact_ids):
        fresh_ones: set[int] = set()
        for tag_ in given:
            had = set(db.session.scalars(_tagged(tag_.id, ids)))
            fresh = [id_ for id_ in ids if id_ not in had]
            if fresh:
                db.session.execute(insert(contact_tags), [{"contact_id": id_, "tag_id": tag_.id} for id_ in fresh])
                _told(fresh, "tagged", f"Tagged “{tag_.name}”", actor=actor, now=now)
            fresh_ones.update(fresh)
        changed += len(fresh_ones)
    return changed


def untag(contact_ids: Sequence[int], name: str, *, actor: Actor, now: datetime) -> int:
    found = db.session.scalar(select(Tag).where(func.lower(Tag.name) == rules.clean(name).lower()))
    if found is None:
        raise Invalid({"tag": f"There is no tag “{rules.clean(name)[:60]}”. Choose one of the list."})
    changed = 0
    for ids in _pages(contact_ids):
        had = list(db.session.scalars(_tagged(found.id, ids)))
        if had:
            theirs = contact_tags.c.contact_id.in_(had)
            db.session.execute(delete(contact_tags).where(contact_tags.c.tag_id == found.id, theirs))
            _told(had, "tagged", f"Tag “{found.name}” removed", actor=actor, now=now)
        changed += len(had)
    return changed


def assign(contact_ids: Sequence[int], owner_id: int | None, *, actor: Actor, now: datetime) -> int:
    """Give these contacts an owner, or none; answers how many had another one."""
    owner_id = _owner_id(owner_id)
    other = Contact.owner_id.is_not(None) if owner_id is None else func.coalesce(Contact.owner_id, 0) != owner_id
    words, changed = f"Assigned to {_owner_label(owner_id) or 'nobody'}", 0
    for page in _pages(contact_ids):
        ids = list(db.session.scalars(select(Contact.id).where(Contact.id.in_(page), other)))
        _write(ids, owner_id=owner_id, updated_at=now)
        _told(ids, "assigned", words, actor=actor, now=now)
        changed += len(ids)
    return changed


def archive_many(contact_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Archive these contacts, except those whose household others belong to (`households.billing_others`).

    Answers how many were archived by it. Many of them leave one audit entry.
    """
    changed = 0
    for page in _pages(contact_ids):
        stay = households.billing_others(page)
        here = (Contact.id.in_(page), Contact.archived_at.is_(None))
        ids = [id_ for id_ in db.session.scalars(select(Contact.id).where(*here)) if id_ not in stay]
        _write(ids, archived_at=now, updated_at=now)
        duplicates.note_contacts(ids, now=now)
        _told(ids, "archived", "Contact archived", actor=actor, now=now)
        changed += len(ids)
    if changed > 1:
        audit.record("contacts_archived", actor=actor, now=now, summary=f"{changed:,} contacts archived")
    return changed


def record_export(count: int, filters: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many contacts out of the house; `filters` says in words which."""
    audit.record("contacts_exported", actor=actor, now=now, summary=f"Contacts as CSV: {count:,} ({filters})")


def find(contact_id: int) -> Contact:
    """Raises NotFound, and Merged where it went into another contact."""
    contact = db.session.get(Contact, contact_id, populate_existing=True)
    if contact is None:
        raise NotFound("There is no such contact. The link may be old or not complete.")
    refuse_merged(contact)
    return contact


def entries_of(contact: Contact) -> list[Entry]:
    return [Entry(point.kind, point.value, point.label) for point in contact.points]


def snapshot(contact: Contact) -> dict[str, str]:
    """Everything a person can edit, as text: for the timeline, and to show two versions side by side."""
    shown = {name: getattr(contact, name) for name in FIELDS} | {"type": TYPES.get(contact.type, contact.type)}
    for kind, name in (("phone", "phones"), ("email", "emails")):
        shown[name] = ", ".join(
            f"{point.value} ({point.label})" if point.label else point.value
            for point in contact.points
            if point.kind == kind
        )
    shown["tags"] = ", ".join(sorted(tag_.name for tag_ in contact.tags))
    shown["owner"] = _owner_label(contact.owner_id)
    return shown


def home_region() -> str:
    return identity_keys.home_region(db.session())


def read_points(entries: Sequence[Entry], region: str) -> list[Line]:
    """Each entry's lines, a line that stands there twice only once."""
    lines = [line for e in entries for line in rules.read_lines(e.kind, e.value, label=e.label[:20], region=region)]
    return list({(line.kind, line.normal or line.value, line.extension): line for line in reversed(lines)}.values())[
        ::-1
    ]


def _at_version(contact_id: int, version: int) -> Contact:
    contact = find(contact_id)
    if contact.version != version:
        raise Changed(CHANGED, current=contact)
    return contact


def _store(
    contact: Contact,
    values: Mapping[str, str],
    before: dict[str, str],
    shared: Mapping[str, str],
    *,
    actor: Actor,
    now: datetime,
) -> Contact:
    for name, value in values.items():
        setattr(contact, name, value)
    after = snapshot(contact)
    changes = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    if not changes:
        return contact
    settle_texts(contact)
    contact.updated_at = now
    if actor.source == "person":
        contact.last_activity_at = now
    _flush()
    duplicates.note_contact(contact.id, now=now)
    names = [LABELS[name] for name in changes]
    timeline.add(
        contact.id, verb="changed", summary=f"{', '.join(names)} changed", actor=actor, now=now, changes=changes
    )
    if changes.keys() - OURS_ALONE:
        fields = shared_fields.changed_fields(shared, shared_fields.own_keys(contact, contact.points))
        outbox.contact_changed(db.session(), contact.id, fields, actor=actor, now=now)
    return contact


def _flush() -> None:
    try:
        db.session.flush()
    except StaleDataError:
        raise Changed(CHANGED) from None


def _points(entries: Sequence[Entry], actor: Actor) -> list[ContactPoint]:
    return [
        ContactPoint(
            kind=line.kind, label=line.label, value=line.value, normal=line.normal, extension=line.extension,
            position=position, source=actor.source,
        )
        for position, line in enumerate(read_points(entries, home_region()))
    ]  # fmt: skip


def _give_lines(contact: Contact, entries: Sequence[Entry], actor: Actor) -> None:
    """These become the contact's lines; one that stood there already stays, and keeps where it came from."""
    known = {(point.kind, point.value, point.label): point for point in contact.points}
    points = [known.pop((p.kind, p.value, p.label), p) for p in _points(entries, actor)]
    for position, point in enumerate(points):
        point.position = position
    contact.points = points


def _tags(names: Sequence[str]) -> list[Tag]:
    return list(tags_named(names).values())


def _tagged(tag_id: int, ids: Sequence[int]) -> Any:
    return select(contact_tags.c.contact_id).where(contact_tags.c.tag_id == tag_id, contact_tags.c.contact_id.in_(ids))


def _pages(contact_ids: Sequence[int]) -> Iterator[list[int]]:
    """Those of these contacts that there are, a page at a time. Raises Invalid when they are too many for one go."""
    if len(contact_ids) > MAX_BULK:
        raise Invalid({"ids": f"Up to {MAX_BULK:,} contacts can be changed at once. Narrow the list, or choose fewer."})
    for start in range(0, len(contact_ids), BULK_PAGE):
        wanted = contact_ids[start : start + BULK_PAGE]
        yield list(db.session.scalars(select(Contact.id).where(Contact.id.in_(wanted)).order_by(Contact.id)))


def _write(contact_ids: Sequence[int], **values: Any) -> None:
    """The same new values for all; each one's version moves on, so that an open form notices."""
    if contact_ids:
        query = update(Contact).where(Contact.id.in_(contact_ids))
        db.session.execute(query.values(**values, version=Contact.version + 1))


def _owner_id(owner_id: int | None) -> int | None:
    if owner_id is None:
        return None
    owner = db.session.get(User, owner_id)
    if owner is None or owner.disabled_at is not None or owner.role not in ("admin", "rep"):
        raise Invalid({"owner": "This person cannot own contacts. Choose one of the list."})
    return owner.id


def _owner_label(owner_id: int | None) -> str:
    owner = db.session.get(User, owner_id) if owner_id else None
    return owner.label if owner else ""


def _refuse(problems: dict[str, str]) -> None:
    if problems:
        raise Invalid(problems)


def _told(ids: Sequence[int], verb: str, summary: str, *, actor: Actor, now: datetime) -> None:
    timeline.add_many([timeline.row(id_, verb=verb, summary=summary, actor=actor, now=now) for id_ in ids])
