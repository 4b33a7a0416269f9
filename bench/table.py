"""Figures as tables: what is printed, and what is kept in README.md between its two marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CALLS_A_MINUTE = 500
"""What QuickBooks allows one company."""
WAYS = {
    "ours": "Tradebook", "pages": "usual: pages of 100, one look-up and commit each",
    "singly": "usual: one query per contact",
}  # fmt: skip
Found = dict[str, Any]


def report(found: Found) -> str:
    parts = [
        f"`{found['command']}`, {found['date']}; {found['machine']}{found['load']}.",
        "### Import and match\n\n" + imports(found["imports"]),
        "### Ratios (Tradebook : usual, same run, same company)\n\n" + ratios(found["imports"]),
        "### How right the links are\n\n" + rights(found),
        "### Where Tradebook's time goes (seconds)\n\n" + steps(found["imports"]),
    ]
    if "pure" in found:
        parts.append("### Matching alone (no database, no calls)\n\n" + pure(found["pure"]))
    if "file" in found:
        parts.append("### The contact list as a CSV file into an empty CRM (SQLite)\n\n" + file(found["file"]))
    parts += [
        f"### The contact list, {pages['contacts']:,} contacts, {pages['dialect']}\n\n" + lists(pages)
        for pages in found.get("pages", ())
    ]
    return "\n\n".join(parts)


def imports(measured: Sequence[Found]) -> str:
    rows = [
        (
            f"{m['size']:,}", way(m), f"{m['records']:,}" + (" (first ones only)" if m.get("sampled") else ""),
            f"{m['seconds']:,.1f}", f"{rate(m):,.0f}", f"{m['cpu_seconds']:,.1f}", f"{m['peak_mb']:,.0f} MB",
            f"{m['calls']:,}", f"{m['calls'] / CALLS_A_MINUTE:,.1f}",
        )
        for m in measured
    ]  # fmt: skip
    head = ("customers", "way", "records done", "seconds", "records/s", "processor seconds", "peak memory",
            "remote calls", f"minutes its calls take at {CALLS_A_MINUTE} a minute")  # fmt: skip
    return text_table(head, rows, left=2)


def ratios(measured: Sequence[Found]) -> str:
    rows = []
    for own in (m for m in measured if m["way"] == "ours" and m["database"] == "sqlite"):
        for other in (m for m in measured if m["size"] == own["size"] and m["way"] != "ours"):
            work = (other["cpu_seconds"] / other["records"]) / (own["cpu_seconds"] / own["records"])
            calls = (other["calls"] / other["records"]) / (own["calls"] / own["records"])
            rows.append((
                f"{own['size']:,}", WAYS[other["way"]], f"{rate(own) / rate(other):,.2f} x", f"1 : {work:,.2f}",
                f"{own['peak_mb'] / other['peak_mb']:,.1f} x", f"1 : {calls:,.1f}",
            ))  # fmt: skip
    return text_table(
        ("customers", "beside", "records/s", "processor time per record", "peak memory", "remote calls per record"),
        rows,
        left=2,
    )


def rights(found: Found) -> str:
    rows = []
    for m in found["imports"]:
        if r := m.get("rates"):
            rows.append((
                f"{m['size']:,}", way(m), f"{r['links']:,}", f"{r['wrong']:,}", percent(r["precision"]),
                percent(r["recall"]), percent(r["offered"]) if "to_person" in r else "-",
                percent(r["to_person"]) if "to_person" in r else "-",
            ))  # fmt: skip
    head = ("customers", "way", "links made", "of them wrong", "precision", "recall",
            "recall with those a person confirms", "customers sent to a person")  # fmt: skip
    return text_table(head, rows, left=2)


def steps(measured: Sequence[Found]) -> str:
    own = [m for m in measured if m["way"] == "ours"]
    names = list(dict.fromkeys(name for m in own for name in m["steps"]))
    rows = [
        (f"{m['size']:,}", m["database"], *(f"{m['steps'].get(name, 0):,.1f}" for name in names),
         f"{m['cpu_seconds']:,.1f}") for m in own
    ]  # fmt: skip
    return text_table(("customers", "database", *names, "processor time"), rows, left=2)


def pure(p: Found) -> str:
    rows = [
        ("reading names, phones, e-mails, addresses", f"{p['read_seconds']:,.1f} s"),
        ("making keys", f"{p['key_seconds']:,.1f} s"),
        ("deciding and settling", f"{p['decide_seconds']:,.1f} s"),
        (f"all of {p['customers']:,} customers x {p['contacts']:,} contacts", f"{p['seconds']:,.1f} s"),
    ]
    return text_table(("step", "seconds"), rows, left=1)


def file(f: Found) -> str:
    outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in f["counts"].items())
    row = (f"{f['rows']:,}", outcomes, f"{f['seconds']:,.1f}", f"{f['rows'] / f['seconds']:,.0f}",
           f"{f['peak_mb']:,.0f} MB")  # fmt: skip
    return text_table(("rows", "outcome", "seconds", "rows/s", "peak memory"), [row], left=2)


def lists(pages: Found) -> str:
    rows = [
        (c["name"], f"{c['median_ms']:,.1f} ms", f"{c['p95_ms']:,.1f} ms", str(c["queries"])) for c in pages["cases"]
    ]
    return text_table(("request", "median", "95 %", "queries"), rows, left=1)


def way(m: Found) -> str:
    return WAYS[m["way"]] + (", PostgreSQL" if m["database"] == "postgresql" else "")


def rate(m: Found) -> float:
    """Records per second."""
    return float(m["records"] / m["seconds"])


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}" if share < 0.995 else f"{share:.2%}"


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    """A Markdown table that is readable as it stands; the first `left` columns are text, the others figures."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(3, *(len(line[place]) for line in lines)) for place in range(len(head))]

    def one(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * width if place < left else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join([one(lines[0]), "| " + " | ".join(rule) + " |", *map(one, lines[1:])])


def write(found: Found) -> None:
    """Put the tables between the marks of the README."""
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{report(found)}\n\n{END}{after}")
