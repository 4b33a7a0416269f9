"""The API's operations about vendors: read, made, changed, taken out of use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import vendor_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.db import transaction
from crm.domain import purchases
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.purchase_filters import VendorFilters
from crm.domain.purchases import PLACE, VendorValues
from crm.queries import api_purchases as queries
from crm.services import invoice_drafts
from crm.services import vendors as service
from crm.web import problem


@operation(
    blueprint, "GET", "/vendors", summary="Vendors, a page at a time", scope="read",
    answer=schemas.VendorPage, query=schemas.VendorQuery,
)  # fmt: skip
def list_vendors(query: schemas.VendorQuery) -> schemas.VendorPage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    filters = VendorFilters(q=query.q.strip(), owed=query.owed, active="all" if query.inactive else "")
    rows = queries.vendors(
        filters, after=_read_cursor(query.cursor) or 0, limit=query.limit + 1,
        today=invoice_drafts.today(clock.now()), updated_since=query.updated_since,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    cursor = _cursor(page[-1].vendor.id) if more else None
    return schemas.VendorPage(data=[_vendor(row) for row in page], next_cursor=cursor)


@operation(
    blueprint, "GET", "/vendors/<int:vendor_id>", summary="One vendor", scope="read",
    answer=schemas.Vendor, refusals=(404,),
)  # fmt: skip
def get_vendor(vendor_id: int) -> schemas.Vendor:
    return _vendor(_found(vendor_id))


@operation(
    blueprint, "POST", "/vendors", summary="A new vendor", scope="write",
    answer=schemas.Vendor, status=201, body=schemas.NewVendor, refusals=(409,),
)  # fmt: skip
def create_vendor(body: schemas.NewVendor) -> schemas.Vendor | Response:
    values = _values({}, body.model_dump(exclude_none=True))
    try:
        with transaction() as session:
            made = service.create(session, values, actor=g.actor, now=clock.now())
    except Invalid as wrong:
        return _unfit(wrong)
    return _vendor(_found(made.id))


@operation(
    blueprint, "PATCH", "/vendors/<int:vendor_id>", summary="Change what is named of a vendor", scope="write",
    answer=schemas.Vendor, body=schemas.VendorChange, refusals=(404, 409),
)  # fmt: skip
def change_vendor(vendor_id: int, body: schemas.VendorChange) -> schemas.Vendor | Response:
    given = body.model_dump(exclude={"lock", "active"}, exclude_unset=True)
    values = _values(asdict(purchases.vendor_of(_found(vendor_id).vendor)), given)
    now, lock = clock.now(), body.lock
    try:
        with transaction() as session:
            if given:
                lock = service.change(session, vendor_id, values, lock=lock, actor=g.actor, now=now).lock
            if body.active is not None:
                turn = service.reactivate if body.active else service.deactivate
                turn(session, vendor_id, lock=lock, actor=g.actor, now=now)
    except (Changed, NotFound):
        raise
    except Refused as refused:
        return _unfit(refused)
    return _vendor(_found(vendor_id))


def _values(before: dict[str, str], given: dict[str, Any]) -> VendorValues:
    """The texts are cleaned as those of a form are; null empties."""
    return purchases.read_vendor(before | {name: text or "" for name, text in given.items()})


def _unfit(refused: Refused) -> Response:
    """The request is one we understand, and what is there already stands against it: a name taken, money owed."""
    fields = refused.fields if isinstance(refused, Invalid) else {}
    return problem(409, "Not possible as things stand", str(refused), errors=fields)


def _found(vendor_id: int) -> queries.VendorRow:
    row = queries.vendor(vendor_id)
    if row is None:
        raise NotFound(f"There is no vendor {vendor_id}.")
    return row


def _vendor(row: queries.VendorRow) -> schemas.Vendor:
    vendor, link = row.vendor, row.link
    plain = [name for name in schemas.Vendor.model_fields if name not in (*PLACE, "quickbooks")]
    there = None if link is None else schemas.VendorLink(
        connection_id=link.connection_id, vendor_id=link.remote_id, sync_version=link.version, state=link.state,
        as_of=vendor.seen_at,
    )  # fmt: skip
    values = {name: getattr(vendor, name) for name in plain} | {name: vendor.address.get(name, "") for name in PLACE}
    return schemas.Vendor(**values, quickbooks=there)
