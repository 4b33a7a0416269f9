"""The card of a doubtful match: the two sides, what really differs, who else claims the contact, and what follows."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.domain.evidence import BEST, strength
from crm.models import Connection, Contact, Customer, Link, Match
from crm.queries.match_cards import cards, compare, of_contact, of_customer
from tests.flows.imports import opened, run_import
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401

HTMX = {"HX-Request": "true"}


def claimed_twice(connection: Connection) -> int:  # noqa: F811
    """One contact that two customers may be; answers its id."""
    [contact_id] = have({"name": "Deborah Henry", "phones": ("660 555 3141",), "email": "henry@home.example"})
    twins = [
        customer(n, "Deborah Henry", phone="660-555-3141", email="henry@home.example") for n in (69, 70)
    ]  # fmt: skip
    run = run_import(connection.id, open_books=opened(Books(twins)))
    assert run.counts.get("review") == 2, run.counts
    return contact_id


def states(theirs: dict, ours: Contact) -> dict[str, str]:
    return {line.label: line.state for line in compare(of_customer(theirs, "US"), of_contact(ours))}


def test_only_what_contradicts_is_marked_not_what_is_written_otherwise(app, connection) -> None:  # noqa: F811
    [id_] = have({"name": "Stanton, Judith", "phones": ("(660) 555-3141",), "email": "Judith@Home.example"})
    ours = db.session.get_one(Contact, id_)
    ours.street, ours.city, ours.postal_code, ours.company_name = "6593 Adams Street", "Sedalia", "65301", "Fir LLC"
    theirs = {
        "display_name": "JUDITH STANTON", "email_text": "judith@home.example", "company_name": "",
        "phones": [{"label": "primary", "text": "+1 660 555 3141"}, {"label": "fax", "text": "660 555 9999"}],
        "billing_address": {"line1": "6593 Adams St.", "city": "SEDALIA", "postal_code": "65301-0001"},
    }  # fmt: skip
    assert states(theirs, ours) == {
        "Name": "same", "Company": "", "Phones": "same", "E-mail": "same", "Address": "same",
    }  # fmt: skip
    theirs |= {"display_name": "Jon Stanton", "phones": [{"label": "primary", "text": "660 555 0000"}]}
    theirs["billing_address"] = {"line1": "6595 Adams St.", "city": "Sedalia", "postal_code": "65301"}
    assert {label for label, state in states(theirs, ours).items() if state == "differs"} == {
        "Name", "Phones", "Address",
    }  # fmt: skip


def test_the_score_stands_on_a_scale_with_a_word() -> None:
    assert (strength(BEST), strength(80), strength(40), strength(39), strength(-20)) == (
        "strong", "strong", "fair", "weak", "weak",
    )  # fmt: skip


def test_the_card_says_where_both_sides_stand_and_how_strong_the_evidence_is(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    page = client.get("/matches").text
    match = db.session.scalars(select(Match)).one()
    for text in ("QuickBooks customer", "Contact in Tradebook", "2 open invoices", f"{match.score} of {BEST} points"):
        assert text in page, text


def test_who_else_claims_the_contact_is_said_with_the_way_there(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    contact_id = claimed_twice(connection)
    page = client.get("/matches").text
    assert page.count("Also claimed by:") == 2 and f"contact={contact_id}" in page
    alone = client.get(f"/matches?contact={contact_id}").text
    assert alone.count("data-card") == 2 and "Customers that may be" in alone
    assert "data-card" not in client.get(f"/matches?contact={contact_id + 1}").text


def test_htmx_gets_the_decided_card_alone_its_rivals_and_the_count(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    contact_id = claimed_twice(connection)
    first, second = db.session.scalars(select(Match).order_by(Match.customer_id)).all()
    gone, rival = first.customer_id, second.customer_id
    answer = client.post(f"/matches/{first.id}/confirm", headers=HTMX, data={"next": "/matches?sort=name"})
    assert answer.status_code == 200 and "<html" not in answer.text
    assert f'id="customer-{gone}"' not in answer.text
    assert f'id="customer-{rival}"' in answer.text and "linked to the customer “Deborah Henry” already" in answer.text
    assert 'id="match-count" hx-swap-oob="true">1<' in answer.text and "is linked to Deborah Henry" in answer.text
    assert 'value="/matches?sort=name"' in answer.text
    db.session.remove()
    assert db.session.scalars(select(Link.local_id)).all() == [contact_id]


def test_a_decision_that_came_too_late_is_said_and_the_card_shown_as_it_is_now(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    claimed_twice(connection)
    first, second = (match.id for match in db.session.scalars(select(Match).order_by(Match.customer_id)).all())
    client.post(f"/matches/{first}/confirm")
    late = client.post(f"/matches/{second}/confirm", headers=HTMX)
    assert late.status_code == 200 and "already linked to the customer" in late.text and "data-card" in late.text
    again = client.post(f"/matches/{first}/reject", headers=HTMX)
    assert "Somebody has decided" in again.text


def test_a_card_that_waits_no_more_is_left_out(app, connection) -> None:  # noqa: F811
    claimed_twice(connection)
    ids = db.session.scalars(select(Customer.id).order_by(Customer.id)).all()
    assert [card.customer.id for card in cards([*reversed(ids), 999])] == list(reversed(ids))
    db.session.get_one(Customer, ids[0]).match_state = "linked"
    assert [card.customer.id for card in cards(ids)] == [ids[1]]
