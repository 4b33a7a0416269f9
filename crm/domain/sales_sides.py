"""A quote or invoice on two sides, whole and side by side, each marked where the other says something else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

COMPARED = ("name", "description", "quantity", "unit_price", "amount", "taxable")
FIGURES: Mapping[str, str] = {"subtotal": "Subtotal", "discount": "Discount", "tax": "Tax", "total": "Total"}


@dataclass(frozen=True, slots=True)
class SideLine:
    """A line as one side has it. Two lines of one `key` are the same one."""

    key: str
    kind: str
    name: str
    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None
    taxable: bool
    member: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """One side, before it is held against the other."""

    facts: Mapping[str, str]
    """Title -> what stands there."""
    lines: Sequence[SideLine]
    figures: Mapping[str, Decimal]
    currency: str
    void: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    line: SideLine
    differs: frozenset[str]
    """Of COMPARED, what the other side says otherwise."""
    alone: bool
    """The other side has no such line."""


@dataclass(frozen=True, slots=True)
class Side:
    facts: tuple[tuple[str, str, bool], ...]
    """(title, what stands there, whether the other side differs); what both leave empty is left out."""
    lines: tuple[Marked, ...]
    figures: tuple[tuple[str, Decimal, bool], ...]
    currency: str
    void: bool


def sides(one: Whole, other: Whole) -> tuple[Side, Side]:
    """Both, each marked against the other."""
    pairs = _paired(one.lines, other.lines)
    back = {there: here for here, there in pairs.items()}
    return _side(one, other, pairs), _side(other, one, back)


def _paired(lines: Sequence[SideLine], others: Sequence[SideLine]) -> dict[int, int]:
    """Place of a line -> place of the same one on the other side: by its key, else the next that says the same."""
    keys = {line.key: at for at, line in enumerate(others) if line.key}
    found = {at: keys[line.key] for at, line in enumerate(lines) if line.key in keys}
    left = [at for at in range(len(others)) if at not in set(found.values())]
    for at, line in enumerate(lines):
        same = None if at in found else next((there for there in left if _alike(line, others[there])), None)
        if same is not None:
            found[at] = same
            left.remove(same)
    return found


def _alike(line: SideLine, other: SideLine) -> bool:
    if line.key and other.key:
        return False
    return (_sort(line), line.member) == (_sort(other), other.member) and (line.name, _words(line.description)) == (
        other.name, _words(other.description)
    )  # fmt: skip


def _sort(line: SideLine) -> str:
    return "text" if line.kind == "section" else line.kind


def _words(text: str) -> str:
    return " ".join(text.split())


def _side(mine: Whole, other: Whole, pairs: Mapping[int, int]) -> Side:
    titles = [title for title in dict.fromkeys((*mine.facts, *other.facts))
              if mine.facts.get(title) or other.facts.get(title)]  # fmt: skip
    return Side(
        tuple((title, mine.facts.get(title, ""), mine.facts.get(title, "") != other.facts.get(title, ""))
              for title in titles),
        tuple(_marked(line, other.lines[pairs[at]] if at in pairs else None) for at, line in enumerate(mine.lines)),
        tuple((title, mine.figures[name], mine.figures[name] != other.figures[name])
              for name, title in FIGURES.items() if mine.figures[name] or other.figures[name] or name == "total"),
        mine.currency,
        mine.void,
    )  # fmt: skip


def _marked(line: SideLine, other: SideLine | None) -> Marked:
    if other is None:
        return Marked(line, frozenset(COMPARED), alone=True)
    return Marked(line, frozenset(_differing(line, other)), alone=False)


def _differing(line: SideLine, other: SideLine) -> Iterable[str]:
    if _sort(line) == _sort(other) == "text":  # a heading has its words in the name here, and below it there
        if _words(line.description or line.name) != _words(other.description or other.name):
            yield "description" if line.description else "name"
        return
    for name in COMPARED:
        mine, theirs = (_plain(getattr(one, name)) for one in (line, other))
        if mine != theirs:
            yield name


def _plain(value: Any) -> Any:
    return _words(value) if isinstance(value, str) else value
