"""The figures of `python -m bench.matching` as tables, printed and kept between two marks in bench/README.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.matching.errors import ERRORS
from bench.table import README, text_table

Found = dict[str, Any]
BEGIN, END = "<!-- matching: begin -->", "<!-- matching: end -->"
WAYS = {
    "ours": "Tradebook", "exact": "exact phone or e-mail", "recordlinkage": "recordlinkage", "splink": "splink",
}  # fmt: skip


def report(found: Found) -> str:
    measured = found["measured"]
    parts = [
        f"`{found['command']}`, {found['date']}; {found['machine']}{found['load']}.",
        *(f"{told}" for told in found["missing"]),
        "### How right\n\n" + rightness(measured),
        "### How fast\n\n" + speed(measured),
        "### One new record against the whole list\n\n" + alone(measured),
        f"### Hard cases written by hand\n\n{found['hard_right']} of {found['hard_cases']} answered as they should be"
        + "".join(f"\n- {line}" for line in found["hard_failed"]) + ".",
        "### The error model (in how many of a hundred records)\n\n" + errors(),
    ]  # fmt: skip
    return "\n\n".join(parts)


def rightness(measured: Sequence[Found]) -> str:
    rows = []
    for m in measured:
        r = m["rates"]
        rows.append((
            f"{m['size']:,}", WAYS[m["way"]], f"{r['links']:,}", f"{r['wrong']:,}", share(r["precision"]),
            share(r["recall"]), share(r["f1"]), share(r["to_person"]) if m["way"] != "exact" else "-",
            share(r["net_recall"]) if m["way"] != "exact" else "-", threshold(m),
        ))  # fmt: skip
    head = ("books", "way", "links made", "of them wrong", "precision", "recall", "F1", "customers sent to a person",
            "net recall with those", "recall where precision is 99.9 %")  # fmt: skip
    return text_table(head, rows, left=2)


def threshold(m: Found) -> str:
    """What it finds at 99.9 % precision; the libraries at the best threshold, told from the truth."""
    if "recall_at_999" in m:
        return share(m["recall_at_999"])
    return share(m["rates"]["recall"]) if (m["rates"]["precision"] or 0) >= 0.999 else "never"


def speed(measured: Sequence[Found]) -> str:
    own = {m["size"]: m for m in measured if m["way"] == "ours"}
    rows = []
    for m in measured:
        records, ours = records_of(m), own.get(m["size"])
        rows.append((
            f"{m['size']:,}", WAYS[m["way"]], f"{records:,}", f"{m['seconds']:,.1f}", f"{m['cpu_seconds']:,.1f}",
            f"{records / m['cpu_seconds']:,.0f}", f"{m['cpu_seconds'] * 1e6 / records:,.0f}", f"{m['peak_mb']:,.0f} MB",
            f"1 : {m['cpu_seconds'] / ours['cpu_seconds']:,.2f}" if ours else "-",
        ))  # fmt: skip
    head = ("books", "way", "records, both sides", "seconds", "processor seconds", "records a processor second",
            "processor microseconds a record", "peak memory", "Tradebook's processor time : this")  # fmt: skip
    return text_table(head, rows, left=2)


def records_of(m: Found) -> int:
    return int(m["rates"]["books"] + m["rates"]["list"])


def alone(measured: Sequence[Found]) -> str:
    rows = [
        (f"{m['rates']['list']:,}", WAYS[m["way"]], f"{m['one_at_a_time']['median_ms']:,.2f} ms",
         f"{m['one_at_a_time']['p95_ms']:,.2f} ms")
        for m in measured if "one_at_a_time" in m
    ]  # fmt: skip
    return text_table(("contacts in the list", "way", "processor time, median", "95 %"), rows, left=2)


def errors() -> str:
    rows = [(e.name, e.what, f"{abs(e.books):g}", f"{abs(e.list):g}") for e in ERRORS]
    return text_table(("what happens", "how", "books", "list"), rows, left=2)


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def write(found: Found) -> None:
    """Put the tables between the marks of the README."""
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n\n{report(found)}\n\n{END}{rest.partition(END)[2]}")
