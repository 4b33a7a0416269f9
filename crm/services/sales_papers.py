"""A quote or invoice as its customer gets it: who offers it to whom, which version, its lines and its sums.

One value, drawn by the public page and by the PDF alike. The customer never sees a draft: of a quote that is being
revised they see the version they know. Where the books have answered with figures of their own and nothing was changed
since, those are shown. Nothing is changed here, and nothing remote is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from babel.numbers import format_currency, format_decimal
from sqlalchemy import select

from crm import formats
from crm.db import db
from crm.domain import quotes, sales_content, sales_sheets
from crm.domain.amounts import ZERO
from crm.domain.days import company_day
from crm.domain.sales import INCLUSIVE, Tax, Totals
from crm.domain.sales_content import Content
from crm.domain.sales_sheets import Row, Sheet
from crm.models import Contact, SalesDocument, SalesVersion
from crm.queries import sales_documents as lists
from crm.services import sales_documents, sales_settings
from crm.services.quote_drafts import state_of
from crm.services.sales_settings import Current, Header

TITLES = {"estimate": "Quote", "invoice": "Invoice"}
ON_LETTER = frozenset(("", "US", "USA", "UNITED STATES", "CA", "CANADA", "MX", "MEXICO"))
"""Countries that print on letter paper; all others on A4."""
UNREAD = frozenset(("title", "private_note", "internal_note", "email", "owner_id", "custom_fields", "lines"))
"""Fields whose change makes no other version for the customer."""


@dataclass(frozen=True, slots=True)
class Sum:
    label: str
    amount: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything a customer reads. Amounts and dates in `sums` and `facts` are text, ready to show."""

    id: int
    kind: str
    """`estimate` or `invoice`."""
    title: str
    """"Quote 1042"."""
    header: Header
    facts: tuple[tuple[str, str], ...]
    """(label, text): number, dates, terms, the company's own fields."""
    addresses: tuple[Address, ...]
    sheet: Sheet
    sums: tuple[Sum, ...]
    memo: str
    state: str
    """What it is now: of a quote `expired` included."""
    revision: int
    """The version that is shown."""
    version: str
    """As `version`: what an answer must name."""
    newer: bool
    """A newer version is being written; this one cannot be answered any more."""
    answer: str
    """What the customer decided, as a sentence; empty: nothing yet."""
    expires_on: date | None
    letter: bool


def of_document(
    document: SalesDocument, *, now: datetime, chosen: Collection[int] | None = None, for_customer: bool = False
) -> Paper:
    """The paper as it stands. `chosen`: ids of the optional lines that count instead of those that are kept.

    `for_customer`: never a draft; of a quote under revision the version sent last.
    """
    settings = sales_settings.current(db.session(), document.connection_id)
    known = _sent_before(document) if for_customer else None
    content = known or _choosing(sales_documents.content_of(document), chosen)
    tax = sales_documents.tax_of(document, content)
    totals = content.totals(tax)
    kept = known is None and chosen is None
    sheet = _kept(document) if kept else sales_sheets.of_content(content, tax)
    if not kept:
        sheet = _with_ids(sheet, content)
    revision = document.revision - (1 if known else 0)
    state = state_of(document, now) if document.kind == "estimate" else document.state
    return Paper(
        id=document.id,
        kind=document.kind,
        title=f"{TITLES[document.kind]} {content.number}".strip(),
        header=settings.header,
        facts=_facts(document, content, settings, revision),
        addresses=_addresses(document, content),
        sheet=sheet,
        sums=sums(sheet, totals, tax, balance=document.balance if document.kind == "invoice" else None,
                  asked=asked_of(document)),
        memo=content.customer_memo,
        state=state,
        revision=revision,
        version=version(document),
        newer=known is not None,
        answer=_answer(document),
        expires_on=content.expires_on if document.kind == "estimate" else None,
        letter=settings.facts.country.strip().upper() in ON_LETTER,
    )


def version(document: SalesDocument) -> str:
    """Names what the customer reads, whatever options they choose: another one when it is revised here, or changed in
    the books."""
    content = sales_content.to_json(sales_documents.content_of(document))
    lines = [{name: value for name, value in line.items() if name != "chosen"} for line in content["lines"]]
    read = {name: value for name, value in content.items() if name not in UNREAD} | {"lines": lines}
    text = json.dumps([document.revision, document.currency, read], sort_keys=True)
    return f"{document.revision}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def may_be_shown(document: SalesDocument) -> bool:
    """Whether there is a version that the customer may see: drafts and what was never sent are none."""
    return document.state != quotes.DRAFT or (document.kind == "estimate" and _sent_before(document) is not None)


def asked_of(document: SalesDocument) -> Decimal:
    """The deposit that was asked for on the quote an invoice was made of."""
    quote = db.session.get(SalesDocument, document.quote_id) if document.quote_id else None
    return quote.deposit if quote is not None and document.kind == "invoice" else ZERO


def sums(
    sheet: Sheet, totals: Totals, tax: Tax, *, balance: Decimal | None, asked: Decimal = ZERO
) -> tuple[Sum, ...]:
    """The figures under the lines, one after the other. Taxes one by one where they make up what is shown as tax.
    `asked`: the deposit its quote asked for."""
    money = sheet.currency or "USD"
    found = [Sum("Subtotal", formats.money(sheet.subtotal, money))]
    if sheet.discount:
        percent = f" ({exact(sheet.discount_percent)}%)" if sheet.discount_percent is not None else ""
        found.append(Sum(f"Discount{percent}", formats.money(-sheet.discount, money)))
    found += _taxes(sheet, totals, tax)
    found.append(Sum("Total", formats.money(sheet.total, money), strong=balance is None))
    if balance is None:
        return (*found, Sum("Deposit asked for", formats.money(sheet.deposit, money))) if sheet.deposit else (*found,)
    received = sheet.deposit if sheet.deposit <= sheet.total - balance else ZERO
    if received:
        of = f" ({formats.money(asked, money)} asked for)" if asked and asked != received else ""
        found.append(Sum(f"Deposit received{of}", formats.money(-received, money)))
    paid = sheet.total - received - balance
    if paid:
        found.append(Sum("Paid", formats.money(-paid, money)))
    return (*found, Sum("Amount due", formats.money(balance, money), strong=True))


def exact(value: Decimal | None) -> str:
    """A quantity with every place it has: `1,000.125`."""
    return "" if value is None else format_decimal(value.normalize(), locale=formats.LOCALE, decimal_quantization=False)


def price(value: Decimal | None, currency: str) -> str:
    """A unit price, never rounded: `$33.335`, `$10.00`."""
    if value is None:
        return ""
    plain = formats.money(value, currency)
    whole = format_currency(value.normalize(), currency, locale=formats.LOCALE, decimal_quantization=False)
    return whole if len(whole) > len(plain) else plain


def tag(row: Row) -> str:
    """What an optional line is called."""
    return ("Option, chosen" if row.chosen else "Option, not included") if row.optional else ""


# --- parts ----------------------------------------------------------------------------------------------------


def _sent_before(document: SalesDocument) -> Content | None:
    """Of a quote that is a draft again: what the customer knows."""
    if document.kind != "estimate" or document.state != quotes.DRAFT or document.revision < 2:
        return None
    query = select(SalesVersion.content).where(
        SalesVersion.document_id == document.id, SalesVersion.revision == document.revision - 1
    )
    kept = db.session.scalar(query)
    return sales_content.from_json(kept) if kept else None


def _choosing(content: Content, chosen: Collection[int] | None) -> Content:
    if chosen is None:
        return content
    keys = {str(id_) for id_ in chosen}
    lines = tuple(replace(line, chosen=line.key in keys) if line.optional else line for line in content.lines)
    return replace(content, lines=lines)


def _kept(document: SalesDocument) -> Sheet:
    sheet = sales_sheets.of_document(document)
    if document.edited_at is None and document.books_total is not None and document.books_tax is not None:
        return replace(sheet, tax=document.books_tax, total=document.books_total)
    return sheet


def _with_ids(sheet: Sheet, content: Content) -> Sheet:
    """The key of a kept line is its row's id."""
    rows = tuple(
        replace(row, line_id=int(line.key) if line.key.isdigit() else None)
        for row, line in zip(sheet.rows, content.lines, strict=True)
    )
    return replace(sheet, rows=rows)


def _taxes(sheet: Sheet, totals: Totals, tax: Tax) -> list[Sum]:
    money, contained = sheet.currency or "USD", ", contained" if tax.mode == INCLUSIVE else ""
    rated = [one for one in totals.per_rate if one.amount]
    if rated and sum(one.amount for one in rated) == sheet.tax:
        return [Sum(f"{one.rate.name or 'Tax'} ({exact(one.rate.percent)}%){contained}",
                    formats.money(one.amount, money)) for one in rated]  # fmt: skip
    return [Sum(f"Tax{contained}", formats.money(sheet.tax, money))] if sheet.tax else []


def _facts(document: SalesDocument, content: Content, settings: Current, revision: int) -> tuple[tuple[str, str], ...]:
    terms = {one.remote_id: one.name for one in settings.facts.terms}
    invoice = document.kind == "invoice"
    named = dict(lists.custom_fields(document.connection_id)) if content.custom_fields else {}
    found: list[tuple[str, str]] = [
        ("Number", content.number),
        ("Date", formats.date(content.date) if content.date else ""),
        ("Due", formats.date(content.due_date) if invoice and content.due_date else ""),
        ("Valid until", formats.date(content.expires_on) if not invoice and content.expires_on else ""),
        ("Version", str(revision) if revision > 1 and not invoice else ""),
        ("Terms", terms.get(content.terms, "")),
    ]
    found += [(named.get(key, ""), text) for key, text in content.custom_fields.items() if named.get(key)]
    return tuple((label, text) for label, text in found if text)


def _addresses(document: SalesDocument, content: Content) -> tuple[Address, ...]:
    contact = db.session.get(Contact, content.contact_id) if content.contact_id else None
    name = contact.display_name if contact is not None else ""
    to = tuple(line for line in (name, *_lines(content.billing_address)) if line)
    if len(to) > 1 and to[0] == to[1]:
        to = to[1:]
    ship = _lines(content.shipping_address)
    found = [Address("Bill to" if document.kind == "invoice" else "For", to), Address("Service address", ship)]
    return tuple(one for one in found if one.lines)


def _lines(address: Mapping[str, str]) -> tuple[str, ...]:
    """As it is written on an envelope."""
    city = " ".join(filter(None, (address.get("region", ""), address.get("postal_code", ""))))
    place = ", ".join(filter(None, (address.get("city", ""), city)))
    streets = [address.get(f"line{at}", "") for at in range(1, 6)]
    return tuple(line for line in (*streets, place, address.get("country", "")) if line)


def _answer(document: SalesDocument) -> str:
    if document.kind != "estimate" or document.decided_at is None:
        return ""
    day = formats.date(company_day(document.decided_at, lists.zone(document.connection_id)))
    if document.state in (quotes.ACCEPTED, quotes.INVOICED) and document.accepted_by:
        return f"Accepted by {document.accepted_by} on {day}"
    return f"Declined on {day}" if document.state == quotes.DECLINED else ""
