"""Pages about what may come: figures say what they rest on, thin history says so, what was paid shows no date."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.db import transaction
from crm.models import CustomerValue, PaymentExpectation, SalesDocument
from crm.services import forecasting
from tests.engine_rows import contact
from tests.forecast_rows import a_company, open_invoice, quote, settled


@pytest.fixture
def today(app) -> date:
    return clock.now().date()


def many_paid(books: int, contact_id: int, today: date, *, days: int = 20, count: int = 25) -> None:
    for number in range(count):
        issued = today - timedelta(days=80 + 12 * number)
        settled(books, contact_id, issued=issued, paid=issued + timedelta(days=days))


def test_before_the_first_night_the_pages_say_that_nothing_is_worked_out(client: FlaskClient, sign_in) -> None:
    sign_in("rep")
    assert "Nothing is worked out yet" in client.get("/insight/forecast").text
    assert "Nothing is worked out yet" in client.get("/insight/customers").text
    assert client.get("/insight/forecast/cash.csv").status_code == 404


def test_an_open_invoice_says_when_it_is_expected_and_why(client: FlaskClient, sign_in, today: date) -> None:
    books, who = a_company(), contact("Amy Fox")
    many_paid(books, who, today)
    invoice = open_invoice(books, who, issued=today - timedelta(days=5))
    forecasting.refresh(clock=clock.now, kinds=("payments",))
    sign_in("rep")
    page = client.get(f"/invoices/{invoice}").text
    assert "because that is how this customer paid 25 invoices before" in page
    with transaction() as session:
        row = session.get_one(PaymentExpectation, invoice)
        assert row.expected_on == today + timedelta(days=15) and row.basis == "own"
        assert row.earliest_on <= row.expected_on <= row.latest_on


def test_an_invoice_paid_since_shows_no_date(client: FlaskClient, sign_in, today: date) -> None:
    books, who = a_company(), contact("Amy Fox")
    many_paid(books, who, today)
    invoice = open_invoice(books, who, issued=today - timedelta(days=5))
    forecasting.refresh(clock=clock.now, kinds=("payments",))
    with transaction() as session:
        session.get_one(SalesDocument, invoice).balance = Decimal(0)
    sign_in("rep")
    assert "Expected by" not in client.get(f"/invoices/{invoice}").text
    forecasting.refresh(clock=clock.now, kinds=("payments",))
    with transaction() as session:
        assert session.get(PaymentExpectation, invoice) is None


def test_thin_history_leaves_the_due_date_with_its_reason(client: FlaskClient, sign_in, today: date) -> None:
    books, who = a_company(), contact("Amy Fox")
    invoice = open_invoice(books, who, issued=today - timedelta(days=5), due=today + timedelta(days=25))
    forecasting.refresh(clock=clock.now)
    sign_in("rep")
    assert "the due date: there is too little history" in client.get(f"/invoices/{invoice}").text
    page = client.get("/insight/forecast").text
    assert "Too little history for expected dates" in page and "Too little history for a forecast" in page
    assert page.count("Too little history to look back on") == 3


def test_the_forecast_shows_weeks_months_and_how_good_it_was(client: FlaskClient, sign_in, today: date) -> None:
    books, who = a_company(), contact("Amy Fox")
    for number in range(60):  # judged only where an origin of the back-test fell between invoice and payment
        issued = today - timedelta(days=40 + 7 * number)
        settled(books, who, issued=issued, paid=issued + timedelta(days=21))
        sent = today - timedelta(days=100 + 9 * number)
        quote(books, who, sent=sent, won=sent + timedelta(days=20) if number % 2 else None)
    open_invoice(books, who, issued=today - timedelta(days=3), total="500")
    quote(books, who, sent=today - timedelta(days=4), open_still=True, total="1000")
    forecasting.refresh(clock=clock.now)
    sign_in("bookkeeper")
    page = client.get("/insight/forecast").text
    assert "From 1 open invoice of $500.00" in page and "1 open quote</a> of $1,000.00" in page
    assert "these dates were <b>0.0 days</b> off on average" in page and "Within twelve months" in page
    cash = client.get("/insight/forecast/cash.csv").text.splitlines()
    assert len(cash) == 14 and sum(float(line.split(",")[2]) for line in cash[1:]) > 400
    for kind in ("quotes", "backtest-payments", "backtest-quotes", "backtest-value"):
        assert client.get(f"/insight/forecast/{kind}.csv").status_code == 200
    assert client.get("/insight/forecast/nothing.csv").status_code == 404


def value(name: str, **values: object) -> int:
    id_ = contact(name)
    given = {"sales": Decimal(100), "years": Decimal(2), "sample": 3, "as_of": clock.now().date()}
    with transaction() as session:
        session.add(CustomerValue(contact_id=id_, **given | values))
    return id_


def test_customers_are_searched_narrowed_sorted_and_exported(client: FlaskClient, sign_in) -> None:
    value("Amy Fox", sales=Decimal(900), expected=Decimal(50), chance=Decimal("0.1"))
    value("Bob Lind", sales=Decimal(300), expected=Decimal(400), chance=Decimal("0.75"), margin=Decimal(40))
    value("Cleo Marsh", sales=Decimal(20))
    sign_in("rep")

    def names(address: str) -> list[str]:
        text = client.get(address).text
        return sorted((name for name in ("Amy Fox", "Bob Lind", "Cleo Marsh") if f">{name}<" in text), key=text.index)

    assert names("/insight/customers") == ["Bob Lind", "Amy Fox", "Cleo Marsh"]
    assert names("/insight/customers?sort=-sales") == ["Amy Fox", "Bob Lind", "Cleo Marsh"]
    assert names("/insight/customers?sort=chance") == ["Amy Fox", "Bob Lind", "Cleo Marsh"]
    assert names("/insight/customers?chance=likely") == ["Bob Lind"]
    assert names("/insight/customers?chance=unlikely") == ["Amy Fox"]
    assert names("/insight/customers?least=300") == ["Bob Lind", "Amy Fox"]
    assert names("/insight/customers?margin=yes") == ["Bob Lind"]
    assert names("/insight/customers?q=cleo") == ["Cleo Marsh"]
    assert "too little history" in client.get("/insight/customers?q=cleo").text
    assert "Nothing found" in client.get("/insight/customers?q=nobody").text
    assert names("/insight/customers?least=x&chance=y&sort=z&page=-1") == ["Bob Lind", "Amy Fox", "Cleo Marsh"]
    lines = client.get("/insight/customers.csv?chance=likely").text.splitlines()
    assert len(lines) == 2 and lines[1].startswith("Bob Lind,")


def test_a_contact_says_what_it_is_worth(client: FlaskClient, sign_in) -> None:
    known, thin = value("Amy Fox", expected=Decimal("50.5"), chance=Decimal("0.1")), value("Cleo Marsh")
    sign_in("rep")
    assert (
        "$50.50" in client.get(f"/contacts/{known}").text
        and "10% chance of any sale" in client.get(f"/contacts/{known}").text
    )
    assert "too little history of all customers" in client.get(f"/contacts/{thin}").text
    assert "Customer value" not in client.get(f"/contacts/{contact('Dora Quist')}").text


def test_the_overdue_list_says_and_sorts_by_when_money_is_expected(client: FlaskClient, sign_in, today: date) -> None:
    books = a_company()
    late, soon = contact("Amy Fox"), contact("Bob Lind")
    for who, days in ((late, 90), (soon, 70)):
        for number in range(25):
            issued = today - timedelta(days=100 + 12 * number)
            settled(books, who, issued=issued, paid=issued + timedelta(days=days))
        open_invoice(books, who, issued=today - timedelta(days=60), due=today - timedelta(days=30), total="500")
    forecasting.refresh(clock=clock.now, kinds=("payments",))
    sign_in("rep")
    text = client.get("/invoices/overdue?sort=expected").text
    assert text.index("Bob Lind") < text.index("Amy Fox") and "late, expected by" in text
