"""How well matching decides: automatic links as people corrected them, who decided, how fast, and what remains.

A correction is a person's last decision about the same pair, if it says otherwise (unlinked, never the same, taken
back); the list of decisions narrows by the same. What nobody corrected counts as right, so a precision here is at best:
wrong links that nobody found are in it.
Reads only; everything is counted by the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, case, cast, extract, func, literal, select
from sqlalchemy.orm import Session

from crm.domain.matching import RULE_TEXTS
from crm.models import Customer, Duplicate, MatchDecision
from crm.queries.match_log import corrected

MONTHS = 24


@dataclass(frozen=True, slots=True)
class Precision:
    """Automatic decisions of one sort of line (a rule, a month), and how many of them people corrected."""

    label: str
    made: int
    corrected: int

    @property
    def share(self) -> str:
        """Those not corrected, in words for people; never rounded up to all of them."""
        if not self.made:
            return "–"
        percent = (self.made - self.corrected) * 10_000 // self.made / 100
        return f"{percent:.2f} %"


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    decided: int
    put_off: int
    timed: int
    """Decisions whose card was shown before."""
    median_ms: int | None


@dataclass(frozen=True, slots=True)
class Remaining:
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Statistics:
    overall: Precision
    by_rule: Sequence[Precision]
    """The one with the most decisions first."""
    by_month: Sequence[Precision]
    """The newest first, MONTHS at most; months are those of UTC."""
    people: Sequence[Person]
    everybody: Person
    remaining: Sequence[Remaining]


def statistics(session: Session) -> Statistics:
    by_rule = _precisions(session, MatchDecision.rule)
    overall = Precision("All", sum(one.made for one in by_rule), sum(one.corrected for one in by_rule))
    rules = [Precision(RULE_TEXTS.get(one.label, one.label), one.made, one.corrected) for one in by_rule]
    people = _people(session, MatchDecision.decided_by)
    everybody = next(iter(_people(session, literal("Everybody"))), Person("Everybody", 0, 0, 0, None))
    return Statistics(
        overall, sorted(rules, key=lambda one: (-one.made, one.label)), _by_month(session),
        sorted(people, key=lambda one: (-one.decided, one.name)), everybody, _remaining(session),
    )  # fmt: skip


def _precisions(session: Session, *by: Any) -> list[Precision]:
    automatic = (MatchDecision.automatic.is_(True), MatchDecision.outcome == "same")
    marked = select(*(column.label(f"by{n}") for n, column in enumerate(by)), corrected().label("wrong"))
    rows = marked.where(*automatic).subquery()
    columns = [rows.c[f"by{n}"] for n in range(len(by))]
    query = select(func.count(), func.sum(case((rows.c.wrong, 1), else_=0)), *columns).group_by(*columns)
    return [
        Precision("-".join(f"{int(part):02d}" if isinstance(part, int) else str(part) for part in parts), made, wrong)
        for made, wrong, *parts in session.execute(query)
    ]


def _by_month(session: Session) -> list[Precision]:
    found = _precisions(session, *(cast(extract(part, MatchDecision.at), Integer) for part in ("year", "month")))
    return sorted(found, key=lambda one: one.label, reverse=True)[:MONTHS]


def _people(session: Session, who: Any) -> list[Person]:
    """The median is that of the middle one or two of the ordered times, which both databases can say."""
    person = who.label("who")
    mine = MatchDecision.automatic.is_(False)
    taken = (mine, MatchDecision.took_ms.is_not(None), MatchDecision.outcome != "skipped")
    place = func.row_number().over(partition_by=who, order_by=(MatchDecision.took_ms, MatchDecision.id))
    number = func.count().over(partition_by=who)
    timed = select(person, MatchDecision.took_ms.label("ms"), place.label("place"), number.label("n")).where(*taken)
    rows = timed.subquery()
    middle = rows.c.place.in_(((rows.c.n + 1) // 2, (rows.c.n + 2) // 2))
    medians = {
        who: (count, round(ms))
        for who, count, ms in session.execute(
            select(rows.c.who, func.max(rows.c.n), func.avg(rows.c.ms)).where(middle).group_by(rows.c.who)
        )
    }
    off = case((MatchDecision.outcome == "skipped", 1), else_=0)
    counted = select(person, func.sum(1 - off), func.sum(off)).where(mine).group_by(person)
    return [
        Person(name, decided, put_off, *medians.get(name, (0, None)))
        for name, decided, put_off in session.execute(counted)
    ]


def _remaining(session: Session) -> list[Remaining]:
    waiting = select(func.count()).where(Customer.match_state == "review")
    pairs = {
        (sort, state, outcome): number
        for sort, state, outcome, number in session.execute(
            select(Duplicate.sort, Duplicate.state, Duplicate.outcome, func.count())
            .where(Duplicate.state.in_(("proposed", "known")))
            .group_by(Duplicate.sort, Duplicate.state, Duplicate.outcome)
        )
    }
    known = sum(number for (_, state, _), number in pairs.items() if state == "known")
    return [
        Remaining("Customers that may be one of several contacts", session.scalar(waiting) or 0),
        *(Remaining(f"Pairs of {word}, {certain}", pairs.get((sort, "proposed", outcome), 0))
          for sort, word in (("contact", "contacts"), ("customer", "customers in the books"))
          for outcome, certain in (("same", "certain"), ("doubtful", "doubtful"))),
        Remaining("Known as one, to be merged in QuickBooks", known),
    ]  # fmt: skip
