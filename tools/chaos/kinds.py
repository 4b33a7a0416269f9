"""Which kinds of things people do, and which questions are asked afterwards: one line each.

A kind that goes out brings a function of deeds (`People` -> how often, what) and one of checks (`Case` -> a sentence
per violation), and stands in both tables. Deeds remember what they did in `people`; checks read the company itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tools.chaos import doubles, edits, limits, papers, papers_verdict, verdict
from tools.chaos.edits import Deed, People
from tools.chaos.verdict import Case

DEEDS: tuple[Callable[[People], Sequence[Deed]], ...] = (edits.customers, papers.documents)
CHECKS: tuple[Callable[[Case], Iterator[str]], ...] = (
    verdict.unequal, verdict.lost, verdict.twice, verdict.money, doubles.unasked, doubles.unknown_writes,
    papers_verdict.unequal, papers_verdict.figures, papers_verdict.strays, papers_verdict.twice, papers_verdict.lost,
    papers_verdict.mixed, limits.passed, limits.refreshed_too_often,
)  # fmt: skip


def violations(case: Case) -> list[str]:
    return [sentence for check in CHECKS for sentence in check(case)]
