"""Something done to many invoices at once: each that allows it is done, each that does not is left, and says why.

Called by the list of invoices inside `transaction()`. Every deed is the one of the invoice's own page (`invoices`),
with the same rules; a refusal takes back that one invoice alone. It decides nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from crm.db import db
from crm.domain import invoices as rules
from crm.domain.errors import Invalid, Refused
from crm.domain.invoices import DRAFT
from crm.models import SalesDocument
from crm.services import invoices
from crm.services.audit import Actor
from crm.services.invoices import KIND, MOST_AT_ONCE

LONGEST_WHY = 200
STAYS = "This invoice is a draft: it goes to QuickBooks once it is finished, and not before."


@dataclass(frozen=True, slots=True)
class Left:
    """An invoice that stays as it is."""

    id: int
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    done: int
    left: tuple[Left, ...]


def mail(document_ids: Sequence[int], *, actor: Actor, now: datetime) -> Outcome:
    """QuickBooks is to e-mail each to its own address. Without a known end of the last try it is left."""
    return _each(document_ids, lambda one: invoices.mail(one.id, lock=one.lock, to="", looked=False, actor=actor,
                                                         now=now))  # fmt: skip


def hold(document_ids: Sequence[int], *, actor: Actor, now: datetime) -> Outcome:
    """Not yet to the books; a draft does not go there anyway."""

    def deed(one: SalesDocument) -> object:
        if one.state == DRAFT:
            raise Refused(STAYS)
        return invoices.hold(one.id, lock=one.lock, actor=actor, now=now)

    return _each(document_ids, deed)


def release(document_ids: Sequence[int], *, actor: Actor, now: datetime) -> Outcome:
    """To the books now; drafts are finished by it."""

    def deed(one: SalesDocument) -> object:
        if one.state == DRAFT:
            return invoices.finish(one.id, lock=one.lock, actor=actor, now=now)
        return invoices.release(one.id, lock=one.lock, actor=actor, now=now)

    return _each(document_ids, deed)


def void(document_ids: Sequence[int], *, why: str, actor: Actor, now: datetime) -> Outcome:
    """The reason is kept with each of them. Raises Invalid without one."""
    reason = " ".join(why.split())
    if not reason:
        raise Invalid({"why": "Say why they are voided. It is kept with each of them."})
    if len(reason) > LONGEST_WHY:
        raise Invalid({"why": f"{LONGEST_WHY} characters are kept, these are {len(reason)}. Shorten it."})
    return _each(document_ids, lambda one: invoices.void(one.id, lock=one.lock, why=reason, actor=actor, now=now))


def promise(
    document_ids: Sequence[int], *, promised_on: date | None, next_step: str, actor: Actor, now: datetime
) -> Outcome:
    """Of those that have something open. Raises Invalid where nothing is said."""
    if promised_on is None and not next_step.strip():
        raise Invalid({"promised_on": "Say for which day it is promised, or what is to be done next."})

    def deed(one: SalesDocument) -> object:
        rules.refuse("pay", invoices.standing(one))
        return invoices.promise([one.id], promised_on=promised_on, next_step=next_step, actor=actor, now=now)

    return _each(document_ids, deed)


def _each(document_ids: Sequence[int], deed: Callable[[SalesDocument], object]) -> Outcome:
    left = []
    rows = _rows(document_ids)
    for document in rows:
        name = document.number or document.title or "Without number"
        try:
            with db.session.begin_nested():
                deed(document)
        except Refused as problem:
            left.append(Left(document.id, name, str(problem)))
    return Outcome(len(rows) - len(left), tuple(left))


def _rows(document_ids: Sequence[int]) -> Sequence[SalesDocument]:
    """Those that are there, locked for this transaction, in the order of their ids."""
    if len(document_ids) > MOST_AT_ONCE:
        raise Refused(f"Choose {MOST_AT_ONCE} invoices at most at once.")
    mine = (SalesDocument.id.in_(document_ids), SalesDocument.kind == KIND, SalesDocument.gone_at.is_(None))
    query = select(SalesDocument).where(*mine).order_by(SalesDocument.id).with_for_update()
    return db.session.scalars(query.execution_options(populate_existing=True)).all()
