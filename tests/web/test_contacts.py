"""Contacts in the browser: list, page, forms, conflicts, who may do what."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.blueprints.contacts import forms
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.models import (
    AuditEntry,
    Connection,
    Contact,
    Customer,
    Document,
    Match,
    MoneyFacts,
    SavedView,
    TimelineEntry,
    User,
)
from crm.services import contacts as service
from crm.services import households
from crm.services.audit import Actor

ANNA = {"display_name": "Anna O'Brien", "company_name": "Brien Bakery", "city": "Atlanta", "type": "customer"}


def contact(
    values: dict[str, str] | None = None, *, phone: str = "(404) 555-0143", email: str = "anna@brien.example"
) -> Contact:
    entries = tuple(Entry(kind, value, "work") for kind, value in (("phone", phone), ("email", email)) if value)
    with transaction():
        return service.create(Draft(values or ANNA, entries, ("vip",)), actor=Actor("seed"), now=clock.now())


def with_books(found: Contact) -> Connection:
    now = clock.now()
    with transaction() as session:
        books = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f", company_name="Bedrock Repair", country="US",
            currency="USD", time_zone="America/New_York", state="connected", connected_at=now,
        )  # fmt: skip
        session.add(books)
        session.flush()
        customer = Customer(
            connection_id=books.id, remote_id="58", version="7", display_name="Brien Bakery", terms="Net 30",
            tax_status="Taxable", balance=Decimal("362.07"), balance_with_jobs=Decimal("1362.07"), currency="USD",
            match_state="linked", contact_id=found.id, seen_at=now,
        )  # fmt: skip
        job = Customer(
            connection_id=books.id, remote_id="59", parent_remote_id="58", display_name="Crawl space 2026",
            full_path="Brien Bakery:Crawl space 2026", balance=Decimal("1000"), match_state="job", contact_id=found.id,
            seen_at=now,
        )  # fmt: skip
        session.add_all([customer, job])
        session.flush()
        session.add(
            MoneyFacts(
                contact_id=found.id, connection_id=books.id, currency="USD", balance=Decimal("362.07"),
                balance_with_jobs=Decimal("1362.07"), balance_as_of=now, total_sales=Decimal("9000.50"), invoices=4,
                open_invoices=1, overdue=Decimal("362.07"), documents_as_of=now,
            )
        )  # fmt: skip
        for number, balance, due in (("1037", "362.07", "2020-01-01"), ("1036", "0", "2020-01-01")):
            session.add(
                Document(
                    connection_id=books.id, kind="invoice", remote_id=number, customer_remote_id="58",
                    contact_id=found.id, number=number, date=clock.now().date(), due_date=date.fromisoformat(due),
                    total=Decimal("362.07"), balance=Decimal(balance), seen_at=now,
                )
            )  # fmt: skip
        session.add(
            Match(
                connection_id=books.id, customer_id=customer.id, contact_id=found.id, state="linked", score=96,
                rule="phone_and_name", decided_by="rules", decided_at=now,
                evidence=[{"reason": "phone", "text": "phone +1 404 555 0143 exact", "points": 60}],
            )
        )  # fmt: skip
    return books


def fresh_one(contact_id: int) -> Contact:
    db.session.rollback()  # lets go of the snapshot this test read before
    return db.session.get_one(Contact, contact_id, populate_existing=True)


def form_of(found: Contact, **typed: Any) -> dict[str, Any]:
    form = forms.of_contact(found)
    data = {name: value for name, value in form.items() if isinstance(value, str)}
    for kind in ("phone", "email"):
        data[f"{kind}_label"] = [label for label, _ in form[f"{kind}s"]]
        data[kind] = [value for _, value in form[f"{kind}s"]]
    return data | {"version": str(found.version), "base": json.dumps(form)} | typed


@pytest.fixture
def rep(sign_in: Any) -> User:
    return sign_in("rep")


def test_an_empty_list_says_what_to_do_next(client: FlaskClient, sign_in: Any) -> None:
    sign_in("admin")
    page = client.get("/contacts").text
    assert "No contacts yet" in page and "Import a file" in page and "Connect QuickBooks" in page
    sign_in("rep")
    assert "Connect QuickBooks" not in client.get("/contacts").text


@pytest.mark.parametrize(
    "typed", ["o'brien", "OBrien an", "404-555-0143", "+1 (404) 555 0143", "brien.example", "bakery", "atlan"]
)
def test_a_contact_is_found_by_whatever_one_remembers(client: FlaskClient, rep: User, typed: str) -> None:
    contact()
    contact({"display_name": "Somebody Else"}, phone="", email="")
    page = client.get("/contacts", query_string={"q": typed}).text
    assert "Anna O&#39;Brien" in page and "Somebody Else" not in page


def test_a_search_without_result_offers_the_way_back(client: FlaskClient, rep: User) -> None:
    contact()
    page = client.get("/contacts?q=zzzz").text
    assert "Nothing found" in page and "Clear search and filters" in page


def test_htmx_gets_the_list_alone(client: FlaskClient, rep: User) -> None:
    contact()
    answer = client.get("/contacts?q=anna&owner=&type=&page=1", headers={"HX-Request": "true"})
    assert answer.headers["HX-Push-Url"] == "/contacts?q=anna"
    assert "<html" not in answer.text and 'id="list"' in answer.text and "HX-Request" in answer.headers["Vary"]


def test_the_page_shows_money_with_its_source_jobs_documents_and_evidence(client: FlaskClient, rep: User) -> None:
    found = contact()
    with_books(found)
    page = client.get(f"/contacts/{found.id}").text
    for words in ("$1,362.07", "own $362.07", "$9,000.50", "QuickBooks, as of", "Crawl space 2026", "Net 30", "Taxable",
                  "phone +1 404 555 0143 exact", "score 96", "1037", "days overdue"):  # fmt: skip
        assert words in page, words
    listed = client.get("/contacts?balance=overdue").text
    assert "Anna" in listed and "$362.07 overdue" in listed


def test_documents_are_served_alone_and_with_the_page(client: FlaskClient, rep: User) -> None:
    found = contact()
    with_books(found)
    alone = client.get(f"/contacts/{found.id}/documents/invoice", headers={"HX-Request": "true"})
    assert alone.status_code == 200 and "<html" not in alone.text and "Paid" in alone.text
    assert "<html" in client.get(f"/contacts/{found.id}/documents/payment").text
    assert client.get(f"/contacts/{found.id}/documents/secrets").status_code == 404


def test_a_bookkeeper_sees_and_changes_nothing(client: FlaskClient, sign_in: Any) -> None:
    found = contact()
    sign_in("bookkeeper")
    page = client.get(f"/contacts/{found.id}").text
    assert "Anna" in page and "/edit" not in page and "Add note" not in page
    assert "New contact" not in client.get("/contacts").text
    for path in ("", f"/{found.id}", f"/{found.id}/archive", f"/{found.id}/notes", f"/{found.id}/edit/name", "/bulk"):
        assert client.post(f"/contacts{path}", data={}).status_code == 403, path
    assert fresh_one(found.id).version == 1


def test_a_new_contact_without_name_is_sent_back_with_what_was_typed(client: FlaskClient, rep: User) -> None:
    answer = client.post("/contacts", data={"city": "Macon", "email": "not an address", "email_label": "work"})
    assert answer.status_code == 422
    assert "Macon" in answer.text and "not an address" in answer.text and "is not an e-mail address" in answer.text


def test_a_shared_phone_is_shown_first_and_allowed_then(client: FlaskClient, rep: User) -> None:
    contact()
    data = {"display_name": "Ben O'Brien", "phone": "404.555.0143", "phone_label": "home", "type": "lead"}
    first = client.post("/contacts", data=data)
    assert first.status_code == 422 and "Anna O&#39;Brien" in first.text and "Create anyway" in first.text
    assert client.post("/contacts", data=data | {"anyway": "1"}).status_code == 303
    assert db.session.query(Contact).count() == 2


def test_editing_writes_the_change_into_the_timeline(client: FlaskClient, rep: User) -> None:
    found = contact()
    answer = client.post(f"/contacts/{found.id}", data=form_of(found, city="Savannah", tags="vip, warranty"))
    assert answer.status_code == 303
    page = client.get(f"/contacts/{found.id}").text
    assert "Savannah" in page and "warranty" in page and rep.email in page
    entry = db.session.query(TimelineEntry).filter_by(verb="changed").one()
    assert entry.changes["city"] == ["Atlanta", "Savannah"] and entry.source == "person"


def test_a_change_meanwhile_shows_both_versions_and_loses_nothing(client: FlaskClient, rep: User) -> None:
    found = contact()
    data = form_of(found, city="Savannah", given_name="Ann")
    with transaction():
        service.change(
            found.id, {"city": "Macon", "website": "brien.example"}, version=1, actor=Actor("kim"), now=clock.now()
        )
    answer = client.post(f"/contacts/{found.id}", data=data)
    assert answer.status_code == 409
    assert "Savannah" in answer.text and "Macon" in answer.text and "kim" in answer.text
    fresh = fresh_one(found.id)
    assert fresh.city == "Macon"
    # The website was not touched here, so what stands there is proposed; the city was, so the typed one is.
    picks = {"pick-city": "mine", "pick-website": "theirs", "version": str(fresh.version)}
    assert client.post(f"/contacts/{found.id}", data=data | picks).status_code == 303
    fresh = fresh_one(found.id)
    assert (fresh.city, fresh.given_name, fresh.website) == ("Savannah", "Ann", "brien.example")


def test_one_field_is_edited_in_place_with_and_without_htmx(client: FlaskClient, rep: User) -> None:
    found = contact()
    assert 'name="city"' in client.get(f"/contacts/{found.id}/edit/address").text
    htmx = {"HX-Request": "true"}
    data = {"street": "1 Oak St", "city": "Macon", "version": "1"}
    answer = client.post(f"/contacts/{found.id}/edit/address", data=data, headers=htmx)
    assert answer.status_code == 200 and "1 Oak St" in answer.text and "<html" not in answer.text
    assert answer.headers["HX-Trigger"] == "contact-changed"
    late = client.post(f"/contacts/{found.id}/edit/address", data=data | {"city": "Rome"}, headers=htmx)
    assert late.status_code == 409 and "Rome" in late.text and "Macon" in late.text
    bad = client.post(f"/contacts/{found.id}/edit/website", data={"website": "javascript:alert(1)", "version": "2"})
    assert bad.status_code == 422 and "is not a web address" in bad.text


def test_lines_and_tags_are_edited_in_place_one_group_at_a_time(client: FlaskClient, rep: User) -> None:
    found = contact()
    url, htmx = f"/contacts/{found.id}/edit", {"HX-Request": "true"}
    opened = client.get(f"{url}/phones", headers=htmx).text
    assert "(404) 555-0143" in opened and "Remove (404) 555-0143" in opened and "<html" not in opened
    assert "<html" in client.get(f"{url}/emails").text  # the same form without scripting
    lines = {"phone": ["(404) 555-0143", "404 555 0199 x7", ""], "phone_label": ["home", "mobile", ""], "version": "1"}
    answer = client.post(f"{url}/phones", data=lines, headers=htmx)
    assert answer.headers["HX-Trigger"] == "contact-changed" and 'hx-swap-oob="true"' in answer.text
    fresh = fresh_one(found.id)
    assert [(p.kind, p.label, p.normal, p.extension) for p in fresh.points] == [
        ("phone", "home", "+14045550143", ""), ("phone", "mobile", "+14045550199", "7"),
        ("email", "work", "anna@brien.example", ""),
    ]  # fmt: skip
    assert client.post(f"{url}/phones", data=lines | {"version": "2", "drop": "phone-0"}).status_code == 303
    assert [p.normal for p in fresh_one(found.id).points] == ["+14045550199", "anna@brien.example"]
    client.post(f"{url}/tags", data={"tags": "vip, piers", "version": "3"})
    assert [tag.name for tag in fresh_one(found.id).tags] == ["piers", "vip"]
    told = db.session.query(TimelineEntry).filter_by(contact_id=found.id).order_by(TimelineEntry.id.desc()).first()
    assert told and told.changes == {"tags": ["vip", "piers, vip"]}


def test_a_wrong_line_in_place_is_sent_back_and_a_change_meanwhile_is_shown(client: FlaskClient, rep: User) -> None:
    found = contact()
    url = f"/contacts/{found.id}/edit/emails"
    wrong = client.post(url, data={"email": "anna at brien", "email_label": "work", "version": "1"})
    assert wrong.status_code == 422 and "anna at brien" in wrong.text and "is not an e-mail address" in wrong.text
    base = json.dumps({"emails": [["work", "anna@brien.example"]]})
    mine = {"email": ["a@brien.example"], "email_label": [""], "version": "1", "base": base}
    with transaction():
        service.change(found.id, {"city": "Macon"}, version=1, actor=Actor("Kim"), now=clock.now())
    late = client.post(url, data=mine)
    assert late.status_code == 409 and "a@brien.example" in late.text and "anna@brien.example" in late.text
    assert [p.value for p in fresh_one(found.id).points if p.kind == "email"] == ["anna@brien.example"]
    assert client.post(url, data=mine | {"version": "2", "pick-emails": "mine"}).status_code == 303
    assert [p.value for p in fresh_one(found.id).points if p.kind == "email"] == ["a@brien.example"]


def test_archived_contacts_leave_the_list_and_come_back(client: FlaskClient, rep: User) -> None:
    found = contact()
    client.post(f"/contacts/{found.id}/archive")
    assert "Anna" not in client.get("/contacts", headers={"HX-Request": "true"}).text
    assert "Anna" in client.get("/contacts?archived=1").text
    client.post(f"/contacts/{found.id}/restore")
    assert "Anna" in client.get("/contacts").text


def test_notes_are_kept_with_their_author_and_shown_as_text(client: FlaskClient, rep: User) -> None:
    found = contact()
    assert client.post(f"/contacts/{found.id}/notes", data={"body": " "}).status_code == 422
    client.post(f"/contacts/{found.id}/notes", data={"body": "Gate code\n<script>x</script>"})
    page = client.get(f"/contacts/{found.id}").text
    assert "Gate code" in page and "&lt;script&gt;" in page and rep.name in page


def test_older_notes_are_a_page_further_newest_first(client: FlaskClient, rep: User) -> None:
    found = contact()
    for n in range(12):
        client.post(f"/contacts/{found.id}/notes", data={"body": f"visit {n:02}"})
    page = client.get(f"/contacts/{found.id}").text
    assert page.index("visit 11") < page.index("visit 02") and "visit 01" not in page and "Older notes" in page
    older = client.get(f"/contacts/{found.id}/notes?page=2", headers={"HX-Request": "true"}).text
    assert "visit 01" in older and "visit 02" not in older and "Newer notes" in older and "<html" not in older
    assert "visit 00" in client.get(f"/contacts/{found.id}/notes?page=2").text


def test_many_are_tagged_and_assigned_at_once(client: FlaskClient, rep: User) -> None:
    ids = [contact({"display_name": f"Nr {n}"}, phone="", email="").id for n in range(3)]
    client.post("/contacts/bulk", data={"ids": ids, "deed": "tag", "tag_name": "Home show"})
    answer = client.post("/contacts/bulk", data={"ids": ids[:2], "deed": "assign", "new_owner": rep.id, "q": "Nr"})
    assert answer.location == "/contacts?q=Nr", "the list stands as it was filtered"
    assert client.post("/contacts/bulk", data={"ids": ids, "deed": "assign", "new_owner": ""}).status_code == 422
    assert len(client.get(f"/contacts?owner={rep.id}", headers={"HX-Request": "true"}).text.split("row-check")) == 3
    assert client.get("/contacts").text.count("Home show") >= 3
    assert client.post("/contacts/bulk", data={"deed": "tag", "tag_name": "x"}).status_code == 422


def test_all_that_match_are_changed_after_their_number_was_confirmed(
    client: FlaskClient, rep: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        contact({"display_name": f"Macon {n}", "city": "Macon"}, phone="", email="")
    kept = contact()
    deed = {"q": "macon", "sort": "-created", "all": "1", "deed": "archive"}
    asked = client.post("/contacts/bulk", data=deed)
    assert asked.status_code == 200 and "Archive 3 contacts?" in asked.text and "“macon”" in asked.text
    contact({"display_name": "Macon 3", "city": "Macon"}, phone="", email="")
    again = client.post("/contacts/bulk", data=deed | {"confirmed": "3"})
    assert again.status_code == 409 and "Archive 4 contacts?" in again.text
    assert db.session.query(Contact).filter(Contact.archived_at.is_not(None)).count() == 0
    done = client.post("/contacts/bulk", data=deed | {"confirmed": "4"})
    assert done.status_code == 303 and done.location == "/contacts?q=macon&sort=-created"
    db.session.rollback()
    left = db.session.query(Contact).filter(Contact.archived_at.is_(None)).all()
    assert [found.id for found in left] == [kept.id]
    assert [(e.action, e.summary) for e in db.session.query(AuditEntry)] == [
        ("contacts_archived", "4 contacts archived")
    ]
    monkeypatch.setattr(service, "MAX_BULK", 0)
    refused = client.post("/contacts/bulk", data={"all": "1", "deed": "archive"})
    assert refused.status_code == 422 and "up to 0 contacts" in refused.text


def test_who_others_are_billed_to_is_left_out_when_many_are_archived_and_named(
    client: FlaskClient, rep: User
) -> None:
    payer, member, free = (contact({"display_name": f"Nr {n}"}, phone="", email="").id for n in range(3))
    with transaction():
        households.join(member, payer, actor=Actor("kim@example.com"), now=clock.now())
    done = client.post("/contacts/bulk", data={"ids": [payer, member, free], "deed": "archive"}, follow_redirects=True)
    assert "Not archived, since others are billed to them: Nr 0. Make another one the bill-to" in done.text
    assert "2 contacts archived." in done.text and "were so already" not in done.text
    db.session.rollback()
    assert [found.id for found in db.session.query(Contact).filter(Contact.archived_at.is_(None))] == [payer]
    alone = client.post("/contacts/bulk", data={"ids": [payer], "deed": "archive"}, follow_redirects=True).text
    assert "Nr 0. Make another" in alone and "0 contacts" not in alone


def test_an_export_leaves_an_entry_that_says_how_many_and_which(client: FlaskClient, rep: User) -> None:
    contact()
    client.get("/contacts/export.csv?type=customer&balance=")
    told = db.session.query(AuditEntry).one()
    assert (told.actor, told.action) == (rep.email, "contacts_exported")
    assert told.summary == "Contacts as CSV: 1 (Type: Customer)"


def test_the_export_has_the_same_rows_as_the_list_and_no_formula(client: FlaskClient, rep: User) -> None:
    contact({"display_name": "=HYPERLINK(1)", "city": "Rome"}, email="")
    contact({"display_name": "Zed", "city": "Macon"}, phone="+44 20 7946 0958", email="")
    answer = client.get("/contacts/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["Name"] for row in rows] == ["'=HYPERLINK(1)", "Zed"]
    assert rows[1]["Phone"] == "+44 20 7946 0958" and answer.headers["Content-Disposition"].endswith('.csv"')
    assert len(client.get("/contacts/export.csv?q=macon").text.splitlines()) == 2


def test_a_saved_view_brings_its_filters_back_and_is_seen_by_others_when_shared(
    client: FlaskClient, rep: User, sign_in: Any
) -> None:
    contact()
    data = {"name": "Late payers", "balance": "overdue", "sort": "-balance", "shared": "1"}
    assert client.post("/contacts/views", data=data).status_code == 303
    view = db.session.query(SavedView).one()
    assert view.query == "balance=overdue&sort=-balance"
    sign_in("bookkeeper")
    assert "Late payers" in client.get("/contacts").text
    assert client.post(f"/contacts/views/{view.id}/delete").status_code == 403
    sign_in(rep)
    assert client.post(f"/contacts/views/{view.id}/delete").status_code == 303


def test_an_address_nobody_understands_shows_the_plain_list(client: FlaskClient, rep: User) -> None:
    contact()
    args = "page=99999999&sort=;drop&owner=x&tag=1e9&balance=NaN&since=yesterday&open=zz&type=king&link=7"
    answer = client.get(f"/contacts?{args}")
    assert answer.status_code == 200 and "Anna" in answer.text
    assert client.get("/contacts/999999").status_code == 404


def test_the_preview_stands_beside_the_list(client: FlaskClient, rep: User) -> None:
    found = contact()
    page = client.get(f"/contacts?open={found.id}&sort=-created").text
    assert f'data-preview="{found.id}"' in page and 'id="columns"' in page and 'name="open"' in page
    # htmx follows the plain links as boosted ones: it gets the whole page and takes list and panel from it.
    boosted = client.get(f"/contacts?open={found.id}", headers={"HX-Request": "true", "HX-Boosted": "true"}).text
    assert "<html" in boosted and 'hx-select="#columns"' in boosted
    sorted_ = client.get(f"/contacts?open={found.id}&sort=-balance", headers={"HX-Request": "true"})
    assert sorted_.headers["HX-Push-Url"] == f"/contacts?sort=-balance&open={found.id}"


def test_the_order_by_age_can_be_chosen(client: FlaskClient, rep: User) -> None:
    for name in ("Zed", "Amy"):
        contact({"display_name": name}, phone="", email="")
    page = client.get("/contacts?type=lead").text
    assert "type=lead&amp;sort=-created" in page and "Newest first" in page
    newest, oldest = client.get("/contacts?sort=-created").text, client.get("/contacts?sort=created").text
    assert newest.index("Preview Amy") < newest.index("Preview Zed")
    assert oldest.index("Preview Amy") > oldest.index("Preview Zed")
