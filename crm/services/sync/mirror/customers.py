"""Customers of the books into the mirror, and their tree.

`read_page` takes one page: new and changed rows are written with their identity keys, unchanged ones only marked as
seen. A linked customer that changed enriches its contact at once. What a complete read did not see is left to `gone`.
`grow_tree` finds the top of each sub-customer and project; they are no strangers and
never become contacts of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.identity import identity_keys
from crm.domain.records import CustomerRecord, Ref, Refusal
from crm.models import Connection, Customer, Link
from crm.services import duplicates
from crm.services.identity_keys import chunks, customer_identity, replace_keys
from crm.services.sync.imports.fetch import Fetch, Names, refuse
from crm.services.sync.imports.holding import hold
from crm.services.sync.merge.enrich import Linked, enrich_linked, touch
from crm.services.sync.mirror.bulk import update_by_id, upsert
from crm.services.sync.mirror.stored import as_stored, content_hash, exceeds
from crm.services.sync.work import END, Batch, Work

TABLE = table_of(Customer)
KNOWN = (
    Customer.id, Customer.remote_id, Customer.content_hash, Customer.version, Customer.match_state, Customer.contact_id,
    Customer.remote_updated_at, Customer.gone_at,
)  # fmt: skip
DEEPEST = 20
"""QuickBooks allows five levels; more is a circle."""


def read_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """One page of customers, inactive ones included. No count is asked for: it would be one call too many."""
    remote = fetch.scan("customer", cursor)
    records = list({record.origin.remote_id: record for record in remote.records
                    if isinstance(record, CustomerRecord)}.values())  # fmt: skip
    fetch.names.learn(fetch, refs(records))
    with work.page() as page:
        if cursor is None:
            page.note(total=_expected(page.session, work.books.id))
        fetch.names.store(page)
        for refusal in remote.refusals:
            refuse(page, refusal)
        take(page, records, fetch.names)
        reached = page.reached(remote.cursor, done=len(remote.records) + len(remote.refusals))
        if remote.cursor is None:
            page.note(total=page.run.progress[page.run.step]["done"])
        return reached


def _expected(session: Session, connection_id: int) -> int | None:
    """About how many there will be: as many as are mirrored, or as the books held when they were connected."""
    here = session.scalar(
        select(func.count()).where(Customer.connection_id == connection_id, Customer.gone_at.is_(None))
    )
    there = session.scalar(select(Connection.customers_there).where(Connection.id == connection_id))
    return max(here or 0, there or 0) or None


def refs(records: Iterable[CustomerRecord]) -> list[tuple[str, Ref | None]]:
    kinds = ("term", "customer_type")
    return [pair for r in records for pair in zip(kinds, (r.terms, r.customer_type), strict=True)]


def take(batch: Batch, records: Sequence[CustomerRecord], names: Names) -> list[int]:
    """Bring these records to the mirror and to the contacts they are linked to; answers the contacts that changed.

    The one way in, whoever read them. Unreadable amounts are refused with a line in the log; the rest goes on.
    """
    return _store(batch, [record for record in records if not _refused(batch, record)], names)


def _refused(batch: Batch, record: CustomerRecord) -> bool:
    if not (exceeds(record.balance) or exceeds(record.balance_with_jobs)):
        return False
    reason = "Customer cannot be kept: Balance has more digits than an amount of money can have."
    refuse(batch, Refusal("customer", record.origin.remote_id, reason, as_stored(record)))
    return True


def _store(batch: Batch, records: Sequence[CustomerRecord], names: Names) -> list[int]:
    session = batch.session
    ids = [record.origin.remote_id for record in records]
    ours = (Customer.connection_id == batch.books.id, Customer.remote_id.in_(ids))
    known = {row.remote_id: row for row in session.execute(select(*KNOWN).where(*ours))}
    rows = [_row(batch, record, names) for record in records]
    older = {row["remote_id"] for row in rows if is_older(row, known.get(row["remote_id"]))}
    _mark_seen(batch, [known[remote_id].id for remote_id in older])
    rows = [row for row in rows if row["remote_id"] not in older]
    moved = [row for row in rows if _differs(row, known.get(row["remote_id"]), "content_hash")]
    written = [row for row in rows if _differs(row, known.get(row["remote_id"]), "content_hash", "version")]
    fresh = {row["remote_id"] for row in written}
    _mark_seen(batch, [row.id for remote_id, row in known.items() if remote_id not in fresh and remote_id not in older])
    upsert(
        session, TABLE, written, by=("connection_id", "remote_id"), keep=("match_state", "contact_id", "root_remote_id")
    )
    batch.count("unchanged", len(rows) - len(moved))
    batch.count("customers_new", sum(1 for row in moved if row["remote_id"] not in known))
    batch.count("customers_changed", sum(1 for row in moved if row["remote_id"] in known))
    _renew_links(batch, [row for row in written if row["remote_id"] in known])
    set_link_states(session, batch.books.id, [row["remote_id"] for row in moved])
    return _after_change(batch, moved, known) if moved else []


def _differs(row: dict[str, Any], known: Any, *names: str) -> bool:
    return known is None or any(row[name] != getattr(known, name) for name in names)


def is_older(row: Mapping[str, Any], known: Any) -> bool:
    """Whether what stands here was read after this was: two workers may read an object and store it in the other order.

    The books' time moves with every change of an object; what came back after it was gone is always news.
    """
    now, before = row["remote_updated_at"], known.remote_updated_at if known is not None else None
    return bool(now and before and now < before and known.gone_at is None)


def set_link_states(session: Session, connection_id: int, remote_ids: Sequence[str]) -> None:
    """`links.state` anew from the mirror, for the links of these customers."""
    here = select(Customer.id).where(Customer.connection_id == Link.connection_id, Customer.remote_id == Link.remote_id)
    gone, active = exists(here.where(Customer.gone_at.is_not(None))), exists(here.where(Customer.active.is_(True)))
    state = case((gone, "gone"), (active, "linked"), else_="inactive")
    for part in chunks(remote_ids, 500):
        session.execute(
            update(Link)
            .where(Link.connection_id == connection_id, Link.kind == "customer", Link.remote_id.in_(part),
                   Link.state != state)
            .values(state=state)
            .execution_options(synchronize_session=False)
        )  # fmt: skip


def _mark_seen(batch: Batch, ids: Sequence[int]) -> None:
    if ids:
        seen = {"seen_at": batch.now, "seen_run_id": batch.run_id}
        batch.session.execute(update(TABLE).where(TABLE.c.id.in_(ids)).values(seen))


def _row(batch: Batch, record: CustomerRecord, names: Names) -> dict[str, Any]:
    stored = as_stored(record)
    return {
        "connection_id": batch.books.id,
        "remote_id": record.origin.remote_id,
        "version": record.origin.version,
        "parent_remote_id": record.parent_id,
        "root_remote_id": record.origin.remote_id if record.parent_id is None else "",
        "display_name": record.display_name[:500],
        "full_path": record.full_path or record.display_name,
        "active": record.active,
        "is_project": record.is_project,
        "customer_type": names.of("customer_type", record.customer_type)[:120],
        "terms": names.of("term", record.terms)[:120],
        "tax_status": tax_status(record)[:120],
        "currency": (record.currency or batch.books.currency)[:3],
        "balance": record.balance,
        "balance_with_jobs": record.balance_with_jobs,
        "record": stored,
        "content_hash": content_hash(stored),
        "remote_updated_at": record.origin.updated_at,
        "seen_at": batch.now,
        "seen_run_id": batch.run_id,
        "gone_at": None,
        "match_state": "new" if record.parent_id is None else "job",
        "contact_id": None,
    }


def tax_status(record: CustomerRecord) -> str:
    """In words: "Taxable", "Exempt (Resale)", "Exempt (resale no. MO-1)"; empty where the books do not say."""
    if record.taxable is None:
        return ""
    if record.taxable:
        return "Taxable"
    number = f"resale no. {record.resale_number}" if record.resale_number else ""
    reasons = ", ".join(text for text in (record.tax_exemption, number) if text)
    return f"Exempt ({reasons})" if reasons else "Exempt"


def _after_change(batch: Batch, moved: Sequence[dict[str, Any]], known: dict[str, Any]) -> list[int]:
    """Keys anew; linked contacts enriched; those that waited or were passed over are looked at again."""
    session = batch.session
    ours = (Customer.connection_id == batch.books.id, Customer.remote_id.in_([row["remote_id"] for row in moved]))
    ids = {row.remote_id: row.id for row in session.execute(select(Customer.id, Customer.remote_id).where(*ours))}
    keys = {
        ids[row["remote_id"]]: identity_keys(customer_identity("", row["record"], batch.books.region))
        for row in moved
        if row["parent_remote_id"] is None
    }
    lost = replace_keys(session, "customer", keys, list(ids.values()))
    duplicates.note(session, "customer", list(ids.values()), lost=lost, now=batch.now)
    if not known:
        return []
    again = [
        ids[row["remote_id"]]
        for row in moved
        if row["parent_remote_id"] is None
        and (old := known.get(row["remote_id"])) is not None
        and old.match_state in ("review", "ignored", "job")
    ]
    update_by_id(session, TABLE, [{"id": id_, "match_state": "new", "contact_id": None} for id_ in again])
    linked = [
        Linked(
            known[row["remote_id"]].contact_id, row["remote_id"], row["record"], row["active"], row["remote_updated_at"]
        )
        for row in moved
        if (old := known.get(row["remote_id"])) is not None and old.match_state == "linked" and old.contact_id
    ]
    if batch.holds_contacts:
        hold(batch, linked)
        return []
    changed = enrich_linked(session, linked, books=batch.books, now=batch.now)
    batch.count("filled", len(changed))
    return sorted(changed)


def _renew_links(batch: Batch, rows: Sequence[dict[str, Any]]) -> None:
    """Links hold the version that a later write must name: it moves even where nothing we map has changed."""
    versions = {row["remote_id"]: row["version"] for row in rows}
    for part in chunks(versions, 500):
        found = batch.session.execute(
            select(Link.id, Link.remote_id, Link.local_id).where(
                Link.connection_id == batch.books.id, Link.kind == "customer", Link.remote_id.in_(part)
            )
        ).all()
        changes = [{"id": row.id, "version": versions[row.remote_id], "synced_at": batch.now} for row in found]
        update_by_id(batch.session, table_of(Link), changes)
        touch(batch.session, [row.local_id for row in found], now=batch.now)


def grow_tree(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """The top of every sub-customer and project, in one go: only rows that have a parent are looked at."""
    with work.page() as page:
        number = set_roots(page)
        page.note(total=number)
        page.run.counts = {**page.run.counts, "jobs": number}
        return page.reached(END, done=number)


def set_roots(batch: Batch) -> int:
    """The same in an open transaction; answers how many have a parent."""
    session, mine = batch.session, Customer.connection_id == batch.books.id
    children = session.execute(
        select(Customer.id, Customer.remote_id, Customer.parent_remote_id, Customer.root_remote_id,
               Customer.match_state).where(mine, Customer.parent_remote_id.is_not(None)).order_by(Customer.id)
    ).all()  # fmt: skip
    parents = {row.remote_id: row.parent_remote_id for row in children}
    changes = []
    for row in children:
        root, state = _top(row.remote_id, parents), row.match_state if row.match_state == "linked" else "job"
        if (root, state) != (row.root_remote_id, row.match_state):
            changes.append({"id": row.id, "root_remote_id": root, "match_state": state})
    update_by_id(session, TABLE, changes)
    session.execute(
        update(TABLE)
        .where(TABLE.c.connection_id == batch.books.id, TABLE.c.parent_remote_id.is_(None),
               TABLE.c.root_remote_id != TABLE.c.remote_id)
        .values(root_remote_id=TABLE.c.remote_id)
    )  # fmt: skip
    return len(children)


def _top(remote_id: str, parents: dict[str, str]) -> str:
    top = remote_id
    for _ in range(DEEPEST):
        if top not in parents:
            return top
        top = parents[top]
    return remote_id


def waiting(session: Any, connection_id: int) -> int:
    """How many customers no decision was made about yet."""
    return session.scalar(select(func.count()).select_from(Customer).where(*undecided(connection_id))) or 0


def undecided(connection_id: int) -> tuple[Any, ...]:
    return (
        Customer.connection_id == connection_id,
        Customer.match_state == "new",
        Customer.parent_remote_id.is_(None),
    )
