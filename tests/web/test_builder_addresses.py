"""The builder's addresses: prefilled from the contact, folded away, kept as typed whatever button is pressed."""

from __future__ import annotations

import html
from typing import Any

from flask.testing import FlaskClient

from crm.db import transaction
from crm.models import User
from tests.factories import ContactFactory
from tests.web.test_quotes import form_of, only, quote, rep, stored  # noqa: F401 - rep is a fixture

ADDRESS = {"street": "12 Mill Lane", "city": "Bath", "region": "OH", "postal_code": "44011", "country": "USA"}


def somebody(**values: Any) -> int:
    with transaction():
        return int(ContactFactory.create(**values).id)


def fields(page: str) -> dict[str, str]:
    return {name: html.unescape(text) for name, text in form_of(page).items()}


def test_addresses_come_from_the_contact_and_another_customer_brings_their_own(
    client: FlaskClient,
    rep: User,  # noqa: F811
    app: Any,
) -> None:
    first, second = somebody(**ADDRESS), somebody(street="Dock 4", city="Hull")
    given = fields(client.get(f"/quotes/new?contact={first}").text)
    assert {part: given[f"bill-{part}"] for part in ADDRESS} == ADDRESS
    assert not any(given[f"ship-{part}"] for part in ADDRESS)
    given |= {"ship-street": "Gate 9", "ship-city": "Leeds"}
    added = client.post("/quotes", data=given | {"action": "add:item"}).text
    assert fields(added)["ship-street"] == "Gate 9" and 'id="addresses" open' not in added
    other = fields(client.post("/quotes", data=fields(added) | {"customer": str(second)}).text)
    assert (other["bill-street"], other["bill-city"], other["bill-region"]) == ("Dock 4", "Hull", "")
    assert other["ship-street"] == ""


def test_typed_addresses_are_kept_printed_and_corrected_where_they_are_too_long(
    client: FlaskClient,
    rep: User,  # noqa: F811
    app: Any,
) -> None:
    given = fields(client.get(f"/quotes/new?contact={somebody(**ADDRESS)}").text)
    given |= {"bill-street": "Ada Byron\n14 Mill Lane", "ship-street": "Gate 9", "ship-postal_code": "9" * 31}
    given |= {"lines-1-kind": "item", "lines-1-description": "Wall", "lines-1-quantity": "1", "lines-1-unit_price": "9"}
    refused = client.post("/quotes", data=given | {"action": "save"})
    assert refused.status_code == 422 and 'id="addresses" open' in refused.text
    again = fields(refused.text)
    assert again["ship-postal_code"] == "9" * 31 and again["bill-street"] == "Ada Byron\n14 Mill Lane"
    assert client.post("/quotes", data=again | {"ship-postal_code": "44011", "action": "save"}).status_code == 303
    kept = only()
    assert kept.billing_address["line2"] == "14 Mill Lane" and kept.billing_address["city"] == "Bath"
    assert kept.shipping_address == {"line1": "Gate 9", "postal_code": "44011"}
    assert "Gate 9, 44011" in client.get(f"/quotes/{kept.id}").text


def test_a_form_without_addresses_leaves_them_and_choosing_the_same_customer_brings_them_back(
    client: FlaskClient,
    rep: User,  # noqa: F811
    app: Any,
) -> None:
    made = quote(somebody(**ADDRESS), billing_address={"line1": "Old", "line3": "Road"}, shipping_address={"city": "X"})
    given = fields(client.get(f"/quotes/{made.id}/edit").text)
    nobody = client.post(f"/quotes/{made.id}", data=given | {"customer": "none"}).text
    back = fields(client.post(f"/quotes/{made.id}", data=fields(nobody) | {"customer": str(made.contact_id)}).text)
    assert (back["bill-street"], back["ship-city"]) == ("Old\nRoad", "X")
    plain = {name: text for name, text in given.items() if not name.startswith(("bill-", "ship-"))}
    assert client.post(f"/quotes/{made.id}", data=plain | {"title": "New", "action": "save"}).status_code == 303
    assert stored(made.id).billing_address == {"line1": "Old", "line3": "Road"}
