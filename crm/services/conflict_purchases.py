"""Vendors and bills at the conflict desk (`conflict_desk.Desk`): one side is chosen or a value written.

A bill's lines are chosen as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.db import db, table_of
from crm.domain import purchase_fields, purchases
from crm.domain.conflicts import by_hand
from crm.domain.directions import DIRECTIONS
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.purchases import PLACE
from crm.models import Bill, Link, Vendor
from crm.services import audit, bills, conflict_words, vendors
from crm.services.audit import Actor
from crm.services.conflict_values import Typed
from crm.services.sync import settings
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.purchases import merging, taking
from crm.services.sync.purchases.comparing import Held, held
from crm.services.sync.work import Batch, Books


class Purchases:
    """`kind`: vendor or bill."""

    def __init__(self, kind: str) -> None:
        self.kind, self.subject, self.titles = kind, kind, purchase_fields.TITLES[kind]

    def compare(self, session: Session, local_ids: Sequence[int], *, books: Books) -> Mapping[int, Held]:
        found = held(session, books, self.kind, local_ids)
        return {id_: one for id_, one in found.items() if one.merged is not None}

    def is_linked(self, compared: Held) -> bool:
        return compared.link is not None and compared.link.state != "gone"

    def agrees(self, compared: Held, field: str) -> bool:
        return compared.merged is not None and field in compared.merged.agreed

    def value(self, compared: Held, field: str, choice: str) -> str:
        return purchase_fields.shown(compared.theirs if choice == "theirs" else compared.ours, field)

    def write_by_hand(
        self, compared: Held, field: str, value: Typed | None, *, actor: Actor, now: datetime
    ) -> str:  # fmt: skip
        if not by_hand(self.kind, field):
            raise Invalid({"value": f"Keep ours or take QuickBooks', then edit the {self.subject} on its own page."})
        write = _write_vendor if self.kind == "vendor" else _write_bill
        try:
            return write(db.session(), compared.row, field, value, actor=actor, now=now)
        except Invalid as wrong:
            parts = {name: text for name, text in wrong.fields.items() if name in PLACE and field == "address"}
            raise Invalid(parts or {"value": wrong.fields.get(field) or str(wrong)}) from None
        except Changed:
            raise
        except Refused as refused:
            raise Invalid({"value": str(refused)}) from None

    def carry_out(
        self, session: Session, meant: Sequence[Held], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> bool:  # fmt: skip
        update_by_id(session, table_of(Link), [
            {"id": one.link.id, "base": {**one.link.base, field: _agreed(one, field, choice)}} for one in meant
        ])  # fmt: skip
        ids = [one.row.id for one in meant]
        goes_out = DIRECTIONS[settings.current(session, books.id, self.kind).direction].goes_out
        if choice != "theirs" and goes_out:
            wish = outbox.Wish("update", outbox.dated([field], now))
            outbox.note_many(session, books.id, self.kind, dict.fromkeys(ids, wish), trigger="conflict", actor=actor,
                             now=now)  # fmt: skip
        taking.forget(session)
        batch = Batch(session, books, now, trigger="person")
        merging.merge_ours(batch, self.kind, ids, chosen=[field] if choice == "theirs" else [])
        about = (self.kind, field, self.titles[field])
        conflict_words.log(session, [one.link.remote_id for one in meant], about, choice, books=books, actor=actor,
                           now=now)  # fmt: skip
        return goes_out

    def said(self, compared: Held, field: str, choice: str, *, chosen: str, goes_out: bool) -> str:
        there = purchase_fields.shown(compared.theirs, field)
        return conflict_words.sentence(self.titles[field], chosen, there, choice, goes_out=goes_out)

    def tell(self, texts: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
        """Neither has a timeline: the audit trail, which their pages show, tells."""
        for id_, text in texts.items():
            audit.record(f"{self.kind}_decided", actor=actor, now=now, subject=f"{self.kind}:{id_}", summary=text[:500])

    def again(self, session: Session, local_ids: Sequence[int], *, books: Books, now: datetime) -> None:
        merging.merge_ours(Batch(session, books, now, trigger="person"), self.kind, list(local_ids))


def _agreed(one: Held, field: str, choice: str) -> str:
    """One side counts as unchanged since they last agreed: ours where theirs is taken, else theirs."""
    assert one.merged is not None
    return one.merged.here[field] if choice == "theirs" else purchase_fields.keys(one.theirs)[field]


def _write_vendor(
    session: Session, row: Any, field: str, value: Typed | None, *, actor: Actor, now: datetime
) -> str:  # fmt: skip
    stands = session.get_one(Vendor, row.id, populate_existing=True)
    if field == "address":
        if not isinstance(value, Mapping):
            raise Invalid({"value": f"Give the address in its parts: {', '.join(PLACE)}."})
        given = {part: value.get(part, "") for part in PLACE}
    else:
        given = {field: _text(value)}
    values = purchases.read_vendor(asdict(purchases.vendor_of(stands)) | given)
    vendors.change(session, row.id, values, lock=stands.lock, actor=actor, now=now)
    if field != "address":
        return str(getattr(values, field))
    return "\n".join(text for part in PLACE if (text := getattr(values, part)))


def _write_bill(
    session: Session, row: Any, field: str, value: Typed | None, *, actor: Actor, now: datetime
) -> str:  # fmt: skip
    stands = session.get_one(Bill, row.id, populate_existing=True)
    text = _text(value)
    typed = replace(bills.typed(session, stands), **{field: text})  # type: ignore[arg-type]
    bills.change(session, row.id, typed, lock=stands.lock, actor=actor, now=now)
    return text.strip()


def _text(value: Typed | None) -> str:
    if not isinstance(value, str):
        raise Invalid({"value": "Write the value to keep; an empty one empties the field on both sides."})
    return value
