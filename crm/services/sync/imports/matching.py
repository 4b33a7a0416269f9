"""Who among our contacts is which customer of the books: candidates by key, decisions by `domain/matching`.

`decide_page` compares one page of undecided customers with the few contacts that share a key and keeps each decision as
draft rows in `matches`; `settle_claims` then makes the claims one-to-one over all pages, so that the outcome does not
depend on their order; `links` applies them. Cost grows with the number of records: per page a fixed number of
statements, and never more than MOST candidates per customer.

Drafts are matches in state `draft_same` (the chosen one), `draft` (candidate for a person) and `draft_apart` (nearest
one that is another); pages never show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, union, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.identity import Identity, telling
from crm.domain.matching import RULE_TEXTS, RULES, Decision, Outcome, Scored, Settings, decide, settle
from crm.models import Customer, IdentityKey, Link, Match
from crm.queries import households, match_settings
from crm.services.identity_keys import KEYS, chunks, contact_identities, customer_identity
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.mirror.customers import undecided, waiting
from crm.services.sync.plans import importing
from crm.services.sync.work import END, Batch, Books, Page, Work

PAGE = 500
CROWD = {"p:": 60, "e:": 60}
CROWD_OTHER = 12
"""A key that more contacts hold finds nobody: it says too little, and would make the work quadratic. A name, company or
address held by so many decides nothing alone (`evidence.COMMON`), and what makes it count is a key as well."""
MOST = 25
ASKED = 500
"""Values in one IN. SQLite's driver keeps every prepared statement it meets, over a hundred of them: with thousands of
values each, they cost a worker 60 MB in a long import."""
DRAFTS = ("draft_same", "draft", "draft_apart")
MATCHES = table_of(Match)
OUTCOMES = {rule.name: rule.outcome for rule in RULES}
INACTIVE_HANDICAP = 100
"""An inactive customer gives way to an active one that wants the same contact: often it is its old double."""


def decide_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """Decide about the next customers and keep the decisions as drafts."""
    after = int(cursor or 0)
    with work.page() as page:
        session = page.session
        if cursor is None:
            page.note(settings=match_settings.standing(session).version)
            importing.offer_again(page)
            page.note(total=waiting(session, work.books.id))
            drafts = (MATCHES.c.connection_id == work.books.id, MATCHES.c.state.in_(DRAFTS))
            session.execute(delete(MATCHES).where(*drafts, MATCHES.c.customer_id.not_in(importing.held(work.books.id))))
        customers = session.execute(
            select(Customer.id, Customer.record)
            .where(*undecided(work.books.id), Customer.id > after)
            .order_by(Customer.id)
            .limit(PAGE)
        ).all()
        draft(page, {row.id: row.record for row in customers})
        last = customers[-1].id if len(customers) == PAGE else None
        return page.reached(str(last) if last else None, done=len(customers))


def draft(batch: Batch, records: Mapping[int, Any]) -> None:
    """Decide about these customers (id -> stored record) and keep the decisions as drafts, in place of older ones."""
    session = batch.session
    session.execute(
        delete(MATCHES).where(MATCHES.c.customer_id.in_(list(records)), MATCHES.c.state.in_((*DRAFTS, "proposed")))
    )
    decisions = decisions_about(session, batch.books, records, settings=settings_of(batch))
    rows = [row for id_, decision in decisions.items() for row in _drafts(batch, id_, decision)]
    if rows:
        session.execute(insert(MATCHES), rows)


def settings_of(batch: Batch) -> Settings:
    """One version decides a whole import: the one in force when it began to compare. Elsewhere the one in force now."""
    version = batch.run.progress.get("match", {}).get("settings") if isinstance(batch, Page) else None
    if version is None:
        return match_settings.current(batch.session)
    return match_settings.of_version(batch.session, version)


def decisions_about(
    session: Session, books: Books, records: Mapping[int, Any], *, settings: Settings | None = None
) -> dict[int, Decision]:
    """Customer (id, with its stored record) -> which contact it is, each judged by itself. Reads only.

    `settings`: None asks for those in force. Members of a household are nobody's candidates: their bill-to is the
    customer.
    """
    ids = list(records)
    keys: dict[int, list[str]] = {}
    for owner, key in session.execute(
        select(KEYS.c.owner_id, KEYS.c.key).where(KEYS.c.owner_kind == "customer", KEYS.c.owner_id.in_(ids))
    ):
        keys.setdefault(owner, []).append(key)
    frequency, useful = _frequencies(session, {key for own in keys.values() for key in own})
    holders = _holders(session, useful)
    rejected: dict[int, set[int]] = {}
    for part in chunks(ids, PAGE):
        for row in session.execute(
            select(Match.customer_id, Match.contact_id).where(Match.customer_id.in_(part), Match.state == "rejected")
        ):
            rejected.setdefault(row.customer_id, set()).add(row.contact_id)
    members = households.payers({contact for held in holders.values() for contact in held})
    holders = {key: [contact for contact in held if contact not in members] for key, held in holders.items()}
    found = {id_: _candidates(keys.get(id_, ()), holders) for id_ in ids}
    identities: dict[int, Identity] = {}
    for part in chunks(sorted({contact for candidates in found.values() for contact in candidates}), ASKED):
        identities |= contact_identities(session, part)
    settings = settings or match_settings.current(session)
    return {
        id_: decide(
            customer_identity(str(id_), records[id_], books.region),
            [identities[contact] for contact in found[id_] if contact in identities],
            frequency=frequency,
            apart=frozenset(str(contact) for contact in rejected.get(id_, ())),
            settings=settings,
        )
        for id_ in ids
    }


def _frequencies(session: Session, keys: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """How many records of both sides hold each key, and the keys by which to look for contacts."""
    frequency: Counter[str] = Counter()
    useful: list[str] = []
    for part in chunks(sorted(keys), ASKED):
        for key, kind, number in session.execute(
            select(KEYS.c.key, KEYS.c.owner_kind, func.count())
            .where(KEYS.c.key.in_(part))
            .group_by(KEYS.c.key, KEYS.c.owner_kind)
        ):
            frequency[key] += number
            if kind == "contact" and number <= CROWD.get(key[:2], CROWD_OTHER):
                useful.append(key)
    return frequency, useful


def _holders(session: Session, keys: Iterable[str]) -> dict[str, list[int]]:
    holders: dict[str, list[int]] = {}
    for part in chunks(sorted(keys), ASKED):
        for key, owner in session.execute(
            select(IdentityKey.key, IdentityKey.owner_id).where(
                IdentityKey.key.in_(part), IdentityKey.owner_kind == "contact"
            )
        ):
            holders.setdefault(key, []).append(owner)
    return holders


def _candidates(keys: Iterable[str], holders: Mapping[str, Sequence[int]]) -> list[int]:
    """Contacts that share a key, up to MOST: who shares what few hold comes before all others on a crowded line."""
    shared: Counter[int] = Counter()
    for key in keys:
        held = holders.get(key, ())
        for contact in held:
            shared[contact] += telling(len(held))
    return [contact for contact, _ in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]]


def _drafts(batch: Batch, customer_id: int, decision: Decision) -> list[dict[str, Any]]:
    if decision.outcome is Outcome.SAME:
        kept = [("draft_same", decision.candidates[0])]
        kept += [("draft", other) for other in decision.candidates[1:] if other.outcome is not Outcome.APART]
    elif decision.outcome is Outcome.DOUBTFUL:
        kept = [("draft", scored) for scored in decision.candidates if scored.outcome is not Outcome.APART]
    else:
        kept = [("draft_apart", scored) for scored in decision.candidates[:1]]
    return [
        {
            "connection_id": batch.books.id,
            "customer_id": customer_id,
            "contact_id": int(scored.key),
            "state": state,
            "rank": rank,
            "score": scored.score,
            "rule": scored.rule,
            "evidence": [{"reason": e.reason, "text": e.text, "points": e.points} for e in scored.evidence],
            "decided_by": RULE_TEXTS[decision.rule][:254],
            "decided_at": batch.now,
            "run_id": batch.run_id,
        }
        for rank, (state, scored) in enumerate(kept)
    ]


def settle_claims(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """Contacts that several customers want, or that are linked already: the better claim stays, the rest wait."""
    with work.page() as page:
        number = settle_drafts(page)
        page.note(total=number)
        return page.reached(END, done=number)


def settle_drafts(batch: Batch, customer_ids: Sequence[int] | None = None) -> int:
    """The same for the drafts of these customers (None: of all), in one go; answers how many claims were compared."""
    session = batch.session
    mine = MATCHES.c.connection_id == batch.books.id
    if customer_ids is not None:
        mine = and_(mine, MATCHES.c.customer_id.in_(customer_ids))
    settings = settings_of(batch)
    claims = select(MATCHES.c.contact_id).where(mine, MATCHES.c.state == "draft_same")
    wants = and_(mine, or_(MATCHES.c.state == "draft_same", _kept_back(settings)))
    linked = select(Link.local_id).where(Link.connection_id == batch.books.id, Link.kind == "customer")
    wanted_twice = select(MATCHES.c.contact_id).where(wants).group_by(MATCHES.c.contact_id).having(func.count() > 1)
    conflicted = union(wanted_twice, claims.where(MATCHES.c.contact_id.in_(linked))).subquery()
    decisions: dict[str, Decision] = {}
    contacts: set[int] = set()
    for row in session.execute(
        select(MATCHES.c.customer_id, MATCHES.c.contact_id, MATCHES.c.score, MATCHES.c.state, MATCHES.c.rule,
               Customer.active)
        .join(Customer, Customer.id == MATCHES.c.customer_id)
        .where(wants, MATCHES.c.contact_id.in_(select(conflicted.c.contact_id)))
    ):  # fmt: skip
        score = row.score - (0 if row.active else INACTIVE_HANDICAP)
        decisions[str(row.customer_id)] = _claim(row, score)
        contacts.add(row.contact_id)
    decisions |= taken_claims(session, batch.books.id, contacts)
    lost = [int(key) for key, settled in settle(decisions, settings=settings).items()
            if settled.rule == "contested" and key.isdigit()]  # fmt: skip
    for part in chunks(sorted(lost), 1000):
        session.execute(
            update(MATCHES)
            .where(mine, MATCHES.c.customer_id.in_(part), MATCHES.c.state.in_(("draft_same", "draft")))
            .values(state="draft", decided_by=RULE_TEXTS["contested"])
        )
    return len(decisions)


def _kept_back(settings: Settings) -> ColumnElement[bool]:
    """Drafts that only the settings keep from being links: they want their contact all the same (`matching.settle`)."""
    usual = [name for name, outcome in OUTCOMES.items() if outcome is Outcome.SAME]
    stricter = [name for name in usual if settings.outcomes.get(name, Outcome.SAME) is not Outcome.SAME]
    few = and_(MATCHES.c.rule.in_(usual), MATCHES.c.score < (settings.least_score or 0))
    fits = MATCHES.c.decided_by != RULE_TEXTS["two_fit"][:254]
    return and_(MATCHES.c.state == "draft", MATCHES.c.rank == 0, fits, or_(MATCHES.c.rule.in_(stricter), few))


def _claim(row: Any, score: int) -> Decision:
    if row.state == "draft_same":
        return Decision(Outcome.SAME, score, "", str(row.contact_id), (), ())
    wanted = Scored(str(row.contact_id), Outcome.DOUBTFUL, score, row.rule, ())
    return Decision(Outcome.DOUBTFUL, score, row.rule, None, (), (wanted,))


def taken_claims(session: Session, connection_id: int, contact_ids: Iterable[int]) -> dict[str, Decision]:
    """Links that stand, as claims nobody can beat: what `settle` needs to know of contacts that are not free."""
    taken: dict[str, Decision] = {}
    for part in chunks(sorted(contact_ids), 1000):
        for contact in session.scalars(
            select(Link.local_id).where(
                Link.connection_id == connection_id, Link.kind == "customer", Link.local_id.in_(part)
            )
        ):
            taken[f"linked:{contact}"] = Decision(Outcome.SAME, 10_000, "", str(contact), (), ())
    return taken


def still_doubtful(
    session: Session, connection_id: int, drafts: Mapping[int, Sequence[Any]], *, settings: Settings | None = None
) -> set[int]:
    """Of customers with candidates, those a person must see; the candidates of the others found their own match."""
    contacts = {row.contact_id for rows in drafts.values() for row in rows}
    decisions = taken_claims(session, connection_id, contacts)
    for part in chunks(sorted(contacts), 1000):
        for row in session.execute(
            select(MATCHES.c.contact_id, MATCHES.c.customer_id).where(
                MATCHES.c.connection_id == connection_id,
                MATCHES.c.state == "draft_same",
                MATCHES.c.contact_id.in_(part),
            )
        ):
            decisions[f"claimed:{row.contact_id}"] = Decision(Outcome.SAME, 9_000, "", str(row.contact_id), (), ())
    for id_, rows in drafts.items():
        candidates = tuple(Scored(str(r.contact_id), OUTCOMES[r.rule], r.score, r.rule, ()) for r in rows)
        decisions[str(id_)] = Decision(Outcome.DOUBTFUL, rows[0].score, rows[0].rule, None, (), candidates)
    settled = settle(decisions, settings=settings or match_settings.current(session))
    return {id_ for id_ in drafts if settled[str(id_)].outcome is Outcome.DOUBTFUL}
