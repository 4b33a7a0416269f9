"""Two contacts that are one person: which value each field gets and why, and how they are parted again.

`proposal` is asked by services/contact_merges and drawn by the page of a merge; `parted` by its undo. What belongs
together (the two names, an address) is taken from one side, unless the sides only complete each other. Pure; it does
not decide whether they are one (see `duplicates`), and nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crm.domain.contacts import ADDRESS, TYPES, Line
from crm.domain.names import fold

NAMES = ("given_name", "family_name")
GROUPS: tuple[tuple[str, ...], ...] = (
    ("display_name",), NAMES, ("company_name",), ADDRESS, ("website",), ("type",), ("owner",),
)  # fmt: skip
MERGED_FIELDS = tuple(name for group in GROUPS for name in group)
TYPE_RANK = ("customer", "vendor", "partner", "lead", "other")
"""A type that comes earlier says more of what we have to do with somebody."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two contacts."""

    values: Mapping[str, str]
    """FIELDS, "type", and "owner" as the id's text (empty: nobody)."""
    lines: tuple[Line, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    last_activity_at: datetime | None = None
    changed_at: Mapping[str, datetime] = field(default_factory=dict)
    """Field -> when it was last changed by anybody, where that is known."""
    books: Mapping[str, str] = field(default_factory=dict)
    """Field -> what the contact's customer in the books says; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One field: both values, the one proposed, and why."""

    name: str
    one: str
    other: str
    pick: str
    """`one` (the contact that stays) or `other`."""
    reason: str

    @property
    def value(self) -> str:
        return self.one if self.pick == "one" else self.other

    @property
    def differs(self) -> bool:
        return self.one != self.other


@dataclass(frozen=True, slots=True)
class JoinedLine:
    line: Line
    of: str
    """`one`, `other` or `both`."""


@dataclass(frozen=True, slots=True)
class Proposal:
    choices: tuple[Choice, ...]
    lines: tuple[JoinedLine, ...]
    tags: tuple[str, ...]
    created_at: datetime | None
    last_activity_at: datetime | None

    @property
    def values(self) -> dict[str, str]:
        return {choice.name: choice.value for choice in self.choices}


def proposal(one: Side, other: Side) -> Proposal:
    """What the contact that stays (`one`) would become."""
    choices = [choice for group in GROUPS for choice in _choices(group, one, other)]
    created = [at for at in (one.created_at, other.created_at) if at]
    active = [at for at in (one.last_activity_at, other.last_activity_at) if at]
    tags = {tag.casefold(): tag for tag in (*reversed(other.tags), *reversed(one.tags))}
    return Proposal(
        tuple(choices), united(one.lines, other.lines), tuple(sorted(tags.values(), key=str.casefold)),
        min(created, default=None), max(active, default=None),
    )  # fmt: skip


def united(one: Sequence[Line], other: Sequence[Line]) -> tuple[JoinedLine, ...]:
    """All lines of both, each number or address once, those of `one` first."""
    theirs, ours = {line_key(line): line for line in reversed(other)}, {line_key(line) for line in one}
    joined = [JoinedLine(line, "both" if line_key(line) in theirs else "one") for line in one]
    more = [line for line in other if line_key(line) not in ours and theirs[line_key(line)] is line]
    return (*joined, *(JoinedLine(line, "other") for line in more))


def line_key(line: Line) -> str:
    """What makes two lines the same, whatever they are called and however they were typed."""
    return f"{line.kind}:{line.normal or fold(line.value) or line.value}:{line.extension}"


# --- one field, or what belongs together ----------------------------------------------------------------------


def _choices(group: Sequence[str], one: Side, other: Side) -> list[Choice]:
    ours, theirs = [one.values.get(name, "") for name in group], [other.values.get(name, "") for name in group]
    if all(not a or not b or fold(a) == fold(b) for a, b in zip(ours, theirs, strict=True)):
        return [_completed(name, a, b) for name, a, b in zip(group, ours, theirs, strict=True)]
    pick, reason = _better(group, one, other)
    return [Choice(name, a, b, pick, reason) if a != b else _completed(name, a, b)
            for name, a, b in zip(group, ours, theirs, strict=True)]  # fmt: skip


def _completed(name: str, ours: str, theirs: str) -> Choice:
    if ours == theirs:
        return Choice(name, ours, theirs, "one", "Both say so." if ours else "")
    if not ours or not theirs:
        return Choice(name, ours, theirs, "one" if ours else "other", "The only one known.")
    return Choice(name, ours, theirs, "one", "Both say so, but for how it is written.")


def _better(group: Sequence[str], one: Side, other: Side) -> tuple[str, str]:
    """(pick, why) where both have something and they contradict each other."""
    sides = {"one": one, "other": other}
    if group == ("type",):
        return min(sides, key=lambda side: _rank(sides[side].values["type"])), "It says more of what they are to us."
    if group == ("owner",):
        return "one", "Owner of the contact that stays."
    in_books = [pick for pick, side in sides.items() if _in_books(group, side, one, other)]
    if len(in_books) == 1:
        return in_books[0], "QuickBooks says so too."
    texts = {pick: " ".join(side.values.get(name, "") for name in group) for pick, side in sides.items()}
    for pick, rest in (("one", "other"), ("other", "one")) if group != ("website",) else ():
        if _is_fuller(texts[pick], texts[rest]):
            return pick, "Fuller than the other."
    moments = {pick: max((side.changed_at[name] for name in group if name in side.changed_at), default=None)
               for pick, side in sides.items()}  # fmt: skip
    newest = max((at for at in moments.values() if at), default=None)
    newer = [pick for pick, at in moments.items() if at and at == newest]
    if len(newer) == 1:
        return newer[0], f"Newer: changed on {moments[newer[0]]:%d %b %Y}."
    return "one", "Of the contact that stays."


def _in_books(group: Sequence[str], side: Side, *both: Side) -> bool:
    """Whether the customer of either contact says the same."""
    own = [fold(side.values.get(name, "")) for name in group]
    return any(own == [fold(known.books.get(name, "")) for name in group] for known in both if known.books)


def _is_fuller(text: str, rest: str) -> bool:
    """Whether `text` has every word of `rest`, or one for its initial, and more: "Dana Fox-Miller" than "D. Fox"."""
    words, left = fold(text).split(), fold(rest).split()
    initials = {word[0] for word in words}
    return len(fold(text)) > len(fold(rest)) and all(part in words or part in initials for part in left)


def _rank(type_: str) -> int:
    return TYPE_RANK.index(type_) if type_ in TYPE_RANK else len(TYPE_RANK)


# --- two again ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """A contact as it stood at a moment."""

    values: Mapping[str, str]
    """MERGED_FIELDS."""
    lines: tuple[Line, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parted:
    """What the contact that stayed becomes when it is made two again, and what was edited since and so stays."""

    values: Mapping[str, str]
    lines: tuple[Line, ...]
    tags: tuple[str, ...]
    kept: tuple[str, ...]
    """Fields of MERGED_FIELDS, and "phones", "emails", "tags", edited since the merge."""


def parted(before: Image, after: Image, now: Image) -> Parted:
    """`before` and `after` the merge, and as it stands `now`: what nobody touched since goes back, the rest stays."""
    kept = [name for name in MERGED_FIELDS if now.values[name] != after.values[name]]
    values = {name: now.values[name] if name in kept else before.values[name] for name in MERGED_FIELDS}
    for kind, name in (("phone", "phones"), ("email", "emails")):
        if [line for line in now.lines if line.kind == kind] != [line for line in after.lines if line.kind == kind]:
            kept.append(name)
    if set(now.tags) != set(after.tags):
        kept.append("tags")
    return Parted(values, _lines_back(before, after, now), _tags_back(before, after, now), tuple(kept))


def _lines_back(before: Image, after: Image, now: Image) -> tuple[Line, ...]:
    stood, left = {line_key(line) for line in before.lines}, {line_key(line) for line in after.lines}
    here = {line_key(line): line for line in now.lines}
    same = {line_key(line): line for line in after.lines}
    back = []
    for line in before.lines:
        key = line_key(line)
        if key in here:
            back.append(line if here[key] == same.get(key) else here[key])
        elif key not in left:
            back.append(line)  # the merge took it away
    brought = {key for key in left - stood if here.get(key) == same[key]}
    return (*back, *(line for key, line in here.items() if key not in stood and key not in brought))


def _tags_back(before: Image, after: Image, now: Image) -> tuple[str, ...]:
    brought, taken = set(after.tags) - set(before.tags), set(before.tags) - set(after.tags)
    return tuple(sorted((set(now.tags) - brought) | taken, key=str.casefold))


def problems_of_choice(chosen: Mapping[str, str]) -> dict[str, str]:
    """Field -> sentence for names that no contact has and types there are not."""
    wrong = {name: "There is no such field of a contact." for name in chosen if name not in MERGED_FIELDS}
    if chosen.get("type", "lead") not in TYPES:
        wrong["type"] = f"Type must be one of {', '.join(TYPES)}."
    if chosen.get("owner", "") and not chosen["owner"].isdigit():
        wrong["owner"] = "Choose the owner from the list."
    return wrong
