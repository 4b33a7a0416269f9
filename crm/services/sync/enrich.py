"""What the books know of a contact, brought to it field by field; nothing a person edited is ever overwritten.

An empty field is filled, a phone or e-mail the contact does not have is added. Of what both sides once agreed on, a
change made in the books is taken where ours still stands as agreed (`domain/merging`); the link's base follows. Also
makes the rows of contacts that only the books know. Works on many contacts at once, with the same few statements for
one or a thousand; called by the import and by a person's decision about a match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.contacts import MAX_SHOWN_PHONE, Line, search_text, sort_name
from crm.domain.merging import Merged
from crm.domain.shared_fields import ADDRESS, FILLED, LINE_FIELDS, MAX_POINTS, TITLES, Theirs, fields_of, line_key
from crm.models import Contact, ContactPoint, Link
from crm.services import timeline
from crm.services.identity_keys import chunks, refresh_contacts
from crm.services.sync.bulk import update_by_id
from crm.services.sync.work import Books

POINTS = table_of(ContactPoint)
MOST_TOLD = 80
"""Characters of one value in the sentence of a timeline entry; its changes hold more."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A contact and the customer of the books it is linked to. `record` is the stored one."""

    contact_id: int
    remote_id: str
    record: Mapping[str, Any]
    active: bool


@dataclass(slots=True)
class Outcome:
    """What one contact becomes."""

    row: dict[str, Any]
    filled: dict[str, tuple[str, str]] = field(default_factory=dict)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    replaced: list[dict[str, Any]] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


def contact_row(record: Mapping[str, Any], lines: Sequence[Line], *, active: bool, now: datetime) -> dict[str, Any]:
    """A new contact as the books know it."""
    values = fields_of(record)
    phones = [line for line in lines if line.kind == "phone" and line.label != "fax"]
    emails = [line for line in lines if line.kind == "email"]
    name = record["display_name"][:500]
    return {
        "display_name": name,
        "sort_name": sort_name(name),
        **values,
        "type": "customer",
        "phone": phones[0].value[:MAX_SHOWN_PHONE] if phones else "",
        "email": emails[0].value if emails else "",
        "source": "quickbooks",
        "link_state": "linked" if active else "inactive",
        "search_text": search_text(
            names=(name, values["given_name"], values["family_name"], values["company_name"]),
            phones=[line.normal or line.value for line in lines if line.kind == "phone"],
            emails=[line.value for line in emails],
            address=[values[part] for part in ADDRESS],
        ),
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }


def point_row(contact_id: int, line: Line, position: int) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "kind": line.kind,
        "label": line.label,
        "value": line.value[:254],
        "normal": line.normal[:254],
        "extension": line.extension[:20],
        "position": position,
        "source": "quickbooks",
    }


def enrich_linked(session: Session, linked: Sequence[Linked], *, books: Books, now: datetime) -> set[int]:
    """Merge each customer into its contact, and mark those inactive in the books. Returns the contacts that changed."""
    if not linked:
        return set()
    ids = [entry.contact_id for entry in linked]
    found = session.execute(select(table_of(Contact)).where(Contact.id.in_(ids)).with_for_update())
    contacts = {row.id: row for row in found}
    points = _points_of(session, ids)
    links = _links_of(session, books.id, linked)
    outcomes: list[Outcome] = []
    bases: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for entry in linked:
        contact = contacts.get(entry.contact_id)
        if contact is None:
            continue
        state = "linked" if entry.active else "inactive"
        if contact.link_state != state:
            states.append({"id": contact.id, "link_state": state, "updated_at": now})
            if contact.link_state in ("linked", "inactive"):
                entries.append(_activity_row(contact.id, entry.active, books, now))
        link = links.get(entry.remote_id)
        base = link.base if link else {}
        theirs = shared_fields.read(entry.record, books.region)
        lines = shared_fields.lines_here(contact, points.get(contact.id, ()), books.region)
        merged = shared_fields.compare(base, contact, lines, theirs)
        if link and merged.base != base:
            bases.append({"id": link.id, "base": merged.base})
        outcome = _carried_out(contact, lines, theirs, merged, base, now)
        if outcome is not None:
            outcomes.append(outcome)
            entries += _told(outcome, books, now)
    _write(session, outcomes, bases, states)
    timeline.add_many(entries)
    changed = [outcome.row["id"] for outcome in outcomes]
    refresh_contacts(session, changed)
    _forget(session, ids)
    return set(changed)


def _points_of(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Any]]:
    points: dict[int, list[Any]] = {}
    mine = select(POINTS).where(ContactPoint.contact_id.in_(contact_ids))
    for point in session.execute(mine.order_by(ContactPoint.contact_id, ContactPoint.position)):
        points.setdefault(point.contact_id, []).append(point)
    return points


def _links_of(session: Session, connection_id: int, linked: Sequence[Linked]) -> dict[str, Any]:
    remote_ids = [entry.remote_id for entry in linked]
    mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.remote_id.in_(remote_ids))
    return {row.remote_id: row for row in session.execute(select(Link.id, Link.remote_id, Link.base).where(*mine))}


def _write(session: Session, outcomes: Sequence[Outcome], bases: Sequence[Any], states: Sequence[Any]) -> None:
    update_by_id(session, table_of(Link), bases)
    update_by_id(session, table_of(Contact), states)
    update_by_id(session, table_of(Contact), [outcome.row for outcome in outcomes])
    update_by_id(session, POINTS, [row for outcome in outcomes for row in outcome.replaced])
    removed = [id_ for outcome in outcomes for id_ in outcome.removed]
    for part in chunks(removed, 1000):
        session.execute(delete(POINTS).where(POINTS.c.id.in_(part)))
    added = [row for outcome in outcomes for row in outcome.added]
    if added:
        session.execute(insert(POINTS), added)


def _carried_out(
    contact: Any, lines: Sequence[Any], theirs: Theirs, merged: Merged, base: Mapping[str, str], now: datetime
) -> Outcome | None:
    """The contact with everything taken; None where nothing was."""
    if not merged.taken:
        return None
    outcome = Outcome({"id": contact.id})
    values = {name: getattr(contact, name) for name in ("display_name", *FILLED)}
    for name in merged.taken:
        if name == "address":
            _take_address(outcome, values, theirs)
        elif name not in LINE_FIELDS:
            _note(outcome, name, values[name], theirs.values[name])
            values[name] = theirs.values[name]
    after = _take_lines(outcome, contact, lines, theirs, merged, base)
    if not outcome.filled and not outcome.changed:
        return None
    outcome.row |= _row_after(contact, values, lines, after, now)
    return outcome


def _note(outcome: Outcome, name: str, old: str, new: str) -> None:
    (outcome.changed if old else outcome.filled)[name] = (old, new)


def _take_address(outcome: Outcome, values: dict[str, str], theirs: Theirs) -> None:
    """Whole, never half of one; but a state or country that stood here alone stays."""
    if any(values[part] for part in ("street", "city", "postal_code")):
        old = shared_fields.address_text(values)
        values |= {part: theirs.values[part] for part in ADDRESS}
        outcome.changed["address"] = (old, shared_fields.address_text(values))
        return
    for part in ADDRESS:
        if theirs.values[part] and not values[part]:
            values[part] = theirs.values[part]
            outcome.filled[part] = ("", values[part])


def _take_lines(
    outcome: Outcome, contact: Any, lines: Sequence[Any], theirs: Theirs, merged: Merged, base: Mapping[str, str]
) -> list[Any]:
    """The contact's lines after the merge: a changed one in the place of the old, new ones behind. Answers them all."""
    after = list(lines)
    have = {(line.kind, line_key(line)) for line in lines}
    taken = [name for name in LINE_FIELDS if name in merged.taken]
    keep = set().union(*(map(line_key, theirs.lines[name]) for name in LINE_FIELDS))
    keep |= set().union(*(shared_fields.line_keys_of(base.get(n, "")) for n in LINE_FIELDS if n not in taken))
    number = Counter(line.kind for line in lines)
    for name in taken:
        old_keys = shared_fields.line_keys_of(base.get(name, "")) - keep
        kind = "email" if name == "email" else "phone"
        old = [
            line
            for line in after
            if not isinstance(line, Replaced) and line.kind == kind and line_key(line) in old_keys
        ]
        once = {line_key(line): line for line in reversed(theirs.lines[name])}
        new = [line for key, line in reversed(once.items()) if (kind, key) not in have]
        have |= {(kind, line_key(line)) for line in new}
        for before, line in zip(old, new, strict=False):
            after[after.index(before)] = Replaced(before, line)
        after = [line for line in after if line not in old[len(new):]]
        fresh = new[len(old):][: max(0, MAX_POINTS - len(after))]
        after += fresh
        if old:
            told = (", ".join(line.value for line in part) for part in (old, new))
            outcome.changed[name] = (next(told), next(told))
        else:
            for line in fresh:
                number[kind] += 1
                outcome.filled[kind if number[kind] == 1 else f"{kind} {number[kind]}"] = ("", line.value)
    _note_lines(outcome, contact, lines, after)
    return [line.after if isinstance(line, Replaced) else line for line in after]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A line of ours that one of theirs takes the place of."""

    before: Any
    after: Line


def _note_lines(outcome: Outcome, contact: Any, lines: Sequence[Any], after: Sequence[Any]) -> None:
    """The rows to write so that the stored lines are `after`. Lines that were not split yet are stored as well."""
    if len(after) == len(lines) and all(one is other for one, other in zip(after, lines, strict=True)):
        return
    stays = {id(line.before if isinstance(line, Replaced) else line) for line in after}
    outcome.removed = [line.id for line in lines if id(line) not in stays and not isinstance(line, Line)]
    behind = max((line.position for line in lines if not isinstance(line, Line)), default=-1) + 1
    old = {id(line) for line in lines}
    for line in after:
        now_ = line.after if isinstance(line, Replaced) else line
        row = point_row(contact.id, now_, behind + len(outcome.added))
        if isinstance(line, Replaced) and not isinstance(line.before, Line):
            same = ("value", "normal", "extension", "source")
            outcome.replaced.append({"id": line.before.id} | {name: row[name] for name in same})
        elif isinstance(now_, Line):
            outcome.added.append(row | ({"source": contact.source} if id(line) in old else {}))


def _row_after(
    contact: Any, values: Mapping[str, str], lines: Sequence[Any], after: Sequence[Any], now: datetime
) -> dict[str, Any]:
    phones = [line for line in after if line.kind == "phone"]
    emails = [line for line in after if line.kind == "email"]
    still = {(line.kind, line_key(line)) for line in after}
    lost = {line.kind for line in lines if (line.kind, line_key(line)) not in still}
    phone, email = contact.phone, contact.email
    if "phone" in lost or not phone:
        phone = next((line.value for line in phones if line.label != "fax"), "")[:MAX_SHOWN_PHONE]
    if "email" in lost or not email:
        email = emails[0].value if emails else ""
    return {
        **values,
        "sort_name": sort_name(values["display_name"]),
        "phone": phone,
        "email": email,
        "search_text": search_text(
            names=[values[name] for name in ("display_name", "given_name", "family_name", "company_name")],
            phones=[line.normal or line.value for line in phones] or [phone],
            emails=[line.value for line in emails] or [email],
            address=[values[part] for part in ADDRESS],
        ),
        "updated_at": now,
        "version": contact.version + 1,
    }


def _told(outcome: Outcome, books: Books, now: datetime) -> list[dict[str, Any]]:
    """One entry for what was filled, one for what changed."""
    id_, rows = outcome.row["id"], []
    if outcome.filled:
        rows.append(timeline.row(id_, verb="enriched", summary="Filled from QuickBooks what was empty here.",
                                 actor=books.actor, now=now, changes=outcome.filled))  # fmt: skip
    if outcome.changed:
        parts = [f"{TITLES[name]} {_cut(old)} → {_cut(new)}" for name, (old, new) in outcome.changed.items()]
        rows.append(timeline.row(id_, verb="changed", summary=f"Changed in QuickBooks: {'; '.join(parts)}",
                                 actor=books.actor, now=now, changes=outcome.changed))  # fmt: skip
    return rows


def _cut(text: str) -> str:
    return (text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…") or "none"


def _activity_row(contact_id: int, active: bool, books: Books, now: datetime) -> dict[str, Any]:
    summary = "Active again in QuickBooks." if active else "Made inactive in QuickBooks; nothing was deleted here."
    verb = "activated" if active else "inactivated"
    return timeline.row(contact_id, verb=verb, summary=summary, actor=books.actor, now=now)


def touch(session: Session, contact_ids: Iterable[int], *, now: datetime) -> None:
    """What programs see of these contacts has changed (`updated_since`). The version stays: no edit is in the way."""
    for part in chunks(sorted(set(contact_ids)), 1000):
        session.execute(
            update(Contact)
            .where(Contact.id.in_(part))
            .values(updated_at=now)
            .execution_options(synchronize_session=False)
        )


def _forget(session: Session, contact_ids: Sequence[int]) -> None:
    """What the session remembers of these contacts is old now."""
    wanted = set(contact_ids)
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Contact) and loaded.id in wanted:
            session.expire(loaded)
