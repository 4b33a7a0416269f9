"""Conflicts for the desk: the list with its filters, its figures, and what it is made of.

Read by the pages and the API; one conflict with all that helps to decide is `conflict_page`. Nothing is decided here.
The number of statements does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select, true

from crm.db import db
from crm.domain.conflicts import OBJECTS, STATES
from crm.domain.contacts import search_terms
from crm.domain.plans import field_title
from crm.models import (
    Bill,
    Conflict,
    Connection,
    Contact,
    MoneyFacts,
    OutboxEntry,
    Product,
    SalesDocument,
    Vendor,
)

SIZE = 50
DOCUMENTS: Mapping[str, str] = {"estimate": "Quote", "invoice": "Invoice"}
"""Kinds whose object is a document of a contact."""
NAMED = func.coalesce(Contact.sort_name, Product.sort_name, Vendor.sort_name, "")
SORTS: Mapping[str, Any] = {
    "opened": Conflict.opened_at,
    "name": NAMED,
    "field": Conflict.field,
    "balance": func.coalesce(MoneyFacts.balance_with_jobs, 0),
}
@dataclass(frozen=True, slots=True)
class Filters:
    """`state` is one of STATES, or empty for all; `connection` the id of a company, as text."""

    q: str = ""
    field: str = ""
    state: str = "open"
    reason: str = ""
    connection: str = ""
    sort: str = "-opened"

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.field or self.reason or self.connection)

    def query(self) -> dict[str, Any]:
        """As it stands in an address; what is as usual is left out."""
        usual = asdict(Filters())
        return {name: text for name, text in asdict(self).items() if text != usual[name]}


@dataclass(frozen=True, slots=True)
class Row:
    conflict: Conflict
    contact: Contact | None
    """Whose it is; None of products and purchases, and of a document whose customer has no contact here."""
    money: MoneyFacts | None
    document: SalesDocument | None
    product: Product | None
    vendor: Vendor | None
    """Also that of a bill."""
    bill: Bill | None

    @property
    def title(self) -> str:
        return field_title(self.conflict.kind, self.conflict.field)

    @property
    def name(self) -> str:
        """What people call what it is about."""
        if self.document is not None:
            word = " ".join(part for part in (DOCUMENTS[self.document.kind], self.document.number) if part)
            return f"{word}, {self.contact.display_name}" if self.contact else word
        if self.product is not None:
            return self.product.name
        if self.bill is not None:
            word = " ".join(part for part in ("Bill", self.bill.number) if part)
            return f"{word}, {self.vendor.display_name}" if self.vendor else word
        if self.vendor is not None:
            return self.vendor.display_name
        return self.contact.display_name if self.contact else ""


@dataclass(frozen=True, slots=True)
class ConflictPage:
    rows: Sequence[Row]
    number: int
    size: int
    total: int


def page(filters: Filters, *, number: int = 1) -> ConflictPage:
    total = count(filters)
    number = min(number, max(1, (total + SIZE - 1) // SIZE))
    found = db.session.execute(listed(filters).limit(SIZE).offset((number - 1) * SIZE))
    return ConflictPage([Row(*row) for row in found], number, SIZE, total)


def each(filters: Filters) -> Iterator[Row]:
    """Every conflict of the list in its order, for a download."""
    for row in db.session.execute(listed(filters).execution_options(yield_per=500)):
        yield Row(*row)


def ids(filters: Filters, *, limit: int) -> list[int]:
    """Of the filtered list, those still open, in its order."""
    query = listed(filters).where(Conflict.state == "open").with_only_columns(Conflict.id)
    return list(db.session.scalars(query.limit(limit)))


def count(filters: Filters) -> int:
    counted = present(select(Conflict.id)).where(*where(filters)).subquery()
    return db.session.scalar(select(func.count()).select_from(counted)) or 0


def tabs() -> dict[str, int]:
    """State -> how many; of every object there still is."""
    query = present(select(Conflict.state, func.count())).group_by(Conflict.state)
    found = {state: number for state, number in db.session.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def fields(state: str) -> list[tuple[str, str, int]]:
    """(field, its title, how many) in this state, the most frequent first."""
    query = present(select(Conflict.field, func.min(Conflict.kind), func.count()))
    query = query.where(Conflict.state == state) if state else query
    found = db.session.execute(query.group_by(Conflict.field).order_by(func.count().desc(), Conflict.field))
    return [(name, field_title(kind, name), number) for name, kind, number in found]


def companies() -> list[tuple[int, str]]:
    """Companies that conflicts are about."""
    query = select(Connection.id, Connection.company_name).where(Connection.id.in_(select(Conflict.connection_id)))
    return [(id_, name) for id_, name in db.session.execute(query.order_by(Connection.id))]


def open_fields(contact_id: int) -> dict[str, int]:
    """Field -> the open conflict about it, of one contact."""
    mine = (Conflict.kind == "customer", Conflict.local_id == contact_id, Conflict.state == "open")
    return {field: id_ for field, id_ in db.session.execute(select(Conflict.field, Conflict.id).where(*mine))}


def waiting_entry(local_id: int, *, kind: str = "customer") -> int | None:
    """The entry of the outbox that brings this object to the books, while it is not there yet."""
    waits = (OutboxEntry.kind == kind, OutboxEntry.local_id == local_id, OutboxEntry.settled_at.is_(None))
    return db.session.scalar(select(OutboxEntry.id).where(*waits).order_by(OutboxEntry.id.desc()).limit(1))


def present(query: Any) -> Any:
    """Conflicts of objects there still are, with their contact, document, product, vendor or bill beside them."""
    document = and_(Conflict.kind.in_(DOCUMENTS), SalesDocument.id == Conflict.local_id)
    whose = case((Conflict.kind == "customer", Conflict.local_id), else_=SalesDocument.contact_id)
    seller = case((Conflict.kind == "vendor", Conflict.local_id), else_=Bill.vendor_id)
    return (
        query.select_from(Conflict)
        .outerjoin(SalesDocument, document)
        .outerjoin(Contact, Contact.id == whose)
        .outerjoin(Product, and_(Conflict.kind == "item", Product.id == Conflict.local_id))
        .outerjoin(Bill, and_(Conflict.kind == "bill", Bill.id == Conflict.local_id))
        .outerjoin(Vendor, Vendor.id == seller)
        .where(
            Conflict.kind.in_(OBJECTS),
            or_(and_(Conflict.kind == "customer", Contact.id.is_not(None)),
                and_(SalesDocument.id.is_not(None), SalesDocument.gone_at.is_(None)), Product.id.is_not(None),
                and_(Bill.id.is_not(None), Bill.gone_at.is_(None)),
                and_(Conflict.kind == "vendor", Vendor.id.is_not(None), Vendor.gone_at.is_(None))),
        )
    )  # fmt: skip


def rows() -> Any:
    query = present(select(Conflict, Contact, MoneyFacts, SalesDocument, Product, Vendor, Bill))
    return query.outerjoin(MoneyFacts, money())


def listed(filters: Filters) -> Any:
    return rows().where(*where(filters)).order_by(*order(filters))


def order(filters: Filters) -> tuple[Any, ...]:
    column = SORTS.get(filters.sort.removeprefix("-"), SORTS["opened"])
    if filters.sort.startswith("-"):
        return column.desc(), Conflict.id.desc()
    return column, Conflict.id


def money() -> ColumnElement[bool]:
    return MoneyFacts.contact_id == Contact.id


def where(filters: Filters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    for column, text in ((Conflict.state, filters.state), (Conflict.field, filters.field),
                         (Conflict.reason, filters.reason)):  # fmt: skip
        wanted += [column == text] if text else []
    if filters.connection:
        number = filters.connection
        wanted.append(Conflict.connection_id == int(number) if number.isdigit() and len(number) < 10 else false())
    if filters.q:
        texts = (Contact.search_text, SalesDocument.search_text, Product.search_text, Vendor.search_text,
                 Bill.search_text)  # fmt: skip
        found = [or_(*(text.contains(term, autoescape=True) for text in texts)) for term in search_terms(filters.q)]
        wanted.append(and_(true() if found else false(), *found))
    return wanted
