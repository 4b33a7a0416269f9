"""Products that shall become items in the books: because a document needs them, or a person said so.

What a product stands below goes there before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.item_fields import KIND
from crm.domain.products import CREATABLE
from crm.models import Link, OutboxEntry, Product
from crm.services.audit import Actor
from crm.services.sync.items.categories import products_at
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.outbox import OPEN, Wish


def ask_products(
    session: Session, connection_id: int, product_ids: Sequence[int], *, actor: Actor, now: datetime
) -> list[int]:
    """Those of these products that the books do not know, with the categories they stand in, go there; answers them.
    What is on its way stays as it is, and what was skipped or parked too: a person has a say about it."""
    session.flush()
    wishes: dict[int, Wish] = {}
    edge = sorted(set(product_ids))
    while edge:
        new = _not_there(session, connection_id, edge)
        above = products_at(session, {row.category for row in new})
        for row in new:
            needs = ((KIND, above[row.category]),) if row.category in above else ()
            wishes[row.id] = Wish("create", needs=needs)
        edge = sorted(set(above.values()) - wishes.keys())
    outbox.note_many(session, connection_id, KIND, wishes, trigger="change", actor=actor, now=now)
    return sorted(wishes)


def missing(session: Session, connection_id: int, product_ids: Sequence[int]) -> list[int]:
    """Of these, what the books do not hold."""
    mine = (Link.connection_id == connection_id, Link.kind == KIND, Link.local_id.in_(product_ids))
    there = set(session.scalars(select(Link.local_id).where(*mine, Link.state != "gone")))
    return sorted(set(product_ids) - there)


def _not_there(session: Session, connection_id: int, product_ids: Sequence[int]) -> list[Product]:
    waiting = (OutboxEntry.connection_id == connection_id, OutboxEntry.kind == KIND,
               OutboxEntry.local_id.in_(product_ids), OutboxEntry.state.in_(OPEN))  # fmt: skip
    left = set(missing(session, connection_id, product_ids)) - set(
        session.scalars(select(OutboxEntry.local_id).where(*waiting))
    )
    query = select(Product).where(Product.id.in_(left), Product.type.in_(CREATABLE))
    return list(session.scalars(query.order_by(Product.id)))
