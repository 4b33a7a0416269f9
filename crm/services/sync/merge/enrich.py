"""What the books know of a contact, brought to it field by field; who wins decides `domain/merging`.

An empty field is filled, a phone or e-mail the contact does not have is added. Of what both sides once agreed on, a
change made in the books is taken where ours still stands as agreed, or where the field's policy says so; the link's
base follows. What must go out is noted in the outbox, what nobody but a person can decide becomes a conflict. Works on
many contacts at once, with the same few statements for one or a thousand; called by whoever reads customers, by a
person's decision about a match, and by `again` after a decision about a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.shared_fields import ADDRESS, FILLED, LINE_FIELDS, Theirs
from crm.models import Contact, Link
from crm.services import duplicates, timeline
from crm.services.identity_keys import chunks
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.comparing import KIND, POINTS, Compared, Known, Linked, held_against, linked_of, look
from crm.services.sync.merge.conflicts import Question
from crm.services.sync.merge.enrich_lines import take_lines
from crm.services.sync.merge.enrich_told import Decided, Outcome, activity_row, told
from crm.services.sync.mirror.bulk import expire_loaded, update_by_id
from crm.services.sync.mirror.contact_rows import row_after
from crm.services.sync.outbox import outbox
from crm.services.sync.work import Books

__all__ = ["Linked", "again", "enrich_linked", "touch"]


@dataclass(slots=True)
class _Writes:
    """What a page comes to."""

    outcomes: list[Outcome] = field(default_factory=list)
    bases: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    wishes: dict[int, outbox.Wish] = field(default_factory=dict)


def enrich_linked(
    session: Session, linked: Sequence[Linked], *, books: Books, now: datetime, decided: Decided | None = None,
    outcomes: list[Outcome] | None = None,
) -> set[int]:  # fmt: skip
    """Merge each customer into its contact, and mark those inactive in the books. Returns the contacts that changed.

    `decided`: fields in which a person lets the books win, whatever the settings say. `outcomes` is given what became
    of each, for whoever keeps it.
    """
    if not linked:
        return set()
    known = look(session, linked, books)
    writes = _Writes()
    for entry in linked:
        compared = held_against(entry, known, books, decided)
        if compared is not None:
            _mark_activity(writes, compared, books, now)
            _bring(writes, compared, known, books, now, decided)
    _write(session, writes)
    if outcomes is not None:
        outcomes += writes.outcomes
    timeline.add_many(writes.entries)
    ids = [entry.contact_id for entry in linked]
    if not known.off:
        conflicts.open_or_refresh(session, books.id, KIND, writes.questions, ids=ids, now=now)
    if writes.wishes:
        outbox.note_many(session, books.id, KIND, writes.wishes, trigger="change", actor=books.actor, now=now)
    changed = [outcome.row["id"] for outcome in writes.outcomes]
    duplicates.note_contacts(changed, now=now)
    _forget(session, ids)
    return set(changed)


def again(
    session: Session, contact_ids: Sequence[int], *, books: Books, now: datetime, decided: Decided | None = None
) -> set[int]:
    """The same from the mirror, for linked contacts of which nothing was read: a rule or a decision has changed."""
    changed: set[int] = set()
    for part in chunks(sorted(set(contact_ids)), 500):
        linked = linked_of(session, books.id, part)
        changed |= enrich_linked(session, linked, books=books, now=now, decided=decided)
    return changed


# --- what it comes to -----------------------------------------------------------------------------------------


def _mark_activity(writes: _Writes, compared: Compared, books: Books, now: datetime) -> None:
    contact, active = compared.contact, compared.entry.active
    state = "linked" if active else "inactive"
    if contact.link_state == state:
        return
    writes.states.append({"id": contact.id, "link_state": state, "updated_at": now})
    if contact.link_state in ("linked", "inactive"):
        writes.entries.append(activity_row(contact.id, active, books, now))


def _bring(
    writes: _Writes, compared: Compared, known: Known, books: Books, now: datetime, decided: Decided | None
) -> None:
    merged, contact = compared.merged, compared.contact
    if compared.link and merged.base != compared.base:
        writes.bases.append({"id": compared.link.id, "base": merged.base})
    outcome = _carried_out(compared, now)
    if outcome is not None:
        outcome.overruled = _overruled(compared, known)
        writes.outcomes.append(outcome)
        writes.entries += told(outcome, books, now, decided)
    if compared.link is None:
        return
    writes.questions += [_question(compared, name, reason) for name, reason in merged.asked.items()]
    edits = known.edits.get(contact.id)
    sent = {name for name in merged.sent if not compared.left(name)}
    on_its_way = edits is not None and (edits.waiting or sent <= set(edits.moments))
    writable = known.direction.goes_out and compared.entry.active and compared.link.state == "linked"
    if sent and writable and not on_its_way:
        writes.wishes[contact.id] = outbox.Wish("update")


def _overruled(compared: Compared, known: Known) -> dict[str, str]:
    """Fields taken although they had been changed here too -> the policy by which they were."""
    merged, base = compared.merged, compared.base
    changed = (name for name in merged.taken if merged.here[name] and merged.here[name] != base.get(name))
    return {name: known.policies[name] for name in changed}


def _question(compared: Compared, name: str, reason: str) -> Question:
    here, there = compared.merged.here[name], compared.theirs.keys()[name]
    ours = shared_fields.shown_here(name, here, compared.contact, compared.lines)
    theirs, before = compared.theirs.shown(name), compared.base.get(name, "")
    base = ours if before == here else theirs if before == there else shared_fields.shown_key(name, before)
    return Question(
        compared.contact.id, compared.entry.remote_id, name, reason, base, ours, theirs,
        compared.edited.get(name), compared.entry.updated_at,
    )  # fmt: skip


def _carried_out(compared: Compared, now: datetime) -> Outcome | None:
    """The contact with everything taken; None where nothing was."""
    contact, merged, theirs = compared.contact, compared.merged, compared.theirs
    if not merged.taken:
        return None
    outcome = Outcome({"id": contact.id})
    values = {name: getattr(contact, name) for name in ("display_name", *FILLED)}
    for name in merged.taken:
        if name == "address":
            _take_address(outcome, values, theirs)
        elif name not in LINE_FIELDS:
            outcome.note(name, values[name], theirs.values[name])
            values[name] = theirs.values[name]
    after = take_lines(outcome, contact, compared.lines, theirs, merged, compared.base)
    if not outcome.filled and not outcome.changed:
        return None
    outcome.row |= row_after(contact, values, compared.lines, after, now)
    return outcome


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


# --- written --------------------------------------------------------------------------------------------------


def _write(session: Session, writes: _Writes) -> None:
    outcomes = writes.outcomes
    update_by_id(session, table_of(Link), writes.bases)
    update_by_id(session, table_of(Contact), writes.states)
    update_by_id(session, table_of(Contact), [outcome.row for outcome in outcomes])
    update_by_id(session, POINTS, [row for outcome in outcomes for row in outcome.replaced])
    removed = [id_ for outcome in outcomes for id_ in outcome.removed]
    for part in chunks(removed, 1000):
        session.execute(delete(POINTS).where(POINTS.c.id.in_(part)))
    added = [row for outcome in outcomes for row in outcome.added]
    if added:
        session.execute(insert(POINTS), added)


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
    """What the session remembers of these contacts and their links is old now."""
    expire_loaded(session, {Contact: "id", Link: "local_id"}, contact_ids)
