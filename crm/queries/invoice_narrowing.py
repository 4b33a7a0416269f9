"""What figures narrow invoices by when they open them: age, currency, place, and whether the customer was new then.

Pages of figures sum by the same conditions, so that a list holds exactly what its figure counted.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased

from crm.domain.invoice_filters import AGES, Filters
from crm.models import SalesDocument
from crm.queries import products, sales_places
from crm.queries.segment_measures import PassedOver

D = SalesDocument
_FIRST = aliased(SalesDocument)
LATEST = tuple(AGES)[-1]


def issued(row: Any = D) -> tuple[ColumnElement[bool], ...]:
    """Neither draft, void, held back nor gone: what counts as invoiced."""
    return row.kind == "invoice", row.gone_at.is_(None), row.state == "open", row.hold.is_(False)


def bought_before(contact_id: Any, since: date) -> ColumnElement[bool]:
    """That a contact was invoiced before this day. The contact leads: by the day there are many invoices."""
    *rest, held = issued(_FIRST)
    earlier = select(_FIRST.id).where(_FIRST.contact_id == contact_id, *rest, PassedOver(held), _FIRST.date < since)
    return earlier.exists()


def of_age(age: str, today: date) -> list[ColumnElement[bool]]:
    """Of a key of AGES: by days past due; one without a due date is due on its own date, or now."""
    due, at = func.coalesce(D.due_date, D.date, today), tuple(AGES).index(age)
    if at == 0:
        return [due >= today]
    found = [due <= today - timedelta(days=(at - 1) * 30 + 1)]
    return found if age == LATEST else [*found, due >= today - timedelta(days=at * 30)]


def more(filters: Filters, today: date) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.currency:
        found.append(D.currency.in_(products.spelled_currencies(filters.currency)))
    if filters.age:
        found += of_age(filters.age, today)
    if filters.buyers == "unmatched":
        found.append(D.contact_id.is_(None))
    elif filters.buyers and filters.since is not None:
        before = bought_before(D.contact_id, filters.since)
        found.append(and_(D.contact_id.is_not(None), before if filters.buyers == "returning" else ~before))
    if filters.region or filters.city or filters.postal:
        found.append(
            sales_places.of_place(D.contact_id, region=filters.region, city=filters.city, postal=filters.postal)
        )
    return found
