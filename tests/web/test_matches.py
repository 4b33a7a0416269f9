"""The match desk: both sides with the evidence, the decisions, lists and their filters, and who may decide."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, Duplicate, Link, Match, MatchDecision
from crm.queries import households
from crm.services import contacts
from crm.services import households as joining
from tests.flows.imports import opened, run_import
from tests.services.test_duplicates import KIM, LINE, made, pairs
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


def answer(client: FlaskClient, at: str, act: str, **form: object) -> object:
    return client.post("/matches/desk", data={"at": at, "act": act, **form})


def waiting() -> int:
    return db.session.scalars(select(Customer.id).where(Customer.match_state == "review")).one()


def outcomes() -> list[str]:
    db.session.remove()
    return list(db.session.scalars(select(MatchDecision.outcome).order_by(MatchDecision.id)))


def test_both_sides_stand_beside_each_other_with_evidence(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    page = client.get("/matches/desk").text
    texts = (
        "Jonas Keller", "Maria Keller", "(555) 010-2200", "keller@home.example", "phone +1 555 010 2200 is the same",
        "Same: link them", "Not this one", "Different people: make a new contact", "Rule: ", "Sold in all",
        "Invoice", "QuickBooks customer", "Contact in Tradebook",
    )  # fmt: skip
    assert [text for text in texts if text not in page] == []
    row = page.split(">Phones<")[0].rsplit("<tr", 1)[1]
    assert "data-changed" not in row, "the same phone in another notation does not differ"


def test_a_decision_leads_to_the_next_question_and_can_be_undone_with_one_key(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    match_id, contact_id = doubtful
    at = f"match-{waiting()}"
    done = answer(client, at, "same", match=match_id)
    assert (done.status_code, done.location) == (303, "/matches/desk")
    db.session.remove()
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [contact_id]
    page = client.get("/matches/desk").text
    assert "is linked to Maria Keller" in page and "Nothing to decide" in page and "Undo takes back" in page
    undone = client.post("/matches/desk", data={"act": "undo"})
    assert (undone.status_code, undone.location) == (303, f"/matches/desk?at={at}")
    db.session.remove()
    assert db.session.scalars(select(Link.id).where(Link.kind == "customer")).all() == []
    assert db.session.scalars(select(Match.state)).all() == ["proposed"] and waiting()
    assert outcomes() == ["same", "undone"]
    assert "no decision of yours" in client.post("/matches/desk", data={"act": "undo"}).text


def test_somebody_else_decided_meanwhile_the_card_is_shown_as_it_is_now(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    at = f"match-{waiting()}"
    answer(client, at, "same", match=doubtful[0])
    late = answer(client, at, "apart", match=doubtful[0])
    assert late.status_code == 409
    assert "Somebody has decided" in late.text and "Linked" in late.text and "Not this one" not in late.text
    assert client.get(f"/matches/desk?at={at}").status_code == 200, "an old address says what became of it"


def test_different_makes_a_new_contact_whose_undo_takes_it_away_again(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    at = f"match-{waiting()}"
    for act in ("apart", "new"):
        answer(client, at, act, match=doubtful[0])
        db.session.remove()
        made_one = db.session.scalars(select(Contact).where(Contact.display_name == "Jonas Keller",
                                                            Contact.archived_at.is_(None))).one()  # fmt: skip
        assert made_one.link_state == "linked"
        id_ = made_one.id
        assert client.post("/matches/desk", data={"act": "undo"}).location == f"/matches/desk?at={at}"
        db.session.remove()
        assert db.session.get_one(Contact, id_).archived_at is not None
        best = db.session.scalars(select(Match).where(Match.contact_id == doubtful[1])).one()
        assert (best.state, f"match-{waiting()}") == ("proposed", at), act


def test_a_relative_belongs_to_the_household_of_the_customer_until_it_is_undone(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    match_id, maria = doubtful
    at = f"match-{waiting()}"
    before = client.get("/matches/desk").text.split("Belongs to the household of Jonas Keller")[0]
    button = before.rsplit("<button", 1)[1]
    assert 'name="act"' in button and 'value="household"' in button and 'data-key="h"' in button
    done = answer(client, at, "household", match=match_id)
    assert (done.status_code, done.location) == (303, "/matches/desk")
    db.session.remove()
    jonas = db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).one()
    assert households.payers([maria]) == {maria: jonas} and jonas != maria
    assert "whose customer pays for both" in client.get("/matches/desk").text
    assert answer(client, at, "household", match=match_id).status_code == 409
    undone = client.post("/matches/desk", data={"act": "undo"})
    assert (undone.status_code, undone.location) == (303, f"/matches/desk?at={at}")
    db.session.remove()
    assert households.payers([maria]) == {} and db.session.get_one(Contact, jonas).archived_at is not None
    assert db.session.get_one(Match, match_id).state == "proposed" and f"match-{waiting()}" == at
    assert outcomes() == ["new", "undone"]


def test_a_household_that_others_joined_since_is_not_undone_and_the_way_out_is_said(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    match_id, maria = doubtful
    answer(client, f"match-{waiting()}", "household", match=match_id)
    tim = made("Tim Keller", "650-555-0199")
    with transaction():
        joining.join(tim, households.payer(maria), actor=KIM, now=clock.now())
    refused = client.post("/matches/desk", data={"act": "undo"})
    assert refused.status_code == 409 and "Make another one the bill-to of that household first" in refused.text
    db.session.remove()
    assert set(households.payers([maria, tim])) == {maria, tim}, "nothing was half undone"


def test_two_contacts_become_one_household_of_the_one_that_is_billed_and_are_asked_about_again_by_undo(
    client: FlaskClient, sign_in, app
) -> None:
    sign_in("rep")
    older, younger = made("Anna Berg", LINE), made("A. Berg", LINE)
    third = made("Tim Berg", "650-555-0199")
    [pair] = pairs()
    at = f"contact-{pair.id}"
    assert "household of Anna Berg" in client.get(f"/matches/desk?at={at}").text, "the older one"
    with transaction():
        joining.join(third, younger, actor=KIM, now=clock.now())
    page = client.get(f"/matches/desk?at={at}").text
    assert "household of A. Berg" in page and f'name="bill_to" value="{younger}"' in page, "who bills others already"
    unsaid = answer(client, at, "household")
    assert unsaid.status_code == 409 and "Choose which of the two is billed" in unsaid.text
    assert answer(client, at, "household", bill_to=younger).status_code == 303
    db.session.remove()
    assert households.payers([older]) == {older: younger} and pairs() == []
    assert "one household" in client.get("/matches/desk").text.split("Undo takes back")[1]
    undone = client.post("/matches/desk", data={"act": "undo"})
    db.session.remove()
    [again] = pairs()
    assert (undone.status_code, undone.location) == (303, f"/matches/desk?at=contact-{again.id}")
    assert households.payers([older, third]) == {third: younger} and outcomes() == ["apart", "undone"]


def test_what_is_skipped_comes_at_the_end_and_how_long_it_took_is_kept(client: FlaskClient, sign_in, app) -> None:
    sign_in("rep")
    for n in range(3):
        name, phone = f"Ber{'xyz'[n] * 5}", f"650-5{n}5-12{n}0"
        made(f"Anna {name}", phone), made(f"A. {name}", phone)
    third, second, first = (f"contact-{one.id}" for one in pairs())  # of those alike, what was found last comes first
    page = client.get("/matches/desk").text
    shown = re.search(r'name="shown" value="([^"]+)"', page)[1]
    assert f'name="at" value="{first}"' in page
    assert answer(client, first, "skip", shown=shown).location == f"/matches/desk?at={second}"
    assert answer(client, second, "apart", shown=shown).location == f"/matches/desk?at={third}"
    assert answer(client, third, "apart", shown="made up").location == f"/matches/desk?at={first}"
    db.session.remove()
    took = db.session.scalars(select(MatchDecision.took_ms).order_by(MatchDecision.id)).all()
    assert took[0] is not None and 0 <= took[0] < 60_000, "from the card's being shown"
    assert took[1:] == [None, None], "a mark of another card, or none of ours, says nothing"
    assert outcomes() == ["skipped", "apart", "apart"]


def test_two_contacts_are_merged_with_the_proposed_values_and_parted_by_undo(
    client: FlaskClient, sign_in, app
) -> None:
    sign_in("rep")
    made("Anna Berg", LINE)
    two = made("A. Berg", LINE, "anna@home.example")
    [pair] = pairs()
    offered = client.get(f"/matches/desk?at=contact-{pair.id}&merge=1").text
    assert "Merge with these values" in offered and "anna@home.example" in offered and "data-focus" in offered
    asked = (pair.score, pair.rule, [one["reason"] for one in pair.evidence])
    assert answer(client, f"contact-{pair.id}", "same").status_code == 303
    db.session.remove()
    [made_one] = db.session.scalars(select(MatchDecision))
    assert (made_one.score, made_one.rule, made_one.reasons) == asked and asked[0] > 0, "the card is kept"
    assert db.session.get_one(Contact, two).archived_at is not None
    assert client.post("/matches/desk", data={"act": "undo"}).status_code == 303
    db.session.remove()
    assert db.session.get_one(Contact, two).archived_at is None
    assert [pair.state for pair in pairs()] == ["proposed"]


def test_two_customers_are_known_as_one_with_the_remedy_and_open_again(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("rep")
    run_import(connection.id, open_books=opened(Books([
        customer(1, "J. Keller", phone="555-010-2200"), customer(2, "Jonas Keller", phone="555-010-2200"),
    ])))  # fmt: skip
    [pair] = pairs("customer")
    at, outcome = f"customer-{pair.id}", pair.outcome
    page = client.get(f"/matches/desk?at={at}").text
    assert "Twice in the books" in page and "Known: will be merged there" in page
    assert "Belongs to the household" not in page
    assert answer(client, at, "household").status_code == 422
    answer(client, at, "same")
    assert "J. Keller" in client.get("/matches?show=known").text
    assert [pair.state for pair in pairs("customer", "known")] == ["known"]
    assert client.post(f"/matches/pairs/{pair.id}/reopen").status_code == 303
    assert [(pair.state, pair.outcome) for pair in pairs("customer")] == [("proposed", outcome)]


@pytest.mark.filterwarnings("error::sqlalchemy.exc.SAWarning")
def test_certain_pairs_are_accepted_in_one_go_refusals_told_and_the_lot_undone(
    client: FlaskClient, sign_in, app
) -> None:
    sign_in("rep")
    for n in range(3):
        made(f"Bob Smith{n}a", f"650-555-13{n}0"), made(f"Smith{n}a, Robert", f"650-555-13{n}0")
    rows = pairs()
    assert [row.outcome for row in rows] == ["same"] * 3
    page = client.get("/matches?show=certain").text
    assert page.count('class="row-check"') == 3 and page.count(" checked") >= 3
    with transaction():
        contacts.archive(rows[2].other_id, actor=KIM, now=clock.now())
    with transaction() as session:
        session.add(Duplicate(sort="contact", one_id=rows[2].one_id, other_id=rows[2].other_id, state="proposed",
                              outcome="same", found_at=clock.now()))  # fmt: skip
    [late] = [row for row in pairs() if row.other_id == rows[2].other_id]
    ids = [f"contact-{id_}" for id_ in (rows[0].id, rows[1].id, late.id)]
    done = client.post("/matches/accept", data={"ids": ids})
    assert done.status_code == 200 and "2 pairs accepted" in done.text and "is archived" in done.text
    decisions = re.findall(r'name="ids" value="(\d+)"', done.text)
    back = client.post("/matches/decisions/undo", data={"ids": decisions})
    assert (back.status_code, back.location) == (303, "/matches/decisions")
    assert sorted(pair.id for pair in pairs()) == sorted([rows[0].id, rows[1].id, late.id])
    assert outcomes().count("undone") == 2
    nothing = client.post("/matches/accept", data={})
    assert nothing.status_code == 422 and "No pair is ticked" in nothing.text


def test_a_contact_with_a_customer_of_its_own_is_not_offered_again_and_the_way_out_is_said(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("rep")
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    run_import(connection.id, open_books=opened(Books([one])))
    run_import(connection.id, open_books=opened(Books([one, two])))
    at = f"match-{waiting()}"
    page = client.get(f"/matches/desk?at={at}").text
    assert "linked to the customer “Dana Fox” already" in page and "Same: link them" not in page
    match_id = db.session.scalars(select(Match.id).where(Match.state == "proposed")).one()
    refused = answer(client, at, "same", match=match_id)
    assert refused.status_code == 409 and "is already linked" in refused.text


def test_a_pair_kept_apart_is_listed_and_can_be_taken_up_again(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("admin")
    match_id, _ = doubtful
    answer(client, f"match-{waiting()}", "new")
    assert "Jonas Keller" in client.get("/matches?show=rejected").text
    db.session.remove()
    made_one = db.session.scalars(select(Contact.id).where(Contact.display_name == "Jonas Keller")).one()
    assert client.post(f"/matches/contacts/{made_one}/unlink").status_code == 303
    away = client.post(f"/matches/{match_id}/reconsider", data={"next": "https://elsewhere.example/"})
    assert (away.status_code, away.location) == (303, "/matches"), "never to another site"
    db.session.remove()
    assert db.session.get_one(Match, match_id).state == "proposed"


def test_the_list_holds_all_three_sorts_by_money_filtered_searched_and_downloaded(
    client: FlaskClient, sign_in, doubtful  # noqa: F811
) -> None:
    sign_in("rep")
    made("Anna Berg", LINE), made("A. Berg", LINE)
    [pair] = pairs()
    with transaction() as session:
        session.get_one(Duplicate, pair.id).stake = 5

    def names(query: str = "") -> list[str]:
        return re.findall(r"data-row-link>([^<]+)<", client.get(f"/matches?{query}").text)

    assert names() == ["Anna Berg", "Jonas Keller"], "the most money first"
    assert names("sort=name") == ["Anna Berg", "Jonas Keller"] and names("sort=newest")[0] == "Anna Berg"
    assert names("kind=match") == ["Jonas Keller"] and names("kind=customer") == []
    assert names("kind=nonsense&rule=none&strength=odd") == names(""), "what cannot be read narrows nothing"
    assert "Nothing to decide" not in client.get("/matches/desk?kind=nonsense").text
    for q in ("jonas", "maria keller", "keller@home.example", "(555) 010-2200"):
        assert client.get("/matches", query_string={"q": q}).text.count("data-row-link") == 1, q
    assert names(f"rule={pair.rule}") == ["Anna Berg"]
    assert names(f"contact={pair.other_id}") == ["Anna Berg"] and names(f"contact={doubtful[1]}") == ["Jonas Keller"]
    assert "Nothing found" in client.get("/matches?q=nobody").text
    lines = client.get("/matches/matches.csv").text.strip().splitlines()
    assert len(lines) == 3 and "Jonas Keller" in lines[2] and "Maria Keller" in lines[2]
    assert len(client.get("/matches/matches.csv?kind=match").text.strip().splitlines()) == 2
    shown = client.get(f"/contacts/{pair.one_id}").text
    assert f"/matches/desk?at=contact-{pair.id}" in shown, "from the contact's page"


def test_an_empty_list_says_what_would_stand_here(client: FlaskClient, sign_in) -> None:
    sign_in("rep")
    assert "Nothing to decide" in client.get("/matches").text
    for show, text in (("certain", "Nothing certain waits"), ("known", "Nobody twice in the books"),
                       ("rejected", "Nothing kept apart")):  # fmt: skip
        assert text in client.get(f"/matches?show={show}").text
    assert "Nothing to decide" in client.get("/matches/desk").text
    assert 'href="/matches/decisions"' in client.get("/matches").text
    decisions = client.get("/matches/decisions").text
    assert "Nothing decided yet" in decisions and 'href="/matches?show=rejected"' in decisions, "a tab as the others"


@pytest.mark.parametrize("at", ["match-99", "contact-99", "customer-99", "nonsense", "match-x"])
def test_a_question_that_is_not_there_is_not_found(client: FlaskClient, sign_in, at: str) -> None:
    sign_in("rep")
    assert client.get(f"/matches/desk?at={at}").status_code == 404


def test_an_answer_there_is_not_is_refused_in_words(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("rep")
    bad = answer(client, f"match-{waiting()}", "perhaps")
    assert bad.status_code == 422 and "Say whether they are the same" in bad.text


def test_bookkeepers_decide_nothing(client: FlaskClient, sign_in, doubtful) -> None:  # noqa: F811
    sign_in("bookkeeper")
    assert client.get("/matches").status_code == client.get("/matches/desk").status_code == 403
    for path in ("/matches/desk", "/matches/accept", "/matches/decisions/undo"):
        assert client.post(path, data={"act": "same"}).status_code == 403


@pytest.mark.parametrize("number", [2, 12])
def test_the_number_of_statements_does_not_grow_with_the_list(
    client: FlaskClient, sign_in, connection, number: int  # noqa: F811
) -> None:
    sign_in("rep")
    names = [f"Kel{chr(97 + n) * 5}" for n in range(number)]
    have(*({"name": f"Maria {name}", "phones": (f"555 0{n:02} 22{n:02}",)} for n, name in enumerate(names)))
    run = run_import(connection.id, open_books=opened(Books([
        customer(n + 1, f"Jonas {name}", phone=f"555-0{n:02}-22{n:02}") for n, name in enumerate(names)
    ])))  # fmt: skip
    assert run.counts["review"] == number
    for n in range(number):
        name, phone = f"Ber{chr(97 + n) * 5}", f"650-5{n:02}-14{n:02}"
        made(f"Anna {name}", phone), made(f"A. {name}", phone)
    seen: list[str] = []
    engine, listen = db.engine, lambda *args: seen.append(args[2])
    event.listen(engine, "before_cursor_execute", listen)
    try:
        page = client.get("/matches").text
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    assert page.count("data-row-link") == 2 * number
    assert len(seen) <= 17  # one of them is what the menu counts


def test_changing_values_of_a_merge_comes_back_to_the_desk(client: FlaskClient, sign_in, app) -> None:
    sign_in("rep")
    one, other = made("Anna Berg", LINE), made("A. Berg", LINE)
    [pair] = pairs()
    page = client.get(f"/matches/desk?at=contact-{pair.id}&merge=1&sort=name").text
    href = re.search(r'href="(/contacts/\d+/merge/\d+[^"]*)"', page)[1].replace("&amp;", "&")
    side = client.get(href).text
    back = re.search(r'name="next" value="([^"]+)"', side)[1].replace("&amp;", "&")
    assert back == f"/matches/desk?at=contact-{pair.id}&sort=name" and "Back to the question" in side
    swapped = re.search(r'href="([^"]+)">Keep the other one instead', side)[1].replace("&amp;", "&")
    assert "next=" in swapped
    versions = {name: re.search(rf'name="{name}" value="(\d+)"', side)[1] for name in ("version", "other_version")}
    done = client.post(f"/contacts/{one}/merge/{other}", data={**versions, "next": back, "own-company_name": "Berg"})
    assert (done.status_code, done.location) == (303, back)
    shown = client.get(done.location).text
    assert "Merged" in shown and "was merged into" in shown
    away = client.post(f"/contacts/{one}/merge/{other}", data={**versions, "next": "//elsewhere.example"})
    assert "elsewhere" not in (away.location or "")
