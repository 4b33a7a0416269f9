"""Products on their way out: a product becomes the body of an item, and what comes back is kept.

What is sent decides `items/comparing`, with the same base, policies and edits as on the way in; storing is the kind's
own way in (`mirror/kinds.take`). What is in stock is never sent: an item that counts stock begins there with none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain import item_fields, products
from crm.domain.errors import InvalidValue
from crm.domain.item_fields import KIND, TITLES
from crm.domain.product_values import ACCOUNTS
from crm.domain.records import ItemRecord, Record
from crm.models import Connection, Item, Link, OutboxEntry, Product, SalesLine
from crm.providers.accounting.base import Body
from crm.services import sales_tax
from crm.services.sync.imports.fetch import Names
from crm.services.sync.items import categories, mirroring, records, rows, taking
from crm.services.sync.items.comparing import Held, account_names, held, links_of
from crm.services.sync.merge.comparing import edits_of
from crm.services.sync.mirror import gone
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.outbox.kinds.port import Answer, Nothing, Outgoing, Park, Prepared, Send
from crm.services.sync.work import Batch

LINKS = table_of(Link)
AGREED = "Both sides agree; there is nothing to send."
UNDECIDED = "Nothing is sent before somebody has decided about the conflict ({})."
NO_PRODUCT = "The product is not here any more."
UNLINKED = "The product is not linked to an item in QuickBooks any more."
OUT_OF_USE = "The product was taken out of use before it was sent."
BUNDLE = "Bundles are made in QuickBooks; from there they come here by themselves."
VERBS = {
    "create": "Created in QuickBooks", "update": "Sent to QuickBooks", "deactivate": "Made inactive in QuickBooks",
    "reactivate": "Made active in QuickBooks",
}  # fmt: skip
MOST_TOLD = 80
"""Characters of one value in a sentence."""


@dataclass(frozen=True, slots=True)
class Here:
    """What the open transaction knows about the entries."""

    held: Mapping[int, Held]
    accounts: Mapping[str, str]
    """Remote id -> name."""
    above: Mapping[str, str]
    """Path of a category -> its item."""
    bearers: Mapping[str, Sequence[Any]]
    """Path in lower case -> items of the mirror that stand there."""
    taxed: bool
    """Whether items say that they are taxable: in the US."""


class Items(Outgoing):
    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        session.execute(select(Product.id).where(Product.id.in_(local_ids)).order_by(Product.id).with_for_update())

    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        here = _look(batch, entries)
        found: dict[int, Prepared] = {}
        for entry in entries:
            try:
                found[entry.id] = _prepared(batch, entry, here, body)
            except InvalidValue as error:
                found[entry.id] = Park("bad_value", str(error))
        return found

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        written = [one for one in answers if isinstance(one.record, ItemRecord)]
        self._link(batch, [one for one in written if one.entry.operation == "create"])
        self._agree(batch, written)
        read = [one.record for one in written if isinstance(one.record, ItemRecord)]
        incoming.take(batch, KIND, read, Names(known={}))
        self._remember(batch, read)
        for one in written:
            one.entry.fields = {name: at for name, at in one.entry.fields.items() if name != "active"}
        return {one.entry.id: _sentence(one) for one in written}

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        """Those that are products here are merged. Who bears a refused name is only kept in the mirror: that a person
        is asked about it, is the point."""
        read = [record for record in records if isinstance(record, ItemRecord)]
        ids = [record.origin.remote_id for record in read]
        ours = {link.remote_id for link in links_of(batch.session, batch.books.id, Link.remote_id.in_(ids))}
        incoming.take(batch, KIND, [one for one in read if one.origin.remote_id in ours], Names(known={}))
        mirroring.take(batch, [one for one in read if one.origin.remote_id not in ours])

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        gone.mark(batch, KIND, gone.rows_of(batch, KIND, remote_ids))

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        ids = [one.origin.remote_id for one in bearers if isinstance(one, ItemRecord)]
        mine = (Item.connection_id == batch.books.id, Item.remote_id.in_(ids))
        found = batch.session.execute(select(table_of(Item)).where(*mine).order_by(Item.id)).all()
        return _name_is_taken(batch, entry.changes.get("name", ["", ""])[1], found)

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        return {}

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        query = select(Product.id, Product.name).where(Product.id.in_(local_ids))
        return {id_: name for id_, name in session.execute(query)}

    # --- back -------------------------------------------------------------------------------------------------

    def _link(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """Links for what was created. One that is linked already (its event came before the answer) stays."""
        ids = [one.entry.local_id for one in answers]
        remote = [one.record.origin.remote_id for one in answers if one.record is not None]
        known = {link.local_id: link for link in links_of(batch.session, batch.books.id, Link.local_id.in_(ids))}
        there = links_of(batch.session, batch.books.id, Link.remote_id.in_(remote))
        elsewhere = {link.remote_id: link for link in there}
        fresh = []
        for one in answers:
            assert isinstance(one.record, ItemRecord)
            own, other = known.get(one.entry.local_id), elsewhere.get(one.record.origin.remote_id)
            if own is not None and own.state != "gone":
                continue
            if own is not None:
                batch.session.execute(delete(LINKS).where(LINKS.c.id == own.id))
            if other is not None:
                _take_over(batch, one, other)
                continue
            fresh.append(taking.link_row(batch, one.record, one.entry.local_id, base={}, by=one.entry.actor))
        if fresh:
            batch.session.execute(insert(LINKS), fresh)
        batch.session.expire_all()

    def _agree(self, batch: Batch, answers: Sequence[Answer]) -> None:
        """What was sent is agreed on: as it stands here, so that what the books made of it is taken; where it was
        edited since, as it came back."""
        ids = [one.entry.local_id for one in answers]
        edits = edits_of(batch.session, batch.books.id, KIND, ids)
        products_ = {row.id: row for row in batch.session.execute(
            select(table_of(Product)).where(Product.id.in_(ids)))}  # fmt: skip
        links = {link.local_id: link for link in links_of(batch.session, batch.books.id, Link.local_id.in_(ids))}
        bases = []
        for one in answers:
            link, product = links.get(one.entry.local_id), products_.get(one.entry.local_id)
            if link is None or product is None or not isinstance(one.record, ItemRecord):
                continue
            here, there = item_fields.keys(product), item_fields.keys(one.record)
            moments = edits[one.entry.local_id].moments if one.entry.local_id in edits else {}
            frozen = one.entry.frozen_at or batch.now
            later = {name for name, at in moments.items() if at is not None and at > frozen}
            sent = _sent(one)
            agreed = {name: (there if name in later else here)[name] for name in sent}
            bases.append({"id": link.id, "base": {**link.base, **agreed}})
        update_by_id(batch.session, LINKS, bases)
        batch.session.expire_all()

    def _remember(self, batch: Batch, read: Sequence[ItemRecord]) -> None:
        """What our write left there: a change that comes in with the same content is its echo."""
        hashes = {record.origin.remote_id: content_hash(as_stored(record)) for record in read}
        found = links_of(batch.session, batch.books.id, Link.remote_id.in_(list(hashes)))
        update_by_id(batch.session, LINKS, [
            {"id": row.id, "written_hash": hashes[row.remote_id], "written_at": batch.now} for row in found
        ])  # fmt: skip
        taking.point(batch, {row.remote_id: row.local_id for row in found})
        taking.settle_lines(batch, list(hashes))


# --- one entry ------------------------------------------------------------------------------------------------


def _look(batch: Batch, entries: Sequence[OutboxEntry]) -> Here:
    found = held(batch.session, batch.books, [entry.local_id for entry in entries])
    new = [one.product for one in found.values() if one.theirs is None]
    mode = sales_tax.mode_of(batch.session.get_one(Connection, batch.books.id))
    return Here(
        found, account_names(batch.session, batch.books.id),
        categories.items_at(batch.session, batch.books.id, {product.category for product in new}),
        _bearers(batch, [rows.path(product.category, product.name) for product in new]), mode != sales_tax.GLOBAL,
    )  # fmt: skip


def _bearers(batch: Batch, paths: Sequence[str]) -> dict[str, list[Any]]:
    """Items that stand at one of these places, inactive ones included; those that are gone stand nowhere."""
    wanted = {path.lower() for path in paths}
    mine = (Item.connection_id == batch.books.id, Item.gone_at.is_(None), func.lower(Item.full_path).in_(wanted))
    found: dict[str, list[Any]] = {}
    for row in batch.session.execute(select(table_of(Item)).where(*mine).order_by(Item.id)) if wanted else ():
        found.setdefault(row.full_path.lower(), []).append(row)
    return found


def _prepared(batch: Batch, entry: OutboxEntry, here: Here, body: Body) -> Prepared:
    one = here.held.get(entry.local_id)
    if one is None:
        return Nothing(NO_PRODUCT)
    known = one.link is not None and one.link.state != "gone"
    if not known and entry.operation == "create":
        return _create(batch, one, here, body)
    if one.link is None:
        return Nothing(UNLINKED)
    if one.theirs is None:
        return Park("gone", f"“{one.product.name}” was deleted in QuickBooks, or merged into another product.",
                    {"remote_id": one.link.remote_id})  # fmt: skip
    return _update(entry, one, here, body)


def _create(batch: Batch, one: Held, here: Here, body: Body) -> Prepared:
    product = one.product
    if not product.active:
        return Nothing(OUT_OF_USE)
    if product.type not in products.CREATABLE:
        return Park("feature_off", BUNDLE)
    wrong = _wrong(product)
    if wrong is not None:
        return wrong
    if product.category and product.category not in here.above:
        return Park("reference", f"Its category “{product.category}” is not in QuickBooks. Create the category there "
                    "first, or choose another one here.", {"field": "category"})  # fmt: skip
    bearers = here.bearers.get(rows.path(product.category, product.name).lower(), ())
    if bearers:
        return _name_is_taken(batch, product.name, bearers)
    ours = records.new(product, parent=here.above.get(product.category, ""), today=batch.now.date())
    ours = ours if here.taxed else replace(ours, taxable=None)
    changes = {name: ["", text] for name in TITLES if name != "active"
               and (text := item_fields.shown(product, name, here.accounts))}  # fmt: skip
    return Send("create", body(KIND, "create", ours), changes=changes)


def _wrong(product: Any) -> Park | None:
    """What the books would refuse, found before a call is spent."""
    accounts = {name: getattr(product, name) for name in ACCOUNTS}
    draft = products.Draft(product.name, product.type, product.sku, product.description, product.purchase_description,
                           product.price, product.cost, accounts)  # fmt: skip
    found = products.problems(draft)
    if product.cost and not product.expense_account and product.type in ("service", "non_inventory"):
        found["expense_account"] = "Choose the expense account: QuickBooks books the cost there. Or take the cost out."
    if not found:
        return None
    field = next(iter(found))
    cause = "missing_value" if field in ACCOUNTS else "bad_name" if field == "name" else "bad_value"
    return Park(cause, " ".join(found.values()), {"field": field, "fields": list(found)})


def _update(entry: OutboxEntry, one: Held, here: Here, body: Body) -> Prepared:
    assert one.merged is not None and one.theirs is not None
    theirs, product, operation = one.theirs, one.product, entry.operation
    sent = [name for name in one.merged.sent if not _left_out(entry, one, name)]
    active = product.active if "active" in sent else theirs.active
    if operation in ("deactivate", "reactivate") and "active" not in one.merged.asked:
        active = operation == "reactivate"
    fields = [name for name in sent if name != "active"]
    if active is theirs.active and not fields:
        asked = ", ".join(TITLES[name] for name in one.merged.asked)
        return Nothing(UNDECIDED.format(asked) if asked else AGREED)
    if theirs.type == "group":
        return Park("feature_off", BUNDLE)
    if not theirs.active and active is theirs.active:
        return Park("inactive", f"“{theirs.name}” is inactive in QuickBooks.", {"remote_id": theirs.origin.remote_id})
    ours = records.of(product, theirs, active=active)
    changes = {name: [item_fields.shown(theirs, name), item_fields.shown(product, name, here.accounts)]
               for name in fields}  # fmt: skip
    if active is not theirs.active:
        changes["active"] = [item_fields.ACTIVE[theirs.active], item_fields.ACTIVE[active]]
    stored, remote_id = as_stored(theirs), theirs.origin.remote_id
    if active is theirs.active or (fields and not active):
        what = fields if active is theirs.active else [*fields, "active"]
        return Send("update", body(KIND, "update", ours, fields=what, current=theirs), stored, changes, remote_id)
    # Made active it takes our other changes with the next write, made from what then stands there.
    changes = {"active": changes["active"]}
    operation = "reactivate" if active else "deactivate"
    return Send(operation, body(KIND, operation, None, current=theirs), stored, changes, remote_id)


def _left_out(entry: OutboxEntry, one: Held, field: str) -> bool:
    """A plan that was approved without this field leaves it out, until somebody edits it again or approves it."""
    if "left" not in entry.options:
        return one.left(field)
    left = entry.options["left"].get(field)
    return left is not None and bool(entry.fields.get(field, "") <= left)


def _name_is_taken(batch: Batch, name: str, bearers: Sequence[Any]) -> Park:
    """The entry waits for a person, with who bears the name as evidence. `bearers` are rows of the mirror."""
    ids = [row.product_id for row in bearers if row.product_id]
    ours = {id_: text for id_, text in batch.session.execute(
        select(Product.id, Product.name).where(Product.id.in_(ids)))}  # fmt: skip
    holders = [
        {"kind": "product", "remote_id": row.remote_id, "name": row.full_path, "active": row.active,
         "product_id": row.product_id, "product": ours.get(row.product_id or 0, ""),
         "adoptable": row.product_id is None}
        for row in bearers
    ]  # fmt: skip
    evidence = {"field": "name", "name": name, "holders": holders}
    if not holders:
        return Park("duplicate_name", f"“{name}” is taken in QuickBooks, by which product it does not say.", evidence)
    told = "; ".join(
        f"the {'' if one['active'] else 'inactive '}product “{one['name']}”"
        + (f", which is {one['product']} here" if one["product"] else "") for one in holders
    )  # fmt: skip
    return Park("duplicate_name", f"“{name}” is taken in QuickBooks by {told}.", evidence)


# --- what came back -------------------------------------------------------------------------------------------


def _sent(one: Answer) -> Sequence[str]:
    return tuple(TITLES) if one.entry.operation == "create" else [name for name in one.entry.changes if name in TITLES]


def _take_over(batch: Batch, one: Answer, link: Any) -> None:
    """The event of our own write was read before its answer came, and made a product of its own: that one gives way to
    the one it was written from, with whatever points to it."""
    mine, other = one.entry.local_id, link.local_id
    batch.session.execute(update(LINKS).where(LINKS.c.id == link.id).values(local_id=mine))
    changed(update(SalesLine).where(SalesLine.product_id == other).values(product_id=mine))
    taking.point(batch, {link.remote_id: mine})
    changed(delete(Product).where(Product.id == other, Product.source == "quickbooks", Product.lock == 1))


def _sentence(one: Answer) -> str:
    assert isinstance(one.record, ItemRecord)
    entry, words = one.entry, VERBS[one.entry.operation]
    if entry.operation != "update":
        return f"{words}: product “{one.record.name}”."
    parts = [f"{TITLES[name]} {_cut(old)} → {_cut(new)}" for name, (old, new) in entry.changes.items()]
    return f"{words}: {'; '.join(parts)}"


def _cut(text: str) -> str:
    return (text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…") or "none"
