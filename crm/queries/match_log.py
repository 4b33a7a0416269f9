"""Decisions about pairs as a list: searched, narrowed, paged, each with whether it still stands. Reads only.

The desk asks for the last decision of a person, which its undo takes back, and `match_undo` for what one is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from crm.domain.log_filters import days
from crm.domain.match_log_filters import DecisionFilters
from crm.models import Customer, Duplicate, Link, MatchDecision
from crm.queries.match_parts import Key

SIZE = 50
UNDOABLE = ("same", "apart", "new")


@dataclass(frozen=True, slots=True)
class Row:
    decision: MatchDecision
    last: bool
    """Nothing was decided about the pair after it."""
    corrected: bool
    """As `corrected()` says."""
    linked: bool
    """The customer is linked to this very contact now."""

    @property
    def can_undo(self) -> bool:
        return self.last and not self.decision.automatic and self.decision.outcome in UNDOABLE

    @property
    def can_unlink(self) -> bool:
        """A link made by a rule."""
        return self.last and self.decision.automatic and self.linked


@dataclass(frozen=True, slots=True)
class DecisionPage:
    rows: Sequence[Row]
    number: int
    total: int
    size: int = SIZE


def page(session: Session, filters: DecisionFilters, *, number: int) -> DecisionPage:
    found = _narrowed(filters)
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    newest = found.order_by(MatchDecision.id.desc()).limit(SIZE).offset((number - 1) * SIZE)
    return DecisionPage([Row(*row) for row in session.execute(newest)], number, total)


def each(session: Session, filters: DecisionFilters) -> Iterator[Row]:
    """All of them, newest first, some in memory at a time."""
    query = _narrowed(filters).order_by(MatchDecision.id.desc()).execution_options(yield_per=500)
    return (Row(*row) for row in session.execute(query))


def people(session: Session) -> list[str]:
    """Who has decided anything, by name."""
    named = select(MatchDecision.decided_by).where(MatchDecision.automatic.is_(False)).distinct()
    return sorted(label for label in session.scalars(named) if label)


def last_by(session: Session, label: str) -> MatchDecision | None:
    """The latest decision of this person that stands and can be taken back."""
    mine = (MatchDecision.decided_by == label, MatchDecision.automatic.is_(False), MatchDecision.outcome.in_(UNDOABLE))
    query = select(MatchDecision).where(*mine, is_last()).order_by(MatchDecision.id.desc())
    return session.scalar(query.limit(1))


def stands(session: Session, decision: MatchDecision) -> bool:
    return bool(session.scalar(select(is_last()).where(MatchDecision.id == decision.id)))


def question_of(session: Session, decision: MatchDecision) -> Key | None:
    """The question it was about; None where that is not known any more."""
    if decision.sort == "match":
        return Key("match", decision.one_id) if session.get(Customer, decision.one_id) else None
    pair = (Duplicate.sort == decision.sort, Duplicate.one_id == decision.one_id,
            Duplicate.other_id == decision.other_id)  # fmt: skip
    found = session.scalar(select(Duplicate.id).where(*pair))
    return Key(decision.sort, found) if found else None


def is_last() -> ColumnElement[bool]:
    """Nothing was decided about the pair later."""
    later = aliased(MatchDecision)
    pair = (later.sort == MatchDecision.sort, later.one_id == MatchDecision.one_id,
            later.other_id == MatchDecision.other_id)  # fmt: skip
    return ~select(later.id).where(*pair, later.id > MatchDecision.id, later.outcome != "skipped").exists()


def corrected() -> ColumnElement[bool]:
    """What a person said last about the pair, after it, is something else. What was taken back and then decided alike
    again was right."""
    otherwise, again = aliased(MatchDecision), aliased(MatchDecision)
    alike = (again.outcome == MatchDecision.outcome, again.id > otherwise.id, *_said(again))
    other = (otherwise.outcome != MatchDecision.outcome, otherwise.id > MatchDecision.id, *_said(otherwise))
    return select(otherwise.id).where(*other, ~select(again.id).where(*alike).correlate(MatchDecision, otherwise)
                                      .exists()).exists()  # fmt: skip


def _said(row: Any) -> tuple[ColumnElement[bool], ...]:
    """By a person, about the same pair."""
    return (row.sort == MatchDecision.sort, row.one_id == MatchDecision.one_id,
            row.other_id == MatchDecision.other_id, row.automatic.is_(False), row.outcome != "skipped")  # fmt: skip


def _narrowed(filters: DecisionFilters) -> Any:
    at = and_(Customer.id == MatchDecision.one_id, MatchDecision.sort == "match")
    link = and_(Link.connection_id == Customer.connection_id, Link.remote_id == Customer.remote_id,
                Link.kind == "customer", Link.local_id == MatchDecision.other_id)  # fmt: skip
    linked = select(Link.local_id).join(Customer, at).where(link).correlate(MatchDecision).exists()
    query: Any = select(MatchDecision, is_last(), corrected(), linked)
    for name in ("sort", "outcome", "rule"):
        if value := getattr(filters, name):
            query = query.where(getattr(MatchDecision, name) == value)
    if filters.q:
        query = query.where(MatchDecision.names.icontains(filters.q, autoescape=True))
    if filters.made:
        query = query.where(MatchDecision.automatic.is_(filters.made == "rule"))
    if filters.by:
        query = query.where(MatchDecision.decided_by == filters.by, MatchDecision.automatic.is_(False))
    if filters.state:
        query = query.where(~corrected() if filters.state == "stands" else corrected())
    first, last = days(filters.since, filters.until)
    if first:
        query = query.where(MatchDecision.at >= datetime.combine(first, time(), UTC))
    if last:
        query = query.where(MatchDecision.at < datetime.combine(last + timedelta(days=1), time(), UTC))
    return query
