"""What the books would refuse of a quote or invoice, found before a call is spent on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm.domain import preflight
from crm.domain.preflight import Problem
from crm.models import Connection, Item, OutboxEntry
from crm.services.sync.outbox.kinds.port import Park, Wait
from crm.services.sync.sales.comparing import Held
from crm.services.sync.work import Batch

WAKING = "A product it needs is about to be made active in QuickBooks."
SOON = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Idle:
    """Items in use that are inactive or gone there."""

    names: Mapping[str, str]
    products: Mapping[str, int]
    """Item -> our product."""
    waking: frozenset[str]
    """Items of which something waits to be sent."""
    until: datetime
    """So long what needs them waits."""


def _problems(one: Held, connection: Connection, idle: Idle, *, new: bool) -> Iterator[Problem]:
    ours, closed = one.ours, connection.preferences.get("books_closed_until")
    if not one.known.customer:
        yield Problem("customer", "reference", "The contact is no customer in QuickBooks yet. Decide under Matches "
                      "whether it is there already, or create it.")  # fmt: skip
    if ours.kind == "invoice":
        until = date.fromisoformat(str(closed)) if closed else None
        yield from _one(preflight.dated(ours.date, closed_until=until))
    yield from _one(preflight.number(ours.number, own_numbers=connection.preferences.get("own_document_numbers")
                                     if new and ours.kind == "invoice" else None))  # fmt: skip
    if ours.email:
        yield from _one(preflight.email(ours.email))
    sold = [(at, line) for at, line in enumerate(ours.lines, 1) if line.kind in ("item", "group")]
    if not sold and not any(line.kind == "other" for line in ours.lines):
        yield Problem("lines", "no_lines", "The document has no lines with a product. Add at least one.")
    for at, line in sold:
        if line.item is None:
            yield Problem("lines", "missing_value", f"Line {at} has no product, and QuickBooks ignores amounts of such"
                          " lines. Choose a product, or set a default one under Sales settings.")  # fmt: skip
        elif line.item.remote_id in idle.names:
            yield Problem("lines", "reference", f"Line {at}: “{idle.names[line.item.remote_id]}” is inactive in "
                          "QuickBooks. Make it active there, or choose another product.")  # fmt: skip


def _one(problem: Problem | None) -> Iterator[Problem]:
    if problem is not None:
        yield problem


def refused(one: Held, connection: Connection, idle: Idle, *, new: bool) -> Park | Wait | None:
    """What becomes of one that the books would refuse. Products that are on their way to be active are waited for."""
    problem = next(_problems(one, connection, idle, new=new), None)
    if problem is None:
        return None
    evidence: dict[str, Any] = {"field": problem.field}
    used = [line.item.remote_id for line in one.ours.lines if line.item and line.item.remote_id in idle.names]
    if (problem.field, problem.cause) == ("lines", "reference") and used:
        if all(id_ in idle.waking for id_ in used):
            return Wait(idle.until, WAKING)
        evidence["products"] = sorted({idle.products[id_] for id_ in used if id_ in idle.products})
    return Park(problem.cause, problem.sentence, evidence)


def inactive_items(batch: Batch, here: Mapping[int, Held]) -> Idle:
    """Items these documents use that are inactive or gone there."""
    used = {line.item.remote_id for one in here.values() for line in one.ours.lines if line.item}
    query = select(Item.remote_id, Item.name, Item.product_id).where(
        Item.connection_id == batch.books.id, Item.remote_id.in_(used), ~Item.active | Item.gone_at.is_not(None)
    )
    found = batch.session.execute(query).all()
    products = {row.remote_id: row.product_id for row in found if row.product_id}
    leaving = set(batch.session.scalars(select(OutboxEntry.local_id).where(
        OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == "item",
        OutboxEntry.local_id.in_(list(products.values())), OutboxEntry.state.in_(("pending", "frozen")),
    )))  # fmt: skip
    return Idle(
        {row.remote_id: row.name for row in found}, products,
        frozenset(id_ for id_, product_id in products.items() if product_id in leaving), batch.now + SOON,
    )  # fmt: skip
