"""Decisions of the match desk, whatever sort the question is of: same, different, somebody new, two of one household,
put off; and many.

`decide` leads to the service of the sort, which does it, logs it, and refuses what is not possible; `accept` says yes
to many certain pairs, each for itself. Taking back is `match_undo`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.models import Contact, Customer, Duplicate, Match
from crm.queries.contact_merges import keeper
from crm.queries.match_parts import Key
from crm.services import contact_merges, duplicates, households, match_log, matches
from crm.services.audit import Actor

ACTS = {
    "match": ("same", "apart", "new", "household", "skip"),
    "contact": ("same", "apart", "household", "skip"),
    "customer": ("same", "apart", "skip"),
}
"""What can be answered to each sort of question."""
MOST = 50
"""Pairs accepted in one request: a merge takes some tens of statements."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one of many."""

    key: Key
    names: str
    decision_id: int | None
    """None where it was refused."""
    text: str


def decide(
    key: Key,
    act: str,
    *,
    match_id: int | None = None,
    bill_to_id: int | None = None,
    actor: Actor,
    now: datetime,
    took_ms: int | None = None,
) -> str:
    """Do it; answers a sentence. `match_id`: which proposal of a customer is meant; `bill_to_id`: who of two contacts
    is billed for the household.

    Raises Invalid for an act there is not, Changed where somebody decided meanwhile, Refused with the way out.
    """
    if act not in ACTS[key.sort]:
        raise Invalid({"act": "Say whether they are the same, different, or to be skipped."})
    if act == "skip":
        return _skip(key, actor=actor, now=now, took_ms=took_ms)
    if key.sort == "match":
        return _about_customer(key.id, act, match_id, actor=actor, now=now, took_ms=took_ms)
    if act == "apart":
        return duplicates.keep_apart(_pair(key).id, actor=actor, now=now, took_ms=took_ms).text
    if key.sort == "customer":
        return duplicates.know(_pair(key).id, actor=actor, now=now, took_ms=took_ms).text
    if act == "household":
        row = _proposed(key)
        return households.join_by_pair(
            row.one_id, row.other_id, bill_to_id=bill_to_id or 0, actor=actor, now=now, took_ms=took_ms
        ).text
    return _merge(key, actor=actor, now=now, took_ms=took_ms)


def accept(keys: Sequence[Key], *, actor: Actor, now: datetime) -> list[Accepted]:
    """Yes to each of these pairs, in the order given; one that is refused leaves the others as they are."""
    if len(keys) > MOST:
        raise Invalid({"ids": f"Accept {MOST} pairs at most at once."})
    if not keys:
        raise Invalid({"ids": "No pair is ticked. Tick the ones you mean first."})
    return [_accepted(key, actor=actor, now=now) for key in keys]


def _accepted(key: Key, *, actor: Actor, now: datetime) -> Accepted:
    names = _names(key)
    try:
        with db.session.begin_nested():
            text = decide(key, "same", actor=actor, now=now)
    except Refused as problem:
        return Accepted(key, names, None, str(problem))
    pair = db.session.get_one(Duplicate, key.id)
    decision_id = match_log.standing(pair.sort, pair.one_id, pair.other_id)
    return Accepted(key, names, decision_id, text)


def _pair(key: Key) -> Duplicate:
    row = db.session.get(Duplicate, key.id, with_for_update=True, populate_existing=True)
    if row is None or row.sort != key.sort:
        raise NotFound("There is no such pair (any more). The list shows what is left.")
    return row


def _proposed(key: Key) -> Duplicate:
    row = _pair(key)
    if row.state != "proposed":
        raise Changed(duplicates.DECIDED)
    return row


def _merge(key: Key, *, actor: Actor, now: datetime, took_ms: int | None) -> str:
    """With the proposed values; the one linked to the books stays, else the older."""
    row = _proposed(key)
    kept = keeper([row.one_id, row.other_id])
    gone = row.other_id if kept == row.one_id else row.one_id
    names = _names(key)
    contact_merges.merge(kept, gone, chosen={}, actor=actor, now=now, took_ms=took_ms)
    return f"{names} are one contact now, with the proposed values."


def _about_customer(
    customer_id: int, act: str, match_id: int | None, *, actor: Actor, now: datetime, took_ms: int | None
) -> str:
    if act == "new":
        return matches.make_new(customer_id, actor=actor, now=now, took_ms=took_ms).text
    mine = (Match.id == match_id, Match.customer_id == customer_id)
    if db.session.scalar(select(Match.id).where(*mine)) is None:
        raise Changed(matches.DECIDED)
    deeds: dict[str, Any] = {
        "same": matches.confirm, "apart": matches.reject, "household": households.join_by_match,
    }  # fmt: skip
    return str(deeds[act](match_id or 0, actor=actor, now=now, took_ms=took_ms).text)


def _skip(key: Key, *, actor: Actor, now: datetime, took_ms: int | None) -> str:
    row: Match | Duplicate
    if key.sort == "match":
        row = _best(key.id)
        ids = (key.id, row.contact_id)
    else:
        row = _proposed(key)
        ids = (row.one_id, row.other_id)
    match_log.record(
        sort=key.sort, one_id=ids[0], other_id=ids[1], outcome="skipped", automatic=False, score=row.score,
        rule=row.rule, reasons=match_log.reasons_of(row.evidence), names=_names(key), took_ms=took_ms,
        connection_id=row.connection_id, actor=actor, now=now,
    )  # fmt: skip
    return "Put off: it comes again at the end."


def _best(customer_id: int) -> Match:
    waits = (Match.customer_id == customer_id, Match.state == "proposed", Customer.match_state == "review")
    query = select(Match).join(Customer, Customer.id == Match.customer_id).where(*waits)
    found: Match | None = db.session.scalar(query.order_by(Match.rank, Match.id).limit(1))
    if found is None:
        raise Changed(matches.DECIDED)
    return found


def _names(key: Key) -> str:
    session = db.session()
    if key.sort == "match":
        customer = session.get(Customer, key.id)
        return f"“{customer.display_name}”" if customer else ""
    pair = session.get(Duplicate, key.id)
    model: Any = Contact if key.sort == "contact" else Customer
    both = [session.get(model, id_) for id_ in (pair.one_id, pair.other_id)] if pair else []
    return match_log.pair_names(*(one.display_name if one else "gone by now" for one in both)) if both else ""
