"""The pages of a contact and QuickBooks: link, unlink, create there; and of its household."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, HouseholdMember, Link, ListEntry, OutboxEntry, Vendor
from tests.flows.imports import opened, run_import
from tests.services.test_match_linking import apart  # noqa: F401
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


@pytest.fixture
def admin(client: FlaskClient, sign_in) -> FlaskClient:  # type: ignore[no-untyped-def]
    sign_in("admin")
    return client


def test_a_contact_is_linked_by_hand_after_a_look_and_unlinked_after_another(
    admin: FlaskClient, apart: tuple[int, int]  # noqa: F811
) -> None:
    contact_id, customer_id = apart
    here = f"/contacts/{contact_id}"
    assert "Link to a QuickBooks customer" in admin.get(here).text
    found = admin.get(f"{here}/link?q=roofers").text
    assert f"{here}/link/{customer_id}" in found and "QuickBooks no. 1" in found
    look = admin.get(f"{here}/link/{customer_id}").text
    texts = ("1 document", "Is added here", "Both stay as they are", "bg@roofs.example", "Grant Roofing")
    assert [text for text in texts if text not in look] == []
    assert db.session.scalars(select(Link).where(Link.kind == "customer")).all() == []
    db.session.remove()
    assert admin.post(f"{here}/link/{customer_id}").status_code == 303
    assert "is linked to Bo Grant" in admin.get(here).text
    again = admin.post(f"{here}/link/{customer_id}")
    assert again.status_code == 409 and "already linked to the customer" in again.text
    leaves = admin.get(f"{here}/unlink").text
    assert "1 document" in leaves and "$10.00 of sales" in leaves
    assert admin.post(f"{here}/unlink").status_code == 303
    assert "Link to a QuickBooks customer" in admin.get(here).text
    assert admin.post(f"{here}/unlink").status_code == 409


def test_the_page_before_creating_says_name_collision_suffix_and_who_it_may_be(
    admin: FlaskClient, connection: Connection  # noqa: F811
) -> None:
    run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox", phone="555-010-4401")])))
    with transaction() as session:
        session.add(Vendor(connection_id=connection.id, remote_id="9", display_name="Acme", sort_name="acme",
                           created_at=clock.now(), updated_at=clock.now()))  # fmt: skip
        session.add(ListEntry(connection_id=connection.id, kind="employee", remote_id="8", name="Acme (Liberty)",
                              active=False, details={}, seen_at=clock.now()))  # fmt: skip
    acme, dana = have({"name": "Acme", "city": "Liberty"}, {"name": "Dana L. Fox", "phones": ("555 010 4401",)})
    page = admin.get(f"/contacts/{acme}/create-in-quickbooks").text
    assert "is taken" in page and "vendor “Acme”" in page and 'value="Acme (2)"' in page
    refused = admin.post(f"/contacts/{acme}/create-in-quickbooks", data={"name": "acme"})
    assert refused.status_code == 422 and "is a vendor in QuickBooks already" in refused.text
    refused = admin.post(f"/contacts/{acme}/create-in-quickbooks", data={"name": "Acme (Liberty)"})
    assert refused.status_code == 422 and "is an inactive employee in QuickBooks already" in refused.text
    page = admin.get(f"/contacts/{dana}/create-in-quickbooks").text
    assert "May be there already" in page and "Dana Fox" in page and "merge the two contacts" in page
    refused = admin.post(f"/contacts/{dana}/create-in-quickbooks", data={"name": "Dana L. Fox"})
    assert refused.status_code == 409 and "Probably “Dana Fox”" in refused.text
    db.session.remove()
    assert db.session.scalars(select(OutboxEntry)).all() == []
    there = db.session.scalars(select(Customer.id)).one()
    db.session.remove()
    answer = admin.post(f"/contacts/{dana}/link/{there}/apart", data={"from": "create"})
    assert answer.status_code == 303, answer.text
    page = admin.get(f"/contacts/{dana}/create-in-quickbooks").text
    assert "May be there already" not in page and "What would be written" in page and "555 010 4401" in page
    assert admin.post(f"/contacts/{dana}/create-in-quickbooks", data={"name": "Dana Fox (B)"}).status_code == 303
    assert admin.post(f"/contacts/{acme}/create-in-quickbooks", data={"name": "Acme (2)"}).status_code == 303
    db.session.remove()
    noted = {row.local_id: row.options for row in db.session.scalars(select(OutboxEntry))}
    assert noted == {dana: {"display_name": "Dana Fox (B)"}, acme: {"display_name": "Acme (2)"}}


def test_a_household_is_made_seen_from_both_sides_and_undone(admin: FlaskClient, connection: Connection) -> None:  # noqa: F811
    run_import(connection.id, open_books=opened(Books([customer(1, "Jonas Keller", phone="555-010-2200")])))
    jonas = db.session.scalars(select(Contact.id)).one()
    [maria] = have({"name": "Maria Keller"})
    found = admin.get(f"/contacts/{jonas}/household?q=maria").text
    assert f'name="member" value="{maria}"' in found
    assert admin.post(f"/contacts/{jonas}/household", data={"member": maria}).status_code == 303
    page = admin.get(f"/contacts/{maria}").text
    assert "Belongs to Jonas Keller" in page and "Money of Jonas Keller, for all of them" in page
    assert "Create in QuickBooks…" not in page and "Link to a QuickBooks customer" not in page
    assert "Billed for" in admin.get(f"/contacts/{jonas}").text
    wrong = admin.post(f"/contacts/{jonas}/household", data={"name": "", "phone": "555"})
    assert wrong.status_code == 422 and "Write the name" in wrong.text and 'value="555"' in wrong.text
    assert admin.post(f"/contacts/{jonas}/household", data={"name": "Tim Keller"}).status_code == 303
    assert "Tim Keller" in admin.get(f"/contacts/{jonas}/household").text
    shown = admin.get(f"/contacts/{maria}/household/bill-to").text
    assert "“Jonas Keller” moves to Maria Keller" in shown and "Nothing is written to QuickBooks" in shown
    assert admin.post(f"/contacts/{maria}/household/bill-to").status_code == 303
    assert "Belongs to Maria Keller" in admin.get(f"/contacts/{jonas}").text
    assert admin.post(f"/contacts/{jonas}/household/leave").status_code == 303
    db.session.remove()
    assert len(db.session.scalars(select(HouseholdMember.contact_id)).all()) == 1
    assert admin.post(f"/contacts/{jonas}/household/leave").status_code == 409


def test_who_may_not_write_contacts_sees_no_household_form(client: FlaskClient, sign_in, connection) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    [one] = have({"name": "Ann Lee"})
    sign_in("bookkeeper")
    assert client.get(f"/contacts/{one}/household").status_code == 403
    assert client.get(f"/contacts/{one}/link").status_code == 403
    assert client.post(f"/contacts/{one}/release").status_code == 403
