"""Names that are taken: who bears one, whether that may be the same customer, and which other name is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from crm.domain.names import without_deleted
from crm.domain.records import CustomerRecord, PartyRecord, Record
from crm.domain.refusals import suffixed
from crm.domain.runs import EMPLOYEE
from crm.models import Contact, Customer, ListEntry, Vendor
from crm.services.sync.outbox.kinds.port import Park

WORDS = {"customer": "customer", "vendor": "vendor", EMPLOYEE: "employee"}


def names_of(session: Session, local_ids: Sequence[int]) -> dict[int, str]:
    """What contacts are called."""
    wanted = select(Contact.id, Contact.display_name).where(Contact.id.in_(local_ids))
    return {id_: name for id_, name in session.execute(wanted)}


def bearers(session: Session, connection_id: int, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Name in lower case -> customers, vendors and employees of the mirror that bear it, inactive ones included; those
    that are gone bear none."""
    spellings = set(names)
    wanted = {text for name in spellings for text in (name.lower(), f"{name.lower()} (deleted)")}
    if not wanted:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    asked = (session, connection_id, spellings, wanted)
    for holder in [*_customers(*asked), *_vendors(*asked), *_employees(*asked)]:
        found.setdefault(holder["name"].lower().removesuffix(" (deleted)"), []).append(holder)
    return found


def _customers(session: Session, connection_id: int, names: set[str], wanted: set[str]) -> list[dict[str, Any]]:
    columns = (Customer.remote_id, Customer.display_name, Customer.active, Customer.contact_id, Customer.match_state)
    spelled = _spelled(Customer.display_name, names, wanted)
    mine = (Customer.connection_id == connection_id, Customer.gone_at.is_(None), spelled)
    rows = session.execute(select(*columns).where(*mine).order_by(Customer.id)).all()
    people = names_of(session, [row.contact_id for row in rows if row.contact_id])
    return [
        {"kind": "customer", "remote_id": row.remote_id, "name": row.display_name, "active": row.active,
         "contact_id": row.contact_id, "contact": people.get(row.contact_id or 0, ""),
         "adoptable": row.match_state not in ("linked", "job")}
        for row in rows
    ]  # fmt: skip


def _vendors(session: Session, connection_id: int, names: set[str], wanted: set[str]) -> list[dict[str, Any]]:
    mine = (Vendor.connection_id == connection_id, Vendor.gone_at.is_(None), Vendor.remote_id.is_not(None),
            _spelled(Vendor.display_name, names, wanted))  # fmt: skip
    query = select(Vendor.remote_id, Vendor.display_name, Vendor.active).where(*mine).order_by(Vendor.id)
    return [_nobodys("vendor", row) for row in session.execute(query)]


def _employees(session: Session, connection_id: int, names: set[str], wanted: set[str]) -> list[dict[str, Any]]:
    mine = (*_of_employees(connection_id), _spelled(ListEntry.name, names, wanted))
    query = select(ListEntry.remote_id, ListEntry.name, ListEntry.active).where(*mine).order_by(ListEntry.id)
    return [_nobodys(EMPLOYEE, row) for row in session.execute(query)]


def _of_employees(connection_id: int) -> tuple[ColumnElement[bool], ...]:
    return (ListEntry.connection_id == connection_id, ListEntry.kind == EMPLOYEE)


def _spelled(column: Any, names: set[str], wanted: set[str]) -> ColumnElement[bool]:
    """SQLite's `lower` knows the letters of English alone: a name as it was typed is asked for as well."""
    return or_(func.lower(column).in_(wanted), column.in_(names))


def _nobodys(kind: str, row: Any) -> dict[str, Any]:
    """The holder of a name who is no customer: (remote id, name, active)."""
    remote_id, name, active = row
    return {"kind": kind, "remote_id": remote_id, "name": name, "active": active, "contact_id": None, "contact": "",
            "adoptable": False}  # fmt: skip


def told_as(holder: Mapping[str, Any]) -> str:
    """Who has a name, for whom it is refused: "“Acme” is a vendor in QuickBooks already."."""
    article = "an" if not holder["active"] or holder["kind"] == EMPLOYEE else "a"
    state = "" if holder["active"] else "inactive "
    return f"“{holder['name']}” is {article} {state}{WORDS[str(holder['kind'])]} in QuickBooks already."


def taken_by(
    session: Session, connection_id: int, name: str, holders: Sequence[Mapping[str, Any]], *, city: str = ""
) -> Park:
    names = {str(holder["name"]).casefold() for holder in holders}
    free = free_name(session, connection_id, name, besides=names, city=city)
    evidence = {"field": "display_name", "name": name, "suffix": free, "holders": [dict(holder) for holder in holders]}
    if not holders:
        return Park("duplicate_name", f"“{name}” is taken in QuickBooks, by whom it does not say.", evidence)
    told = "; ".join(_told(holder) for holder in holders)
    return Park("duplicate_name", f"“{name}” is taken in QuickBooks by {told}.", evidence)


def _told(holder: Mapping[str, Any]) -> str:
    state = "" if holder["active"] else "inactive "
    linked = f", linked to {holder['contact']}" if holder.get("contact") else ""
    return f"the {state}{WORDS.get(str(holder['kind']), holder['kind'])} “{holder['name']}”{linked}"


def free_name(session: Session, connection_id: int, name: str, *, besides: set[str], city: str = "") -> str:
    """A readable name that no customer, vendor or employee of the mirror bears."""
    taken: set[str] = set()
    for column, mine in (
        (Customer.display_name, (Customer.connection_id == connection_id,)),
        (Vendor.display_name, (Vendor.connection_id == connection_id,)),
        (ListEntry.name, _of_employees(connection_id)),
    ):
        like = or_(func.lower(column).startswith(name.lower(), autoescape=True),
                   column.startswith(name, autoescape=True))  # fmt: skip
        taken |= {without_deleted(text).casefold() for text in session.scalars(select(column).where(*mine, like))}
    return suffixed(name, taken | besides | {name.casefold()}, city=city)


def holders_of(session: Session, connection_id: int, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Records that were found under a name, with our contact of each customer."""
    found = [record for record in records if isinstance(record, CustomerRecord | PartyRecord)]
    ids = [record.origin.remote_id for record in found if isinstance(record, CustomerRecord)]
    mine = (Customer.connection_id == connection_id, Customer.remote_id.in_(ids))
    rows = {
        row.remote_id: row
        for row in session.execute(select(Customer.remote_id, Customer.contact_id, Customer.match_state).where(*mine))
    }
    people = names_of(session, [row.contact_id for row in rows.values() if row.contact_id])
    return [_holder(record, rows, people) for record in found]


def _holder(record: CustomerRecord | PartyRecord, rows: Mapping[str, Any], people: Mapping[int, str]) -> dict[str, Any]:
    is_customer = isinstance(record, CustomerRecord)
    row = rows.get(record.origin.remote_id) if is_customer else None
    contact_id = row.contact_id if row else None
    top = isinstance(record, CustomerRecord) and record.parent_id is None
    return {
        "kind": "customer" if isinstance(record, CustomerRecord) else record.kind,
        "remote_id": record.origin.remote_id,
        "name": record.display_name,
        "active": record.active,
        "contact_id": contact_id,
        "contact": people.get(contact_id or 0, ""),
        "adoptable": top and (row is None or row.match_state not in ("linked", "job")),
    }
