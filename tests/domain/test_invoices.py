"""The state of an invoice, what may be done with it, and invoices made of quotes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crm.domain.documents import INVOICE_STATES, invoice_state
from crm.domain.errors import Invalid, Refused
from crm.domain.invoices import ACTIONS, RULES, STATES, Standing, allowed, refuse, state_now, why_not, why_not_total
from crm.domain.invoicing import invoice_of
from crm.domain.quote_progress import rest
from crm.domain.refusals import REFUSALS
from crm.domain.sales import Discount, Line, Rate, Tax, calculate, counting, line_amount
from tests.domain.sales_values import documents, examples

D = Decimal
TAX = Tax("us", (Rate("1", "Tax", D(10)),))
TODAY = date(2026, 11, 21)
YESTERDAY = date(2026, 11, 20)
THERE = Standing(D(100), D(100), TODAY, linked=True, date=YESTERDAY)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"linked": False, "draft": True}, "draft"), ({"linked": False, "held": True}, "held"),
        ({"linked": False, "outgoing": True}, "sending"), ({}, "open"), ({"outgoing": True}, "open"),
        ({"emailed": True}, "sent"), ({"emailed": True, "viewed": True}, "viewed"),
        ({"balance": D(40), "viewed": True}, "partly_paid"), ({"balance": D(0)}, "paid"),
        ({"balance": D(0), "due_date": YESTERDAY}, "paid"), ({"due_date": YESTERDAY}, "overdue"),
        ({"due_date": YESTERDAY, "balance": D(40)}, "overdue"), ({"due_date": None}, "open"),
        ({"balance": None}, "open"), ({"balance": None, "due_date": YESTERDAY}, "overdue"),
        ({"void": True, "balance": D(0)}, "void"), ({"total": D(0), "balance": D(0)}, "paid"),
        ({"held": True}, "open"), ({"linked": False}, "open"),
    ],
)  # fmt: skip
def test_the_state_follows_from_the_figures(fields: dict[str, Any], state: str) -> None:
    assert state in STATES
    assert state_now(replace(THERE, **fields), today=TODAY) == state


@pytest.mark.parametrize(
    ("total", "balance", "due", "void"),
    list(itertools.product((D(100), D(0)), (D(100), D(40), D(0), D(-1)), (None, TODAY, YESTERDAY), (True, False))),
)
def test_an_invoice_of_the_books_has_the_state_pages_of_the_mirror_show(
    total: Decimal, balance: Decimal, due: date | None, void: bool
) -> None:
    ours = state_now(Standing(total, balance, due, void, linked=True), today=TODAY)
    assert ours in INVOICE_STATES
    assert ours == invoice_state(total=total, balance=balance, due_date=due, today=TODAY, void=void)


@pytest.mark.parametrize(
    ("fields", "refused", "cause"),
    [
        ({}, "hold release", None),
        (
            {"void": True, "total": D(0), "balance": D(0)},
            "edit annotate change_customer void send pay hold release",
            "void",
        ),
        ({"closed_until": YESTERDAY}, "edit annotate change_customer void delete hold release", "closed_books"),
        ({"closed_until": date(2026, 11, 19)}, "hold release", None),
        ({"balance": D(40)}, "change_customer void delete hold release", "settled"),
        ({"balance": D(0)}, "edit change_customer void delete pay hold release", "settled"),
        (
            {"balance": D(0), "online_payment": True},
            "edit change_customer void delete pay hold release",
            "paid_by_card",
        ),
        ({"balance": D(0), "deposited": True}, "edit change_customer void delete pay hold release", "in_deposit"),
        ({"bank_matched": True}, "void delete hold release", "bank_matched"),
        ({"linked_charges": True}, "delete hold release", "linked_charges"),
        ({"linked": False, "draft": True}, "void send pay release", "not_there"),
        ({"linked": False, "held": True}, "void send pay hold", "not_there"),
        ({"linked": False, "outgoing": True}, "void delete hold release", "outgoing"),
        ({"linked": False, "draft": True, "closed_until": TODAY}, "void send pay release", "not_there"),
    ],
)
def test_what_cannot_be_done_now_is_refused_with_its_reason(
    fields: dict[str, Any], refused: str, cause: str | None
) -> None:
    invoice = replace(THERE, **fields)
    assert set(ACTIONS) - set(allowed(invoice)) == set(refused.split())
    if cause:
        assert cause in {found.cause for action in ACTIONS if (found := why_not(action, invoice))}
    for action in refused.split():
        found = why_not(action, invoice)
        assert found is not None and found.sentence.endswith(".") and "{" not in found.sentence
        with pytest.raises(Refused) as raised:
            refuse(action, invoice)
        assert str(raised.value) == found.sentence
    for action in allowed(invoice):
        refuse(action, invoice)


def test_the_closed_period_names_both_days() -> None:
    found = why_not("void", replace(THERE, closed_until=TODAY))
    assert found is not None and "up to November 21, 2026" in found.sentence and "November 20, 2026" in found.sentence


def test_causes_the_books_would_answer_are_those_of_their_refusals() -> None:
    ours = {"void", "outgoing", "not_there", "draft", "held", "there", "not_held", "linked_charges"}
    assert {rule.cause for rule in RULES} - ours <= set(REFUSALS)
    assert all(action in ACTIONS for rule in RULES for action in rule.actions)
    with pytest.raises(ValueError, match="no such action"):
        why_not("burn", THERE)


def test_a_total_stays_at_or_above_what_is_paid() -> None:
    invoice = replace(THERE, balance=D(40))
    assert why_not_total(D(60), invoice, currency="USD") is None
    found = why_not_total(D("59.99"), invoice, currency="USD")
    assert found is not None and "59.99 USD" in found.sentence and "60.00 USD" in found.sentence
    assert why_not_total(D(0), THERE, currency="USD") is None


# --- made of a quote ------------------------------------------------------------------------------------------


@examples(150)
@given(documents(), st.decimals(D(0), D(500), places=2))
def test_the_whole_quote_becomes_an_invoice_of_the_same_sum(document: dict[str, Any], paid: Decimal) -> None:
    assume(any(counting(document["lines"])))
    del document["deposit"]
    quote = calculate(**document)
    made = invoice_of(**document, deposit_paid=paid)
    assert (made.totals.subtotal, made.totals.discount, made.totals.tax, made.totals.total) == (
        quote.subtotal, quote.discount, quote.tax, quote.total)  # fmt: skip
    assert not made.left_out and not any(line.line.optional for line in made.lines)
    assert made.totals.deposit + made.deposit_left == paid
    assert made.totals.due == made.totals.total - made.totals.deposit
    assert 0 <= made.totals.deposit <= max(quote.total, 0)
    keys = [line.key for line in document["lines"]]
    assert [line.origin for line in made.lines] == [key for key in keys if key in {one.origin for one in made.lines}]


@examples(150)
@given(st.lists(st.tuples(st.integers(0, 9_999), st.booleans(), st.booleans()), min_size=2, max_size=7),
       st.integers(0, 30_000), st.booleans())  # fmt: skip
def test_the_parts_of_a_quote_come_to_the_quote(
    drawn: list[tuple[int, bool, bool]], off: int, before_tax: bool
) -> None:
    lines = [Line(key=str(at), unit_price=D(cents) / 100, taxable=taxable)
             for at, (cents, taxable, _) in enumerate(drawn)]  # fmt: skip
    first = {str(at) for at, (_, _, chosen) in enumerate(drawn) if chosen} or {"0"}
    rest = {line.key for line in lines} - first
    assume(rest)
    given_ = {"discount": Discount(amount=D(off) / 100, before_tax=before_tax), "tax": TAX}
    quote = calculate(lines, **given_)
    parts = [invoice_of(lines, keys=keys, **given_) for keys in (first, rest)]
    for figure in ("subtotal", "discount"):
        assert sum(getattr(part.totals, figure) for part in parts) == getattr(quote, figure)
    assert abs(sum(part.totals.tax for part in parts) - quote.tax) <= D("0.02")  # rounded once per invoice
    assert [set(part.left_out) for part in parts] == [rest, first]


@examples(150)
@given(documents(), st.data())
def test_parts_of_a_quote_one_after_the_other_never_come_to_more_and_all_of_them_to_the_quote(
    document: dict[str, Any], data: st.DataObject
) -> None:
    assume(any(counting(document["lines"])))
    del document["deposit"]
    lines, currency = document["lines"], document["currency"]
    quote, done = calculate(**document), {}
    subtotal = discount = D(0)
    while any(counting(left := rest(lines, done, currency))):
        counted = [line.key for line, counts in zip(left, counting(left), strict=True) if counts]
        keys = data.draw(st.sets(st.sampled_from(counted), min_size=1))
        part = invoice_of(**document, keys=keys, done=done)
        assert keys <= {line.origin for line in part.lines}
        subtotal, discount = subtotal + part.totals.subtotal, discount + part.totals.discount
        assert set(part.left_out) == set(counted) - {line.origin for line in part.lines}
        for line in part.lines:
            done.setdefault(line.origin, []).append(line.line)
    assert subtotal == quote.subtotal
    if document["discount"].percent is None and all(one.amount >= 0 for one in quote.per_line):
        assert discount == quote.discount


@given(st.integers(1, 50), st.decimals(D("0.001"), D(99), places=3), st.data())
def test_a_line_invoiced_bit_by_bit_comes_to_the_line_and_never_to_more(
    quantity: int, price: Decimal, data: st.DataObject
) -> None:
    line, done = Line(key="a", quantity=D(quantity), unit_price=price), []
    while left := rest([line], {"a": done}):
        taken = data.draw(st.integers(1, int(left[0].quantity or 1)))
        last = left[0].quantity == taken
        done.append(left[0] if last else replace(left[0], quantity=D(taken), unit_price=price, amount=None))
        more = sum(line_amount(one) for one in done) - line_amount(line)
        assert more == 0 if last else more <= D("0.01") * len(done)  # each is rounded by itself until the last


def test_what_was_invoiced_beyond_the_quote_leaves_nothing_and_never_less() -> None:
    line = Line(key="a", quantity=D(2), unit_price=D(10))
    assert rest([line], {"a": [replace(line, quantity=D(5))]}) == ()
    back = replace(line, quantity=D(-2))
    assert [one.quantity for one in rest([back], {"a": [replace(back, quantity=D(-1))]})] == [-1]
    with pytest.raises(Invalid, match="invoiced already"):
        invoice_of([line, replace(line, key="b")], keys={"a"}, done={"a": [line]})


def test_chosen_lines_bring_their_section_and_their_bundle() -> None:
    lines = [Line(kind="section", key="s1"), Line(key="a", unit_price=D(1)), Line(kind="section", key="s2"),
             Line(kind="group", key="g", optional=True), Line(key="m", unit_price=D(2), within="g"),
             Line(kind="text", key="t"), Line(key="o", unit_price=D(4), optional=True)]  # fmt: skip
    whole = invoice_of(lines)
    assert [line.origin for line in whole.lines] == ["s1", "a", "s2", "t"]
    some = invoice_of(lines, keys={"g", "o"})
    assert [line.origin for line in some.lines] == ["s2", "g", "m", "o"]
    assert (some.totals.total, some.left_out) == (6, ("a",))
    member = invoice_of(lines, keys={"m"})
    assert [(line.origin, line.line.within) for line in member.lines] == [("s2", ""), ("m", "")]
    assert member.totals.total == 2


def test_a_discount_in_percent_stays_one_and_an_amount_is_shared() -> None:
    lines = [Line(key="a", unit_price=D(75)), Line(key="b", unit_price=D(25))]
    assert invoice_of(lines, discount=Discount(percent=D(10)), keys={"a"}).discount == Discount(percent=D(10))
    part = invoice_of(lines, discount=Discount(amount=D(10)), tax=TAX, keys={"a"})
    assert (part.discount.amount, part.totals.tax, part.totals.total) == (D("7.50"), D("6.75"), D("74.25"))


def test_nothing_chosen_or_something_unknown_is_refused() -> None:
    lines = [Line(key="a", unit_price=D(1)), Line(kind="text", key="t")]
    for keys in ((), ("t",), ("a", "gone")):
        with pytest.raises(Invalid) as refused:
            invoice_of(lines, keys=keys)
        assert set(refused.value.fields) == {"lines"}
    with pytest.raises(Invalid):
        invoice_of([Line(key="a", unit_price=D(1), optional=True)])


def test_lines_without_keys_are_not_mistaken_for_each_other() -> None:
    assert invoice_of([Line(unit_price=D(1)), Line(unit_price=D(2), optional=True)]).totals.total == 1
