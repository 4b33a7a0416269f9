"""Names that are taken: who bears one, whether that may be the same customer, and which other name is free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.domain.records import CustomerRecord, PartyRecord, Record
from crm.domain.refusals import suffixed
from crm.models import Contact, Customer
from crm.services.sync.kinds.port import Park

WORDS = {"customer": "customer", "vendor": "vendor", "employee": "employee"}


def names_of(session: Session, local_ids: Sequence[int]) -> dict[int, str]:
    """What contacts are called."""
    wanted = select(Contact.id, Contact.display_name).where(Contact.id.in_(local_ids))
    return {id_: name for id_, name in session.execute(wanted)}


def name_is_taken(session: Session, connection_id: int, name: str, bearers: Sequence[Any], *, city: str = "") -> Park:
    """The entry waits for a person, with who bears the name as evidence. `bearers` are rows of the mirror."""
    people = names_of(session, [row.contact_id for row in bearers if row.contact_id])
    holders = [
        {"kind": "customer", "remote_id": row.remote_id, "name": row.display_name, "active": row.active,
         "contact_id": row.contact_id, "contact": people.get(row.contact_id or 0, ""),
         "adoptable": row.match_state not in ("linked", "job")}
        for row in bearers
    ]  # fmt: skip
    return taken_by(session, connection_id, name, holders, city=city)


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
    """A readable name that no customer of the mirror bears."""
    like = func.lower(Customer.display_name).startswith(name.lower(), autoescape=True)
    mine = (Customer.connection_id == connection_id, like)
    taken = {text.casefold() for text in session.scalars(select(Customer.display_name).where(*mine))}
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
