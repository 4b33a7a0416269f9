"""The pages of merging: choosing the other, side by side, what is refused, undo, the list, and old addresses."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, ContactMerge, Duplicate
from crm.services import api_keys
from tests.engine_rows import add
from tests.services.test_contact_merges import KIM, edit, make, merge, two_customers
from tests.services.test_sync_matching import connection  # noqa: F401


@pytest.fixture
def rep(client: FlaskClient, sign_in: Any) -> FlaskClient:
    sign_in("rep")
    return client


def marked(page: str, name: str) -> str:
    """Which side is marked for a field."""
    [tag] = [part for part in page.split("<input") if f'name="pick-{name}"' in part and "checked" in part]
    return tag.split('value="')[1].split('"')[0]


def sent(one: int, other: int, **more: Any) -> dict[str, Any]:
    """The form as a browser sends it unchanged, but for `more`."""
    versions = dict(db.session.execute(select(Contact.id, Contact.version)).all())
    db.session.remove()
    return {"version": versions[one], "other_version": versions[other]} | more


def test_one_finds_the_other_by_suggestion_and_by_search(rep: FlaskClient) -> None:
    one, other, third = make("Ann Lee"), make("Anne Lee-Moss"), make("Bo Grant", phone="555 010 1100")
    with transaction() as session:
        session.query(Duplicate).delete()
    add(Duplicate(sort="contact", one_id=one, other_id=other, found_at=clock.now(), outcome="same",
                  evidence=[{"reason": "phone", "text": "phone is the same", "points": 40}]))  # fmt: skip
    page = rep.get(f"/contacts/{one}/merge").text
    assert "May be the same" in page and "Anne Lee-Moss" in page and "phone is the same" in page
    assert "Bo Grant" not in page
    found = rep.get(f"/contacts/{one}/merge?q=010-1100").text
    assert f"/contacts/{one}/merge/{third}" in found
    assert "No other contact in use fits" in rep.get(f"/contacts/{one}/merge?q=nobody").text


def test_both_stand_side_by_side_with_the_best_marked_and_its_reason(rep: FlaskClient) -> None:
    one, other = make("A. Lee", city="Bayshore", phone="555 010 1100"), make("Ann Lee", website="lee.example")
    page = rep.get(f"/contacts/{one}/merge/{other}").text
    assert marked(page, "display_name") == "other" and marked(page, "city") == "one"
    texts = ("Fuller than the other.", "The only one known.", "(555) 010-1100", "lee.example", "Keep the other one")
    assert [text for text in texts if text not in page] == []
    assert marked(rep.get(f"/contacts/{other}/merge/{one}").text, "display_name") == "one"


def test_the_marked_side_or_what_is_written_beside_it_is_kept(rep: FlaskClient) -> None:
    one, other = make("A. Lee", city="Bayshore", phone="555 010 1100"), make("Ann Lee", email="ann@lee.example")
    form = sent(one, other, **{
        "pick-display_name": "one", "one-display_name": "A. Lee", "other-display_name": "Ann Lee",
        "own-city": " Sea  side ", "own-type": "vendor",
        "shown-line": ["phone:+15550101100:", "email:ann@lee.example:"], "line": ["email:ann@lee.example:"],
    })  # fmt: skip
    answer = rep.post(f"/contacts/{one}/merge/{other}", data=form)
    merge_id = db.session.scalars(select(ContactMerge.id)).one()
    assert (answer.status_code, answer.location) == (303, f"/contacts/{one}?merged={merge_id}")
    contact = db.session.get_one(Contact, one)
    assert (contact.display_name, contact.city, contact.type) == ("A. Lee", "Sea side", "vendor")
    assert [point.value for point in contact.points] == ["ann@lee.example"]


def test_after_a_merge_a_banner_the_timeline_and_the_list_offer_the_undo(rep: FlaskClient) -> None:
    one, other = make("Ann Lee"), make("Anne Lee")
    answer = rep.post(f"/contacts/{one}/merge/{other}", data=sent(one, other))
    page = rep.get(answer.location).text
    merge_id = db.session.scalars(select(ContactMerge.id)).one()
    undo = f"/contacts/merges/{merge_id}/undo"
    assert "“Anne Lee” was merged into this contact" in page and undo in page
    assert f'href="/contacts/{one}/merges"' in page and "Undo…" in page
    assert undo not in rep.get(f"/contacts/{one}").text, "the banner is for the moment"
    assert undo in rep.get(f"/contacts/{one}/merges").text
    edit(one, website="lee.example")
    answer = rep.post(undo)
    assert (answer.status_code, answer.location) == (303, f"/contacts/{one}")
    page = rep.get(f"/contacts/{one}").text
    assert "Website: edited since, and kept here." in page
    assert rep.get(f"/contacts/{other}").status_code == 200
    assert "is a contact of its own" in rep.get(f"/contacts/{one}/merges").text
    assert rep.post(undo).status_code == 409


def test_an_old_address_leads_to_the_survivor_and_nothing_is_done_there(rep: FlaskClient) -> None:
    one, other = make("Ann Lee"), make("Anne Lee")
    merge(one, other)
    for path in ("", "/edit", "/merge", "/timeline", f"/merge/{one}"):
        assert rep.get(f"/contacts/{other}{path}").location == f"/contacts/{one}", path
    for path, data in (("/notes", {"body": "x"}), ("/restore", {}), ("", {"display_name": "New"})):
        assert rep.post(f"/contacts/{other}{path}", data=data).location == f"/contacts/{one}", path
    assert "Nothing was changed." in rep.get(f"/contacts/{one}").text


def test_programs_get_410_with_the_contact_that_stands_for_it(client: FlaskClient, make_user: Any) -> None:
    one, other = make("Ann Lee"), make("Anne Lee")
    merge(one, other)
    with transaction():
        _, key = api_keys.create("p", scope="read", actor=KIM, now=clock.now())
    answer = client.get(f"/api/v1/contacts/{other}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 410 and answer.content_type == "application/problem+json"
    assert answer.json["merged_into"] == one and "“Anne Lee” was merged into “Ann Lee”" in answer.json["detail"]


def test_a_contact_changed_meanwhile_is_409_and_what_was_typed_stays(rep: FlaskClient) -> None:
    one, other = make("Ann Lee", city="Bayshore"), make("Anne Lee")
    form = sent(one, other, **{"own-city": "Seaside"})
    edit(other, website="lee.example")
    answer = rep.post(f"/contacts/{one}/merge/{other}", data=form)
    assert answer.status_code == 409
    assert "changed meanwhile" in answer.text and 'value="Seaside"' in answer.text
    assert "lee.example" in answer.text, "it shows what stands now"
    assert not db.session.scalars(select(ContactMerge.id)).all()


def test_what_is_typed_wrongly_is_422_beside_its_field(rep: FlaskClient) -> None:
    one, other = make("Ann Lee", website="lee.example"), make("Anne Lee")
    answer = rep.post(f"/contacts/{one}/merge/{other}", data=sent(one, other, **{"own-website": "no sense"}))
    assert answer.status_code == 422 and 'value="no sense"' in answer.text
    assert 'aria-describedby="why-website"' in answer.text and "Website is not a web address" in answer.text


def test_two_customers_of_the_books_are_explained_and_remembered(
    rep: FlaskClient,
    connection: Connection,  # noqa: F811
) -> None:
    one, other = two_customers(connection)
    page = rep.get(f"/contacts/{one}/merge/{other}").text
    assert "are two QuickBooks customers for one person. Merge them there" in page and ">Merge</" not in page
    answer = rep.post(f"/contacts/{one}/merge/{other}", data=sent(one, other))
    assert answer.status_code == 409 and "Remembered" in answer.text
    known = (Duplicate.sort == "customer", Duplicate.state == "known")
    assert len(db.session.scalars(select(Duplicate).where(*known)).all()) == 1


@pytest.mark.parametrize("chosen", [1, 3])
def test_exactly_two_ticked_contacts_can_be_merged(rep: FlaskClient, chosen: int) -> None:
    ids = [make(f"Ann {number}") for number in range(chosen)]
    answer = rep.post("/contacts/bulk", data={"deed": "merge", "ids": ids})
    assert answer.status_code == 422 and "Tick exactly two contacts" in answer.text


def test_of_two_ticked_contacts_the_linked_one_is_kept(rep: FlaskClient, connection: Connection) -> None:  # noqa: F811
    early = make("Early Bird")
    linked, _ = two_customers(connection)
    answer = rep.post("/contacts/bulk", data={"deed": "merge", "ids": [early, linked]})
    assert answer.location == f"/contacts/{linked}/merge/{early}"


def test_who_may_not_change_contacts_may_not_merge(client: FlaskClient, sign_in: Any) -> None:
    one, other = make("Ann Lee"), make("Anne Lee")
    sign_in("bookkeeper")
    assert client.get(f"/contacts/{one}/merge").status_code == 403
    assert client.post(f"/contacts/{one}/merge/{other}").status_code == 403
    merge_id = merge(one, other)
    assert client.post(f"/contacts/merges/{merge_id}/undo").status_code == 403
    assert "/undo" not in client.get(f"/contacts/{one}/merges").text
