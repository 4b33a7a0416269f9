"""Rows of the pairs that were found. Called by `noting` and `runs` in their transactions.

A pair that is apart by now loses its row; one that a person decided about, or that was merged, stays as it is. Two
workers may find the same pair at once: the later one then changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.evidence import Evidence
from crm.domain.matching import Scored
from crm.models import Customer, Duplicate
from crm.services.duplicates.looking import Pair
from crm.services.duplicates.subjects import ASKED, sales
from crm.services.identity_keys import chunks

ROWS = table_of(Duplicate)
INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def stored_with(session: Session, sort: str, ids: Iterable[int]) -> set[Pair]:
    """Proposed pairs in which one of these records stands."""
    found: set[Pair] = set()
    for part in chunks(sorted(set(ids)), ASKED):
        found |= set(_pairs(session, sort, or_(ROWS.c.one_id.in_(part), ROWS.c.other_id.in_(part))))
    return found


def stored_from(session: Session, sort: str, after: int, *, last: int | None) -> set[Pair]:
    """Proposed pairs whose first record lies behind `after` and up to `last` (None: to the end)."""
    upto = () if last is None else (ROWS.c.one_id <= last,)
    return set(_pairs(session, sort, ROWS.c.one_id > after, *upto))


def _pairs(session: Session, sort: str, *where: ColumnElement[bool]) -> Iterable[Pair]:
    query = select(ROWS.c.one_id, ROWS.c.other_id).where(ROWS.c.sort == sort, ROWS.c.state == "proposed", *where)
    return ((one, other) for one, other in session.execute(query))


def keep(
    session: Session,
    sort: str,
    looked: Iterable[Pair],
    found: Mapping[Pair, Scored],
    *,
    now: datetime,
    anew: bool = False,
) -> None:
    """Rows for the pairs that were looked at, of which those in `found` may be one. `anew`: their stakes too."""
    known = _known(session, sort, looked)
    gone = [row.id for pair, row in known.items() if row.state == "proposed" and pair not in found]
    for part in chunks(sorted(gone), ASKED):
        # By the mapped class, so that no object of a row that is gone stays where SQLite gives its number again.
        session.execute(delete(Duplicate).where(Duplicate.id.in_(part), Duplicate.state == "proposed"))
    news = {
        pair: scored
        for pair, scored in sorted(found.items())
        if pair not in known or (known[pair].state == "proposed" and (anew or _differs(known[pair], scored)))
    }
    if not news:
        return
    stakes = sales(session, sort, (id_ for pair in news for id_ in pair))
    connections = _connections(session, sort, (pair[0] for pair in news))
    rows = [
        _row(sort, pair, scored, now=now)
        | {"stake": sum(stakes.get(id_, 0) for id_ in pair), "connection_id": connections.get(pair[0])}
        for pair, scored in news.items()
    ]
    statement = INSERTS[session.get_bind().dialect.name](ROWS)
    fresh = {name: statement.excluded[name] for name in ("outcome", "score", "rule", "evidence", "stake")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["sort", "one_id", "other_id"], set_=fresh, where=ROWS.c.state == "proposed"
        ),
        rows,
    )


def _known(session: Session, sort: str, pairs: Iterable[Pair]) -> dict[Pair, Any]:
    wanted = set(pairs)
    found = {}
    for part in chunks(sorted({one for one, _ in wanted}), ASKED):
        columns = (ROWS.c.id, ROWS.c.one_id, ROWS.c.other_id, ROWS.c.state, ROWS.c.outcome, ROWS.c.score, ROWS.c.rule,
                   ROWS.c.evidence)  # fmt: skip
        for row in session.execute(select(*columns).where(ROWS.c.sort == sort, ROWS.c.one_id.in_(part))):
            if (row.one_id, row.other_id) in wanted:
                found[row.one_id, row.other_id] = row
    return found


def _differs(row: Any, scored: Scored) -> bool:
    return (row.outcome, row.score, row.rule) != (scored.outcome, scored.score, scored.rule) or (
        row.evidence != _evidence(scored.evidence)
    )


def _row(sort: str, pair: Pair, scored: Scored, *, now: datetime) -> dict[str, Any]:
    return {
        "sort": sort, "one_id": pair[0], "other_id": pair[1], "state": "proposed", "outcome": str(scored.outcome),
        "score": scored.score, "rule": scored.rule, "evidence": _evidence(scored.evidence), "found_at": now,
        "decided_by": "",
    }  # fmt: skip


def _evidence(found: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Best first, as `models.Duplicate.evidence` says."""
    ordered = sorted(found, key=lambda one: -one.points)
    return [{"reason": one.reason, "text": one.text, "points": one.points} for one in ordered]


def _connections(session: Session, sort: str, ids: Iterable[int]) -> dict[int, int]:
    if sort == "contact":
        return {}
    found: dict[int, int] = {}
    for part in chunks(sorted(set(ids)), ASKED):
        query = select(Customer.id, Customer.connection_id).where(Customer.id.in_(part))
        found |= {id_: connection for id_, connection in session.execute(query)}
    return found


def reweigh(row: Duplicate, scored: Scored | None) -> None:
    """The row says what the rules say of it now; one that is apart by now keeps its last evidence."""
    if scored is not None:
        row.outcome, row.score, row.rule = str(scored.outcome), scored.score, scored.rule
        row.evidence = _evidence(scored.evidence)
