"""The figures of both directions as tables, each between marks of its own in README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import documents_table, insight_ways, limits
from bench.table import README, Found, text_table

WAYS = {
    "ours": "Tradebook",
    "singly": "usual: one look-up and one create each",
    "since": "usual: each kind asked for what changed since",
    "compare": "usual: everything read in pages of 100, compared",
}


def push(found: Found) -> str:
    rows = [
        (
            way(m), f"{m['there']:,}", f"{m['seconds']:,.1f}", f"{m['cpu_seconds']:,.1f}", f"{m['peak_mb']:,.0f} MB",
            f"{m['calls']:,}", lasting(limits.seconds(m["calls"], m["batches"])),
        )
        for m in found["measured"]
    ]  # fmt: skip
    head = ("way", "customers created", "seconds", "processor seconds", "peak memory", "calls",
            "least its calls take within QuickBooks' limits")  # fmt: skip
    return f"{text_table(head, rows, left=1)}\n\n{ratios(found, 'there')}"


def sweep(found: Found) -> str:
    rows = [
        (
            way(m), f"{m['changed']:,}", f"{m['seconds']:,.2f}", f"{m['cpu_seconds']:,.2f}", f"{m['peak_mb']:,.0f} MB",
            f"{m['calls']:,}", f"{m['calls'] * 4 * 24 * 30:,}",
        )
        for m in found["measured"]
    ]  # fmt: skip
    head = ("way", "changes found", "seconds", "processor seconds", "peak memory", "calls",
            "calls in a month, every 15 minutes")  # fmt: skip
    return f"{text_table(head, rows, left=1)}\n\n{ratios(found)}"


STAGES = {
    ("import", "make"): "plan of the import",
    ("import", "carry"): "the same, carried out whole",
    ("write", "make"): "first plan of what would be written",
}


def plans(found: Found) -> str:
    rows = [
        (
            f"{m['size']:,}", STAGES[m["deed"], stage] + ("" if m["database"] == "sqlite" else ", PostgreSQL"),
            f"{m['records']:,}", f"{m['lines']:,}", f"{told['seconds']:,.1f}", f"{told['cpu_seconds']:,.1f}",
            f"{told['cpu_seconds'] * 1000 / max(m['records'], 1):,.2f}", f"{m['peak_mb']:,.0f} MB",
        )
        for m in found["measured"] for stage, told in m["stages"].items() if (m["deed"], stage) in STAGES
    ]  # fmt: skip
    head = ("customers", "stage", "objects looked at", "lines", "seconds", "processor seconds",
            "processor milliseconds an object", "peak memory")  # fmt: skip
    return text_table(head, rows, left=2)


def ratios(found: Found, per: str = "") -> str:
    """Tradebook on SQLite beside each usual way, for one unit of `per` (default: of the whole)."""
    own = next(m for m in found["measured"] if m["way"] == "ours" and m["database"] == "sqlite")
    rows = [
        (WAYS[m["way"]], f"1 : {beside(m, own, per, 'seconds'):,.2f}", f"1 : {beside(m, own, per, 'cpu_seconds'):,.2f}",
         f"{own['peak_mb'] / m['peak_mb']:,.1f} x", f"1 : {beside(m, own, per, 'calls'):,.1f}")
        for m in found["measured"] if m["way"] != "ours"
    ]  # fmt: skip
    return text_table(("Tradebook : ...", "seconds", "processor seconds", "peak memory", "calls"), rows, left=1)


def beside(other: Mapping[str, Any], own: Mapping[str, Any], per: str, what: str) -> float:
    """How much more of `what` the other one used."""
    used = [float(m[what]) / (m[per] if per else 1) for m in (other, own)]
    return used[0] / used[1]


def burst(found: Found) -> str:
    return "\n\n".join([answers(found), afterwards(found)])


def answers(found: Found) -> str:
    rows = []
    for m in found["measured"]:
        load, wrong = m["load"], m["load"]["errors"]
        rows.append((
            stack(m), f"{load['deliveries']:,} at {m['rate']:,.0f}/s", f"{load['events']:,}",
            *(f"{load['answer_ms'][name]:,.1f} ms" for name in ("median", "p95", "p99", "most")),
            ", ".join(f"{number:,} {name}" for name, number in wrong.items()) or "0",
            f"{load['late_ms']['median']:,.1f} / {load['late_ms']['p99']:,.1f} ms",
        ))  # fmt: skip
    head = ("stack", "deliveries", "events", "median", "95 %", "99 %", "slowest", "errors",
            "late itself: median / 99 %")  # fmt: skip
    return text_table(head, rows, left=1)


def afterwards(found: Found) -> str:
    rows = []
    for m in found["measured"]:
        events = m["load"]["events"] + m["load"]["warm_events"]
        rows.append((
            stack(m), moment(m["split_after"]), moment(m["settled_after"]), f"{m['calls']:,}", f"{events:,}",
            f"1 : {events / m['calls']:,.0f}" if m["calls"] else "-",
            f"{lasting(limits.seconds(m['calls']))} : {lasting(limits.seconds(events))}",
            both(m["whole_cpu"], ".1f"), both(m["peak_mb"], ".0f") + " MB",
        ))  # fmt: skip
    head = ("stack", "all split after", "all acted on after", "calls", "usual: one per event", "ratio",
            "least its calls take : the usual ones", "processor seconds web / worker",
            "peak memory web / worker")  # fmt: skip
    return text_table(head, rows, left=1)


def both(costs: Mapping[str, float | None], form: str) -> str:
    return " / ".join("-" if costs[name] is None else format(costs[name], form) for name in ("web", "worker"))


def lasting(seconds: float) -> str:
    unit, name = next(
        (unit, name) for unit, name in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= 2 * unit or unit == 1
    )
    return f"{seconds / unit:,.0f} {name}" if unit == 1 else f"{seconds / unit:,.1f} {name}"


def moment(seconds: float | None) -> str:
    return "not in time" if seconds is None else f"{seconds:,.1f} s"


def stack(m: Found) -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[m["database"]] + (
        ", Redis" if m["broker"] == "redis" else ", broker in files"
    )


def way(m: Found) -> str:
    return WAYS[m["way"]] + (", PostgreSQL" if m["database"] == "postgresql" else "")


TABLES = {"push": push, "sweep": sweep, "burst": burst, "plans": plans, "documents": documents_table.tables,
          "insight": insight_ways.tables}  # fmt: skip


def report(found: Found) -> dict[str, str]:
    """Name -> what stands between its marks, of what was measured."""
    return {name: f"{source(found, name)}\n\n{table(found[name])}" for name, table in TABLES.items() if name in found}


def source(found: Found, name: str) -> str:
    """The command, and how busy the machine was when this part began."""
    load = found[name]["load"]
    busy = "" if load is None else f", load {load:.1f} when this part began"
    return f"`{found['command']}`, {found['date']}; {found['machine']}{busy}."


def write(found: Found) -> None:
    text = README.read_text()
    for name, tables in report(found).items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{tables}\n\n{end}{rest.partition(end)[2]}"
    README.write_text(text)
