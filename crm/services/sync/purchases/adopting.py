"""A vendor of ours that was to be created is one the books have already: both rows become one."""

from __future__ import annotations

from sqlalchemy import select

from crm.domain import purchase_fields
from crm.domain.errors import NotFound, Refused
from crm.domain.records import VendorRecord
from crm.models import Vendor
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.purchases import rows, taking
from crm.services.sync.work import Batch


def adopt(batch: Batch, vendor_id: int, remote_id: str) -> tuple[Vendor, list[str]]:
    """Answers our vendor, and its shared fields that say something: these are to be sent. What is empty here is taken.

    Raises NotFound for a vendor that is not here, Refused for one of ours that is in the books already.
    """
    mine = (Vendor.connection_id == batch.books.id, Vendor.remote_id == remote_id, Vendor.gone_at.is_(None))
    stored = batch.session.scalar(select(Vendor.record).where(*mine))
    if stored is None:
        raise NotFound("This vendor of QuickBooks is not here (any more). Import from QuickBooks, then try again.")
    ours = batch.session.get_one(Vendor, vendor_id, populate_existing=True, with_for_update=True)
    if ours.remote_id is not None:
        raise Refused(f"{ours.display_name} is in QuickBooks already.")
    taking.unite(batch, "vendor", vendor_id, remote_id)
    ours = batch.session.get_one(Vendor, vendor_id, populate_existing=True)
    said = rows.vendor(from_stored(VendorRecord, stored))
    kept = []
    for name in purchase_fields.TITLES["vendor"]:
        if getattr(ours, name):
            kept.append(name)
        else:
            setattr(ours, name, said[name])
    ours.active = said["active"]
    ours.edited_at = ours.updated_at = batch.now
    batch.session.flush()
    return ours, kept
