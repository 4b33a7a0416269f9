"""Customers of documents that no contact here stands for yet, as the books call them: names for lists and pages.

Pages ask for those of their rows that have no contact: one statement, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased

from crm.db import db
from crm.models import Customer, Document, Link, Payment

UNDECIDED, NOBODY = "match undecided", "no contact yet"
PAGE = 500


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The customer of one document."""

    name: str
    waits: str
    """Name of the customer whose match waits for a decision (of a job, that of its root); empty where none waits."""

    @property
    def state(self) -> str:
        """In the words of the pages' mark (`shared/_unmatched.html`)."""
        return UNDECIDED if self.waits else NOBODY

    def __str__(self) -> str:
        """As files say it."""
        return f"{self.name} ({self.state})"


def of_documents(kind: str, document_ids: Sequence[int]) -> dict[int, Unmatched]:
    """By id of our quotes (`estimate`) or invoices; those the books do not know are missing."""
    there = and_(
        Document.connection_id == Link.connection_id, Document.kind == Link.kind, Document.remote_id == Link.remote_id
    )
    query = (
        select(Link.local_id, Document.connection_id, Document.customer_remote_id)
        .join(Document, there)
        .where(Link.kind == kind, Link.local_id.in_(document_ids))
    )
    return _named(query)


def of_payments(payment_ids: Sequence[int]) -> dict[int, Unmatched]:
    """By id of the mirror's payments."""
    query = select(Payment.id, Payment.connection_id, Payment.customer_remote_id).where(Payment.id.in_(payment_ids))
    return _named(query)


def of_mirrored(document_ids: Sequence[int]) -> dict[int, Unmatched]:
    """By id of the mirror's documents."""
    mine = Document.id.in_(document_ids)
    return _named(select(Document.id, Document.connection_id, Document.customer_remote_id).where(mine))


def beside(rows: Iterable[Any], asked: Callable[[Sequence[int]], dict[int, Unmatched]]) -> Iterator[tuple[Any, str]]:
    """For files: each row with its contact, or what the books call its customer. `asked`: one of the above."""
    left = iter(rows)
    while page := list(islice(left, PAGE)):
        ids = [row.id for row in page if not row.contact]
        found = asked(ids) if ids else {}
        for row in page:
            yield row, row.contact or str(found.get(row.id, ""))


def _named(query: Any) -> dict[int, Unmatched]:
    """`query`: id, company, remote id of the customer."""
    asked = query.subquery()
    id_, company, remote_id = asked.c
    root = aliased(Customer)
    mine = and_(Customer.connection_id == company, Customer.remote_id == remote_id)
    above = and_(root.connection_id == Customer.connection_id, root.remote_id == Customer.root_remote_id)
    rows = db.session.execute(
        select(id_, Customer.display_name, func.coalesce(root.match_state, Customer.match_state),
               func.coalesce(root.display_name, Customer.display_name))
        .join(Customer, mine)
        .outerjoin(root, above)
    )  # fmt: skip
    return {row[0]: Unmatched(row[1], row[3] if row[2] == "review" else "") for row in rows}
