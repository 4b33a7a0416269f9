"""Decisions become links: the same are linked and enriched, the apart become new contacts, the doubtful wait.

`apply_page` takes the drafts of `matching` page by page; `attach` is the same for one customer, when a person decided.
`spread_page` puts jobs, documents and payments to the contact of their customer. Every link keeps its evidence in
`matches` and an entry on the contact's timeline. No contact is ever removed or overwritten here.

A customer that is inactive in the books and fits no contact is kept in the mirror as `ignored`, not made a contact,
unless money is still open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.identity import identity_keys
from crm.domain.matching import RULE_TEXTS
from crm.models import Contact, ContactPoint, Customer, Document, Link, Match, Payment, Receipt, SalesDocument
from crm.services import automation, duplicates, match_log, timeline
from crm.services.audit import Actor
from crm.services.identity_keys import chunks, customer_identity, replace_keys
from crm.services.sync.imports import images
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.imports.matching import DRAFTS, MATCHES, settings_of, still_doubtful
from crm.services.sync.merge.enrich import Linked, enrich_linked, touch
from crm.services.sync.merge.enrich_told import Outcome
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.contact_rows import contact_row, point_row
from crm.services.sync.mirror.customers import undecided, waiting
from crm.services.sync.work import Batch, Books, Work

PAGE = 500
SPREAD = 20_000
CONTACTS, CUSTOMERS, LINKS = table_of(Contact), table_of(Customer), table_of(Link)
NEEDED = (
    Customer.id, Customer.remote_id, Customer.version, Customer.display_name, Customer.active, Customer.record,
    Customer.balance, Customer.balance_with_jobs,
)  # fmt: skip


def apply_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """Carry out the decisions about the next customers."""
    after = int(cursor or 0)
    with work.page() as page:
        session = page.session
        if cursor is None:
            page.note(total=waiting(session, work.books.id))
        customers = session.execute(
            select(*NEEDED).where(*undecided(work.books.id), Customer.id > after).order_by(Customer.id).limit(PAGE)
        ).all()
        carry_out(page, customers)
        last = customers[-1].id if len(customers) == PAGE else None
        return page.reached(str(last) if last else None, done=len(customers))


def carry_out(batch: Batch, customers: Sequence[Any]) -> None:
    """The same for these customers (rows of NEEDED), whose decisions stand as drafts."""
    session, books = batch.session, batch.books
    drafts: dict[int, list[Any]] = {}
    mine = (MATCHES.c.customer_id.in_([row.id for row in customers]), MATCHES.c.state.in_(DRAFTS))
    for row in session.execute(select(MATCHES).where(*mine).order_by(MATCHES.c.rank)):
        drafts.setdefault(row.customer_id, []).append(row)
    taken = _linked_contacts(session, books.id, [row.contact_id for rows in drafts.values() for row in rows])
    same, unsure, apart = [], {}, []
    for customer in customers:
        rows = drafts.get(customer.id, [])
        if rows and rows[0].state == "draft_same" and rows[0].contact_id not in taken:
            same.append((customer, rows[0]))
        elif rows and rows[0].state != "draft_apart":
            unsure[customer.id] = rows
        else:
            apart.append((customer, rows))
    doubtful = still_doubtful(session, books.id, unsure, settings=settings_of(batch)) if unsure else set()
    for customer in customers:
        if customer.id in unsure and customer.id not in doubtful:
            apart.append((customer, drafts[customer.id]))
    review = [customer for customer in customers if customer.id in doubtful]
    _link_same(batch, same)
    _keep_for_person(batch, review, unsure)
    _apart(batch, apart)


# --- the same -------------------------------------------------------------------------------------------------


def _link_same(batch: Batch, pairs: Sequence[tuple[Any, Any]]) -> None:
    if not pairs:
        return
    session, books, now = batch.session, batch.books, batch.now
    session.execute(insert(LINKS), [
        link_row(books.id, customer, match.contact_id, by=match.decided_by, now=now, run_id=batch.run_id)
        for customer, match in pairs
    ])  # fmt: skip
    update_by_id(session, MATCHES, [{"id": match.id, "state": "linked", "rank": 0} for _, match in pairs])
    drop_drafts(session, [customer.id for customer, _ in pairs])
    update_by_id(session, CUSTOMERS, [
        {"id": customer.id, "match_state": "linked", "contact_id": match.contact_id} for customer, match in pairs
    ])  # fmt: skip
    timeline.add_many([
        timeline.row(
            match.contact_id, verb="linked", actor=books.actor, now=now,
            summary=f"Linked to QuickBooks customer “{customer.display_name}”: {match.decided_by}.",
        )
        for customer, match in pairs
    ])  # fmt: skip
    linked = [
        Linked(match.contact_id, customer.remote_id, customer.record, customer.active) for customer, match in pairs
    ]
    outcomes: list[Outcome] = []
    batch.count("filled", len(enrich_linked(session, linked, books=books, now=now, outcomes=outcomes)))
    images.keep(batch, outcomes, {match.contact_id: customer.remote_id for customer, match in pairs})
    touch(session, [match.contact_id for _, match in pairs], now=now)
    _log(batch, pairs)
    batch.count("linked", len(pairs))


def _log(batch: Batch, pairs: Sequence[tuple[Any, Any]]) -> None:
    """These links were made by rules alone."""
    session = batch.session
    query = select(Contact.id, Contact.display_name).where(Contact.id.in_([match.contact_id for _, match in pairs]))
    called = {id_: name for id_, name in session.execute(query)}
    match_log.record_many(session, [
        match_log.row(
            sort="match", one_id=customer.id, other_id=match.contact_id, outcome="same", automatic=True,
            score=match.score, rule=match.rule, reasons=match_log.reasons_of(match.evidence),
            names=match_log.pair_names(customer.display_name, called.get(match.contact_id, "")),
            connection_id=batch.books.id, decided_by=match.decided_by, now=batch.now,
        )
        for customer, match in pairs
    ])  # fmt: skip


def link_row(
    connection_id: int,
    customer: Any,
    contact_id: int,
    *,
    by: str,
    now: datetime,
    run_id: int | None,
    base: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The link of a customer (row or object) and a contact. Without a base `enrich_linked` finds what both agree on."""
    return {
        "connection_id": connection_id,
        "kind": "customer",
        "local_id": contact_id,
        "remote_id": customer.remote_id,
        "version": customer.version,
        "base": dict(base or {}),
        "run_id": run_id,
        "linked_at": now,
        "linked_by": by[:254],
        "synced_at": now,
    }  # fmt: skip


# --- the doubtful ---------------------------------------------------------------------------------------------


def _keep_for_person(batch: Batch, customers: Sequence[Any], drafts: Mapping[int, Sequence[Any]]) -> None:
    """Nothing is merged and nothing created; but the old double of an active customer troubles nobody."""
    contested = RULE_TEXTS["contested"]
    ignored = [c for c in customers if not (c.active or _is_open(c)) and drafts[c.id][0].decided_by == contested]
    _ignore(batch, ignored, "It is inactive in QuickBooks, and another customer fits the contact as well or better.")
    passed = {customer.id for customer in ignored}
    ids = [customer.id for customer in customers if customer.id not in passed]
    session = batch.session
    for part in chunks(ids, PAGE):
        session.execute(
            update(MATCHES)
            .where(MATCHES.c.customer_id.in_(part), MATCHES.c.state.in_(("draft", "draft_same")))
            .values(state="proposed")
        )
    update_by_id(session, CUSTOMERS, [{"id": id_, "match_state": "review", "contact_id": None} for id_ in ids])
    refresh_link_states(session, [row.contact_id for id_ in ids for row in drafts[id_]], now=batch.now)
    batch.count("review", len(ids))


def refresh_link_states(session: Session, contact_ids: Iterable[int], *, now: datetime) -> None:
    """`contacts.link_state` anew from links and open proposals, for these contacts; touched where it changes."""
    link = and_(Link.kind == "customer", Link.local_id == Contact.id)
    customer = and_(Customer.connection_id == Link.connection_id, Customer.remote_id == Link.remote_id)
    proposal = and_(Match.contact_id == Contact.id, Match.state == "proposed", Customer.match_state == "review")
    active = exists(select(Link.id).join(Customer, customer).where(link, Customer.active.is_(True)))
    proposed = exists(select(Match.id).join(Customer, Customer.id == Match.customer_id).where(proposal))
    state = case(
        (active, "linked"), (exists(select(Link.id).where(link)), "inactive"), (proposed, "review"), else_="none"
    )
    for part in chunks(sorted(set(contact_ids)), 1000):
        session.execute(
            update(Contact)
            .where(Contact.id.in_(part), Contact.link_state != state)
            .values(link_state=state, updated_at=now)
            .execution_options(synchronize_session=False)
        )


# --- the apart ------------------------------------------------------------------------------------------------


def _apart(batch: Batch, pairs: Sequence[tuple[Any, Sequence[Any]]]) -> None:
    passed = [customer for customer, _ in pairs if not customer.active and not _is_open(customer)]
    _ignore(batch, passed, "It is inactive in QuickBooks, owes nothing and fits no contact.")
    without = {customer.id for customer in passed}
    new = [(customer, rows) for customer, rows in pairs if customer.id not in without]
    create_contacts(batch.session, batch.books, new, now=batch.now, run_id=batch.run_id)
    batch.count("created", len(new))


def create_contacts(
    session: Session,
    books: Books,
    pairs: Sequence[tuple[Any, Sequence[Any]]],
    *,
    now: datetime,
    run_id: int | None,
    actor: Actor | None = None,
) -> list[int]:
    """A new contact for each customer (given with the drafts of what was nearest), linked. Answers their ids."""
    if not pairs:
        return []
    customers = [customer for customer, _ in pairs]
    theirs = [shared_fields.read(customer.record, books.region) for customer in customers]
    lines = [shared_fields.unique_lines(read) for read in theirs]
    rows = [contact_row(c.record, own, active=c.active, now=now) for c, own in zip(customers, lines, strict=True)]
    made = list(session.scalars(insert(CONTACTS).returning(CONTACTS.c.id, sort_by_parameter_order=True), rows))
    points = [
        point_row(id_, line, place) for id_, own in zip(made, lines, strict=True) for place, line in enumerate(own)
    ]
    if points:
        session.execute(insert(table_of(ContactPoint)), points)
    identities = [customer_identity("", customer.record, books.region) for customer in customers]
    keys = {id_: identity_keys(one) for id_, one in zip(made, identities, strict=True)}
    lost = replace_keys(session, "contact", keys, made)
    drop_drafts(session, [customer.id for customer in customers])
    who = actor.label if actor else ""
    nearest = [rows[0].contact_id for _, rows in pairs if rows]
    shown = {
        id_: name
        for id_, name in session.execute(select(Contact.id, Contact.display_name).where(Contact.id.in_(nearest)))
    }
    evidence = [_evidence_apart(rows, shown) for _, rows in pairs]
    session.execute(insert(MATCHES), [
        {"connection_id": books.id, "customer_id": c.id, "contact_id": id_, "state": "linked", "rank": 0, "score": 0,
         "rule": "created", "evidence": why, "decided_by": who or "a new contact: nobody here fits",
         "decided_at": now, "run_id": run_id}
        for id_, c, why in zip(made, customers, evidence, strict=True)
    ])  # fmt: skip
    by = who or "made from the customer"
    session.execute(insert(LINKS), [
        link_row(books.id, c, id_, by=by, now=now, run_id=run_id, base=read.keys())
        for id_, c, read in zip(made, customers, theirs, strict=True)
    ])  # fmt: skip
    update_by_id(session, CUSTOMERS, [
        {"id": c.id, "match_state": "linked", "contact_id": id_} for id_, c in zip(made, customers, strict=True)
    ])  # fmt: skip
    timeline.add_many([
        timeline.row(id_, verb="created", actor=actor or books.actor, now=now,
                     summary=f"Made from QuickBooks customer “{c.display_name}”.")
        for id_, c in zip(made, customers, strict=True)
    ])  # fmt: skip
    if run_id is not None:
        automation.hold(made, source=automation.QUICKBOOKS, source_id=run_id, now=now)
    duplicates.note(session, "contact", made, lost=lost, now=now)
    return made


def _evidence_apart(rows: Sequence[Any], shown: Mapping[int, str]) -> list[dict[str, Any]]:
    """Why nobody of ours was it: nobody shared a key, or the nearest one and what spoke against it."""
    if not rows:
        return [{"reason": "nobody", "text": RULE_TEXTS["nobody"], "points": 0}]
    text = f"nearest contact is “{shown.get(rows[0].contact_id, 'gone by now')}”: {rows[0].decided_by}"
    return [{"reason": "nearest", "text": text, "points": rows[0].score}, *rows[0].evidence]


def _ignore(batch: Batch, customers: Sequence[Any], reason: str) -> None:
    if not customers:
        return
    ids = [customer.id for customer in customers]
    drop_drafts(batch.session, ids)
    update_by_id(batch.session, CUSTOMERS, [{"id": id_, "match_state": "ignored", "contact_id": None} for id_ in ids])
    for customer in customers:
        batch.log("customer_ignored", f"“{customer.display_name}” was not made a contact. {reason}", kind="customer",
                 remote_id=customer.remote_id)  # fmt: skip
    batch.count("ignored", len(ids))


def _is_open(customer: Any) -> bool:
    return bool(customer.balance) or bool(customer.balance_with_jobs)


def drop_drafts(session: Session, customer_ids: Sequence[int]) -> set[int]:
    """What was proposed for these customers, or about to be, is no more. Answers the contacts in question."""
    contacts: set[int] = set()
    for part in chunks(customer_ids, PAGE):
        open_ones = (MATCHES.c.customer_id.in_(part), MATCHES.c.state.in_((*DRAFTS, "proposed")))
        contacts |= set(session.scalars(delete(MATCHES).where(*open_ones).returning(MATCHES.c.contact_id)))
    return contacts


def _linked_contacts(session: Session, connection_id: int, contact_ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(set(contact_ids)), 1000):
        found |= set(session.scalars(
            select(Link.local_id).where(
                Link.connection_id == connection_id, Link.kind == "customer", Link.local_id.in_(part)
            )
        ))  # fmt: skip
    return found


# --- jobs and documents ---------------------------------------------------------------------------------------


OWNED: tuple[Any, ...] = (Document, Payment, SalesDocument, Receipt)
"""Tables whose rows stand at the contact of the customer they name (`customer_remote_id`, `contact_id`)."""


def spread_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """Jobs, documents and payments go to the contact of their customer. The cursor is `part:id`."""
    part, _, after = (cursor or "0:0").partition(":")
    mirrors = (Customer, *OWNED)
    model = mirrors[int(part)]
    with work.page() as page:
        low = int(after)
        mine = model.connection_id == work.books.id
        if cursor is None:
            page.note(total=sum(_number(page.session, m, m.connection_id == work.books.id) for m in mirrors))
        next_ids = select(model.id).where(mine, model.id > low).order_by(model.id).limit(SPREAD).subquery()
        last = page.session.scalar(select(func.max(next_ids.c.id)))
        if last is None:
            following = int(part) + 1
            return page.reached(f"{following}:0" if following < len(mirrors) else None)
        number = _number(page.session, model, mine, model.id > low, model.id <= last)
        spread(page.session, model, work.books.id, model.id > low, model.id <= last)
        return page.reached(f"{part}:{last}", done=number)


def _number(session: Session, model: Any, *where: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def spread(session: Session, model: Any, connection_id: int, *where: Any) -> None:
    """Set `contact_id` of jobs (model Customer), or of rows of OWNED, from their customer's, where it differs."""
    owner = CUSTOMERS.alias("owner")
    if model is Customer:
        found = owner.c.remote_id == model.root_remote_id
        where = (*where, model.match_state == "job")
    else:
        found = owner.c.remote_id == model.customer_remote_id
        where = (*where, model.customer_remote_id != "")  # what was made here stands where a person put it
    contact = select(owner.c.contact_id).where(owner.c.connection_id == connection_id, found).scalar_subquery()
    if model is Customer:
        contact = select(owner.c.contact_id).where(
            owner.c.connection_id == connection_id, found, owner.c.match_state == "linked"
        ).scalar_subquery()  # fmt: skip
    session.execute(
        update(model)
        .where(model.connection_id == connection_id, *where, model.contact_id.is_distinct_from(contact))
        .values(contact_id=contact)
        .execution_options(synchronize_session=False)
    )


def spread_tree(session: Session, connection_id: int, root_remote_id: str) -> None:
    """The same for one customer's tree, after a person linked or unlinked it."""
    tree = select(CUSTOMERS.c.remote_id).where(
        CUSTOMERS.c.connection_id == connection_id, CUSTOMERS.c.root_remote_id == root_remote_id
    )
    spread(session, Customer, connection_id, Customer.root_remote_id == root_remote_id)
    for model in OWNED:
        spread(session, model, connection_id, model.customer_remote_id.in_(tree))
