"""`python -m bench` (or `make bench ARGS="..."`): measure everything and print the tables. Needs no server.

Speed is told as ratios within one run: the CRM's way and the usual way work on the same served company and the same
contact list, one after the other, each in a process of its own. Everything is made in a temporary directory and
removed at the end, also on Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from bench import child, documents_ways, insight_ways, quality, stage, table, ways, ways_table

SIZES = (1_000, 10_000, 100_000)
LEAST, MOST = stage.LEAST, 100_000
USUAL, SINGLY, REPEATS = 10_000, 1_000, 25
MOST_POSTS = 20_000
PLANS = (1_000, 25_000, 50_000)
"""Customers of the companies that are planned."""
PARTS = ("imports", "push", "sweep", "burst", "plans", "documents", "insight")
BOTH = {"push": 1_000, "sweep": 10_000, "rate": 200.0, "burst_seconds": 20.0}
PAPERS = {"invoices_pushed": 100, "invoices": 20_000, "listed": 100_000}
PAPERS_QUICK = {"invoices_pushed": 20, "invoices": 100, "listed": 500}
CONTACTS, CONTACTS_QUICK = 100_000, 300
"""Of the books that segments and insight are measured on."""
BOTH_QUICK = {"push": 90, "sweep": 300, "rate": 50.0, "burst_seconds": 3.0}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="customers, e.g. 1000,10000 (default: up to 100000)")
    parser.add_argument("--quick", action="store_true", help="1,000 customers only unless --sizes says otherwise")
    parser.add_argument("--usual-most", type=int, default=USUAL, help="customers the usual way does at most")
    parser.add_argument("--singly-most", type=int, default=SINGLY, help="... when it asks for each customer by itself")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often each page of the list is asked for")
    parser.add_argument("--only", type=parts, default=PARTS, help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--push", type=int, help="new customers that are pushed (default 1000)")
    parser.add_argument("--sweep", type=int, help="customers of the company that is swept (default 10000)")
    parser.add_argument("--rate", type=float, help="webhook deliveries a second (default 200)")
    parser.add_argument("--burst-seconds", type=float, help="how long they come (default 20)")
    parser.add_argument("--plans", type=sizes, help="customers of the companies that are planned, e.g. 25000,50000")
    parser.add_argument("--invoices-pushed", type=int, help="invoices that are pushed (default 100)")
    parser.add_argument("--invoices", type=int, help="about so many invoices are imported (default 20000)")
    parser.add_argument("--listed", type=int, help="invoices, and as many quotes, of the lists (default 100000)")
    parser.add_argument("--contacts", type=int, help="contacts, with five invoices each, for insight (default 100000)")
    parser.add_argument("--redis-url", default="", help="the broker and throttle of the burst on PostgreSQL; an empty "
                        "database of a Redis server, emptied at the end")  # fmt: skip
    parser.add_argument("--database-url", default="", help="a PostgreSQL server to measure on as well; a database of "
                        "our own is made there and dropped at the end")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--write", action="store_true", help="keep the tables in bench/README.md")
    given = parser.parse_args()
    if given.quick and given.sizes is SIZES:
        given.sizes = SIZES[:1]
    for name, usual in ((BOTH_QUICK | PAPERS_QUICK) if given.quick else (BOTH | PAPERS)).items():
        if getattr(given, name) is None:
            setattr(given, name, usual)
    given.contacts = given.contacts or (CONTACTS_QUICK if given.quick else CONTACTS)
    given.plans = given.plans or (PLANS[:1] if given.quick else PLANS)
    if not (1 <= given.push <= MOST and LEAST <= given.sweep <= MOST):
        parser.error(f"--push takes 1 to {MOST:,} and --sweep {LEAST:,} to {MOST:,} customers")
    if not (given.rate * given.burst_seconds >= 1 and given.rate * given.burst_seconds <= MOST_POSTS):
        parser.error(f"--rate times --burst-seconds must be 1 to {MOST_POSTS:,} deliveries: they are made beforehand")
    if not stage.LEAST <= given.contacts <= MOST:
        parser.error(f"--contacts takes {stage.LEAST:,} to {MOST:,}")
    if not all(1 <= getattr(given, name) <= MOST for name in PAPERS):
        parser.error(f"--invoices-pushed, --invoices and --listed take 1 to {MOST:,}")
    return given


def parts(text: str) -> tuple[str, ...]:
    wanted = {part.strip() for part in text.split(",")}
    if not wanted <= set(PARTS):
        raise argparse.ArgumentTypeError(f"parts are {', '.join(PARTS)}, not {text!r}")
    return tuple(part for part in PARTS if part in wanted)


def sizes(text: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers; write for example 1000,10000") from None
    if not all(LEAST <= size <= MOST for size in found):
        raise argparse.ArgumentTypeError(f"companies have {LEAST:,} to {MOST:,} customers, not {text!r}")
    return found


def command(given: argparse.Namespace) -> str:
    """What was asked for, without where the figures go and how a database is reached."""
    words = ["python -m bench"]
    if given.only != PARTS:
        words.append("--only " + ",".join(given.only))
    if given.sizes is not SIZES and "imports" in given.only:
        words.append("--sizes " + ",".join(map(str, given.sizes)))
    words += [
        f"--{name.replace('_', '-')} {getattr(given, name):g}"
        for name, usual in BOTH.items()
        if getattr(given, name) != usual and ("burst" if name in ("rate", "burst_seconds") else name) in given.only
    ]  # fmt: skip
    words += [
        f"--{name.replace('_', '-')} {getattr(given, name)}"
        for name, usual in PAPERS.items() if getattr(given, name) != usual and "documents" in given.only
    ]  # fmt: skip
    if given.contacts != CONTACTS and "insight" in given.only:
        words.append(f"--contacts {given.contacts}")
    if given.plans != PLANS and "plans" in given.only:
        words.append("--plans " + ",".join(map(str, given.plans)))
    if (given.usual_most, given.singly_most, given.repeats) != (USUAL, SINGLY, REPEATS):
        words.append(f"--usual-most {given.usual_most} --singly-most {given.singly_most} --repeats {given.repeats}")
    if given.database_url:
        words.append("--database-url postgresql://...")
    if given.redis_url:
        words.append("--redis-url redis://...")
    return " ".join(words)


def machine() -> str:
    """The machine in general words."""
    return (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )


def load() -> str:
    """How busy the machine was with other work."""
    return f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""


MEASURES = {"push": ways.push, "sweep": ways.sweep, "burst": ways.burst, "plans": ways.plans,
            "documents": documents_ways.documents, "insight": insight_ways.insight}  # fmt: skip


def main() -> int:
    given = arguments()
    found: dict[str, Any] = {
        "command": command(given), "machine": machine(), "load": load(), "date": date.today().isoformat(),
        "imports": [],
    }  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as place:
            for size in given.sizes if "imports" in given.only else ():
                one_size(Path(place) / str(size), size, given, found, largest=size == given.sizes[-1])
            for name in given.only:
                if name in MEASURES:
                    MEASURES[name](Path(place) / name, given, found)
    except child.PartFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing is left behind.", file=sys.stderr)
        return 130
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if found["imports"]:
        print(table.report(found))
    for name, tables in ways_table.report(found).items():
        print(f"\n### {name.capitalize()}\n\n{tables}")
    if given.write:
        if found["imports"]:
            table.write(found)
        ways_table.write(found)
    return 0


def one_size(place: Path, size: int, given: argparse.Namespace, found: dict[str, Any], *, largest: bool) -> None:
    place.mkdir()
    say(f"{size:,} customers: generating the company and its contact list")
    child.run("company", directory=str(place), size=size)
    with stage.served(place, size) as company:
        with stage.database("") as url:
            ours(company, place / "sqlite", url, found, repeats=given.repeats if largest else 0)
        if given.database_url and largest:
            with stage.database(given.database_url) as url:
                ours(company, place / "postgresql", url, found, repeats=given.repeats)
        for deed, most in (("pages", given.usual_most), ("singly", given.singly_most)):
            usual(company, place, deed, most, found)
    if largest:
        say(f"{size:,} contacts: import of the list as a CSV file (sqlite)")
        found["file"] = child.run("files", stage.environment(place / "file"), contacts=str(place / "contacts.csv"))
        say(f"{size:,} customers: matching alone")
        found["pure"] = child.run(
            "pure", size=size, contacts=str(place / "contacts.csv"), labels=str(place / "labels.csv")
        )


def ours(company: stage.Company, instance: Path, database_url: str, found: dict[str, Any], *, repeats: int) -> None:
    name = "postgresql" if database_url else "sqlite"
    environment = stage.environment(instance, company_url=company.url, database_url=database_url)
    say(f"{company.size:,} customers: filling the CRM with the contact list ({name})")
    filled = child.run("filling", environment, contacts=str(company.contacts), tokens=company.tokens())
    company.forget_calls()
    say(f"{company.size:,} customers: Tradebook's import ({name})")
    measured = child.run("ours", environment, connection_id=filled["connection_id"])
    measured |= {"way": "ours", "database": name, "size": company.size, "calls": company.calls()}
    measured["rates"] = child.run("quality", environment, labels=str(company.labels))
    found["imports"].append(measured)
    if repeats:
        say(f"{company.size:,} customers: pages of the contact list ({name})")
        found.setdefault("pages", []).append(child.run("pages", environment, repeats=repeats))


def usual(company: stage.Company, place: Path, deed: str, most: int, found: dict[str, Any]) -> None:
    say(f"{company.size:,} customers: the usual way, {deed}")
    filled, own = place / "usual.db", place / f"{deed}.db"
    if not filled.exists():
        child.run("usual", deed="fill", url=f"sqlite:///{filled}", contacts=str(company.contacts))
    shutil.copy(filled, own)
    tokens = company.tokens()
    company.forget_calls()
    measured = child.run("usual", deed=deed, url=f"sqlite:///{own}", company_url=company.url, tokens=tokens, most=most)
    links = [(int(row), customer) for row, customer in measured.pop("linked").items()]
    measured |= {"way": deed, "database": "sqlite", "size": company.size, "calls": company.calls()}
    whole = company.size <= most
    if whole or deed == "singly":
        truth = quality.truth_of(str(company.labels), 0 if whole else most)
        measured["rates"] = quality.rates(links, truth)
    measured["sampled"] = not whole
    found["imports"].append(measured)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
