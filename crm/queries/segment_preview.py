"""What a segment would hold, while its rules are being written: how many, what they are worth, a few of them, and who
is one rule away. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, not_, or_, select, true

from crm.db import db
from crm.domain.segments import Group, leaves
from crm.models import Contact, MoneyFacts
from crm.queries.products import home_currency
from crm.queries.segment_sql import Look, candidates, conditions, joined, members

SAMPLE = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A contact as samples show it. `total_sales` and `balance`: as the books say, None without a customer there."""

    id: int
    name: str
    company: str
    city: str
    region: str
    total_sales: Decimal | None
    balance: Decimal | None


@dataclass(frozen=True, slots=True)
class Preview:
    count: int
    total_sales: Decimal
    """Lifetime sales of all of them, as the books say, of customers in the home currency."""
    balance: Decimal
    currency: str
    sample: tuple[Row, ...] = ()
    """The first SAMPLE with the highest lifetime sales, then by name."""


@dataclass(frozen=True, slots=True)
class Near:
    """Contacts that one rule alone keeps out. `paths`: for each rule how many; `rows`: some of them with the path."""

    counts: Mapping[str, int]
    rows: tuple[tuple[Row, str], ...] = ()


def preview(group: Group, today: date, *, sample: int = SAMPLE) -> Preview:
    """`today` is the company's day. One statement; no rules at all match nobody and ask nothing."""
    currency = home_currency()
    if not group.parts:
        return Preview(0, Decimal(0), Decimal(0), currency)
    money, ids = _money(currency), members(group, today=today).subquery()
    # Worked out once and whole: told that it needs only the first few, PostgreSQL looks at all documents of one contact
    # after the other, although everybody is counted.
    found = (
        select(ids.c.id, money.c.total_sales, money.c.balance)
        .outerjoin_from(ids, money, money.c.contact_id == ids.c.id)
        .cte("found")
        .prefix_with("MATERIALIZED")
    )
    sums = (func.sum(found.c.total_sales).label("sum_sales"), func.sum(found.c.balance).label("sum_balance"))
    counted = select(func.count(found.c.id).label("count_"), *sums).subquery()
    first = select(found).order_by(found.c.total_sales.desc().nulls_last(), found.c.id).limit(sample).subquery()
    rows = db.session.execute(
        select(counted, first, *_COLUMNS)
        .outerjoin_from(counted, first, true())
        .outerjoin(Contact, Contact.id == first.c.id)
        .order_by(first.c.total_sales.desc().nulls_last(), first.c.id)
    ).all()
    all_, zero = rows[0], Decimal(0)
    return Preview(all_.count_, all_.sum_sales or zero, all_.sum_balance or zero, currency,
                   tuple(_row(one) for one in rows if one.id is not None))  # fmt: skip


def one_change_away(group: Group, today: date, limit: int = SAMPLE) -> Near:
    """Who would be in if the answer to one single rule were the opposite. One statement for all rules together; none
    with no rules, or with a single one, which everybody else is away from."""
    paths = [path for path, _ in leaves(group)]
    if len(paths) < 2:
        return Near(dict.fromkeys(paths, 0))
    currency = home_currency()
    look = Look(today, currency)
    answers = {path: case((answer, 1), else_=0) for path, answer in conditions(group, look).items()}
    each = candidates(look).add_columns(*(answers[path].label(f"r{at}") for at, path in enumerate(paths)))
    query = each.cte("answers").prefix_with("MATERIALIZED")  # else every rule is worked out again wherever it is named
    known: dict[str, ColumnElement[bool]] = {path: query.c[f"r{at}"] == 1 for at, path in enumerate(paths)}
    out = not_(joined(group, known))
    turned = {path: joined(group, {**known, path: not_(known[path])}) for path in paths}
    flags = [case((turned[path], 1), else_=0).label(f"a{at}") for at, path in enumerate(paths)]
    away = select(query.c.id, *flags).where(out, or_(*turned.values())).cte("away").prefix_with("MATERIALIZED")
    counted = select(*(func.coalesce(func.sum(away.c[flag.key]), 0).label(f"n{flag.key}") for flag in flags)).subquery()
    money = _money(currency)
    some = (
        select(away, money.c.total_sales, money.c.balance)
        .outerjoin(money, money.c.contact_id == away.c.id)
        .order_by(money.c.total_sales.desc().nulls_last(), away.c.id)
        .limit(limit)
        .subquery()
    )
    found = db.session.execute(
        select(counted, some, *_COLUMNS)
        .outerjoin_from(counted, some, true())
        .outerjoin(Contact, Contact.id == some.c.id)
        .order_by(some.c.total_sales.desc().nulls_last(), some.c.id)
    ).all()
    counts = {path: getattr(found[0], f"na{at}") for at, path in enumerate(paths)}
    rows = [one for one in found if one.id is not None]
    return Near(counts, tuple(
        (_row(one), next(path for at, path in enumerate(paths) if getattr(one, f"a{at}"))) for one in rows
    ))  # fmt: skip


_COLUMNS = (Contact.display_name, Contact.company_name, Contact.city, Contact.region)


def _money(currency: str) -> Any:
    """The books' figures of customers in the home currency."""
    facts = select(MoneyFacts.contact_id, MoneyFacts.total_sales, MoneyFacts.balance_with_jobs.label("balance"))
    return facts.where(MoneyFacts.currency.in_(("", currency))).subquery()


def _row(one: Any) -> Row:
    return Row(one.id, one.display_name, one.company_name, one.city, one.region, one.total_sales, one.balance)
