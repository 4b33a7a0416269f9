"""What people do with segments: made, changed, named, frozen, archived and back; members of static ones by hand.

Called by the pages inside `transaction()`. Whoever changes one says which `lock` they saw; when it is no longer that
one, Changed is raised and nothing is written. Other rules are another version, and who is in by them is worked out
before anything is answered. A refresh is no change of a segment and does not touch its lock.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, literal, select, true, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from crm.db import UtcDateTime, changed, table_of
from crm.domain import segments as trees
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.names import fold
from crm.domain.segments import Group
from crm.models import Contact, Segment, SegmentChange, SegmentMember, SegmentVersion
from crm.services import audit, contacts, segment_refresh
from crm.services.audit import Actor

MEMBERS, CHANGES = table_of(SegmentMember), table_of(SegmentChange)
LONGEST_NAME, LONGEST_DESCRIPTION = 120, 2000
CHANGED = "Somebody changed this segment while you were editing it. Nothing of yours is lost: choose what to keep."
MISSING = "There is no such segment. The link may be old or not complete."


def create(
    session: Session, *, name: str, description: str = "", rules: Group, template: str = "", actor: Actor, now: datetime
) -> Segment:
    """A live segment with its members. Raises Invalid (`name`, `description`)."""
    segment = _new(session, name, description, "live", rules, template=template, actor=actor, now=now)
    segment_refresh.refresh(session, segment.id, cause="rules", now=now)
    session.refresh(segment)
    _tell("segment_created", segment, f"Segment {segment.name}, {segment.members:,} members", actor=actor, now=now)
    return segment


def change(
    session: Session, segment_id: int, *, name: str, description: str, rules: Group, lock: int, actor: Actor,
    now: datetime,
) -> Segment:  # fmt: skip
    """Raises Invalid, NotFound, Refused, Changed (carrying the segment as it is now)."""
    segment = held(session, segment_id, lock)
    if segment.kind != "live":
        raise Refused("A static segment has no rules: members are added and removed by hand.")
    written = trees.write(rules)
    renamed, other = _name(session, segment, name, description), written != segment.rules
    if not (renamed or other):
        return segment
    segment.updated_at = now
    if other:
        segment.rules, segment.version = written, segment.version + 1
        session.add(_version(segment, actor=actor, now=now))
    _flush(session)
    words = segment.name
    if other:
        came, left = segment_refresh.refresh(session, segment.id, cause="rules", now=now)
        words = f"{segment.name}: version {segment.version} of the rules; {came:,} came in, {left:,} left"
    session.refresh(segment)
    _tell("segment_changed", segment, words, actor=actor, now=now)
    return segment


def rename(
    session: Session, segment_id: int, *, name: str, description: str, lock: int, actor: Actor, now: datetime
) -> Segment:
    """Raises Invalid, NotFound, Refused, Changed."""
    segment = held(session, segment_id, lock)
    before = segment.name
    if not _name(session, segment, name, description):
        return segment
    segment.updated_at = now
    _flush(session)
    words = segment.name if before == segment.name else f"{before} → {segment.name}"
    _tell("segment_renamed", segment, words, actor=actor, now=now)
    return segment


def archive(session: Session, segment_id: int, *, actor: Actor, now: datetime) -> Segment:
    """Out of use: it stays as it was, and nothing keeps it true. Archived already: nothing happens."""
    segment = _found(session, segment_id)
    if segment.archived_at is None:
        segment.archived_at = segment.updated_at = now
        _flush(session)
        _tell("segment_archived", segment, segment.name, actor=actor, now=now)
    return segment


def restore(session: Session, segment_id: int, *, actor: Actor, now: datetime) -> Segment:
    """Back into use, with the members of now. Raises Invalid (`name`) where its name is another one's by now."""
    segment = _found(session, segment_id)
    if segment.archived_at is None:
        return segment
    _refuse_taken(session, segment.name, besides=segment.id)
    segment.archived_at, segment.updated_at = None, now
    _flush(session)
    if segment.kind == "live":
        segment_refresh.refresh(session, segment.id, cause="facts", now=now)
        session.refresh(segment)
    _tell("segment_restored", segment, segment.name, actor=actor, now=now)
    return segment


def save_static(session: Session, segment_id: int, *, name: str, actor: Actor, now: datetime) -> Segment:
    """A static one with those who are in now; it keeps the rules as what it came from. Raises Invalid (`name`)."""
    source = held(session, segment_id, None)
    if source.kind == "live":
        segment_refresh.refresh(session, source.id, cause="facts", now=now)
    rules = trees.read(source.rules) if source.rules else Group()
    made = _new(session, name, source.description, "static", rules, template=source.template, actor=actor, now=now)
    here = (
        select(literal(made.id), MEMBERS.c.contact_id, literal(now, UtcDateTime))
        .join(Contact, Contact.id == MEMBERS.c.contact_id)
        .where(MEMBERS.c.segment_id == source.id, Contact.archived_at.is_(None))
    )
    session.execute(insert(MEMBERS).from_select(("segment_id", "contact_id", "since"), here))
    told = select(
        MEMBERS.c.segment_id, MEMBERS.c.contact_id, MEMBERS.c.since, true(), literal(1), literal("hand")
    ).where(MEMBERS.c.segment_id == made.id)
    session.execute(
        insert(CHANGES).from_select(("segment_id", "contact_id", "at", "entered", "version", "cause"), told)
    )
    recount(session, made.id)
    session.refresh(made)
    _tell("segment_frozen", made, f"{made.name}: {made.members:,} members of {source.name}", actor=actor, now=now)
    return made


def add_member(session: Session, segment_id: int, contact_id: int, *, actor: Actor, now: datetime) -> bool:
    """By hand, into a static one; whether they were not in it yet. Raises NotFound, Merged, Refused."""
    contact = contacts.find(contact_id)
    if contact.archived_at is not None:
        raise Refused(f"{contact.display_name} is archived. Restore the contact first.")
    # Before the segment, as a merge takes them: so that nobody waits in a circle.
    session.execute(select(Contact.id).where(Contact.id == contact_id).with_for_update(read=True, key_share=True))
    segment = _static(session, segment_id)
    if session.get(SegmentMember, (segment_id, contact_id)) is not None:
        return False
    session.add(SegmentMember(segment_id=segment_id, contact_id=contact_id, since=now))
    _by_hand(session, segment, contact, entered=True, actor=actor, now=now)
    return True


def remove_member(session: Session, segment_id: int, contact_id: int, *, actor: Actor, now: datetime) -> bool:
    """By hand, out of a static one; whether they were in it. Raises NotFound, Refused."""
    segment = _static(session, segment_id)
    gone = delete(MEMBERS).where(MEMBERS.c.segment_id == segment_id, MEMBERS.c.contact_id == contact_id)
    if not changed(gone):
        return False
    _by_hand(session, segment, session.get(Contact, contact_id), entered=False, actor=actor, now=now)
    return True


def record_export(session: Session, count: int, words: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many rows out of the house; `words` says of what."""
    audit.record("segments_exported", actor=actor, now=now, summary=f"Segments as CSV: {count:,} ({words})")


def recount(session: Session, segment_id: int) -> None:
    """Its number of members, counted. Not a change of the segment."""
    count = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.segment_id == segment_id).scalar_subquery()
    table = table_of(Segment)
    session.execute(update(table).where(table.c.id == segment_id).values(members=count))


def held(session: Session, segment_id: int, lock: int | None) -> Segment:
    """Locked for this transaction. Raises NotFound, Changed, Refused for an archived one."""
    segment = _found(session, segment_id)
    if lock is not None and segment.lock != lock:
        raise Changed(CHANGED, current=segment)
    if segment.archived_at is not None:
        raise Refused(f"“{segment.name}” is archived. Restore it first.")
    return segment


# --- parts ----------------------------------------------------------------------------------------------------


def _found(session: Session, segment_id: int) -> Segment:
    query = select(Segment).where(Segment.id == segment_id).with_for_update(key_share=True, of=Segment)
    segment = session.scalars(query.execution_options(populate_existing=True)).first()
    if segment is None:
        raise NotFound(MISSING)
    return segment


def _static(session: Session, segment_id: int) -> Segment:
    segment = held(session, segment_id, None)
    if segment.kind != "static":
        raise Refused(f"“{segment.name}” follows its rules: change those, or save it as a static segment first.")
    return segment


def _new(
    session: Session, name: str, description: str, kind: str, rules: Group, *, template: str, actor: Actor,
    now: datetime,
) -> Segment:  # fmt: skip
    segment = Segment(kind=kind, template=template[:40], rules=trees.write(rules), version=1, owner_id=actor.user_id,
                      created_by=actor.label[:254], created_at=now, updated_at=now, members=0)  # fmt: skip
    _name(session, segment, name, description)
    session.add(segment)
    session.flush()
    session.add(_version(segment, actor=actor, now=now))
    session.flush()
    return segment


def _version(segment: Segment, *, actor: Actor, now: datetime) -> SegmentVersion:
    return SegmentVersion(segment_id=segment.id, version=segment.version, rules=segment.rules,
                          changed_by=actor.label[:254], changed_at=now)  # fmt: skip


def _name(session: Session, segment: Segment, name: str, description: str) -> bool:
    """Give both; whether anything changed. Raises Invalid."""
    name, description = " ".join(name.replace("\x00", "").split()), description.replace("\x00", "").strip()
    wrong = {}
    if not name:
        wrong["name"] = "Give the segment a name."
    elif len(name) > LONGEST_NAME:
        wrong["name"] = f"The name is too long: shorten it to {LONGEST_NAME} characters."
    if len(description) > LONGEST_DESCRIPTION:
        wrong["description"] = f"The description is too long: shorten it to {LONGEST_DESCRIPTION:,} characters."
    if wrong:
        raise Invalid(wrong)
    if (segment.name, segment.description) == (name, description):
        return False
    if segment.name != name:
        _refuse_taken(session, name, besides=segment.id)
    segment.name, segment.description, segment.sort_name = name, description, _sort_name(name)
    return True


def _sort_name(name: str) -> str:
    return (fold(name) or name.casefold())[:LONGEST_NAME]


def _refuse_taken(session: Session, name: str, *, besides: int | None) -> None:
    with session.no_autoflush:
        mine = (Segment.sort_name == _sort_name(name), Segment.archived_at.is_(None), Segment.id != (besides or 0))
        other = session.scalar(select(Segment.name).where(*mine).order_by(Segment.id).limit(1))
    if other is not None:
        raise Invalid({"name": f"There is a segment “{other}” already. Write another name."})


def _by_hand(
    session: Session, segment: Segment, contact: Contact | None, *, entered: bool, actor: Actor, now: datetime
) -> None:
    assert contact is not None  # a member row or a lock stands for it
    session.add(SegmentChange(segment_id=segment.id, contact_id=contact.id, at=now, entered=entered,
                              version=segment.version, cause="hand"))  # fmt: skip
    session.flush()
    recount(session, segment.id)
    session.refresh(segment)
    verb, words = ("segment_member_added", "in") if entered else ("segment_member_removed", "out")
    _tell(verb, segment, f"{segment.name}: {contact.display_name} {words}", actor=actor, now=now)


def _tell(action: str, segment: Segment, summary: str, *, actor: Actor, now: datetime) -> None:
    audit.record(action, actor=actor, now=now, subject=f"segment:{segment.id}", summary=summary[:500])


def _flush(session: Session) -> None:
    try:
        session.flush()
    except StaleDataError:
        raise Changed(CHANGED) from None
