"""A made-up company whose behaviour is known, to see what back-tests say where the truth is.

Customers pay at a habit of their own, a few days either way, and one invoice in fifty is never paid. A returning
customer accepts half of the quotes, a new one a third, a large quote a fifth less; who accepts does so after two weeks
on average. Customers buy at a pace of their own, and one in six stays away for good after each purchase. The same for
everybody who asks; no clock. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from crm.domain.customer_value import Sale
from crm.domain.payment_dates import Bill
from crm.domain.quote_outlook import Offer

AS_OF = 739_000
"""The day it stands at: an ordinal (2024-04-24)."""
CUSTOMERS = 600
YEARS = 1_460
"""Days of history."""
HABITS = (4, 14, 28, 45, 70)
"""Days from invoice to payment."""


def bills() -> Iterator[tuple[int, list[Bill]]]:
    for customer in range(CUSTOMERS):
        stream = Random(f"bills {customer}")
        habit, apart, terms = stream.choice(HABITS), stream.choice((2, 5, 9)), stream.choice((15, 30))
        made = []
        for number in range(stream.randrange(1, 22)):
            issued = AS_OF - stream.randrange(1, YEARS)
            paid = issued + max(0, round(stream.gauss(habit, apart)))
            never = stream.random() < 0.02
            ended = None if never or paid > AS_OF else paid
            made.append(Bill(customer * 100 + number, issued, issued + terms, ended, ended is not None))
        yield customer, made


def offers() -> Iterator[list[Offer]]:
    for customer in range(CUSTOMERS * 4):
        stream = Random(f"offers {customer}")
        sent, returning = AS_OF - stream.randrange(1, YEARS), stream.random() < 0.4
        value = Decimal(stream.choice((400, 900, 2_500, 4_200, 8_000, 26_000)))
        likely = (0.5 if returning else 0.33) - (0.2 if value > 5_000 else 0)
        won = lost = None
        if stream.random() < likely:
            won = sent + min(int(stream.expovariate(1 / 14)), 120)
        elif stream.random() < 0.9:
            lost = sent + min(int(stream.expovariate(1 / 35)), 200)
        yield [Offer(customer, sent, value, returning, _by_then(won), _by_then(lost))]


def sales() -> Iterator[list[Sale]]:
    for customer in range(CUSTOMERS * 3):
        stream = Random(f"sales {customer}")
        day, pace = AS_OF - stream.randrange(1, YEARS), stream.choice((0.4, 1, 2.5, 6))
        size = Decimal(stream.choice((400, 900, 2_500, 8_000)))
        made = []
        while day <= AS_OF:
            made.append(Sale(day, size * stream.randrange(60, 141) / 100))
            if stream.random() < 1 / 6:
                break
            day += max(1, int(stream.expovariate(pace / 365)))
        yield made


def _by_then(day: int | None) -> int | None:
    return day if day is not None and day <= AS_OF else None
