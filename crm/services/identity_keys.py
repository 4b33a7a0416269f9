"""Identity keys: the table by which matching finds the few records worth comparing.

Whoever creates or changes contacts calls `duplicates.note_contacts` in the same transaction, which calls
`refresh_contacts`; the import writes its own by `replace_keys`. Archived contacts have no keys: they are no candidates.
Everything here works on lists, with a fixed number of statements per thousand records. What a key is decides
`domain/identity.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from crm.db import db, table_of
from crm.domain.identity import Identity, Phone, identity_keys, read_address, read_emails, read_phones
from crm.domain.phones import region_of
from crm.models import Connection, Contact, ContactPoint, Customer, IdentityKey

CHUNK = 1000
KEYS = table_of(IdentityKey)
_COLUMNS = (
    Contact.id, Contact.display_name, Contact.given_name, Contact.family_name, Contact.company_name, Contact.phone,
    Contact.email, Contact.street, Contact.city, Contact.postal_code, Contact.archived_at,
)  # fmt: skip


def refresh_contacts(session: Session | None, contact_ids: Sequence[int]) -> Counter[str]:
    """Write the keys of these contacts anew, from what the open transaction holds. Ids that are gone do no harm.

    Answers the keys that were lost. Contacts are refreshed by `duplicates.note_contacts`, which finds their pairs too.
    """
    session = session or db.session()
    lost: Counter[str] = Counter()
    for ids in chunks(contact_ids, CHUNK):
        identities = contact_identities(session, ids)
        keys = {owner: identity_keys(identity) for owner, identity in identities.items()}
        lost += replace_keys(session, "contact", keys, ids)
    return lost


def refresh_customers(session: Session, customer_ids: Sequence[int]) -> Counter[str]:
    """The same of customers of the books at the top of their tree, from their mirrored records."""
    lost: Counter[str] = Counter()
    query = select(Customer.id, Customer.record, Connection.country)
    query = query.join(Connection, Connection.id == Customer.connection_id)
    for ids in chunks(customer_ids, CHUNK):
        found = session.execute(query.where(Customer.id.in_(ids)))
        keys = {row.id: identity_keys(customer_identity("", row.record, region_of(row.country or ""))) for row in found}
        lost += replace_keys(session, "customer", keys, ids)
    return lost


def replace_keys(
    session: Session, owner_kind: str, keys: Mapping[int, Iterable[str]], owner_ids: Sequence[int]
) -> Counter[str]:
    """The owners' keys become exactly these; owners without any lose theirs. Answers key -> how many owners lost it.

    New owners too: SQLite gives the number of a deleted row again, whose keys may still be there.
    """
    lost: Counter[str] = Counter()
    for ids in chunks(owner_ids, CHUNK):
        theirs = delete(KEYS).where(KEYS.c.owner_kind == owner_kind, KEYS.c.owner_id.in_(ids))
        for owner, key in session.execute(theirs.returning(KEYS.c.owner_id, KEYS.c.key)):
            if key not in keys.get(owner, ()):
                lost[key] += 1
    rows = [{"owner_kind": owner_kind, "owner_id": owner, "key": key} for owner, own in keys.items() for key in own]
    if rows:
        session.execute(insert(KEYS), rows)
    return lost


def contact_identities(session: Session, contact_ids: Sequence[int]) -> dict[int, Identity]:
    """Contacts as matching sees them, without the archived ones. Two statements, for up to a few thousand ids."""
    region = home_region(session)
    points: dict[int, list[Any]] = {}
    query = select(
        ContactPoint.contact_id, ContactPoint.kind, ContactPoint.label, ContactPoint.value, ContactPoint.normal,
        ContactPoint.extension,
    )  # fmt: skip
    for point in session.execute(query.where(ContactPoint.contact_id.in_(contact_ids)).order_by(ContactPoint.position)):
        points.setdefault(point.contact_id, []).append(point)
    found = session.execute(select(*_COLUMNS).where(Contact.id.in_(contact_ids), Contact.archived_at.is_(None)))
    return {row.id: _contact_identity(row, points.get(row.id, ()), region) for row in found}


def _contact_identity(row: Any, points: Sequence[Any], region: str) -> Identity:
    phones = [
        Phone(point.value, point.normal, point.extension or None, point.label or "phone")
        for point in points
        if point.kind == "phone" and point.label != "fax" and point.normal
    ]
    emails = [point.normal for point in points if point.kind == "email" and point.normal]
    return Identity(
        key=str(row.id),
        display_name=row.display_name,
        given_name=row.given_name,
        family_name=row.family_name,
        company_name=row.company_name,
        phones=tuple(phones) or read_phones(row.phone, region),
        emails=tuple(emails) or read_emails(row.email),
        address=read_address(row.street, city=row.city, postal=row.postal_code),
    )


def customer_identity(key: str, record: Mapping[str, Any], region: str) -> Identity:
    """A customer of the books as matching sees it, from its stored record. A fax line says nothing about who it is."""
    phones = [
        phone
        for field in record.get("phones", ())
        if field.get("label") != "fax"
        for phone in read_phones(field.get("text"), region, field.get("label", "phone"))
    ]
    address = record.get("billing_address") or record.get("shipping_address") or {}
    return Identity(
        key=key,
        display_name=record.get("display_name", ""),
        given_name=record.get("given_name", ""),
        family_name=record.get("family_name", ""),
        company_name=record.get("company_name", ""),
        phones=tuple(phones),
        emails=read_emails(record.get("email_text")),
        address=read_address(
            *(address.get(f"line{number}") for number in range(1, 6)),
            city=address.get("city"),
            postal=address.get("postal_code"),
        ),
    )


def home_region(session: Session) -> str:
    """The country whose notation phones are written in: the connected company's, or the United States."""
    return region_of(session.scalar(select(Connection.country).order_by(Connection.id).limit(1)) or "")


def chunks(values: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Lists of up to `size`, in order."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
