"""Part: exact agreement of phone or e-mail, as the usual integrations match: the first contact that has it is taken.

Phones are reduced to ten digits and e-mails to small letters first. A contact is taken once; nobody is asked.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from bench.child import answer, peak_mb
from bench.matching.records import Files, Record, read
from bench.matching.score import rates

_OTHERS = re.compile(r"[;/,]|x|ext|#", re.IGNORECASE)


def reached_by(record: Record) -> list[str]:
    """E-mail, phone, mobile, as far as they are filled, in the order they are looked up."""
    phones = ["".join(c for c in _OTHERS.split(text)[0] if c.isdigit())[-10:] for text in (record.phone, record.mobile)]
    email = record.email.lower().strip(" .,;")
    return [found for found in (email, *(phone for phone in phones if len(phone) == 10)) if found]


def match(directory: str, worst: int = 0) -> dict[str, Any]:
    files = Files(Path(directory))
    began, processor = time.monotonic(), time.process_time()
    first: dict[str, str] = {}
    for record in read(files.rows("list")):
        for value in reached_by(record):
            first.setdefault(value, record.key)
    links, taken = [], set()
    for record in read(files.rows("books")):
        contact = next((first[value] for value in reached_by(record) if value in first), None)
        if contact is not None and contact not in taken:
            taken.add(contact)
            links.append((record.key, contact))
    cpu, seconds, peak = time.process_time() - processor, time.monotonic() - began, peak_mb()
    return {"way": "exact", "seconds": seconds, "cpu_seconds": cpu, "peak_mb": round(peak, 1), "stages": {},
            "rates": rates(files, links, (), worst)}  # fmt: skip


if __name__ == "__main__":
    answer(match)
