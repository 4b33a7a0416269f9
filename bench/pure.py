"""Part: matching alone, no database and no calls: every customer of the company against the whole contact list.

Both sides are read into identities, the contacts' keys into a table, then every customer is decided about among the few
that share a key, and the claims settled one-to-one: the domain's own functions in the order the import uses them.
"""

from __future__ import annotations

import csv
import time
from collections import Counter, defaultdict
from typing import Any

from bench.child import answer
from bench.quality import rates, truth_of
from bench.stage import SEED
from crm.domain.identity import Identity, finds, identity_keys, read_address, read_emails, read_phones
from crm.domain.matching import Outcome, decide, settle
from sandbox import seed

MOST = 40


def match(size: int, contacts: str, labels: str) -> dict[str, Any]:
    customers = [
        record for entity, record in seed.company(size, SEED, documents_per_customer=0)
        if entity == "Customer" and "ParentRef" not in record
    ]  # fmt: skip
    with open(contacts, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    began = time.monotonic()
    ours = {str(number): _contact(str(number), row) for number, row in enumerate(rows, start=1)}
    theirs = {record["Id"]: _customer(record) for record in customers}
    read = time.monotonic()
    holders: dict[str, list[str]] = defaultdict(list)
    frequency: Counter[str] = Counter()
    for key, identity in ours.items():
        for found in identity_keys(identity):
            holders[found].append(key)
    keys = {key: identity_keys(identity) for key, identity in theirs.items()}
    for found in holders:
        frequency[found] = len(holders[found])
    for own in keys.values():
        frequency.update(own)
    keyed = time.monotonic()
    decisions = {
        key: decide(identity, _candidates(keys[key], holders, ours), frequency=frequency)
        for key, identity in theirs.items()
    }
    compared = sum(len(decision.candidates) for decision in decisions.values())
    settled = settle(decisions)
    done = time.monotonic()
    links = [(int(d.chosen), key) for key, d in settled.items() if d.outcome is Outcome.SAME and d.chosen]
    return {
        "customers": len(theirs), "contacts": len(ours), "read_seconds": read - began, "key_seconds": keyed - read,
        "decide_seconds": done - keyed, "seconds": done - began, "compared": compared,
        "rates": rates(links, truth_of(labels)),
    }  # fmt: skip


def _candidates(keys: Any, holders: dict[str, list[str]], ours: dict[str, Identity]) -> list[Identity]:
    shared: Counter[str] = Counter()
    for key in keys:
        held = holders.get(key, ())
        if finds(key, len(held)):
            shared.update(dict.fromkeys(held, 3 if key[:2] in ("p:", "e:") else 1))
    return [ours[key] for key, _ in sorted(shared.items(), key=lambda pair: (-pair[1], int(pair[0])))[:MOST]]


def _contact(key: str, row: dict[str, str]) -> Identity:
    return Identity(
        key, row["Name"], row["First name"], row["Last name"], row["Company"],
        (*read_phones(row["Phone"]), *read_phones(row["Mobile"], label="mobile")), read_emails(row["Email"]),
        read_address(row["Street"], city=row["City"], postal=row["Zip"]),
    )  # fmt: skip


def _customer(record: dict[str, Any]) -> Identity:
    phones = [
        phone
        for name in ("PrimaryPhone", "Mobile", "AlternatePhone")
        for phone in read_phones(record.get(name, {}).get("FreeFormNumber"))
    ]
    address = record.get("BillAddr") or record.get("ShipAddr") or {}
    return Identity(
        record["Id"], record["DisplayName"], record.get("GivenName", ""), record.get("FamilyName", ""),
        record.get("CompanyName", ""), tuple(phones), read_emails(record.get("PrimaryEmailAddr", {}).get("Address")),
        read_address(*(address.get(f"Line{number}") for number in range(1, 6)), city=address.get("City"),
                     postal=address.get("PostalCode")),
    )  # fmt: skip


if __name__ == "__main__":
    answer(match)
