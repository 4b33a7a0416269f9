"""The pages of figures: exact sums of worlds worked out by hand, and that every figure opens what it is made of."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.blueprints.insight import figures, tables
from crm.blueprints.insight.viewing import asked
from crm.db import db, transaction
from crm.domain import quote_filters
from crm.domain.insight import Table
from crm.domain.periods import PERIODS
from crm.models import AuditEntry, Document, Forecast, Link, Receipt
from crm.queries import quotes
from tests import insight_world as world
from tests.insight_world import NOW, TODAY, sum_of

SignIn = Callable[..., Any]
D = Decimal


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def table(app: Flask, key: str, query: str = "period=year") -> Table:
    with app.test_request_context(f"/insight?{query}"):
        found = tables.TABLES[key](asked(), None)
        db.session.rollback()
        return found


def told(app: Flask, key: str, query: str = "period=year") -> dict[str, Any]:
    """First cell -> second."""
    return {row[0].value: row[1].value for row in table(app, key, query).rows}


def figure(app: Flask, key: str, query: str = "period=year") -> figures.Figure:
    with app.test_request_context(f"/insight?{query}"):
        view = asked()
        found = {one.key: one for one in figures.figures(view, figures.flows(view))}
        db.session.rollback()
        return found[key]


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture
def books(app: Flask) -> dict[str, int]:
    """A small world whose sums are worked out below by hand."""
    connection = world.company()
    ann = world.contact("Ann", "Wichita", "KS", "67202", at=(37.69, -97.34))
    bob = world.contact("Bob", "wichita", "Kansas", "67202-1234", at=(37.69, -97.34))
    cleo = world.contact("Cleo", "Omaha", "NE", "68104")
    wall, drain = world.product("Wall", "Repairs:Walls"), world.product("Drain", "", "inventory")
    lines = [(wall, "800", "300"), (drain, "200", None), (wall, "7000", "1", "optional")]
    world.invoice(ann, day("2025-06-10"), "400.00")
    world.invoice(
        ann, day("2026-02-10"), "1080.00", tax=D(80), lines=lines, balance=D("80.00"), due_date=day("2026-03-12")
    )
    world.invoice(
        bob, day("2026-10-31"), "500.00", lines=[(wall, "500", "100.50")], balance=D(500), due_date=day("2026-11-30")
    )
    world.invoice(bob, day("2026-11-21"), "0.10", lines=[(None, "0.10", None)])
    world.invoice(cleo, day("2026-11-20"), "300.00", currency="EUR")
    world.invoice(cleo, day("2026-11-22"), "7.00")  # tomorrow
    world.invoice(cleo, day("2026-11-01"), "70.00", currency="", balance=D(70))  # no currency: home; no due date
    world.invoice(None, day("2026-01-01"), "33.00")
    world.invoice(None, day("2025-03-01"), "11.00")
    for state, more in (("draft", {}), ("void", {}), ("open", {"hold": True}), ("open", {"gone_at": NOW})):
        world.invoice(ann, day("2026-05-05"), "9999.00", state=state, **more)
    world.payment(connection, ann, day("2026-02-20"), "1000.00")
    world.payment(connection, ann, day("2025-02-20"), "50.00")
    world.payment(connection, ann, day("2026-02-21"), "9999.00", void=True)
    world.payment(connection, ann, day("2026-02-21"), "9999.00", gone_at=NOW)
    world.payment(connection, ann, day("2026-02-21"), "12.00", currency="EUR")
    with transaction() as session:
        taken = {"contact_id": bob, "currency": "USD", "date": TODAY, "created_at": NOW, "updated_at": NOW}
        there = Receipt(amount=D("1000.00"), **taken)  # the same money as the payment above
        session.add_all([
            Receipt(amount=D("25.50"), **taken), there, Receipt(amount=D(7777), voided_at=NOW, **taken),
            Receipt(amount=D(7777), gone_at=NOW, **taken),
        ])  # fmt: skip
        session.flush()
        session.add(Link(connection_id=connection.id, kind="payment", local_id=there.id, remote_id="p1", linked_at=NOW,
                         synced_at=NOW))  # fmt: skip
    world.credit(connection, day("2026-04-01"), "15.00")
    world.credit(connection, day("2026-04-01"), "99.00", void=True)
    world.quote(ann, day("2026-11-01"), "2000.00", expires_on=day("2026-12-01"))
    world.quote(ann, day("2026-01-01"), "600.00", expires_on=day("2026-02-01"))  # expired: lost
    world.quote(bob, day("2026-11-02"), "800.00", state="accepted", decided_at=NOW)
    world.quote(bob, day("2026-11-02"), "100.00", state="declined", decided_at=NOW)
    return {"ann": ann, "bob": bob, "cleo": cleo, "wall": wall, "drain": drain}


def test_the_figures_of_a_year_to_the_cent(app: Flask, books: dict[str, int]) -> None:
    invoiced = figure(app, "invoiced")
    assert invoiced.value == "$1,683.10"  # 1080 + 500 + 0.10 + 70 + 33
    assert invoiced.against == "$411.00" and invoiced.change == (D("1683.10") - 411) / 411
    assert [words for words, _ in invoiced.notes] == ["5 invoices", "credit memos: $15.00", "and €300.00"]
    collected = figure(app, "collected")
    assert (collected.value, collected.against) == ("$1,025.50", "$50.00")
    assert [words for words, _ in collected.notes] == ["2 payments", "and €12.00"]
    assert figure(app, "receivables").value == "$650.00"
    assert [words for words, _ in figure(app, "receivables").notes] == ["3 invoices", "$150.00 overdue"]
    assert figure(app, "pipeline").value == "$2,000.00"
    assert figure(app, "average").value == "$336.62"  # 1683.10 / 5


def test_what_is_too_little_is_said_in_words(app: Flask, books: dict[str, int]) -> None:
    assert (
        figure(app, "dso").value == "" and "Only 3 invoices in the last 90 days; it takes 10" in figure(app, "dso").thin
    )
    assert "Only 3 quotes of the period decided" in figure(app, "win_rate").thin
    assert "Only 2 answers" in figure(app, "decide").thin
    assert "Only 3 invoices" in figure(app, "average", "period=month").thin.replace("Only 2", "Only 3")
    assert "No win rates are known yet" in figure(app, "weighted").thin


def test_the_tables_of_a_year_to_the_cent(app: Flask, books: dict[str, int]) -> None:
    assert told(app, "customers") == {
        "Ann": D("1080.00"), "Bob": D("500.10"), "Cleo": D("70.00"), "Without a contact here": D("33.00"),
    }  # fmt: skip
    assert told(app, "newness") == {
        "New customers": D("570.10"), "Returning customers": D("1080.00"), "Without a contact here": D("33.00"),
    }  # fmt: skip
    assert told(app, "states") == {"Kansas": D("1580.10"), "Nebraska": D("70.00"), "Without a contact here": D("33.00")}
    assert told(app, "cities") == {
        "Wichita, KS": D("1580.10"), "Omaha, NE": D("70.00"), "Without a contact here": D("33.00"),
    }  # fmt: skip
    assert told(app, "services") == {
        "Wall": D("1300.00"), "Drain": D("200.00"), "Lines without a product": D("0.10"),
        "Tax, less discounts of whole invoices": D("183.00"),
    }  # fmt: skip
    assert told(app, "aging") == {
        "Not due yet": D("500.00"), "1–30 days late": D("70.00"), "31–60 days late": D(0), "61–90 days late": D(0),
        "Over 90 days late": D("80.00"),
    }  # fmt: skip
    wall, drain = table(app, "services").rows[:2]
    assert (wall[3].value, wall[5].value) == (D("899.50"), D(1))  # 1300 less 300 and 100.50
    assert (drain[3].value, drain[3].note, drain[5].value) == (None, "cost not known", D(0))
    assert told(app, "quotes") == {
        "Sent": D("2000.00"), "Viewed": D(0), "Accepted, not invoiced": D("800.00"), "Partly invoiced": D(0),
        "Won in the period": D("800.00"), "Lost in the period": D("700.00"),
    }  # fmt: skip


def test_months_stand_beside_those_of_the_year_before(app: Flask, books: dict[str, int]) -> None:
    found = table(app, "time")
    rows = {row[0].value: [cell.value for cell in row[1:4]] for row in found.rows}
    assert len(rows) == 11
    assert rows["Feb 2026"] == [D("1080.00"), D("1000.00"), D(0)]
    assert rows["Jun 2026"] == [D(0), D(0), D("400.00")]
    assert rows["Nov 2026"] == [D("70.10"), D("25.50"), D(0)]
    assert [cell.value for cell in found.total[1:4]] == [D("1683.10"), D("1025.50"), D("411.00")]


def test_enough_history_is_told_in_numbers(app: Flask) -> None:
    world.company()
    ann = world.contact("Ann")
    for at in range(10):
        world.invoice(ann, TODAY - timedelta(days=at), "90.00", balance=D("30.00"), due_date=TODAY)
        world.quote(ann, day("2026-03-01"), "10.00", state="accepted" if at < 7 else "declined",
                    decided_at=NOW.replace(month=3, day=1 + at))  # fmt: skip
    assert figure(app, "dso").value == "30 days"  # 300 of 900 in 90 days
    assert figure(app, "win_rate").value == "70%"
    assert figure(app, "decide").value == "4 days"  # of 0 to 9 the lower of the middle two
    assert figure(app, "average").value == "$90.00"


def test_the_books_own_day_of_an_acceptance_counts_also_of_what_was_invoiced(app: Flask) -> None:
    connection = world.company()
    ann = world.contact("Ann")
    for at in range(10):
        quote = world.quote(ann, day("2026-03-01"), "10.00", state="invoiced")
        with transaction() as session:
            session.add_all([
                Link(connection_id=connection.id, kind="estimate", local_id=quote, remote_id=f"e{at}", linked_at=NOW,
                     synced_at=NOW),
                Document(connection_id=connection.id, kind="estimate", remote_id=f"e{at}", customer_remote_id="1",
                         total=D("10.00"), seen_at=NOW, record={"accepted_on": "2026-03-08"}),
            ])  # fmt: skip
    found = figure(app, "decide")
    assert found.value == "7 days" and found.notes[0][0] == "10 answered quotes"
    assert quotes.count(quote_filters.read({"state": "answered"}), today=TODAY) == 10, "which is the list that it opens"


def test_the_pipeline_is_weighted_only_by_what_was_learned(app: Flask) -> None:
    for learned, value, thin in (
        ({"thin": True, "won": 3, "lost": 4}, "", "Only 7 quotes were ever decided"),
        ({"thin": False, "won": 30, "lost": 40, "year": {"expected": "1234.50"}}, "$1,234.50", ""),
    ):
        with transaction() as session:
            session.add(Forecast(kind="quotes", as_of=TODAY, learned=learned, made_at=NOW))
        found = figure(app, "weighted")
        assert found.value == value and thin in found.thin
    assert found.notes[0][0] == "as of Nov 21, 2026, from 70 decided quotes"
    assert "state=undecided" in found.url, "the quotes that the forecast is of"


def checked(client: FlaskClient, found: Table) -> int:
    """Every amount with an address equals the sum of what it opens; how many were."""
    number = 0
    for row in (*found.rows, *([found.total] if found.total else [])):
        for column, cell in zip(found.columns, row, strict=True):
            if column.kind != "money" or not cell.url or column.label in ("Margin",):
                continue
            whole = row[0].value == "Tax, less discounts of whole invoices"
            if whole:
                continue
            field = "Open" if found.key == "aging" else ""
            if row[0].value == "Partly invoiced":
                continue
            assert sum_of(client, cell.url, field) == cell.value, (found.key, row[0].value, column.label, cell.url)
            number += 1
    return number


@pytest.mark.parametrize("key", [key for key in tables.TABLES])
def test_every_amount_of_a_table_is_the_sum_of_the_list_it_opens(
    app: Flask, client: FlaskClient, sign_in: SignIn, books: dict[str, int], key: str
) -> None:
    sign_in("bookkeeper")
    for query in ("period=year", "period=month&compare=before", "period=all"):
        found = table(app, key, query)
        assert checked(client, found) >= (1 if found.rows else 0), query


def test_margin_opens_the_lines_it_is_made_of(
    app: Flask, client: FlaskClient, sign_in: SignIn, books: dict[str, int]
) -> None:
    sign_in("bookkeeper")
    wall = table(app, "services").rows[0]
    assert sum_of(client, wall[3].url) - sum_of(client, wall[3].url, "Cost (USD)") == wall[3].value == D("899.50")


def test_the_figures_on_top_open_lists_with_their_sums(
    app: Flask, client: FlaskClient, sign_in: SignIn, books: dict[str, int]
) -> None:
    sign_in("rep")
    assert sum_of(client, figure(app, "invoiced").url) == D("1683.10")
    assert sum_of(client, figure(app, "collected").url) == D("1025.50")
    assert sum_of(client, figure(app, "receivables").url, "Open") == D("650.00")
    assert sum_of(client, figure(app, "pipeline").url) == D("2000.00")
    assert sum_of(client, figure(app, "average").url) == D("1683.10")
    euros = dict(figure(app, "invoiced").notes)["and €300.00"]
    assert sum_of(client, euros) == D("300.00")
    assert sum_of(client, dict(figure(app, "collected").notes)["and €12.00"]) == D("12.00")
    won, lost = (url for _, url in figure(app, "win_rate").notes)
    assert [len(world.opened(client, url)) for url in (won, lost)] == [1, 2]
    credits = dict(figure(app, "invoiced").notes)["credit memos: $15.00"]
    page = client.get(credits).text
    assert "$15.00" in page and "$99.00" not in page


@pytest.mark.parametrize("seed", range(4))
def test_parts_make_the_whole_in_random_worlds(app: Flask, client: FlaskClient, sign_in: SignIn, seed: int) -> None:
    chance = random.Random(seed)
    sign_in("rep")
    world.company()
    places = [("Wichita", "KS"), ("WICHITA", "ks."), ("Omaha", "Nebraska"), ("", "MO"), ("Paris", ""), ("", "")]
    people = [
        world.contact(f"P{at}", *chance.choice(places), chance.choice(["", "67202", "67202-0001"])) for at in range(6)
    ]
    sold = [
        world.product(f"S{at}", chance.choice(["", "A", "A:B"]), chance.choice(["service", "inventory"]))
        for at in range(4)
    ]
    for _ in range(40):
        lines = [
            (chance.choice([*sold, None]), D(chance.randrange(1, 99999)) / 100,
             chance.choice([None, D(chance.randrange(1, 9999)) / 100]))
            for _ in range(chance.randrange(4))
        ]  # fmt: skip
        world.invoice(
            chance.choice([*people, None]), TODAY - timedelta(days=chance.randrange(900)),
            D(chance.randrange(1, 999999)) / 100, currency=chance.choice(["USD", "USD", "", "CAD"]),
            state=chance.choice(["open", "open", "open", "void", "draft"]), lines=lines,
            balance=D(chance.randrange(3)), due_date=TODAY - timedelta(days=chance.randrange(-20, 140)),
        )  # fmt: skip
    for query in ("period=12_months", "period=year&compare=before", "period=own&since=2025-03-10&until=2026-04-17"):
        whole = table(app, "time", query).total[1].value
        for key in ("customers", "newness", "states", "cities", "postal", "services", "categories", "types", "time"):
            found = table(app, key, query)
            assert sum((row[1].value for row in found.rows), D(0)) == whole == found.total[1].value, (key, query)
    for key in ("states", "postal", "newness", "types", "aging", "time"):
        assert checked(client, table(app, key, "period=12_months")) > 0


# --- pages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "rep", "bookkeeper"])
def test_every_page_answers_for_every_period(
    client: FlaskClient, sign_in: SignIn, books: dict[str, int], role: str
) -> None:
    sign_in(role)
    addresses = ["/insight", "/insight/map", "/insight/lines", *(f"/insight/tables/{key}" for key in tables.TABLES)]
    for address in addresses:
        assert client.get(address).status_code == 200, address
    for key in PERIODS:
        more = "&since=2026-01-01&until=2026-03-31" if key == "own" else ""
        for compare in ("year", "before", "none"):
            answer = client.get(f"/insight?period={key}&compare={compare}{more}")
            assert answer.status_code == 200 and "Invoiced" in answer.text


def test_nobody_sees_figures_without_signing_in(client: FlaskClient, books: dict[str, int]) -> None:
    for address in ("/insight", "/insight/map", "/insight/lines", "/insight/lines.csv", "/insight/tables/time.csv"):
        assert client.get(address).status_code == 302


@pytest.mark.parametrize("address", ["/insight", "/insight/tables/states", "/insight/map", "/insight/lines"])
def test_a_period_that_cannot_be_read_is_said_and_what_was_typed_stays(
    client: FlaskClient, sign_in: SignIn, books: dict[str, int], address: str
) -> None:
    sign_in("rep")
    answer = client.get(f"{address}?period=own&since=2026-13-01&until=2026-11-01")
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "From: “2026-13-01” is no day. Write it as 2026-11-21." in page
    assert 'value="2026-13-01"' in page and "$1,683.10" not in page


def test_csv_of_a_bad_period_is_refused_and_an_unknown_table_is_none(
    client: FlaskClient, sign_in: SignIn, books: dict[str, int]
) -> None:
    sign_in("rep")
    assert client.get("/insight/tables/time.csv?period=nonsense").status_code == 422
    assert client.get("/insight/tables/nonsense").status_code == 404
    assert client.get("/insight/map?by=nonsense").status_code == 422
    assert client.get("/insight/map?part=ZZ").status_code == 422


@pytest.mark.parametrize("key", [key for key in tables.TABLES])
def test_each_table_comes_as_csv_with_its_total(
    app: Flask, client: FlaskClient, sign_in: SignIn, books: dict[str, int], key: str
) -> None:
    sign_in("bookkeeper")
    answer = client.get(f"/insight/tables/{key}.csv?period=year")
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    found = table(app, key)
    assert len(rows) == 1 + len(found.rows) + (1 if found.total else 0)
    assert [row[0] for row in rows[1:]] == [
        str(row[0].value) for row in (*found.rows, *([found.total] if found.total else []))
    ]
    assert any(one.endswith("(USD)") for one in rows[0])
    with app.app_context():
        assert db.session.scalars(select(AuditEntry.action).where(AuditEntry.action == "insight_exported")).all()


def test_an_empty_installation_says_what_to_do(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("admin")
    page = client.get("/insight").text
    assert "No figures yet" in page and "Connect QuickBooks" in page
    assert 'href="/insight/forecast"' in page, "the tabs of the other pages"
    assert client.get("/insight/map").status_code == 200
    assert client.get("/insight/tables/customers").status_code == 200


def test_each_figure_states_its_formula_and_as_of(client: FlaskClient, sign_in: SignIn, books: dict[str, int]) -> None:
    sign_in("rep")
    page = unescape(client.get("/insight?period=year").text)
    for title in ("Invoiced", "Collected", "Open today", "Days outstanding", "Open quotes", "Win rate"):
        assert f"How “{title}” is worked out" in page
    assert "QuickBooks as of" in page and "amounts in USD" in page and "America/Chicago" in page
    assert "Jan 1 – Nov 21, 2026" in page and "Jan 1 – Nov 21, 2025" in page


def test_a_fiscal_year_of_the_books_moves_this_year(app: Flask, client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    world.company(fiscal_year_begins="July")
    world.invoice(world.contact("Ann"), TODAY, "10.00")
    assert "Jul 1 – Nov 21, 2026" in client.get("/insight?period=year").text


# --- the map --------------------------------------------------------------------------------------------------


def test_the_map_shows_places_and_counts_those_it_cannot(
    client: FlaskClient, sign_in: SignIn, books: dict[str, int]
) -> None:
    sign_in("rep")
    page = unescape(client.get("/insight/map?period=year").text)
    circles = re.findall(r'<a href="([^"]+)"[^>]*aria-label="([^"]+)"><title>', page)
    assert [label for _, label in circles] == ["Wichita, KS: $1,580.10, 3 invoices"]
    assert sum_of(client, circles[0][0]) == D("1580.10")
    assert "Not on the map: $103.00" in page  # Cleo's 70 and the 33 of nobody known here
    assert 'class="works"' in page and "Omaha, NE" in page
    assert "Wichita, KS" in unescape(client.get("/insight/map?period=year&part=KS&by=postal").text)


def test_figures_of_a_place_hold_every_spelling_of_it(
    app: Flask, client: FlaskClient, sign_in: SignIn, books: dict[str, int]
) -> None:
    sign_in("rep")
    rows = table(app, "postal").rows
    assert [(row[0].value, row[1].value) for row in rows[:2]] == [
        ("67202 Wichita, KS", D("1580.10")), ("68104 Omaha, NE", D("70.00")),
    ]  # fmt: skip
    assert sum_of(client, rows[0][1].url) == D("1580.10")
    page = unescape(client.get(rows[0][1].url).text)
    assert "State: Kansas" in page and "City: Wichita" in page and "Postal code: 67202" in page
