"""Vendors and bills of the books into their rows, many at once.

One that is new here gets its row and its link; one nobody has changed here becomes what the books say, whole; of one
that was changed here too only what the books alone say is kept, and `merging` decides about the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import purchase_fields
from crm.domain.records import Refusal
from crm.models import Bill, BillPayment, Link, Vendor
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import refuse
from crm.services.sync.merge import conflicts
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.customers import is_older
from crm.services.sync.mirror.stored import as_stored, exceeds
from crm.services.sync.purchases import payments, rows
from crm.services.sync.purchases.comparing import MODELS
from crm.services.sync.work import BY_RULE, Batch

LINKS, VENDORS, BILLS = table_of(Link), table_of(Vendor), table_of(Bill)
PART = 500
NEW: Mapping[str, dict[str, Any]] = {"vendor": {"edited_at": None}, "bill": {"edited_at": None, "payments": []}}
COLUMNS: Mapping[str, Any] = {"vendor": rows.vendor, "bill": rows.bill}


def take(batch: Batch, kind: str, records: Sequence[Any]) -> None:
    """The one way in. What our columns cannot hold is refused with a line in the log; a reading older than what stands
    here is passed over."""
    for part in chunks([record for record in records if not _refused(batch, kind, record)], PART):
        _take(batch, kind, list({record.origin.remote_id: record for record in part}.values()))


def _take(batch: Batch, kind: str, records: Sequence[Any]) -> None:
    session, table = batch.session, table_of(MODELS[kind])
    known = _known(session, table, batch.books.id, [record.origin.remote_id for record in records])
    new: list[tuple[Any, dict[str, Any]]] = []
    whole: list[tuple[Any, dict[str, Any], Any]] = []
    kept: list[tuple[Any, dict[str, Any], Any]] = []
    seen: list[dict[str, Any]] = []
    for record in records:
        said, old = rows.theirs(batch, record), known.get(record.origin.remote_id)
        if is_older(said, old):
            continue
        if old is None:
            new.append((record, said))
        elif said["content_hash"] == old.content_hash:
            seen.append({"id": old.id, "version": said["version"], "seen_at": batch.now, "seen_run_id": batch.run_id})
        else:
            (kept if old.edited_at is not None else whole).append((record, said, old))
    owners = owners_of(batch, [record for record in records if kind == "bill"])
    update_by_id(session, table, seen)
    update_by_id(session, table, [{"id": old.id, **said, "updated_at": batch.now} for _, said, old in kept])
    _make(batch, kind, new, owners)
    _write(batch, kind, whole, owners)
    batch.count(f"{kind}_unchanged", len(records) - len(new) - len(whole) - len(kept))
    batch.count(f"{kind}_new", len(new))
    batch.count(f"{kind}_changed", len(whole) + len(kept))
    forget(session)


def _known(session: Session, table: Any, connection_id: int, remote_ids: Sequence[str]) -> dict[str, Any]:
    columns = (table.c.id, table.c.remote_id, table.c.content_hash, table.c.version, table.c.remote_updated_at,
               table.c.gone_at, table.c.edited_at, table.c.lock)  # fmt: skip
    mine = (table.c.connection_id == connection_id, table.c.remote_id.in_(remote_ids))
    found = session.execute(select(*columns).where(*mine).order_by(table.c.id).with_for_update())
    return {row.remote_id: row for row in found}


def _make(batch: Batch, kind: str, new: Sequence[tuple[Any, dict[str, Any]]], owners: Mapping[str, int]) -> None:
    if not new:
        return
    session, table = batch.session, table_of(MODELS[kind])
    paid = payments.of_bills(batch, [record for record, _ in new]) if kind == "bill" else {}
    values = []
    for record, said in new:
        row = NEW[kind] | _columns(kind, record, owners) | said | {
            "connection_id": batch.books.id, "remote_id": record.origin.remote_id, "lock": 1,
            "created_at": record.origin.created_at or batch.now, "updated_at": batch.now,
        }  # fmt: skip
        if kind == "bill":
            row["payments"] = paid.get(record.origin.remote_id, [])
        values.append(row)
    ids = list(session.scalars(insert(table).returning(table.c.id, sort_by_parameter_order=True), values))
    session.execute(insert(LINKS), [
        link_row(batch, kind, id_, record, by=BY_RULE) for id_, (record, _) in zip(ids, new, strict=True)
    ])  # fmt: skip
    if kind == "vendor":
        _bring_bills(batch, {record.origin.remote_id: id_ for id_, (record, _) in zip(ids, new, strict=True)})


def _write(
    batch: Batch, kind: str, whole: Sequence[tuple[Any, dict[str, Any], Any]], owners: Mapping[str, int]
) -> None:
    """Each becomes what the books say."""
    update_by_id(batch.session, table_of(MODELS[kind]), [
        {"id": old.id, **_columns(kind, record, owners), **said, "updated_at": batch.now, "edited_at": None,
         "lock": old.lock + 1}
        for record, said, old in whole
    ])  # fmt: skip
    agree(batch, kind, {old.id: record for record, _, old in whole})


def agree(batch: Batch, kind: str, records: Mapping[int, Any]) -> None:
    """Our id -> the record that both sides say now."""
    for part in chunks(sorted(records), PART):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.local_id.in_(part))
        found = batch.session.execute(select(Link.id, Link.local_id).where(*mine)).all()
        update_by_id(batch.session, LINKS, [
            {"id": row.id, "version": records[row.local_id].origin.version, "state": state_of(records[row.local_id]),
             "base": purchase_fields.keys(records[row.local_id]), "synced_at": batch.now}
            for row in found
        ])  # fmt: skip


def take_whole(batch: Batch, kind: str, records: Mapping[int, Any]) -> None:
    """Our id -> the record: nothing of ours is left of these, they become what the books say."""
    table = table_of(MODELS[kind])
    owners = owners_of(batch, list(records.values()) if kind == "bill" else [])
    update_by_id(batch.session, table, [
        {"id": id_, **_columns(kind, record, owners), "edited_at": None, "updated_at": batch.now}
        for id_, record in records.items()
    ])  # fmt: skip
    agree(batch, kind, records)
    forget(batch.session)


def _columns(kind: str, record: Any, owners: Mapping[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = COLUMNS[kind](record)
    return made | {"vendor_id": owners.get(record.vendor.remote_id)} if kind == "bill" else made


def link_row(batch: Batch, kind: str, local_id: int, record: Any, *, by: str) -> dict[str, Any]:
    return {
        "connection_id": batch.books.id, "kind": kind, "local_id": local_id, "remote_id": record.origin.remote_id,
        "version": record.origin.version, "state": state_of(record), "written_hash": "", "merged_from": "",
        "base": purchase_fields.keys(record), "left": {}, "run_id": batch.run_id, "linked_at": batch.now,
        "linked_by": by[:254], "synced_at": batch.now,
    }  # fmt: skip


def state_of(record: Any) -> str:
    return "linked" if getattr(record, "active", True) else "inactive"


def owners_of(batch: Batch, bills: Sequence[Any]) -> dict[str, int]:
    """Vendor there -> ours."""
    ids = {bill.vendor.remote_id for bill in bills}
    mine = (Vendor.connection_id == batch.books.id, Vendor.remote_id.in_(ids))
    return {row.remote_id: row.id for row in batch.session.execute(select(Vendor.remote_id, Vendor.id).where(*mine))}


def _bring_bills(batch: Batch, vendors: Mapping[str, int]) -> None:
    """Bills that came in before their vendor."""
    mine = (Bill.connection_id == batch.books.id, Bill.vendor_id.is_(None), Bill.vendor_remote_id.in_(list(vendors)))
    found = batch.session.execute(select(Bill.id, Bill.vendor_remote_id).where(*mine).order_by(Bill.id)).all()
    update_by_id(batch.session, BILLS, [{"id": row.id, "vendor_id": vendors[row.vendor_remote_id]} for row in found])


def gone(batch: Batch, kind: str, gone_rows: Sequence[Any]) -> None:
    """These are not in the books any more: their rows stay as evidence, in no list and no figure."""
    session, ids = batch.session, [row.id for row in gone_rows]
    update_by_id(session, table_of(MODELS[kind]), [
        {"id": id_, "gone_at": batch.now, "content_hash": "", "edited_at": None, "updated_at": batch.now} for id_ in ids
    ])  # fmt: skip
    for part in chunks(ids, PART):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.local_id.in_(part))
        session.execute(update(LINKS).where(*mine).values(state="gone"))
        conflicts.settle(session, batch.books.id, kind, part, now=batch.now)
    forget(session)


def merged(batch: Batch, survivor: str, loser: str) -> None:
    """A vendor went into another one there, with its bills."""
    owners = select(Vendor.id).where(Vendor.connection_id == batch.books.id, Vendor.remote_id == survivor)
    mine = (BILLS.c.connection_id == batch.books.id, BILLS.c.vendor_remote_id == loser)
    moved = {"vendor_remote_id": survivor, "vendor_id": batch.session.scalar(owners)}
    batch.session.execute(update(BILLS).where(*mine).values(moved))
    forget(batch.session)


def unite(batch: Batch, kind: str, local_id: int, remote_id: str) -> None:
    """Our row is the one of the books of this id. A row of its own that it has meanwhile gives way: its bills, link and
    what the books said of it go to ours."""
    table, session = table_of(MODELS[kind]), batch.session
    other = session.execute(
        select(table).where(table.c.connection_id == batch.books.id, table.c.remote_id == remote_id,
                            table.c.id != local_id).with_for_update()
    ).one_or_none()  # fmt: skip
    given: dict[str, Any] = {"remote_id": remote_id, "connection_id": batch.books.id}
    if other is not None:
        names = (
            "version",
            "record",
            "content_hash",
            "remote_updated_at",
            "seen_at",
            "seen_run_id",
            "balance",
            "currency",
        )
        given |= {name: getattr(other, name) for name in names}
        if kind == "vendor":
            session.execute(update(BILLS).where(BILLS.c.vendor_id == other.id).values(vendor_id=local_id))
        mine = (LINKS.c.connection_id == batch.books.id, LINKS.c.kind == kind, LINKS.c.local_id == other.id)
        session.execute(update(LINKS).where(*mine).values(local_id=local_id))
        session.execute(table.delete().where(table.c.id == other.id))
    session.execute(update(table).where(table.c.id == local_id).values(given))
    forget(session)


def _refused(batch: Batch, kind: str, record: Any) -> bool:
    if not any(exceeds(getattr(record, name, None)) for name in ("balance", "total")):
        return False
    name = getattr(record, "display_name", "") or getattr(record, "number", "") or record.origin.remote_id
    reason = f"{kind.capitalize()} {name} cannot be kept: an amount has more digits than money can have."
    refuse(batch, Refusal(kind, record.origin.remote_id, reason, as_stored(record)))
    return True


def forget(session: Session, models: Collection[Any] = (Vendor, Bill, BillPayment)) -> None:
    """What the session remembers of these is old now."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, tuple(models)):
            session.expire(loaded)
