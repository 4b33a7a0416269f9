"""Three-way merge of one contact and one customer of the books, field by field: base, ours, theirs.

Asked by the import for every linked customer that came in changed, and by the contact page for what differs. Values are
texts in the form they are compared in (E.164, lower case, folded; `domain/shared_fields` makes them); empty means that
nothing stands there. The base holds a field as both sides last agreed on it; a field they never agreed on is missing.
Pure: it decides, and changes nothing.

| ours | theirs | then |
|---|---|---|
| equal to theirs | | agreed: the base becomes that |
| | empty | ours stays: an empty value never overwrites a full one |
| empty, never agreed | full | theirs is taken |
| full, never agreed | other | ours stays |
| as agreed | changed | theirs is taken |
| changed | as agreed | ours stays (`kept`) |
| changed | changed | ours stays (`differing`) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merged:
    values: dict[str, str]
    """What the contact holds afterwards."""
    taken: tuple[str, ...]
    """Fields where theirs takes the place of ours."""
    kept: tuple[str, ...]
    """Fields that were changed here only: theirs is still as agreed."""
    differing: tuple[str, ...]
    """Fields where theirs says something new that was not taken: changed on both sides, never agreed, or emptied."""
    base: dict[str, str]
    """What both sides agree on afterwards; a field that was kept stays as it was agreed before."""


def merge(base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> Merged:
    """Decide every field that either side names; the order in which they are named does not matter."""
    values: dict[str, str] = {}
    agreed = dict(base)
    taken: list[str] = []
    kept: list[str] = []
    differing: list[str] = []
    for field in sorted({*ours, *theirs}):
        here, there, before = ours.get(field, ""), theirs.get(field, ""), base.get(field)
        values[field] = here
        if here == there:
            agreed[field] = there
        elif there and (here == before or (before is None and not here)):
            values[field] = agreed[field] = there
            taken.append(field)
        elif there == before:
            kept.append(field)
        else:
            differing.append(field)
    return Merged(values, tuple(taken), tuple(kept), tuple(differing), agreed)
