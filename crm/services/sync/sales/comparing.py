"""Quotes and invoices held against their documents of the books: what stands on both sides, and what to do.

`merging` carries it out on the way in, the outbox kind on the way out; both with the same base, policies and edits.
Meant for the few that are edited, with a fixed number of statements for a page of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from crm.db import table_of
from crm.domain import custom_fields, merging, sales_fields
from crm.domain.directions import DIRECTIONS, Direction
from crm.domain.merging import Merged
from crm.domain.policies import ASK, QUICKBOOKS, emptied
from crm.domain.record_documents import DocumentRecord
from crm.models import Connection, Customer, Document, Item, Link, SalesDocument
from crm.queries import households
from crm.services import sales_tax
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.comparing import edits_of
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.sales import linking
from crm.services.sync.sales.records import Known, record_of
from crm.services.sync.work import Books

VOID_MARK = "private_note"


@dataclass(frozen=True, slots=True)
class Held:
    document: SalesDocument
    link: Any
    """Row of the link; None: the books do not hold it."""
    ours: DocumentRecord
    """What the books shall hold."""
    theirs: DocumentRecord | None
    """What they hold; None where they do not, or it is gone there."""
    merged: Merged | None
    """None without theirs."""
    edited: Mapping[str, datetime | None]
    waiting: bool
    """An outbox entry still absorbs edits."""
    direction: Direction
    known: Known


def held(
    session: Session,
    books: Books,
    kind: str,
    ids: Sequence[int],
    *,
    read: Mapping[str, DocumentRecord] | None = None,
    decided: Collection[str] = (),
) -> dict[int, Held]:
    """Each of these documents of ours, locked, against what the books hold. `read`: remote id -> a fresher reading than
    the mirror's. `decided`: fields that somebody said shall be as they are there."""
    session.flush()
    query = select(SalesDocument).where(SalesDocument.id.in_(ids), SalesDocument.kind == kind)
    documents = session.scalars(
        query.order_by(SalesDocument.id).options(selectinload(SalesDocument.lines)).with_for_update()
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
    links = _links(session, books.id, kind, ids)
    theirs = records_of(session, books.id, kind, [link.remote_id for link in links.values()]) | dict(read or {})
    known = known_of(session, books.id, documents)
    edits = edits_of(session, books.id, kind, ids)
    open_ones = conflicts.undecided(session, books.id, kind, ids)
    setting = settings.current(session, books.id, kind)
    found = {}
    for document in documents:
        link = links.get(document.id)
        there = theirs.get(link.remote_id) if link is not None and link.state != "gone" else None
        ours = record_of(document, known[document.id], there)
        mine = edits.get(document.id)
        edited, merged = dict(mine.moments) if mine else {}, None
        if link is not None and there is not None:
            asked = open_ones.get(document.id, {})
            edited = edited or _differing(document, ours, link.base)
            edited = {**{name: at for name, at in asked.items() if at is not None}, **edited}
            merged = merging.merge(
                link.base, sales_fields.keys(ours), sales_fields.keys(there),
                policies=_rules(setting.policies, asked, decided, void=there.void), edited=edited,
                theirs_at=there.origin.updated_at,
            )  # fmt: skip
            if not DIRECTIONS[setting.direction].comes_in:
                left = [name for name in merged.taken if name not in decided]
                merged = merging.left_alone(merged, link.base, left)
        found[document.id] = Held(document, link, ours, there, merged, edited, bool(mine and mine.waiting),
                                  DIRECTIONS[setting.direction], known[document.id])  # fmt: skip
    return found


def _rules(
    policies: Mapping[str, str], asked: Collection[str], decided: Collection[str], *, void: bool
) -> dict[str, str]:
    """What a person was asked about stays theirs to decide, until both sides agree by themselves. The note of one that
    is void there is never written over: how it begins is all that tells of the void [FACTS 2.5]."""
    return {**policies, **dict.fromkeys(asked, ASK), **{emptied(name): ASK for name in asked},
            **{emptied(name): QUICKBOOKS for name in decided}, **({VOID_MARK: QUICKBOOKS} if void else {})}  # fmt: skip


def _differing(document: SalesDocument, ours: DocumentRecord, base: Mapping[str, str]) -> dict[str, datetime | None]:
    """What was changed here while nothing of it waits to be sent: a draft, or held back."""
    if document.edited_at is None:
        return {}
    return {name: document.edited_at for name, text in sales_fields.keys(ours).items() if base.get(name) != text}


def known_of(session: Session, connection_id: int, documents: Sequence[SalesDocument]) -> dict[int, Known]:
    """What must be known of the books to say each document in their words."""
    connection = session.get_one(Connection, connection_id)
    mode = sales_tax.mode_of(connection)
    sold = {line.product_id for document in documents for line in document.lines if line.product_id}
    query = select(Item.product_id, Item.remote_id).where(
        Item.connection_id == connection_id, Item.product_id.in_(sold), Item.gone_at.is_(None)
    )
    items = {row.product_id: row.remote_id for row in session.execute(query)}
    customers = _customers(session, connection_id, [one.contact_id for one in documents if one.contact_id])
    closing = linking.linked_by(session, documents)
    quotes_ = sorted(set(closing.values()))
    estimates = {row.local_id: row.remote_id for row in _links(session, connection_id, "estimate", quotes_).values()
                 if row.state != "gone"}  # fmt: skip
    free = (connection.preferences.get("default_item") or {}).get("remote_id", "")
    return {
        one.id: Known(
            customer=one.customer_remote_id or customers.get(one.contact_id or 0, ""),
            items=items,
            free_item=free,
            taxed=mode != "none",
            codes=mode == sales_tax.GLOBAL,
            estimate=estimates.get(closing.get(one.id, 0), ""),
            writes_deposit=bool(connection.preferences.get("allows_deposit")),
            custom=_custom(session, connection_id, one),
        )
        for one in documents
    }


def _custom(session: Session, connection_id: int, document: SalesDocument) -> dict[str, str]:
    """Custom fields that a setting fills from ours; an empty value is sent as such."""
    sources = settings.current(session, connection_id, document.kind).custom_fields
    if not sources:
        return {}
    quote = session.get(SalesDocument, document.quote_id) if document.quote_id else None
    values = {"title": document.title, "owner": document.owner.name if document.owner else "",
              "quote": quote.number if quote else ""}  # fmt: skip
    found = custom_fields.filled({}, sources, values)
    return {id_: found.get(id_, "") for id_ in sources}


def _customers(session: Session, connection_id: int, contact_ids: Sequence[int]) -> dict[int, str]:
    """Contact -> its customer there; of a member of a household the customer of its bill-to."""
    payers = households.payers(contact_ids)
    query = (
        select(Link.local_id, Link.remote_id)
        .join(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .where(Link.connection_id == connection_id, Link.kind == "customer",
               Link.local_id.in_([*contact_ids, *payers.values()]))
    )  # fmt: skip
    found = {row.local_id: row.remote_id for row in session.execute(query)}
    return found | {member: found[payer] for member, payer in payers.items() if payer in found}


def _links(session: Session, connection_id: int, kind: str, ids: Sequence[int]) -> dict[int, Any]:
    mine = (Link.connection_id == connection_id, Link.kind == kind, Link.local_id.in_(ids))
    return {row.local_id: row for row in session.execute(select(table_of(Link)).where(*mine))}


def records_of(
    session: Session, connection_id: int, kind: str, remote_ids: Sequence[str]
) -> dict[str, DocumentRecord]:
    """What the mirror holds of these, but for what is gone."""
    query = select(Document.remote_id, Document.record).where(
        Document.connection_id == connection_id, Document.kind == kind, Document.remote_id.in_(remote_ids),
        Document.gone_at.is_(None),
    )  # fmt: skip
    return {row.remote_id: from_stored(DocumentRecord, row.record) for row in session.execute(query)}
