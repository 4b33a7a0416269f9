"""Phones and e-mails of a customer brought to its contact: a changed one in the place of the old, new ones behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.domain.contacts import Line
from crm.domain.merging import Merged
from crm.domain.shared_fields import LINE_FIELDS, MAX_POINTS, Theirs, line_key, line_keys_of
from crm.services.sync.merge.enrich_told import Outcome
from crm.services.sync.mirror.contact_rows import point_row


@dataclass(frozen=True, slots=True)
class Replaced:
    """A line of ours that one of theirs takes the place of."""

    before: Any
    after: Line


def take_lines(
    outcome: Outcome, contact: Any, lines: Sequence[Any], theirs: Theirs, merged: Merged, base: Mapping[str, str]
) -> list[Any]:
    """Note what is to be written so that every field taken stands as theirs; answers all lines of the contact then.

    A line that another field holds, there or by the `base` of one that is not taken, is never taken away.
    """
    after = list(lines)
    have = {(line.kind, line_key(line)) for line in lines}
    taken = [name for name in LINE_FIELDS if name in merged.taken]
    keep = set().union(*(map(line_key, theirs.lines[name]) for name in LINE_FIELDS))
    others = [name for name in LINE_FIELDS if name not in taken]
    keep |= set().union(*(line_keys_of(base.get(name, "")) | line_keys_of(merged.here[name]) for name in others))
    number = Counter(line.kind for line in lines)
    for name in taken:
        old_keys = line_keys_of(merged.here[name]) - keep
        kind = "email" if name == "email" else "phone"
        old = [
            line
            for line in after
            if not isinstance(line, Replaced) and line.kind == kind and line_key(line) in old_keys
        ]
        once = {line_key(line): line for line in reversed(theirs.lines[name])}
        new = [line for key, line in reversed(once.items()) if (kind, key) not in have]
        have |= {(kind, line_key(line)) for line in new}
        for before, line in zip(old, new, strict=False):
            after[after.index(before)] = Replaced(before, line)
        after = [line for line in after if line not in old[len(new) :]]
        fresh = new[len(old) :][: max(0, MAX_POINTS - len(after))]
        after += fresh
        if old:
            told = (", ".join(line.value for line in part) for part in (old, new))
            outcome.changed[name] = (next(told), next(told))
        else:
            for line in fresh:
                number[kind] += 1
                outcome.filled[kind if number[kind] == 1 else f"{kind} {number[kind]}"] = ("", line.value)
    _note_lines(outcome, contact, lines, after)
    return [line.after if isinstance(line, Replaced) else line for line in after]


def _note_lines(outcome: Outcome, contact: Any, lines: Sequence[Any], after: Sequence[Any]) -> None:
    """The rows to write so that the stored lines are `after`. Lines that were not split yet are stored as well."""
    if len(after) == len(lines) and all(one is other for one, other in zip(after, lines, strict=True)):
        return
    stays = {id(line.before if isinstance(line, Replaced) else line) for line in after}
    outcome.removed = [line.id for line in lines if id(line) not in stays and not isinstance(line, Line)]
    behind = max((line.position for line in lines if not isinstance(line, Line)), default=-1) + 1
    old = {id(line) for line in lines}
    for line in after:
        now_ = line.after if isinstance(line, Replaced) else line
        row = point_row(contact.id, now_, behind + len(outcome.added))
        if isinstance(line, Replaced) and not isinstance(line.before, Line):
            same = ("value", "normal", "extension", "source")
            outcome.replaced.append({"id": line.before.id} | {name: row[name] for name in same})
        elif isinstance(now_, Line):
            outcome.added.append(row | ({"source": contact.source} if id(line) in old else {}))
