"""Products and their items of the books at the conflict desk (`conflict_desk.Desk`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from crm.db import db, table_of
from crm.domain import item_fields, product_values
from crm.domain.conflicts import by_hand
from crm.domain.directions import DIRECTIONS
from crm.domain.errors import Invalid
from crm.domain.item_fields import KIND
from crm.models import Link, Product
from crm.services import audit, conflict_words, products
from crm.services.audit import Actor
from crm.services.conflict_values import Typed
from crm.services.sync import settings
from crm.services.sync.items import taking
from crm.services.sync.items.comparing import Held, account_names, held
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.work import Batch, Books

BY_CHOICE = "Choose what stands here or what stands in QuickBooks; this is not written by hand."


class Products:
    titles: Mapping[str, str] = item_fields.TITLES
    subject = "product"

    def compare(self, session: Session, local_ids: Sequence[int], *, books: Books) -> Mapping[int, Held]:
        return {id_: one for id_, one in held(session, books, local_ids).items() if one.merged is not None}

    def is_linked(self, compared: Held) -> bool:
        return compared.link is not None

    def agrees(self, compared: Held, field: str) -> bool:
        return compared.merged is not None and field in compared.merged.agreed

    def value(self, compared: Held, field: str, choice: str) -> str:
        if choice == "theirs":
            return item_fields.shown(compared.theirs, field)
        return item_fields.shown(compared.product, field, account_names(db.session(), compared.link.connection_id))

    def write_by_hand(
        self, compared: Held, field: str, value: Typed | None, *, actor: Actor, now: datetime
    ) -> str:  # fmt: skip
        if not isinstance(value, str):
            raise Invalid({"value": "Write the value to keep; an empty one empties the field on both sides."})
        if not by_hand(KIND, field):
            raise Invalid({"value": BY_CHOICE})
        session = db.session()
        product = session.get_one(Product, compared.product.id, populate_existing=True)
        read, wrong = product_values.read({**product_values.typed(product), field: value})
        if field in wrong:
            raise Invalid({"value": wrong[field]})
        values = replace(product_values.of(product), **{field: getattr(read, field)})
        try:
            products.change(session, product.id, values, lock=product.lock, actor=actor, now=now)
        except Invalid as problem:
            raise Invalid({"value": problem.fields.get(field) or str(problem)}) from None
        return item_fields.shown(product, field)

    def carry_out(
        self, session: Session, meant: Sequence[Held], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> bool:  # fmt: skip
        update_by_id(session, table_of(Link), [
            {"id": one.link.id, "base": {**one.link.base, field: _agreed(one, field, choice)}} for one in meant
        ])  # fmt: skip
        ids = [one.product.id for one in meant]
        goes_out = DIRECTIONS[settings.current(session, books.id, KIND).direction].goes_out
        if choice != "theirs" and goes_out:
            wish = outbox.Wish("update", outbox.dated([field], now))
            outbox.note_many(session, books.id, KIND, dict.fromkeys(ids, wish), trigger="conflict", actor=actor,
                             now=now)  # fmt: skip
        chosen = [field] if choice == "theirs" else []
        taking.forget(session, set(ids))
        taking.again(Batch(session, books, now, trigger="person"), ids, chosen=chosen)
        about = (KIND, field, self.titles[field])
        conflict_words.log(session, [one.link.remote_id for one in meant], about, choice, books=books, actor=actor,
                           now=now)  # fmt: skip
        return goes_out

    def said(self, compared: Held, field: str, choice: str, *, chosen: str, goes_out: bool) -> str:
        there = item_fields.shown(compared.theirs, field)
        return conflict_words.sentence(self.titles[field], chosen, there, choice, goes_out=goes_out)

    def tell(self, texts: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
        """Products have no timeline: the audit log tells."""
        for product_id, text in texts.items():
            audit.record("product_decided", actor=actor, now=now, subject=f"product:{product_id}", summary=text[:500])

    def again(self, session: Session, local_ids: Sequence[int], *, books: Books, now: datetime) -> None:
        taking.again(Batch(session, books, now, trigger="person"), list(local_ids))


def _agreed(one: Held, field: str, choice: str) -> str:
    """One side counts as unchanged since they last agreed: ours where theirs is taken, else theirs."""
    assert one.merged is not None and one.theirs is not None
    if choice == "theirs":
        return one.merged.here[field]
    return item_fields.keys(one.theirs)[field] or (one.merged.here[field] if field == "taxable" else "")
