"""Proofs as pages show them: the list, one with its figures and its differences, the last one of each company.

A fixed number of statements a page, and no remote call. Who may read them is the route's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, or_, select

from crm.db import db
from crm.domain import proof_shown as shown
from crm.domain.directions import EVERYTHING
from crm.domain.errors import NotFound
from crm.domain.proof import FIGURES, LIVE, STATES, STEPS, WORDS, title
from crm.models import Connection, Proof, ProofLine
from crm.queries import sync_settings

SIZE = 50
TRIGGERS: dict[str, str] = {"schedule": "By night", "person": "By a person", "api": "By the API"}
KIND_WORDS: dict[str, str] = {**WORDS, "aging": "Aged receivables", **shown.KINDS}
FIGURE_WORDS: dict[str, str] = {**FIGURES, **shown.FIGURES}
TONES = {"equal": "ok", "different": "bad", "failed": "warn", "running": "info", "queued": "info"}
_SORTS: Mapping[str, Any] = {
    "made": Proof.id, "state": Proof.state, "who": func.lower(Proof.requested_by),
    "company": func.lower(Connection.company_name), "ended": Proof.finished_at,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProofRow:
    proof: Proof
    company: str
    zone: str
    differences: int
    waiting: int = 0
    """Edits of ours that wait to go out or for a decision: listed, but no differences."""

    @property
    def words(self) -> str:
        return STATES[self.proof.state]

    @property
    def tone(self) -> str:
        return TONES[self.proof.state]

    @property
    def live(self) -> bool:
        return self.proof.state in LIVE

    @property
    def paused_since(self) -> datetime | None:
        """Since when everything was paused while it was made: ours are the figures of that moment. None: it was not."""
        text = self.proof.progress.get("paused_since")
        return datetime.fromisoformat(text) if text else None

    @property
    def seconds(self) -> float | None:
        began, ended = self.proof.as_of, self.proof.finished_at
        return (ended - began).total_seconds() if began and ended else None

    @property
    def balance(self) -> FigureView | None:
        """Open balances in the company's own currency."""
        return next((one for one in self.figures if one.name == "balance"), None)

    @property
    def figures(self) -> list[FigureView]:
        return [FigureView.of(line, self.proof.currency) for line in self.proof.figures]

    @property
    def step(self) -> str:
        return STEPS.get(self.proof.step, "")

    @property
    def place(self) -> int:
        """Which step it is at, from 1."""
        return list(STEPS).index(self.proof.step) + 1 if self.proof.step in STEPS else 1


@dataclass(frozen=True, slots=True)
class FigureView:
    name: str
    title: str
    ours: Decimal | int
    theirs: Decimal | int
    equal: bool
    currency: str
    """Empty for a count."""

    @classmethod
    def of(cls, line: Mapping[str, Any], currency: str) -> FigureView:
        money = line["unit"] == "money"
        read: Any = Decimal if money else int
        own = line.get("currency") or currency if money else ""
        return cls(line["name"], title(line["name"]), read(line["ours"]), read(line["theirs"]), line["equal"], own)

    @property
    def difference(self) -> Decimal | int:
        return self.ours - self.theirs


@dataclass(frozen=True, slots=True)
class LineView:
    line: ProofLine

    @property
    def what(self) -> str:
        return KIND_WORDS.get(self.line.kind, self.line.kind)

    @property
    def figure(self) -> str:
        return FIGURE_WORDS.get(self.line.figure, self.line.figure)

    @property
    def difference(self) -> Decimal | None:
        if self.line.ours is None and self.line.theirs is None:
            return None
        return (self.line.ours or Decimal(0)) - (self.line.theirs or Decimal(0))


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Any]
    number: int
    size: int
    total: int


def page(*, q: str = "", state: str = "", trigger: str = "", sort: str = "", number: int = 1) -> Page:
    """The newest first where no order is asked for; `q` finds in who asked and in the company's name."""
    query = _found(q, state, trigger)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = db.session.execute(_sorted(query, sort).limit(SIZE).offset((number - 1) * SIZE))
    return Page([_row(row) for row in rows], number, SIZE, total)


def each(*, q: str = "", state: str = "", trigger: str = "", sort: str = "") -> Iterator[ProofRow]:
    """Every row of the list, in its order, for a download."""
    for row in db.session.execute(_sorted(_found(q, state, trigger), sort).execution_options(yield_per=500)):
        yield _row(row)


def newest(*, before: int | None, limit: int, state: str = "", connection_id: int | None = None) -> Sequence[ProofRow]:
    """The newest first: what a program walks through."""
    query = _query()
    if before is not None:
        query = query.where(Proof.id < before)
    if state:
        query = query.where(Proof.state == state)
    if connection_id is not None:
        query = query.where(Proof.connection_id == connection_id)
    return [_row(row) for row in db.session.execute(query.order_by(Proof.id.desc()).limit(limit))]


def one(proof_id: int) -> ProofRow:
    """Raises NotFound."""
    row = db.session.execute(_query().where(Proof.id == proof_id)).first()
    if row is None:
        raise NotFound("There is no such proof.")
    return _row(row)


def lines(proof_id: int, *, kind: str = "", q: str = "", number: int = 1) -> Page:
    """Differences: customers first, then their documents; `q` finds in names."""
    where = _lines_where(proof_id, kind, q)
    total = db.session.scalar(select(func.count()).where(*where)) or 0
    query = select(ProofLine).where(*where).order_by(*_order()).limit(SIZE).offset((number - 1) * SIZE)
    return Page([LineView(line) for line in db.session.scalars(query)], number, SIZE, total)


def each_line(proof_id: int, *, kind: str = "", q: str = "") -> Iterator[LineView]:
    query = select(ProofLine).where(*_lines_where(proof_id, kind, q)).order_by(*_order())
    for line in db.session.scalars(query.execution_options(yield_per=500)):
        yield LineView(line)


def mendable(proof_id: int) -> int:
    """How many differences reading again may mend and nobody has asked for yet."""
    where = (ProofLine.proof_id == proof_id, ProofLine.remedy == "read_again", ProofLine.mended_at.is_(None))
    return db.session.scalar(select(func.count()).where(*where)) or 0


def to_set_right(proof_id: int) -> int:
    """How many figures shown here nobody has set right yet."""
    where = (ProofLine.proof_id == proof_id, ProofLine.remedy == shown.SET_RIGHT, ProofLine.mended_at.is_(None))
    return db.session.scalar(select(func.count()).where(*where)) or 0


def paused(connection_id: int) -> datetime | None:
    """Since when everything of the company is paused: what a proof asks to be read again waits meanwhile."""
    whole = sync_settings.current(db.session(), connection_id, EVERYTHING)
    return whole.changed_at if whole.paused else None


def line_kinds(proof_id: int) -> list[tuple[str, str]]:
    """The kinds that differ, with their words, for a filter."""
    found = set(db.session.scalars(select(ProofLine.kind).where(ProofLine.proof_id == proof_id).distinct()))
    return [(kind, words) for kind, words in KIND_WORDS.items() if kind in found]


def companies() -> list[tuple[int, str]]:
    """Connections a proof can be asked of: (id, name)."""
    query = select(Connection.id, Connection.company_name).where(Connection.state == "connected")
    return [(row[0], row[1] or "QuickBooks company") for row in db.session.execute(query.order_by(Connection.id))]


def last(connection_id: int) -> ProofRow | None:
    """The newest proof of a connection that said something."""
    over = (Proof.connection_id == connection_id, Proof.state.in_(("equal", "different")))
    row = db.session.execute(_query().where(*over).order_by(Proof.id.desc()).limit(1)).first()
    return _row(row) if row else None


def _query() -> Any:
    number, waiting = (
        select(func.count()).where(ProofLine.proof_id == Proof.id, which).correlate(Proof).scalar_subquery()
        for which in (ProofLine.remedy.not_in(shown.NO_DIFFERENCE), ProofLine.remedy.in_(shown.NO_DIFFERENCE))
    )
    return select(Proof, Connection.company_name, Connection.time_zone, number, waiting).join(
        Connection, Connection.id == Proof.connection_id
    )


def _row(row: Any) -> ProofRow:
    return ProofRow(row[0], row[1] or "QuickBooks company", row[2] or "UTC", row[3], row[4])


def _found(q: str, state: str, trigger: str) -> Any:
    query = _query()
    if q.strip():
        columns = (Proof.requested_by, Connection.company_name)
        words = q.strip().lower()
        query = query.where(or_(*(func.lower(column).contains(words, autoescape=True) for column in columns)))
    if state:
        query = query.where(Proof.state == state)
    return query.where(Proof.trigger == trigger) if trigger else query


def _sorted(query: Any, sort: str) -> Any:
    column = _SORTS.get(sort.removeprefix("-"), Proof.id)
    down = sort.startswith("-") or sort.removeprefix("-") not in _SORTS
    return query.order_by(column.desc() if down else column, Proof.id.desc())


def _lines_where(proof_id: int, kind: str, q: str) -> list[Any]:
    where: list[Any] = [ProofLine.proof_id == proof_id]
    if kind:
        where.append(ProofLine.kind == kind)
    if q.strip():
        where.append(func.lower(ProofLine.name).contains(q.strip().lower(), autoescape=True))
    return where


def _order() -> tuple[Any, ...]:
    kinds = ("customer", "invoice", "payment", "credit_memo", "aging", *shown.KINDS)
    places = {kind: place for place, kind in enumerate(kinds)}
    return case(places, value=ProofLine.kind, else_=99), func.lower(ProofLine.name), ProofLine.id
