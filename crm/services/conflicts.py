"""A person's decision about fields on which both sides differ: ours, theirs, or a value written by hand.

Called by the pages and the API inside `transaction()`. A decision first makes the link's base say that one side has not
changed; the merge then does what it always does: theirs is taken into our object, ours goes out by the outbox. How, is
the business of its kind (`conflict_desk`). So a decision and a change that comes in meanwhile end alike, whichever is
first. Conflicts that were settled or have moved on meanwhile raise `Changed`, and `Forbidden` is raised where somebody
may not write the kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain import policies
from crm.domain.conflicts import CHOICES, RULES, mark_of
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.policies import emptied
from crm.models import Conflict, Connection, Link
from crm.services import audit
from crm.services.audit import Actor
from crm.services.conflict_deeds import close
from crm.services.conflict_desk import DESKS, check_may_decide
from crm.services.conflict_values import Typed
from crm.services.identity_keys import chunks
from crm.services.sync import settings
from crm.services.sync.merge import conflicts as rows
from crm.services.sync.work import Books, books_of

MOST = 500
"""Conflicts decided in one go."""
PAGE = 200
MOVED = "This was changed or decided meanwhile. Look at what stands now, then decide."
UNLINKED = "This {} is not linked to QuickBooks any more, so there is nothing to decide."
AGREED = "Both sides agree by now; there is nothing left to decide."
DECIDED = "Somebody has decided about this meanwhile, or both sides agree by now. The list shows what is left."


@dataclass(frozen=True, slots=True)
class About:
    """One field of one linked object."""

    connection_id: int
    kind: str
    local_id: int
    field: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a decision: the object it was about, and a sentence."""

    kind: str
    local_id: int
    text: str

    @property
    def contact_id(self) -> int | None:
        """The contact, where the object is one."""
        return self.local_id if self.kind == "customer" else None


def resolve(
    conflict_id: int, choice: str, *, value: Typed | None = None, seen: str = "", actor: Actor, now: datetime
) -> Result:
    """Decide one conflict: `ours`, `theirs` or `edited` (then `value` is what was typed, see `conflict_values`).

    `seen` is the mark of the two values the person saw (`domain/conflicts.mark_of`); empty looks at nothing.
    Raises Changed, NotFound, and Invalid for a choice there is not or a value that cannot be kept.
    """
    _check(choice, (*RULES, "edited"))
    session = db.session()
    conflict = _open(session, conflict_id)
    if seen and seen != mark_of(conflict.ours, conflict.theirs):
        raise Changed(MOVED)
    about = About(conflict.connection_id, conflict.kind, conflict.local_id, conflict.field)
    return _decide_one(session, about, choice, value=value, conflict=conflict, actor=actor, now=now)


def resolve_difference(
    local_id: int, field: str, choice: str, *, kind: str = "customer", value: Typed | None = None, actor: Actor,
    now: datetime,
) -> Result:  # fmt: skip
    """The same for a field in which both sides merely differ since they were linked; nobody was asked about it."""
    _check(choice, (*RULES, "edited"))
    session = db.session()
    if kind not in DESKS or field not in DESKS[kind].titles:
        raise NotFound("There is no such field.")
    linked = select(Link.connection_id).where(Link.kind == kind, Link.local_id == local_id).order_by(Link.id)
    connection_id = session.scalar(linked)
    if connection_id is None:
        raise Changed(UNLINKED.format(DESKS[kind].subject))
    mine = (Conflict.connection_id == connection_id, Conflict.kind == kind, Conflict.local_id == local_id)
    asked = select(Conflict).where(*mine, Conflict.field == field, Conflict.state == "open")
    about = About(connection_id, kind, local_id, field)
    return _decide_one(session, about, choice, value=value, conflict=session.scalar(asked), actor=actor, now=now)


def resolve_all(conflict_ids: Sequence[int], choice: str, *, actor: Actor, now: datetime) -> int:
    """`ours` or `theirs` for all of these that are still open; answers how many were decided."""
    _check(choice, tuple(RULES))
    if len(conflict_ids) > MOST:
        raise Invalid({"ids": f"Up to {MOST} conflicts can be decided at once. Narrow the list by a filter first."})
    session = db.session()
    decided = _decide_many(session, conflict_ids, choice, by=actor.label, actor=actor, now=now)
    if decided:
        audit.record("conflicts_decided", actor=actor, now=now,
                     summary=f"{decided} conflicts: {CHOICES[choice].lower()}")  # fmt: skip
    return decided


def always(conflict_id: int, choice: str, *, seen: str = "", actor: Actor, now: datetime) -> Result:
    """Decide it so, and make that the rule for its field; other open conflicts of the kind are decided by it too."""
    _check(choice, tuple(RULES))
    session = db.session()
    conflict = _open(session, conflict_id)
    if seen and seen != mark_of(conflict.ours, conflict.theirs):
        raise Changed(MOVED)
    rule = RULES[choice]
    name = emptied(conflict.field) if conflict.reason == policies.EMPTIED else conflict.field
    settings.always(session, conflict.connection_id, conflict.kind, name, rule, actor=actor, now=now)
    said = policies.rule_text(conflict.kind, name, rule)
    alike = (Conflict.connection_id == conflict.connection_id, Conflict.kind == conflict.kind,
             Conflict.field == conflict.field, Conflict.reason == conflict.reason)  # fmt: skip
    others = session.scalars(
        select(Conflict.id).where(*alike, Conflict.state == "open", Conflict.id != conflict.id)
        .order_by(Conflict.id).limit(MOST)
    ).all()  # fmt: skip
    kind, local_id = conflict.kind, conflict.local_id
    decided = _decide_many(session, [conflict.id, *others], choice, by=said, actor=actor, now=now)
    more = f" {decided - 1} more decided by it." if decided > 1 else ""
    return Result(kind, local_id, f"{said}.{more} Change it back under Sync settings.")


# --- one ------------------------------------------------------------------------------------------------------


def _decide_one(
    session: Session,
    about: About,
    choice: str,
    *,
    value: Typed | None,
    conflict: Conflict | None,
    actor: Actor,
    now: datetime,
) -> Result:
    check_may_decide(session, about.kind, actor=actor)
    desk, field = DESKS[about.kind], about.field
    books = books_of(session.get_one(Connection, about.connection_id))
    compared = desk.compare(session, [about.local_id], books=books).get(about.local_id)
    if compared is None or not desk.is_linked(compared):
        raise Changed(UNLINKED.format(desk.subject))
    if conflict is not None:
        _hold(session, conflict)
    if desk.agrees(compared, field):
        raise Changed(AGREED)
    chosen = desk.value(compared, field, choice)
    if choice == "edited":
        chosen = desk.write_by_hand(compared, field, value, actor=actor, now=now)
    if conflict is not None:
        close(session, {conflict.id: chosen}, choice, by=actor.label, now=now)
    goes_out = desk.carry_out(session, [compared], field, choice, books=books, actor=actor, now=now)
    text = desk.said(compared, field, choice, chosen=chosen, goes_out=goes_out)
    if choice != "theirs":  # taking theirs is told by the merge
        desk.tell({about.local_id: text}, actor=actor, now=now)
    audit.record("conflict_decided", actor=actor, now=now, subject=f"{desk.subject}:{about.local_id}",
                 summary=f"{desk.titles[field].capitalize()}: {CHOICES[choice].lower()}")  # fmt: skip
    return Result(about.kind, about.local_id, text)


# --- many -----------------------------------------------------------------------------------------------------


def _decide_many(
    session: Session, conflict_ids: Sequence[int], choice: str, *, by: str, actor: Actor, now: datetime
) -> int:
    """Field by field of each company, a page at a time; what agrees by now is settled and not counted."""
    groups: dict[tuple[int, str, str], list[Conflict]] = {}
    wanted = (Conflict.id.in_(conflict_ids), Conflict.kind.in_(DESKS), Conflict.state == "open")
    for conflict in session.scalars(select(Conflict).where(*wanted).order_by(Conflict.id)):
        groups.setdefault((conflict.connection_id, conflict.kind, conflict.field), []).append(conflict)
    for kind in {kind for _, kind, _ in groups}:
        check_may_decide(session, kind, actor=actor)
    decided = 0
    for (connection_id, kind, field), found in sorted(groups.items()):
        books = books_of(session.get_one(Connection, connection_id))
        ids = {conflict.local_id: conflict.id for conflict in found}
        for part in chunks(sorted(ids), PAGE):
            mine = {local_id: ids[local_id] for local_id in part}
            decided += _decide_page(session, mine, (kind, field), choice, books=books, by=by, actor=actor, now=now)
    return decided


def _decide_page(
    session: Session,
    conflict_ids: Mapping[int, int],
    about: tuple[str, str],
    choice: str,
    *,
    books: Books,
    by: str,
    actor: Actor,
    now: datetime,
) -> int:
    """`conflict_ids`: object -> its conflict; `about`: the kind of all of them, and the field."""
    kind, field = about
    desk = DESKS[kind]
    compared = desk.compare(session, list(conflict_ids), books=books)
    rows.settle(session, books.id, kind, [id_ for id_ in conflict_ids if id_ not in compared], now=now)
    held = select(Conflict.local_id).where(Conflict.id.in_(list(conflict_ids.values())), Conflict.state == "open")
    still_open = set(session.scalars(held.with_for_update()))
    meant = {
        id_: one
        for id_, one in compared.items()
        if id_ in still_open and desk.is_linked(one) and not desk.agrees(one, field)
    }
    chosen = {id_: desk.value(one, field, choice) for id_, one in meant.items()}
    close(session, {conflict_ids[id_]: text for id_, text in chosen.items()}, choice, by=by, now=now)
    goes_out = desk.carry_out(session, list(meant.values()), field, choice, books=books, actor=actor, now=now)
    if choice == "ours":
        texts = {id_: desk.said(one, field, choice, chosen=chosen[id_], goes_out=goes_out)
                 for id_, one in meant.items()}  # fmt: skip
        desk.tell(texts, actor=actor, now=now)
    desk.again(session, [id_ for id_ in conflict_ids if id_ in compared and id_ not in chosen], books=books, now=now)
    return len(meant)


# --- what every decision does ---------------------------------------------------------------------------------


def _check(choice: str, allowed: Sequence[str]) -> None:
    if choice not in allowed:
        raise Invalid({"choice": f"Choose one of: {', '.join(allowed)}."})


def _open(session: Session, conflict_id: int) -> Conflict:
    conflict = session.get(Conflict, conflict_id, populate_existing=True)
    if conflict is None:
        raise NotFound("There is no such conflict. The link may be old or not complete.")
    if conflict.state != "open":
        raise Changed(DECIDED)
    return conflict


def _hold(session: Session, conflict: Conflict) -> None:
    """Lock it, once its contact is: who merges locks in this order too, and two that wait for each other never end."""
    session.refresh(conflict, with_for_update=True)
    if conflict.state != "open":
        raise Changed(DECIDED)
