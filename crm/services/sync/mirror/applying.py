"""What was read of the books, applied in one transaction: mirror, links, contacts, documents, money facts.

The one way in beside an import, with the same building blocks: `intake` brings what events asked for, `sweep` what the
books said had changed. Each object gets its outcome by comparing contents: the same content as before is `unchanged`,
the content our last write left there is our `echo`. Versions decide nothing: they stand still where balances move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from crm.domain.records import Record, Ref, Refusal
from crm.domain.runs import LISTS, LIVE
from crm.models import Customer, Link, Sweep, SyncRun
from crm.services.identity_keys import chunks
from crm.services.sync.imports import links
from crm.services.sync.imports.fetch import Fetch, Names, refuse
from crm.services.sync.mirror import customers, kinds, merges, money, newcomers
from crm.services.sync.mirror.kinds import INCOMING, Key, kind_of
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.work import Batch

PART = 500


@dataclass(slots=True)
class Reading:
    """What the books answered: every object once, and the bodies that could not be read."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[Key, Refusal] = field(default_factory=dict)

    def add(self, records: Iterable[Record], refusals: Iterable[Refusal] = ()) -> None:
        for record in records:
            self.records.setdefault(kind_of(record), {})[record.origin.remote_id] = record
        for refusal in refusals:
            self.refusals[refusal.kind, refusal.remote_id] = refusal

    def of(self, kind: str) -> list[Any]:
        return list(self.records.get(kind, {}).values())

    def holds(self, kind: str, remote_id: str) -> bool:
        return remote_id in self.records.get(kind, {}) or (kind, remote_id) in self.refusals


@dataclass(slots=True)
class Applied:
    """What became of it."""

    outcomes: dict[Key, str] = field(default_factory=dict)
    """`changed`, `unchanged`, `echo` or `refused`."""
    moved: set[Key] = field(default_factory=set)
    """What stands here now and did not before, whoever wrote it."""
    new: set[Key] = field(default_factory=set)
    """Of these, what was not known here at all."""
    merged: dict[Key, merges.Followed] = field(default_factory=dict)
    """(survivor, loser) -> what became of that merge."""
    waiting: bool = False
    """New customers were left undecided for now: one of our own writes may be the one that made them."""


def learn_names(fetch: Fetch, reading: Reading) -> None:
    """Have a name for every reference, before the transaction opens: a list is read where one is missing."""
    refs: list[tuple[str, Ref | None]] = []
    for kind, one in INCOMING.items():
        refs += one.refs(reading.of(kind))
    fetch.names.learn(fetch, refs)


def lock(batch: Batch) -> None:
    """One at a time per company: an import's page holds its run, we hold that and the company's sweep."""
    runs = select(SyncRun.id).where(SyncRun.connection_id == batch.books.id, SyncRun.state.in_(LIVE))
    batch.session.execute(runs.order_by(SyncRun.id).with_for_update()).all()
    sweep = select(Sweep.connection_id).where(Sweep.connection_id == batch.books.id)
    batch.session.execute(sweep.with_for_update()).all()


def apply(
    batch: Batch,
    reading: Reading,
    names: Names,
    *,
    merged: Sequence[Key] = (),
    others_merged: Sequence[tuple[str, str, str]] = (),
) -> Applied:
    """Bring all of it in. `merged`: pairs of customers (survivor, loser) of which the loser is no more;
    `others_merged`: (kind, survivor, loser) of other kinds."""
    applied = Applied()
    before = {kind: INCOMING[kind].hashes(batch.session, batch.books.id, found)
              for kind, found in reading.records.items()}  # fmt: skip
    for key in reading.refusals:
        refuse(batch, reading.refusals[key])
        applied.outcomes[key] = "refused"
    names.store(batch)
    for kind in LISTS:
        INCOMING[kind].take(batch, reading.of(kind), names)
    moved = _customers(batch, reading, names, applied, merged)
    owners = _owners(batch, reading)
    owners |= {one.contact_id for one in applied.merged.values() if one.contact_id is not None}
    for one in kinds.in_order():
        moved |= set(one.take(batch, reading.of(one.kind), names))
    for kind, survivor, loser in others_merged:
        INCOMING[kind].merged(batch, survivor, loser)
    _compare(batch, reading, before, applied)
    moved |= {remote_id for kind, remote_id in applied.moved if kind == "customer"}
    if moved:
        settle_trees(batch, moved, owners)
    for one in kinds.in_order():
        kinds.bring_in_step(batch, one, reading.of(one.kind))
    return applied


def _customers(batch: Batch, reading: Reading, names: Names, applied: Applied, merged: Sequence[Key]) -> set[str]:
    """Customers with their tree, merges and newcomers; answers the ids whose contact may be another now."""
    records = reading.of("customer")
    parented = select(Customer.id).where(
        Customer.connection_id == batch.books.id, Customer.parent_remote_id.is_not(None),
        Customer.remote_id.in_([record.origin.remote_id for record in records]),
    )  # fmt: skip
    grown = any(record.parent_id for record in records) or bool(batch.session.scalars(parented.limit(1)).all())
    INCOMING["customer"].take(batch, records, names)
    if grown:
        customers.set_roots(batch)
    touched: set[str] = set()
    for survivor, loser in merged:
        applied.merged[survivor, loser] = merges.follow(batch, survivor, loser)
        touched |= {survivor, loser}
    decided = newcomers.decide_now(batch, [record.origin.remote_id for record in records])
    applied.waiting = decided.waits
    return touched | set(decided.remote_ids)


def _compare(batch: Batch, reading: Reading, before: Mapping[str, Mapping[str, str]], applied: Applied) -> None:
    """The outcome of each object, by content."""
    for kind, found in reading.records.items():
        written = _written(batch, kind, list(found))
        after = INCOMING[kind].hashes(batch.session, batch.books.id, found)
        for remote_id, record in found.items():
            read, old = content_hash(as_stored(record)), before[kind].get(remote_id)
            if written.get(remote_id) == read:
                outcome = "echo"
            elif old == read:
                outcome = "unchanged"
            elif after.get(remote_id) == read:
                outcome = "changed"
            else:  # not what stands here now: it cannot be kept, or was read before what stands here
                outcome = "unchanged" if after.get(remote_id) == old and old else "refused"
            applied.outcomes[kind, remote_id] = outcome
            if old != read == after.get(remote_id):
                applied.moved.add((kind, remote_id))
                applied.new |= {(kind, remote_id)} if old is None else set()


def _written(batch: Batch, kind: str, remote_ids: Sequence[str]) -> dict[str, str]:
    """What our last write left, by remote id."""
    found: dict[str, str] = {}
    for part in chunks(remote_ids, PART):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(part))
        rows = batch.session.execute(select(Link.remote_id, Link.written_hash).where(*mine, Link.written_hash != ""))
        found |= {remote_id: digest for remote_id, digest in rows}
    return found


# --- to whose contact it belongs ------------------------------------------------------------------------------


def _owners(batch: Batch, reading: Reading) -> set[int]:
    """Contacts that the documents which were read stand at now: they may lose them."""
    owners: set[int] = set()
    for one in kinds.in_order():
        if one.mirror is not None and one.mirror.of_customers:
            ids = list(reading.records.get(one.kind, {}))
            owners |= set(one.mirror.contacts(batch.session, batch.books.id, ids).values())
    return owners


def settle_trees(batch: Batch, remote_ids: Iterable[str], owners: Iterable[int] = ()) -> list[int]:
    """Jobs, documents and payments of these customers to their contacts, and the figures of those and of `owners`."""
    session, mine = batch.session, Customer.connection_id == batch.books.id
    contacts = set(owners)
    roots: set[str] = set()
    for part in chunks(sorted(set(remote_ids)), PART):
        roots |= set(session.scalars(select(Customer.root_remote_id).where(mine, Customer.remote_id.in_(part))))
    for part in chunks(sorted(roots - {""}), PART):
        tree = select(Customer.remote_id).where(mine, Customer.root_remote_id.in_(part))
        links.spread(session, Customer, batch.books.id, Customer.root_remote_id.in_(part))
        for model in links.OWNED:
            links.spread(session, model, batch.books.id, model.customer_remote_id.in_(tree))
        shown = select(Customer.contact_id).where(mine, Customer.root_remote_id.in_(part))
        contacts |= set(session.scalars(shown.where(Customer.contact_id.is_not(None)).distinct()))
    money.refresh(session, batch.books, sorted(contacts), now=batch.now)
    return sorted(contacts)
