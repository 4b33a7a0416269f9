"""Segments and insight measured over a database full of books, on both databases."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from bench import child, stage
from bench.table import Found, text_table
from bench.ways import begun, say

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def insight(place: Path, given: Namespace, found: Found) -> None:
    measured = found["insight"] = begun(given, measured=[])
    for server in ("", given.database_url) if given.database_url else ("",):
        name = "postgresql" if server else "sqlite"
        with stage.database(server) as url:
            environment = stage.environment(place / name, database_url=url)
            say(f"insight: filling {given.contacts:,} contacts with about {given.contacts * 5:,} invoices ({name})")
            filled = child.run("books", environment, contacts=given.contacts, invoices=given.contacts * 5)
            say(f"insight: segments ({name})")
            segments = child.run("segments", environment, repeats=given.repeats)
            say(f"insight: pages ({name})")
            pages = child.run("insight", environment, repeats=given.repeats)
        measured["measured"].append({"database": name, "filled": filled, "segments": segments, "pages": pages})


def tables(found: Found) -> str:
    filled = found["measured"][0]["filled"]
    head = (
        f"{filled['contacts']:,} contacts, {filled['invoices']:,} invoices, {filled['lines']:,} lines, "
        f"{filled['payments']:,} payments, {filled['quotes']:,} quotes."
    )
    parts = [head, f"**Segments.**\n\n{refreshed(found)}", f"**Counts while building.**\n\n{counts(found)}"]
    parts += [
        f"**Pages, {NAMES[m['database']]}; milliseconds of the server, whole requests.**\n\n{pages(m)}"
        for m in found["measured"]
    ]
    return "\n\n".join(parts)


def refreshed(found: Found) -> str:
    rows = []
    for m in found["measured"]:
        told, pages_of = m["segments"], m["pages"]
        for words, cost in (
            (f"{told['segments']} segments made, {told['members']:,} members", told["made"]),
            ("all refreshed, every member written", told["filled"]),
            ("all refreshed, nothing changed", told["whole"]),
            *((f"{int(number):,} contacts changed", cost) for number, cost in told["changed"].items()),
            ("nightly: expected payments, quotes, values, with their back-tests", pages_of["nightly"]),
            ("each half hour: sums of the usual periods", pages_of["stored"]),
        ):
            rows.append((NAMES[m["database"]], words, f"{cost['seconds']:,.2f}", f"{cost['cpu_seconds']:,.2f}"))
    return text_table(("database", "work", "seconds", "processor seconds of ours"), rows, left=2)


def counts(found: Found) -> str:
    databases = [m["database"] for m in found["measured"]]
    head = ("rules", "found", *(f"{NAMES[name]}: count, money, sample / one rule away (ms)" for name in databases))
    rows = []
    for at, first in enumerate(found["measured"][0]["segments"]["counts"]):
        same = [m["segments"]["counts"][at] for m in found["measured"]]
        rows.append((
            first["rule"], f"{first['found']:,}", *(f"{one['preview']:,.0f} / {one['away']:,.0f}" for one in same),
        ))  # fmt: skip
    return text_table(head, rows, left=1)


def pages(measured: Found) -> str:
    rows = [
        (one["name"], f"{one['median_ms']:,.1f}", f"{one['p95_ms']:,.1f}", f"{one['queries']:,}")
        for one in measured["pages"]["cases"]
    ]
    return text_table(("page", "median", "95 %", "queries"), rows, left=1)
