"""The match desk in a browser, by keyboard alone: fifty pairs, a merge undone a day later, a wrong link corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.serving import make_server

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.models import Connection, Contact, ContactMerge, Customer, Duplicate, Link, Match, MatchDecision
from crm.queries import households
from crm.services import contacts
from tests.e2e import desk_pairs
from tests.e2e.desk_pairs import PATTERNS, SURNAMES, pattern_of
from tests.flows.imports import opened, run_import
from tests.services.test_duplicates import KIM, LINE, made, pairs
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def tab(app: Flask, browser: Any, client: FlaskClient, sign_in: Callable[..., object]) -> Iterator[Any]:
    """A tab of a rep who is signed in."""
    sign_in("rep")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    context = browser.new_context(base_url=url, viewport=WIDE)
    cookies = client._cookies.values()  # the signed-in session of the test client
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": url} for cookie in cookies])
    yield context.new_page()
    context.close()
    server.shutdown()
    db.session.remove()


def doubtful(number: int) -> None:
    """So many pairs of contacts, each of one who is called by an initial once."""
    for n in range(number):
        name = f"Ber{chr(97 + n % 25) * 4}{chr(97 + n // 25) * 4}"
        with transaction():
            for called in (f"Anna {name}", f"A. {name}"):
                entry = Entry("phone", f"6505{n:02}9{n:02}0", "")
                contacts.create(Draft({"display_name": called}, (entry,)), actor=KIM, now=clock.now())
    db.session.remove()


def press(tab: Any, *keys: str) -> None:
    """Each key, and wait for the page it leads to."""
    for key in keys:
        with tab.expect_navigation(wait_until="load"):
            tab.keyboard.press(key)


def planned(at: int, sort: str) -> list[str]:
    """The keys for the question about SURNAMES[at], in turn: same, different, later, and one that is taken back."""
    same = "m" if sort == "contact" else "y"
    if sort == "contact" and pattern_of(at) is desk_pairs.twice_in_the_books:
        return ["n"]  # each has a customer of its own, so they cannot be merged here
    return [[same], ["n"], ["s", same], ["y", "u", "n"], ["y"]][at // len(PATTERNS)]


def asked(tab: Any) -> tuple[str, int]:
    """(key of the question that is shown, whose: place in SURNAMES)."""
    shown = tab.locator("article[data-card]").get_attribute("aria-label")
    [at] = [at for at, name in enumerate(SURNAMES) if name in shown]
    return tab.locator("input[name=at]").get_attribute("value"), at


@pytest.mark.timeout(400)  # some hundred pages, one after the other
def test_fifty_doubtful_pairs_are_decided_by_keyboard_alone(tab: Any, connection: Connection) -> None:  # noqa: F811
    """Eleven patterns of doubt and every key; what then stands in the database is what each answer says."""
    desk_pairs.stand(connection)
    known = set(db.session.scalars(select(Contact.id)))
    tab.goto("/matches/desk")
    assert "50 left" in tab.inner_text("header")
    first = asked(tab)
    press(tab, "j")
    assert asked(tab) != first
    press(tab, "k")
    assert asked(tab) == first
    left: dict[str, list[str]] = {}
    answers: dict[str, str] = {}
    pressed: Counter[str] = Counter()
    while "Nothing to decide" not in tab.inner_text("main"):
        key, at = asked(tab)
        answer = left.setdefault(key, planned(at, key.partition("-")[0])).pop(0) if left.get(key, True) else "n"
        press(tab, *(("m", "Enter") if answer == "m" else (answer,)))
        pressed[answer] += 1
        answers[key] = answer
        if left[key] and left[key][0] == "u":
            press(tab, left[key].pop(0))
            pressed["u"] += 1
            assert asked(tab) == (key, at), "what is taken back is asked about again"
        assert sum(pressed.values()) < 150, "the desk goes round in circles"
    assert len(answers) == 50 and set(pressed) == set("ynmsu")
    db.session.remove()
    for key, answer in answers.items():
        check(key, known, same=answer in "ym")
    log = Counter(one.outcome for one in db.session.scalars(select(MatchDecision)) if not one.automatic)
    assert (log["skipped"], log["undone"]) == (pressed["s"], pressed["u"])
    shown = db.session.scalars(select(MatchDecision).where(~MatchDecision.automatic)).all()
    times = [one.took_ms for one in shown if one.outcome != "undone"]
    assert None not in times and max(times) < 60_000, "each knows how long its card was looked at"


def check(key: str, known: set[int], *, same: bool) -> None:
    """Whether what stands in the database is what was answered. `known`: contacts that were there before."""
    sort, _, id_ = key.partition("-")
    if sort != "match":
        pair = db.session.get_one(Duplicate, int(id_))
        assert pair.state == (("merged" if sort == "contact" else "known") if same else "apart"), (pair.name, same)
        if sort == "contact":
            both = [db.session.get_one(Contact, id_) for id_ in (pair.one_id, pair.other_id)]
            assert sum(one.archived_at is not None for one in both) == (1 if same else 0), pair.name
        return
    there = db.session.get_one(Customer, int(id_))
    mine = (Match.customer_id == there.id, Match.contact_id.in_(known))
    states = {match.contact_id: match.state for match in db.session.scalars(select(Match).where(*mine))}
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.remote_id == there.remote_id)).first()
    if same:
        assert link is not None and states.pop(link.local_id) == "linked", there.display_name
        jobs = db.session.scalars(select(Customer).where(Customer.parent_remote_id == there.remote_id)).all()
        assert {job.contact_id for job in jobs} <= {link.local_id}, "its jobs are the contact's too"
    assert (states and set(states.values()) == {"rejected"}) or same, there.display_name
    assert same or (link is not None and link.local_id not in known), "it became a contact of its own"


def test_a_merge_is_undone_a_day_later_with_edits_in_between(tab: Any) -> None:
    made("Anna Berg", LINE, company_name="Berg Tiles")
    made("A. Berg", LINE, "anna@home.example", website="https://berg.example")
    tab.goto("/matches/desk")
    press(tab, "m", "Enter")
    db.session.remove()
    merge = db.session.scalars(select(ContactMerge)).one()
    kept, gone = merge.survivor_id, merge.absorbed_id
    assert db.session.get_one(Contact, gone).archived_at is not None
    with transaction() as session:  # a day goes by
        earlier = timedelta(days=1)
        session.get_one(ContactMerge, merge.id).merged_at -= earlier
        session.scalars(select(MatchDecision)).one().at -= earlier
    tab.goto(f"/contacts/{kept}/edit")
    tab.get_by_label("Company").fill("Berg Tiles and Stone")
    tab.get_by_role("button", name="Save").first.click()
    tab.wait_for_load_state()
    tab.goto("/matches/desk")
    press(tab, "u")
    assert "Company" in tab.locator("#flash").inner_text() and "at=contact-" in tab.url
    db.session.remove()
    one, other = db.session.get_one(Contact, kept), db.session.get_one(Contact, gone)
    assert (one.company_name, one.archived_at, other.archived_at) == ("Berg Tiles and Stone", None, None)
    emails = [[point.value for point in who.points if point.kind == "email"] for who in (one, other)]
    assert sorted(emails) == [[], ["anna@home.example"]]
    assert [pair.state for pair in pairs()] == ["proposed"]


def test_two_of_one_household_are_told_by_one_key_and_asked_about_again_by_another(tab: Any) -> None:
    one, other = made("Anna Berg", LINE), made("A. Berg", LINE)
    tab.goto("/matches/desk")
    press(tab, "h")
    assert "A. Berg belongs to Anna Berg" in tab.locator("#flash").inner_text()
    db.session.remove()
    assert households.payers([one, other]) == {other: one} and pairs() == []
    press(tab, "u")
    assert "at=contact-" in tab.url and "1 left" in tab.inner_text("header")
    db.session.remove()
    assert households.payers([one, other]) == {} and len(pairs()) == 1


def test_a_wrong_automatic_link_is_corrected_and_remembered(tab: Any, connection: Connection) -> None:  # noqa: F811
    [father] = have({"name": "Jonas Keller", "phones": ("555 010 2200",)})
    books = Books([customer(1, "Jonas Keller", phone="555-010-2200")])
    run_import(connection.id, open_books=opened(books))
    linked = db.session.scalars(select(MatchDecision)).one()
    assert (linked.outcome, linked.automatic) == ("same", True)
    tab.goto(f"/contacts/{father}")
    tab.get_by_text("Unlink").first.click()
    with tab.expect_navigation():
        tab.get_by_role("button", name="Unlink", exact=True).last.click()  # asked again, here or on a page of its own
    for _ in range(2):
        run_import(connection.id, open_books=opened(books))
        db.session.remove()
        now_at = db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all()
        assert father not in now_at and len(now_at) == 1, "it became somebody else"
        assert db.session.scalars(select(Match.state).where(Match.contact_id == father)).all() == ["rejected"]
    tab.goto("/matches?show=rejected")
    assert "Jonas Keller" in tab.inner_text("main tbody")
    corrected = db.session.scalars(select(MatchDecision).where(MatchDecision.outcome == "unlinked")).one()
    assert corrected.corrects_id == linked.id
    tab.goto("/matches/desk")
    assert "Nothing to decide" in tab.inner_text("main"), "nobody is asked again"


def test_on_a_phone_the_answers_are_at_the_thumb_and_nothing_scrolls_sideways(tab: Any) -> None:
    doubtful(2)
    tab.set_viewport_size(PHONE)
    for path in (
        "/matches",
        "/matches/desk",
        "/matches/desk?merge=1",
        "/matches?show=certain",
        "/matches/decisions",
    ):
        tab.goto(path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, path
    tab.goto("/matches/desk")
    same = tab.get_by_role("button", name="Same: merge")
    box = same.bounding_box()
    bar = tab.locator(".desk-bar").bounding_box()
    assert bar["height"] <= 130, "a thumb's bar, not a third of the screen"
    assert box["height"] >= 44 and 422 < box["y"] < 844 - box["height"], "in the lower half, without scrolling"
    same.click()
    tab.wait_for_selector("text=1 left", state="attached")
    tab.get_by_role("button", name="Undo").click()
    tab.wait_for_selector("text=2 left", state="attached")
