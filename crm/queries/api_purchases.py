"""What the API reads of vendors and bills: a page at a time by id, each with its link to the books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain.purchase_filters import BillFilters, VendorFilters
from crm.models import Bill, Link, Vendor
from crm.queries import bills as bill_lists
from crm.queries import vendors as vendor_lists
from crm.queries.bills import Names


@dataclass(frozen=True, slots=True)
class VendorRow:
    vendor: Vendor
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class BillRow:
    bill: Bill
    vendor: str = ""
    link: Link | None = None
    lines: list[tuple[Mapping[str, Any], Names]] = field(default_factory=list)


def vendors(
    filters: VendorFilters, *, after: int, limit: int, today: date, updated_since: datetime | None = None
) -> list[VendorRow]:
    """Vendors with an id above `after`, in the order of their ids."""
    query = select(Vendor.id).where(Vendor.id > after, *vendor_lists.conditions(filters, today))
    if updated_since is not None:
        query = query.where(Vendor.updated_at >= updated_since)
    return _vendors(db.session.scalars(query.order_by(Vendor.id).limit(limit)).all())


def vendor(vendor_id: int) -> VendorRow | None:
    rows = _vendors([vendor_id])
    return rows[0] if rows else None


def bills(
    filters: BillFilters, *, after: int, limit: int, today: date, updated_since: datetime | None = None
) -> list[BillRow]:
    """Bills with an id above `after`, in the order of their ids. `today` is the company's own day."""
    query = select(Bill.id).where(Bill.id > after, *bill_lists.conditions(filters, today))
    if updated_since is not None:
        query = query.where(Bill.updated_at >= updated_since)
    return _bills(db.session.scalars(query.order_by(Bill.id).limit(limit)).all())


def bill(bill_id: int) -> BillRow | None:
    rows = _bills([bill_id])
    return rows[0] if rows else None


def _vendors(ids: Sequence[int]) -> list[VendorRow]:
    query = select(Vendor).where(Vendor.id.in_(ids), Vendor.gone_at.is_(None)).order_by(Vendor.id)
    links = _links("vendor", ids)
    found = db.session.scalars(query.execution_options(populate_existing=True))
    return [VendorRow(one, links.get(one.id)) for one in found]


def _bills(ids: Sequence[int]) -> list[BillRow]:
    query = (
        select(Bill, Vendor.display_name)
        .outerjoin(Vendor, Vendor.id == Bill.vendor_id)
        .where(Bill.id.in_(ids), Bill.gone_at.is_(None))
        .order_by(Bill.id)
        .execution_options(populate_existing=True)
    )
    links = _links("bill", ids)
    found = [(one, name or "") for one, name in db.session.execute(query)]
    named = bill_lists.names_of(db.session(), [one for one, _ in found])
    return [BillRow(one, name, links.get(one.id), named[one.id]) for one, name in found]


def _links(kind: str, ids: Sequence[int]) -> dict[int, Link]:
    """By id of ours; one company's link is shown, the oldest."""
    query = select(Link).where(Link.kind == kind, Link.local_id.in_(ids)).order_by(Link.id.desc())
    return {one.local_id: one for one in db.session.scalars(query)}
