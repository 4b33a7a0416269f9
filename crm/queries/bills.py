"""Bills as pages show them: the list, its key figures, one of them; and the accounts their lines are booked to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Day
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from crm.db import db
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.purchase_filters import BillFilters, search_terms
from crm.domain.purchases import EXPENSE_TYPES
from crm.models import Bill, Contact, Customer, Item, ListEntry, Product, Vendor
from crm.queries import text_search
from crm.queries import vendors as vendor_lists

MOST_COUNTED = 10_000
SOON = timedelta(days=7)
LOOKED_AT = 50
"""The latest bills of a vendor that tell which account it is usually booked to."""
SUGGESTED = 300
"""Names offered while typing."""
SORTS: dict[str, Any] = {
    "date": Bill.date, "due": Bill.due_date, "total": Bill.total, "balance": func.coalesce(Bill.balance, 0),
    "number": Bill.number, "vendor": Vendor.sort_name,
}  # fmt: skip
_E = aliased(Bill)
_TEXTS = text_search.Texts(_E.id, _E.search_text, "bill_search")
OPEN = and_(Bill.gone_at.is_(None), Bill.void.is_(False), Bill.balance > 0)


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    number: str
    vendor_id: int | None
    vendor: str | None
    date: Day | None
    due_date: Day | None
    total: Decimal
    balance: Decimal | None
    currency: str
    void: bool
    remote_id: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: Sequence[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """Of one currency."""

    currency: str
    open: Decimal
    overdue: Decimal
    soon: Decimal
    number: int
    late: int
    nearly: int


@dataclass(frozen=True, slots=True)
class Names:
    """What a line of a bill names, as people call it; empty where it names none."""

    account: str = ""
    product: str = ""
    product_id: int | None = None
    customer: str = ""
    contact_id: int | None = None


_COLUMNS = (Bill.id, Bill.number, Bill.vendor_id, Vendor.display_name, Bill.date, Bill.due_date, Bill.total,
            Bill.balance, Bill.currency, Bill.void, Bill.remote_id)  # fmt: skip


def page(filters: BillFilters, *, today: Day) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, today=today, most=MOST_COUNTED + 1)
    more, total = total > MOST_COUNTED, min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + PAGE_SIZE - 1) // PAGE_SIZE))
    query = _listed(filters, today).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    rows = [Row(*row) for row in db.session.execute(query)] if total else []
    return Page(rows, number, PAGE_SIZE, total, more)


def count(filters: BillFilters, *, today: Day, most: int | None = None) -> int:
    """How many the list holds, counted up to `most`."""
    found = select(Bill.id).where(*conditions(filters, today)).limit(most)
    return db.session.scalar(select(func.count()).select_from(found.subquery())) or 0


def each(filters: BillFilters, *, today: Day) -> Iterator[Row]:
    """All rows of the list in its order: what an export is written from."""
    for row in db.session.execute(_listed(filters, today).execution_options(yield_per=500)):
        yield Row(*row)


def of_vendor(vendor_id: int, *, only_open: bool, limit: int = 20) -> list[Row]:
    """The open ones by when they are due, or all of them, the latest first."""
    order = (Bill.due_date, Bill.id) if only_open else (Bill.date.desc(), Bill.id.desc())
    which = OPEN if only_open else Bill.gone_at.is_(None)
    query = select(*_COLUMNS).outerjoin(Vendor, Vendor.id == Bill.vendor_id).where(Bill.vendor_id == vendor_id, which)
    return [Row(*row) for row in db.session.execute(query.order_by(*order).limit(limit))]


def figures(today: Day, *, vendor_id: int | None = None) -> list[Sum]:
    """What is open, overdue and due in seven days, by currency."""
    late = Bill.due_date < today
    soon = and_(Bill.due_date >= today, Bill.due_date <= today + SOON)
    columns: list[Any] = [func.sum(Bill.balance)]
    columns += [func.coalesce(func.sum(case((which, Bill.balance))), 0) for which in (late, soon)]
    columns += [func.count()] + [func.coalesce(func.sum(case((which, 1), else_=0)), 0) for which in (late, soon)]
    where = [OPEN] if vendor_id is None else [OPEN, Bill.vendor_id == vendor_id]
    rows: Any = db.session.execute(
        select(Bill.currency, *columns).where(*where).group_by(Bill.currency).order_by(Bill.currency)
    )
    found = []
    for currency, open_, overdue, soon_, number, late_, nearly in rows:
        found.append(Sum(currency, Decimal(open_), Decimal(overdue), Decimal(soon_), number, int(late_), int(nearly)))
    return found


def any_bills() -> bool:
    return db.session.scalar(select(Bill.id).where(Bill.gone_at.is_(None)).limit(1)) is not None


def one(bill_id: int) -> Bill | None:
    return db.session.get(Bill, bill_id, populate_existing=True)


def state(row: Any, today: Day) -> tuple[str, str]:
    """(words, tone) of where a bill stands. Computed, never stored."""
    if row.void:
        return "Void", "off"
    if not row.balance:
        return "Paid", "ok"
    if row.due_date and row.due_date < today:
        return "Overdue", "bad"
    return ("Partly paid", "wait") if row.balance < row.total else ("Open", "info")


# --- what lines name ------------------------------------------------------------------------------------------


def accounts(session: Session, connection_id: int | None, *, besides: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(remote id, name) of the accounts a line can be booked to: those of expenses, and those it names already."""
    mine = (ListEntry.connection_id == connection_id, ListEntry.kind == "account")
    columns = (ListEntry.remote_id, ListEntry.name, ListEntry.active, ListEntry.details)
    found = []
    for row in session.execute(select(*columns).where(*mine).order_by(ListEntry.name, ListEntry.id)):
        fits = row.active and row.details.get("type") in EXPENSE_TYPES
        if fits or row.remote_id in besides:
            found.append((row.remote_id, row.details.get("full_path") or row.name))
    return sorted(found, key=lambda one: one[1].casefold())


def usual_account(session: Session, vendor_id: int) -> str:
    """The account most lines of this vendor's latest bills are booked to, of those that can be chosen; else empty."""
    mine = (Bill.vendor_id == vendor_id, Bill.gone_at.is_(None), Bill.void.is_(False))
    lines = session.scalars(select(Bill.lines).where(*mine).order_by(Bill.date.desc(), Bill.id.desc()).limit(LOOKED_AT))
    used = Counter(line["account"] for bill in lines for line in bill if line["account"])
    company = session.scalar(select(Vendor.connection_id).where(Vendor.id == vendor_id))
    offered = {remote_id for remote_id, _ in accounts(session, company)} if used else set()
    return next((account for account, _ in used.most_common() if account in offered), "")


def line_names(session: Session, bill: Bill | None, lines: Sequence[Mapping[str, Any]]) -> list[Names]:
    """What each line names. `bill` None: nothing of the books is known of it."""
    company = bill.connection_id if bill is not None else None
    mine = (ListEntry.connection_id == company, ListEntry.kind == "account",
            ListEntry.remote_id.in_({line["account"] for line in lines if line["account"]}))  # fmt: skip
    booked = _mapped(session, select(ListEntry.remote_id, ListEntry.name).where(*mine))
    items = session.execute(
        select(Item.remote_id, Item.name, Item.product_id, Product.name.label("product"))
        .outerjoin(Product, Product.id == Item.product_id)
        .where(Item.connection_id == company, Item.remote_id.in_({line["item"] for line in lines if line["item"]}))
    )  # fmt: skip
    sold = {row.remote_id: (row.product or row.name, row.product_id) for row in items}
    products = _mapped(session, select(Product.id, Product.name).where(
        Product.id.in_({line["product_id"] for line in lines if line.get("product_id")})
    ))  # fmt: skip
    buyers = session.execute(
        select(Customer.remote_id, Customer.display_name, Customer.contact_id)
        .where(Customer.connection_id == company,
               Customer.remote_id.in_({line["customer"] for line in lines if line["customer"]}))
    )  # fmt: skip
    there = {row.remote_id: (row.display_name, row.contact_id) for row in buyers}
    contacts = _mapped(session, select(Contact.id, Contact.display_name).where(
        Contact.id.in_({line["contact_id"] for line in lines if line.get("contact_id")})
    ))  # fmt: skip
    found = []
    for line in lines:
        product = sold.get(line["item"]) or (products.get(line.get("product_id") or 0, ""), line.get("product_id"))
        if line["item"] and line["item"] not in sold:
            product = (f"Product {line['item']}", None)
        customer = there.get(line["customer"]) or (
            contacts.get(line.get("contact_id") or 0, ""),
            line.get("contact_id"),
        )
        account = booked.get(line["account"], f"Account {line['account']}" if line["account"] else "")
        found.append(Names(account, product[0], product[1], customer[0], customer[1]))
    return found


def names_of(session: Session, bills: Sequence[Bill]) -> dict[int, list[tuple[Mapping[str, Any], Names]]]:
    """By id: each line with what it names, read once for all bills of a company."""
    found: dict[int, list[tuple[Mapping[str, Any], Names]]] = {}
    for company in {bill.connection_id for bill in bills}:
        mine = [bill for bill in bills if bill.connection_id == company]
        named = iter(line_names(session, mine[0], [line for bill in mine for line in bill.lines]))
        found |= {bill.id: [(line, next(named)) for line in bill.lines] for bill in mine}
    return found


def _mapped(session: Session, query: Any) -> dict[Any, str]:
    return {row[0]: row[1] for row in session.execute(query)}


def suggested_products() -> list[str]:
    """Names of products that can be bought, to choose from while typing."""
    usable = (Product.active.is_(True), Product.type.not_in(("category", "group")))
    query = select(Product.name).where(*usable).order_by(Product.sort_name, Product.id).limit(SUGGESTED)
    return list(db.session.scalars(query))


def suggested_customers(connection_id: int | None) -> list[str]:
    """Names of customers a cost can be for."""
    mine = (Customer.connection_id == connection_id, Customer.gone_at.is_(None), Customer.active.is_(True))
    query = select(Customer.display_name).where(*mine).order_by(Customer.display_name).limit(SUGGESTED)
    return list(db.session.scalars(query))


# --- conditions -----------------------------------------------------------------------------------------------


def _listed(filters: BillFilters, today: Day) -> Any:
    column = SORTS[filters.sort_key]
    by = column.desc() if filters.descending else column
    order = [by.nulls_last() if filters.sort_key in ("date", "due") else by, Bill.id.desc()]
    query = select(*_COLUMNS).outerjoin(Vendor, Vendor.id == Bill.vendor_id)
    return query.where(*conditions(filters, today)).order_by(*order)


def conditions(filters: BillFilters, today: Day) -> list[ColumnElement[bool]]:
    """What a bill fulfils that the list holds; of Bill's own columns, whatever it is joined with."""
    found: list[ColumnElement[bool]] = [Bill.gone_at.is_(None), *(_holds(term) for term in search_terms(filters.q))]
    if filters.vendor:
        found.append(Bill.vendor_id == filters.vendor)
    if filters.since:
        found.append(Bill.date >= filters.since)
    if filters.until:
        found.append(Bill.date <= filters.until)
    states: dict[str, list[ColumnElement[bool]]] = {
        "open": [OPEN],
        "overdue": [OPEN, Bill.due_date < today],
        "soon": [OPEN, Bill.due_date >= today, Bill.due_date <= today + SOON],
        "paid": [Bill.void.is_(False), func.coalesce(Bill.balance, 0) == 0],
        "void": [Bill.void.is_(True)],
        "waiting": [Bill.remote_id.is_(None)],
    }
    return found + states.get(filters.state, [])


def _holds(term: str) -> ColumnElement[bool]:
    """Whether the bill says the word, or its vendor is called so."""
    vendors = select(Vendor.id).where(*vendor_lists.matching([term]))
    said = text_search.search(_TEXTS, [term])
    told = select(_E.id).where(*said.conditions)
    if said.leads or (db.engine.dialect.name != "sqlite" and text_search.few(told)):
        return Bill.id.in_(union_all(told, select(_E.id).where(_E.vendor_id.in_(vendors))))
    return or_(Bill.vendor_id.in_(vendors), *text_search.holding(Bill.search_text, [term]))
