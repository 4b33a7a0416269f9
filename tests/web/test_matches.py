"""The page of doubtful matches: both sides with the evidence, the decisions, search, download, and who may decide."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select

from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, Link, Match
from tests.flows.imports import opened, run_import
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


def test_both_sides_stand_beside_each_other_with_evidence(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    page = client.get("/matches").text
    texts = (
        "Jonas Keller", "Maria Keller", "(555) 010-2200", "keller@home.example", "phone +1 555 010 2200 is the same",
        "Same: link them", "Not this one", "Different people: make a new contact", "Doubtful because",
    )  # fmt: skip
    assert [text for text in texts if text not in page] == []


def test_confirm_reject_and_new_contact_lead_back_with_what_came_of_it(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    match_id, contact_id = doubtful
    answer = client.post(f"/matches/{match_id}/confirm", data={"next": "/matches?q=keller"})
    assert (answer.status_code, answer.location) == (303, "/matches?q=keller")
    assert db.session.scalars(select(Link.local_id)).all() == [contact_id]
    assert "is linked to Maria Keller" in client.get("/matches").text
    assert client.post(f"/matches/{match_id}/confirm").status_code == 409


def test_a_contact_with_a_customer_of_its_own_is_not_offered_again_and_the_way_out_is_said(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("rep")
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    run_import(connection.id, open_books=opened(Books([one])))
    run_import(connection.id, open_books=opened(Books([one, two])))
    page = client.get("/matches").text
    assert "linked to the customer “Dana Fox” already" in page and "Same: link them" not in page
    match_id = db.session.scalars(select(Match.id).where(Match.state == "proposed")).one()
    refused = client.post(f"/matches/{match_id}/confirm", headers={"Referer": "http://localhost/matches?q=fox"})
    assert refused.status_code == 400 and 'href="http://localhost/matches?q=fox"' in refused.text


def test_the_same_phone_in_another_notation_is_not_marked_as_different(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    row = client.get("/matches").text.split(">Phones<")[0].rsplit("<tr", 1)[1]
    assert "data-changed" not in row


def test_the_way_back_never_leads_to_another_site(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("rep")
    answer = client.post(f"/matches/{doubtful[0]}/reject", data={"next": "https://elsewhere.example/"})
    assert answer.location == "/matches"


def test_a_pair_kept_apart_is_listed_and_can_be_taken_up_again(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("admin")
    match_id, _ = doubtful
    waits = db.session.scalars(select(Customer.id).where(Customer.match_state == "review")).one()
    assert client.post(f"/matches/customers/{waits}/new-contact").status_code == 303
    page = client.get("/matches?show=rejected").text
    assert "Jonas Keller and Maria Keller" in page and "unlink it there first" in page
    db.session.remove()
    made = db.session.scalars(select(Contact.id).where(Contact.display_name == "Jonas Keller")).one()
    assert client.post(f"/matches/contacts/{made}/unlink").status_code == 303
    assert "Propose again" in client.get("/matches?show=rejected").text
    assert client.post(f"/matches/{match_id}/reconsider").status_code == 303
    db.session.remove()
    assert db.session.get_one(Match, match_id).state == "proposed"


def test_pairs_kept_apart_are_filtered_sorted_and_downloaded(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("rep")
    have({"name": "Maria Keller", "phones": ("555 010 2200",)}, {"name": "Zoe Adler", "phones": ("555 010 3300",)})
    run_import(connection.id, open_books=opened(Books([
        customer(1, "Jonas Keller", phone="555-010-2200"), customer(2, "Abel Brandt", phone="555-010-3300"),
    ])))  # fmt: skip
    for match in db.session.scalars(select(Match).where(Match.state == "proposed").order_by(Match.customer_id)).all():
        client.post(f"/matches/{match.id}/reject")
    with transaction() as session:
        first, second = session.scalars(select(Match).where(Match.state == "rejected").order_by(Match.customer_id))
        first.rule, rules = "contested", (first.rule, second.rule)
        assert rules[1] != "contested"

    def order(query: str) -> list[str]:
        page = client.get(f"/matches?show=rejected{query}").text
        found = {name: page.find(f"{name} and") for name in ("Jonas Keller", "Abel Brandt")}
        return sorted((name for name, place in found.items() if place >= 0), key=lambda name: found[name])

    assert order("") == ["Abel Brandt", "Jonas Keller"], "the newest decision first"
    assert order("&sort=name") == ["Abel Brandt", "Jonas Keller"]
    assert order("&sort=score&rule=contested") == ["Jonas Keller"]
    assert order(f"&rule={rules[1]}") == ["Abel Brandt"]
    assert "show=rejected" in client.get("/matches?show=rejected").text.split("matches.csv?", 1)[1][:40]
    csv = client.get("/matches/matches.csv?show=rejected&rule=contested").text.strip().splitlines()
    assert len(csv) == 2 and csv[1].startswith("Jonas Keller,1,Maria Keller")


def test_search_finds_either_side_and_says_when_nothing_is_found(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("rep")
    for q in ("jonas", "maria keller", "keller@home.example", "(555) 010-2200"):
        assert "Same: link them" in client.get("/matches", query_string={"q": q}).text, q
    assert "Nothing found" in client.get("/matches?q=nobody").text
    rule = db.session.scalars(select(Match.rule)).one()
    assert "Same: link them" in client.get(f"/matches?rule={rule}").text
    assert "Nothing found" in client.get("/matches?rule=name_only").text


def test_the_list_can_be_downloaded(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("rep")
    lines = client.get("/matches/matches.csv").text.splitlines()
    assert len(lines) == 2
    assert "Jonas Keller" in lines[1] and "Maria Keller" in lines[1]


def test_an_empty_list_says_what_would_stand_here(client: FlaskClient, sign_in) -> None:
    sign_in("rep")
    assert "Nothing to decide" in client.get("/matches").text


def test_bookkeepers_decide_nothing(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("bookkeeper")
    assert client.get("/matches").status_code == 403
    assert client.post(f"/matches/{doubtful[0]}/confirm").status_code == 403


@pytest.mark.parametrize("pairs", [2, 12])
def test_the_number_of_statements_does_not_grow_with_the_list(
    client: FlaskClient, sign_in, connection, pairs: int  # noqa: F811
) -> None:
    sign_in("rep")
    have(*({"name": f"Maria Kel{n}ler", "phones": (f"555 010 22{n:02}",)} for n in range(pairs)))
    run = run_import(connection.id, open_books=opened(Books([
        customer(n + 1, f"Jonas Kel{n}ler", phone=f"555-010-22{n:02}") for n in range(pairs)
    ])))  # fmt: skip
    assert run.counts["review"] == pairs
    seen: list[str] = []
    engine, listen = db.engine, lambda *args: seen.append(args[2])
    event.listen(engine, "before_cursor_execute", listen)
    try:
        page = client.get("/matches").text
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    assert page.count("Same: link them") == pairs
    assert len(seen) <= 15
