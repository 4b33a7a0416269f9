"""The first steps of a proof: count, balances, aged receivables, and documents one by one where something differs.

Each is a function (hold, reading) -> how long to wait before the next one, None for not at all. A step that reads pages
keeps what it found in memory and stores it with its last page: a worker killed in between leaves a proof that begins
this step again. Documents are read only where something differs already, or when it was asked for.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm.db import db, end_reading
from crm.domain import proof as compare
from crm.domain.proof import KINDS, MONEY_KINDS, ZERO, Account, Difference, Paper
from crm.domain.records import CustomerRecord, PaymentRecord, Record
from crm.models import Connection, Proof, ProofLine
from crm.providers.accounting.base import Page
from crm.queries import proof_sides as ours
from crm.queries.sync_settings import of_connection
from crm.services.sync.proof import causes as proof_causes
from crm.services.sync.proof.work import Hold, Reading, Wait, replace_lines

# --- count ----------------------------------------------------------------------------------------------------


def count(hold: Hold, reading: Reading) -> Wait:
    """Kinds that money is made of, and others where they come in."""
    kept = of_connection(db.session(), hold.books.id)
    read = db.session.scalar(select(Connection.read_at).where(Connection.id == hold.books.id)) or {}
    kinds = [
        kind
        for kind in KINDS
        if kind in reading.port.spec.kinds
        and (kind in (*MONEY_KINDS, "customer") or (kind in read and kept[kind].allows_in))
    ]
    counts: dict[str, list[int]] = {}
    for done, kind in enumerate(kinds, start=1):
        there = reading.count(kind)
        counts[kind] = [ours.count(hold.books.id, kind), there]
        end_reading()
        reading.note(done, len(kinds), kind)
    with hold.page() as proof:
        proof.progress = {**proof.progress, "counts": counts}
    return None


# --- balances -------------------------------------------------------------------------------------------------


def customers(hold: Hold, reading: Reading) -> Wait:
    same: dict[str, Decimal] = {}
    found: list[Difference] = []
    seen: set[str] = set()
    for page in reading.scan("customer", _expected(hold, "customer")):
        theirs = {one.remote_id: one for record in page.records if (one := account(record))}
        odd = refused(page)
        found += [compare.unreadable("customer", id_, ours.accounts(hold.books.id, [id_]).get(id_)) for id_ in odd]
        seen |= {*theirs, *odd}
        found += _accounts(hold, theirs, same)
    unseen = sorted(ours.account_ids(hold.books.id) - seen)
    found += [
        one
        for here in ours.accounts(hold.books.id, unseen).values()
        for one in compare.account_differences(here, None, ZERO)
    ]
    found += facts(hold)
    end_reading()
    with hold.page() as proof:
        replace_lines(proof, found, kinds=("customer",))
        proof.progress = {**proof.progress, "balance": {name: str(amount) for name, amount in same.items()}}
    return None


def _accounts(hold: Hold, theirs: dict[str, Account], same: dict[str, Decimal]) -> list[Difference]:
    """What differs of these accounts; balances of those that agree in all are added to `same`, by currency."""
    here = ours.accounts(hold.books.id, sorted(theirs))
    computed = ours.open_by_customer(hold.books.id, sorted(theirs))
    found: list[Difference] = []
    for remote_id, there in theirs.items():
        some = compare.account_differences(here.get(remote_id), there, computed.get(remote_id, ZERO))
        found += some
        if there.balance is not None and not some:
            currency = there.currency or hold.books.currency
            same[currency] = same.get(currency, ZERO) + there.balance
    return found


def facts(hold: Hold) -> list[Difference]:
    """Contacts whose page shows something else than their invoices say."""
    return [
        Difference("customer", "", "facts", shown, said, contact_id=contact_id)
        for contact_id, shown, said in ours.stale_facts(hold.books.id)
    ]


def refused(page: Page) -> list[str]:
    """Ids of what is there and cannot be read."""
    return [refusal.remote_id for refusal in page.refusals if refusal.remote_id]


def account(record: Record) -> Account | None:
    if not isinstance(record, CustomerRecord):
        return None
    return Account(record.origin.remote_id, record.display_name, record.currency, record.balance,
                   record.balance_with_jobs, record.origin.updated_at)  # fmt: skip


# --- aged receivables -----------------------------------------------------------------------------------------


def aging(hold: Hold, reading: Reading) -> Wait:
    found, sums = aged(hold, reading)
    with hold.page() as proof:
        replace_lines(proof, found, kinds=("aging",))
        proof.progress = {**proof.progress, "aging": sums}
    return None


def aged(hold: Hold, reading: Reading) -> tuple[list[Difference], dict[str, list[str]]]:
    """Customers in a currency of their own are left out: the report is in the company's."""
    day = hold.books.today(hold.clock())
    rows = reading.receivables(day)
    shares, ends = ours.shares_of_later(hold.books.id, day=day)
    papers = {(one.kind, one.remote_id): one for one in (*ours.open_papers(hold.books.id, later_than=day), *ends)}
    here = compare.aged(papers.values(), shares, day=day)
    theirs = {row.remote_id: row.amounts for row in rows}
    people = ours.accounts(hold.books.id, sorted({*here, *theirs}))
    end_reading()
    foreign = {id_ for id_, one in people.items() if one.currency and one.currency != hold.books.currency}
    here = {id_: row for id_, row in here.items() if id_ not in foreign}
    theirs = {id_: row for id_, row in theirs.items() if id_ not in foreign}
    names = {row.remote_id: row.name for row in rows} | {id_: one.name for id_, one in people.items()}
    found = [
        proof_causes.named(one, names.get(one.remote_id, ""), people.get(one.remote_id))
        for one in compare.aging_differences(here, theirs)
    ]
    sums = {
        place: [str(sum((row.get(place, ZERO) for row in side.values()), ZERO)) for side in (here, theirs)]
        for place in compare.BUCKETS
    }
    return found, sums


# --- documents ------------------------------------------------------------------------------------------------


def documents(hold: Hold, reading: Reading) -> Wait:
    with hold.page() as proof:
        counted = any(here != there for here, there in proof.progress["counts"].values())
        wanted = proof.progress.get("thorough") or counted or _any_line(proof)
        # What the books hold of a kind that was never read differs as a whole: the figures say so, no list helps.
        proof.progress = {**proof.progress, "documents": {}}
    for kind in MONEY_KINDS if wanted else ():
        _documents(hold, reading, kind)
    return None


def _documents(hold: Hold, reading: Reading, kind: str) -> None:
    found: list[Difference] = []
    seen: set[str] = set()
    compared, same = 0, ZERO
    for page in reading.scan(kind, _expected(hold, kind)):
        theirs = {one.remote_id: one for one in map(paper, page.records)}
        odd = refused(page)
        found += [compare.unreadable(kind, id_, ours.papers(hold.books.id, kind, [id_]).get(id_)) for id_ in odd]
        here = ours.papers(hold.books.id, kind, sorted(theirs))
        for remote_id, there in theirs.items():
            some = compare.paper_differences(here.get(remote_id), there)
            found += some
            same += ZERO if some else there.total
        seen |= {*theirs, *odd}
        compared += len(theirs)
    unseen = sorted(ours.paper_ids(hold.books.id, kind) - seen)
    for mine in ours.papers(hold.books.id, kind, unseen).values():
        found += compare.paper_differences(mine, None)
    end_reading()
    with hold.page() as proof:
        replace_lines(proof, found, kinds=(kind,))
        notes = {**proof.progress["documents"], kind: {"compared": compared, "same": str(same)}}
        proof.progress = {**proof.progress, "documents": notes}


def paper(record: Any) -> Paper:
    """An invoice, credit memo or payment as the books hold it."""
    origin, customer = record.origin, record.customer.remote_id
    if isinstance(record, PaymentRecord):
        return Paper("payment", origin.remote_id, customer, record.reference, record.date, None, record.total,
                     record.unapplied, record.void, origin.updated_at)  # fmt: skip
    return Paper(record.kind, origin.remote_id, customer, record.number, record.date, record.due_date, record.total,
                 record.balance or ZERO, record.void, origin.updated_at)  # fmt: skip


def _any_line(proof: Proof) -> bool:
    return db.session.scalar(select(ProofLine.id).where(ProofLine.proof_id == proof.id).limit(1)) is not None


def _expected(hold: Hold, kind: str) -> int:
    with hold.page() as proof:
        return int(proof.progress["counts"].get(kind, [0, 0])[1])
