"""Part: fifty segments over the books of part `books`: made, refreshed whole, refreshed for what changed, counted.

The rules cover every section a rule can ask about; each of a dozen trees comes with several numbers. A whole refresh
is the service's own, places and RFM fifths included, once with every member to write and once with nearly none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

from sqlalchemy import delete, func, select, update

from bench.child import answer
from crm import clock, create_app
from crm.db import db, transaction
from crm.domain.segments import Group, Period, Rule, words
from crm.models import MoneyFacts, Segment, SegmentChange, SegmentMember
from crm.queries import segment_preview
from crm.services import segment_refresh, segments
from crm.services.audit import Actor

BENCH = Actor(name="bench", source="system")
SEGMENTS = 50
YEAR = Period("days", 365)
FEW, MANY = 1, 1_000


def trees() -> list[Group]:
    """Fifty: each kind of tree with several numbers, in an order that mixes them."""
    return [kind(number) for number in range(-(-SEGMENTS // len(KINDS))) for kind in KINDS][:SEGMENTS]


KINDS: tuple[Callable[[int], Group], ...] = (
    lambda n: Group("all", (Rule("sales", "more", (str(2_000 * (n + 1)),), YEAR),)),
    lambda n: Group("all", (Rule("overdue", "more", ("0",)), Rule("days_overdue", "more", (str(30 * n),)))),
    lambda n: Group("all", (Rule("days_to_pay", "more", (str(30 + 5 * n),)), Rule("invoices", "more", ("1",)))),
    lambda n: Group("all", (Rule("last_invoice", "days_ago", (str(180 + 90 * n),)), Rule("balance", "equals", ("0",)))),
    lambda n: Group("all", (Rule("invoices", "equals", ("1",)), Rule("first_invoice", "last_days", (str(60 + n),)))),
    lambda n: Group("all", (Rule("quotes_open", "more", ("0",)), Rule("quote_sent", "days_ago", (str(7 + 7 * n),)))),
    lambda n: Group("all", (Rule("season", "has_any", (str(n + 4),), YEAR), Rule("state", "one_of", ("KS", "MO")))),
    lambda n: Group("all", (Rule("rfm_recency", "at_least", ("4",)), Rule("rfm_monetary", "at_least", (str(n % 5),)))),
    lambda n: Group("all", (Rule("bought", "has_any", (str(n + 1), str(n + 2)), YEAR),)),
    lambda n: Group("all", (Rule("margin_percent", "less", (str(40 + n),), YEAR), Rule("tags", "has_none", ("1",)))),
    lambda n: Group("any", (
        Rule("quotes_won", "more", (str(n),), YEAR), Rule("share_won", "at_least", (str(50 + n),)),
        Group("all", (Rule("city", "one_of", ("Olathe", "Tulsa")), Rule("has_phone", "yes"))),
    )),
    lambda n: Group("none", (Rule("sales", "more", ("0",), Period("days", 365 * (n + 1))), Rule("held", "yes"))),
)  # fmt: skip


def measure(repeats: int) -> dict[str, Any]:
    with create_app().app_context():
        with transaction() as session:
            session.execute(delete(Segment))  # of a run before
        made = timed(make)
        whole = [timed(lambda: segment_refresh.refresh_all(clock=clock.now)) for _ in range(2)]
        with transaction() as session:
            members = session.scalar(select(func.count()).select_from(SegmentMember)) or 0
            slowest = session.execute(
                select(Segment.name, Segment.refresh_ms).order_by(Segment.refresh_ms.desc(), Segment.id).limit(1)
            ).one()
        empty()
        filled = timed(lambda: segment_refresh.refresh_all(clock=clock.now))
        changed = {number: timed(lambda number=number: after(number)) for number in (FEW, MANY)}
        return {
            "segments": SEGMENTS, "members": members, "made": made, "whole": min(whole, key=seconds), "filled": filled,
            "changed": changed, "slowest": {"rule": slowest.name, "ms": slowest.refresh_ms},
            "counts": [count(tree, repeats) for tree in trees()[: len(KINDS)]], "dialect": db.engine.dialect.name,
        }  # fmt: skip


def make() -> None:
    for number, tree in enumerate(trees()):
        with transaction() as session:
            name = f"{words(tree)[:100]} ({number})"
            segments.create(session, name=name, rules=tree, actor=BENCH, now=clock.now())


def empty() -> None:
    """Nobody is in any; what was ever noted is forgotten."""
    with transaction() as session:
        session.execute(delete(SegmentChange))
        session.execute(delete(SegmentMember))


def after(number: int) -> None:
    """So many contacts owe a dollar more; then their segments are true again."""
    with transaction() as session:
        session.execute(
            update(MoneyFacts).where(MoneyFacts.contact_id <= number).values(balance=MoneyFacts.balance + Decimal(1)),
            execution_options={"synchronize_session": False},
        )
    segment_refresh.refresh_changed(clock=clock.now)


def count(tree: Group, repeats: int) -> dict[str, Any]:
    """What the rule builder asks at each pause in typing: how many, their money, a sample; who is one rule away."""
    asked: dict[str, list[float]] = {"preview": [], "away": []}
    found, today = 0, clock.now().date()
    for _ in range(repeats + 1):
        began = time.perf_counter()
        found = segment_preview.preview(tree, today).count
        middle = time.perf_counter()
        segment_preview.one_change_away(tree, today)
        asked["preview"].append((middle - began) * 1000)
        asked["away"].append((time.perf_counter() - middle) * 1000)
        db.session.remove()
    return {"rule": words(tree), "found": found, **{name: median(taken[1:]) for name, taken in asked.items()}}


def timed(deed: Callable[[], object]) -> dict[str, float]:
    began, used = time.perf_counter(), time.process_time()
    deed()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - used}


def seconds(told: dict[str, float]) -> float:
    return told["seconds"]


if __name__ == "__main__":
    answer(measure)
