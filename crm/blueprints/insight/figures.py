"""The figures on top of the dashboard: each with its words, what it is compared with, and the list it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import url_for

from crm.blueprints.insight.viewing import View
from crm.domain import insight
from crm.domain.insight import DSO_DAYS, FORMULAS, LEAST_DECIDED, LEAST_INVOICES, LEAST_JOBS, LEAST_KNOWN, Amount
from crm.formats import date as day_words
from crm.formats import money, number, percent, plural
from crm.queries import insight_money, insight_open, insight_products
from crm.queries.insight_money import Taken

BESIDE = {"credit_memo": "credit memos", "refund_receipt": "refunds", "sales_receipt": "sales receipts"}


@dataclass(frozen=True, slots=True)
class Figure:
    key: str
    title: str
    value: str = ""
    """Empty: there is too little to tell, and `thin` says so."""
    url: str = ""
    thin: str = ""
    change: Decimal | None = None
    """By what share it grew; None where nothing is compared."""
    against: str = ""
    """The other figure, in words."""
    notes: tuple[tuple[str, str], ...] = ()
    """(words, address) of what belongs beside it."""

    @property
    def formula(self) -> str:
        return FORMULAS[self.key]


@dataclass(frozen=True, slots=True)
class Flows:
    """What was invoiced and collected, in the period and in the one beside it."""

    invoiced: list[Taken]
    collected: list[Taken]
    invoiced_then: list[Taken]
    collected_then: list[Taken]


def flows(view: View) -> Flows:
    other = view.period.other
    return Flows(
        view.once(insight_money.invoiced, view.span), view.once(insight_money.received, view.span),
        view.once(insight_money.invoiced, other) if other else [],
        view.once(insight_money.received, other) if other else [],
    )  # fmt: skip


def figures(view: View, found: Flows) -> list[Figure]:
    now = insight.summed(found.invoiced, view.home)
    return [
        _flow(view, "invoiced", "Invoiced", now, insight.summed(found.invoiced_then, view.home), _beside(view)),
        _flow(
            view, "collected", "Collected", insight.summed(found.collected, view.home),
            insight.summed(found.collected_then, view.home),
        ),
        *_open(view),
        _average(view, now, insight.summed(found.invoiced_then, view.home)),
        *_quotes(view),
        _margin(view),
    ]  # fmt: skip


def _flow(view: View, key: str, title: str, now: Amount, then: Amount, beside: Sequence[Any] = ()) -> Figure:
    link = view.invoices if key == "invoiced" else view.payments
    one = "invoice" if key == "invoiced" else "payment"
    notes = [(plural(now.number, one), ""), *beside]
    notes += [(f"and {money(amount, currency)}", link(currency=currency)) for currency, amount in now.others]
    return Figure(
        key, title, money(now.home, view.home), link(), change=insight.change(now.home, then.home),
        against=money(then.home, view.home) if view.period.other else "", notes=tuple(notes),
    )  # fmt: skip


def _beside(view: View) -> list[tuple[str, str]]:
    """What the books hold of the period besides invoices."""
    found = insight_money.others(view.span, tuple(BESIDE))
    notes = []
    for kind, words in BESIDE.items():
        amount = insight.summed(found.get(kind, ()), view.home)
        if amount.number:
            days: dict[str, Any] = dict(view.span.query())
            address = url_for("payments.others", kind=kind, **{**days, "currency": view.home, "state": "standing"})
            notes.append((f"{words}: {money(amount.home, view.home)}", address))
    return notes


def _open(view: View) -> list[Figure]:
    aging = view.once(insight_open.receivables, view.today)
    owed, invoices = sum((one[1] for one in aging.values()), Decimal(0)), sum(one[0] for one in aging.values())
    late = owed - aging["current"][1]
    notes = [(plural(invoices, "invoice"), "")]
    if late:
        notes.append((f"{money(late, view.home)} overdue", view.here("insight.table", key="aging")))
    elsewhere = insight_open.owed_elsewhere()
    notes += [
        (f"and {money(one.amount, one.currency)}", view.invoices(insight.Span(), state="unpaid", currency=one.currency))
        for one in elsewhere
    ]
    unpaid = view.invoices(insight.Span(), state="unpaid")
    days = insight_open.recent(view.today, DSO_DAYS)
    sold = insight.summed(view.once(insight_money.invoiced, days), view.home)
    outstanding = insight.dso(owed, sold.home, sold.number)
    thin = f"Only {plural(sold.number, 'invoice')} in the last {DSO_DAYS} days; it takes {LEAST_INVOICES} to tell."
    if sold.number == 0:
        thin = f"Nothing was invoiced in the last {DSO_DAYS} days."
    over = (f"of {money(sold.home, view.home)} invoiced in {DSO_DAYS} days", view.invoices(days))
    return [
        Figure("receivables", "Open today", money(owed, view.home), unpaid, notes=tuple(notes)),
        Figure(
            "dso", "Days outstanding", "" if outstanding is None else plural(outstanding, "day"), unpaid,
            thin=thin if outstanding is None else "", notes=(over,) if sold.number else (),
        ),
    ]  # fmt: skip


def _quotes(view: View) -> list[Figure]:
    standing = view.once(insight_open.quotes_standing, view.today, view.span)
    pipeline, *others = standing["open"]
    notes = [(plural(pipeline.number, "quote"), "")]
    notes += [(f"and {money(one.amount, one.currency)}", view.quotes("open", currency=one.currency)) for one in others]
    won, lost = (standing[state][0].number for state in ("won", "lost"))
    rate = insight.win_rate(won, lost)
    ended = (
        (f"{number(won)} won", view.quotes("won", dated=True)),
        (f"{number(lost)} lost", view.quotes("lost", dated=True)),
    )
    few = f"Only {plural(won + lost, 'quote')} of the period decided; it takes {LEAST_DECIDED} to tell."
    counted = insight_open.days_to_decide(view.span)
    answered = sum(times for _, times in counted)
    days = insight.median(counted)
    return [
        Figure("pipeline", "Open quotes", money(pipeline.amount, view.home), view.quotes("open"), notes=tuple(notes)),
        _weighted(view),
        Figure(
            "win_rate", "Win rate", "" if rate is None else percent(rate), view.quotes("won", dated=True),
            thin=few if rate is None else "", notes=ended,
        ),
        Figure(
            "decide", "Days to decide", "" if days is None else plural(days, "day"),
            view.quotes("answered", dated=True),
            thin=f"Only {plural(answered, 'answer')} in the period; it takes {LEAST_DECIDED} to tell."
            if days is None else "",
            notes=((plural(answered, "answered quote"), ""),) if days is not None else (),
        ),
    ]  # fmt: skip


def _weighted(view: View) -> Figure:
    """By the rates that were learned from quotes gone by; nothing is invented where there are none."""
    made = insight_open.learned_of_quotes()
    learned = made.learned if made is not None else {}
    if made is None:
        thin = "No win rates are known yet: they are learned once a day. Open quotes stand beside, unweighted."
    elif learned.get("thin", True):
        decided = int(learned.get("won", 0)) + int(learned.get("lost", 0))
        thin = f"Only {plural(decided, 'quote')} were ever decided: too few for a rate. Open quotes stand unweighted."
    else:
        known = (
            f"as of {day_words(made.as_of)}, from {plural(int(learned['won']) + int(learned['lost']), 'decided quote')}"
        )
        value = money(Decimal(learned["year"]["expected"]), view.home)
        return Figure("weighted", "Weighted pipeline", value, view.quotes("undecided"), notes=((known, ""),))
    return Figure("weighted", "Weighted pipeline", url=view.quotes("undecided"), thin=thin)


def _margin(view: View) -> Figure:
    found = view.once(insight_products.by_product, view.span)
    amount, known, cost = (
        sum((getattr(one, name) for one in found), Decimal(0)) for name in ("amount", "known", "cost")
    )
    gained, covered = insight.margin(amount, known, cost), insight.share(known, amount)
    url = view.lines(known="yes")
    if gained is None or covered is None:
        thin = f"The cost of only {percent(covered or 0)} of these sales is known; it takes {percent(LEAST_KNOWN)}."
        return Figure("margin", "Margin", url=url, thin=thin if found else "No lines were invoiced in the period.")
    words = f"{percent(gained[1], 1)} of sales; cost known for {percent(covered)}"
    return Figure("margin", "Margin", money(gained[0], view.home), url, notes=((words, ""),))


def _average(view: View, now: Amount, then: Amount) -> Figure:
    mean, before = insight.average(now.home, now.number), insight.average(then.home, then.number)
    few = f"Only {plural(now.number, 'invoice')} in the period; it takes {LEAST_JOBS} for an average."
    compared = mean is not None and before is not None
    return Figure(
        "average", "Average invoice", "" if mean is None else money(mean, view.home), view.invoices(),
        thin=few if mean is None else "",
        change=insight.change(mean, before) if mean is not None and before is not None else None,
        against=money(before, view.home) if compared else "",
        notes=((f"of {plural(now.number, 'invoice')}", ""),) if mean is not None else (),
    )  # fmt: skip
