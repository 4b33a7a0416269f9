"""Products as pages, the API and pickers show them: the list, and finding one by typing.

A list costs the same few statements whatever its size; where no index answers how many there are, it is counted up to
MOST_COUNTED only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal_column, or_, select, type_coerce
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.product_filters import Filters, search_terms
from crm.models import Connection, Link, Product
from crm.queries import text_search

MOST_COUNTED = 10_000
TEXTS = text_search.Texts(Product.id, Product.search_text, "product_search")
SORT_COLUMNS: dict[str, Any] = {
    "name": Product.sort_name, "sku": Product.sku, "price": Product.price, "cost": Product.cost,
    "stock": Product.quantity_on_hand, "updated": Product.updated_at,
}  # fmt: skip
EMPTY_LAST = ("sku", "price", "cost", "stock")
LOW = and_(Product.reorder_point.is_not(None), Product.quantity_on_hand <= Product.reorder_point)


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    name: str
    type: str
    category: str
    sku: str
    description: str
    price: Decimal | None
    cost: Decimal | None
    currency: str
    taxable: bool
    active: bool
    quantity_on_hand: Decimal | None
    reorder_point: Decimal | None
    updated_at: datetime

    @property
    def low(self) -> bool:
        """At or below the reorder point."""
        on_hand, point = self.quantity_on_hand, self.reorder_point
        return on_hand is not None and point is not None and on_hand <= point


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: list[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the products in use, categories left out."""

    products: int
    without_cost: int
    low: int


def page(filters: Filters, *, size: int = PAGE_SIZE) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, most=MOST_COUNTED + 1)
    more = total > MOST_COUNTED
    total = min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + size - 1) // size))
    return Page(_rows(filters, limit=size, offset=(number - 1) * size) if total else [], number, size, total, more)


def count(filters: Filters, *, most: int | None = None) -> int:
    """How many the list holds, counted up to `most`."""
    found = select(Product.id).where(*_conditions(filters)).limit(most)
    return db.session.scalar(select(func.count()).select_from(found.subquery())) or 0


def each(filters: Filters, *, size: int = 1000) -> Iterator[Row]:
    """All rows of the list in its order, read in stretches: what an export is written from."""
    offset = 0
    while rows := _rows(filters, limit=size, offset=offset):
        yield from rows
        offset += size


def figures() -> Figures:
    known = select(
        func.count(),
        func.coalesce(func.sum(case((_without_cost(Product.type), 1), else_=0)), 0),
        func.coalesce(func.sum(case((LOW, 1), else_=0)), 0),
    ).where(Product.active.is_(True), Product.type != "category")
    return Figures(*(int(number) for number in db.session.execute(known).one()))


def categories(session: Session | None = None) -> list[str]:
    """Paths of the categories products stand in, or that are there to stand in."""
    session = session or db.session()
    least = func.min(Product.category).label("path")
    # From each to the next by the index: reading all of them takes as long as there are products.
    steps = select(least).where(Product.category > "").cte("steps", recursive=True)
    beyond = select(least).where(Product.category > steps.c.path).correlate(steps).scalar_subquery()
    steps = steps.union_all(select(beyond).where(steps.c.path.is_not(None)))
    used = session.scalars(select(steps.c.path).where(steps.c.path.is_not(None)))
    made = session.execute(
        select(Product.category, Product.name).where(Product.type == "category", Product.active.is_(True))
    )
    return sorted({*used, *(f"{above}:{name}" if above else name for above, name in made)}, key=str.casefold)


def any_products() -> bool:
    return db.session.scalar(select(Product.id).limit(1)) is not None


def home_currency(session: Session | None = None) -> str:
    """What prices without a currency of their own are in: that of the company connected first, else US dollars."""
    session = session or db.session()
    query = select(Connection.currency).where(Connection.currency != "")
    return session.scalar(query.order_by(Connection.disconnected_at.is_not(None), Connection.id).limit(1)) or "USD"


def spelled_currencies(currency: str) -> tuple[str, ...]:
    """What rows in this currency hold: those of the home currency may name none."""
    return (currency, "") if currency == home_currency() else (currency,)


# --- typing to find one ---------------------------------------------------------------------------------------


def pick(session: Session, text: str, limit: int) -> list[Row]:
    """Products in use that a person typing `text` may mean, the likeliest first: its SKU, a name that begins so.

    Nothing typed: the first ones by name. Categories group products and are none. What thousands hold is looked for in
    names and SKUs first, by an index; in descriptions only where these leave room.
    """
    terms, typed = search_terms(text), text.strip()[:100].lower()
    wanted = select(Product.id).where(Product.active.is_(True), Product.type != "category")
    whole, code, by_name = " ".join(terms), func.lower(Product.sku), (Product.sort_name, Product.id)
    if not terms:
        return _whole_rows(session, session.scalars(wanted.order_by(*by_name).limit(limit)).all())
    rank = case(
        (code == typed, 0),
        (Product.sort_name == whole, 1),
        (Product.sort_name.startswith(whole, autoescape=True), 2),
        (code.startswith(typed, autoescape=True), 3),
        else_=4,
    )
    search, (active, type_) = text_search.search(TEXTS, terms), _columns(True)
    texts = select(Product.id).where(active.is_(True), type_ != "category", *search.conditions)
    if search.leads:  # whatever is named or numbered so is among them
        return _whole_rows(session, session.scalars(texts.order_by(rank, *by_name).limit(limit)).all())
    named = and_(*(text_search.holds(Product.sort_name, term) for term in terms))
    near = wanted.where(or_(named, code.startswith(typed, autoescape=True))).order_by(rank, *by_name)
    ids = list(session.scalars(near.limit(limit)))
    if len(ids) < limit:
        ids += session.scalars(texts.where(Product.id.not_in(ids)).order_by(*by_name).limit(limit - len(ids)))
    return _whole_rows(session, ids)


def matching(terms: Sequence[str]) -> list[ColumnElement[bool]]:
    """A product must hold every term; one of two letters or fewer at the beginning of a word."""
    return list(text_search.search(TEXTS, terms).conditions)


# --- conditions -----------------------------------------------------------------------------------------------

_COLUMNS = tuple(getattr(Product, name) for name in Row.__slots__)


def in_books(product_id: Any = Product.id) -> ColumnElement[bool]:
    """Whether some company's books hold it (an item deleted there does not count)."""
    return exists().where(Link.kind == "item", Link.local_id == product_id, Link.state != "gone")


def _rows(filters: Filters, *, limit: int, offset: int) -> list[Row]:
    """The ids first, by an index that holds all they are chosen and sorted by; whole rows only of those."""
    found: Select[Any] = select(Product.id).where(*_conditions(filters)).order_by(*_order(filters))
    ids = db.session.scalars(found.limit(limit).offset(offset)).all()
    return _whole_rows(db.session(), ids)


def _whole_rows(session: Session, ids: Sequence[int]) -> list[Row]:
    """In the order of the ids."""
    rows = {row.id: Row(*row) for row in session.execute(select(*_COLUMNS).where(Product.id.in_(ids)))}
    return [rows[id_] for id_ in ids if id_ in rows]


def _order(filters: Filters) -> list[Any]:
    column = SORT_COLUMNS[filters.sort_key]
    keys: list[Any] = []
    if filters.sort_key in EMPTY_LAST:  # without any come last, either way
        keys.append(case((column.is_(None) if filters.sort_key != "sku" else column == "", 1), else_=0))
    return [*keys, column.desc() if filters.descending else column, Product.id]


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = matching(search_terms(filters.q))
    active, type_ = _columns(bool(conditions))
    if filters.active != "all":
        conditions.append(active.is_(filters.active != "inactive"))
    conditions.append(type_ == filters.type if filters.type else type_ != "category")
    if filters.category:
        below = Product.category.startswith(f"{filters.category}:", autoescape=True)
        conditions.append(or_(Product.category == filters.category, below))
    if filters.taxable:
        conditions.append(Product.taxable.is_(filters.taxable == "yes"))
    if filters.stock:
        conditions.append(LOW if filters.stock == "low" else Product.quantity_on_hand <= 0)
    if filters.books:
        conditions.append(in_books() if filters.books == "in" else ~in_books())
    if filters.cost:
        conditions.append(_without_cost(type_))
    return conditions


def _without_cost(type_: Any) -> ColumnElement[bool]:
    """Its cost, and so its margin, is not known: as `domain/products.margin` says it."""
    return or_(Product.cost.is_(None), and_(type_ == "service", Product.cost == 0))


def _columns(searching: bool) -> tuple[Any, Any]:
    """`active` and `type`; searching on SQLite, written so that no index of them is taken: the rows are read one after
    another then, instead of each by its own look-up, since their texts must be read anyway."""
    if not searching or db.engine.dialect.name != "sqlite":
        return Product.active, Product.type
    columns = (Product.active, Product.type)
    active, type_ = (type_coerce(literal_column(f"+products.{one.key}", one.type), one.type) for one in columns)
    return active, type_
