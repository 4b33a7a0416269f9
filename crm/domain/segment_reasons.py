"""Why a contact is in a segment or not, ready to be shown: each rule in words with what the contact has. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crm.domain.segment_evaluation import Outcome, verdict
from crm.domain.segments import Group, Rule, rule_words

GROUPS = {"all": "All of these", "any": "Any of these", "none": "None of these"}


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule or group as the page tells it."""

    path: str
    words: str
    passed: bool
    has: str = ""
    """Of a rule: what the contact has, in words."""
    turns: bool = False
    """Of a rule: were its answer the opposite, the contact would be out instead of in, or in instead of out."""
    group: bool = False
    parts: tuple[Reason, ...] = ()

    def rules(self) -> Iterator[Reason]:
        if not self.group:
            yield self
        for part in self.parts:
            yield from part.rules()


def reason(outcome: Outcome, names: Mapping[str, Mapping[str, str]], currency: str) -> Reason:
    """The whole tree. Of an archived contact no change of a rule moves anything."""
    turning = set() if outcome.value else set(turns(outcome))
    return _reason(outcome, names, currency, turning)


def turns(outcome: Outcome) -> list[str]:
    """Paths of the rules of which each alone decides: with the opposite answer the whole comes to the opposite."""
    assert isinstance(outcome.part, Group)
    known = {one.path: one.passed for one in outcome.rules()}
    stands = verdict(outcome.part, known)
    return [path for path in known if verdict(outcome.part, {**known, path: not known[path]}) != stands]


def _reason(outcome: Outcome, names: Mapping[str, Mapping[str, str]], currency: str, turning: set[str]) -> Reason:
    if isinstance(outcome.part, Rule):
        words = rule_words(outcome.part, names, currency)
        return Reason(outcome.path, words, outcome.passed, has=outcome.value, turns=outcome.path in turning)
    parts = tuple(_reason(part, names, currency, turning) for part in outcome.parts)
    return Reason(outcome.path, GROUPS[outcome.part.match], outcome.passed, group=True, parts=parts)
