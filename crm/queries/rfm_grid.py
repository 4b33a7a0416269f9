"""The grid of how recently and how often contacts bought, as the page of RFM shows it. One statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Day
from decimal import Decimal

from sqlalchemy import func, select

from crm.db import db
from crm.models import Contact, RfmScore

FIFTHS = (5, 4, 3, 2, 1)
SHADES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """Contacts that bought so recently and so often; `total` in the home currency."""

    recency: int
    frequency: int
    contacts: int
    total: Decimal
    last_on: tuple[Day, Day]
    invoices: tuple[int, int]
    shade: int = 0
    """0 for nothing to SHADES for the cells with the most sales: by their rank, so that one giant pales nobody."""


@dataclass(frozen=True, slots=True)
class Grid:
    cells: Mapping[tuple[int, int], Cell]
    """(recency, frequency) -> cell; empty ones are missing."""
    contacts: int
    total: Decimal
    as_of: Day | None

    def recencies(self, fifth: int) -> tuple[Day, Day] | None:
        """Between which days the contacts of that fifth last bought."""
        found = [cell.last_on for (recency, _), cell in self.cells.items() if recency == fifth]
        return (min(one for one, _ in found), max(one for _, one in found)) if found else None

    def frequencies(self, fifth: int) -> tuple[int, int] | None:
        """The fewest and most invoices of the contacts of that fifth."""
        found = [cell.invoices for (_, frequency), cell in self.cells.items() if frequency == fifth]
        return (min(one for one, _ in found), max(one for _, one in found)) if found else None


def grid() -> Grid:
    """All contacts in use that ever bought."""
    r = RfmScore
    found = db.session.execute(
        select(
            r.recency, r.frequency, func.count(), func.sum(r.total), func.min(r.last_on), func.max(r.last_on),
            func.min(r.invoices), func.max(r.invoices), func.max(r.as_of),
        )
        .join(Contact, Contact.id == r.contact_id)
        .where(Contact.archived_at.is_(None))
        .group_by(r.recency, r.frequency)
        .order_by(r.recency, r.frequency)
    ).all()  # fmt: skip
    ranked = sorted({row[3] for row in found if row[3] > 0})
    cells = {
        (row[0], row[1]): Cell(row[0], row[1], row[2], row[3], (row[4], row[5]), (row[6], row[7]),
                               _shade(row[3], ranked))
        for row in found
    }  # fmt: skip
    total = sum((cell.total for cell in cells.values()), Decimal(0))
    as_of = max((row[8] for row in found), default=None)
    return Grid(cells, sum(cell.contacts for cell in cells.values()), total, as_of)


def _shade(total: Decimal, ranked: list[Decimal]) -> int:
    """By the rank of its sales among the cells."""
    return 1 + ranked.index(total) * SHADES // len(ranked) if total > 0 else 0
