"""Part: the CRM's matcher on the two files: the domain's functions in the order and with the limits of the import.

The list is read into identities and keys first, as the database holds them; then the books, to count how many records
hold a key; then each of the books is decided about, and makes room for its decision. At the end the claims are settled
one-to-one. `one_at_a_time` is the time of deciding about one record against the whole list.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench.child import answer, peak_mb
from bench.matching.records import Files, Record, read
from bench.matching.score import rates
from crm.domain.identity import Identity, identity_keys, read_address, read_emails, read_phones, telling
from crm.domain.matching import Decision, Outcome, Scored, decide, settle
from crm.garbage import collect_seldom

CROWD = {"p:": 60, "e:": 60}
CROWD_OTHER = 12
MOST = 25
"""As in services/sync/imports/matching: keys that more contacts hold find nobody; candidates for one customer."""
ASKED_ALONE = 500


def identity(record: Record) -> Identity:
    return Identity(
        record.key, record.name, record.first, record.last, record.company,
        (*read_phones(record.phone), *read_phones(record.mobile, label="mobile")), read_emails(record.email),
        read_address(record.street, record.unit, city=record.city, postal=record.zip),
    )  # fmt: skip


class Index:
    """The contact list by key, as `identity_keys` holds it."""

    def __init__(self, path: Path):
        self.identities: list[Identity] = []
        self.holders: dict[str, list[int]] = {}
        for place, record in enumerate(read(path)):
            one = identity(record)
            self.identities.append(one)
            for key in identity_keys(one):
                held = self.holders.get(key)
                if held is None:
                    self.holders[key] = [place]
                else:
                    held.append(place)
        self.frequency = {key: len(held) for key, held in self.holders.items()}

    def count(self, path: Path) -> list[Identity]:
        """Add the books to the frequencies; answers their records as read."""
        books = []
        frequency = self.frequency
        for one in map(identity, read(path)):
            books.append(one)
            for key in identity_keys(one):
                frequency[key] = frequency.get(key, 0) + 1
        return books

    def candidates(self, keys: Iterable[str]) -> list[Identity]:
        shared: dict[int, int] = {}
        for key in keys:
            held = self.holders.get(key)
            if held and len(held) <= CROWD.get(key[:2], CROWD_OTHER):
                weight = telling(len(held))
                for contact in held:
                    shared[contact] = shared.get(contact, 0) + weight
        ranked = sorted(shared, key=lambda contact: (-shared[contact], contact)) if len(shared) > 1 else shared
        return [self.identities[contact] for contact in islice(ranked, MOST)]

    def decide(self, one: Identity) -> Decision:
        return decide(one, self.candidates(identity_keys(one)), frequency=self.frequency)


def match(directory: str, worst: int = 0) -> dict[str, Any]:
    files = Files(Path(directory))
    collect_seldom()  # as a worker does
    began, processor = time.monotonic(), time.process_time()
    index = Index(files.rows("list"))
    read_in = time.process_time()
    books = index.count(files.rows("books"))
    books.reverse()
    counted = time.process_time()
    decisions = {}
    while books:  # what was decided about makes room for its decision
        one = books.pop()
        decisions[one.key] = slim(index.decide(one))
    settled = settle(decisions)
    done, seconds, peak = time.process_time(), time.monotonic() - began, peak_mb()
    links, offers = found(settled)
    return {
        "way": "ours", "seconds": seconds, "cpu_seconds": done - processor,
        "peak_mb": round(peak, 1), "rates": rates(files, links, offers, worst),
        "stages": {"list read and keyed": read_in - processor, "books counted": counted - read_in,
                   "decided and settled": done - counted},
        "one_at_a_time": one_at_a_time(index, files.rows("books")),
    }  # fmt: skip


def slim(decision: Decision) -> Decision:
    """Without the reasons, which pages show and a measurement does not: a million of them are gigabytes."""
    bare = tuple([Scored(key, outcome, score, rule, ()) for key, outcome, score, rule, _ in decision.candidates])
    return Decision(decision.outcome, decision.score, decision.rule, decision.chosen, (), bare)


def found(settled: Mapping[str, Decision]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(links, what a person is shown)."""
    links = [(key, d.chosen) for key, d in settled.items() if d.outcome is Outcome.SAME and d.chosen]
    offers = [
        (key, scored.key) for key, d in settled.items() if d.outcome is Outcome.DOUBTFUL
        for scored in d.candidates if scored.outcome is not Outcome.APART
    ]  # fmt: skip
    return links, offers


def one_at_a_time(index: Index, books: Path) -> dict[str, float]:
    """Processor milliseconds for one new record against the whole list, from its text to the decision."""
    taken = []
    for record, _ in zip(read(books), range(ASKED_ALONE), strict=False):
        began = time.process_time()
        index.decide(identity(record))
        taken.append((time.process_time() - began) * 1000)
    taken.sort()
    return {"median_ms": median(taken), "p95_ms": taken[int(len(taken) * 0.95)]}


if __name__ == "__main__":
    answer(match)
