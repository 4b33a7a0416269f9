"""Rows of every kind that point to a contact, for tests of merges: whatever one re-points, makes or takes away.

Rows of `contact_merge_rows.MOVED` are made from the tables themselves, so that a new place is in these worlds by
itself; those with rules of their own are written here. The property test in `test_contact_merges` draws who has what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from itertools import count
from typing import Any

from sqlalchemy import JSON, Column, insert, select
from sqlalchemy.orm import Session

from crm import clock
from crm.db import Base, Money, db, transaction
from crm.models import Connection
from crm.services import duplicates
from crm.services.contact_merge_rows import MOVED
from crm.services.sync import refresh_link_states
from crm.services.sync.mirror import money
from crm.services.sync.work import books_of
from tests import engine_rows

NUMBERS = count(1)
TOLD = {
    "documents": {"kind": "invoice"}, "sales_documents": {"kind": "estimate", "state": "draft"},
    "customers": {"match_state": "new"}, "plan_lines": {"kind": "customer"},
}  # fmt: skip
"""What columns must say where any text would not do."""


def hang(has: Mapping[str, str], one: int, other: int, third: int, fourth: int) -> None:
    """Key of HANGING -> who of the two has such rows: `one`, `other`, `both` or nobody. The third and the fourth are
    contacts that rows lead to; pairs of these that rules find are in question."""
    company = engine_rows.company()
    with transaction() as session:
        for name, who in has.items():
            for nth, id_ in enumerate((one, other)):
                if who in ("both", ("one", "other")[nth]):
                    HANGING[name](session, company, id_, (third, fourth), nth)
        session.flush()
        duplicates.note_contacts([one, other], now=clock.now())
        refresh_link_states(session, [one, other], now=clock.now())
        money.refresh(session, books_of(session.get_one(Connection, company)), [one, other], now=clock.now())
    db.session.remove()


def add(session: Session, table: str, **given: Any) -> Any:
    """A row with these values, and something in every column that must have a value; answers its first key."""
    made = Base.metadata.tables[table]
    values = {**TOLD.get(table, {}), **given}
    for column in made.columns:
        needed = not column.nullable and column.default is None and column.server_default is None
        if column.name not in values and needed and column is not made.autoincrement_column:
            values[column.name] = _any(session, column, values)
    return session.execute(insert(made).values(values)).inserted_primary_key[0]


def _any(session: Session, column: Column[Any], values: Mapping[str, Any]) -> Any:
    for key in column.foreign_keys:
        parent = key.column.table.name
        if parent == "connections":
            return session.scalars(select(key.column)).first()
        return add(session, parent, **{name: values[name] for name in ("connection_id",) if name in values})
    if isinstance(column.type, Money | JSON):
        return 10 if isinstance(column.type, Money) else []
    kind = getattr(column.type, "impl_instance", column.type).python_type
    whole: dict[type, Any] = {datetime: clock.now(), date: clock.now().date(), bool: False}
    return whole[kind] if kind in whole else kind(next(NUMBERS))


# --- what can hang on a contact --------------------------------------------------------------------------------

Hang = Callable[[Session, int, int, tuple[int, int], int], object]
"""(session, connection, contact, two others, 0 for the first of the two and 1 for the second)"""


def _place(place: str) -> Hang:
    table, _, column = place.partition(".")
    with_company = {"connection_id"} & set(Base.metadata.tables[table].columns.keys())

    def hang_one(session: Session, company: int, id_: int, _: tuple[int, int], __: int) -> None:
        add(session, table, **{column: id_}, **dict.fromkeys(with_company, company))

    return hang_one


def _linked(session: Session, company: int, id_: int, _: tuple[int, int], __: int) -> None:
    """A customer with money. Of two contacts only one can have one there: the first that asks."""
    links = Base.metadata.tables["links"]
    if session.scalar(select(links.c.id).where(links.c.kind == "customer")) is not None:
        return
    customer = add(session, "customers", connection_id=company, remote_id="7", root_remote_id="7", contact_id=id_,
                   match_state="linked", record={})  # fmt: skip
    add(session, "links", connection_id=company, kind="customer", local_id=id_, remote_id="7", state="linked")
    add(session, "matches", connection_id=company, customer_id=customer, contact_id=id_, state="linked")


def _in_question(state: str) -> Hang:
    """For the same customer, so that both may be in question for it."""

    def hang_one(session: Session, company: int, id_: int, _: tuple[int, int], __: int) -> None:
        customers = Base.metadata.tables["customers"]
        asked = (customers.c.remote_id == state, customers.c.connection_id == company)
        customer = session.scalar(select(customers.c.id).where(*asked))
        customer = customer or add(session, "customers", connection_id=company, remote_id=state, match_state="review")
        add(session, "matches", connection_id=company, customer_id=customer, contact_id=id_, state=state)

    return hang_one


def _waits(session: Session, company: int, id_: int, _: tuple[int, int], __: int) -> None:
    add(session, "outbox_entries", connection_id=company, kind="customer", local_id=id_, operation="create",
        state="pending", fields={}, changes={})  # fmt: skip


def _needed(session: Session, company: int, id_: int, _: tuple[int, int], __: int) -> None:
    entries = Base.metadata.tables["outbox_entries"]
    entry = session.scalar(select(entries.c.id).where(entries.c.kind == "invoice"))
    entry = entry or add(session, "outbox_entries", connection_id=company, kind="invoice", local_id=1,
                         operation="create", state="pending", fields={}, changes={})  # fmt: skip
    add(session, "outbox_needs", entry_id=entry, kind="customer", local_id=id_)


def _asked(session: Session, company: int, id_: int, _: tuple[int, int], nth: int) -> None:
    """What is open asks about a customer; about whom is none any more, it was settled."""
    links = Base.metadata.tables["links"]
    linked = session.scalar(select(links.c.id).where(links.c.kind == "customer", links.c.local_id == id_)) is not None
    for field, state in (("city", "open" if linked else "settled"), ("website", "decided")):
        add(session, "conflicts", connection_id=company, kind="customer", local_id=id_, field=field, state=state)


def _member(session: Session, _: int, id_: int, others: tuple[int, int], nth: int) -> None:
    add(session, "household_members", contact_id=id_, bill_to_id=others[0])


def _bills(session: Session, _: int, id_: int, others: tuple[int, int], nth: int) -> None:
    member = add(session, "contacts", display_name="Child", version=1)
    add(session, "household_members", contact_id=member, bill_to_id=id_)


def _apart(session: Session, _: int, id_: int, others: tuple[int, int], nth: int) -> None:
    """Both from the third; from the fourth only the second, so that the first may be in question with it."""
    table = Base.metadata.tables["duplicates"]
    for third in others[: 1 + nth]:
        one, other = sorted((id_, third))
        session.execute(table.delete().where(table.c.one_id == one, table.c.other_id == other))
        add(session, "duplicates", sort="contact", one_id=one, other_id=other, state="apart", decided_by="Kim Berg")


def _member_of(session: Session, _: int, id_: int, __: tuple[int, int], nth: int) -> None:
    table = Base.metadata.tables["segments"]
    found = session.scalars(select(table.c.id).where(table.c.kind == "static")).first()
    segment = found or add(session, "segments", kind="static", version=1)
    add(session, "segment_members", segment_id=segment, contact_id=id_)
    kept = Base.metadata.tables["segment_members"]
    number = len(session.execute(select(kept).where(kept.c.segment_id == segment)).all())
    session.execute(table.update().where(table.c.id == segment).values(members=number))


def _consents(session: Session, _: int, id_: int, __: tuple[int, int], nth: int) -> None:
    said = {"email": ("granted", "denied"), "call": ("denied", "granted"), ("sms", "sms")[nth]: ("granted", "granted")}
    for channel, states in said.items():
        add(session, "contact_consents", contact_id=id_, channel=channel, state=states[nth])


HANGING: dict[str, Hang] = {
    "linked": _linked, **{place: _place(place) for place in MOVED}, "proposed": _in_question("proposed"),
    "rejected": _in_question("rejected"), "waits": _waits, "needed": _needed, "asked": _asked, "member": _member,
    "bills": _bills, "apart": _apart, "segment": _member_of, "consents": _consents,
}  # fmt: skip
