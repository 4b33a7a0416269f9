"""What lines cost us, figured where lines are written: by the products' costs as they stood on the document's day.

Whoever writes lines asks `of_products` once for all of them and each line's cost from what it answers; nothing is
written here but by `settle_items`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.days import company_day
from crm.domain.line_costs import COUNTED, Change, line_cost, unit_cost
from crm.models import Connection, PriceChange, Product, SalesDocument, SalesLine
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import update_by_id

LINES = table_of(SalesLine)
PART = 1000


@dataclass(frozen=True, slots=True)
class Stood:
    """A line as it stood before it was written anew."""

    product_id: int | None
    quantity: Decimal | None
    cost: Decimal | None

    @classmethod
    def of(cls, row: Any) -> Stood:
        return cls(row.product_id, row.quantity, row.cost)


@dataclass(frozen=True, slots=True)
class Costs:
    """Of some products: what each cost since when, what it costs now, and which are services."""

    changes: Mapping[int, list[Change]]
    current: Mapping[int, tuple[Decimal | None, bool]]

    def of_line(
        self,
        product_id: int | None,
        quantity: Decimal | None,
        *,
        kind: str,
        chosen: bool,
        day: date | None,
        before: Stood | None = None,
    ) -> Decimal | None:
        """None of a line nobody takes. One whose quantity did not change keeps the cost it had."""
        if product_id is None or not chosen or kind not in COUNTED or product_id not in self.current:
            return None
        kept = before.cost if before is not None else None
        if before is not None and kept is not None and (before.product_id, before.quantity) == (product_id, quantity):
            return kept
        current, service = self.current[product_id]
        unit = unit_cost(self.changes.get(product_id, ()), current, day, service=service)
        return line_cost(quantity, unit)


def of_products(session: Session, product_ids: Iterable[int | None]) -> Costs:
    ids = sorted({id_ for id_ in product_ids if id_})
    if not ids:
        return Costs({}, {})
    zone = session.scalar(
        select(Connection.time_zone).where(Connection.disconnected_at.is_(None)).order_by(Connection.id).limit(1)
    )
    changes: dict[int, list[Change]] = {}
    current: dict[int, tuple[Decimal | None, bool]] = {}
    for part in chunks(ids, PART):
        for one in session.execute(select(Product.id, Product.cost, Product.type).where(Product.id.in_(part))):
            current[one.id] = one.cost, one.type == "service"
        noted = select(PriceChange.product_id, PriceChange.at, PriceChange.cost).where(PriceChange.product_id.in_(part))
        for row in session.execute(noted.order_by(PriceChange.product_id, PriceChange.id)):
            changes.setdefault(row.product_id, []).append((company_day(row.at, zone or ""), row.cost))
    return Costs(changes, current)


def settle_items(session: Session, connection_id: int, item_remote_ids: Collection[str]) -> None:
    """Lines of these items that were written before their product was known have their cost from now on."""
    for part in chunks(sorted(item_remote_ids), PART):
        _settle(session, SalesDocument.connection_id == connection_id, SalesLine.item_remote_id.in_(part))


def _settle(session: Session, *where: Any) -> None:
    open_ones = (SalesLine.cost.is_(None), SalesLine.product_id.is_not(None), SalesLine.quantity.is_not(None),
                 SalesLine.chosen.is_(True), SalesLine.kind.in_(COUNTED))  # fmt: skip
    found = session.execute(
        select(SalesLine.id, SalesLine.product_id, SalesLine.quantity, SalesLine.kind, SalesDocument.date)
        .join(SalesDocument, SalesDocument.id == SalesLine.document_id)
        .where(*open_ones, *where)
        .order_by(SalesLine.id)
    ).all()
    costs = of_products(session, {row.product_id for row in found})
    values = [
        {"id": row.id, "cost": cost}
        for row in found
        if (cost := costs.of_line(row.product_id, row.quantity, kind=row.kind, chosen=True, day=row.date)) is not None
    ]
    update_by_id(session, LINES, values)
