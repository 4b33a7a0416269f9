"""What a contact's page shows of sales leads to the pages of each."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient

from crm import clock
from crm.db import transaction
from crm.models import Connection, Document, Link, SalesDocument
from tests.factories import ContactFactory


def test_an_invoice_of_the_books_links_to_our_page_of_it(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    with transaction() as session:
        contact = ContactFactory.create(display_name="Ada Byron")
        books = Connection(provider="quickbooks", realm_id="1", realm_fingerprint="f", state="connected",
                           connected_at=clock.now())  # fmt: skip
        session.add(books)
        session.flush()
        ours = SalesDocument(kind="invoice", connection_id=books.id, contact_id=contact.id, number="1037", state="open",
                             total=Decimal(10), created_at=clock.now(), updated_at=clock.now())  # fmt: skip
        session.add(ours)
        session.add(Document(connection_id=books.id, kind="invoice", remote_id="77", customer_remote_id="1",
                             contact_id=contact.id, number="1037", date=date(2026, 11, 1), total=Decimal(10),
                             balance=Decimal(10), seen_at=clock.now()))  # fmt: skip
        session.flush()
        session.add(Link(connection_id=books.id, kind="invoice", local_id=ours.id, remote_id="77",
                         linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip
    shown = client.get(f"/contacts/{contact.id}/documents/invoice").text
    assert f'<a href="/invoices/{ours.id}">1037</a>' in shown
    assert f'href="/invoices/statements/{contact.id}"' in shown
    assert f'href="/payments/new?contact={contact.id}"' in shown
