"""What a way found, held against the truth. Standard library only, the same for every way.

A *link* is (key in the books, key in the list), made without a person; an *offer* the same, shown to a person. A person
or firm counts once, however often a side holds it: *found* when any right link was made, *net* when any right link or
offer was. *Precision* is right links among links; *recall* and *net recall* are shares of those who are on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from bench.matching.records import Files, truth

Pair = tuple[str, str]


def rates(files: Files, links: Collection[Pair], offers: Iterable[Pair], worst: int = 0) -> dict[str, Any]:
    """Counts and shares; `worst` so many examples of wrong links and of people missed, for looking into them."""
    books, ours = truth(files.truth("books")), truth(files.truth("list"))
    both = {who for who, _ in books.values()} & {who for who, _ in ours.values()}
    right, wrong = set(), []
    for customer, contact in links:
        if books[customer][0] == ours[contact][0]:
            right.add(books[customer][0])
        else:
            wrong.append((customer, contact))
    linked = {customer for customer, _ in links}
    asked, net = set(), set(right)
    for customer, contact in offers:
        if customer not in linked:
            asked.add(customer)
        if books[customer][0] == ours[contact][0]:
            net.add(books[customer][0])
    precision = 1 - len(wrong) / len(links) if links else None
    recall = len(right) / len(both)
    missed = both - net
    return {
        "books": len(books), "list": len(ours), "both": len(both), "links": len(links), "wrong": len(wrong),
        "precision": precision, "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision and recall else None,
        "net_recall": len(net) / len(both), "to_person": len(asked) / len(books),
        "wrong_kinds": Counter(_kind(books[customer][1]) for customer, _ in wrong).most_common(8),
        "missed_kinds": Counter(_kind(case) for who, case in books.values() if who in missed).most_common(8),
        "wrong_examples": wrong[:worst], "missed_examples": sorted(missed)[:worst],
    }  # fmt: skip


def recall_at(files: Files, scored: Iterable[tuple[float, str, str]], precision: float) -> float:
    """The most recall any threshold gives while so much precision holds: as if somebody had known the threshold."""
    books, ours = truth(files.truth("books")), truth(files.truth("list"))
    both = {who for who, _ in books.values()} & {who for who, _ in ours.values()}
    right: set[str] = set()
    good, best = 0, 0.0
    for number, (customer, contact) in enumerate(one_to_one(scored), start=1):
        if books[customer][0] == ours[contact][0]:
            good += 1
            right.add(books[customer][0])
        if good >= precision * number:
            best = len(right) / len(both)
    return best


def _kind(case: str) -> str:
    return case.partition(":")[0]


def one_to_one(scored: Iterable[tuple[float, str, str]]) -> list[Pair]:
    """(score, customer, contact) -> each customer and each contact at most once, the best scores first."""
    taken_customers: set[str] = set()
    taken_contacts: set[str] = set()
    links: list[Pair] = []
    for _, customer, contact in sorted(scored, key=lambda one: (-one[0], int(one[1]), int(one[2]))):
        if customer not in taken_customers and contact not in taken_contacts:
            taken_customers.add(customer)
            taken_contacts.add(contact)
            links.append((customer, contact))
    return links
