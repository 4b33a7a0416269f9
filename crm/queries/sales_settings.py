"""What a company's sales settings rest on: its lists, its latest products and documents, and what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.sales_settings import FIELDS, LABELS, Entry, Facts
from crm.models import Connection, Item, ListEntry, SalesDocument, SalesSettings

SAMPLE = 500
"""Products of the books looked at: the latest."""
LATEST = 60
"""Documents of a kind looked at."""


@dataclass(frozen=True, slots=True)
class Version:
    version: int
    changes: Sequence[str]
    changed_by: str
    changed_at: datetime


def latest(session: Session, connection_id: int) -> SalesSettings | None:
    query = select(SalesSettings).where(SalesSettings.connection_id == connection_id)
    return session.scalar(query.order_by(SalesSettings.version.desc()).limit(1))


def facts(session: Session, connection_id: int | None) -> Facts:
    """Of no company: nothing is known. Six statements at most, whatever the size of the company."""
    connection = session.get(Connection, connection_id) if connection_id is not None else None
    if connection is None:
        return Facts()
    lists = _lists(session, connection.id)
    items = _items(session, connection.id)
    quotes, invoices = (_documents(session, connection.id, kind) for kind in ("estimate", "invoice"))
    sold = [record for type_, record in items if type_ not in ("category", "group")]
    return Facts(
        company_name=connection.company_name,
        country=connection.country,
        preferences=connection.preferences,
        accounts=lists.get("account", ()),
        terms=lists.get("term", ()),
        tax_codes=lists.get("tax_code", ()),
        services_by_account=_by_account(record for type_, record in items if type_ == "service"),
        items_by_account=_by_account(record for type_, record in items if type_ in ("non_inventory", "inventory")),
        taxable=sum(record.get("taxable") is True for record in sold),
        products=sum(isinstance(record.get("taxable"), bool) for record in sold),
        quote_days=[(row.expires_on - row.date).days for row in quotes if row.expires_on and row.date],
        quote_numbers=[row.number for row in quotes if row.number],
        invoice_numbers=[row.number for row in invoices if row.number],
    )


def history(session: Session, connection_id: int, *, limit: int = 30) -> list[Version]:
    """Every version, the latest first."""
    rows = session.scalars(
        select(SalesSettings).where(SalesSettings.connection_id == connection_id).order_by(SalesSettings.version)
    )
    versions, before = [], dict[str, Any]()
    for row in rows:
        versions.append(Version(row.version, told(before, row.answers), row.changed_by, row.changed_at))
        before = row.answers
    return versions[::-1][:limit]


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What was changed, in words: old -> new. An answer that is missing is the default."""

    def said(answers: Mapping[str, Any], name: str) -> str:
        return (answers[name] or "none") if name in answers else "as found" if name in FIELDS else "empty"

    return [
        f"{LABELS[name]}: {said(before, name)} → {said(after, name)}"
        for name in LABELS
        if before.get(name) != after.get(name)
    ]


def _lists(session: Session, connection_id: int) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    rows = session.execute(
        select(ListEntry.kind, ListEntry.remote_id, ListEntry.name, ListEntry.active, ListEntry.details)
        .where(ListEntry.connection_id == connection_id, ListEntry.kind.in_(("account", "term", "tax_code")))
        .order_by(ListEntry.kind, ListEntry.id)
    )
    for kind, remote_id, name, active, details in rows:
        path = details.get("full_path") or name
        entry = Entry(remote_id, path, details.get("type", ""), details.get("subtype", ""), active)
        found.setdefault(kind, []).append(entry)
    return found


def _items(session: Session, connection_id: int) -> list[tuple[str, Mapping[str, Any]]]:
    query = select(Item.type, Item.record).where(
        Item.connection_id == connection_id, Item.gone_at.is_(None), Item.active.is_(True)
    )
    return [(row.type, row.record) for row in session.execute(query.order_by(Item.id.desc()).limit(SAMPLE))]


def _by_account(records: Any) -> dict[str, int]:
    accounts = ((record.get("income_account") or {}).get("remote_id", "") for record in records)
    return dict(Counter(account for account in accounts if account))


def _documents(session: Session, connection_id: int, kind: str) -> Sequence[Any]:
    """The latest of the books or here; templates have no number that counts."""
    d = SalesDocument
    query = select(d.number, d.date, d.expires_on).where(
        d.kind == kind, d.gone_at.is_(None), d.connection_id == connection_id, d.template.is_(False)
    )
    # As the index stands: without `gone_at`, empty in all of them, PostgreSQL would sort all of the company's.
    return session.execute(query.order_by(d.gone_at.desc(), d.date.desc(), d.id.desc()).limit(LATEST)).all()
