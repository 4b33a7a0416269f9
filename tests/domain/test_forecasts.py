"""What is worked out about the future: known results, limits of shrinking, and that nothing later is ever looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain import backtest_tables, payment_backtest, quote_backtest, quote_days, value_backtest
from crm.domain import customer_value as cv
from crm.domain import payment_dates as pd
from crm.domain import quote_outlook as qo
from crm.domain.quotes import ACCEPTED, CANCELLED, DECLINED, DRAFT, INVOICED, SENT
from crm.domain.survival import NOTHING, Outlook, Table, outlook, own_rates, still_open
from crm.services.forecasting import looking_back

DOCS = Path(__file__).resolve().parents[2] / "docs" / "forecasts.md"

# --- how long something lasts ---------------------------------------------------------------------------------


def test_the_estimate_of_freireichs_leukaemia_patients_is_the_published_one() -> None:
    """Weeks of remission under 6-MP (Freireich 1963), the example of every textbook; + means still in remission."""
    text = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
    table = Table()
    for word in text.split():
        table.add(1, int(word.rstrip("+")), not word.endswith("+"))
    shares = dict(still_open(table.rates(least=1), NOTHING, after=0))
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {week: round(shares[week], 3) for week in published} == published


def test_what_came_in_late_counts_only_from_then_on() -> None:
    table = Table()
    table.add(0, 4, True)
    table.add(3, 6, True)  # was not there on days 0 to 2
    table.add(0, 6, False)
    rates = table.rates(least=1)
    assert [rates.rate(day) for day in (1, 4, 6, 9)] == [0, pytest.approx(1 / 3), 0.5, 0]
    with pytest.raises(ValueError, match="before it begins"):
        table.add(3, 2, True)


SPELLS = st.lists(
    st.tuples(st.integers(-20, 40), st.integers(0, 90), st.booleans()).map(lambda s: (s[0], s[0] + s[1], s[2])),
    min_size=1, max_size=40,
)  # fmt: skip


@given(SPELLS, SPELLS, st.integers(-30, 60))
@settings(max_examples=80, deadline=None)
def test_the_share_still_open_never_rises_and_the_interval_holds_the_middle(
    everybody: list[tuple[int, int, bool]], mine: list[tuple[int, int, bool]], after: int
) -> None:
    table = Table()
    for spell in everybody:
        table.add(*spell)
    shares = list(still_open(table.rates(least=1), own_rates(mine), after=after))
    values = [1.0, *(share for _, share in shares)]
    assert all(0 <= later <= sooner <= 1 for sooner, later in pairwise(values))
    assert all(day > after for day, _ in shares)
    found = outlook(shares)
    known = [day for day in (found.early, found.middle, found.late) if day is not None]
    assert known == sorted(known)
    assert (found.early is not None or found.middle is None) and (found.middle is not None or found.late is None)


def test_little_of_ones_own_gives_everybodys_rate_and_much_gives_ones_own() -> None:
    table = Table()
    for _ in range(100):
        table.add(0, 30, True)
    company = table.rates()
    assert outlook(list(still_open(company, NOTHING, after=0))) == Outlook(30, 30, 30)
    for count, expected in ((1, 30), (200, 10)):
        own = own_rates([(0, 10, True)] * count)
        assert outlook(list(still_open(company, own, after=0))).middle == expected
    own = own_rates([(0, 10, True)] * 5)
    assert outlook(list(still_open(company, own, after=0, weight=1e9))).middle == 30
    assert outlook(list(still_open(company, own, after=0, weight=1e-9))).middle == 10


# --- dates of payment -----------------------------------------------------------------------------------------

DAY = 700_000


def bill(issued: int, paid: int | None, *, terms: int = 30, by_money: bool = True) -> pd.Bill:
    return pd.Bill(issued, DAY + issued, DAY + issued + terms, None if paid is None else DAY + issued + paid, by_money)


def company(bills: Sequence[pd.Bill], as_of: int = 0) -> pd.Company:
    lessons = pd.Lessons(DAY + as_of)
    lessons.learn(bills)
    return lessons.company()


def test_a_customer_who_always_pays_after_twelve_days_is_expected_to_do_so_again() -> None:
    mine = [bill(-30 * n, 12) for n in range(1, 13)]
    others = [bill(-30 * n - 5, 25) for n in range(1, 40)]
    everybody = company(mine + others)
    own, paid = pd.own_history(mine, everybody)
    made = pd.expect(bill(-2, None), everybody, own, paid)
    assert (made.on, made.basis, made.sample) == (DAY + 10, pd.OWN, 12)
    assert made.earliest is not None and made.latest is not None
    assert made.earliest <= DAY + 10 <= made.latest
    stranger = pd.expect(bill(-2, None), everybody, NOTHING, 0)
    assert (stranger.on, stranger.basis) == (DAY + 23, pd.COMPANY)


BILLS = st.lists(
    st.tuples(st.integers(-90, 10), st.none() | st.integers(-3, 80), st.integers(-5, 40), st.booleans()).map(
        lambda one: bill(one[0], one[1], terms=one[2], by_money=one[3])
    ),
    max_size=30,
)


@given(BILLS, st.sets(st.integers(-100, 20), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_lessons_of_several_days_learned_together_are_those_of_each_day(bills: list[pd.Bill], days: set[int]) -> None:
    together = pd.LessonsOfDays([DAY + day for day in days])
    together.learn(bills)
    assert together.companies() == [company(bills, day) for day in sorted(days)]


def test_what_is_late_already_is_compared_with_what_was_as_late() -> None:
    bills = [bill(-40 * n, 10) for n in range(1, 40)] + [bill(-40 * n, 70) for n in range(2, 14)]
    everybody = company(bills)
    fresh = pd.expect(bill(-1, None), everybody, NOTHING, 0)
    late = pd.expect(bill(-20, None), everybody, NOTHING, 0)
    assert fresh.on == DAY + 9 and late.on == DAY + 50
    assert late.earliest is not None and late.earliest > DAY


def test_later_than_anything_that_was_paid_there_is_no_date() -> None:
    everybody = company([bill(-40 * n, 10) for n in range(1, 40)])
    made = pd.expect(bill(-400, None), everybody, NOTHING, 0)
    assert (made.on, made.latest, made.basis) == (None, None, pd.NONE)


def test_below_twenty_paid_invoices_the_due_date_stands_alone() -> None:
    made = pd.expect(bill(-3, None), company([bill(-40 * n, 10) for n in range(1, 20)]), NOTHING, 0)
    assert (made.on, made.earliest, made.basis, made.sample) == (DAY + 27, None, pd.DUE, 19)


def test_open_invoices_make_everybody_slower_and_a_credit_is_no_payment() -> None:
    paid = [bill(-40 * n, 10) for n in range(1, 31)]
    waiting = [bill(-200, None) for _ in range(60)]
    credited = [bill(-200, 3, by_money=False) for _ in range(60)]
    first = pd.expect(bill(-1, None), company(paid), NOTHING, 0)
    assert first.on == DAY + 9 and pd.expect(bill(-1, None), company(paid + waiting), NOTHING, 0).on is None
    assert pd.expect(bill(-1, None), company(paid + credited), NOTHING, 0).on == DAY + 9


def test_days_are_counted_from_whichever_day_payments_keep_closer_to() -> None:
    by_due = [bill(-40 * n, (15, 30, 60)[n % 3] + n % 2, terms=(15, 30, 60)[n % 3]) for n in range(2, 60)]
    by_day = [bill(-40 * n, 12 + n % 2, terms=(15, 30, 60)[n % 3]) for n in range(2, 60)]
    assert company(by_due).clock == pd.FROM_DUE and company(by_day).clock == pd.ISSUED
    assert pd.expect(bill(-1, None, terms=60), company(by_due), NOTHING, 0).on in (DAY + 59, DAY + 60)


BILLS = st.lists(
    st.builds(
        bill, st.integers(-700, -1), st.one_of(st.none(), st.integers(0, 120)), terms=st.sampled_from((0, 15, 30)),
        by_money=st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


@given(st.lists(BILLS, min_size=1, max_size=6), st.integers(-300, -1))
@settings(max_examples=60, deadline=None)
def test_what_happens_later_changes_no_date_given_earlier(customers: list[list[pd.Bill]], as_of: int) -> None:
    """As things stand today, and as they stood on the day: no later invoice, and what was paid later is open."""
    then = [
        [one._replace(ended=None, paid=False) if one.ended and one.ended > DAY + as_of else one
         for one in bills if one.issued <= DAY + as_of]
        for bills in customers
    ]  # fmt: skip
    made = []
    for world in (customers, then):
        everybody = company([one for bills in world for one in bills], as_of)
        made.append([
            pd.expect(one._replace(ended=None, paid=False), everybody, *pd.own_history(bills, everybody))
            for bills in world for one in bills if pd.is_open(one, DAY + as_of)
        ])  # fmt: skip
    assert made[0] == made[1]


def test_the_back_test_of_payments_says_what_a_hand_reckons() -> None:
    """Everybody always pays after 20 days: all dates are right, and the due date is ten days off."""
    world = [(n, [bill(-10 * i - n, 20) for i in range(1, 90)]) for n in range(3)]
    world = [(n, [b if b.ended <= DAY else b._replace(ended=None, paid=False) for b in bills]) for n, bills in world]
    found = payment_backtest.run(lambda: world, DAY)
    assert found["ours"] == {"mean": "0.0", "middle": "0"} and found["due"] == {"mean": "10.0", "middle": "10"}
    assert found["inside"] == "1.000" and found["unpaid"] == 0 and found["judged"] == 72
    assert payment_backtest.run(lambda: world, DAY) == found


# --- quotes ---------------------------------------------------------------------------------------------------


def offer(sent: int, won: int | None = None, lost: int | None = None, value: int = 100) -> qo.Offer:
    return qo.Offer(
        sent, DAY + sent, Decimal(value), False, None if won is None else DAY + sent + won,
        None if lost is None else DAY + sent + lost,
    )  # fmt: skip


def rates(offers: Sequence[qo.Offer], as_of: int = 0) -> qo.Rates:
    lessons = qo.Lessons(DAY + as_of)
    lessons.learn(offers)
    return lessons.rates()


def test_rates_are_wins_per_day_that_quotes_were_open() -> None:
    """Ten won and ten lost on the fourth day: each was open on days 0 to 3, in all 80 days."""
    made = rates([offer(-50 - n, won=3) for n in range(10)] + [offer(-80 - n, lost=3) for n in range(10)])
    assert made.daily((0, False), 0) == (pytest.approx(10 / 80), pytest.approx(10 / 80))
    chance = made.chance(offer(-0))
    assert chance == pytest.approx(0.5 * (1 - (1 - 0.25) ** 6))  # six days of that, and nothing known after
    assert made.overall == 0.5 and not made.thin and rates([offer(-50, won=3)]).thin


@given(
    st.lists(
        st.builds(
            offer, st.integers(-500, -1), won=st.one_of(st.none(), st.integers(0, 100)),
            lost=st.one_of(st.none(), st.integers(0, 100)), value=st.sampled_from((100, 3000, 50000)),
        ),
        min_size=1, max_size=60,
    ),
    st.integers(-200, 0),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_chances_grow_with_time_and_what_happens_later_changes_none(offers: list[qo.Offer], as_of: int) -> None:
    day = DAY + as_of
    then = [
        one._replace(won=one.won if one.won and one.won <= day else None,
                     lost=one.lost if one.lost and one.lost <= day else None)
        for one in offers if one.sent <= day
    ]  # fmt: skip
    made, known = rates(offers, as_of), rates(then, as_of)
    for one in offers:
        if qo.is_open(one, day):
            curve = made.curve(one.kind, day - one.sent)
            assert all(0 <= sooner <= later <= 1 for sooner, later in pairwise(curve))
            assert curve == known.curve(one.kind, day - one.sent)


def test_a_class_of_few_quotes_is_drawn_to_all() -> None:
    many = [offer(-60 - n, won=3) for n in range(200)] + [offer(-60 - n, lost=3) for n in range(200)]
    few = [offer(-70 - n, won=3, value=9000) for n in range(2)]
    made = rates(many + few)
    assert made.chance(offer(0)) < made.chance(offer(0, value=9000)) < made.chance(offer(0)) * 1.3
    assert rates(many + few * 400).chance(offer(0, value=9000)) > 1.3 * made.chance(offer(0, value=9000))


def test_the_sum_of_two_quotes_has_the_spread_of_two_throws() -> None:
    total = qo.Sum()
    total.add(Decimal(100), 0.5)
    total.add(Decimal(200), 0.25)
    assert total.expected == 100 and total.variance == Decimal(100) ** 2 / 4 + Decimal(200) ** 2 * 3 / 16
    low, high = total.between(0)
    assert low == 0 and high == 100 + qo.Z * Decimal(10000).sqrt()


def row(state: str, **values: object) -> quote_days.QuoteRow:
    given_ = {"id": 1, "state": state, "day": date(2026, 3, 1), "sent": None, "decided": None, "expires": None,
              "invoiced": None, "in_books": True, "value": Decimal(100), "returning_since": None}  # fmt: skip
    return quote_days.QuoteRow(**given_ | values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "sent", "won", "lost"),
    [
        (row(SENT, sent=date(2026, 3, 4)), date(2026, 3, 4), None, None),
        (row(DRAFT), date(2026, 3, 1), None, None),
        (row(ACCEPTED, decided=date(2026, 3, 9), sent=date(2026, 5, 1)), date(2026, 3, 1), date(2026, 3, 9), None),
        (row(INVOICED, decided=date(2026, 3, 9), invoiced=date(2026, 3, 7)), date(2026, 3, 1), date(2026, 3, 7), None),
        (row(INVOICED), date(2026, 3, 1), date(2026, 3, 1), None),
        (row(DECLINED, decided=date(2026, 3, 6)), date(2026, 3, 1), None, date(2026, 3, 6)),
        (row(CANCELLED, expires=date(2026, 4, 1)), date(2026, 3, 1), None, date(2026, 4, 1)),
        (row(CANCELLED), date(2026, 3, 1), None, date(2026, 5, 30)),
        (row(SENT, expires=date(2026, 3, 20)), date(2026, 3, 1), None, None),
        (row(SENT, invoiced=date(2026, 3, 7)), date(2026, 3, 1), date(2026, 3, 7), None),  # in part
        (row(CANCELLED, decided=date(2026, 3, 5), invoiced=date(2026, 3, 7)), date(2026, 3, 1), date(2026, 3, 7), None),
    ],
)  # fmt: skip
def test_days_of_a_quote_come_from_what_its_row_says(made, sent: date, won: date | None, lost: date | None) -> None:
    found = quote_days.offer_of(made, today=date(2026, 6, 1))
    assert found is not None and date.fromordinal(found.sent) == sent
    assert [day and date.fromordinal(day) for day in (found.won, found.lost)] == [won, lost]


def test_a_draft_nobody_has_seen_is_no_open_quote() -> None:
    assert quote_days.offer_of(row(DRAFT, in_books=False), today=date(2026, 6, 1)) is None


# --- value ----------------------------------------------------------------------------------------------------


def test_the_model_gives_the_papers_own_example() -> None:
    """Fader, Hardie and Lee (2005), section 6: x = 2, t = 30.43, T = 38.86 gives 1.226 purchases in 39 weeks."""
    model = cv.Model(0, 0.243, 4.414, 0.793, 2.426, mean=Decimal(1))
    assert model.ahead(cv.Rhythm(2, 30.43, 38.86), 39)[1] == pytest.approx(1.226, abs=0.001)  # type: ignore[arg-type]


def sales(*days: int, amount: int = 100) -> list[cv.Sale]:
    return [cv.Sale(DAY + day, Decimal(amount)) for day in days]


def test_the_simple_formula_and_its_limits() -> None:
    found = cv.history([*sales(-731, -400, -10), cv.Sale(DAY - 5, Decimal(-30))], DAY)
    assert found is not None and found.sales == 270 and found.invoices == 3
    assert cv.simple(found, DAY) == (Decimal(270) / (Decimal(731) / cv.YEAR) * 3).quantize(cv.CENT)
    for thin in (sales(-731), sales(-100, -10)):
        made = cv.history(thin, DAY)
        assert made is not None and cv.simple(made, DAY) is None
    half = cv.history(sales(-200, -10), DAY)
    assert half is not None and cv.simple(half, DAY) == 600  # not stretched to a whole year
    assert cv.history(sales(5), DAY) is None


def test_invoices_of_one_week_are_one_purchase() -> None:
    found = cv.history(sales(-69, -68, -14), DAY)
    assert found is not None and cv.rhythm(found) == (1, 7, 9)


def test_few_who_bought_again_give_no_model_and_known_paces_are_found_again() -> None:
    lessons = cv.Lessons(DAY)
    for n in range(cv.LEAST_REPEATS - 1):
        lessons.learn(sales(-300 - n, -100))
    assert lessons.model() is None
    lessons.learn(sales(-300, -100))
    model = lessons.model()
    assert model is not None
    gone, often = cv.history(sales(-700, -680, -660), DAY), cv.history(sales(*range(-700, 0, 30)), DAY)
    assert gone is not None and often is not None
    one, other = model.prospect(gone), model.prospect(often)
    assert 0 <= one.chance < other.chance <= 1 and one.expected < other.expected


@given(st.lists(st.lists(st.integers(-900, 300), max_size=12), min_size=60, max_size=60))
@settings(max_examples=8, deadline=None)
def test_sales_to_come_change_nothing_that_was_expected_before(days: list[list[int]]) -> None:
    made = []
    for world in (days, [[day for day in one if day <= 0] for one in days]):
        lessons = cv.Lessons(DAY)
        for one in world:
            lessons.learn(sales(*sorted(one)))
        made.append((lessons.model(), lessons.rhythms))
    assert made[0] == made[1]


# --- looking back ---------------------------------------------------------------------------------------------


def test_a_back_test_ends_before_what_it_must_not_know() -> None:
    """All origins leave the time they are judged by before the day it stands at."""
    assert max(payment_backtest.origins(DAY)) <= DAY - payment_backtest.SOON
    assert max(quote_backtest.origins(DAY)) == DAY - quote_backtest.AHEAD
    assert max(value_backtest.origins(DAY)) == DAY - value_backtest.YEAR


def test_the_back_test_of_quotes_compares_with_what_came() -> None:
    world = [[offer(-5 * n, won=10 if n % 2 else None, lost=None if n % 2 else 10)] for n in range(2, 200)]
    found = quote_backtest.run(lambda: world, DAY)
    assert len(found["rows"]) == 12 and float(found["ours_off"]) < 0.6
    assert sum(row["quotes"] for row in found["calibration"]) == sum(row["quotes"] for row in found["rows"])
    assert quote_backtest.run(lambda: [], DAY)["rows"] == []


def test_the_middle_is_the_lower_of_two() -> None:
    assert pd.median(Counter([1, 2, 3, 4])) == 2 and pd.median(Counter([7])) == 7
    with pytest.raises(ValueError, match="middle"):
        pd.median(Counter())


def test_the_figures_in_the_documentation_are_those_of_the_command() -> None:
    begun, ended = "<!-- sample: begin -->\n```\n", "\n```\n<!-- sample: end -->"
    text = DOCS.read_text()
    shown = text[text.index(begun) + len(begun) : text.index(ended)]
    assert shown == backtest_tables.text(looking_back.of_sample())
