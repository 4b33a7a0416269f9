"""Vendors and bills held against the books: what stands on both sides, and what to do.

`merging` carries it out on the way in, the outbox kind on the way out, a person's decision starts from it: all with the
same base, policies and edits, and a fixed number of statements for a page of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import merging, purchase_fields
from crm.domain.directions import DIRECTIONS, Direction
from crm.domain.merging import Merged, left_alone
from crm.domain.policies import ASK, QUICKBOOKS, emptied
from crm.domain.record_documents import BillRecord
from crm.domain.records import VendorRecord
from crm.models import Bill, Customer, Item, Link, ListEntry, Vendor
from crm.queries import households
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.comparing import edits_of
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.purchases import records
from crm.services.sync.purchases.records import Known
from crm.services.sync.work import Books

MODELS: Mapping[str, Any] = {"vendor": Vendor, "bill": Bill}
SHAPES: Mapping[str, Any] = {"vendor": VendorRecord, "bill": BillRecord}
MADE: Mapping[str, Any] = {"vendor": records.vendor, "bill": records.bill}


@dataclass(frozen=True, slots=True)
class Held:
    row: Any
    """Row of the vendor or bill."""
    link: Any
    """Row of the link; None: the books do not hold it."""
    ours: Any
    """The record that the books shall hold."""
    theirs: Any
    """The record they hold; None where they do not, or it is gone there."""
    merged: Merged | None
    """None without theirs."""
    edited: Mapping[str, datetime | None]
    waiting: bool
    """An outbox entry still absorbs edits."""
    direction: Direction


def held(
    session: Session, books: Books, kind: str, ids: Sequence[int], *, chosen: Sequence[str] = ()
) -> dict[int, Held]:  # fmt: skip
    """Each of these, locked. `chosen`: fields of which a person took theirs, an empty one too."""
    session.flush()
    table = table_of(MODELS[kind])
    query = select(table).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
    rows = {row.id: row for row in session.execute(query)}
    linked = (Link.connection_id == books.id, Link.kind == kind, Link.local_id.in_(ids))
    links = {row.local_id: row for row in session.execute(select(table_of(Link)).where(*linked))}
    known = known_of(session, books.id, kind, list(rows.values()))
    edits, asked = edits_of(session, books.id, kind, ids), conflicts.undecided(session, books.id, kind, ids)
    setting = settings.current(session, books.id, kind)
    direction, found = DIRECTIONS[setting.direction], {}
    for id_, row in rows.items():
        there = from_stored(SHAPES[kind], row.record) if row.remote_id and row.gone_at is None else None
        ours, link, mine, open_ = MADE[kind](row, there, known), links.get(id_), edits.get(id_), asked.get(id_, {})
        edited = {name: at for name, at in open_.items() if at is not None} | dict(mine.moments if mine else {})
        merged = None
        if link is not None and there is not None:
            # What a person was asked about stays theirs to decide, until both sides agree by themselves.
            rules = {**setting.policies, **dict.fromkeys(open_, ASK), **{emptied(name): ASK for name in open_},
                     **{emptied(name): QUICKBOOKS for name in chosen}}  # fmt: skip
            merged = merging.merge(
                link.base, purchase_fields.keys(ours), purchase_fields.keys(there), policies=rules, edited=edited,
                theirs_at=there.origin.updated_at,
            )  # fmt: skip
            if not direction.comes_in:
                merged = left_alone(merged, link.base, [name for name in merged.taken if name not in chosen])
        found[id_] = Held(row, link, ours, there, merged, edited, bool(mine and mine.waiting), direction)
    return found


def known_of(session: Session, connection_id: int, kind: str, rows: Sequence[Any]) -> Known:
    """What lines and vendors name, in the words of the books."""
    if kind == "vendor":
        return Known(names=_names(session, connection_id, ListEntry, [("term", row.terms) for row in rows]))
    lines = [line for row in rows for line in row.lines]
    products = [line["product_id"] for line in lines if line.get("product_id")]
    contacts = [line["contact_id"] for line in lines if line.get("contact_id")]
    payers = households.payers(contacts)  # whoever joined a household since has no customer of its own
    contacts += payers.values()
    vendors = [row.vendor_id for row in rows if row.vendor_id]
    items = select(Item.product_id, Item.remote_id, Item.name).where(
        Item.connection_id == connection_id, Item.gone_at.is_(None),
        Item.product_id.in_(products) | Item.remote_id.in_([line["item"] for line in lines if line["item"]]),
    )  # fmt: skip
    customers = select(Customer.contact_id, Customer.remote_id, Customer.display_name, Customer.match_state).where(
        Customer.connection_id == connection_id, Customer.gone_at.is_(None),
        Customer.contact_id.in_(contacts)
        | Customer.remote_id.in_([line["customer"] for line in lines if line["customer"]]),
    )  # fmt: skip
    sold, buyers = session.execute(items).all(), session.execute(customers).all()
    owed = session.execute(
        select(Vendor.id, Vendor.remote_id, Vendor.display_name)
        .where(Vendor.id.in_(vendors), Vendor.connection_id == connection_id, Vendor.remote_id.is_not(None))
    ).all()  # fmt: skip
    names = _names(session, connection_id, ListEntry, [("account", line["account"]) for line in lines])
    names |= {("item", row.remote_id): row.name for row in sold}
    names |= {("customer", row.remote_id): row.display_name for row in buyers}
    names |= {("vendor", row.remote_id): row.display_name for row in owed}
    linked = {row.contact_id: row.remote_id for row in buyers if row.contact_id and row.match_state == "linked"}
    linked |= {member: linked[payer] for member, payer in payers.items() if payer in linked}
    return Known(
        {row.product_id: row.remote_id for row in sold if row.product_id},
        linked,
        {row.id: row.remote_id for row in owed},
        names,
    )


def _names(
    session: Session, connection_id: int, model: type[ListEntry], wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """(kind, remote id) -> name of entries of lists."""
    ids = {remote_id for _, remote_id in wanted if remote_id}
    kinds = {kind for kind, _ in wanted}
    mine = (model.connection_id == connection_id, model.kind.in_(kinds), model.remote_id.in_(ids))
    rows = session.execute(select(model.kind, model.remote_id, model.name).where(*mine))
    return {(row.kind, row.remote_id): row.name for row in rows}
