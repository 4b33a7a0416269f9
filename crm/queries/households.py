"""Who belongs to whose customer: the bill-to of members, for pages and for whoever asks before it writes. Reads only.

The engine asks `payers`, so that what is written for a member goes to the customer of its bill-to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.contacts import search_terms
from crm.models import Contact, HouseholdMember, MoneyFacts, SalesDocument
from crm.queries import contact_search, contacts
from crm.queries.contact_merges import keeper
from crm.queries.contacts import Row

ASKED = 500
MOST = 10


@dataclass(frozen=True, slots=True)
class Household:
    """A contact's household: its bill-to, where it is a member, or its members, where others are billed to it."""

    bill_to: Contact | None
    members: Sequence[HouseholdMember]
    money: MoneyFacts | None
    """Of the bill-to of a member."""
    unsent: int = 0
    """Quotes and invoices of a member that QuickBooks does not have yet."""

    def __bool__(self) -> bool:
        return self.bill_to is not None or bool(self.members)


def payers(contact_ids: Iterable[int]) -> dict[int, int]:
    """Member -> its bill-to; contacts that belong to nobody are missing."""
    found: dict[int, int] = {}
    ids = sorted(set(contact_ids))
    for start in range(0, len(ids), ASKED):
        mine = HouseholdMember.contact_id.in_(ids[start : start + ASKED])
        query = select(HouseholdMember.contact_id, HouseholdMember.bill_to_id).where(mine)
        found |= {member: bill_to for member, bill_to in db.session.execute(query)}
    return found


def payer(contact_id: int) -> int:
    """The bill-to of a member; a contact that belongs to nobody pays for itself."""
    return payers([contact_id]).get(contact_id, contact_id)


def billed_for(contact_id: int | None) -> Contact | None:
    """Whose customer pays for this contact, where it belongs to somebody's household."""
    mine = select(Contact).join(HouseholdMember, HouseholdMember.bill_to_id == Contact.id)
    return db.session.scalar(mine.where(HouseholdMember.contact_id == contact_id)) if contact_id else None


def bills_others(contact_id: int) -> bool:
    """Whether anybody belongs to this contact."""
    theirs = select(HouseholdMember.contact_id).where(HouseholdMember.bill_to_id == contact_id)
    return db.session.scalar(theirs.limit(1)) is not None


def billing_others(contact_ids: Iterable[int]) -> dict[int, str]:
    """Those of these contacts in use to whom others belong, by name."""
    found: dict[int, str] = {}
    ids = sorted(set(contact_ids))
    for start in range(0, len(ids), ASKED):
        among = HouseholdMember.bill_to_id.in_(ids[start : start + ASKED])
        theirs = select(HouseholdMember.bill_to_id).where(among)
        query = select(Contact.id, Contact.display_name).where(Contact.id.in_(theirs), Contact.archived_at.is_(None))
        found |= {id_: name for id_, name in db.session.execute(query.order_by(Contact.id))}
    return found


def bill_to_among(contact_ids: Sequence[int]) -> int:
    """Which of two one would bill: who is billed for others already, else the one that one would keep."""
    return next(iter(billing_others(contact_ids)), 0) or keeper(contact_ids)


def of_contact(contact_id: int) -> Household:
    mine = select(HouseholdMember).where(HouseholdMember.contact_id == contact_id)
    row = db.session.scalar(mine.options(joinedload(HouseholdMember.bill_to)))
    if row is not None:
        unsent = (SalesDocument.contact_id == contact_id, SalesDocument.customer_remote_id == "",
                  SalesDocument.template.is_(False), SalesDocument.gone_at.is_(None))  # fmt: skip
        number = len(db.session.scalars(select(SalesDocument.id).where(*unsent).limit(100)).all())
        return Household(row.bill_to, (), db.session.get(MoneyFacts, row.bill_to_id), number)
    theirs = select(HouseholdMember).where(HouseholdMember.bill_to_id == contact_id)
    query = theirs.options(joinedload(HouseholdMember.contact)).order_by(HouseholdMember.added_at)
    return Household(None, db.session.scalars(query.order_by(HouseholdMember.contact_id)).all(), None)


def belong_together(contact_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Pairs of a member and its bill-to among these, the smaller id first."""
    wanted = set(contact_ids)
    return {(min(pair), max(pair)) for pair in payers(wanted).items() if pair[1] in wanted}


def search(contact_id: int, text: str) -> list[Row]:
    """Contacts in use that fit what was typed and stand in no household, without this one."""
    terms = search_terms(text)
    if not terms:
        return []
    bound = select(HouseholdMember.contact_id).where(
        or_(HouseholdMember.contact_id == Contact.id, HouseholdMember.bill_to_id == Contact.id)
    )
    here = (Contact.id != contact_id, Contact.archived_at.is_(None), ~bound.exists())
    query = select(Contact.id).where(*here, *contact_search.matching(terms))
    return contacts.rows(db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(MOST)).all())
