"""Products held against their items of the books: what stands on both sides, and what to do.

`taking` carries it out on the way in, the outbox kind on the way out, decisions about conflicts start from it: all with
the same base, policies and edits. The number of statements does not grow with the page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import item_fields, merging
from crm.domain.directions import DIRECTIONS, Direction
from crm.domain.item_fields import KIND
from crm.domain.merging import Merged, left_alone
from crm.domain.policies import ASK, QUICKBOOKS, emptied
from crm.domain.records import ItemRecord
from crm.models import Item, Link, ListEntry, Product
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.comparing import Edits, edits_of
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.work import Books

LINKS, PRODUCTS = table_of(Link), table_of(Product)


@dataclass(frozen=True, slots=True)
class Held:
    product: Any
    """Row of our product."""
    link: Any
    """Row of the link; None: no books hold it."""
    theirs: ItemRecord | None
    """What they hold; None where they do not, or it is gone there."""
    merged: Merged | None
    """None without theirs."""
    edited: Mapping[str, datetime | None]
    waiting: bool
    """An outbox entry still absorbs edits."""

    def left(self, field: str) -> bool:
        """Whether a plan was approved without this field, and nobody has edited it since."""
        at, edited = self.link.left.get(field) if self.link else None, self.edited.get(field)
        return at is not None and (edited is None or edited <= datetime.fromisoformat(at))


@dataclass(frozen=True, slots=True)
class Known:
    """What the open transaction holds about a page of products."""

    products: Mapping[int, Any]
    """Their rows, locked."""
    edits: Mapping[int, Edits]
    open: Mapping[int, Mapping[str, datetime | None]]
    """Product -> fields a person was asked about and has not decided -> when ours was changed."""
    policies: Mapping[str, str]
    direction: Direction


def look(session: Session, books: Books, ids: Sequence[int]) -> Known:
    session.flush()
    query = select(PRODUCTS).where(PRODUCTS.c.id.in_(ids)).order_by(PRODUCTS.c.id).with_for_update()
    setting = settings.current(session, books.id, KIND)
    return Known(
        {row.id: row for row in session.execute(query)},
        edits_of(session, books.id, KIND, ids),
        conflicts.undecided(session, books.id, KIND, ids),
        setting.policies,
        DIRECTIONS[setting.direction],
    )


def against(
    product: Any, link: Any, theirs: ItemRecord | None, known: Known, chosen: Collection[str] = ()
) -> Held:  # fmt: skip
    """One product against its item. `chosen`: fields of which a person took theirs, an empty one too."""
    edits, asked = known.edits.get(product.id), known.open.get(product.id, {})
    edited: dict[str, datetime | None] = {name: at for name, at in asked.items() if at is not None}
    edited |= edits.moments if edits else {}
    waiting = bool(edits and edits.waiting)
    if link is None or theirs is None:
        return Held(product, link, theirs, None, edited, waiting)
    # What a person was asked about stays theirs to decide, until both sides agree by themselves.
    rules = {**known.policies, **dict.fromkeys(asked, ASK), **{emptied(name): ASK for name in asked},
             **{emptied(name): QUICKBOOKS for name in chosen}}  # fmt: skip
    here = item_fields.keys(product)
    merged = merging.merge(link.base, here, there(theirs, here), policies=rules, edited=edited,
                           theirs_at=theirs.origin.updated_at)  # fmt: skip
    if not known.direction.comes_in:
        merged = left_alone(merged, link.base, [name for name in merged.taken if name not in chosen])
    return Held(product, link, theirs, merged, edited, waiting)


def there(theirs: ItemRecord, here: Mapping[str, str]) -> dict[str, str]:
    """What the books say. Companies outside the US say nothing of being taxable: there ours stands."""
    said = item_fields.keys(theirs)
    return said if said["taxable"] else {**said, "taxable": here["taxable"]}


def held(
    session: Session, books: Books, ids: Sequence[int], *, chosen: Collection[str] = ()
) -> dict[int, Held]:  # fmt: skip
    """Each of these products, locked, against its item as the mirror knows it."""
    known = look(session, books, ids)
    links = links_of(session, books.id, Link.local_id.in_(ids))
    theirs = _theirs(session, books.id, [link.remote_id for link in links if link.state != "gone"])
    linked = {link.local_id: link for link in links}
    found = {}
    for id_, product in known.products.items():
        link = linked.get(id_)
        found[id_] = against(product, link, theirs.get(link.remote_id) if link else None, known, chosen)
    return found


def links_of(session: Session, connection_id: int, which: Any) -> list[Any]:
    mine = (Link.connection_id == connection_id, Link.kind == KIND, which)
    return list(session.execute(select(LINKS).where(*mine).order_by(LINKS.c.id)))


def account_names(session: Session, connection_id: int) -> dict[str, str]:
    mine = (ListEntry.connection_id == connection_id, ListEntry.kind == "account")
    return {id_: name for id_, name in session.execute(select(ListEntry.remote_id, ListEntry.name).where(*mine))}


def _theirs(session: Session, connection_id: int, remote_ids: Sequence[str]) -> dict[str, ItemRecord]:
    query = select(Item.remote_id, Item.record).where(
        Item.connection_id == connection_id, Item.remote_id.in_(remote_ids), Item.gone_at.is_(None)
    )
    return {row.remote_id: from_stored(ItemRecord, row.record) for row in session.execute(query)}
