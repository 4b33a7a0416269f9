"""The log of decisions about pairs: who or which rule decided what, on which evidence, and what corrected it later.

`record` and `record_many` are called in the transaction of the decision by `services/matches`, `services/duplicates`,
merges of contacts and the links an import makes by itself. Entries are never changed; a decision that takes another
back names it. Statistics and learning read it; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from crm.db import db, table_of
from crm.models import Duplicate, MatchDecision
from crm.services.audit import Actor

DECISIONS = table_of(MatchDecision)


def record(
    *,
    sort: str,
    one_id: int,
    other_id: int,
    outcome: str,
    automatic: bool,
    score: int,
    rule: str,
    reasons: Sequence[str],
    names: str,
    took_ms: int | None = None,
    corrects: int | None = None,
    connection_id: int | None = None,
    actor: Actor,
    now: datetime,
) -> int:
    """One decision; answers its id. `sort`, `outcome` and the ids are as in models.MatchDecision; `corrects` is the id
    of the decision that this one takes back (`standing`)."""
    decision = MatchDecision(**row(
        sort=sort, one_id=one_id, other_id=other_id, outcome=outcome, automatic=automatic, score=score, rule=rule,
        reasons=reasons, names=names, took_ms=took_ms, corrects=corrects, connection_id=connection_id,
        decided_by=actor.label, now=now,
    ))  # fmt: skip
    session = db.session()
    session.add(decision)
    session.flush()
    return decision.id


def record_many(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Decisions made by `row()`, in one statement."""
    if rows:
        session.execute(insert(DECISIONS), [dict(values) for values in rows])


def row(
    *,
    sort: str,
    one_id: int,
    other_id: int,
    outcome: str,
    automatic: bool,
    score: int,
    rule: str,
    reasons: Sequence[str],
    names: str,
    took_ms: int | None = None,
    corrects: int | None = None,
    connection_id: int | None = None,
    decided_by: str,
    now: datetime,
) -> dict[str, Any]:
    if sort != "match":
        one_id, other_id = sorted((one_id, other_id))
    return {
        "sort": sort, "connection_id": connection_id, "one_id": one_id, "other_id": other_id, "outcome": outcome,
        "automatic": automatic, "score": score, "rule": rule[:60], "reasons": list(reasons), "names": names,
        "took_ms": took_ms, "corrects_id": corrects, "decided_by": decided_by[:254], "at": now,
    }  # fmt: skip


def standing(sort: str, one_id: int, other_id: int, outcomes: Sequence[str] = ("same",)) -> int | None:
    """The latest decision of this pair with one of these outcomes, which a correction names; None if not logged."""
    if sort != "match":
        one_id, other_id = sorted((one_id, other_id))
    query = select(MatchDecision.id).where(
        MatchDecision.sort == sort, MatchDecision.one_id == one_id, MatchDecision.other_id == other_id,
        MatchDecision.outcome.in_(outcomes),
    )  # fmt: skip
    return db.session.scalar(query.order_by(MatchDecision.id.desc()).limit(1))


class Asked(NamedTuple):
    """What stood on the card of a pair: points, rule, keys of its evidence."""

    score: int
    rule: str
    reasons: list[str]


def asked(sort: str, one_id: int, other_id: int) -> Asked | None:
    """Of a pair of one sort, while its question is open; None where no rule asks about it."""
    one_id, other_id = sorted((one_id, other_id))
    mine = (Duplicate.sort == sort, Duplicate.one_id == one_id, Duplicate.other_id == other_id)
    query = select(Duplicate.score, Duplicate.rule, Duplicate.evidence).where(*mine, Duplicate.state == "proposed")
    found = db.session.execute(query).first()
    return Asked(found.score, found.rule, reasons_of(found.evidence)) if found else None


def reasons_of(evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys of evidence as rows keep it."""
    return [str(one["reason"]) for one in evidence]


def pair_names(one: str, other: str) -> str:
    """Both sides as they are called, for people."""
    return f"“{one}” and “{other}”"
