"""How expected dates of payment would have done: asked on days gone by, with only what was known then.

On each of twelve days, thirty days apart, every invoice that was open then is given a date, and judged by when it was
paid. Beside it stands the due date alone, and the due date that is never in the past. Pure; the same histories give
the same figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm.domain.payment_dates import (
    DUE,
    Bill,
    Company,
    LessonsOfDays,
    chance_until,
    expect,
    is_open,
    median,
    own_history,
)

ORIGINS, APART, LAST = 12, 30, 60
"""How many days it stands on, how far apart, and how long before today the latest is: most must be paid by now."""
MOST_CUSTOMERS = 4000
"""Whose invoices are judged (everybody's are learned from)."""
SOON = 30
"""Days within which the chance of being paid is compared with what came."""
Histories = Callable[[], Iterable[tuple[int, Sequence[Bill]]]]
"""Gives (customer, their invoices) as often as it is called."""


@dataclass(slots=True)
class Score:
    judged: int = 0
    """Invoices, each on every day it was open on, that were paid since."""
    unpaid: int = 0
    """Still open today: how far off is not known."""
    without: int = 0
    """Given no date, because too few were ever paid as late."""
    ours: Counter[int] = field(default_factory=Counter)
    """Days off -> how often."""
    due: Counter[int] = field(default_factory=Counter)
    never_past: Counter[int] = field(default_factory=Counter)
    inside: int = 0
    outside: int = 0
    """Known to be outside, also of those unpaid."""
    soon: dict[int, list[float]] = field(default_factory=dict)
    """Tenth of the chance -> (how many, their chances together, how many were paid within SOON days)."""


def origins(as_of: int) -> list[int]:
    """The days it stands on, oldest first."""
    return [as_of - LAST - APART * back for back in reversed(range(ORIGINS))]


def run(histories: Histories, as_of: int, *, every: int = 1) -> dict[str, Any]:
    """The figures as JSON, numbers as text. `every`: only each so many-th customer is judged."""
    lessons = LessonsOfDays(origins(as_of))
    for _, bills in histories():
        lessons.learn(bills)
    return look_back(histories, lessons.companies(), as_of, every=every)


def look_back(histories: Histories, companies: Sequence[Company], as_of: int, *, every: int = 1) -> dict[str, Any]:
    """The same where it was learned already how everybody paid, as known on each of the days it stands on."""
    score = Score()
    for place, (_, bills) in enumerate(histories()):
        if place % every == 0:
            for company in companies:
                judge(score, bills, company, as_of)
    return told(score, [company.as_of for company in companies], every)


def judge(score: Score, bills: Sequence[Bill], company: Company, as_of: int) -> None:
    """One customer's invoices on one day gone by."""
    waiting = [bill for bill in bills if is_open(bill, company.as_of)]
    if not waiting:
        return
    own, paid = own_history(bills, company)
    for bill in waiting:
        if bill.ended is not None and bill.ended <= as_of and not bill.paid:
            continue  # a credit settled it: nobody paid
        made = expect(bill, company, own, paid)
        if made.basis == DUE:
            continue
        ended = bill.ended if bill.ended is not None and bill.ended <= as_of else None
        _count_soon(score, chance_until(made, company.as_of + SOON), ended, company.as_of)
        if made.on is None:
            score.without += 1
            continue
        if ended is None:
            score.unpaid += 1
            score.outside += made.latest is not None and made.latest < as_of
            continue
        score.judged += 1
        score.ours[abs(made.on - ended)] += 1
        score.due[abs(bill.due - ended)] += 1
        score.never_past[abs(max(bill.due, company.as_of + 1) - ended)] += 1
        within = (made.earliest or 0) <= ended and (made.latest is None or ended <= made.latest)
        score.inside += within
        score.outside += not within


def _count_soon(score: Score, chance: float, ended: int | None, day: int) -> None:
    row = score.soon.setdefault(min(int(chance * 5), 4), [0, 0.0, 0])
    row[0] += 1
    row[1] += chance
    row[2] += ended is not None and ended <= day + SOON


def told(score: Score, days: Sequence[int], every: int) -> dict[str, Any]:
    """Figures to keep and to show."""
    known = score.inside + score.outside
    return {
        "from": days[0], "to": days[-1], "origins": len(days), "every": every,
        "judged": score.judged, "unpaid": score.unpaid, "without": score.without,
        "ours": _days(score.ours), "due": _days(score.due), "never_past": _days(score.never_past),
        "inside": f"{score.inside / known:.3f}" if known else "",
        "soon": [
            {"chance": f"{row[1] / row[0]:.3f}", "came": f"{row[2] / row[0]:.3f}", "invoices": int(row[0])}
            for _, row in sorted(score.soon.items())
        ],
    }  # fmt: skip


def _days(off: Counter[int]) -> dict[str, str]:
    total = sum(off.values())
    if not total:
        return {"mean": "", "middle": ""}
    mean = sum(day * count for day, count in off.items()) / total
    return {"mean": f"{mean:.1f}", "middle": str(median(off))}
