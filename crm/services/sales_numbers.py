"""The number of a new document: what somebody typed, else the next of ours; empty where the books count."""

from __future__ import annotations

from sqlalchemy import select

from crm.db import db
from crm.domain.numbers import OURS, take
from crm.models import Connection, SalesDocument
from crm.services import sales_settings


def number_of(kind: str, typed: str) -> str:
    """`kind`: estimate or invoice. The company's row is held meanwhile, so that two people never take the same one."""
    company_id = sales_settings.company_in_use(db.session())
    if typed or sales_settings.current(db.session(), company_id).numbers(kind).rule != OURS:
        return typed
    if company_id is not None:
        # Not the row's key: batches that insert rows naming the company, and wait for our document, must not wait
        # for us.
        held = select(Connection.id).where(Connection.id == company_id)
        db.session.scalar(held.with_for_update(key_share=True))
    rule = sales_settings.current(db.session(), company_id).numbers(kind)
    taken: list[str] = []
    while True:
        number, _ = take(rule, taken=taken)
        mine = (SalesDocument.kind == kind, SalesDocument.number == number)
        if db.session.scalar(select(SalesDocument.id).where(*mine).limit(1)) is None:
            return number
        taken.append(number)
