"""Statements in bulk, and what a session still remembers after them."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import delete, update

from crm import clock
from crm.db import db, table_of, transaction
from crm.models import Contact, Note
from crm.services.sync.mirror.bulk import expire_loaded
from tests.factories import ContactFactory


def test_what_the_session_remembers_of_changed_and_deleted_rows_is_forgotten(app: Flask) -> None:
    with transaction() as session:
        contact, other = ContactFactory(display_name="Before"), ContactFactory(display_name="Another")
        gone = Note(contact_id=contact.id, body="gone", created_at=clock.now())
        session.add(gone)
    with transaction() as session:
        contact, other, gone = (session.get_one(type(one), one.id) for one in (contact, other, gone))
        session.execute(delete(table_of(Note)))
        session.expire(gone)  # an expired row that is gone: to ask it for its owner would fail
        session.execute(update(table_of(Contact)).values(display_name="After"))
        expire_loaded(session, {Contact: "id", Note: "contact_id"}, [contact.id])
        assert (contact.display_name, other.display_name) == ("After", "Another")
    db.session.remove()
