"""Three-way merge of one object of ours and one of the books, field by field: base, ours, theirs.

Asked when a linked record came in changed, before ours is sent, and by pages for what differs. Values are texts in the
form they are compared in (E.164, lower case, folded; `domain/shared_fields` makes them); empty means that nothing
stands there. The base holds a field as both sides last agreed on it; one they never agreed on is missing. `edited`
names the fields that a person changed here and that still wait to be sent. Pure: it decides, and changes nothing.

| ours | theirs | then |
|---|---|---|
| equal to theirs | | agreed: the base becomes that |
| as agreed, or empty and never agreed | full, other | taken |
| as agreed | emptied | asked (`emptied`), unless a rule for it says otherwise |
| changed, full | as agreed | sent |
| emptied by a person | as agreed | sent: theirs is emptied too |
| emptied, nobody known who did | as agreed | left alone: an empty value never overwrites a full one by itself |
| changed | changed | the field's policy decides: taken, sent or asked (`both_changed`) |
| never agreed, edited by a person | other | sent, unless the policy says QuickBooks (taken) or ask |
| never agreed, not edited | other | left alone |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from crm.domain.policies import ASK, EMPTIED, NEWEST, OURS, QUICKBOOKS, emptied

BOTH_CHANGED = "both_changed"
AGREED, TAKEN, SENT, LEFT = "agreed", "taken", "sent", "left"


@dataclass(frozen=True, slots=True)
class Merged:
    here: dict[str, str]
    """What ours holds, in the form it is compared in."""
    values: dict[str, str]
    """What ours holds afterwards."""
    base: dict[str, str]
    """What both sides agree on afterwards; for a field that is sent, what theirs says until ours has arrived."""
    agreed: tuple[str, ...]
    """Fields where both say the same."""
    taken: tuple[str, ...]
    """Fields where theirs takes the place of ours; theirs may be empty there, by a rule."""
    sent: tuple[str, ...]
    """Fields where ours goes out, an empty one only where a person cleared it."""
    asked: dict[str, str]
    """Field -> reason (`both_changed` or `emptied`): neither side changes before a person has decided."""
    differing: tuple[str, ...]
    """Fields that differ and are left alone: they were never agreed on, or emptied here and nobody knows by whom."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One field on which the sides differ."""

    before: str | None
    here: str
    there: str
    policy: str
    when_emptied: str
    edited: bool
    edited_at: datetime | None
    theirs_at: datetime | None


def merge(
    base: Mapping[str, str],
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
    *,
    policies: Mapping[str, str] | None = None,
    edited: Mapping[str, datetime | None] | None = None,
    theirs_at: datetime | None = None,
) -> Merged:
    """Decide every field that either side names; the order in which they are named does not matter.

    `policies` are those of `policies.resolve`; a field without one asks. `edited`: field -> when a person changed it
    here, None where that is not known. `theirs_at`: when theirs was last changed there.
    """
    policies, edited = policies or {}, edited or {}
    outcomes: dict[str, str] = {}
    for field in sorted({*ours, *theirs}):
        outcomes[field] = _outcome(_Case(
            base.get(field), ours.get(field, ""), theirs.get(field, ""), policies.get(field, ASK),
            policies.get(emptied(field), ASK), field in edited, edited.get(field), theirs_at,
        ))  # fmt: skip
    here = {name: ours.get(name, "") for name in outcomes}
    values = {name: theirs.get(name, "") if how == TAKEN else here[name] for name, how in outcomes.items()}
    settled = {name: theirs.get(name, "") for name, how in outcomes.items() if how in (AGREED, TAKEN)}
    # Where ours won over a change of theirs, that change is dealt with: an edit of another field there, which moves the
    # whole record's moment, must not make it the newer one again before ours has arrived.
    settled |= {name: theirs.get(name, "") for name, how in outcomes.items() if how == SENT and name in base}
    named = {how: tuple(name for name in outcomes if outcomes[name] == how) for how in (AGREED, TAKEN, SENT, LEFT)}
    asked = {name: how for name, how in outcomes.items() if how in (BOTH_CHANGED, EMPTIED)}
    return Merged(here, values, {**base, **settled}, named[AGREED], named[TAKEN], named[SENT], asked, named[LEFT])


def left_alone(merged: Merged, base: Mapping[str, str], fields: Collection[str]) -> Merged:
    """The same, but of what was taken these fields stay as they are: a kind that only goes out takes nothing."""
    left = {name for name in merged.taken if name in fields}
    agreed = {name: value for name, value in merged.base.items() if name not in left}
    return replace(
        merged,
        values={name: merged.here[name] if name in left else value for name, value in merged.values.items()},
        base={**agreed, **{name: base[name] for name in left if name in base}},
        taken=tuple(name for name in merged.taken if name not in left),
        differing=tuple(sorted({*merged.differing, *left})),
    )


def _outcome(case: _Case) -> str:
    if case.here == case.there:
        return AGREED
    if case.before is None:
        return _never_agreed(case)
    if case.here == case.before:
        return _take(case)
    if case.there == case.before:
        return SENT if case.here or case.edited else LEFT
    return _both_changed(case)


def _never_agreed(case: _Case) -> str:
    if not case.edited:
        return LEFT if case.here else TAKEN
    if case.policy == QUICKBOOKS:
        return _take(case)
    return BOTH_CHANGED if case.policy == ASK else SENT


def _both_changed(case: _Case) -> str:
    wins = _newest(case) if case.policy == NEWEST else case.policy
    if wins == QUICKBOOKS:
        return _take(case)
    return SENT if wins == OURS and (case.here or case.edited) else BOTH_CHANGED


def _take(case: _Case) -> str:
    """Theirs; but an empty one takes the place of a full one only by a rule of its own."""
    if case.there:
        return TAKEN
    return {QUICKBOOKS: TAKEN, OURS: SENT}.get(case.when_emptied, EMPTIED)


def _newest(case: _Case) -> str:
    """Which side changed later, by whole seconds, as the books tell it. Without a moment ours is older; a tie asks."""
    if case.theirs_at is None:
        return ASK
    if case.edited_at is None:
        return QUICKBOOKS
    here, there = (at.replace(microsecond=0) for at in (case.edited_at, case.theirs_at))
    return ASK if here == there else OURS if here > there else QUICKBOOKS
