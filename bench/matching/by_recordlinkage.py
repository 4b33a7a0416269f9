"""Part: recordlinkage, set up as its guide for linking two data sets advises. Needs bench/matching/requirements.txt.

From its documentation: `Index` with several `Block`s, `Compare` with Jaro-Winkler at 0.85 for texts and exact
comparison for the rest, and the unsupervised `ECMClassifier` on the comparison vectors, which need no labels. What the
classifier takes for a match is a link, made one-to-one by the number of agreeing fields and its probability; pairs it
gives at least DOUBT are what a person would be shown.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import recordlinkage

from bench.child import answer, peak_mb
from bench.matching.prepared import frame
from bench.matching.records import Files
from bench.matching.score import one_to_one, rates, recall_at

PROBABILITY, DOUBT = 0.99, 0.5
BLOCKS = ("email", "phone", "mobile", "full_name", "company", ["street", "city"], ["surname", "postcode"])
TEXTS = ("first_name", "surname", "company", "street")
EXACT = ("email", "phone", "mobile", "postcode")


def match(directory: str, worst: int = 0) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    files = Files(Path(directory))
    began, processor = time.monotonic(), time.process_time()
    books = frame(files.rows("books")).set_index("unique_id")
    ours = frame(files.rows("list")).set_index("unique_id")
    prepared = time.process_time()
    pairs = candidates(books, ours)
    vectors = comparison().compute(pairs, books, ours)
    compared = time.process_time()
    classifier = recordlinkage.ECMClassifier(binarize=0.8)
    classifier.fit_predict(vectors)
    chances = classifier.prob(vectors)
    agreeing = vectors.sum(axis=1)
    scored = [
        (total + chance, chance, customer, contact)
        for (customer, contact), chance, total in zip(vectors.index, chances, agreeing, strict=True) if chance >= DOUBT
    ]  # fmt: skip
    links = one_to_one((score, left, right) for score, chance, left, right in scored if chance >= PROBABILITY)
    done, seconds, peak = time.process_time(), time.monotonic() - began, peak_mb()
    linked = {customer for customer, _ in links}
    offers = [(left, right) for _, _, left, right in scored if left not in linked]
    return {
        "way": "recordlinkage", "seconds": seconds, "cpu_seconds": done - processor, "peak_mb": round(peak, 1),
        "pairs": len(pairs), "rates": rates(files, links, offers, worst),
        "recall_at_999": recall_at(files, ((score, left, right) for score, _, left, right in scored), 0.999),
        "stages": {"prepared": prepared - processor, "compared": compared - prepared, "classified": done - compared},
    }  # fmt: skip


def candidates(books: Any, ours: Any) -> Any:
    """Pairs that agree in one of the blocks, fields that are empty left out."""
    found = None
    for block in BLOCKS:
        names = block if isinstance(block, list) else [block]
        index = recordlinkage.Index()
        index.block(names)
        more = index.index(books.dropna(subset=names), ours.dropna(subset=names))
        found = more if found is None else found.union(more)
    return found


def comparison() -> Any:
    compare = recordlinkage.Compare()
    for name in TEXTS:
        compare.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    for name in EXACT:
        compare.exact(name, name, label=name)
    return compare


if __name__ == "__main__":
    answer(match)
