"""Products in plans: what may be chosen, what both sides never agreed on, and taking a write back.

| written was | taken back by | unless |
|---|---|---|
| a new item | making it inactive: QuickBooks deletes no item | it counts stock that is not zero |
| fields | their old values, field by field, on both sides | the field was changed since, on either side |
| inactive | making it active | it is active again |
| active | making it inactive | as above |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from crm.domain import item_fields, product_values
from crm.domain.errors import Refused
from crm.domain.item_fields import KIND, TITLES
from crm.domain.plans import AS_BEFORE, Kept, take_back
from crm.domain.product_values import ACCOUNTS, Values
from crm.domain.records import ItemRecord
from crm.models import Item, Link, OutboxEntry, Plan, PlanLine, Product
from crm.services.audit import Actor
from crm.services.sync.items.comparing import Held, held
from crm.services.sync.mirror.stored import as_stored, from_stored
from crm.services.sync.plans.kinds.port import Deed, Drawn, Usual
from crm.services.sync.work import Books

OPPOSITE = {"create": "deactivate", "update": "update", "deactivate": "reactivate", "reactivate": "deactivate"}
CREATED = "It was created by us. QuickBooks deletes no product, so it is made inactive, there and here."
GONE = "It was deleted or merged in QuickBooks since: there is nothing left to put back."
GONE_HERE = "The product is gone, so there is nothing to put back."
OTHER = "The product is another item in QuickBooks by now."
NO_IMAGE = "It was changed in QuickBooks since, and how we had left it is not known. Change it by hand where needed."
STOCK = "QuickBooks counts some of it in stock and would write them off. Bring the quantity to zero there first."
MOVED = "It stands otherwise by now than the plan showed. Decide about it anew."
AGREED = "Both sides agree about it by now."
UNLINKED = "The product is not linked to an item in QuickBooks any more."
CLOSED = "The sync settings let nothing out, so ours is not sent; it counts as decided."


@dataclass(frozen=True, slots=True)
class Taken(Drawn):
    """What taking it back would do, with the record it shall be again."""

    target: ItemRecord | None = None


class ItemPlans(Usual):
    def __init__(self) -> None:
        super().__init__(KIND)

    def offered(self, connection_id: int) -> Select[int] | None:
        """Products in use that the books do not know; bundles are made there."""
        known = exists().where(Link.connection_id == connection_id, Link.kind == KIND, Link.local_id == Product.id)
        return select(Product.id).where(Product.active.is_(True), Product.type != "group", ~known)

    def differences(
        self, session: Session, books: Books, local_ids: Sequence[int]
    ) -> Mapping[int, Mapping[str, list[str]]]:
        found = {}
        for id_, one in held(session, books, local_ids).items():
            pairs = {name: _pair(one, name) for name in (one.merged.differing if one.merged else ())
                     if name not in one.link.base}  # fmt: skip
            if pairs:
                found[id_] = pairs
        return found

    def decide(
        self, session: Session, books: Books, lines: Sequence[PlanLine], choice: str, *, actor: Actor, now: datetime
    ) -> Mapping[int, str]:
        from crm.services.conflict_desk import DESKS  # it asks the engine itself, which this is a part of

        [name] = {name for line in lines for name in line.changes}
        found = held(session, books, [line.local_id for line in lines])
        why = {line.id: text for line in lines if (text := _why_not(line, name, found.get(line.local_id)))}
        meant = [found[line.local_id] for line in lines if line.id not in why]
        goes_out = DESKS[KIND].carry_out(session, meant, name, choice, books=books, actor=actor, now=now)
        if choice == "ours" and not goes_out:
            why |= {line.id: CLOSED for line in lines if line.id not in why}
        return why

    def left_as(self, session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
        found = session.execute(
            select(Item.record, Item.content_hash, Link.written_hash)
            .join(Link, (Link.connection_id == Item.connection_id) & (Link.remote_id == Item.remote_id))
            .where(Item.connection_id == entry.connection_id, Link.kind == KIND, Item.remote_id == entry.remote_id)
        ).first()
        return dict(found.record) if found is not None and found.content_hash == found.written_hash else None

    def undoing(self, session: Session, books: Books, deeds: Sequence[Deed]) -> list[Drawn]:
        found = held(session, books, [deed.local_id for deed in deeds])
        return [_undoing(deed, found.get(deed.local_id)) for deed in deeds]

    def put_back(
        self, session: Session, plan: Plan, one: Drawn, fields: Sequence[str], *, books: Books, actor: Actor,
        now: datetime,
    ) -> str:  # fmt: skip
        from crm.services import products  # it asks the engine itself, which this is a part of

        assert isinstance(one, Taken) and one.target is not None
        product = session.get_one(Product, one.local_id, populate_existing=True)
        values = {name: _value(one.target, name) for name in fields if name != "active"}
        wanted: Values = replace(product_values.of(product), **values)
        try:
            products.change(session, product.id, wanted, lock=product.lock, actor=actor, now=now)
            if "active" in fields:
                switch = products.reactivate if one.target.active else products.deactivate
                switch(session, product.id, lock=product.lock, actor=actor, now=now)
        except Refused as refused:
            return f"The product cannot get its old values back: {refused}"
        return ""


def _undoing(deed: Deed, one: Held | None) -> Taken:
    if one is None:
        return Taken(deed.local_id, "", "skip", deed.remote_id, {}, GONE_HERE, kind=KIND)
    name, theirs = one.product.name, one.theirs

    def stays(action: str, reason: str) -> Taken:
        before = as_stored(theirs) if theirs is not None else None
        return Taken(deed.local_id, name, action, deed.remote_id, {}, reason, before=before, kind=KIND)

    if one.link is None or one.link.remote_id != deed.remote_id:
        return stays("skip", OTHER)
    if theirs is None:
        return stays("skip", GONE)
    action = OPPOSITE[deed.operation]
    if action == "deactivate":
        if not theirs.active:
            return stays("skip", "It is inactive already.")
        return stays("refuse", STOCK) if theirs.quantity_on_hand else stays("deactivate", CREATED)
    if action == "reactivate":
        return stays("skip", "It is active again already.") if theirs.active else stays("reactivate", "")
    return _fields_back(deed, one, theirs, stays)


def _fields_back(deed: Deed, one: Held, theirs: ItemRecord, stays: Any) -> Taken:
    if deed.after is None or deed.before is None:
        return stays("skip", NO_IMAGE)  # type: ignore[no-any-return]
    before, after = (from_stored(ItemRecord, record) for record in (deed.before, deed.after))
    old, left = item_fields.keys(before), item_fields.keys(after)
    written = [name for name in TITLES if old[name] != left[name]]
    back, kept = take_back(written, before=old, after=left, there=item_fields.keys(theirs),
                           here=item_fields.keys(one.product))  # fmt: skip
    reason = _told(kept)
    if not back:
        return stays("skip", reason or AS_BEFORE)  # type: ignore[no-any-return]
    changes = {name: [item_fields.shown(theirs, name), item_fields.shown(before, name)] for name in back}
    return Taken(one.product.id, one.product.name, "update", deed.remote_id, changes, reason, before=as_stored(theirs),
                 kind=KIND, target=before)  # fmt: skip


def _told(kept: Sequence[Kept]) -> str:
    parts = [f"{TITLES[one.field]} ({one.why})" for one in kept]
    return f"Left as they are: {', '.join(parts)}." if parts else ""


def _value(record: ItemRecord, name: str) -> Any:
    value = getattr(record, name)
    if name in ACCOUNTS:
        return value.remote_id if value else ""
    return value is not False if name == "taxable" else value


def _pair(one: Held, name: str) -> list[str]:
    return [item_fields.shown(one.theirs, name), item_fields.shown(one.product, name)]


def _why_not(line: PlanLine, name: str, one: Held | None) -> str:
    if one is None or one.merged is None:
        return UNLINKED
    if name in one.merged.agreed:
        return AGREED
    return "" if _pair(one, name) == list(line.changes[name]) else MOVED
