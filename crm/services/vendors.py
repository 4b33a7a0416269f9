"""What is done to vendors: made, changed, taken out of use and back, sent to the books.

Called by the pages inside `transaction()`. Whoever changes one says which version they saw; when it is no longer that
one, Changed is raised and nothing is written. Whether a vendor is in use is the books' word as soon as they have it: it
changes here when they have said so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.domain import purchases
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.purchases import PLACE, VENDOR_LABELS, VendorValues
from crm.models import Bill, Connection, OutboxEntry, Vendor
from crm.services import audit, sales_settings
from crm.services.audit import Actor
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.kinds import names
from crm.services.sync.purchases.rows import vendor_texts

KIND = "vendor"
CHANGED = "Somebody changed this vendor while you were editing it. Nothing of yours is lost: choose what to keep."
MISSING = "There is no such vendor. The link may be old or not complete."
GONE = "This vendor was deleted in QuickBooks. It stays here as evidence and cannot be changed."


def create(session: Session, values: VendorValues, *, actor: Actor, now: datetime) -> Vendor:
    """A new vendor; it goes to the books of the company in use. Raises Invalid with a sentence per field."""
    _refuse(problems(session, values))
    company = sales_settings.company_in_use(session)
    vendor = Vendor(connection_id=company, currency=_currency(session, company), active=True, record={}, edited_at=now,
                    created_at=now, updated_at=now)  # fmt: skip
    _give(vendor, values)
    session.add(vendor)
    session.flush()
    audit.record("vendor_created", actor=actor, now=now, subject=f"vendor:{vendor.id}",
                 summary=f"Vendor {vendor.display_name}")  # fmt: skip
    to_books(session, vendor, (), actor=actor, now=now)
    return vendor


def change(
    session: Session, vendor_id: int, values: VendorValues, *, lock: int, actor: Actor, now: datetime
) -> Vendor:  # fmt: skip
    """Raises Invalid, NotFound, Refused, Changed (carrying the vendor as it is now)."""
    vendor = held(session, vendor_id, lock)
    before = purchases.vendor_of(vendor)
    changed = purchases.vendor_changes(before, values)
    if not changed:
        return vendor
    _refuse(problems(session, values, vendor=vendor))
    _give(vendor, values)
    vendor.edited_at = vendor.updated_at = now
    session.flush()
    words = "; ".join(
        f"{VENDOR_LABELS[name]}: {old or 'empty'} → {new or 'empty'}" for name, (old, new) in changed.items()
    )
    audit.record("vendor_changed", actor=actor, now=now, subject=f"vendor:{vendor.id}",
                 summary=f"{vendor.display_name}: {words}"[:500])  # fmt: skip
    to_books(session, vendor, {"address" if name in PLACE else name for name in changed}, actor=actor, now=now)
    return vendor


def deactivate(session: Session, vendor_id: int, *, lock: int, actor: Actor, now: datetime) -> Vendor:
    """Out of use, here and in the books; bills keep it. Raises Refused while money is owed to it."""
    vendor = held(session, vendor_id, lock)
    owed = (Bill.vendor_id == vendor.id, Bill.gone_at.is_(None), Bill.balance > 0)
    if vendor.balance or session.scalar(select(Bill.id).where(*owed).limit(1)) is not None:
        raise Refused(f"{vendor.display_name} is still owed money. Pay the open bills first, then take it out of use.")
    return _in_use(session, vendor, "deactivate", actor=actor, now=now)


def reactivate(session: Session, vendor_id: int, *, lock: int, actor: Actor, now: datetime) -> Vendor:
    """Back into use. Raises Invalid where another vendor has taken its name meanwhile."""
    vendor = held(session, vendor_id, lock)
    _refuse(_taken(session, vendor.display_name, vendor=vendor))
    return _in_use(session, vendor, "reactivate", actor=actor, now=now)


def send(session: Session, vendor_id: int, *, actor: Actor, now: datetime) -> Vendor:
    """Put one into the books that was made before a company was connected."""
    vendor = held(session, vendor_id, None)
    company = sales_settings.company_in_use(session)
    if vendor.remote_id is not None:
        raise Refused(f"{vendor.display_name} is in QuickBooks already.")
    if company is None:
        raise Refused("No company is connected that vendors can be written to. Ask an admin to connect one.")
    vendor.connection_id = company
    to_books(session, vendor, (), actor=actor, now=now)
    return vendor


def problems(session: Session, values: VendorValues, *, vendor: Vendor | None = None) -> dict[str, str]:
    """Field -> sentence. Names of customers count where the vendor is not called so already."""
    wrong = purchases.vendor_problems(values)
    if "display_name" in wrong or (vendor is not None and vendor.display_name == values.display_name):
        return wrong
    return wrong | _taken(session, values.display_name, vendor=vendor)


def to_books(
    session: Session, vendor: Vendor, fields: Iterable[str], *, actor: Actor, now: datetime, operation: str = ""
) -> None:
    """Note what became of it; of one that no company knows nothing is noted."""
    if vendor.connection_id is None:
        return
    does = operation or ("update" if vendor.remote_id else "create")
    outbox.note(session, vendor.connection_id, KIND, vendor.id, operation=does, fields=tuple(sorted(fields)),
                trigger="change", actor=actor, now=now)  # fmt: skip


def is_leaving(session: Session, vendor: Vendor) -> bool:
    """Whether something of it waits to be sent."""
    mine = (OutboxEntry.kind == KIND, OutboxEntry.local_id == vendor.id, OutboxEntry.state.in_(outbox.OPEN))
    return session.scalar(select(OutboxEntry.id).where(*mine).limit(1)) is not None


def held(session: Session, vendor_id: int, lock: int | None) -> Vendor:
    """Locked, since whoever edits an object locks it before its entry in the outbox."""
    vendor = session.get(Vendor, vendor_id, populate_existing=True, with_for_update=True)
    if vendor is None:
        raise NotFound(MISSING)
    if lock is not None and vendor.lock != lock:
        raise Changed(CHANGED, current=vendor)
    if vendor.gone_at is not None:
        raise Refused(GONE)
    return vendor


def record_export(count: int, filters: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many vendors out of the house; `filters` says in words which."""
    audit.record("vendors_exported", actor=actor, now=now, summary=f"Vendors as CSV: {count:,} ({filters})")


def _in_use(session: Session, vendor: Vendor, operation: str, *, actor: Actor, now: datetime) -> Vendor:
    active = operation == "reactivate"
    if vendor.active is active:
        return vendor
    audit.record(f"vendor_{operation}d", actor=actor, now=now, subject=f"vendor:{vendor.id}",
                 summary=vendor.display_name)  # fmt: skip
    if vendor.remote_id is None:
        vendor.active, vendor.updated_at = active, now
    to_books(session, vendor, (), actor=actor, now=now, operation=operation if vendor.remote_id or not active else "")
    return vendor


def _give(vendor: Vendor, values: VendorValues) -> None:
    for name in purchases.VENDOR_FIELDS:
        if name not in PLACE:
            setattr(vendor, name, getattr(values, name))
    kept = {name: text for name, text in (vendor.address or {}).items() if name not in PLACE}
    vendor.address = kept | {name: text for name in PLACE if (text := getattr(values, name))}
    said = {
        name: getattr(vendor, name) for name in ("display_name", "company_name", "email", "account_number", "phone")
    }
    for name, text in vendor_texts(said).items():
        setattr(vendor, name, text)


def _taken(session: Session, name: str, *, vendor: Vendor | None) -> dict[str, str]:
    """Names are shared with customers and employees there, and two vendors of one name could not be told apart here."""
    mine = (Vendor.gone_at.is_(None), Vendor.id != (vendor.id if vendor else 0))
    other = session.scalar(
        select(Vendor.display_name).where(*mine, func.lower(Vendor.display_name) == name.lower()).limit(1)
    )
    if other is not None:
        return {"display_name": f"“{other}” is a vendor already. Use that one, or write another name."}
    company = vendor.connection_id if vendor is not None else sales_settings.company_in_use(session)
    holders = names.bearers(session, company or 0, [name]).get(name.lower(), [])
    for holder in (one for one in holders if one["kind"] != KIND):
        who = "an employee" if holder["kind"] == "employee" else "a customer"
        return {"display_name": f"“{holder['name']}” is {who} in QuickBooks, where no vendor can have the same name. "
                                f"Write it differently, for example “{holder['name']} (vendor)”."}  # fmt: skip
    return {}


def _currency(session: Session, company: int | None) -> str:
    return session.scalar(select(Connection.currency).where(Connection.id == company)) or ""


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise Invalid(wrong)
