"""The card of a doubtful match: the two sides, what really differs, who else claims the contact, and what follows."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.domain.evidence import BEST, strength
from crm.models import Connection, Contact, Match
from crm.queries.match_sides import compare, of_contact, of_customer
from tests.flows.imports import opened, run_import
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


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


def test_the_person_of_a_company_is_shown_where_the_books_have_one(app, connection) -> None:  # noqa: F811
    [id_] = have({"name": "Walter Greene"})
    ours = db.session.get_one(Contact, id_)
    theirs = {"display_name": "Cornerstone Realty", "given_name": "Ann", "family_name": "Greene"}
    [line] = [one for one in compare(of_customer(theirs, "US"), of_contact(ours)) if one.label == "Person"]
    assert [value.text for value in line.theirs] == ["Ann Greene"] and line.state == "", "the family name that agrees"
    assert "Person" not in states(theirs | {"display_name": "Greene, Ann"}, ours), "said once"


def test_the_score_stands_on_a_scale_with_a_word() -> None:
    assert (strength(BEST), strength(80), strength(40), strength(39), strength(-20)) == (
        "strong", "strong", "fair", "weak", "weak",
    )  # fmt: skip


def test_the_card_says_where_both_sides_stand_and_how_strong_the_evidence_is(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    page = client.get("/matches/desk").text
    match = db.session.scalars(select(Match)).one()
    for text in ("2 open invoices", f"{match.score} of {BEST} points", "Sold in all", "$30.00"):
        assert text in page, text


def test_who_else_claims_the_contact_is_said_with_the_way_there(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    contact_id = claimed_twice(connection)
    page = client.get("/matches/desk").text
    assert page.count("Also claimed by:") == 1 and f"contact={contact_id}" in page
    alone = client.get(f"/matches?contact={contact_id}").text
    assert alone.count("data-row-link") == 2 and "Only what is about" in alone
    assert "data-row-link" not in client.get(f"/matches?contact={contact_id + 1}").text


def test_the_runner_up_is_one_key_away_with_what_it_lacks(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    have({"name": "Maria Keller", "phones": ("555 010 2200",), "email": "keller@home.example"},
         {"name": "Bruno Keller", "phones": ("555 010 2200",)})  # fmt: skip
    waits = customer(1, "Jonas Keller", phone="555-010-2200", email="keller@home.example")
    run_import(connection.id, open_books=opened(Books([waits])))
    best, second = db.session.scalars(select(Match).order_by(Match.rank)).all()
    page = client.get("/matches/desk").text
    assert "Maria Keller" in page.split("Who else is in question")[0]
    assert f"{best.score - second.score} fewer" in page.split("Who else is in question</h2>")[1]
    assert f"candidate={second.id}" in page and 'data-key="r"' in page
    other = client.get(f"/matches/desk?at=match-{best.customer_id}&candidate={second.id}").text
    assert f'name="match" value="{second.id}"' in other and f"candidate={best.id}" in other
    # the best is turned down: the customer stays, with the other one
    gone = client.post("/matches/desk", data={"at": f"match-{best.customer_id}", "act": "apart", "match": best.id})
    assert gone.location == f"/matches/desk?at=match-{best.customer_id}"
    assert f'name="match" value="{second.id}"' in client.get(gone.location).text
