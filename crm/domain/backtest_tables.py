"""Back-tests as plain text: what the command prints and the documentation shows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

Tables = list[str]


def payments(found: Mapping[str, Any]) -> Tables:
    if not found["judged"]:
        return ["Too little history to look back: no invoice was paid that could be judged."]
    rows = [
        ("expected date", found["ours"]), ("due date, never in the past", found["never_past"]),
        ("due date", found["due"]),
    ]  # fmt: skip
    return [
        f"{found['origins']} days from {_day(found['from'])} to {_day(found['to'])}; {found['judged']} times an open"
        f" invoice was given a date and was paid since,",
        f"{found['unpaid']} times it is not paid yet, {found['without']} times there was no date to give.",
        "",
        *table(("days off", "mean", "middle"), [(name, each["mean"], each["middle"]) for name, each in rows]),
        "",
        f"Inside the interval of four in five: {percent(found['inside'])}.",
        "",
        *table(
            ("chance to be paid within 30 days", "came true", "invoices"),
            [(percent(row["chance"]), percent(row["came"]), row["invoices"]) for row in found["soon"]],
        ),
    ]  # fmt: skip


def quotes(found: Mapping[str, Any]) -> Tables:
    if not found["rows"]:
        return ["Too little history to look back: too few quotes were won or lost half a year ago."]
    return [
        "Revenue of open quotes within half a year:",
        "",
        *table(
            ("day", "quotes", "open", "forecast", "four in five", "open × rate", "of 90 days × rate", "came"),
            [(_day(row["day"]), row["quotes"], number(row["open"]), number(row["ours"]),
              f"{number(row['low'])} to {number(row['high'])}", number(row["simple"]), number(row["fresh"]),
              number(row["came"]))
             for row in found["rows"]],
        ),
        "",
        f"Off by {percent(found['ours_off'])} of what came; all open quotes times the overall rate by"
        f" {percent(found['simple_off'])}, those of the last 90 days by {percent(found['fresh_off'])}.",
        f"Inside the interval: {found['inside']} of {len(found['rows'])} days.",
        "",
        *table(
            ("chance to be won", "came true", "quotes"),
            [(percent(row["chance"]), percent(row["came"]), row["quotes"]) for row in found["calibration"]],
        ),
    ]  # fmt: skip


def value(found: Mapping[str, Any]) -> Tables:
    if not found["rows"]:
        return ["Too little history to look back: too few customers had bought again a year ago."]
    return [
        "Sales of the following twelve months:",
        "",
        *table(
            ("day", "customers", "expected", "as in the last twelve", "came"),
            [(_day(row["day"]), row["customers"], number(row["ours"]), number(row["simple"]), number(row["came"]))
             for row in found["rows"]],
        ),
        "",
        f"The sum is off by {percent(found['ours_off'])}; the same as in the last twelve months by"
        f" {percent(found['simple_off'])}.",
        f"Each customer is off by {number(found['ours_each'])} on average, and by {number(found['simple_each'])}.",
        "",
        *table(
            ("chance of any sale", "came true", "customers"),
            [(percent(row["chance"]), percent(row["came"]), row["customers"]) for row in found["calibration"]],
        ),
    ]  # fmt: skip


KINDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], Tables]]] = {
    "payments": ("Expected dates of payment", payments),
    "quotes": ("Revenue from quotes", quotes),
    "value": ("Customer value", value),
}


def text(found: Mapping[str, Mapping[str, Any]]) -> str:
    """All that were made, one below the other."""
    parts = []
    for kind, made in found.items():
        title, lines = KINDS[kind]
        parts.append("\n".join([title, "=" * len(title), "", *lines(made)]))
    return "\n\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The first column to the left, figures to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    wide = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(wide[at]) if at == 0 else cell.rjust(wide[at]) for at, cell in enumerate(row)).rstrip()
        for row in cells
    ]
    return [lines[0], "  ".join("-" * width for width in wide), *lines[1:]]


def percent(share: str) -> str:
    return f"{float(share) * 100:.0f}%" if share else "unknown"


def number(amount: str) -> str:
    return f"{int(amount):,}" if amount else "unknown"


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
