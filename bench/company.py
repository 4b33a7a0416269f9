"""Part: generate a company and the contact list that belongs to it into a directory."""

from __future__ import annotations

import csv
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bench.child import answer
from bench.stage import LEAST, SEED
from sandbox import seed
from sandbox.app import FIRST_REALM
from sandbox.settings import Settings
from sandbox.store import Store


def generate(directory: str, size: int, newcomers: int = 0, documents: float = 0) -> dict[str, Any]:
    began, place = time.monotonic(), Path(directory)
    store = Store(Settings(data=place).database)
    counts = seed.load(store, str(FIRST_REALM), size=size, seed=SEED, documents_per_customer=documents)
    store.close()
    rows = seed.write_contacts(place / "contacts.csv", size, SEED, place / "labels.csv")
    strangers(place, newcomers)
    return {"seconds": time.monotonic() - began, "customers": counts["Customer"], "contacts": rows}


def strangers(place: Path, number: int) -> None:
    """`nobody.csv`, an empty list, and `newcomers.csv`: so many contacts of another firm. A number makes each name the
    only one of its kind, so that every one of them can become a customer of this company.
    """
    seed.write_contacts(place / "strangers.csv", max(number, LEAST), SEED + 1)
    with (
        (place / "strangers.csv").open(encoding="utf-8", newline="") as source,
        (place / "newcomers.csv").open("w", encoding="utf-8", newline="") as out,
        (place / "nobody.csv").open("w", encoding="utf-8", newline="") as empty,
    ):
        rows = csv.DictReader(source)
        sheets = [csv.DictWriter(file, rows.fieldnames or (), lineterminator="\n") for file in (out, empty)]
        for sheet in sheets:
            sheet.writeheader()
        for place_in_list, row in enumerate(islice(rows, number), start=1):
            sheets[0].writerow({**row, "Name": f"{row['Name'][:80]} {place_in_list:06}"})


if __name__ == "__main__":
    answer(generate)
