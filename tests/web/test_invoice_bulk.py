"""What is done to chosen invoices of the list: those that allow it are done, the others say why and stay chosen."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient

from crm.db import db, transaction
from crm.models import SalesDocument, SalesEvent
from crm.services import invoices as service
from crm.services import sales_documents
from tests.services.test_invoices import NOW, TODAY, company, content, do, draft, entries, finished, in_books, told
from tests.web.test_invoices import SignIn, fresh, text_of

REASON = "billed twice"


def posted(client: FlaskClient, deed: str, *chosen: SalesDocument, **values: str) -> Any:
    return client.post(f"/invoices/chosen{deed}", data={"ids": [str(one.id) for one in chosen], **values})


def ticked(page: str) -> set[int]:
    return {int(one) for one in re.findall(r'class="row-check" name="ids" value="(\d+)"[^>]* checked', page)}


def test_the_list_offers_what_the_person_may_do(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("bookkeeper")
    company()
    made = finished()
    page = text_of(client, "/invoices")
    assert "/invoices/chosen.csv" in page and "/invoices/chosen/void" not in page
    assert posted(client, "/hold", made).status_code == 403 and not fresh(made).hold


def test_chosen_ones_are_held_back_and_let_go_and_drafts_among_them_finished(
    client: FlaskClient, sign_in: SignIn
) -> None:
    sign_in("rep")
    company()
    made, new = finished(), draft()
    answer = posted(client, "/hold?state=unpaid&page=2", made)
    assert answer.status_code == 303 and answer.location.endswith("/invoices?state=unpaid&page=2")
    assert fresh(made).hold and entries() == [("create", "dropped")]
    drafted = posted(client, "/hold", new)
    assert drafted.status_code == 409 and "This invoice is a draft" in drafted.text and not fresh(new).hold
    assert posted(client, "/release", made, new).status_code == 303
    assert not fresh(made).hold and fresh(new).state == "open"
    assert entries()[1:] == [("create", "pending")] * 2


def test_what_refuses_says_why_and_stays_chosen_while_the_others_are_done(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    free, paid, void = finished(), finished(), draft()
    in_books(free)
    in_books(paid, paid=Decimal("120.01"), remote_id="78")
    answer = posted(client, "/void", free, paid, void, why=f"  {REASON}\n")
    assert answer.status_code == 409
    assert "2 invoices stay as they are" in answer.text and "Payments or credits are applied" in answer.text
    assert "This invoice is not in QuickBooks. Delete it instead." in answer.text
    assert ticked(answer.text) == {paid.id, void.id} and "1 invoice void as soon as" in answer.text
    assert ("void", "pending") in entries() and len(entries()) == 3
    event = db.session.query(SalesEvent).filter_by(document_id=free.id, event="void_asked").one()
    assert event.text.endswith(f": {REASON}")
    assert "void_asked" not in told(fresh(paid)) + told(fresh(void))


def test_voiding_without_a_reason_changes_nothing_and_keeps_what_was_chosen(
    client: FlaskClient, sign_in: SignIn
) -> None:
    sign_in("rep")
    company()
    made = finished()
    in_books(made)
    answer = posted(client, "/void", made, why=" ", next_step="call Ann")
    assert answer.status_code == 422 and "Say why they are voided" in answer.text
    assert ticked(answer.text) == {made.id} and 'value="call Ann"' in answer.text and entries() == [("create", "done")]
    assert "Choose at least one invoice" in posted(client, "/void", why=REASON).text


def test_a_promise_is_noted_on_open_ones_only(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    late, paid = finished(date=TODAY - timedelta(days=40)), finished()
    in_books(late)
    in_books(paid, paid=Decimal("120.01"), remote_id="78")
    assert "for which day" in posted(client, "/promise", late).text
    assert "is no date" in posted(client, "/promise", late, promised_on="soon").text
    answer = posted(client, "/promise", late, paid, promised_on="2026-12-24", next_step="call Ann")
    assert answer.status_code == 409 and "Nothing is open on this invoice." in answer.text
    assert (str(fresh(late).promised_on), fresh(late).next_step) == ("2026-12-24", "call Ann")
    assert fresh(paid).promised_on is None


def test_each_is_mailed_to_its_own_address_or_says_what_is_missing(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    given = content().contact_id
    good, without, away = (finished(contact_id=given, email=to) for to in ("ann@example.com", "", "bo@example.com"))
    in_books(good)
    in_books(without, remote_id="78")
    answer = posted(client, "/mail", good, without, away)
    assert answer.status_code == 409 and ticked(answer.text) == {without.id, away.id}
    assert "Write the address it goes to" in answer.text and "not in QuickBooks yet" in answer.text
    assert told(fresh(good))[-1] == "mail_asked" and "mail_asked" not in told(fresh(without)) + told(fresh(away))
    again = posted(client, "/mail", good)
    assert again.status_code == 409 and "It is being sent already" in again.text


def test_the_file_holds_the_chosen_ones(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("bookkeeper")
    company()
    made, held = finished(), do(service.finish, draft(), hold=True)
    finished()
    with transaction():
        sales_documents.find(made.id).updated_at = NOW
    rows = list(csv.reader(io.StringIO(posted(client, ".csv", made, held).text.lstrip("\ufeff"))))
    assert {row[0] for row in rows[1:]} == {str(made.id), str(held.id)}
    assert posted(client, ".csv").status_code == 422
