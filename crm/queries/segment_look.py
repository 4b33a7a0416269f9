"""What the rules of one segment are worked out for, and comparisons of days: shared by all conditions of rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_

from crm.domain.segments import Rule
from crm.models import Contact, SalesDocument
from crm.queries.segment_measures import Asked, PassedOver

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Look:
    """What the rules of one segment are worked out for."""

    today: date
    currency: str
    """The company's home currency; documents and figures in another one are left out of sums."""
    scope: Select[Any] | None = None

    def asked(self, rule: Rule) -> Asked:
        return Asked(self.today, self.currency, rule.period, self.scope is not None)

    def narrowed(self, contact: Any) -> list[Condition]:
        """What every sub-select is narrowed by: contacts of the scope, and never NULL."""
        narrowed: list[Condition] = [contact.is_not(None)] if _may_be_null(contact) else []
        return narrowed if self.scope is None else [*narrowed, contact.in_(self.scope)]


def _may_be_null(contact: Any) -> bool:
    """Only documents can be of nobody."""
    return isinstance(contact, PassedOver) or contact.class_ is SalesDocument


def on(rule: Rule, when: Any, today: date) -> Condition:
    """Comparisons of a date or moment. Days of moments begin at midnight UTC."""
    moments = isinstance(when.type, type(Contact.created_at.type))

    def begins(day: date) -> Any:
        return datetime.combine(day, time(), UTC) if moments else day

    if rule.op in ("last_days", "days_ago"):
        first = begins(today - timedelta(days=int(rule.values[0])))
        return when >= first if rule.op == "last_days" else when < first
    days = [date.fromisoformat(one) for one in rule.values]
    if rule.op == "since":
        return when >= begins(days[0])
    if rule.op == "before":
        return when < begins(days[0])
    return and_(when >= begins(days[0]), when < begins(days[1] + timedelta(days=1)))
