"""Who is in a segment, as one statement over sets: every rule is a set of contacts, groups join sets.

`members` gives ids of contacts that are not archived. No condition is ever NULL, so that `none` and "is not" mean what
they say. `scope` (ids of contacts) narrows every sub-select, so that a handful of contacts costs a handful. What is
no figure stands in `segment_conditions`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Select,
    and_,
    false,
    literal,
    not_,
    or_,
    select,
    true,
)

from crm.db import Money
from crm.domain.segments import Group, Rule, leaves
from crm.models import Contact
from crm.queries.products import home_currency
from crm.queries.segment_conditions import CONDITIONS
from crm.queries.segment_look import Condition, Look, on
from crm.queries.segment_measures import MEASURES, Measure, PassedOver

__all__ = ["Look", "candidates", "condition", "conditions", "home_currency", "joined", "members"]


def members(group: Group, *, today: date, scope: Select[Any] | None = None, currency: str = "") -> Select[Any]:
    """Ids of the contacts that are in. `today` is the company's day; `scope` selects ids of contacts to look at;
    `currency` is the company's own, for who asks for many segments and read it before."""
    look = Look(today, currency or home_currency(), scope)
    passes = joined(group, conditions(group, look))
    return candidates(look).where(passes if scope is None else PassedOver(passes))


def candidates(look: Look) -> Select[Any]:
    """Ids of all contacts that can be in anything: those of the scope that are not archived."""
    # Passed over: by an index SQLite would read the rows of all contacts one here, one there.
    query = select(Contact.id).where(PassedOver(Contact.archived_at).is_(None))
    return query if look.scope is None else query.where(Contact.id.in_(look.scope))


def conditions(group: Group, look: Look) -> dict[str, Condition]:
    """Path of each rule -> its condition on a contact, true or false."""
    return {path: condition(rule, look) for path, rule in leaves(group)}


def joined(group: Group, known: dict[str, Condition], path: str = "") -> Condition:
    """The condition of a group from those of its rules. A group without parts is false."""
    if not group.parts:
        return false()
    parts = []
    for number, part in enumerate(group.parts):
        place = f"{path}.{number}" if path else str(number)
        parts.append(joined(part, known, place) if isinstance(part, Group) else known[place])
    if group.match == "all":
        return and_(true(), *parts)
    either = or_(false(), *parts)
    return either if group.match == "any" else not_(either)


def condition(rule: Rule, look: Look) -> Condition:
    """One rule's condition on a contact, never NULL."""
    if rule.field in MEASURES:
        return _measured(rule, MEASURES[rule.field](look.asked(rule)), look)
    return CONDITIONS[rule.field](rule, look)


# --- figures --------------------------------------------------------------------------------------------------


def _measured(rule: Rule, measure: Measure, look: Look) -> Condition:
    known = true() if measure.over is None else measure.over > 0
    if rule.op in ("known", "ever"):
        return _those(measure, and_(known, measure.value.is_not(None)), look)
    if rule.op in ("unknown", "never"):
        return not_(_those(measure, and_(known, measure.value.is_not(None)), look))
    if rule.about.type == "date":
        return _those(measure, on(rule, measure.value, look.today), look)
    passes = _compared(rule, measure)
    if measure.zero and compare(rule.op, Decimal(0), [Decimal(one) for one in rule.values]):
        return not_(_those(measure, not_(passes), look))
    return _those(measure, and_(known, passes), look)


def _those(measure: Measure, passes: Condition, look: Look) -> Condition:
    """The contact is one of those whose figure passes."""
    query = select(measure.contact)
    if measure.join is not None:
        query = query.join(measure.join)
    query = query.where(*measure.where, *look.narrowed(measure.contact))
    query = query.group_by(measure.contact).having(passes) if measure.grouped else query.where(passes)
    return Contact.id.in_(query)


def compare(op: str, value: Any, limits: list[Any]) -> Any:
    """Whether a figure passes; of Python's numbers as of columns. `between` includes both ends."""
    if op == "between":
        return (value >= limits[0]) & (value <= limits[1])
    return {
        "more": lambda: value > limits[0], "at_least": lambda: value >= limits[0], "less": lambda: value < limits[0],
        "at_most": lambda: value <= limits[0], "equals": lambda: value == limits[0],
    }[op]()  # fmt: skip


def _compared(rule: Rule, measure: Measure) -> Condition:
    """A share or average is compared in tenths, multiplied instead of divided."""
    if measure.over is None:
        kind = measure.value.type
        if not isinstance(kind, Money):
            return compare(rule.op, measure.value * 10, [int(Decimal(one) * 10) for one in rule.values])
        return compare(rule.op, measure.value, [literal(Decimal(one), kind) for one in rule.values])
    return compare(rule.op, measure.value * 10, [measure.over * int(Decimal(one) * 10) for one in rule.values])
