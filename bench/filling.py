"""Part: a migrated database that holds the firm's contact list and the connection to its books, before any import.

The rows are those the CRM's own forms and files would make (lines split, search text, identity keys), written in bulk:
filling is not what is measured. A contact's id is its row in the list, so that the labels lead to it.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import func, insert, select, text

from bench.child import ROOT, answer
from crm import clock, create_app
from crm.db import transaction
from crm.domain.contacts import Line, read_lines, search_text, sort_name
from crm.models import Connection, Contact, ContactPoint, Tag, User
from crm.models.contacts import contact_tags
from crm.services import grants
from crm.services.identity_keys import refresh_contacts

CHUNK = 2000
COLUMNS = {
    "given_name": "First name", "family_name": "Last name", "company_name": "Company", "street": "Street",
    "city": "City", "region": "State", "postal_code": "Zip",
}  # fmt: skip
TYPES = {"Lead": "lead", "Business": "customer", "Homeowner": "customer"}


def fill(contacts: str, tokens: Mapping[str, str]) -> dict[str, Any]:
    began = time.monotonic()
    number = 0
    with create_app().app_context():
        upgrade(directory=str(ROOT / "migrations"))
        connection_id = connect(tokens)
        with open(contacts, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            while chunk := list(islice(rows, CHUNK)):
                store(chunk, first=number + 1, now=clock.now())
                number += len(chunk)
        count_on()
    return {"seconds": time.monotonic() - began, "contacts": number, "connection_id": connection_id}


def count_on() -> None:
    """PostgreSQL gives the next contact the number after ours, which were given by hand."""
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql" and session.scalar(select(func.count(Contact.id))):
            session.execute(text("SELECT setval(pg_get_serial_sequence('contacts', 'id'), max(id)) FROM contacts"))


def connect(tokens: Mapping[str, str]) -> int:
    now = clock.now()
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id=tokens["realm_id"],
            realm_fingerprint=grants.fingerprint(tokens["realm_id"]), company_name="Measured company", country="US",
            currency="USD", time_zone="America/Chicago", state="connected", connected_at=now, environment="simulated",
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"], refreshed_at=now,
            access_expires_at=now + timedelta(hours=1), scopes=["com.intuit.quickbooks.accounting"],
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def store(chunk: list[dict[str, str]], *, first: int, now: datetime) -> None:
    """The rows as contacts with ids from `first` on, with lines, owners, tags and identity keys."""
    with transaction() as session:
        owners = known(session, User, User.email, (row["Owner e-mail"] for row in chunk), now)
        tags = known(session, Tag, Tag.name, (tag for row in chunk for tag in tags_of(row)), now)
        contacts, points, tagged = [], [], []
        for id_, row in enumerate(chunk, start=first):
            lines = lines_of(row)
            contacts.append(contact_of(id_, row, lines, owners, now))
            points += [
                {"contact_id": id_, "kind": line.kind, "label": line.label, "value": line.value,
                 "normal": line.normal, "extension": line.extension, "position": place, "source": "file"}
                for place, line in enumerate(lines)
            ]  # fmt: skip
            tagged += [{"contact_id": id_, "tag_id": tags[tag]} for tag in tags_of(row)]
        for table, values in ((Contact.__table__, contacts), (ContactPoint.__table__, points), (contact_tags, tagged)):
            if values:
                session.execute(insert(table), values)
        refresh_contacts(session, [contact["id"] for contact in contacts])


def known(session: Any, model: Any, column: Any, names: Iterator[str], now: datetime) -> dict[str, int]:
    """Ids of owners (by e-mail) or tags (by name); those not there yet are made."""
    wanted = {name for name in names if name}
    found = {getattr(row, column.key): row.id for row in session.query(model).filter(column.in_(wanted))}
    for name in sorted(wanted - found.keys()):
        more = {"role": "rep", "password_hash": "", "created_at": now} if model is User else {}
        row = model(**{column.key: name}, **more)
        session.add(row)
        session.flush()
        found[name] = row.id
    return found


def tags_of(row: Mapping[str, str]) -> list[str]:
    return [tag.strip() for tag in row["Tags"].split(";") if tag.strip()]


def lines_of(row: Mapping[str, str]) -> list[Line]:
    lines = [*read_lines("phone", row["Phone"]), *read_lines("phone", row["Mobile"], label="mobile")]
    lines += read_lines("email", row["Email"])
    return list({(line.kind, line.normal or line.value, line.extension): line for line in lines}.values())


def contact_of(
    id_: int, row: Mapping[str, str], lines: list[Line], owners: Mapping[str, int], now: datetime
) -> dict[str, Any]:
    values = {name: row[column] for name, column in COLUMNS.items()}
    phones = [line for line in lines if line.kind == "phone"]
    emails = [line for line in lines if line.kind == "email"]
    moment = now - timedelta(minutes=id_ * 7 % 500_000)
    return {
        "id": id_,
        "display_name": row["Name"],
        "sort_name": sort_name(row["Name"]),
        **values,
        "type": TYPES[row["Type"]],
        "phone": phones[0].value[:60] if phones else "",
        "email": emails[0].value if emails else "",
        "owner_id": owners.get(row["Owner e-mail"]),
        "source": "file",
        "search_text": search_text(
            names=(row["Name"], values["given_name"], values["family_name"], values["company_name"]),
            phones=[line.normal or line.value for line in phones],
            emails=[line.value for line in emails],
            address=[values[part] for part in ("street", "city", "region", "postal_code")],
        ),
        "created_at": moment,
        "updated_at": moment,
        "last_activity_at": moment if id_ % 3 else None,
        "version": 1,
    }


if __name__ == "__main__":
    answer(fill)
