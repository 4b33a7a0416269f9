"""Items of the books brought to our own products, many at once.

One that is new here becomes a product that is ours alone, where it is certain which (`matching`), else gets a row of
its own; two items never share a product. One that is known is merged field by field, and what only the books say is
taken. Called by the kind (`kind`) after the mirror was written, in the same transaction, for imports of a thousand as
for one event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, table_of
from crm.domain import item_fields
from crm.domain.directions import OFF
from crm.domain.item_fields import KIND
from crm.domain.records import ItemRecord
from crm.models import Item, Link, OutboxEntry, PriceChange, Product, SalesDocument, SalesLine
from crm.services import line_costs
from crm.services.identity_keys import chunks
from crm.services.sync import settings
from crm.services.sync.items import categories, rows
from crm.services.sync.items.comparing import Held, Known, account_names, against, held, links_of, look
from crm.services.sync.items.matching import matched
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.conflicts import Question
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.work import BY_RULE, Batch

ITEMS, LINKS, PRICES, PRODUCTS = (table_of(one) for one in (Item, Link, PriceChange, Product))
PART = 500
BY = "QuickBooks"


def apply(batch: Batch, records: Sequence[ItemRecord]) -> None:
    """Bring these in step; each stands in the mirror as it is given."""
    fresh: list[str] = []
    for part in chunks(list(records), PART):
        by_id = {one.origin.remote_id: one for one in part}
        links = {link.remote_id: link for link in links_of(batch.session, batch.books.id, Link.remote_id.in_(by_id))}
        known = look(batch.session, batch.books, [link.local_id for link in links.values()])
        new = _unknown(batch, [one for one in part if one.origin.remote_id not in links])
        if known.direction.comes_in and new:
            paired, alone = matched(batch, new)
            fresh += link(batch, {id_: by_id[id_] for id_ in alone}, make(batch, alone, by_id), agreed=True)
            fresh += link(batch, {id_: by_id[id_] for id_ in paired}, paired, agreed=False)
            if paired:
                _take_up(batch, list(paired.values()))
                tied = links_of(batch.session, batch.books.id, Link.remote_id.in_(list(paired)))
                links |= {one.remote_id: one for one in tied}
                known = look(batch.session, batch.books, [one.local_id for one in links.values()])
        pairs = [(links[id_], one) for id_, one in by_id.items() if id_ in links]
        _merge(batch, pairs, known, products_of(batch, part))
    if fresh:
        settle_lines(batch, fresh)
        _settle_bundles(batch)


def again(batch: Batch, ids: Sequence[int], *, chosen: Collection[str] = ()) -> None:
    """Merge these products anew with what the mirror holds: a rule or a decision has changed. `chosen`: fields of which
    a person took theirs."""
    found = [one for one in held(batch.session, batch.books, ids, chosen=chosen).values() if one.theirs is not None]
    known = look(batch.session, batch.books, [one.product.id for one in found])
    records = [one.theirs for one in found if one.theirs is not None]
    _carry_out(batch, found, known, products_of(batch, records))


# --- new here -------------------------------------------------------------------------------------------------


def _unknown(batch: Batch, records: Sequence[ItemRecord]) -> list[ItemRecord]:
    """Without those that went into another item and linger there, inactive."""
    idle = [one.origin.remote_id for one in records if not one.active]
    mine = (Link.connection_id == batch.books.id, Link.kind == KIND, Link.merged_from.in_(idle))
    away = set(batch.session.scalars(select(Link.merged_from).where(*mine))) if idle else set()
    return [one for one in records if one.origin.remote_id not in away]


def make(batch: Batch, remote_ids: Sequence[str], records: Mapping[str, ItemRecord]) -> dict[str, int]:
    """A product of its own for each of these items: item -> product."""
    if not remote_ids:
        return {}
    known = products_of(batch, [records[id_] for id_ in remote_ids])
    values = [_new(batch, records[id_], known) for id_ in remote_ids]
    statement = insert(PRODUCTS).returning(PRODUCTS.c.id, sort_by_parameter_order=True)
    ids = list(batch.session.scalars(statement, values))
    _note_prices(batch, [
        (id_, row["price"], row["cost"]) for id_, row in zip(ids, values, strict=True)
        if row["price"] is not None or row["cost"] is not None
    ])  # fmt: skip
    return dict(zip(remote_ids, ids, strict=True))


def _new(batch: Batch, record: ItemRecord, products: Mapping[str, int]) -> dict[str, Any]:
    values = rows.columns(record, products)
    return {**values, **rows.texts(values), "currency": batch.books.currency[:3], "source": "quickbooks",
            "created_at": record.origin.created_at or batch.now, "updated_at": batch.now, "lock": 1}  # fmt: skip


def link(
    batch: Batch, records: Mapping[str, ItemRecord], products: Mapping[str, int], *, agreed: bool, by: str = BY_RULE
) -> list[str]:
    """Tie these items to their products; answers the items. `agreed`: the product says what the item says; else what
    they agree on is found out by the merge that follows."""
    if not products:
        return []
    batch.session.execute(insert(LINKS), [
        link_row(batch, records[id_], product_id, base=item_fields.keys(records[id_]) if agreed else {}, by=by)
        for id_, product_id in products.items()
    ])  # fmt: skip
    point(batch, products)
    return list(products)


def _take_up(batch: Batch, product_ids: Sequence[int]) -> None:
    """Creates that were parked go on as changes: what was to be made there, is there."""
    parked = (OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == KIND, OutboxEntry.request_key == "",
              OutboxEntry.local_id.in_(product_ids), OutboxEntry.state == "parked",
              OutboxEntry.operation == "create")  # fmt: skip
    again = {"state": "pending", "operation": "update", **outbox.taken_anew(batch.now)}
    if changed(update(OutboxEntry).where(*parked).values(again)):
        ring(outbox.TASK, batch.books.id)


def link_row(
    batch: Batch, record: ItemRecord, product_id: int, *, base: Mapping[str, str], by: str
) -> dict[str, Any]:  # fmt: skip
    base = {**base, "taxable": base["taxable"] or "yes"} if base else {}
    return {
        "connection_id": batch.books.id, "kind": KIND, "local_id": product_id, "remote_id": record.origin.remote_id,
        "version": record.origin.version, "state": "linked" if record.active else "inactive", "written_hash": "",
        "merged_from": "", "base": base, "left": {}, "run_id": batch.run_id, "linked_at": batch.now,
        "linked_by": by[:254], "synced_at": batch.now,
    }  # fmt: skip


def point(batch: Batch, products: Mapping[str, int | None]) -> None:
    """The mirror's rows know their products."""
    mine = (Item.connection_id == batch.books.id, Item.remote_id.in_(list(products)))
    found = batch.session.execute(select(Item.id, Item.remote_id).where(*mine)).all()
    update_by_id(batch.session, ITEMS, [{"id": row.id, "product_id": products[row.remote_id]} for row in found])


# --- known here -----------------------------------------------------------------------------------------------


def _merge(batch: Batch, pairs: Sequence[tuple[Any, ItemRecord]], known: Known, products: Mapping[str, int]) -> None:
    """Those that stand as agreed on both sides cost nothing more."""
    found = []
    for its_link, record in pairs:
        product = known.products.get(its_link.local_id)
        if product is None or _as_agreed(its_link, record, product, known, products):
            continue
        found.append(against(product, its_link, record, known))
    _carry_out(batch, found, known, products)


def _as_agreed(
    its_link: Any, record: ItemRecord, product: Any, known: Known, products: Mapping[str, int]
) -> bool:  # fmt: skip
    here = item_fields.keys(product)
    if not here == its_link.base == {**item_fields.keys(record), "taxable": here["taxable"]}:
        return False
    if its_link.version != record.origin.version or its_link.state == "gone" or product.id in known.open:
        return False
    said = rows.columns(record, products)
    return all(getattr(product, name) == said[name] for name in rows.IN_ONLY)


def _carry_out(batch: Batch, found: Sequence[Held], known: Known, products: Mapping[str, int]) -> None:
    if not found:
        return
    updates, prices = [], []
    moved: dict[str, str] = {}
    questions: list[Question] = []
    wishes: dict[int, outbox.Wish] = {}
    accounts: dict[str, str] | None = None
    for one in found:
        assert one.merged is not None and one.theirs is not None
        if one.merged.asked and accounts is None:
            accounts = account_names(batch.session, batch.books.id)
        questions += [_question(one, name, reason, accounts or {}) for name, reason in one.merged.asked.items()]
        values = _taken(one, products)
        if values:
            updates.append({"id": one.product.id, **values, "updated_at": batch.now, "lock": one.product.lock + 1})
            if (values["price"], values["cost"]) != (one.product.price, one.product.cost):
                prices.append((one.product.id, values["price"], values["cost"]))
            if one.product.type == "category" and one.theirs.type == "category":
                before = rows.path(one.product.category, one.product.name)
                moved |= {before: rows.path(values["category"], values["name"])}
        if one.merged.sent and known.direction.goes_out and not one.waiting:
            wishes[one.product.id] = outbox.Wish("update")
    update_by_id(batch.session, PRODUCTS, updates)
    _note_prices(batch, prices)
    categories.carry_along(batch.session, moved, now=batch.now)
    _keep_bases(batch, found)
    if settings.current(batch.session, batch.books.id, KIND).direction != OFF:
        conflicts.open_or_refresh(batch.session, batch.books.id, KIND, questions,
                                  ids=[one.product.id for one in found], now=batch.now)  # fmt: skip
    outbox.note_many(batch.session, batch.books.id, KIND, wishes, trigger="change", actor=batch.books.actor,
                     now=batch.now)  # fmt: skip
    forget(batch.session, {one.product.id for one in found})


def _taken(one: Held, products: Mapping[str, int]) -> dict[str, Any]:
    """All columns of the product with what theirs wins; empty where nothing of it moves."""
    assert one.merged is not None and one.theirs is not None
    said = rows.columns(one.theirs, products)
    here = {name: getattr(one.product, name) for name in rows.COLUMNS}
    values = here | {name: said[name] for name in (*one.merged.taken, *rows.IN_ONLY)}
    return {**values, **rows.texts(values)} if values != here else {}


def _keep_bases(batch: Batch, found: Sequence[Held]) -> None:
    update_by_id(batch.session, LINKS, [
        {"id": one.link.id, "base": one.merged.base, "version": one.theirs.origin.version, "synced_at": batch.now,
         "state": "linked" if one.theirs.active else "inactive"}
        for one in found if one.merged is not None and one.theirs is not None
    ])  # fmt: skip


def _question(one: Held, field: str, reason: str, accounts: Mapping[str, str]) -> Question:
    assert one.merged is not None and one.theirs is not None
    return Question(
        one.product.id, one.link.remote_id, field, reason,
        item_fields.shown_key(field, one.link.base.get(field, ""), accounts),
        item_fields.shown(one.product, field, accounts), item_fields.shown(one.theirs, field),
        one.edited.get(field), one.theirs.origin.updated_at,
    )  # fmt: skip


def _note_prices(batch: Batch, found: Sequence[tuple[int, Any, Any]]) -> None:
    if found:
        batch.session.execute(insert(PRICES), [
            {"product_id": id_, "at": batch.now, "price": price, "cost": cost, "changed_by": BY}
            for id_, price, cost in found
        ])  # fmt: skip


# --- what points to them --------------------------------------------------------------------------------------


def products_of(batch: Batch, records: Sequence[ItemRecord]) -> dict[str, int]:
    """Item -> product, of what these bundles hold."""
    wanted = {member.item.remote_id for record in records for member in record.members}
    found: dict[str, int] = {}
    for part in chunks(sorted(wanted), PART):
        query = select(Item.remote_id, Item.product_id).where(
            Item.connection_id == batch.books.id, Item.remote_id.in_(part), Item.product_id.is_not(None)
        )
        found |= {row.remote_id: row.product_id for row in batch.session.execute(query)}
    return found


def settle_lines(batch: Batch, remote_ids: Sequence[str]) -> None:
    """Lines of documents that came in before their product know it now."""
    product = select(Item.product_id).where(
        Item.connection_id == batch.books.id, Item.remote_id == SalesLine.item_remote_id
    )
    mine = select(SalesDocument.id).where(SalesDocument.connection_id == batch.books.id)
    for part in chunks(sorted(remote_ids), PART):
        lines = (SalesLine.product_id.is_(None), SalesLine.item_remote_id.in_(part), SalesLine.document_id.in_(mine))
        changed(update(SalesLine).where(*lines).values(product_id=product.scalar_subquery()))
    line_costs.settle_items(batch.session, batch.books.id, remote_ids)
    for loaded in list(batch.session.identity_map.values()):
        if isinstance(loaded, SalesLine):
            batch.session.expire(loaded)


def _settle_bundles(batch: Batch) -> None:
    """Bundles that came in before what they hold; a company has few of them."""
    linked = select(Link.local_id).where(Link.connection_id == batch.books.id, Link.kind == KIND)
    query = select(Product.id, Product.members).where(Product.type == "group", Product.id.in_(linked))
    open_ones = {row.id: row.members for row in batch.session.execute(query)
                 if any(not one.get("product_id") for one in row.members)}  # fmt: skip
    wanted = sorted({one["remote_id"] for members in open_ones.values() for one in members})
    found: dict[str, int] = {}
    for part in chunks(wanted, PART):
        query_ = select(Item.remote_id, Item.product_id).where(
            Item.connection_id == batch.books.id, Item.remote_id.in_(part), Item.product_id.is_not(None)
        )
        found |= {row.remote_id: row.product_id for row in batch.session.execute(query_)}
    update_by_id(batch.session, PRODUCTS, [
        {"id": id_, "members": [{**one, "product_id": found.get(one["remote_id"])} for one in members]}
        for id_, members in open_ones.items()
    ])  # fmt: skip
    forget(batch.session, open_ones)


def forget(session: Session, product_ids: Collection[int]) -> None:
    """What the session remembers of these, and of items and links, is old now."""
    for loaded in list(session.identity_map.values()):
        mine = isinstance(loaded, Product) and loaded.id in product_ids
        if mine or isinstance(loaded, Item | Link):
            session.expire(loaded)
