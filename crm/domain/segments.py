"""Rules of a segment: a tree of groups (all, any, none of) over rules about one field each. Pure.

`read` makes the tree of what a form or the database holds, `write` turns it into JSON again (amounts as text), `words`
says it in a sentence. A part is named by its path: "0" is the root's first part, "0.1" that one's second. A group
without parts matches nobody, whatever it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm.domain.errors import Invalid
from crm.domain.segment_fields import FIELDS, OPS, Field
from crm.domain.segment_periods import Period
from crm.domain.segment_values import read_period, read_values, value_words

__all__ = ["MATCHES", "Group", "Part", "Period", "Rule", "leaves", "read", "words", "write"]

MATCHES = {"all": "all of", "any": "any of", "none": "none of"}
MOST_DEEP = 4
MOST_RULES = 40
NOBODY = "No rules yet: this matches nobody"


@dataclass(frozen=True, slots=True)
class Rule:
    """`field` is a key of FIELDS, `op` one of OPS that the field knows; `values` are canonical text: ids, amounts with
    a point, ISO dates; for a distance those of `segment_fields.PLACE_PARTS`. `period` only where the field has one."""

    field: str
    op: str
    values: tuple[str, ...] = ()
    period: Period | None = None

    @property
    def about(self) -> Field:
        return FIELDS[self.field]


@dataclass(frozen=True, slots=True)
class Group:
    match: str = "all"
    """`all`, `any` or `none`."""
    parts: tuple[Rule | Group, ...] = ()


Part = Rule | Group


def read(data: Mapping[str, Any]) -> Group:
    """The tree of its JSON. Raises Invalid with a sentence for each part that cannot be read: its keys are a path and
    `field`, `op`, `value` or `period` ("0.1.value"); `rules` for the whole."""
    wrong: dict[str, str] = {}
    group = _group(data, "", 1, wrong)
    if len(leaves(group)) > MOST_RULES:
        wrong["rules"] = f"A segment has {MOST_RULES} rules at most. Leave some out, or make two segments of it."
    if wrong:
        raise Invalid(wrong)
    return group


def write(group: Group) -> dict[str, Any]:
    """As JSON; `read` gives the same tree of it."""
    return {"match": group.match, "parts": [
        write(part) if isinstance(part, Group) else _rule_written(part) for part in group.parts
    ]}  # fmt: skip


def leaves(group: Group, path: str = "") -> list[tuple[str, Rule]]:
    """(path, rule) of every rule, in the order they are shown."""
    return list(_leaves(group, path))


def words(group: Group, names: Mapping[str, Mapping[str, str]] | None = None, currency: str = "USD") -> str:
    """ "Balance is more than $500.00 and State is Kansas". `names`: `owners`, `tags`, `products` -> id -> name."""
    if not group.parts:
        return NOBODY
    told = [_part_words(part, names or {}, currency) for part in group.parts]
    if group.match == "none":
        return ("Not: " if len(told) == 1 else "None of: ") + "; ".join(told)
    return (" and " if group.match == "all" else " or ").join(told)


def rule_words(rule: Rule, names: Mapping[str, Mapping[str, str]] | None = None, currency: str = "USD") -> str:
    """One rule: "Sales in the last 365 days is more than $5,000.00"."""
    about, op = rule.about, OPS[rule.op]
    subject = f"{about.label} {rule.period.words}" if rule.period and rule.period.kind != "all" else about.label
    if about.type == "yes_no":
        return f"{about.label}: {op.words}"
    value = value_words(about, rule.op, rule.values, names or {}, currency)
    verb = op.words.format(value) if "{}" in op.words else f"{op.words} {value}".rstrip()
    return f"{subject} {verb}"


def _part_words(part: Part, names: Mapping[str, Mapping[str, str]], currency: str) -> str:
    if isinstance(part, Rule):
        return rule_words(part, names, currency)
    return f"({words(part, names, currency)})" if part.parts else "(a group without rules, which matches nobody)"


def _leaves(group: Group, path: str) -> Iterator[tuple[str, Rule]]:
    for number, part in enumerate(group.parts):
        place = f"{path}.{number}" if path else str(number)
        if isinstance(part, Group):
            yield from _leaves(part, place)
        else:
            yield place, part


def _group(data: object, path: str, depth: int, wrong: dict[str, str]) -> Group:
    if not isinstance(data, Mapping) or not isinstance(data.get("parts", []), list):
        wrong[path or "rules"] = "The rules cannot be read. Build them again."
        return Group()
    match = data.get("match", "all")
    if match not in MATCHES:
        wrong[f"{path}.match" if path else "match"] = "Choose all, any or none."
        match = "all"
    if depth > MOST_DEEP:
        wrong[path] = f"Groups can be {MOST_DEEP} deep at most. Move these rules up."
        return Group(match)
    given = data.get("parts", [])
    if len(given) > MOST_RULES:  # never more work than that, whatever was sent
        wrong["rules"] = f"A segment has {MOST_RULES} rules at most. Leave some out, or make two segments of it."
        return Group(match)
    parts = [
        _group(one, place, depth + 1, wrong)
        if isinstance(one, Mapping) and "parts" in one
        else _rule(one, place, wrong)
        for one, place in ((one, f"{path}.{number}" if path else str(number)) for number, one in enumerate(given))
    ]
    return Group(match, tuple(part for part in parts if part is not None))


def _rule(data: object, path: str, wrong: dict[str, str]) -> Rule | None:
    if not isinstance(data, Mapping) or not isinstance(key := data.get("field"), str) or key not in FIELDS:
        wrong[f"{path}.field"] = "Choose what the rule is about."
        return None
    about, op = FIELDS[key], data.get("op")
    if not isinstance(op, str) or op not in about.ops:
        wrong[f"{path}.op"] = f"Choose how {about.label} is compared."
        return None
    told: dict[str, str] = {}
    values = read_values(about, op, data.get("values", ()), told)
    period = read_period(data.get("period"), told) if about.period else None
    wrong |= {f"{path}.{name}": sentence for name, sentence in told.items()}
    return None if told else Rule(key, op, values, period)


def _rule_written(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = {"field": rule.field, "op": rule.op, "values": list(rule.values)}
    if rule.period is not None:
        period: dict[str, Any] = {"kind": rule.period.kind}
        if rule.period.kind == "days":
            period["days"] = rule.period.days
        if rule.period.kind == "dates":
            period |= {name: day.isoformat() if day else "" for name, day in
                       (("since", rule.period.since), ("until", rule.period.until))}  # fmt: skip
        written["period"] = period
    return written
