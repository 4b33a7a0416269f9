"""The customer's page: what it shows, what can be done there, and what it keeps from everybody else."""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pypdf
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.logging import MaskingFormatter
from crm.models import (
    Connection,
    Notice,
    OutboxEntry,
    PublicLink,
    SalesDocument,
    SalesEvent,
    SignInAttempt,
    TimelineEntry,
)
from crm.services import attachments, public_links, public_throttle, quotes, sales_documents, sales_pdf
from crm.services.audit import Actor
from tests.engine_rows import company
from tests.factories import ContactFactory

KIM = Actor("kim@example.com")
LINES = (
    Line(key="1", name="Carbon strap", quantity=Decimal(3), unit_price=Decimal("100")),
    Line(key="2", name="Paint", unit_price=Decimal("50"), optional=True),
    Line(key="3", name="Sealer", unit_price=Decimal("7"), optional=True, chosen=True),
)


def quote(state: str = "sent", kind: str = "estimate", **more: Any) -> SalesDocument:
    now = clock.now()
    with transaction():
        contact = ContactFactory.create(display_name="Ada Byron")
        content = Content(contact_id=contact.id, number="Q-7", date=now.date(), lines=LINES,
                          expires_on=now.date() + timedelta(days=20), customer_memo="Thank you",
                          title="Do not lose this one", internal_note="Margin is thin",
                          private_note="For the books")  # fmt: skip
        document = sales_documents.new(kind, replace(content, **more), state=state, actor=KIM, now=now)
        document.sent_at = now
        return document


def link_to(document: SalesDocument) -> str:
    with transaction():
        return public_links.make(document.id, actor=KIM, now=clock.now())


def fields(page: str) -> dict[str, str]:
    """The hidden fields of its first form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)[:2])


def again(document: SalesDocument) -> SalesDocument:
    """As it stands in the database now."""
    fresh()
    return sales_documents.find(document.id)


def fresh() -> None:
    """Let go of what was read before: the requests of the client have sessions of their own."""
    db.session.rollback()
    db.session.expire_all()


def option(document: SalesDocument, name: str) -> str:
    return str(next(line.id for line in document.lines if line.name == name))


def events(document: SalesDocument) -> list[str]:
    query = select(SalesEvent.event).where(SalesEvent.document_id == document.id).order_by(SalesEvent.id)
    return list(db.session.scalars(query))


# --- the link -------------------------------------------------------------------------------------------------


def test_a_link_is_made_once_kept_secret_and_lasts_thirty_days_longer_than_the_quote(app: Flask) -> None:
    document = quote()
    address = link_to(document)
    assert link_to(document) == address
    token = address.removeprefix("/q/")
    assert len(token) >= 43
    link = db.session.scalars(select(PublicLink)).one()
    assert link.expires_at.date() == document.expires_on + timedelta(days=30)
    stored = db.session.connection().exec_driver_sql("SELECT token, token_hash FROM public_links").one()
    assert token not in stored[0] and token not in stored[1]


def test_unknown_revoked_and_expired_links_say_the_same_and_nothing_else(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    assert client.get(address).status_code == 200
    with transaction():
        assert public_links.revoke(document.id, actor=KIM, now=clock.now()) == 1
    revoked = client.get(address)
    second = link_to(document)
    assert second != address
    with transaction():
        db.session.scalars(select(PublicLink).order_by(PublicLink.id.desc())).first().expires_at = clock.now()
    expired, unknown = client.get(second), client.get("/q/" + "x" * 43)
    assert revoked.status_code == expired.status_code == unknown.status_code == 404
    assert revoked.text == expired.text == unknown.text
    assert "Q-7" not in unknown.text and "Ada" not in unknown.text
    for path in ("/pdf", "/logo", "/files/1"):
        assert client.get(address + path).text == unknown.text
    assert client.post(address + "/accept").text == unknown.text


def test_the_page_is_kept_by_nobody_found_by_nobody_and_tells_no_other_site(client: FlaskClient) -> None:
    address = link_to(quote())
    for path in ("", "/pdf"):
        answer = client.get(address + path)
        assert answer.headers["Cache-Control"] == "no-store, private"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"].startswith("noindex")
        assert "Set-Cookie" not in answer.headers
    assert client.get("/q/nothing").headers["Cache-Control"] == "no-store, private"


def test_the_token_is_in_no_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    token = link_to(quote()).removeprefix("/q/")
    line = f'127.0.0.1 GET /q/{token}/pdf?x=1 200 "http://localhost/q/{token}"'
    record = logging.LogRecord("gunicorn.access", logging.INFO, "", 0, line, None, None)
    assert MaskingFormatter("%(message)s").format(record) == '127.0.0.1 GET /q/***/pdf?x=1 200 "http://localhost/q/***"'


def test_gunicorn_masks_whatever_it_logs(capfd: pytest.CaptureFixture[str]) -> None:
    from gunicorn.config import Config

    from crm.access_log import Logger

    settings = Config()
    settings.set("accesslog", "-")
    logger = Logger(settings)
    try:
        logger.access_log.info("GET %s 200", "/q/abcdefgh")
        logger.error("Error handling request %s", "/q/abcdefgh")
    finally:
        logger.access_log.handlers.clear()
        logger.error_log.handlers.clear()
    written = "".join(capfd.readouterr())
    assert written.count("/q/***") == 2 and "abcdefgh" not in written


# --- reading --------------------------------------------------------------------------------------------------


def test_it_shows_the_quote_and_the_first_opening_by_a_stranger_marks_it_viewed(
    client: FlaskClient, sign_in: Callable[..., Any]
) -> None:
    document = quote()
    address = link_to(document)
    text = client.get(address).text
    for words in ("Quote Q-7", "Ada Byron", "Carbon strap", "3 × $100.00", "Paint", "$307.00", "Thank you"):
        assert words in text, words
    for words in ("Do not lose", "Margin", "For the books"):
        assert words not in text, words
    client.get(address)
    seen = again(document)
    assert (seen.state, seen.viewed_at is not None) == ("viewed", True)
    assert events(document).count("view") == 1
    assert db.session.scalars(select(PublicLink.opened)).one() == 1


def test_a_colleague_who_looks_marks_nothing_and_answers_nothing(
    client: FlaskClient, sign_in: Callable[..., Any]
) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address, headers={"Sec-Purpose": "prefetch"}).text)
    assert again(document).state == "sent"
    sign_in("rep")
    assert "this is what the customer reads" in client.get(address).text
    assert client.post(address + "/accept", data={**form, "name": "Kim"}).status_code == 403
    assert again(document).state == "sent"


def test_a_draft_is_shown_to_colleagues_alone(client: FlaskClient, sign_in: Callable[..., Any]) -> None:
    address = link_to(quote("draft"))
    assert client.get(address).status_code == 404
    sign_in("rep")
    assert "The customer does not see this draft" in client.get(address).text


def test_while_it_is_revised_the_customer_reads_the_version_they_know(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    with transaction():
        quotes.revise(document.id, lock=again(document).lock, actor=KIM, now=clock.now())
    with transaction():
        found = again(document)
        content = sales_documents.content_of(found)
        lines = tuple(replace(line, unit_price=Decimal("999")) for line in content.lines)
        sales_documents.write(found, replace(content, lines=lines), now=clock.now())
    page = client.get(address).text
    assert "A newer version of this quote is being written" in page
    assert "$307.00" in page and "$999.00" not in page
    text = pypdf.PdfReader(io.BytesIO(client.get(address + "/pdf").data)).pages[0].extract_text()
    assert "$307.00" in text and "$999" not in text
    answer = client.post(address + "/accept", data={**form, "name": "Ada"})
    assert answer.status_code == 409
    with transaction():
        quotes.send(document.id, lock=again(document).lock, actor=KIM, now=clock.now())
    late = client.post(address + "/accept", data={**form, "name": "Ada"})
    assert late.status_code == 409 and "There is a newer version of this quote" in late.text
    assert again(document).state == "sent"


def test_what_changes_in_the_books_is_not_accepted_unread(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    with transaction():
        found = again(document)
        content = sales_documents.content_of(found)
        sales_documents.write(found, replace(content, lines=content.lines[:1]), now=clock.now())
    assert client.post(address + "/accept", data={**form, "name": "Ada"}).status_code == 409
    assert again(document).state == "viewed"


def test_an_invoice_is_read_with_what_is_open_and_not_answered(client: FlaskClient) -> None:
    invoice = quote("open", kind="invoice")
    with transaction():
        again(invoice).balance = Decimal("12.50")
    address = link_to(invoice)
    page = client.get(address).text
    assert "Invoice Q-7" in page and "Amount due" in page and "$12.50" in page
    assert "Accept" not in page and "Ask a question" not in page
    assert again(invoice).viewed_at is not None
    assert client.get(address + "/pdf").data.startswith(b"%PDF")
    key = public_links.form_key(db.session.scalars(select(PublicLink)).one())
    assert client.post(address + "/accept", data={"key": key, "name": "Ada"}).status_code in (404, 409)


# --- answering ------------------------------------------------------------------------------------------------


def test_options_are_counted_on_the_server_and_kept_only_when_accepted(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    ticked = {**form, "option": [option(document, "Paint"), option(document, "Sealer")], "name": "Ada"}
    whole = client.post(address + "/total", data=ticked)
    assert "$357.00" in whole.text and 'value="Ada"' in whole.text and "<html" in whole.text
    piece = client.post(address + "/total", data=ticked, headers={"HX-Request": "true"})
    assert "$357.00" in piece.text and "<html" not in piece.text
    assert again(document).total == Decimal("307.00")
    answer = client.post(address + "/accept", data={**form, "option": [option(document, "Paint")], "name": " Ada  B. "})
    assert (answer.status_code, answer.location) == (303, address)
    found = again(document)
    assert (found.state, found.accepted_by, found.total) == ("accepted", "Ada B.", Decimal("350.00"))
    assert {line.name: line.chosen for line in found.lines if line.optional} == {"Paint": True, "Sealer": False}
    assert "Accepted by Ada B. on" in client.get(address).text


def test_accepting_twice_counts_once_and_the_second_name_and_options_change_nothing(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    for name, taken in (("Ada", "Sealer"), ("Somebody else", "Paint")):
        data = {**form, "name": name, "option": [option(document, taken)]}
        assert client.post(address + "/accept", data=data).status_code == 303
    found = again(document)
    assert found.accepted_by == "Ada" and found.total == Decimal("307.00")
    assert events(document).count("accept") == 1


def test_two_who_accept_at_the_same_moment_are_one_acceptance(app: Flask, client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    fresh()
    ready = threading.Barrier(2)

    def press(name: str) -> None:
        ready.wait()
        app.test_client().post(address + "/accept", data={**form, "name": name, "option": [option_id]})

    option_id = option(again(document), "Paint")
    fresh()
    both = [threading.Thread(target=press, args=(name,)) for name in ("Ada", "Charles")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    found = again(document)
    assert events(document).count("accept") == events(document).count("chosen") == 1
    assert found.accepted_by in ("Ada", "Charles") and found.total == Decimal("350.00")


def test_what_was_accepted_goes_to_the_books_with_the_options_chosen(client: FlaskClient) -> None:
    books = company()
    document = quote()
    assert again(document).connection_id == books
    with transaction():
        sales_documents.to_books(again(document), quotes.WHOLE, actor=KIM, now=clock.now())
        db.session.scalars(select(OutboxEntry)).all()[0].fields = {}
    address = link_to(document)
    form = fields(client.get(address).text)
    client.post(address + "/accept", data={**form, "name": "Ada", "option": [option(document, "Paint")]})
    fresh()
    entry = db.session.scalars(select(OutboxEntry).where(OutboxEntry.kind == "estimate")).one()
    assert {"status", "accepted_by", "lines"} <= set(entry.fields)
    assert entry.actor == "Ada"


def test_accepting_needs_a_name_and_the_form_comes_back_as_it_was(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    answer = client.post(address + "/accept", data={**form, "name": " ", "option": [option(document, "Paint")]})
    assert answer.status_code == 422
    assert "Please write your name" in answer.text and "$350.00" in answer.text
    assert again(document).state == "viewed"


def test_declining_tells_why_and_what_was_declined_is_not_accepted_any_more(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    assert client.post(address + "/decline", data={**form, "why": "Too dear"}).status_code == 303
    assert (again(document).state, again(document).declined_why) == ("declined", "Too dear")
    late = client.post(address + "/accept", data={**form, "name": "Ada"})
    assert late.status_code == 409 and "Ask for it to be offered again" in late.text


def test_an_expired_quote_is_read_and_not_accepted(client: FlaskClient) -> None:
    document = quote(expires_on=date(2020, 1, 1))
    address = link_to(document)
    page = client.get(address).text
    assert "This quote expired on Jan 1, 2020" in page and 'name="name"' not in page
    data = {"key": public_links.form_key(db.session.scalars(select(PublicLink)).one()), "name": "Ada"}
    from crm.services import sales_papers

    data["version"] = sales_papers.version(again(document))
    answer = client.post(address + "/accept", data=data)
    assert answer.status_code == 409 and "has expired" in answer.text


def test_a_question_reaches_the_quote_its_contact_and_the_people_who_care(
    client: FlaskClient, sign_in: Callable[..., Any], make_user: Callable[..., Any]
) -> None:
    owner = make_user("rep")
    document = quote(owner_id=owner.id)
    books = company()
    with transaction():
        again(document).connection_id = books
    address = link_to(document)
    form = fields(client.get(address).text)
    for _ in range(2):
        answer = client.post(address + "/ask", data={**form, "question": "When <b>could</b> you start?", "who": "Ada"})
        assert answer.location == f"{address}?asked=1"
    assert "Your question was sent" in client.get(address + "?asked=1").text
    assert events(document).count("ask") == 1
    entry = db.session.scalars(select(TimelineEntry).where(TimelineEntry.verb == "quote_ask")).one()
    assert (entry.source, entry.actor) == ("customer", "Ada")
    sign_in(owner)
    assert "asked about by Ada: When &lt;b&gt;could" in client.get("/").text
    page = client.get(f"/quotes/{document.id}").text
    said = page.index("asked about by Ada", page.index("What the customer said</h2>"))
    assert said < page.index("Files</h2>"), "under a heading of its own"
    client.post(f"/documents/{document.id}/noted")
    assert "asked about by Ada" not in client.get("/").text
    fresh()
    assert db.session.scalars(select(Notice.settled_at)).one() is not None
    sign_in("rep")
    assert "asked about" not in client.get("/").text


def test_a_form_from_elsewhere_does_nothing(client: FlaskClient) -> None:
    document, other = quote(), quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    foreign = fields(client.get(link_to(other)).text)
    good = {**form, "name": "Ada"}
    for data, headers in (
        ({**good, "key": foreign["key"]}, {}), ({**good, "key": ""}, {}), ({**good, "key": "ü"}, {}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
    ):  # fmt: skip
        assert client.post(address + "/accept", data=data, headers=headers).status_code == 403
    assert again(document).state == "viewed"


def test_answers_are_counted_per_link_and_address_and_never_against_signing_in(client: FlaskClient) -> None:
    document = quote()
    address = link_to(document)
    form = fields(client.get(address).text)
    statuses = [client.post(address + "/accept", data={**form, "name": ""}).status_code for _ in range(21)]
    assert statuses == [422] * 20 + [429]
    answer = client.post(address + "/ask", data={**form, "question": "Hello?"})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert client.get(address).status_code == 200
    rows = db.session.scalars(select(SignInAttempt)).all()
    assert len(rows) == 20 and all("@" not in row.email and row.ip != "127.0.0.1" for row in rows)
    for _ in range(public_throttle.LIMITS["unknown"][1]):
        client.get("/q/nothing")
    assert client.get("/q/nothing").status_code == 429
    assert client.get(address).status_code == 200


# --- files and PDF --------------------------------------------------------------------------------------------


def test_the_customer_gets_the_files_meant_for_them_and_no_other(client: FlaskClient) -> None:
    document, other = quote(), quote()
    address = link_to(document)
    with transaction():
        shown, hidden, foreign = (
            attachments.add(one.id, name, data=name.encode(), for_customer=seen, actor=KIM, now=clock.now())
            for one, name, seen in (
                (document, "plan.html", True),
                (document, "cost.txt", False),
                (other, "x.txt", True),
            )
        )
    page = client.get(address).text
    assert "plan.html.txt" in page and "a.txt" not in page
    answer = client.get(f"{address}/files/{shown.id}")
    assert answer.data == b"plan.html"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=plan.html.txt")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert client.get(f"{address}/files/{hidden.id}").status_code == 404
    assert client.get(f"{address}/files/{foreign.id}").status_code == 404


def test_colleagues_get_the_pdf_and_strangers_do_not(client: FlaskClient, sign_in: Callable[..., Any]) -> None:
    document = quote("draft")
    assert client.get(f"/documents/{document.id}/pdf").status_code == 302
    sign_in("bookkeeper")
    answer = client.get(f"/documents/{document.id}/pdf")
    assert answer.mimetype == "application/pdf" and 'filename="Quote-Q-7.pdf"' in answer.headers["Content-Disposition"]
    assert sales_pdf.render(document.id, now=clock.now()).startswith(b"%PDF")
    assert client.post(f"/documents/{document.id}/link").status_code == 403


def test_the_link_is_made_shown_and_revoked_by_colleagues(client: FlaskClient, sign_in: Callable[..., Any]) -> None:
    document = quote()
    sign_in("rep")
    page = client.post(f"/documents/{document.id}/link", follow_redirects=True).text
    fresh()
    link = public_links.live(document.id, now=clock.now())
    assert public_links.path(link) in page and "Not opened yet" in page
    client.post(f"/documents/{document.id}/link/revoke")
    fresh()
    assert public_links.live(document.id, now=clock.now()) is None


def test_an_invoices_page_makes_shows_and_revokes_its_link(client: FlaskClient, sign_in: Callable[..., Any]) -> None:
    invoice = quote("open", kind="invoice")
    sign_in("rep")
    page = client.post(f"/documents/{invoice.id}/link", follow_redirects=True).text
    fresh()
    address = public_links.path(public_links.live(invoice.id, now=clock.now()))
    assert f'href="http://localhost{address}"' in page and "Not opened yet" in page
    page = client.post(f"/documents/{invoice.id}/link/revoke", follow_redirects=True).text
    assert "opens nothing any more" in page and "Make a link" in page
    sign_in("bookkeeper")
    assert "Make a link" not in client.get(f"/invoices/{invoice.id}").text


def test_files_are_added_hidden_and_removed_on_the_quotes_page(
    client: FlaskClient, sign_in: Callable[..., Any]
) -> None:
    document = quote()
    sign_in("rep")
    path = f"/documents/{document.id}/files"

    def upload(data: bytes, name: str) -> str:
        form = {"file": (io.BytesIO(data), name), "for_customer": "1"}
        return str(client.post(path, data=form, follow_redirects=True).text)

    assert "The file was added" in upload(b"hello", "plan.txt")
    assert "This kind of file is not taken" in upload(b"MZ\x00\x01", "plan.pdf")
    assert "here already, as plan.txt" in upload(b"hello", "again.txt")
    row = attachments.of_document(document.id)[0]
    client.post(f"{path}/{row.id}/show", data={"for_customer": "0"})
    fresh()
    assert not attachments.of_document(document.id, for_customer=True)
    assert client.get(f"{path}/{row.id}").data == b"hello"
    client.post(f"{path}/{row.id}/delete")
    fresh()
    assert not attachments.of_document(document.id)


def test_the_connection_of_this_file_is_not_needed_to_answer(client: FlaskClient) -> None:
    """Before any company is connected a customer can accept all the same."""
    document = quote()
    assert db.session.scalars(select(Connection)).all() == []
    address = link_to(document)
    form = fields(client.get(address).text)
    assert client.post(address + "/accept", data={**form, "name": "Ada"}).status_code == 303
