"""What an import fills in at a contact: every number once, in the contact and in what the timeline tells of it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from crm.db import db
from crm.domain.records import PhoneField
from crm.models import Connection, Contact, TimelineEntry
from tests.services.test_sync_matching import connection, customer, have, import_  # noqa: F401


def told(contact_id: int) -> dict[str, list[str]]:
    entry = select(TimelineEntry.changes).where(
        TimelineEntry.contact_id == contact_id, TimelineEntry.verb == "enriched"
    )
    return db.session.scalars(entry).one()


def test_one_number_in_two_fields_of_the_books_is_filled_and_told_once(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "email": "amy@fox.example"})
    one = customer(1, "Amy Fox", email="amy@fox.example")
    fields = (
        PhoneField("primary", "(660) 555-3141"),
        PhoneField("mobile", "660.555.3141"),
        PhoneField("alternate", "660 555 0641"),
    )
    import_(connection, replace(one, phones=fields))
    contact = db.session.get_one(Contact, id_)
    phones = [(p.normal, p.label) for p in contact.points if p.kind == "phone"]
    assert phones == [("+16605553141", ""), ("+16605550641", "other")]
    assert contact.phone == "(660) 555-3141"
    assert told(id_) == {"phone": ["", "(660) 555-3141"], "phone 2": ["", "660 555 0641"]}


def test_the_same_number_with_another_extension_is_another_line(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "email": "amy@fox.example"})
    fields = (PhoneField("primary", "660-555-3141 x4"), PhoneField("alternate", "660-555-3141 x7"))
    import_(connection, replace(customer(1, "Amy Fox", email="amy@fox.example"), phones=fields))
    contact = db.session.get_one(Contact, id_)
    assert [p.extension for p in contact.points if p.kind == "phone"] == ["4", "7"]
