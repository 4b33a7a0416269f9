"""The last activity of a contact: a note, an edit by a person or a document in the books; never an import or a link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft
from crm.models import Connection, Contact, Document
from crm.services import contacts, matches
from crm.services.audit import Actor
from tests.flows.imports import opened, run_import
from tests.services.test_matches import BooksWithInvoices
from tests.services.test_sync_matching import connection, customer, have  # noqa: F401

KIM = Actor("kim@example.com")
INVOICED = datetime(2026, 1, 5, tzinfo=UTC)
"""What `BooksWithInvoices` date their invoices."""


def last(contact_id: int) -> datetime | None:
    db.session.remove()
    return db.session.get_one(Contact, contact_id).last_activity_at


def import_(connection: Connection, *customers) -> None:  # noqa: F811
    run = run_import(connection.id, open_books=opened(BooksWithInvoices(list(customers))))
    assert run.state == "done", run.error


def test_being_made_is_no_activity_and_an_edit_by_a_person_is_one(app) -> None:
    with transaction():
        made = contacts.create(Draft({"display_name": "Anna Ode"}), actor=KIM, now=clock.now())
    assert last(made.id) is None
    moment = clock.now()
    with transaction():
        contacts.change(made.id, {"city": "Macon"}, version=1, actor=Actor("key", source="api"), now=moment)
    assert last(made.id) is None
    with transaction():
        contacts.change(made.id, {"city": "Rome"}, version=2, actor=KIM, now=moment)
    assert last(made.id) == moment


def test_an_import_dates_contacts_by_their_documents_and_not_by_itself(connection: Connection) -> None:  # noqa: F811
    [linked, alone] = have({"name": "Amy Fox", "phones": ("555 010 3311",)}, {"name": "Nobody Else"})
    import_(connection, customer(1, "Amy Fox", phone="555-010-3311"), customer(2, "Bea Elm", phone="555-010-3322"))
    made = db.session.scalars(select(Contact.id).where(Contact.display_name == "Bea Elm")).one()
    assert (last(linked), last(made), last(alone)) == (INVOICED, INVOICED, None)


def test_a_note_stands_over_an_older_document_and_outlasts_the_next_import(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "phones": ("555 010 3311",)})
    moment = clock.now() - timedelta(days=2)
    with transaction():
        contacts.add_note(id_, "called back", actor=KIM, now=moment)
    import_(connection, customer(1, "Amy Fox", phone="555-010-3311"))
    assert last(id_) == moment


def test_documents_that_left_the_contact_date_it_no_more(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "phones": ("555 010 3311",)})
    import_(connection, customer(1, "Amy Fox", phone="555-010-3311"))
    with transaction():
        matches.unlink(id_, actor=KIM, now=clock.now())
    assert last(id_) is None


def test_a_document_dated_ahead_is_no_activity_to_come(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "phones": ("555 010 3311",)})
    import_(connection, customer(1, "Amy Fox", phone="555-010-3311"))
    with transaction() as session:
        session.scalars(select(Document)).one().date = clock.now().date() + timedelta(days=30)
    import_(connection, customer(1, "Amy Fox", phone="555-010-3311"))
    assert (moment := last(id_)) is not None and moment <= clock.now()


def test_the_list_shows_a_dash_where_nothing_happened(client: FlaskClient, sign_in) -> None:
    sign_in("rep")
    have({"name": "Nobody Yet"})
    page = client.get("/contacts").text
    cell = page.split('data-label="Last activity"')[1].split("</td>")[0]
    assert cell.endswith("–")
