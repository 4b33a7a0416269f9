"""What a person decides about a pair that may be one: never the same, one person in the books twice, or open again.

A pair kept apart stays so until a person reopens it, whatever is found later. Customers known as one both stay, and
both links; they are to be merged in QuickBooks, after which the pair is `merged` by itself. Merging contacts is
`services/contact_merges`, which says so by `settle_merged` and `settle_parted`. Each decision is logged, audited, and
told on the contacts' timelines; where somebody decided meanwhile, `Changed` is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Changed, NotFound, Refused
from crm.models import Duplicate
from crm.services import audit, match_log, timeline
from crm.services.audit import Actor
from crm.services.duplicates.keeping import reweigh
from crm.services.duplicates.looking import Looking
from crm.services.duplicates.subjects import names

DECIDED = "Somebody has decided about this pair meanwhile. The list shows what is left."


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a decision: the pair's state now, and a sentence."""

    duplicate_id: int
    state: str
    text: str


def keep_apart(duplicate_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """These are two. The pair is never proposed again until somebody reopens it."""
    row = _locked(duplicate_id, "proposed", "known")
    corrects = _standing(row, "same") if row.state == "known" else None
    shown = _names(row)
    text = f"{shown} are two; this pair will not be proposed again."
    _decide(row, "apart", "apart", text, actor=actor, now=now, took_ms=took_ms, corrects=corrects)
    _tell(row, "kept_apart", f"{shown} are two, not one.", actor=actor, now=now)
    return Result(row.id, row.state, text)


def know(duplicate_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """Two customers of the books are one. Refused for contacts, which are merged here."""
    row = _locked(duplicate_id, "proposed")
    if row.sort != "customer":
        raise Refused("These are two contacts: merge them here. Only customers are merged in QuickBooks.")
    text = f"{_names(row)} are one. Merge them in QuickBooks; both stay linked here until then, and links follow."
    _decide(row, "known", "same", text, actor=actor, now=now, took_ms=took_ms)
    return Result(row.id, row.state, text)


def reopen(duplicate_id: int, *, actor: Actor, now: datetime) -> Result:
    """Take back a decision (apart or known): the pair waits for one again, with what the rules say of it now."""
    row = _locked(duplicate_id, "apart", "known")
    corrects = _standing(row, "apart" if row.state == "apart" else "same")
    _look_again(row)
    text = f"{_names(row)} wait for a decision again."
    _decide(row, "proposed", "undone", text, actor=actor, now=now, corrects=corrects)
    _tell(row, "reopened", f"Whether {_names(row)} are one is open again.", actor=actor, now=now)
    return Result(row.id, row.state, text)


def settle_merged(sort: str, one_id: int, other_id: int, *, by: str, now: datetime) -> bool:
    """The two were merged, here or in the books: their pair, if there is one, is `merged`. Decisions log it themselves.

    `by`: who merged them, in words. Answers whether there was a pair that was not merged yet.
    """
    row = _of_pair(sort, one_id, other_id)
    if row is None or row.state == "merged":
        return False
    row.state, row.decided_by, row.decided_at = "merged", by[:254], now
    db.session.flush()
    return True


def settle_parted(sort: str, one_id: int, other_id: int, *, by: str, now: datetime) -> bool:
    """A merge was taken back: the pair waits for a decision again. Call it when both are as they were."""
    row = _of_pair(sort, one_id, other_id)
    if row is None or row.state != "merged":
        return False
    _look_again(row)
    row.state, row.decided_by, row.decided_at = "proposed", by[:254], now
    db.session.flush()
    return True


def kept_apart_by(sort: str, one_id: int, other_id: int) -> str | None:
    """Who said that the two are never the same; None where nobody did."""
    row = _of_pair(sort, one_id, other_id)
    return row.decided_by if row is not None and row.state == "apart" else None


def hold_apart(one_id: int, other_id: int, *, by: str, now: datetime) -> None:
    """Two contacts are apart because their customers are, whom the books made one. Decided pairs stay as they are."""
    session, (first, second) = db.session(), sorted((one_id, other_id))
    row = _of_pair("contact", first, second)
    if row is None:
        row = Duplicate(sort="contact", one_id=first, other_id=second, state="proposed", evidence=[], found_at=now)
        session.add(row)
    if row.state == "proposed":
        row.state, row.decided_by, row.decided_at = "apart", by[:254], now
        session.flush()


def _locked(duplicate_id: int, *states: str) -> Duplicate:
    row = db.session.get(Duplicate, duplicate_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such pair (any more). The list shows what is left.")
    if row.state not in states:
        raise Changed(DECIDED)
    return row


def _of_pair(sort: str, one_id: int, other_id: int) -> Duplicate | None:
    first, second = sorted((one_id, other_id))
    pair = (Duplicate.sort == sort, Duplicate.one_id == first, Duplicate.other_id == second)
    query = select(Duplicate).where(*pair).with_for_update().execution_options(populate_existing=True)
    found: Duplicate | None = db.session.scalar(query)
    return found


def _decide(
    row: Duplicate,
    state: str,
    outcome: str,
    text: str,
    *,
    actor: Actor,
    now: datetime,
    took_ms: int | None = None,
    corrects: int | None = None,
) -> None:
    match_log.record(
        sort=row.sort, one_id=row.one_id, other_id=row.other_id, outcome=outcome, automatic=False, score=row.score,
        rule=row.rule, reasons=match_log.reasons_of(row.evidence), names=_names(row), took_ms=took_ms,
        corrects=corrects, connection_id=row.connection_id, actor=actor, now=now,
    )  # fmt: skip
    row.state, row.decided_by, row.decided_at = state, actor.label[:254], now
    db.session.flush()
    audit.record(f"duplicate_{state}", actor=actor, now=now, subject=f"{row.sort}:{row.one_id}", summary=text,
                 details={"other": row.other_id, "duplicate": row.id})  # fmt: skip


def _names(row: Duplicate) -> str:
    shown = names(db.session(), row.sort, [row.one_id, row.other_id])
    return match_log.pair_names(shown.get(row.one_id, "gone by now"), shown.get(row.other_id, "gone by now"))


def _standing(row: Duplicate, outcome: str) -> int | None:
    return match_log.standing(row.sort, row.one_id, row.other_id, (outcome,))


def _look_again(row: Duplicate) -> None:
    session: Session = db.session()
    pair = (row.one_id, row.other_id)
    reweigh(row, Looking(session, row.sort).judged([pair]).get(pair))


def _tell(row: Duplicate, verb: str, summary: str, *, actor: Actor, now: datetime) -> None:
    """On the timelines of both, where they are contacts."""
    if row.sort == "contact":
        known = names(db.session(), "contact", [row.one_id, row.other_id])
        timeline.add_many([timeline.row(id_, verb=verb, summary=summary, actor=actor, now=now) for id_ in known])
