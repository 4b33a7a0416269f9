"""The table of what can happen to a quote: closed, and with a sentence wherever it says no."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import pytest

from crm.domain.days import company_day
from crm.domain.errors import Refused
from crm.domain.quotes import (
    EDITABLE,
    EVENTS,
    MOVES,
    STATES,
    STORED,
    TO_BOOKS,
    WHO,
    allowed,
    arrived,
    from_books,
    may_edit,
    move,
    state_now,
    to_books,
    why_not,
    why_not_edit,
)

TODAY = date(2026, 11, 21)
YESTERDAY, TOMORROW = date(2026, 11, 20), date(2026, 11, 22)


def moved(event: str, state: str, who: str, expires_on: date | None = None) -> str:
    """`partly`: one that was accepted, of which an invoice stands."""
    stored, partly = ("accepted", True) if state == "partly" else (state, False)
    return move(event, stored, who=who, expires_on=expires_on, today=TODAY, partly=partly)


@pytest.mark.parametrize(("event", "state", "who"), list(itertools.product(EVENTS, STATES, WHO)))
def test_every_event_in_every_state_by_anybody_is_answered(event: str, state: str, who: str) -> None:
    stored = "viewed" if state == "expired" else state
    expires_on = YESTERDAY if state == "expired" else None
    reason = why_not(event, state, who=who)
    assert (event in allowed(state, who=who)) == (reason == "")
    if reason:
        assert reason.endswith(".") and len(reason) > 20
        with pytest.raises(Refused) as refused:
            moved(event, stored, who, expires_on)
        assert str(refused.value) == reason
    else:
        assert moved(event, stored, who, expires_on) in STORED


def test_the_table_names_only_what_there_is_and_nothing_twice() -> None:
    rows = [(row.event, state, who) for row in MOVES for state in row.states for who in row.who]
    assert len(rows) == len(set(rows))
    for event, state, who in rows:
        assert event in EVENTS and state in STATES and who in WHO
    assert all(row.to in ("", *STORED) for row in MOVES)
    assert set(EDITABLE) == set(TO_BOOKS) == set(STATES)


def test_the_usual_way_of_a_quote() -> None:
    state = "draft"
    for event, who, after in (("send", "rep", "sent"), ("view", "customer", "viewed"), ("ask", "customer", "viewed"),
                              ("accept", "customer", "accepted"), ("view", "customer", "accepted"),
                              ("invoice", "rep", "invoiced"), ("release", "books", "accepted"),
                              ("revise", "rep", "draft")):  # fmt: skip
        state = moved(event, state, who)
        assert state == after


@pytest.mark.parametrize(
    ("event", "state", "who"),
    [("accept", "draft", "customer"), ("accept", "declined", "customer"), ("decline", "accepted", "customer"),
     ("send", "draft", "customer"), ("view", "draft", "customer"), ("invoice", "invoiced", "rep"),
     ("invoice", "draft", "rep"), ("revise", "invoiced", "rep"), ("cancel", "invoiced", "rep"),
     ("decline", "invoiced", "books"), ("reopen", "sent", "rep"), ("revise", "draft", "rep")],
)  # fmt: skip
def test_what_cannot_be(event: str, state: str, who: str) -> None:
    with pytest.raises(Refused):
        moved(event, state, who)


def test_a_quote_expires_the_day_after_its_date_while_it_is_the_customers_turn() -> None:
    for stored in ("sent", "viewed"):
        assert state_now(stored, expires_on=TODAY, today=TODAY) == stored
        assert state_now(stored, expires_on=YESTERDAY, today=TODAY) == "expired"
        assert state_now(stored, expires_on=None, today=TODAY) == stored
    for stored in ("draft", "accepted", "declined", "invoiced", "cancelled"):
        assert state_now(stored, expires_on=YESTERDAY, today=TODAY) == stored


def test_an_expired_quote_is_not_accepted_by_the_customer_but_may_be_by_the_team() -> None:
    with pytest.raises(Refused, match=r"has expired and cannot be accepted\. Ask for a new date"):
        moved("accept", "sent", "customer", YESTERDAY)
    assert moved("accept", "sent", "customer", TODAY) == "accepted"
    assert moved("accept", "sent", "rep", YESTERDAY) == "accepted"
    assert moved("view", "sent", "customer", YESTERDAY) == "sent"


def test_a_draft_is_not_sent_past_its_own_date() -> None:
    with pytest.raises(Refused, match="later expiry date"):
        moved("send", "draft", "rep", YESTERDAY)
    assert moved("send", "draft", "rep", TODAY) == "sent"
    assert moved("accept", "draft", "rep", YESTERDAY) == "accepted"


def test_the_company_day_is_that_of_its_zone() -> None:
    moment = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    assert company_day(moment, "America/Los_Angeles") == YESTERDAY
    assert company_day(moment, "Europe/Berlin") == TODAY
    assert company_day(moment, "") == company_day(moment, "Nowhere/Land") == company_day(moment, "../x") == TODAY
    with pytest.raises(ValueError, match="time zone"):
        company_day(datetime(2026, 11, 21), "UTC")


def test_what_the_customer_was_shown_is_changed_by_a_new_version_only() -> None:
    assert may_edit("lines", "draft") and not may_edit("lines", "sent")
    assert may_edit("expires_on", "expired") and not may_edit("expires_on", "accepted")
    for state in STATES:
        assert may_edit("internal_note", state)
        assert bool(why_not_edit("lines", state)) == (state != "draft")


@pytest.mark.parametrize(
    ("word", "stored", "has_invoice", "after", "event"),
    [
        ("pending", "viewed", False, "viewed", ""), ("pending", "draft", False, "draft", ""),
        ("pending", "accepted", False, "sent", "reopen"), ("pending", "declined", False, "sent", "reopen"),
        ("pending", "cancelled", False, "sent", "reopen"),
        ("accepted", "sent", False, "accepted", "accept"), ("accepted", "draft", False, "accepted", "accept"),
        ("accepted", "declined", False, "accepted", "accept"), ("accepted", "accepted", False, "accepted", ""),
        ("rejected", "viewed", False, "declined", "decline"), ("rejected", "accepted", False, "declined", "decline"),
        ("closed", "accepted", True, "invoiced", "invoice"), ("Converted", "sent", True, "invoiced", "invoice"),
        ("closed", "sent", False, "cancelled", "cancel"), ("closed", "cancelled", False, "cancelled", ""),
        ("closed", "invoiced", True, "invoiced", ""), ("pending", "invoiced", True, "invoiced", ""),
        ("closed", "invoiced", False, "accepted", "release"), ("pending", "invoiced", False, "sent", "release"),
        ("accepted", "invoiced", False, "accepted", "release"), ("rejected", "invoiced", False, "declined", "release"),
        ("gibberish", "accepted", False, "sent", "reopen"),
    ],
)  # fmt: skip
def test_what_a_word_of_the_books_means_here(word: str, stored: str, has_invoice: bool, after: str, event: str) -> None:
    found = from_books(word, stored, has_invoice=has_invoice)
    assert (found.state, found.event, bool(found.sentence)) == (after, event, bool(event))


@pytest.mark.parametrize("stored", STORED)
def test_our_own_word_coming_back_changes_nothing(stored: str) -> None:
    found = from_books(to_books(stored), stored, has_invoice=stored == "invoiced")
    assert (found.state, found.event) == (stored, "")


@pytest.mark.parametrize(("stored", "word"), list(itertools.product(STORED, ("pending", "accepted", "rejected"))))
def test_after_the_books_spoke_our_word_is_theirs(stored: str, word: str) -> None:
    assert to_books(from_books(word, stored, has_invoice=False).state) == word


def test_an_estimate_that_is_new_here() -> None:
    assert arrived("Pending", emailed=True, has_invoice=False) == "sent"
    assert arrived("", emailed=False, has_invoice=False) == "draft"
    assert arrived("Accepted", emailed=False, has_invoice=False) == "accepted"
    assert arrived("Rejected", emailed=True, has_invoice=False) == "declined"
    assert arrived("Closed", emailed=True, has_invoice=True) == "invoiced"
    assert arrived("Converted", emailed=True, has_invoice=False) == "cancelled"
