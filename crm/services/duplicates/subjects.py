"""The two sorts of records that duplicates are found among, as `looking` and `deciding` see them. Reads only.

Contacts without the archived ones; customers at the top of their tree that are active in the books: a job never is
another customer's double, and what was made inactive there needs no remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from crm.domain.identity import Identity
from crm.domain.phones import region_of
from crm.models import Connection, Contact, Customer, Document, Match, MoneyFacts
from crm.services.identity_keys import chunks, contact_identities, customer_identity

ASKED = 500
"""Values in one IN; see sync/imports/matching."""
SORTS = ("contact", "customer")


class Subject(NamedTuple):
    identity: Identity
    connection_id: int | None = None
    """Of customers: only those of one company are compared."""
    root: str = ""
    """Of customers: the top of their tree."""


def subjects(session: Session, sort: str, ids: Iterable[int]) -> dict[int, Subject]:
    """Those of these records that can be duplicates."""
    found: dict[int, Subject] = {}
    for part in chunks(sorted(set(ids)), ASKED):
        if sort == "contact":
            found |= {id_: Subject(one) for id_, one in contact_identities(session, part).items()}
        else:
            found |= _customers(session, part)
    return found


def _customers(session: Session, ids: Sequence[int]) -> dict[int, Subject]:
    query = select(
        Customer.id, Customer.connection_id, Customer.remote_id, Customer.root_remote_id, Customer.record,
        Connection.country,
    ).join(Connection, Connection.id == Customer.connection_id)  # fmt: skip
    return {
        row.id: Subject(
            customer_identity(str(row.id), row.record, region_of(row.country or "")), row.connection_id,
            row.root_remote_id or row.remote_id,
        )
        for row in session.execute(query.where(Customer.id.in_(ids), *_standing("customer")))
    }  # fmt: skip


def _standing(sort: str) -> tuple[Any, ...]:
    if sort == "contact":
        return (Contact.archived_at.is_(None),)
    return (Customer.parent_remote_id.is_(None), Customer.gone_at.is_(None), Customer.active.is_(True))


def _ids(sort: str) -> Select[Any]:
    return select(Contact.id if sort == "contact" else Customer.id).where(*_standing(sort))


def number_of(session: Session, sort: str) -> int:
    """How many there are to look at."""
    return session.scalar(select(func.count()).select_from(_ids(sort).subquery())) or 0


def next_ids(session: Session, sort: str, after: int, limit: int) -> list[int]:
    """The next of them, in the order of their ids."""
    id_ = Contact.id if sort == "contact" else Customer.id
    return list(session.scalars(_ids(sort).where(id_ > after).order_by(id_).limit(limit)))


def next_owners(session: Session, sort: str, after: int, limit: int) -> list[int]:
    """The next of those that have identity keys: inactive customers too, since an import finds them by theirs."""
    model: Any = Contact if sort == "contact" else Customer
    standing: tuple[Any, ...] = (Contact.archived_at.is_(None),)
    if sort == "customer":
        standing = (Customer.parent_remote_id.is_(None), Customer.gone_at.is_(None))
    query = select(model.id).where(*standing, model.id > after)
    return list(session.scalars(query.order_by(model.id).limit(limit)))


def names(session: Session, sort: str, ids: Sequence[int]) -> dict[int, str]:
    """What they are called, archived and gone ones too."""
    model: Any = Contact if sort == "contact" else Customer
    return {id_: name for id_, name in session.execute(select(model.id, model.display_name).where(model.id.in_(ids)))}


def told_apart(session: Session, contact_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Pairs of contacts of which a person said already that one is not the customer whose contact the other is."""
    found: set[tuple[int, int]] = set()
    wanted = set(contact_ids)
    for part in chunks(sorted(wanted), ASKED):
        query = select(Match.contact_id, Customer.contact_id).join(Customer, Customer.id == Match.customer_id)
        said = (Match.contact_id.in_(part), Match.state == "rejected", Customer.match_state == "linked")
        for one, other in session.execute(query.where(*said)):
            if other in wanted:
                found.add((min(one, other), max(one, other)))
    return found


def sales(session: Session, sort: str, ids: Iterable[int]) -> dict[int, Decimal]:
    """Lifetime sales of each, where there are any, in the company's currency."""
    found: dict[int, Decimal] = {}
    for part in chunks(sorted(set(ids)), ASKED):
        query = _customer_sales(part) if sort == "customer" else _contact_sales(part)
        found |= {id_: amount for id_, amount in session.execute(query)}
    return found


def _contact_sales(ids: Sequence[int]) -> Any:
    return select(MoneyFacts.contact_id, MoneyFacts.total_sales).where(MoneyFacts.contact_id.in_(ids))


def _customer_sales(ids: Sequence[int]) -> Any:
    amount = case((Document.kind == "invoice", Document.total), else_=-Document.total)
    theirs = (Document.connection_id == Customer.connection_id) & (Document.customer_remote_id == Customer.remote_id)
    counted = (Document.kind.in_(("invoice", "credit_memo")), Document.void.is_(False), Document.gone_at.is_(None))
    return (
        select(Customer.id, func.sum(amount, type_=Document.total.type))
        .join(Document, theirs)
        .where(Customer.id.in_(ids), *counted)
        .group_by(Customer.id)
    )
