"""Somebody changes a customer in QuickBooks: the contact follows, unless a person here has changed the same field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Entry
from crm.models import Connection, Contact, Customer, Document, TimelineEntry
from crm.services import contacts
from crm.services.audit import SYSTEM
from sandbox import Served, serving
from tests.flows.imports import run_import
from tests.flows.test_import import _change_there as change_there
from tests.quickbooks import connect, quickbooks  # noqa: F401


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=40, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return connect(quickbooks, country="US", currency="USD")


def phones(contact_id: int) -> list[str]:
    contact = db.session.get_one(Contact, contact_id, populate_existing=True)
    return [point.normal for point in contact.points if point.kind == "phone"]


def test_the_contact_follows_quickbooks_and_an_edit_that_gives_way_stays_readable(
    connection: Connection, sandbox: Served, client: FlaskClient, sign_in: Callable[..., object]
) -> None:
    run_import(connection.id)
    linked = select(Customer).where(Customer.match_state == "linked", Customer.active).order_by(Customer.id)
    customer = db.session.scalars(linked).first()
    assert customer is not None and customer.contact_id is not None
    id_, remote_id = customer.contact_id, customer.remote_id

    change_there(sandbox, remote_id, DisplayName="Renamed There", PrimaryPhone={"FreeFormNumber": "(816) 555-0188"})
    assert run_import(connection.id).state == "done"
    contact = db.session.get_one(Contact, id_, populate_existing=True)
    assert contact.display_name == "Renamed There" and "+18165550188" in phones(id_)
    told = select(TimelineEntry).where(TimelineEntry.contact_id == id_, TimelineEntry.verb == "changed")
    entry = db.session.scalars(told).one()
    assert entry.source == "quickbooks" and "→ (816) 555-0188" in entry.summary

    rest = [Entry(p.kind, p.value, p.label) for p in contact.points if p.kind == "phone" and p.normal != "+18165550188"]
    with transaction():
        contacts.change(id_, {}, lines={"phone": [Entry("phone", "(816) 555-0133"), *rest]}, version=contact.version,
                        actor=SYSTEM, now=clock.now() - timedelta(minutes=1))  # fmt: skip
    assert "+18165550133" in phones(id_)
    change_there(sandbox, remote_id, PrimaryPhone={"FreeFormNumber": "(816) 555-0177"})
    assert run_import(connection.id).state == "done"
    assert "+18165550177" in phones(id_) and "+18165550133" not in phones(id_)
    sign_in("bookkeeper")
    told_so = "QuickBooks&#39; newer phone (816) 555-0177 took the place of (816) 555-0133."
    assert told_so in client.get(f"/contacts/{id_}").text


def test_documents_of_a_job_name_it_and_a_lost_connection_is_told_to_everyone(
    connection: Connection, client: FlaskClient, sign_in: Callable[..., object]
) -> None:
    run_import(connection.id)
    of_job = (
        select(Document.contact_id, Document.kind, Customer.display_name)
        .join(Customer, (Customer.remote_id == Document.customer_remote_id) & (Customer.match_state == "job"))
        .where(Document.contact_id.is_not(None), Document.kind == "invoice")
        .order_by(Document.date.desc(), Document.id)
    )
    contact_id, kind, job = db.session.execute(of_job).first()  # type: ignore[misc]
    sign_in("bookkeeper")
    page = client.get(f"/contacts/{contact_id}/documents/{kind}").text
    assert f'<span class="small muted">{job.replace(chr(39), "&#39;")}</span>' in page  # under the document's number
    assert "ask an admin to reconnect" not in client.get(f"/contacts/{contact_id}").text
    with transaction() as session:
        session.get_one(Connection, connection.id).state = "needs_reconnect"
    assert "QuickBooks has not been read since" in client.get(f"/contacts/{contact_id}").text
