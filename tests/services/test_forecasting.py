"""The nightly work on rows: what history is read from them, what is kept, and when it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain import quote_filters, quote_outlook
from crm.insight_cli import insight_group
from crm.models import (
    Connection,
    CustomerValue,
    Document,
    Forecast,
    Payment,
    PaymentApplication,
    PaymentExpectation,
    Receipt,
    ReceiptPart,
    SalesDocument,
    SalesLine,
    SyncRun,
)
from crm.queries import forecast_history, quotes
from crm.services import forecasting
from crm.services.forecasting import looking_back, refreshing
from tests.engine_rows import add, contact
from tests.forecast_rows import a_company, linked_quote, open_invoice, quote, settled

TODAY = date(2026, 6, 15)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def books(app) -> int:
    return a_company()


def days(who: int) -> list[tuple[date, date | None, bool]]:
    return [
        (date.fromordinal(one.issued), date.fromordinal(one.ended) if one.ended else None, one.paid)
        for key, found in forecast_history.bills() if key == who for one in found
    ]  # fmt: skip


def pay(books: int, document_id: int, on: date, amount: str, **values: object) -> None:
    with transaction() as session:
        remote = session.get_one(Document, document_id).remote_id
        number = f"q{document_id}-{on}-{amount}"
        given = {"total": Decimal(amount), "unapplied": Decimal(0), "seen_at": clock.now()}
        session.add(Payment(connection_id=books, remote_id=number, customer_remote_id="c", date=on, **given | values))
        session.add(PaymentApplication(connection_id=books, payment_remote_id=number, document_kind="invoice",
                                       document_remote_id=remote, amount=Decimal(amount)))  # fmt: skip


def test_an_invoice_is_settled_on_the_day_of_its_last_payment(books: int) -> None:
    who, begun = contact(), date(2026, 1, 5)
    one = settled(books, who, issued=begun, paid=date(2026, 1, 9))
    pay(books, one, date(2026, 2, 20), "40")
    pay(books, one, date(2026, 3, 1), "40", void=True)
    pay(books, one, date(2026, 3, 2), "40", gone_at=clock.now())
    settled(books, who, issued=begun, paid=None)
    settled(books, who, issued=begun, paid=date(2026, 1, 2))  # paid before it was written
    settled(books, who, issued=begun, paid=date(2026, 1, 7), money=False)
    assert days(who) == [
        (begun, date(2026, 2, 20), True), (begun, None, False), (begun, begun, True), (begun, date(2026, 1, 7), False),
    ]  # fmt: skip


def test_what_is_void_gone_or_settled_by_nothing_known_teaches_nothing(books: int) -> None:
    who, begun = contact(), date(2026, 1, 5)
    ids = [settled(books, who, issued=begun, paid=None) for _ in range(3)]
    with transaction() as session:
        session.get_one(Document, ids[0]).void = True
        session.get_one(Document, ids[1]).gone_at = clock.now()
        session.get_one(Document, ids[2]).balance = Decimal(0)  # by a deposit on its own paper
    assert days(who) == []


def test_customers_without_a_contact_teach_and_get_dates_too(books: int) -> None:
    for number in range(25):
        settled(books, None, issued=TODAY - timedelta(days=80 + 9 * number), paid=TODAY - timedelta(60 + 9 * number))
    invoice = open_invoice(books, None, issued=TODAY - timedelta(days=5))
    forecasting.refresh(clock=lambda: NOON, kinds=("payments",))
    row = db.session.get_one(PaymentExpectation, invoice)
    assert (row.expected_on, row.basis, row.sample) == (TODAY + timedelta(days=15), "company", 25)


def test_a_run_twice_leaves_the_same_rows(books: int) -> None:
    who = contact()
    for number in range(25):
        issued = TODAY - timedelta(days=80 + 9 * number)
        settled(books, who, issued=issued, paid=issued + timedelta(days=20))
        quote(books, who, sent=issued, won=issued + timedelta(days=3) if number % 2 else None)
    open_invoice(books, who, issued=TODAY - timedelta(days=5))
    quote(books, who, sent=TODAY - timedelta(days=1), open_still=True)
    kept = []
    for _ in range(2):
        forecasting.refresh(clock=lambda: NOON)
        db.session.remove()
        kept.append([
            [tuple(row) for row in db.session.execute(select(model.__table__).order_by(*model.__table__.primary_key))]
            for model in (PaymentExpectation, CustomerValue)
        ])  # fmt: skip
    assert kept[0] == kept[1] and all(kept[0])
    made = [row.learned for row in db.session.scalars(select(Forecast).order_by(Forecast.id))]
    assert made[:3] == made[3:] and len(made) == 6
    assert [one["thin"] for one in made[:3]] == [False, False, True]


def test_money_received_here_is_no_longer_expected(books: int) -> None:
    who = contact()
    paid, partly = (open_invoice(books, who, issued=TODAY, total="100") for _ in range(2))
    for document_id, amount in ((paid, "100"), (partly, "30")):
        receipt = add(Receipt(connection_id=books, contact_id=who, amount=Decimal(amount), date=TODAY,
                              created_at=NOON, updated_at=NOON))  # fmt: skip
        add(ReceiptPart(receipt_id=receipt, document_id=document_id, amount=Decimal(amount)))
    forecasting.refresh(clock=lambda: NOON, kinds=("payments",))
    assert db.session.scalars(select(PaymentExpectation.document_id)).all() == [partly]
    learned = db.session.scalars(select(Forecast.learned)).one()
    assert learned["open"] == "70.00" and learned["thin"] is True


def test_when_a_quote_was_won_is_what_the_books_say(books: int) -> None:
    who, sent = contact(), date(2026, 3, 1)
    invoice = settled(books, who, issued=date(2026, 3, 20), paid=None)
    remote = db.session.get_one(Document, invoice).remote_id
    db.session.remove()
    linked_quote(books, who, sent=sent, record={"accepted_on": "2026-03-09", "linked": []})
    linked_quote(books, who, sent=sent, record={"linked": [{"kind": "invoice", "remote_id": remote}]})
    linked_quote(books, who, sent=sent, record={})
    quote(books, who, sent=sent, won=date(2026, 3, 12))
    found = [one for part in forecast_history.offers("USD", "UTC", TODAY) for one in part]
    assert [date.fromordinal(one.won or 1).day for one in found] == [9, 20, 1, 12]


def test_the_list_of_undecided_quotes_holds_those_the_forecast_is_of(books: int) -> None:
    who, day = contact(), TODAY - timedelta(days=9)
    invoiced = quote(books, who, sent=day, open_still=True)
    add(SalesDocument(kind="invoice", contact_id=who, quote_id=invoiced, state="open", date=day, total=Decimal(9),
                      created_at=NOON, updated_at=NOON))  # fmt: skip
    quote(books, who, sent=day, won=day)
    for state, more in (("draft", {}), ("draft", {"books_total": Decimal(9)}), ("sent", {"expires_on": day}),
                        ("viewed", {}), ("declined", {}), ("cancelled", {}), ("sent", {"template": True}),
                        ("sent", {"gone_at": NOON})):  # fmt: skip
        add(SalesDocument(kind="estimate", contact_id=who, state=state, date=day, total=Decimal(9), created_at=NOON,
                          updated_at=NOON, **more))  # fmt: skip
    offers = [one for part in forecast_history.offers("USD", "UTC", TODAY) for one in part]
    counted = {one.id for one in offers if quote_outlook.is_open(one, TODAY.toordinal())}
    rows = quotes.page(quote_filters.Filters(state="undecided", currency="USD"), today=TODAY).rows
    assert {row.id for row in rows} == counted and len(counted) == 3


def test_quotes_and_sales_in_another_currency_are_in_no_sum(books: int) -> None:
    who = contact()
    quote(books, who, sent=TODAY, open_still=True, total="50")
    quote(books, who, sent=TODAY, open_still=True, total="70", currency="EUR")
    open_invoice(books, who, issued=TODAY, total="70", currency="EUR")
    forecasting.refresh(clock=lambda: NOON)
    learned = {row.kind: row.learned for row in db.session.scalars(select(Forecast))}
    assert learned["quotes"]["open"] == "50.00" and learned["quotes"]["abroad"] == 1
    assert learned["payments"]["open"] == "0.00" and learned["payments"]["abroad"] == 1


def test_margin_is_of_lines_whose_cost_is_known_less_their_share_of_the_discount(books: int) -> None:
    who = contact()
    settled(books, who, issued=TODAY - timedelta(days=400), paid=None)
    document = open_invoice(books, who, issued=TODAY, total="180", subtotal=Decimal(200), discount=Decimal(20))
    held = open_invoice(books, who, issued=TODAY, total="70", hold=True)  # not in the books, so in no sales either
    for invoice, amount, cost in ((document, 100, 40), (document, 100, None), (held, 70, 10)):
        add(SalesLine(document_id=invoice, amount=Decimal(amount), cost=None if cost is None else Decimal(cost)))
    forecasting.refresh(clock=lambda: NOON, kinds=("value",))
    row = db.session.get_one(CustomerValue, who)
    assert (row.sales, row.margin, row.sample, row.expected) == (100, 50, 1, None)  # 90 of the line, less 40


def test_who_never_bought_has_no_value_and_who_stopped_having_bought_loses_it(books: int) -> None:
    who = contact()
    bought = settled(books, who, issued=TODAY - timedelta(days=400), paid=None)
    contact("Bob Lind")
    forecasting.refresh(clock=lambda: NOON, kinds=("value",))
    assert db.session.scalars(select(CustomerValue.contact_id)).all() == [who]
    db.session.remove()
    with transaction() as session:
        session.get_one(Document, bought).void = True
    forecasting.refresh(clock=lambda: NOON, kinds=("value",))
    assert db.session.scalar(select(func.count()).select_from(CustomerValue)) == 0


def test_it_is_due_at_first_each_night_and_after_a_complete_import(books: int) -> None:
    def due(now: datetime) -> list[str]:
        db.session.remove()
        return list(forecasting.refresh_due(clock=lambda: now))

    def read(at: datetime) -> None:
        with transaction() as session:
            kinds = ("invoice", "payment", "credit_memo")
            session.get_one(Connection, books).read_at = dict.fromkeys(kinds, at.isoformat())

    read(NOON - timedelta(days=3))
    everything = ["payments", "quotes", "value"]
    assert due(NOON) == everything and due(NOON + timedelta(minutes=10)) == []
    midnight = datetime(2026, 6, 16, tzinfo=UTC)
    assert due(midnight + timedelta(hours=1)) == [] and due(midnight + timedelta(hours=2)) == everything
    assert due(midnight + timedelta(hours=3)) == []
    read(midnight + timedelta(hours=4))
    run = add(SyncRun(connection_id=books, trigger="person", requested_by="a", resources=["invoice"], state="running",
                      step="invoice", created_at=NOON))  # fmt: skip
    assert due(midnight + timedelta(hours=5)) == []  # half read
    with transaction() as session:
        session.get_one(SyncRun, run).state = "done"
    assert due(midnight + timedelta(hours=5)) == everything and due(midnight + timedelta(hours=5)) == []


def test_old_makings_are_forgotten(books: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "KEPT", 2)
    for _ in range(4):
        forecasting.refresh(clock=lambda: NOON, kinds=("quotes", "value"))
    kinds = db.session.scalars(select(Forecast.kind).order_by(Forecast.id)).all()
    assert sorted(kinds) == ["quotes", "quotes", "value", "value"]


def test_the_future_of_the_rows_changes_nothing_a_back_test_says(books: int) -> None:
    who = contact()
    for number in range(60):
        issued = TODAY - timedelta(days=120 + 7 * number)
        settled(books, who, issued=issued, paid=issued + timedelta(days=21))
        quote(books, who, sent=issued, won=issued + timedelta(days=20) if number % 2 else None)
    as_of = TODAY - timedelta(days=30)
    before = looking_back.of_company(now=NOON, as_of=as_of)
    assert before["payments"]["judged"] and before["quotes"]["rows"]
    for number in range(20):
        day = as_of + timedelta(days=1 + number)
        settled(books, who, issued=day, paid=day + timedelta(days=1))
        quote(books, who, sent=day, won=day)
    assert looking_back.of_company(now=NOON, as_of=as_of) == before


def test_the_command_prints_tables_and_says_what_is_thin(books: int) -> None:
    ran = CliRunner().invoke(insight_group, ["backtest", "--kind", "payments", "--as-of", "2026-03-31"])
    assert ran.exit_code == 0 and "Too little history to look back" in ran.output
    ran = CliRunner().invoke(insight_group, ["backtest", "--kind", "quotes", "--sample"])
    assert "Revenue of open quotes within half a year" in ran.output
    assert CliRunner().invoke(insight_group, ["backtest", "--sample", "--as-of", "2026-03-31"]).exit_code == 2
    ran = CliRunner().invoke(insight_group, ["refresh"])
    assert [line.split(":")[0] for line in ran.output.splitlines()] == ["payments", "quotes", "value"]
