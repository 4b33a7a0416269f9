"""Estimates and invoices of the books brought to our own rows, many at once.

One that is new here gets its row and its link; one nobody has changed here becomes what the books say, whole; one that
was changed here too is merged field by field (`merging`). Called by the kinds (`kinds`) after the mirror was
written, in the same transaction, for imports of a thousand as for one event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import quotes, sales_fields
from crm.domain.record_documents import DocumentRecord
from crm.models import Contact, Customer, Item, Link, SalesDocument, SalesLine
from crm.services import line_costs
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import expire_loaded, update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.sales import merging, rows, told
from crm.services.sync.work import BY_RULE, Batch

DOCUMENTS, LINES, LINKS = (table_of(one) for one in (SalesDocument, SalesLine, Link))
PART = 500
NEW: Mapping[str, Any] = {
    "title": "", "template": False, "discount_kind": "", "discount_value": None, "deposit_kind": "",
    "deposit_value": None, "deposit": 0, "internal_note": "", "hold": False, "revision": 1, "quote_id": None,
    "owner_id": None, "sent_at": None, "viewed_at": None, "decided_at": None, "accepted_by": "", "declined_why": "",
    "promised_on": None, "next_step": "", "source": "quickbooks", "edited_at": None, "lock": 1, "gone_at": None,
}  # fmt: skip
"""Columns of a row that begins in the books, where the record does not say."""


@dataclass(slots=True)
class Here:
    """What stands here about the records at hand."""

    links: dict[str, Any]
    """Remote id -> link."""
    documents: dict[int, Any]
    contacts: dict[str, int]
    """Customer -> contact."""
    names: dict[int, str]
    """Contact -> name."""
    products: dict[str, int]
    """Item -> product."""
    costs: line_costs.Costs
    invoiced: dict[str, int]
    """Estimate -> our invoice made of it, or the books'."""
    sections: dict[int, set[str]] = field(default_factory=dict)


def apply(batch: Batch, kind: str, records: Sequence[DocumentRecord], *, quiet: bool = False) -> None:
    """Bring these in step; each stands in the mirror as it is given. `quiet`: nothing of it happened there just now, so
    their histories tell of no payment and no other state."""
    for part in chunks(list(records), PART):
        hashes = {one.origin.remote_id: content_hash(as_stored(one)) for one in part}
        here = _look(batch, kind, part)
        fresh = [one for one in part if one.origin.remote_id not in here.links]
        known = [one for one in part if one.origin.remote_id in here.links]
        _make(batch, kind, fresh, here, hashes)
        clean, edited = [], []
        for one in known:
            row = here.documents.get(here.links[one.origin.remote_id].local_id)
            if row is None:
                continue
            if row.edited_at is not None:
                edited.append(one)
            elif row.seen_hash != hashes[one.origin.remote_id] or row.gone_at is not None:
                clean.append(one)
        _take(batch, kind, clean, here, hashes, quiet=quiet)
        left = merging.merge(batch, kind, edited)
        _take(batch, kind, [one for one in edited if one.origin.remote_id in left], here, hashes)
        forget(batch.session, [here.links[one.origin.remote_id].local_id for one in known])


def become(batch: Batch, kind: str, records: Sequence[DocumentRecord]) -> None:
    """These are what the books say, whole: nothing of ours is left in them."""
    if records:
        hashes = {one.origin.remote_id: content_hash(as_stored(one)) for one in records}
        _take(batch, kind, records, _look(batch, kind, records), hashes)


# --- what stands here -----------------------------------------------------------------------------------------


def _look(batch: Batch, kind: str, records: Sequence[DocumentRecord]) -> Here:
    session, connection_id = batch.session, batch.books.id
    ids = [one.origin.remote_id for one in records]
    mine = (Link.connection_id == connection_id, Link.kind == kind, Link.remote_id.in_(ids))
    links = {row.remote_id: row for row in session.execute(select(LINKS).where(*mine))}
    wanted = [link.local_id for link in links.values()]
    documents = session.execute(select(DOCUMENTS).where(DOCUMENTS.c.id.in_(wanted)).order_by(DOCUMENTS.c.id)
                                .with_for_update())  # fmt: skip
    customers = {one.customer.remote_id for one in records}
    found = session.execute(
        select(Customer.remote_id, Customer.contact_id, Contact.display_name)
        .join(Contact, Contact.id == Customer.contact_id)
        .where(Customer.connection_id == connection_id, Customer.remote_id.in_(customers))
    ).all()
    products = _products(batch, records)
    here = Here(
        links=links,
        documents={row.id: row for row in documents},
        contacts={row.remote_id: row.contact_id for row in found},
        names={row.contact_id: row.display_name for row in found},
        products=products,
        costs=line_costs.of_products(session, products.values()),
        invoiced=_invoiced(batch, records) if kind == "estimate" else {},
    )
    headings = select(SalesLine.document_id, SalesLine.remote_id).where(
        SalesLine.document_id.in_(wanted), SalesLine.kind == "section", SalesLine.remote_id != ""
    )
    for row in session.execute(headings):
        here.sections.setdefault(row.document_id, set()).add(row.remote_id)
    return here


def _products(batch: Batch, records: Sequence[DocumentRecord]) -> dict[str, int]:
    items = {
        one.item.remote_id for record in records for line in record.lines for one in (line, *line.members) if one.item
    }
    found: dict[str, int] = {}
    for part in chunks(sorted(items), 1000):
        query = select(Item.remote_id, Item.product_id).where(
            Item.connection_id == batch.books.id, Item.remote_id.in_(part), Item.product_id.is_not(None)
        )
        found |= {row.remote_id: row.product_id for row in batch.session.execute(query)}
    return found


def _invoiced(batch: Batch, records: Sequence[DocumentRecord]) -> dict[str, int]:
    """Estimate -> that there is an invoice of it: the books link it, or one was made of it here."""
    linked = {one.origin.remote_id: 1 for one in records if any(part.kind == "invoice" for part in one.linked)}
    ids = [one.origin.remote_id for one in records]
    made = select(Link.remote_id).join(SalesDocument, SalesDocument.quote_id == Link.local_id).where(
        Link.connection_id == batch.books.id, Link.kind == "estimate", Link.remote_id.in_(ids),
        SalesDocument.gone_at.is_(None), SalesDocument.state != "void",
    )  # fmt: skip
    return linked | dict.fromkeys(batch.session.scalars(made), 1)


# --- new here -------------------------------------------------------------------------------------------------


def _make(
    batch: Batch, kind: str, records: Sequence[DocumentRecord], here: Here, hashes: Mapping[str, str]
) -> None:
    if not records:
        return
    values = [_columns(batch, one, here, hashes, None) for one in records]
    statement = insert(DOCUMENTS).returning(DOCUMENTS.c.id, sort_by_parameter_order=True)
    ids = list(batch.session.scalars(statement, values))
    batch.session.execute(insert(LINKS), [
        {"connection_id": batch.books.id, "kind": kind, "local_id": id_, "remote_id": one.origin.remote_id,
         "version": one.origin.version, "state": "linked", "written_hash": "", "merged_from": "",
         "base": sales_fields.keys(one), "left": {}, "run_id": batch.run_id, "linked_at": batch.now,
         "linked_by": BY_RULE, "synced_at": batch.now}
        for id_, one in zip(ids, records, strict=True)
    ])  # fmt: skip
    fresh = [
        {"document_id": id_, "from_line_id": None, **row, "cost": _cost(here, row, one)}
        for id_, one in zip(ids, records, strict=True)
        for row in rows.lines(one, products=here.products)
    ]
    if fresh:
        batch.session.execute(insert(LINES), fresh)


def _cost(here: Here, row: Mapping[str, Any], record: DocumentRecord, old: Any = None) -> Any:
    before = line_costs.Stood.of(old) if old is not None else None
    product_id = row["product_id"] or (_same_item(old, row) if old is not None else None)
    return here.costs.of_line(product_id, row["quantity"], kind=row["kind"], chosen=True, day=record.date,
                              before=before)  # fmt: skip


def _columns(
    batch: Batch, record: DocumentRecord, here: Here, hashes: Mapping[str, str], old: Any
) -> dict[str, Any]:
    """All columns of a document as the books say it; what is ours alone stays."""
    contact_id = here.contacts.get(record.customer.remote_id)
    made = rows.header(record)
    title = old.title if old is not None else ""
    name = here.names.get(contact_id or 0, "")
    common = made | {
        "contact_id": contact_id or (old.contact_id if old is not None else None),
        "search_text": rows.search_text(record, name, title),
        "seen_hash": hashes[record.origin.remote_id],
        "updated_at": batch.now,
        "gone_at": None,
        **_state(batch, record, here, old),
    }
    if old is not None:
        return {"id": old.id, **common, "edited_at": None, "lock": old.lock + 1}
    fixed = {"kind": record.kind, "connection_id": batch.books.id, "created_by": BY_RULE,
             "created_at": record.origin.created_at or batch.now}  # fmt: skip
    return {**NEW, **common, **fixed}


def _state(batch: Batch, record: DocumentRecord, here: Here, old: Any) -> dict[str, Any]:
    sent = rows.sent_at(record, batch.now) or (old.sent_at if old is not None else None)
    if record.kind == "invoice":
        return {"state": "void" if record.void else "open", "sent_at": sent}
    has_invoice = record.origin.remote_id in here.invoiced
    emailed = record.kind == "estimate" and rows.with_customer(record)
    if old is None:
        state = quotes.arrived(record.status, emailed=emailed, has_invoice=has_invoice)
    elif quotes.to_books(old.state) == record.status and old.state != quotes.INVOICED:
        # Nothing was said there; a quote somebody sent from there is with the customer now.
        state = quotes.SENT if emailed and old.state == quotes.DRAFT else old.state
    elif old.state == quotes.ACCEPTED and here.links[record.origin.remote_id].base.get("status") == record.status:
        state = old.state  # closed there for an invoice that stands, while a part of it was freed here
    else:
        state = quotes.from_books(record.status, old.state, has_invoice=has_invoice).state
    decided = state in (quotes.ACCEPTED, quotes.DECLINED) and (old is None or old.state != state)
    moment = record.origin.updated_at or batch.now
    return {
        "state": state,
        "sent_at": sent,
        "accepted_by": record.accepted_by[:120],
        "decided_at": moment if decided else (old.decided_at if old is not None else None),
    }


# --- known here -----------------------------------------------------------------------------------------------


def _take(
    batch: Batch, kind: str, records: Sequence[DocumentRecord], here: Here, hashes: Mapping[str, str], *,
    quiet: bool = False,
) -> None:  # fmt: skip
    """Each becomes what the books say, whole."""
    if not records:
        return
    session = batch.session
    olds = [here.documents[here.links[one.origin.remote_id].local_id] for one in records]
    values = [_columns(batch, one, here, hashes, old) for one, old in zip(records, olds, strict=True)]
    if not quiet:
        _tell_states(batch, records, olds, values)
    names = sorted({name for row in values for name in row})
    for row, old in zip(values, olds, strict=True):
        row.update({name: getattr(old, name) for name in names if name not in row})
    update_by_id(session, DOCUMENTS, values)
    update_by_id(session, LINKS, [
        {"id": here.links[one.origin.remote_id].id, "version": one.origin.version, "state": "linked",
         "base": sales_fields.keys(one), "synced_at": batch.now}
        for one in records
    ])  # fmt: skip
    kept = _kept_lines(session, [old.id for old in olds])
    for one, old in zip(records, olds, strict=True):
        _write_lines(session, one, old.id, here, kept.get(old.id, []))


def _kept_lines(session: Session, document_ids: Sequence[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    query = select(LINES).where(LINES.c.document_id.in_(document_ids)).order_by(LINES.c.document_id, LINES.c.position)
    for row in session.execute(query):
        found.setdefault(row.document_id, []).append(row)
    return found


def _write_lines(session: Session, record: DocumentRecord, document_id: int, here: Here, old: Sequence[Any]) -> None:
    """A row keeps its id where its line is still there; options nobody chose, which the books never saw, stay."""
    sections = here.sections.get(document_id, set())
    made = rows.lines(record, products=here.products, sections=sorted(sections))
    placed = _placed(made, old)
    ours = [row for row in old if not row.remote_id and row.optional and not row.chosen and row.within is None]
    options = {row.position for row in ours}
    ours += [row for row in old if not row.remote_id and row.within in options]
    stays = {row.id for _, row in placed if row is not None} | {row.id for row in ours}
    dropped = [row.id for row in old if row.id not in stays]
    if dropped:
        session.execute(delete(LINES).where(LINES.c.id.in_(dropped)))
    places = _places(placed, ours, old)
    for at, made_row in enumerate(made):
        made_row["within"] = places[made_row["within"]] if made_row["within"] is not None else None
        made_row["position"] = places[at]
    # What somebody called a line stays as long as it is the same item; so does what the books do not know of an option.
    update_by_id(session, LINES, [
        {"id": row.id, **made_row, "name": _name(row, made_row),
         "product_id": made_row["product_id"] or _same_item(row, made_row),
         "kind": "section" if row.kind == "section" and made_row["kind"] == "text" else made_row["kind"],
         "optional": row.optional, "chosen": True, "cost": _cost(here, made_row, record, row)}
        for made_row, row in placed if row is not None
    ])  # fmt: skip
    moved = {row.position: places[len(made) + at] for at, row in enumerate(ours)}
    update_by_id(session, LINES, [
        {"id": row.id, "position": moved[row.position], "within": moved.get(row.within)} for row in ours
    ])  # fmt: skip
    fresh = [{"document_id": document_id, "from_line_id": None, **row, "cost": _cost(here, row, record)}
             for row, known in placed if known is None]  # fmt: skip
    if fresh:
        session.execute(insert(LINES), fresh)


def _places(
    placed: Sequence[tuple[Mapping[str, Any], Any]], ours: Sequence[Any], old: Sequence[Any]
) -> list[int]:
    """Where each line of the books and then each of our options stands: an option stays behind the same line."""
    before: dict[int, list[int]] = {}
    known = {row.id: at for at, (_, row) in enumerate(placed) if row is not None}
    options = {row.id: len(placed) + at for at, row in enumerate(ours)}
    last = -1
    for row in old:
        if row.id in options:
            before.setdefault(last, []).append(options[row.id])
        elif row.id in known:
            last = known[row.id]
    order = list(before.get(-1, ()))
    for at in range(len(placed)):
        order += [at, *before.get(at, ())]
    places = [0] * len(order)
    for place, one in enumerate(order):
        places[one] = place
    return places


def _name(row: Any, made: Mapping[str, Any]) -> str:
    same = row.item_remote_id in ("", made["item_remote_id"])
    return str(row.name if row.name and same and row.product_id is None else made["name"])


def _placed(made: Sequence[dict[str, Any]], old: Sequence[Any]) -> list[tuple[dict[str, Any], Any]]:
    """Each line of the books with the row it stands in: by its id there, else (it was just made there from ours) the
    next row of the same sort that has none yet."""
    by_remote = {row.remote_id: row for row in old if row.remote_id}
    unsent = [row for row in old if not row.remote_id and (row.chosen or not row.optional)]
    placed = []
    for row in made:
        known = by_remote.pop(row["remote_id"], None)
        if known is None:
            known = next((one for one in unsent if _alike(one, row)), None)
            if known is not None:
                unsent.remove(known)
        placed.append((row, known))
    return placed


def _alike(row: Any, made: Mapping[str, Any]) -> bool:
    kind = "text" if row.kind == "section" else row.kind
    if kind != made["kind"] or (row.within is None) is not (made["within"] is None):
        return False
    if kind == "text":
        return " ".join((row.description or row.name).split()) == " ".join(made["description"].split())
    return row.product_id is None or made["product_id"] in (None, row.product_id)


def _same_item(row: Any, made: Mapping[str, Any]) -> int | None:
    return row.product_id if row.item_remote_id == made["item_remote_id"] else None


# --- told -----------------------------------------------------------------------------------------------------


def _tell_states(
    batch: Batch, records: Sequence[DocumentRecord], olds: Sequence[Any], values: Sequence[Mapping[str, Any]]
) -> None:
    said: list[told.Said] = []
    for record, old, row in zip(records, olds, values, strict=True):
        if row["state"] != old.state:
            word = quotes.STATES[row["state"]] if record.kind == "estimate" else row["state"].capitalize()
            said.append((old.id, row["state"], f"{word} in QuickBooks", {}))
        elif old.balance is not None and row["balance"] is not None and (
            row["total"] - row["balance"] > old.total - old.balance  # a total made lower is no payment
        ):
            text = "Paid in QuickBooks" if not row["balance"] else "Partly paid in QuickBooks"
            said.append((old.id, "paid", text, {}))
        elif old.gone_at is not None:
            said.append((old.id, "back", "In QuickBooks again", {}))
    told.note(batch, said)


def forget(session: Session, document_ids: Collection[int]) -> None:
    """What the session remembers of these is old now."""
    expire_loaded(session, {SalesDocument: "id", SalesLine: "document_id"}, document_ids)
