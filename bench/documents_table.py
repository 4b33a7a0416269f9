"""The figures of `documents` as tables."""

from __future__ import annotations

from bench import limits
from bench.table import Found, text_table

WAYS = {
    "ours": "Tradebook", "push": "usual: customer and items looked up, one create each",
    "pages": "usual: pages of 100, one look-up and commit each",
}  # fmt: skip
PROOFS = {"equal": "equal to the cent", "different": "different"}


def tables(found: Found) -> str:
    parts = [
        f"**Pushed: invoices of {found['lines']} lines.**\n\n{both(found['push'], 'there')}",
        f"**Imported.**\n\n{both(found['imports'], 'records')}",
        *(f"**Lists: {pages['number']:,} invoices and as many quotes, {pages['dialect']}; milliseconds of the server, "
          f"whole requests.**\n\n{lists(pages)}" for pages in found["pages"]),
    ]  # fmt: skip
    return "\n\n".join(parts)


def both(measured: list[Found], unit: str) -> str:
    rows = [
        (
            way(m), f"{m[unit]:,}", f"{m['seconds']:,.1f}", f"{m['cpu_seconds']:,.1f}", f"{m['peak_mb']:,.0f} MB",
            f"{m['calls']:,}", f"{limits.seconds(m['calls'], m['batches']):,.0f} s", proof(m),
        )
        for m in measured
    ]  # fmt: skip
    head = ("way", "invoices", "seconds", "processor seconds", "peak memory", "calls",
            "least its calls take within QuickBooks' limits", "proof afterwards")  # fmt: skip
    own, usual = measured[0], measured[-1]
    ratio = [
        f"1 : {usual[name] / usual[unit] * own[unit] / own[name]:,.1f} in {word}"
        for name, word in (("seconds", "seconds"), ("cpu_seconds", "processor seconds"), ("calls", "calls"))
    ]
    return f"{text_table(head, rows, left=1)}\n\nTradebook (SQLite) : usual, per invoice: {', '.join(ratio)}."


def lists(pages: Found) -> str:
    rows = [
        (one["name"], f"{one['median_ms']:,.1f}", f"{one['p95_ms']:,.1f}", f"{one['queries']:,}")
        for one in pages["cases"]
    ]
    return text_table(("page", "median", "95 %", "queries"), rows, left=1)


def proof(m: Found) -> str:
    told = m.get("proof")
    if told is None:
        return "-"
    return f"{PROOFS.get(told['state'], told['state'])}; {told['differing']:,} of {told['invoices']:,} differ"


def way(m: Found) -> str:
    return WAYS[m["way"]] + (", PostgreSQL" if m["database"] == "postgresql" else "")
