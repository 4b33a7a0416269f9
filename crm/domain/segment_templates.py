"""Ready-made segments: rules with a few numbers to set. Pure.

Each is a function of its numbers; what comes of it is a tree like any other, which can be changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from crm.domain.errors import Invalid
from crm.domain.segment_fields import MONTHS
from crm.domain.segments import Group, read

SECTIONS = ("Money", "Behaviour", "Place")


@dataclass(frozen=True, slots=True)
class Number:
    """A number or word to set. `type`: `money`, `number`, `days`, `text` or `months`."""

    key: str
    label: str
    default: str
    type: str = "number"

    @property
    def unit(self) -> str:
        """Beside its box; empty for amounts, which are in the company's home currency."""
        return {"days": "days", "months": "1 is January; parted by commas"}.get(self.type, "")


@dataclass(frozen=True, slots=True)
class Template:
    key: str
    name: str
    section: str
    help: str
    """Whom it finds, in a sentence."""
    numbers: tuple[Number, ...]
    parts: Callable[[Mapping[str, str]], list[dict[str, object]]]
    """Rules that all must hold, as JSON, of the numbers as texts."""

    def rules(self, said: Mapping[str, str]) -> Group:
        """The tree, with the usual number where `said` has none. Raises Invalid with a sentence for each number (by
        its key) that cannot be used."""
        numbers = {one.key: said.get(one.key, "").strip() or one.default for one in self.numbers}
        wrong = {one.key: sentence for one in self.numbers if (sentence := _wrong(self, one, numbers[one.key]))}
        if wrong:
            raise Invalid(wrong)
        return read({"match": "all", "parts": self.parts(numbers)})


def _last(days: str) -> dict[str, object]:
    return {"kind": "days", "days": days}


def _rule(field: str, op: str, *values: str, period: dict[str, object] | None = None) -> dict[str, object]:
    rule: dict[str, object] = {"field": field, "op": op, "values": list(values)}
    return rule if period is None else {**rule, "period": period}


_ALL = (
    Template(
        "high_value", "High value", "Money", "Bought for more than an amount within the last year.",
        (Number("amount", "Sales above", "5000", "money"), Number("days", "In the last days", "365", "days")),
        lambda said: [_rule("sales", "more", said["amount"], period=_last(said["days"]))],
    ),
    Template(
        "fast_payers", "Fast payers", "Money", "Pay within a few days on average.",
        (Number("days", "Average days to pay, at most", "10", "days"), Number("invoices", "Invoices, at least", "2")),
        lambda said: [_rule("days_to_pay", "at_most", said["days"]),
                      _rule("invoices", "at_least", said["invoices"], period={"kind": "all"})],
    ),
    Template(
        "slow_payers", "Slow payers", "Money", "Take long to pay on average.",
        (Number("days", "Average days to pay, more than", "45", "days"), Number("invoices", "Invoices, at least", "2")),
        lambda said: [_rule("days_to_pay", "more", said["days"]),
                      _rule("invoices", "at_least", said["invoices"], period={"kind": "all"})],
    ),
    Template(
        "overdue", "Overdue", "Money", "Owe something whose due date is past.",
        (Number("days", "Days overdue, more than", "0", "days"),
         Number("amount", "Overdue amount above", "0", "money")),
        lambda said: [_rule("days_overdue", "more", said["days"]), _rule("overdue", "more", said["amount"])],
    ),
    Template(
        "unused_credit", "Credit waiting", "Money", "Have paid or been credited more than invoices have used.",
        (Number("amount", "Unused credit above", "0", "money"),),
        lambda said: [_rule("unused_credit", "more", said["amount"])],
    ),
    Template(
        "best", "Best customers (RFM)", "Money", "Bought lately, often, and for much, measured against all others.",
        (Number("recency", "Recency, at least (1 to 5)", "4"), Number("frequency", "Frequency, at least (1 to 5)", "4"),
         Number("monetary", "Money, at least (1 to 5)", "4")),
        lambda said: [_rule(f"rfm_{name}", "at_least", said[name]) for name in ("recency", "frequency", "monetary")],
    ),
    Template(
        "lapsed", "Lapsed", "Behaviour", "Bought before, and not for long.",
        (Number("days", "Last invoice more than so many days ago", "365", "days"),),
        lambda said: [_rule("last_invoice", "days_ago", said["days"])],
    ),
    Template(
        "first_time", "First-time customers", "Behaviour", "Have bought once, lately.",
        (Number("days", "First invoice within the last days", "90", "days"),),
        lambda said: [_rule("invoices", "equals", "1", period={"kind": "all"}),
                      _rule("first_invoice", "last_days", said["days"])],
    ),
    Template(
        "repeat", "Repeat customers", "Behaviour", "Have bought several times.",
        (Number("invoices", "Invoices, at least", "2"), Number("days", "In the last days", "730", "days")),
        lambda said: [_rule("invoices", "at_least", said["invoices"], period=_last(said["days"]))],
    ),
    Template(
        "quote_going_cold", "Quote going cold", "Behaviour",
        "Have a quote that was sent a while ago, without an answer.",
        (Number("days", "Sent more than so many days ago", "14", "days"),
         Number("amount", "Open quotes above", "0", "money")),
        lambda said: [_rule("quote_sent", "days_ago", said["days"]),
                      _rule("quotes_open_total", "more", said["amount"])],
    ),
    Template(
        "seasonal", "Seasonal", "Behaviour", "Bought in these months of earlier years, and not yet this year.",
        (Number("months", "Months", "9,10,11", "months"),),
        lambda said: [_rule("season", "has_any", *_months(said["months"])),
                      {"match": "none", "parts": [_rule("invoices", "at_least", "1", period={"kind": "this_year"})]}],
    ),
    Template(
        "place", "Concentration by place", "Place", "Customers of one state, with sales.",
        (Number("state", "State", "Kansas", "text"), Number("amount", "Lifetime sales above", "0", "money")),
        lambda said: [_rule("state", "one_of", said["state"]), _rule("lifetime_sales", "more", said["amount"])],
    ),
)  # fmt: skip
TEMPLATES: Mapping[str, Template] = {one.key: one for one in _ALL}


def months_around(today: date) -> str:
    """This month and the two after it, as `seasonal` takes them: "11,12,1"."""
    return ",".join(str((today.month - 1 + ahead) % 12 + 1) for ahead in range(3))


def of_fifths(recency: str, frequency: str) -> Group:
    """Whom a cell of the RFM grid holds. Raises Invalid where a fifth cannot be read."""
    return read({"match": "all", "parts": [_rule("rfm_recency", "equals", recency),
                                           _rule("rfm_frequency", "equals", frequency)]})  # fmt: skip


def _months(text: str) -> list[str]:
    return [one for part in text.split(",") if (one := part.strip().lstrip("0"))]


def _wrong(template: Template, one: Number, text: str) -> str:
    """What is wrong with one number while all others are as they come."""
    if one.type == "months" and not set(_months(text)) <= set(MONTHS):
        return f"{one.label}: write months as numbers from 1 to 12, parted by commas."
    usual = {other.key: other.default for other in template.numbers}
    try:
        read({"match": "all", "parts": template.parts({**usual, one.key: text})})
    except Invalid as problem:
        return f"{one.label}: {next(iter(problem.fields.values())).partition(': ')[2] or 'this cannot be used.'}"
    return ""
