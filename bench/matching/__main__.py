"""`python -m bench.matching`: measure the matcher beside other ways on the same generated books, and print the tables.

Every way runs by itself in a process of its own, one after the other, on the same files. The libraries may live in an
environment of their own (`--libraries`); where they are missing that is said and they are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from bench import child
from bench.__main__ import load, machine, say
from bench.matching import hard, table
from bench.matching.generate import LARGEST, SEED

SIZES = (1_000, 10_000, 100_000)
PARTS = {"ours": "ours", "exact": "exact", "recordlinkage": "by_recordlinkage", "splink": "by_splink"}
LIBRARIES = ("recordlinkage", "splink")
MOST_IN_PANDAS = 100_000
"""recordlinkage keeps every pair and its comparisons in memory: beyond this it would need more than most have."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="records of the books (default 1000,10000,100000)")
    parser.add_argument("--million", action="store_true", help="1,000,000 as well: half an hour, some 11 GB")
    parser.add_argument("--ways", type=ways, default=tuple(PARTS), help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--libraries", default=sys.executable, metavar="PYTHON", help="the interpreter that has them; "
                        "see bench/matching/requirements.txt (default: this one)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, other books")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--write", action="store_true", help="keep the tables in bench/README.md")
    given = parser.parse_args()
    if given.million:
        given.sizes = (*given.sizes, LARGEST)
    return given


def sizes(text: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers; write for example 1000,10000") from None
    if not all(100 <= size < LARGEST for size in found):
        raise argparse.ArgumentTypeError(f"books have 100 to {LARGEST:,} records (see --million), not {text!r}")
    return found


def ways(text: str) -> tuple[str, ...]:
    wanted = {part.strip() for part in text.split(",")}
    if not wanted <= set(PARTS):
        raise argparse.ArgumentTypeError(f"ways are {', '.join(PARTS)}, not {text!r}")
    return tuple(way for way in PARTS if way in wanted)


def lacking(python: str, library: str) -> bool:
    try:
        done = subprocess.run([python, "-c", f"import {library}"], capture_output=True, check=False)
    except OSError:
        return True
    return done.returncode != 0


def command(given: argparse.Namespace) -> str:
    words = ["python -m bench.matching"]
    plain = tuple(size for size in given.sizes if size < LARGEST)
    if plain != SIZES:
        words.append("--sizes " + ",".join(map(str, plain)))
    if given.million:
        words.append("--million")
    if given.ways != tuple(PARTS):
        words.append("--ways " + ",".join(given.ways))
    if given.libraries != sys.executable:
        words.append("--libraries <python>")
    return " ".join(words if given.seed == SEED else [*words, f"--seed {given.seed}"])


def main() -> int:
    given = arguments()
    absent = [name for name in LIBRARIES if name in given.ways and lacking(given.libraries, name)]
    missing = [
        f"{name} is not installed for {Path(given.libraries).name}, so it was left out: install "
        "bench/matching/requirements.txt and name that Python with --libraries." for name in absent
    ]  # fmt: skip
    for told in missing:
        say(told)
    failed = hard.failed()
    found: dict[str, Any] = {
        "command": command(given), "machine": machine(), "load": load(), "date": date.today().isoformat(),
        "missing": missing, "measured": [], "hard_cases": len(hard.cases()),
        "hard_right": len(hard.cases()) - len(failed), "hard_failed": failed,
    }  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="bench-matching-", ignore_cleanup_errors=True) as place:
            for size in given.sizes:
                found["measured"] += one_size(Path(place) / str(size), size, given, absent)
    except child.PartFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing is left behind.", file=sys.stderr)
        return 130
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(table.report(found))
    if given.write:
        table.write(found)
    return 1 if failed else 0


def one_size(place: Path, size: int, given: argparse.Namespace, absent: list[str]) -> list[dict[str, Any]]:
    place.mkdir()
    say(f"{size:,} records: generating the books and the list")
    child.run("matching.generate", directory=str(place), size=size, seed=given.seed)
    measured = []
    for way in given.ways:
        if way in absent or (way == "recordlinkage" and size > MOST_IN_PANDAS):
            continue
        say(f"{size:,} records: {table.WAYS[way]}")
        python = given.libraries if way in LIBRARIES else sys.executable
        measured.append({**child.run(f"matching.{PARTS[way]}", python=python, directory=str(place)), "size": size})
    return measured


if __name__ == "__main__":
    sys.exit(main())
