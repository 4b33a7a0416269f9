"""Part: splink (DuckDB), set up as its guide for linking two data sets advises. Needs bench/matching/requirements.txt.

From its documentation: `link_only`; several blocking rules, each an exact agreement of one or two fields; the ready
comparisons for names (with term frequencies on the full name), e-mail addresses and exact fields with term frequencies;
the prior from deterministic rules with an assumed recall; u by random sampling; m by expectation maximisation in two
passes with different blocking. No labels are used. Pairs from PROBABILITY on are links, made one-to-one by the best
score; from DOUBT on they are what a person would be shown.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from statistics import median
from typing import Any

import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from bench.child import answer, peak_mb
from bench.matching.prepared import frame
from bench.matching.records import Files
from bench.matching.score import one_to_one, rates, recall_at

PROBABILITY, DOUBT = 0.99, 0.5
PAIRS = 1e6
BLOCKS = ("email", "phone", "mobile", "full_name", "company")
DETERMINISTIC = (("email", "surname"), ("phone", "first_name", "surname"), ("mobile", "surname"))
ASSUMED_RECALL = 0.6
ASKED_ALONE = 15
SCORED = ["match_weight", "unique_id_l", "unique_id_r"]


def settings() -> SettingsCreator:
    return SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="full_name"),
            cl.EmailComparison("email"),
            cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
            cl.ExactMatch("mobile").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("company", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("street", [0.9, 0.7]),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            *(block_on(name) for name in BLOCKS), block_on("street", "city"), block_on("surname", "postcode"),
            block_on("surname", "substr(first_name, 1, 1)", "city"),
        ],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )  # fmt: skip


def match(directory: str, worst: int = 0) -> dict[str, Any]:
    logging.disable(logging.WARNING)
    files = Files(Path(directory))
    began, processor = time.monotonic(), time.process_time()
    api = DuckDBAPI()
    books = api.register(frame(files.rows("books")), dataset_display_name="books")
    ours = api.register(frame(files.rows("list")), dataset_display_name="ours")
    prepared = time.process_time()
    linker = Linker([books, ours], settings())
    trained(linker)
    learned = time.process_time()
    found = linker.inference.predict(threshold_match_probability=DOUBT)
    pairs = found.as_pandas_dataframe()[["match_probability", *SCORED]]
    links = one_to_one(
        (weight, left, right)
        for probability, weight, left, right in pairs.itertuples(index=False) if probability >= PROBABILITY
    )  # fmt: skip
    done, seconds, peak = time.process_time(), time.monotonic() - began, peak_mb()
    linked = {customer for customer, _ in links}
    offers = [(left, right) for _, _, left, right in pairs.itertuples(index=False) if left not in linked]
    return {
        "way": "splink", "seconds": seconds, "cpu_seconds": done - processor, "peak_mb": round(peak, 1),
        "pairs": len(pairs), "rates": rates(files, links, offers, worst),
        "recall_at_999": recall_at(files, pairs[SCORED].itertuples(index=False), 0.999),
        "one_at_a_time": one_at_a_time(linker, api, ours, files),
        "stages": {"prepared": prepared - processor, "trained": learned - prepared, "predicted": done - learned},
    }  # fmt: skip


def trained(linker: Linker) -> None:
    rules = [block_on(*fields) for fields in DETERMINISTIC]
    linker.training.estimate_probability_two_random_records_match(rules, recall=ASSUMED_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS)
    for name in ("full_name", "email", "phone"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(name))


def one_at_a_time(linker: Linker, api: DuckDBAPI, ours: Any, files: Files) -> dict[str, float]:
    """Processor milliseconds for one new record against the whole list, model trained, fields standardised."""
    rows = frame(files.rows("books")).head(ASKED_ALONE)
    taken = []
    for at in range(len(rows)):
        began = time.process_time()
        new = api.register(rows.iloc[[at]], dataset_display_name=f"new{at}")
        linker.inference.predict_between(new, ours, threshold_match_probability=DOUBT).as_record_list()
        taken.append((time.process_time() - began) * 1000)
    taken.sort()
    return {"median_ms": median(taken), "p95_ms": taken[int(len(taken) * 0.95)]}


if __name__ == "__main__":
    answer(match)
