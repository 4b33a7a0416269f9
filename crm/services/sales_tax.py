"""Which tax a document bears, as far as it can be known here: the rehearsal of what the books will answer.

The company's own way (`connections.preferences`) decides the mode; rates come from its lists. Where QuickBooks computes
the tax itself (automated sales tax) it tells no rate: the one it used last for this customer is taken, else the one it
used most in the last documents, and what it answers counts. No remote call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.records import CompanyPreferences
from crm.domain.sales import EXCLUSIVE, INCLUSIVE, NO_TAX, US, Rate, Tax
from crm.models import Connection, Customer, Document, ListEntry

GLOBAL, US_MANUAL, US_AUTOMATED = "global", "us_manual", "us_automated"
LOOKED_AT = 200
"""Documents asked for the rate that is used most."""


def mode_of(connection: Connection | None) -> str:
    """`none`, `us_manual`, `us_automated` or `global`; no company connected: none."""
    if connection is None:
        return "none"
    kept = connection.preferences
    said = CompanyPreferences(sales_tax=kept.get("sales_tax"), automated_sales_tax=kept.get("automated_sales_tax"))
    return said.tax_mode(connection.country)


def tax_of(
    session: Session,
    connection: Connection | None,
    *,
    contact_id: int | None,
    tax_code: str = "",
    inclusive: bool = False,
) -> Tax:
    """The tax of a document for this contact. `tax_code` is the document's own code (US, manual)."""
    mode = mode_of(connection)
    if connection is None or mode == "none":
        return NO_TAX
    if mode == GLOBAL:
        return Tax(INCLUSIVE if inclusive else EXCLUSIVE, codes=codes(session, connection.id))
    exempt = is_exempt(session, connection.id, contact_id)
    if mode == US_MANUAL:
        return Tax(US, rates=codes(session, connection.id).get(tax_code, ()), exempt=exempt)
    return Tax(US, rates=_used_last(session, connection.id, contact_id), exempt=exempt)


def codes(session: Session, connection_id: int) -> dict[str, tuple[Rate, ...]]:
    """Tax code -> its rates, of the codes in use."""
    kinds = ("tax_code", "tax_rate")
    rows = session.execute(
        select(ListEntry).where(ListEntry.connection_id == connection_id, ListEntry.kind.in_(kinds), ListEntry.active)
    ).scalars()
    found: dict[str, dict[str, ListEntry]] = {kind: {} for kind in kinds}
    for row in rows:
        found[row.kind][row.remote_id] = row
    rates = {id_: _rate(row) for id_, row in found["tax_rate"].items()}
    return {
        id_: tuple(rates[rate] for rate in row.details.get("sales_rates", ()) if rate in rates)
        for id_, row in found["tax_code"].items()
    }


def is_exempt(session: Session, connection_id: int, contact_id: int | None) -> bool:
    """Whether the books say that this contact's customer bears no tax."""
    query = select(Customer.record).where(
        Customer.connection_id == connection_id, Customer.contact_id == contact_id, Customer.match_state == "linked"
    )
    record = session.scalar(query.limit(1)) if contact_id else None
    return record is not None and record.get("taxable") is False


def _rate(row: ListEntry) -> Rate:
    return Rate(row.remote_id, row.name, Decimal(str(row.details.get("percent") or 0)))


def _used_last(session: Session, connection_id: int, contact_id: int | None) -> tuple[Rate, ...]:
    mine = (Document.connection_id == connection_id, Document.tax > 0, Document.gone_at.is_(None))
    newest = select(Document.record).where(*mine).order_by(Document.date.desc(), Document.id.desc())
    if contact_id is not None:
        record = session.scalar(newest.where(Document.contact_id == contact_id).limit(1))
        if record and (rates := _rates_of(record)):
            return rates
    counted: dict[tuple[Rate, ...], int] = {}
    for record in session.scalars(newest.limit(LOOKED_AT)):
        if rates := _rates_of(record):
            counted[rates] = counted.get(rates, 0) + 1
    return max(counted, key=lambda rates: counted[rates]) if counted else ()


def _rates_of(record: Mapping[str, Any]) -> tuple[Rate, ...]:
    """The rates of a stored document; none where the books gave an amount without saying how they found it."""
    lines = record.get("tax_lines") or ()
    return tuple(
        Rate((line.get("rate") or {}).get("remote_id", ""), (line.get("rate") or {}).get("name", ""),
             Decimal(str(line["percent"])))
        for line in lines if line.get("percent") is not None
    )  # fmt: skip
