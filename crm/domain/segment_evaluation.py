"""Whether one contact is in a segment, rule by rule with the values: what the page "why" shows. Pure.

It is written apart from the database's way (`queries/segment_sql`), over plain values, so that each checks the other:
a test compares the two on random rules and random contacts. Shares and averages are fractions, never rounded before
they are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from babel.numbers import format_currency, format_decimal

from crm.domain.days import day_text
from crm.domain.distances import over_ground, squared
from crm.domain.names import fold
from crm.domain.regions import country_key, postal_key, state_key
from crm.domain.segment_facts import FACTS
from crm.domain.segment_fields import MONTHS, PLACE_PARTS, UNITS, Field
from crm.domain.segment_periods import Period
from crm.domain.segment_person import Person
from crm.domain.segment_values import circle, counted
from crm.domain.segments import Group, Rule

KEYS: Mapping[str, Callable[[str], str]] = {
    "company": fold, "state": state_key, "city": fold, "postal_code": postal_key, "country": country_key,
}  # fmt: skip
"""How the texts of a field are made alike before they are compared. A name is kept folded."""
NOT_KNOWN = "not known"
NEVER = "never"
ARCHIVED = "This contact is archived, and archived contacts are in no segment."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a rule or group."""

    part: Rule | Group
    path: str
    """As `domain/segments` names parts; empty for the whole."""
    passed: bool
    value: str = ""
    """Of a rule: what the contact has, in words. Of the whole: why nothing else counts, if so."""
    parts: tuple[Outcome, ...] = ()

    def rules(self) -> Iterator[Outcome]:
        """The outcomes of all rules, in the order they are shown."""
        if isinstance(self.part, Rule):
            yield self
        for part in self.parts:
            yield from part.rules()


def evaluate(group: Group, person: Person, today: date) -> Outcome:
    """The whole with its parts. `today` is the company's day."""
    found = _group(group, person, today, "")
    if person.archived:
        return Outcome(group, "", passed=False, value=ARCHIVED, parts=found.parts)
    return found


def one_change_away(group: Group, person: Person, today: date) -> tuple[str, ...]:
    """Paths of the rules of which each alone keeps the contact out: were its answer the opposite, it would be in."""
    found = evaluate(group, person, today)
    if found.passed or person.archived:
        return ()
    known = {one.path: one.passed for one in found.rules()}
    return tuple(path for path in known if verdict(group, {**known, path: not known[path]}))


def verdict(group: Group, known: Mapping[str, bool], path: str = "") -> bool:
    """What a group comes to where its rules (by path) come to `known`. One without parts is false."""
    if not group.parts:
        return False
    found = []
    for number, part in enumerate(group.parts):
        place = f"{path}.{number}" if path else str(number)
        found.append(verdict(part, known, place) if isinstance(part, Group) else known[place])
    return all(found) if group.match == "all" else any(found) if group.match == "any" else not any(found)


def _group(group: Group, person: Person, today: date, path: str) -> Outcome:
    parts = []
    for number, part in enumerate(group.parts):
        place = f"{path}.{number}" if path else str(number)
        if isinstance(part, Group):
            parts.append(_group(part, person, today, place))
        else:
            value = FACTS[part.field](person, part.period or Period(), today)
            parts.append(Outcome(part, place, passes(part, value, today), told(part, value, person, today)))
    known = [one.passed for one in parts]
    passed = all(known) if group.match == "all" else any(known) if group.match == "any" else not any(known)
    return Outcome(group, path, passed=passed and bool(parts), parts=tuple(parts))


# --- rules ----------------------------------------------------------------------------------------------------


def passes(rule: Rule, value: Any, today: date) -> bool:
    """Whether a value (of `FACTS`) passes a rule. No value passes nothing but "unknown" and "never"."""
    if rule.op in ("known", "ever"):
        return value is not None and value != ""
    if rule.op in ("unknown", "never"):
        return value is None or value == ""
    if rule.op in ("yes", "no"):
        return bool(value) == (rule.op == "yes")
    if rule.about.type == "text":
        return _text_passes(rule, value)
    if rule.op.startswith("has_"):
        return _set_passes(rule, value)
    if rule.about.type == "choice":
        return (value in rule.values) == (rule.op == "one_of")
    if value is None:
        return False
    if rule.about.type == "date":
        return _date_passes(rule, value, today)
    return _place_passes(rule, value) if rule.about.type == "place" else _number_passes(rule, value)


def _text_passes(rule: Rule, value: str) -> bool:
    key = KEYS.get(rule.field, fold)
    text = KEYS[rule.field](value) if rule.field in KEYS else value
    wanted = [key(one) for one in rule.values]
    if rule.op in ("one_of", "none_of"):
        return (text in wanted) == (rule.op == "one_of")
    if rule.op == "begins":
        return any(text.startswith(one) for one in wanted)
    return (wanted[0] in text) == (rule.op == "contains")


def _set_passes(rule: Rule, value: frozenset[str]) -> bool:
    wanted = {str(int(one)) for one in rule.values}
    if rule.op == "has_all":
        return wanted <= value
    return bool(wanted & value) == (rule.op == "has_any")


def _date_passes(rule: Rule, value: date, today: date) -> bool:
    if rule.op == "last_days":
        return (today - value).days <= int(rule.values[0])
    if rule.op == "days_ago":
        return (today - value).days > int(rule.values[0])
    days = [date.fromisoformat(one) for one in rule.values]
    if rule.op == "since":
        return value >= days[0]
    return value < days[0] if rule.op == "before" else days[0] <= value <= days[1]


def _number_passes(rule: Rule, value: Any) -> bool:
    number, limits = Fraction(value), [Fraction(one) for one in rule.values]
    if rule.op == "between":
        return limits[0] <= number <= limits[1]
    if rule.op == "equals":
        return number == limits[0]
    if rule.op in ("more", "at_most"):
        return (number > limits[0]) == (rule.op == "more")
    return (number < limits[0]) == (rule.op == "less")


def _place_passes(rule: Rule, value: tuple[int, int, int]) -> bool:
    point, reach = circle(rule.values)
    return (squared(value, point) <= reach * reach) == (rule.op == "within")


# --- in words -------------------------------------------------------------------------------------------------


def told(rule: Rule, value: Any, person: Person, today: date) -> str:
    """What the contact has, as it stands beside the rule: "$1,240.00", "Nov 2, 2026, 19 days ago", "never"."""
    about = rule.about
    if about.type == "date":
        return _date_told(value, today)
    if value is None or value == "":
        return NOT_KNOWN
    if about.type == "yes_no":
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        names = MONTHS if rule.field == "season" else person.names.get(about.options, {})
        each = [names.get(one, f"no. {one}") for one in sorted(value, key=int)]
        return ", ".join(each) or "none"
    if about.type in ("text", "choice"):
        if rule.field == "name":
            return person.name
        return "nobody" if value == "none" and about.options else _named(about, value, person)
    if about.type == "place":
        return _place_told(rule, value)
    return _number_told(about, value, person.currency)


def _named(about: Field, value: str, person: Person) -> str:
    if about.choices is not None:
        return about.choices.get(value, value)
    return person.names.get(about.options, {}).get(value, value)


def _date_told(value: date | None, today: date) -> str:
    if value is None:
        return NEVER
    days = (today - value).days
    if days == 0:
        return f"{day_text(value)}, today"
    many = f"{abs(days):,} {'day' if abs(days) == 1 else 'days'}"
    return f"{day_text(value)}, {f'{many} ago' if days > 0 else f'in {many}'}"


def _place_told(rule: Rule, value: tuple[int, int, int]) -> str:
    if not rule.values:
        return "known"
    point, _ = circle(rule.values)
    unit = rule.values[PLACE_PARTS.index("unit")]
    return f"{over_ground(value, point, unit):,} {UNITS[unit]} away"


def _number_told(about: Field, value: Any, currency: str) -> str:
    if about.type == "money":
        return format_currency(value, currency or "USD", locale="en_US")
    exact = Fraction(value)
    tenths = round(exact * 10)  # shown only: nothing is compared by it
    shown = format_decimal(Decimal(tenths) / 10, locale="en_US")
    if about.type == "percent":
        return f"{shown}%"
    return f"{shown} {counted(about, exact == 1)}".rstrip()
