"""The whole made-up company as one stream of QuickBooks records, in flat memory.

Works through the roster in blocks of 1,000 customers. Within a block documents get ids and numbers in the order of
their dates; the blocks follow one another, like branches converted one after the other. What was sold on the spot and
what was bought comes last. Called by `sandbox.seed`.
"""

from collections.abc import Iterator
from datetime import date

from sandbox.seed import counter_sales, jobs, purchases
from sandbox.seed.customers import customers
from sandbox.seed.documents import WRITERS
from sandbox.seed.jobs import Document
from sandbox.seed.lists import Record, listed
from sandbox.seed.people import Entry, stream_for
from sandbox.seed.roster import entries
from sandbox.seed.shape import Calendar, base

BLOCK = 1_000
FIRST_NUMBER = 1001
FOUNDED = 2_400  # days before today the fixed lists were set up
NINE_O_CLOCK = 32_400


class Counters:
    """All documents share one sequence of ids; estimates have a number series of their own, sales another."""

    def __init__(self) -> None:
        self.id = 0
        self.numbers: dict[str, int] = {}

    def next_id(self) -> str:
        self.id += 1
        return str(self.id)

    def assign(self, document: Document) -> None:
        document.id = self.next_id()
        if document.entity not in ("Payment", "Deposit"):
            series = "Estimate" if document.entity == "Estimate" else "sales"
            number = self.numbers.get(series, FIRST_NUMBER)
            self.numbers[series] = number + 1
            document.number = str(number)


def books(size: int, seed: int, today: date, *, company_name: str, documents: float) -> Iterator[tuple[str, Record]]:
    """Every record of the company as (entity name, body)."""
    calendar = Calendar(today)
    founded = calendar.stamp(FOUNDED, NINE_O_CLOCK)
    bills = purchases.plan(size, seed) if documents > 0 else []
    vendors: dict[str, str] = {}
    for entity, record in listed(company_name, lambda number: base(number, "0", founded, founded)):
        if entity == "Vendor":
            vendors[record["Id"]] = record["DisplayName"]
            record["Balance"] = purchases.owed(bills, record["Id"])
        yield entity, record
    counters = Counters()
    walk_ins: list[counter_sales.WalkIn] | None = [] if documents > 0 else None
    block: list[Entry] = []
    for group in entries(size, seed):
        block += group
        if len(block) >= BLOCK:
            yield from written(block, seed, calendar, counters, documents, walk_ins)
            block = []
    yield from written(block, seed, calendar, counters, documents, walk_ins)
    yield from counter_sales.written(walk_ins or [], size, seed, calendar, counters.assign)
    yield from purchases.written(bills, vendors, calendar, counters.next_id)


def written(
    block: list[Entry], seed: int, calendar: Calendar, counters: Counters, documents: float,
    walk_ins: list[counter_sales.WalkIn] | None,
) -> Iterator[tuple[str, Record]]:
    """The customers of one block, then their documents, oldest first. ``walk_ins`` collects who may buy on the spot."""
    plans = {entry.position: jobs.plan(entry, stream_for(seed, "jobs", entry.position), documents) for entry in block}
    made = sorted((document for plan in plans.values() for document in plan), key=lambda document: document.moment)
    for document in made:
        counters.assign(document)
    known = dict(customers(block, plans, calendar))
    for customer in known.values():
        yield "Customer", customer
    if walk_ins is not None and len(walk_ins) < counter_sales.WALK_INS:
        met = [(entry, known[entry.position]) for entry in block if entry.active]
        walk_ins += [(entry, customer) for entry, customer in met if not customer["Job"]]
    for document in made:
        yield document.entity, WRITERS[document.entity](document, known[document.entry.position], calendar)
