"""Quotes in the browser: the builder by buttons alone, two people at once, the page, the list, the board."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.product_values import Values
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import AuditEntry, Contact, OutboxEntry, Product, SalesDocument, User
from crm.services import products, quote_drafts, quotes, sales_documents
from crm.services.audit import Actor
from tests.engine_rows import company, contact

KIM = Actor("kim@example.com", shown_as="Kim")
LINES = (Line(key="a", name="Strap", quantity=Decimal(3), unit_price=Decimal("33.335"), taxable=False),)


def quote(contact_id: int | None = None, *, sent: bool = False, **values: Any) -> SalesDocument:
    """A quote of 100.01."""
    contact_id = contact_id or contact()
    today = quote_drafts.today(clock.now())
    given: dict[str, Any] = {
        "title": "North wall",
        "date": today,
        "expires_on": today + timedelta(days=30),
        "currency": "USD",
    }
    given |= {"contact_id": contact_id, "lines": LINES} | values
    content = Content(**given)
    with transaction():
        made = quote_drafts.create(content, actor=KIM, now=clock.now())
    if sent:
        with transaction():
            made = quotes.send(made.id, lock=made.lock, actor=KIM, now=clock.now())
    return made


def product(name: str = "Helical pier", price: str = "1625", **columns: Any) -> int:
    with transaction() as session:
        values = Values(name=name, sku=name[:3].upper(), price=Decimal(price), description="Installed")
        made = products.create(session, values, send=False, actor=KIM, now=clock.now())
        for column, value in columns.items():
            setattr(made, column, value)
        return made.id


def form_of(page: str) -> dict[str, str]:
    """The builder's fields as a browser would send them, without buttons."""
    form = page[page.index('id="builder"') : page.index("</form>", page.index('id="builder"'))]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            found[name[1]] = value[1] if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        found[name] = text
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    found.pop("csrf_token", None)
    return found


def stored(document_id: int) -> SalesDocument:
    db.session.remove()
    return sales_documents.find(document_id)


def only() -> SalesDocument:
    db.session.remove()
    return sales_documents.find(db.session.scalars(select(SalesDocument.id)).one())


@pytest.fixture
def rep(sign_in: Any) -> User:
    return sign_in("rep")


def test_an_empty_list_says_what_to_do_next(client: FlaskClient, rep: User) -> None:
    page = client.get("/quotes").text
    assert "No quotes yet" in page and "New quote" in page


def test_a_quote_is_built_saved_and_sent_by_buttons_alone(client: FlaskClient, rep: User) -> None:
    company()
    lead, pier = contact("Ada Byron", type="lead", email="ada@example.com"), product()
    form = form_of(client.get("/quotes/new").text)
    page = client.post("/quotes", data=form | {"customer_q": "ada", "action": "enter"}).text
    assert f'name="contact_id" value="{lead}"' in page and "ada@example.com" in page
    page = client.post("/quotes", data=form_of(page) | {"q": "HEL", "action": "find-product"}).text
    assert "$1,625.00" in page and 'id="f-lines-1-quantity"' in page, "the one that is meant is taken at once"
    form = form_of(page)
    assert form["lines-1-item"] == str(pier) and form["lines-1-unit_price"] == "1625.00"
    page = client.post("/quotes", data=form | {"action": "add:section"}).text
    form = form_of(page) | {"lines-2-description": "Walls", "lines-1-quantity": "2"}
    page = client.post("/quotes", data=form | {"action": f"up:{form['lines-2-key']}"}).text
    assert form_of(page)["lines-1-description"] == "Walls"
    form = form_of(page) | {"discount_kind": "percent", "discount_value": "10"}
    page = client.post("/quotes", data=form | {"action": "recalculate"}).text
    assert 'id="total">$2,925.00' in page
    assert db.session.scalar(select(SalesDocument.id)) is None, "nothing is kept before it is saved"
    answer = client.post("/quotes", data=form_of(page) | {"action": "save"})
    assert answer.status_code == 303
    kept = only()
    assert (kept.total, kept.state, kept.contact_id, [line.kind for line in kept.lines]) == (
        Decimal("2925.00"), "draft", lead, ["section", "item"]
    )  # fmt: skip
    page = client.get(answer.location).text
    assert "A draft: nobody outside sees it" in page
    client.post(f"/quotes/{kept.id}/send", data={"lock": kept.lock})
    assert only().state == "sent"
    assert {one.kind for one in db.session.scalars(select(OutboxEntry))} >= {"customer", "estimate"}


def test_a_wrong_form_is_answered_with_everything_that_was_typed(client: FlaskClient, rep: User) -> None:
    form = form_of(client.get(f"/quotes/new?contact={contact()}").text)
    typed = form | {
        "title": "North <wall>", "date": "soon", "lines-1-key": "n1", "lines-1-kind": "item",
        "lines-1-description": "Strap", "lines-1-quantity": "three", "lines-1-unit_price": "10", "action": "save",
        "internal_note": "thin",
    }  # fmt: skip
    answer = client.post("/quotes", data=typed)
    assert answer.status_code == 422
    assert "no date" in answer.text and "the quantity “three” is no number" in answer.text
    kept = form_of(answer.text)
    assert (kept["lines-1-quantity"], kept["date"], kept["internal_note"]) == ("three", "soon", "thin")
    assert "North &lt;wall&gt;" in answer.text


def test_a_quote_for_nobody_is_asked_whom_it_is_for_and_a_new_contact_can_be_written_down(
    client: FlaskClient, rep: User
) -> None:
    form = form_of(client.get("/quotes/new").text) | {
        "lines-1-key": "n1", "lines-1-kind": "item", "lines-1-description": "Strap", "lines-1-unit_price": "10",
        "action": "save",
    }  # fmt: skip
    answer = client.post("/quotes", data=form)
    assert answer.status_code == 422 and "Choose who this quote is for first." in answer.text
    assert client.post("/quotes", data=form | {"new_name": "Ada", "new_email": "no address"}).status_code == 422
    assert db.session.scalar(select(Contact.id)) is None
    written = {"new_name": "Ada Byron", "new_email": "ada@example.com"}
    assert client.post("/quotes", data=form | written).status_code == 303
    made = only()
    assert made.email == "ada@example.com"
    named = select(Contact.display_name).where(Contact.id == made.contact_id)
    assert db.session.scalar(named) == "Ada Byron"


def test_a_bundle_brings_its_members_and_can_be_opened(client: FlaskClient, rep: User) -> None:
    resin = product("Resin", "10")
    kit = product("Crack kit", "0", type="group", members=[{"product_id": resin, "quantity": "2"}])
    form = form_of(client.get(f"/quotes/new?contact={contact()}").text)
    page = client.post("/quotes", data=form | {"product": str(kit)}).text
    form = form_of(page)
    assert (form["lines-1-kind"], form["lines-2-within"], form["lines-2-quantity"]) == (
        "group",
        form["lines-1-key"],
        "2",
    )
    assert 'id="total">$20.00' in page
    page = client.post("/quotes", data=form | {"action": f"open:{form['lines-1-key']}"}).text
    assert form_of(page)["lines-1-within"] == "" and "lines-2-key" not in form_of(page)


def test_a_product_priced_in_another_currency_asks_for_a_price(client: FlaskClient, rep: User) -> None:
    company()
    imported = product("Motor", "700", currency="EUR")
    form = form_of(client.get(f"/quotes/new?contact={contact()}").text)
    page = client.post("/quotes", data=form | {"product": str(imported)}).text
    assert "Motor has its price in EUR. Write what it costs in USD." in page
    assert form_of(page)["lines-1-unit_price"] == ""


def test_the_box_of_figures_is_calculated_from_what_is_typed_and_brings_the_amounts(
    client: FlaskClient, rep: User
) -> None:
    form = {"lines-1-key": "n1", "lines-1-kind": "item", "lines-1-unit_price": "33.335", "lines-1-quantity": "3",
            "lines-2-key": "n2", "lines-2-quantity": "half typed", "lines-2-unit_price": "40"}  # fmt: skip
    answer = client.post("/quotes/figures", data=form, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and 'id="total">$100.01' in answer.text
    assert "the quantity “half typed” is no number" in answer.text and "left out of the figures" in answer.text
    assert 'id="amount-n1"' in answer.text and "hx-swap-oob" in answer.text and "<html" not in answer.text
    assert db.session.scalar(select(SalesDocument.id)) is None


def test_two_people_at_once_see_both_versions_whole_and_nothing_is_lost(client: FlaskClient, rep: User) -> None:
    one = quote()
    form = form_of(client.get(f"/quotes/{one.id}/edit").text)
    first = client.post(f"/quotes/{one.id}", data=form | {"lines-1-quantity": "4", "action": "save"})
    assert first.status_code == 303
    mine = form | {"lines-1-quantity": "5", "title": "Mine", "action": "save"}
    answer = client.post(f"/quotes/{one.id}", data=mine)
    assert answer.status_code == 409
    assert "$166.68" in answer.text and "$133.34" in answer.text and "Changed meanwhile" in answer.text
    assert stored(one.id).title == "North wall"
    again = form_of(answer.text)
    assert (again["lines-1-quantity"], again["title"]) == ("5", "Mine")
    assert client.post(f"/quotes/{one.id}", data=again | {"action": "save"}).status_code == 303
    assert (stored(one.id).title, stored(one.id).total) == ("Mine", Decimal("166.68"))


def test_a_sent_quote_is_not_edited_but_revised_and_its_versions_compared(client: FlaskClient, rep: User) -> None:
    one = quote(sent=True)
    refused = client.get(f"/quotes/{one.id}/edit")
    assert refused.status_code == 400 and "Revise it" in refused.text
    assert client.post(f"/quotes/{one.id}/revise", data={"lock": one.lock}).location.endswith(f"/quotes/{one.id}/edit")
    form = form_of(client.get(f"/quotes/{one.id}/edit").text)
    assert (
        client.post(f"/quotes/{one.id}", data=form | {"lines-1-unit_price": "40", "action": "save"}).status_code == 303
    )
    page = client.get(f"/quotes/{one.id}/versions").text
    assert "$100.01 → $120.00" in page and "price 33.335 → 40" in page
    assert client.get(f"/quotes/{one.id}/versions?old=7").status_code == 404
    assert "1, compared with 2" in client.get(f"/quotes/{one.id}").text


def test_answers_told_by_word_of_mouth_are_taken_on_the_page(client: FlaskClient, rep: User) -> None:
    one = quote(sent=True)
    refused = client.post(f"/quotes/{one.id}/accept", data={"lock": one.lock, "accepted_by": " "})
    assert refused.status_code == 422 and "Write down who accepted it." in refused.text
    client.post(f"/quotes/{one.id}/accept", data={"lock": one.lock, "accepted_by": "Ada"})
    page = client.get(f"/quotes/{one.id}").text
    assert "Accepted by Ada" in page and "told by word of mouth" in page
    stale = client.post(f"/quotes/{one.id}/cancel", data={"lock": one.lock})
    assert stale.status_code == 409 and stored(one.id).state == "accepted"


def test_another_total_in_the_books_is_a_warning_in_words(client: FlaskClient, rep: User) -> None:
    one = quote(sent=True)
    assert "another total" not in client.get(f"/quotes/{one.id}").text
    with transaction() as session:
        kept = session.get_one(SalesDocument, one.id)
        kept.expected_total, kept.total, kept.books_total = kept.total, Decimal("107.51"), Decimal("107.51")
    page = client.get(f"/quotes/{one.id}").text
    assert "QuickBooks has another total: $107.51" in page and "a difference of $7.50" in page
    assert "ours $100.01, QuickBooks’ $107.51" in client.get("/quotes").text
    assert client.post(f"/quotes/{one.id}/seen", data={"lock": stored(one.id).lock}).status_code == 303
    assert "another total" not in client.get(f"/quotes/{one.id}").text
    again = client.post(f"/quotes/{one.id}/seen", data={"lock": stored(one.id).lock})
    assert again.status_code == 409 and "no difference to look at" in again.text


def test_what_is_with_the_customer_is_sorted_by_its_last_day(client: FlaskClient, rep: User) -> None:
    today = quote_drafts.today(clock.now())
    for number, days in (("Q-1", 20), ("Q-2", 5), ("Q-3", 10)):
        quote(number=number, sent=True, expires_on=today + timedelta(days=days))
    page = client.get("/quotes?state=open&sort=expires").text
    assert page.index(">Q-2<") < page.index(">Q-3<") < page.index(">Q-1<")


def test_a_template_begins_new_quotes(client: FlaskClient, rep: User) -> None:
    one = quote()
    made = client.post(f"/quotes/{one.id}/template", data={"name": "Wall, usual"})
    template_id = int(made.location.rpartition("/")[2])
    assert "Wall, usual" in client.get("/quotes?templates=only").text
    assert "Wall, usual" not in client.get("/quotes/export.csv").text
    form = form_of(client.get(f"/quotes/new?template={template_id}&contact={one.contact_id}").text)
    assert (form["lines-1-name"], form["contact_id"]) == ("Strap", str(one.contact_id))
    assert client.post("/quotes", data=form | {"action": "save"}).status_code == 303


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Q-1", "Q-2", "Q-3"}), ("q=ada", {"Q-1"}), ("q=Q-2", {"Q-2"}), ("q=strap", {"Q-1", "Q-2", "Q-3"}),
        ("state=draft", {"Q-1"}), ("state=open", {"Q-2"}), ("state=sent", {"Q-2"}), ("state=expired", {"Q-3"}),
        ("least=150", {"Q-2"}), ("most=100.01", {"Q-1", "Q-3"}), ("owner=none", {"Q-1", "Q-2", "Q-3"}),
        ("until=2020-01-01", set()), ("since=nonsense&least=x", {"Q-1", "Q-2", "Q-3"}), ("state=accepted", set()),
    ],
)  # fmt: skip
def test_a_list_is_narrowed_by_its_address(client: FlaskClient, rep: User, query: str, found: set[str]) -> None:
    quote(contact("Ada Byron"), number="Q-1")
    quote(contact("Bo"), number="Q-2", sent=True, lines=(Line(key="a", name="Strap", unit_price=Decimal(200)),))
    late = quote(contact("Cy"), number="Q-3", sent=True)
    with transaction() as session:
        session.get_one(SalesDocument, late.id).expires_on = date(2026, 1, 1)
    rows = csv.DictReader(io.StringIO(client.get(f"/quotes/export.csv?{query}").text.lstrip("\ufeff")))
    assert {row["Number"] for row in rows} == found
    page = client.get(f"/quotes?{query}")
    assert page.status_code == 200
    assert {number for number in ("Q-1", "Q-2", "Q-3") if f">{number}</a>" in page.text} == found
    db.session.remove()
    assert db.session.scalar(select(AuditEntry.action).where(AuditEntry.action == "quotes_exported"))


def test_sorting_by_amount(client: FlaskClient, rep: User) -> None:
    for number, price in (("Q-1", 5), ("Q-2", 50), ("Q-3", 20)):
        quote(number=number, lines=(Line(key="a", name="Strap", unit_price=Decimal(price)),))
    page = client.get("/quotes?sort=-total").text
    assert page.index(">Q-2<") < page.index(">Q-3<") < page.index(">Q-1<")


def test_the_figures_on_top_say_what_is_open_what_was_won_and_what_is_not_invoiced(
    client: FlaskClient, rep: User
) -> None:
    quote()
    quote(sent=True)
    won, lost, late = quote(sent=True), quote(sent=True), quote(sent=True)
    with transaction():
        quotes.accept(won.id, lock=won.lock, by="Ada", actor=KIM, now=clock.now())
        quotes.decline(lost.id, lock=lost.lock, why="", actor=KIM, now=clock.now())
    with transaction() as session:
        session.get_one(SalesDocument, late.id).expires_on = date(2026, 1, 1)
    page = client.get("/quotes").text
    assert "33%" in page and "1 won of 3 decided or expired" in page
    assert page.count('<span class="stat-value">$100.01</span>') == 2


def test_many_are_withdrawn_or_given_to_somebody_at_once(client: FlaskClient, rep: User) -> None:
    one, two = quote(), quote(sent=True)
    none = client.post("/quotes/withdraw")
    assert none.status_code == 422 and "Choose at least one quote" in none.text
    answer = client.post("/quotes/assign?state=open", data={"ids": [one.id, two.id], "owner": str(rep.id)})
    assert answer.location.endswith("/quotes?state=open") and stored(two.id).owner_id == rep.id
    client.post("/quotes/withdraw", data={"ids": [one.id, two.id]})
    assert [stored(each.id).state for each in (one, two)] == ["cancelled", "cancelled"]


def test_the_board_shows_stages_with_sums_and_moves_cards_by_their_forms(client: FlaskClient, rep: User) -> None:
    one = quote(number="Q-1", sent=True)
    page = client.get("/quotes/board").text
    assert page.index('data-stage="sent"') < page.index(">Q-1<") < page.index('data-stage="viewed"')
    answer = client.post(f"/quotes/{one.id}/stage", data={"lock": one.lock, "stage": "accepted"})
    assert answer.status_code == 303 and stored(one.id).state == "accepted"
    refused = client.post(f"/quotes/{one.id}/stage", data={"lock": stored(one.id).lock, "stage": "invoiced"})
    assert refused.status_code == 409 and "by hand" in refused.text and "Q-1" in refused.text


def test_a_bookkeeper_reads_quotes_and_changes_none(client: FlaskClient, sign_in: Any) -> None:
    one = quote()
    sign_in("bookkeeper")
    page = client.get(f"/quotes/{one.id}").text
    assert "Duplicate" not in page and "Send" not in page.replace("Send it to", "")
    assert "New quote" not in client.get("/quotes").text
    assert client.get("/quotes/board").status_code == 200
    for path in ("", f"/{one.id}", f"/{one.id}/send", f"/{one.id}/accept", "/withdraw", "/figures", f"/{one.id}/stage"):
        assert client.post(f"/quotes{path}", data={"lock": one.lock}).status_code == 403
    assert client.get("/quotes/new").status_code == 403


def test_the_builder_asks_for_what_the_company_has(client: FlaskClient, rep: User) -> None:
    company(preferences={"custom_fields": [{"definition_id": "1", "name": "Crew"}], "sales_tax": False,
                         "allows_discount": False})  # fmt: skip
    page = client.get(f"/quotes/new?contact={contact()}").text
    assert "Crew" in page and 'name="custom-1"' in page and 'name="discount_value"' not in page
    form = form_of(page) | {"custom-1": "North", "lines-1-key": "n1", "lines-1-kind": "item",
                            "lines-1-description": "Strap", "lines-1-unit_price": "10", "action": "save"}  # fmt: skip
    assert client.post("/quotes", data=form).status_code == 303
    assert only().custom_fields == {"1": "North"}


def test_a_product_taken_out_of_use_is_not_added(client: FlaskClient, rep: User, app: Flask) -> None:
    pier = product()
    with transaction() as session:
        session.get_one(Product, pier).active = False
    form = form_of(client.get(f"/quotes/new?contact={contact()}").text)
    page = client.post("/quotes", data=form | {"product": str(pier)}).text
    assert "not in use any more" in page and "lines-1-key" not in form_of(page)


def test_the_page_of_a_contact_shows_its_quotes_and_begins_a_new_one(client: FlaskClient, rep: User) -> None:
    ada = contact("Ada Byron")
    quote(ada, number="Q-1", sent=True), quote(number="Q-9")
    page = client.get(f"/contacts/{ada}").text
    assert ">Q-1<" in page and ">Q-9<" not in page and f"/quotes/new?contact={ada}" in page


def test_the_customers_address_is_shown_revoked_and_made_anew(client: FlaskClient, rep: User) -> None:
    one = quote(sent=True)
    page = client.get(f"/quotes/{one.id}").text
    first = re.search(r'href="(/q/[^"]+)"', page)
    assert first and "Not opened yet." in page
    client.post(f"/documents/{one.id}/link/revoke")
    assert "/q/" not in client.get(f"/quotes/{one.id}").text
    client.post(f"/documents/{one.id}/link")
    second = re.search(r'href="(/q/[^"]+)"', client.get(f"/quotes/{one.id}").text)
    assert second and second[1] != first[1]
