"""The conflict desk: list, one conflict, decisions by plain forms, rules by admins, and the contact's own box."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.blueprints import conflict_texts
from crm.db import db, transaction
from crm.models import Conflict, Connection, Contact, OutboxEntry
from crm.services import conflicts
from tests.services.test_conflicts import KIM, NOON, there
from tests.services.test_sync_matching import connection, customer, have, import_  # noqa: F401

PEOPLE = [customer(n, name, phone=f"816555010{n}", website=f"{name.split()[0].lower()}.example")
          for n, name in enumerate(("Amy Fox", "Bea Wolf", "Cid Hare"), 1)]  # fmt: skip


@pytest.fixture
def emptied(connection: Connection) -> dict[str, int]:  # noqa: F811
    """Three contacts whose phone was emptied there; by name, the conflict about it."""
    import_(connection, *PEOPLE)
    import_(connection, *(replace(one, phones=(), origin=replace(one.origin, updated_at=NOON)) for one in PEOPLE))
    query = select(Contact.display_name, Conflict.id).join(Contact, Contact.id == Conflict.local_id)
    return {name: id_ for name, id_ in db.session.execute(query)}


def states() -> list[str]:
    db.session.remove()
    return sorted(db.session.scalars(select(Conflict.state)).all())


def test_the_list_is_searched_filtered_sorted_and_downloaded(
    client: FlaskClient, sign_in, emptied: dict[str, int]
) -> None:
    sign_in("rep")
    page = client.get("/sync/conflicts").text
    assert all(name in page for name in emptied) and "3 conflicts" in page
    found = client.get("/sync/conflicts?q=wolf&field=phone&reason=emptied").text
    assert "Bea Wolf" in found and "Amy Fox" not in found
    assert "Nothing found" in client.get("/sync/conflicts?field=email").text
    ordered = client.get("/sync/conflicts?sort=-name").text
    assert ordered.index("Cid Hare") < ordered.index("Bea Wolf") < ordered.index("Amy Fox")
    rows = list(csv.DictReader(io.StringIO(client.get("/sync/conflicts/conflicts.csv?q=wolf").text.lstrip("\ufeff"))))
    assert [(row["Contact"], row["Field"], row["Here"], row["QuickBooks"]) for row in rows] == [
        ("Bea Wolf", "phone", "8165550102", ""),
    ]  # fmt: skip
    assert "Nothing here yet" in client.get("/sync/conflicts?state=settled").text


def test_an_empty_desk_says_so(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    assert "Nothing to decide" in client.get("/sync/conflicts").text


def test_one_conflict_shows_the_three_sides_and_its_keys(client: FlaskClient, sign_in, emptied: dict[str, int]) -> None:
    sign_in("rep")
    page = client.get(f"/sync/conflicts/{emptied['Bea Wolf']}?sort=name").text
    for text in (
        ">Before<",
        "Here",
        "QuickBooks",
        "(816) 555-0102",
        "2 of 3",
        "It was emptied in QuickBooks",
        "data-card",
    ):
        assert text in page, text
    for key, target in (("k", emptied["Amy Fox"]), ("j", emptied["Cid Hare"])):
        assert re.search(rf'href="/sync/conflicts/{target}\?sort=name"[^>]*data-key="{key}"', page)
    assert all(f'data-key="{key}"' in page for key in "12e")
    assert "Always do this" not in page, "rules are for admins"


def test_after_a_decision_the_next_one_comes(client: FlaskClient, sign_in, emptied: dict[str, int]) -> None:
    sign_in("rep")
    answer = client.post(f"/sync/conflicts/{emptied['Amy Fox']}?sort=name", data={"choice": "ours"})
    assert (answer.status_code, answer.location) == (303, f"/sync/conflicts/{emptied['Bea Wolf']}?sort=name")
    assert (
        "Phone: 8165550101 stays here and is sent to QuickBooks, where it was nothing."
        in client.get(answer.location).text
    )
    client.post(f"/sync/conflicts/{emptied['Cid Hare']}", data={"choice": "theirs"})
    last = client.post(f"/sync/conflicts/{emptied['Bea Wolf']}", data={"choice": "theirs"})
    assert last.location == "/sync/conflicts" and states() == ["resolved"] * 3
    assert "Nothing to decide" in client.get("/sync/conflicts").text
    decided = client.get(f"/sync/conflicts/{emptied['Amy Fox']}").text
    assert "Kept ours: (816) 555-0101" in decided and 'name="choice"' not in decided


def test_what_was_decided_leads_back_to_the_contact_and_an_admin_to_the_outbox(
    client: FlaskClient, sign_in, emptied: dict[str, int]
) -> None:
    for role, name, found in (("rep", "Amy Fox", False), ("admin", "Bea Wolf", True)):
        sign_in(role)
        contact_id = db.session.scalars(select(Conflict.local_id).where(Conflict.id == emptied[name])).one()
        answer = client.post(f"/sync/conflicts/{emptied[name]}", data={"choice": "ours"})
        page = client.get(answer.location).text
        assert f'<a href="/contacts/{contact_id}">Contact</a>' in page
        assert ("In the outbox" in page) is found
    db.session.remove()
    entry_id = db.session.scalars(select(OutboxEntry.id).where(OutboxEntry.local_id == contact_id)).one()
    assert f'<a href="/sync/outbox/{entry_id}">In the outbox</a>' in page


@pytest.mark.parametrize(("field", "text", "shown"), [
    ("phone", "+17855558888", "(785) 555-8888"),
    ("mobile", "785 555 2222, 785.555.3333", "(785) 555-2222, (785) 555-3333"),
    ("phone", "785 555 2222 ask for Bo", "785 555 2222 ask for Bo"),
    ("phone", "", ""),
    ("email", "5551234567", "5551234567"),
])  # fmt: skip
def test_numbers_are_shown_in_one_notation(field: str, text: str, shown: str) -> None:
    assert conflict_texts.phones(field, text, "US") == shown


@pytest.mark.parametrize(("field", "text", "shown"), [
    ("due_date", "2026-12-03", "Dec 3, 2026"),
    ("due_date", "", ""),
    ("due_date", "soon", "soon"),
    ("price", "1234.5", "$1,234.50"),
    ("deposit", "12", "$12.00"),
    ("custom_fields", "1=Blue\n2=Kim", "Colour: Blue\nCustom field 2: Kim"),
    ("customer_memo", "2026-12-03", "2026-12-03"),
])  # fmt: skip
def test_values_read_as_people_write_them(field: str, text: str, shown: str) -> None:
    company = Connection(currency="USD", preferences={"custom_fields": [{"definition_id": 1, "name": "Colour"}]})
    assert conflict_texts.shown(Conflict(field=field, connection=company), text).replace("\xa0", " ") == shown


def test_a_value_by_hand_and_one_that_cannot_be_kept(client: FlaskClient, sign_in, emptied: dict[str, int]) -> None:
    sign_in("rep")
    id_ = emptied["Amy Fox"]
    assert 'name="value"' in client.get(f"/sync/conflicts/{id_}?edit=1").text
    refused = client.post(f"/sync/conflicts/{id_}", data={"choice": "edited", "value": "816 555 0999\nnonsense"})
    assert refused.status_code == 422
    assert "“nonsense” is not a phone number" in refused.text and "816 555 0999" in refused.text
    assert client.post(f"/sync/conflicts/{id_}", data={"choice": "edited", "value": "816 555 0999"}).status_code == 303
    db.session.remove()
    assert db.session.scalars(select(Contact.phone).where(Contact.display_name == "Amy Fox")).one() == "816 555 0999"
    assert client.post(f"/sync/conflicts/{emptied['Bea Wolf']}", data={"choice": "both"}).status_code == 422


def test_what_was_decided_or_moved_meanwhile_is_a_409_with_what_stands_now(
    client: FlaskClient, sign_in, emptied: dict[str, int]
) -> None:
    sign_in("rep")
    id_ = emptied["Amy Fox"]
    moved = client.post(f"/sync/conflicts/{id_}", data={"choice": "theirs", "seen": "another"})
    assert moved.status_code == 409 and "Changed meanwhile" in moved.text and states() == ["open"] * 3
    with transaction():
        conflicts.resolve(id_, "ours", actor=KIM, now=clock.now())
    late = client.post(f"/sync/conflicts/{id_}", data={"choice": "theirs"})
    assert late.status_code == 409 and "Kept ours" in late.text
    assert client.get("/sync/conflicts/999999").status_code == 404


def test_many_are_decided_at_once_but_never_more_than_was_seen(
    client: FlaskClient, sign_in, emptied: dict[str, int]
) -> None:
    sign_in("rep")
    some = [emptied["Amy Fox"], emptied["Bea Wolf"]]
    assert client.post("/sync/conflicts/bulk", data={"choice": "ours"}).status_code == 422
    assert client.post("/sync/conflicts/bulk", data={"choice": "ours", "all": "2"}).status_code == 409
    assert client.post("/sync/conflicts/bulk", data={"choice": "ours", "ids": some}).status_code == 303
    assert states() == ["open", "resolved", "resolved"]
    client.post("/sync/conflicts/bulk?field=phone", data={"choice": "theirs", "all": "1"})
    assert states() == ["resolved"] * 3


def test_a_rule_is_an_admins_and_is_said_in_plain_words(client: FlaskClient, sign_in, emptied: dict[str, int]) -> None:
    id_ = emptied["Amy Fox"]
    sign_in("rep")
    assert client.post(f"/sync/conflicts/{id_}/always", data={"choice": "theirs"}).status_code == 403
    sign_in("admin")
    assert "Phone, emptied in QuickBooks: Empty it here too" in client.get(f"/sync/conflicts/{id_}").text
    answer = client.post(f"/sync/conflicts/{id_}/always", data={"choice": "theirs"})
    assert "2 more decided by it" in client.get(answer.location).text and states() == ["resolved"] * 3


def test_a_bookkeeper_sees_the_difference_and_decides_nothing(
    client: FlaskClient, sign_in, emptied: dict[str, int]
) -> None:
    sign_in("bookkeeper")
    id_ = emptied["Amy Fox"]
    assert client.get("/sync/conflicts").status_code == 403
    assert client.post(f"/sync/conflicts/{id_}", data={"choice": "ours"}).status_code == 403
    contact_id = db.session.scalars(select(Contact.id).where(Contact.display_name == "Amy Fox")).one()
    page = client.get(f"/contacts/{contact_id}").text
    assert "QuickBooks says: phone nothing" in page and "/sync/conflicts/" not in page
    assert states() == ["open"] * 3


def test_the_contacts_page_leads_to_the_conflict(client: FlaskClient, sign_in, emptied: dict[str, int]) -> None:
    sign_in("rep")
    contact_id = db.session.scalars(select(Contact.id).where(Contact.display_name == "Amy Fox")).one()
    assert f'href="/sync/conflicts/{emptied["Amy Fox"]}"' in client.get(f"/contacts/{contact_id}").text


def test_what_differs_since_the_link_is_sent_or_taken_from_the_contacts_page(
    client: FlaskClient,
    sign_in,
    connection: Connection,  # noqa: F811
) -> None:
    [id_] = have({"name": "Amy Fox", "email": "amy@fox.example", "company_name": "Amy's Pipes", "website": "a.example"})
    import_(connection, there())
    sign_in("rep")
    page = client.get(f"/contacts/{id_}").text
    assert "QuickBooks says: company Fox Plumbing" in page and "Send ours" in page
    sent = client.post(f"/sync/conflicts/contacts/{id_}", data={"field": "company_name", "choice": "ours"})
    assert (sent.status_code, sent.location) == (303, f"/contacts/{id_}")
    client.post(f"/sync/conflicts/contacts/{id_}", data={"field": "website", "choice": "theirs"})
    page = client.get(f"/contacts/{id_}").text
    assert "Ours is on its way there." in page and "QuickBooks says: website" not in page
    assert db.session.scalars(select(OutboxEntry.fields)).one().keys() == {"company_name"}
    assert client.post(f"/sync/conflicts/contacts/{id_}", data={"field": "nose", "choice": "ours"}).status_code == 404
