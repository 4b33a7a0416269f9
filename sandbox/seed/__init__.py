"""A made-up foundation-repair company of any size, for the simulated QuickBooks and for measuring.

`company` yields its books, `load` writes them into a sandbox store, `contacts` yields the list of contacts the same
firm kept by itself, with the truth about who is who. Same size, seed and today give the same bytes on every machine;
customer k is the same in companies of every size. Nothing here touches the network or the clock, unless `today` is
left out.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from sandbox.entities import SALES
from sandbox.seed.books import books
from sandbox.seed.contacts import COLUMNS, Label, contacts, write_contacts
from sandbox.seed.jobs import DEFAULT_DOCUMENTS
from sandbox.seed.lists import COMPANY_NAMES, Record
from sandbox.times import today as pacific_today
from sandbox.times import utc_now

if TYPE_CHECKING:
    from sandbox.store import Store

BATCH = 4_000
__all__ = ["COLUMNS", "Label", "company", "contacts", "load", "write_contacts"]


def company(
    size: int,
    seed: int,
    today: date | None = None,
    *,
    company_name: str | None = None,
    documents_per_customer: float = DEFAULT_DOCUMENTS,
) -> Iterator[tuple[str, Record]]:
    """(entity name, record) for every record of the company: lists first, then customers and documents in blocks.

    `size` counts customers, sub-customers and projects included: 1 to 100,000, else ValueError. Money is Decimal.
    """
    day = today or pacific_today(utc_now())
    name = company_name or name_for(seed)
    return books(size, seed, day, company_name=name, documents=documents_per_customer)


def name_for(seed: int) -> str:
    """The firm's name if none is given; neighbouring seeds have different ones, seed 7 is Bedrock Foundation Repair."""
    return COMPANY_NAMES[(seed - 7) % len(COMPANY_NAMES)]


def load(
    store: "Store",
    realm_id: str,
    *,
    size: int,
    seed: int,
    today: date | None = None,
    company_name: str | None = None,
    documents_per_customer: float = DEFAULT_DOCUMENTS,
) -> dict[str, int]:
    """Write the company into the store under `realm_id` and return how many records of each kind it has.

    Written in batches, each its own transaction, so memory stays flat; the company is listed only once it is whole.
    """
    name = company_name or name_for(seed)
    stream = company(size, seed, today, company_name=name, documents_per_customer=documents_per_customer)
    counts: Counter[str] = Counter()
    counters: dict[str, int] = {}
    while batch := list(islice(stream, BATCH)):
        by_entity: dict[str, list[Record]] = {}
        for entity, record in batch:
            by_entity.setdefault(entity, []).append(record)
        with store.writing(realm_id) as ledger:
            for entity, records in by_entity.items():
                ledger.put_many(entity, records)
                counts[entity] += len(records)
                for record in records:
                    used_up(entity, record, counters)
    with store.writing(realm_id) as ledger:
        for counter, value in counters.items():
            ledger.set_counter(counter, value)
    store.add_company(realm_id, name)
    return dict(counts)


def used_up(entity: str, record: Record, counters: dict[str, int]) -> None:
    """Keep the highest document number of each series and the highest address id, so that new ones follow on."""
    if entity in SALES and "DocNumber" in record:
        series = "number:Estimate" if entity == "Estimate" else "number:Sales"
        counters[series] = max(counters.get(series, 0), int(record["DocNumber"]))
        return
    for name in ("CompanyAddr", "BillAddr", "ShipAddr"):
        if name in record:
            counters["address"] = max(counters.get("address", 0), int(record[name]["Id"]))
