"""What the command palette finds by a number or a name: a few of each kind, each kind by one query.

Called for every word typed, so it searches by the indexes of the lists and counts nothing. Who may see a kind is the
page's to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select

from crm.db import db
from crm.domain.invoice_filters import search_terms
from crm.domain.payment_filters import Filters as PaymentFilters
from crm.domain.purchase_filters import BillFilters, VendorFilters
from crm.models import Bill, Contact, SalesDocument, Vendor
from crm.queries import bills, payments, products, text_search, vendors

MOST = 5
ANY_DAY = date.min
"""No state is asked for that depends on the day."""
D = SalesDocument


@dataclass(frozen=True, slots=True)
class Hit:
    id: int
    name: str
    hint: str = ""
    amount: Decimal | None = None
    currency: str = ""
    day: date | None = None
    waits: bool = False
    """A payment recorded here that the books do not hold yet: it has a page of its own."""


def quotes(q: str) -> list[Hit]:
    return _documents("estimate", q)


def invoices(q: str) -> list[Hit]:
    return _documents("invoice", q)


def _documents(kind: str, q: str) -> list[Hit]:
    """Their numbers, titles, customers and lines are searched; the newest first."""
    texts = text_search.Texts(D.id, D.search_text, "sales_search", only=f'kind : "{kind[:3]}"')
    search = text_search.search(texts, search_terms(q))
    # Where the search leads, no index of the kind may: SQLite would go through all of it.
    of_kind = D.kind + "" == kind if search.leads else D.kind == kind
    query = select(D.id, D.number, D.title, D.total, D.currency, Contact.display_name.label("contact"))
    query = query.outerjoin(Contact, Contact.id == D.contact_id).where(
        of_kind, D.gone_at.is_(None), D.template.is_(False), *search.conditions
    )
    found = db.session.execute(query.order_by(D.date.desc(), D.id.desc()).limit(MOST)).all()
    return [Hit(one.id, one.number or one.title or "Without number", one.contact or "", one.total, one.currency)
            for one in found]  # fmt: skip


def received(q: str) -> list[Hit]:
    """Payments by customer or reference, those of the books and those recorded here."""
    found = payments.rows(PaymentFilters(q=q), limit=MOST)
    return [Hit(one.id, one.contact or "No contact", one.reference, one.amount, one.currency, one.date,
                one.origin != "books") for one in found]  # fmt: skip


def suppliers(q: str) -> list[Hit]:
    query = select(Vendor.id, Vendor.display_name, Vendor.company_name).where(
        *vendors.conditions(VendorFilters(q=q, active="all"), ANY_DAY)
    )
    found = db.session.execute(query.order_by(Vendor.sort_name, Vendor.id).limit(MOST)).all()
    return [Hit(one.id, one.display_name, one.company_name if one.company_name != one.display_name else "")
            for one in found]  # fmt: skip


def purchases(q: str) -> list[Hit]:
    query = select(Bill.id, Bill.number, Bill.total, Bill.currency, Vendor.display_name.label("vendor"))
    query = query.outerjoin(Vendor, Vendor.id == Bill.vendor_id).where(*bills.conditions(BillFilters(q=q), ANY_DAY))
    found = db.session.execute(query.order_by(Bill.date.desc(), Bill.id.desc()).limit(MOST)).all()
    return [Hit(one.id, one.number or one.vendor or "Without number", one.vendor or "", one.total, one.currency)
            for one in found]  # fmt: skip


def goods(q: str) -> list[Hit]:
    return [Hit(one.id, one.name, one.sku) for one in products.pick(db.session(), q, MOST)]


KINDS: Sequence[tuple[str, str, str, Callable[[str], list[Hit]]]] = (
    ("Quotes", "quotes.show", "file-text", quotes),
    ("Invoices", "invoices.show", "receipt-text", invoices),
    ("Payments", "payments.show", "banknote", received),
    ("Products", "products.show", "package", goods),
    ("Vendors", "vendors.show", "building-2", suppliers),
    ("Bills", "bills.show", "scroll-text", purchases),
)
"""Words, the page of one, its icon, and how they are found; all of them are seen by whoever reads sales."""
