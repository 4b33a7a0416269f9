"""Part: generate a company and the contact list that belongs to it into a directory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.child import answer
from bench.stage import SEED
from sandbox import seed
from sandbox.app import FIRST_REALM
from sandbox.settings import Settings
from sandbox.store import Store


def generate(directory: str, size: int) -> dict[str, Any]:
    began, place = time.monotonic(), Path(directory)
    store = Store(Settings(data=place).database)
    counts = seed.load(store, str(FIRST_REALM), size=size, seed=SEED, documents_per_customer=0)
    store.close()
    rows = seed.write_contacts(place / "contacts.csv", size, SEED, place / "labels.csv")
    return {"seconds": time.monotonic() - began, "customers": counts["Customer"], "contacts": rows}


if __name__ == "__main__":
    answer(generate)
