"""The whole made-up company as one stream of QuickBooks records, in flat memory.

Works through the roster in blocks of 1,000 customers. Within a block documents get ids and numbers in the order of
their dates; the blocks follow one another, like branches converted one after the other. Called by `sandbox.seed`.
"""

from collections.abc import Iterator
from datetime import date

from sandbox.seed import jobs
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

    def assign(self, document: Document) -> None:
        self.id += 1
        document.id = str(self.id)
        if document.entity != "Payment":
            series = "Estimate" if document.entity == "Estimate" else "sales"
            number = self.numbers.get(series, FIRST_NUMBER)
            self.numbers[series] = number + 1
            document.number = str(number)


def books(size: int, seed: int, today: date, *, company_name: str, documents: float) -> Iterator[tuple[str, Record]]:
    """Every record of the company as (entity name, body)."""
    calendar = Calendar(today)
    founded = calendar.stamp(FOUNDED, NINE_O_CLOCK)
    yield from listed(company_name, lambda number: base(number, "0", founded, founded))
    counters = Counters()
    block: list[Entry] = []
    for group in entries(size, seed):
        block += group
        if len(block) >= BLOCK:
            yield from written(block, seed, calendar, counters, documents)
            block = []
    yield from written(block, seed, calendar, counters, documents)


def written(
    block: list[Entry], seed: int, calendar: Calendar, counters: Counters, documents: float
) -> Iterator[tuple[str, Record]]:
    """The customers of one block, then their documents, oldest first."""
    plans = {entry.position: jobs.plan(entry, stream_for(seed, "jobs", entry.position), documents) for entry in block}
    made = sorted((document for plan in plans.values() for document in plan), key=lambda document: document.moment)
    for document in made:
        counters.assign(document)
    known = dict(customers(block, plans, calendar))
    for customer in known.values():
        yield "Customer", customer
    for document in made:
        yield document.entity, WRITERS[document.entity](document, known[document.entry.position], calendar)
