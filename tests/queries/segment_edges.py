"""A world that stands at the edges of rules: days at the ends of periods, amounts at a limit, quotes in every state,
lines nobody took, texts databases fold differently. And rules about every field with every operator at these edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from crm.domain.segment_fields import DAYS_OPS, FIELDS, MANY, OPS, Field
from crm.domain.segment_person import Books, Invoice, Line, Person, Quote
from crm.domain.segments import Period, Rule
from tests.queries.segment_worlds import POINTS, TEXTS, TODAY

D = Decimal


def back(days: int) -> date:
    return TODAY - timedelta(days=days)


_DAYS = (-1, 0, 1, 29, 30, 31, 52, 53, 325, 365, 366)
_STATES = ("draft", "sent", "viewed", "accepted", "declined", "invoiced", "cancelled")
_BLANK = Person(id=0, name="n", created=back(40))


def _dated(days: int) -> Person:
    day = back(days)
    return replace(
        _BLANK, created=day, last_activity=day, last_note=day,
        invoices=(Invoice(0, date=day, due_date=day, total=D(100), balance=D(100), lines=(Line(1, D(100), D(50)),)),),
        quotes=(Quote(0, state="sent", date=day, expires_on=day, sent_on=day, total=D(100)),),
    )  # fmt: skip


def _bought(*invoices: Invoice) -> Person:
    return replace(_BLANK, invoices=invoices)


def _lined(*lines: Line) -> Person:
    return _bought(Invoice(0, date=back(3), due_date=back(-3), total=D(100), balance=D(0), lines=lines))


EDGES: tuple[Person, ...] = (
    _BLANK,
    *(_dated(days) for days in _DAYS),
    _bought(Invoice(0, date=back(1), total=D(100), balance=D(100))),  # due on its own day
    _bought(Invoice(0, date=TODAY, total=D(100), balance=D(100))),
    _bought(Invoice(0, total=D(100), balance=D(100))),
    _bought(Invoice(0, date=back(40), due_date=back(9), total=D(100), balance=D(100), home=False)),
    _bought(*(Invoice(0, date=back(40), due_date=back(9), total=D(50), balance=one) for one in (None, D(0), D(1)))),
    _bought(*(Invoice(0, date=back(days), total=D("33.33")) for days in (10, 10, 20, 41))),
    _lined(Line(1, D(100), D(50), taken=False), Line(2, D(100), D("33.3"))),
    _lined(Line(1, D(100), None), Line(2, None, D(5)), Line(None, D(100), D(100))),
    _lined(Line(1, D(100), D(5)), Line(1, D(-100), D(7))),
    _lined(Line(2, D(3), D(1)), Line(2, D(3), D(1), taken=False)),
    *(replace(_BLANK, quotes=(Quote(0, state=state, date=back(45), sent_on=back(30), expires_on=expires, begun=begun,
                                    total=D(100), home=not begun),))
      for state in _STATES for begun in (False, True) for expires in (None, back(1))),
    replace(_BLANK, quotes=tuple(Quote(0, state=one, date=back(5)) for one in ("accepted", "declined", "declined"))),
    *(replace(_BLANK, name=text or "x", company=text, state=text, city=text, postal_code=text, country=text)
      for text in TEXTS),
    replace(_BLANK, books=Books(D(100), None, D(0), None)),
    replace(_BLANK, books=Books(D("99.99"), D(100), D("100.01"), D("10.1")), rfm=(1, 3, 5)),
    replace(_BLANK, books=Books(D(0), D(0), D(100), D(0)), rfm=(5, 1, 3)),
    replace(_BLANK, type="customer", owner_id=1, source="file", tags=frozenset({1}), link="linked", held=True),
    replace(_BLANK, owner_id=2, tags=frozenset({1, 2}), phone="5", consents={"email": "denied", "sms": "granted"}),
    replace(_BLANK, email="a@b.c", place=POINTS[0], consents={"call": "denied"}),
    replace(_BLANK, place=POINTS[1], archived=True), replace(_BLANK, place=POINTS[1]), replace(_BLANK, place=POINTS[2]),
)  # fmt: skip

_LIMITS = {
    "money": ("0", "100"), "number": ("0", "1", "3"), "days": ("0", "10.1", "15.5"), "percent": ("50", "66.7"),
}  # fmt: skip
_WORDS = ("KS", "kase ohio", "strasse", "lodz", "100%", "a_b", "66044", "united states")
_PERIODS = (
    *map(Period, ("this_month", "last_month", "this_quarter", "last_quarter", "this_year", "last_year")),
    Period("days", days=1), Period("days", days=30), Period("dates", since=back(30)), Period("dates", until=back(30)),
    Period("dates", since=back(31), until=back(29)),
)  # fmt: skip


def edge_rules() -> Iterator[Rule]:
    for about in FIELDS.values():
        for op in about.ops:
            for values in _values(about, op):
                yield Rule(about.key, op, values, Period() if about.period else None)
        if about.period:
            values = next(_values(about, about.ops[0]))
            yield from (Rule(about.key, about.ops[0], values, period) for period in _PERIODS)


def _values(about: Field, op: str) -> Iterator[tuple[str, ...]]:
    if OPS[op].values == 0:
        yield ()
    elif about.type == "place":
        here = tuple(map(str, POINTS[0]))
        yield from ((far, unit, "here", "Here", *here) for far, unit in (("24", "mi"), ("25", "mi"), ("40", "km")))
    elif about.choices is not None or about.options:
        known = tuple(about.choices or ("1", "2", "3", *(("none",) if about.options == "owners" else ())))
        yield from ((one,) for one in known[:4])
        yield known[:2]
    elif about.type == "text":
        yield from ((one,) for one in (_WORDS if op == about.ops[0] else _WORDS[1:3]))
        if OPS[op].values == MANY:
            yield _WORDS[:3]
    elif op in DAYS_OPS:
        yield from ((days,) for days in ("0", "30"))
    elif about.type == "date":
        yield (back(30).isoformat(), TODAY.isoformat()) if OPS[op].values == 2 else (back(30).isoformat(),)
    elif OPS[op].values == 2:
        yield _LIMITS[about.type][:2]
    else:
        yield from ((limit,) for limit in _LIMITS[about.type])
