"""Vendors and bills at the conflict desk: listed, shown as people read them, decided or written by hand, sent."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Forbidden
from crm.domain.purchases import BillLine
from crm.models import Bill, Conflict, SyncSettings, User, Vendor
from crm.services import api_keys, conflicts
from crm.services.audit import Actor
from tests.flows.changes import Company
from tests.flows.test_purchases import (
    ACCOUNT,
    an_open_bill,
    bill_of,
    change_bill,
    change_vendor,
    expense,
    send,
    stub,
    vendor_of,
)
from tests.flows.test_purchases import books as books
from tests.flows.test_purchases import company as company
from tests.flows.test_purchases import sandbox as sandbox
from tests.quickbooks import quickbooks  # noqa: F401


def emptied(books: Company, field: str, body: dict[str, Any]) -> tuple[Vendor, Conflict]:
    """A vendor with a field emptied there, while another one was changed here."""
    bill = an_open_bill(books)
    vendor = books.api.read("Vendor", bill.vendor_remote_id)
    full = {"PrimaryEmailAddr": {"Address": "old@example.com"}, "BillAddr": {"Line1": "1 Elm St", "City": "Troy"}}
    books.api.write("Vendor", {**stub(vendor), **full})
    books.told()
    change_vendor(bill.vendor_id, account_number="OURS")
    books.api.write("Vendor", {**stub(books.api.read("Vendor", bill.vendor_remote_id)), **body})
    books.told()
    db.session.remove()
    conflict = db.session.scalars(select(Conflict)).one()
    assert (conflict.kind, conflict.field, conflict.reason) == ("vendor", field, "emptied")
    return vendor_of(bill.vendor_id), conflict


def test_a_vendors_field_is_written_by_hand_and_sent(books: Company, client: FlaskClient, sign_in: Any) -> None:
    vendor, conflict = emptied(books, "email", {"PrimaryEmailAddr": {"Address": ""}})
    sign_in("admin")
    assert vendor.display_name in client.get("/sync/conflicts").text
    assert vendor.display_name in client.get(f"/sync/conflicts?q={vendor.display_name.split()[0]}").text
    here = f"/sync/conflicts/{conflict.id}"
    assert f'href="{here}"' in client.get(f"/vendors/{vendor.id}").text, "the badge leads to its own conflict"
    page = client.get(f"{here}?edit=1").text
    assert "Goes into the vendor and to QuickBooks." in page and 'value="old@example.com"' in page and "We owe" in page
    wrong = client.post(here, data={"choice": "edited", "value": "nobody"})
    assert wrong.status_code == 422 and "nobody" in wrong.text
    assert client.post(here, data={"choice": "edited", "value": "new@example.com"}).status_code == 303
    send(books)
    there = books.api.read("Vendor", str(vendor.remote_id))
    assert there["PrimaryEmailAddr"]["Address"] == "new@example.com" == vendor_of(vendor.id).email
    assert there["AcctNum"] == "OURS"
    assert db.session.scalars(select(Conflict.choice)).one() == "edited"


def test_a_vendors_address_is_written_in_its_parts(books: Company, client: FlaskClient, sign_in: Any) -> None:
    vendor, conflict = emptied(books, "address", {"BillAddr": {"Line1": "", "City": ""}})
    sign_in("admin")
    page = client.get(f"/sync/conflicts/{conflict.id}?edit=1").text
    assert 'name="line1"' in page and 'value="1 Elm St"' in page
    parts = {"line1": "2 Oak Ave", "city": "Troy", "region": "MO"}
    client.post(f"/sync/conflicts/{conflict.id}", data={"choice": "edited", **parts})
    send(books)
    there = books.api.read("Vendor", str(vendor.remote_id))["BillAddr"]
    assert (there["Line1"], there["City"], there["CountrySubDivisionCode"]) == ("2 Oak Ave", "Troy", "MO")


def test_a_bills_number_is_written_by_hand(books: Company, client: FlaskClient, sign_in: Any) -> None:
    bill = an_open_bill(books)
    change_bill(bill.id, private_note="Ours")
    body = books.api.read("Bill", str(bill.remote_id))
    books.api.write("Bill", {name: value for name, value in body.items() if name != "DocNumber"})
    books.told()
    sign_in("admin")
    conflict = db.session.scalars(select(Conflict)).one()
    assert (conflict.kind, conflict.field) == ("bill", "number")
    here = f"/sync/conflicts/{conflict.id}"
    long = client.post(here, data={"choice": "edited", "value": "x" * 22})
    assert long.status_code == 422 and "QuickBooks keeps 21" in long.text
    assert client.post(here, data={"choice": "edited", "value": "B-101"}).status_code == 303
    send(books)
    there = books.api.read("Bill", str(bill.remote_id))
    assert (there["DocNumber"], there["PrivateNote"]) == ("B-101", "Ours")
    assert bill_of(bill.id).number == "B-101"


def test_both_sides_of_a_bill_are_shown_whole_with_what_differs(
    books: Company, client: FlaskClient, sign_in: Any
) -> None:
    bill = an_open_bill(books)
    change_bill(bill.id, lines=(BillLine(account=ACCOUNT, description="Ours", amount="111"),))
    body = books.api.read("Bill", str(bill.remote_id))
    books.api.write("Bill", {**body, "Line": [expense("222")]})
    books.told()
    sign_in("admin")
    conflict = db.session.scalars(select(Conflict)).one()
    page = client.get(f"/sync/conflicts/{conflict.id}").text
    for text in ("<b>$111.00</b>", "<b>$222.00</b>", "Here: lines", "QuickBooks: lines", "Dec 3, 2026"):
        assert text in page, text
    refused = client.post(f"/sync/conflicts/{conflict.id}", data={"choice": "edited", "value": "5"})
    assert refused.status_code == 422 and "edit the bill on its own page" in refused.text
    assert db.session.get_one(Bill, bill.id).total == 111


def test_who_may_not_write_purchases_sees_and_does_not_decide(
    books: Company, client: FlaskClient, sign_in: Any
) -> None:
    _, conflict = emptied(books, "email", {"PrimaryEmailAddr": {"Address": ""}})
    sign_in("rep")
    page = client.get(f"/sync/conflicts/{conflict.id}").text
    assert "Only admins decide" in page and 'name="choice"' not in page
    for path, form in ((f"/sync/conflicts/{conflict.id}", {"choice": "theirs"}),
                       ("/sync/conflicts/bulk", {"choice": "theirs", "ids": str(conflict.id)})):  # fmt: skip
        assert client.post(path, data=form).status_code == 403
    db.session.remove()
    assert db.session.get_one(Conflict, conflict.id).state == "open"


def test_by_no_way_is_it_decided_and_no_rule_made_by_who_may_not_write_purchases(
    books: Company, client: FlaskClient
) -> None:
    _, conflict = emptied(books, "email", {"PrimaryEmailAddr": {"Address": ""}})
    with transaction() as session:
        rep = User(email="ray@example.com", name="Ray", role="rep", password_hash="", created_at=clock.now())
        session.add(rep)
        session.flush()
        acting = Actor.of(rep)
        _, key = api_keys.create("Rays program", scope="write", actor=acting, now=clock.now())
    for decide in (conflicts.always, lambda id_, choice, **more: conflicts.resolve_all([id_], choice, **more)):
        with pytest.raises(Forbidden), transaction():
            decide(conflict.id, "theirs", actor=acting, now=clock.now())
    for choice in ("theirs", "always_theirs"):
        headers = {"Authorization": f"Bearer {key}"}
        refused = client.post(f"/api/v1/conflicts/{conflict.id}/resolve", json={"choice": choice}, headers=headers)
        assert refused.status_code == 403 and "Only admins decide" in refused.text
    db.session.remove()
    assert db.session.get_one(Conflict, conflict.id).state == "open"
    assert not [one for one in db.session.scalars(select(SyncSettings)) if one.kind == "vendor" and one.policies]
