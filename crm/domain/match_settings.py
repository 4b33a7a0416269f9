"""What may be chosen about how matching decides, what was typed, and what a change means for a pair.

Every rule has a usual outcome (`matching.RULES`); a company may choose another within what is safe: a rule that links
may ask a person instead, one that asks may leave the pair alone, and only a rule whose text speaks of nobody else may
be raised to link by itself. `read` takes a form, `kept` and `of` go to and from a stored version, `told` says in words
what differs. Called by `services/match_settings` and its page. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crm.domain.errors import Invalid
from crm.domain.evidence import BEST, POINTS
from crm.domain.matching import APART, DOUBTFUL, MARGIN, RULES, SAME, USUAL_OUTCOMES, Outcome, Settings

OUTCOME_WORDS = {SAME: "Link by itself", DOUBTFUL: "Ask a person", APART: "Leave apart"}
RAISABLE = frozenset(("no_name_to_compare", "company_and_address"))
"""Rules that ask a person because something is missing, not because it may be somebody else."""
LEAST_MARGIN, MOST_MARGIN = 5, 60
"""A margin below a few points would link one of two who fit alike."""
RULE_NAMES = tuple(rule.name for rule in RULES if rule.name != "no_reason")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One version, as people choose it. Only what differs from the usual stands in `outcomes`."""

    outcomes: Mapping[str, Outcome]
    margin: int = MARGIN
    least_score: int | None = None
    learning: bool = True

    def settings(self, weights: Mapping[str, int]) -> Settings:
        """As `matching.decide` takes it; weights learned earlier count only while learning is on."""
        return Settings(self.outcomes, self.margin, self.least_score, dict(weights) if self.learning else {})


USUAL_CHOICE = Chosen({})


def choices(rule: str) -> tuple[Outcome, ...]:
    """What may be chosen for this rule, the strictest last."""
    if USUAL_OUTCOMES[rule] is SAME:
        return SAME, DOUBTFUL
    return (SAME, DOUBTFUL, APART) if rule in RAISABLE else (DOUBTFUL, APART)


def of(rules: Mapping[str, str], margin: int | None, least_score: int | None, *, learning: bool) -> Chosen:
    """A stored version. What is no longer a rule, or no longer allowed, counts as usual."""
    allowed = {name: Outcome(word) for name, word in rules.items()
               if name in RULE_NAMES and word in choices(name) and word != USUAL_OUTCOMES[name]}  # fmt: skip
    return Chosen(allowed, MARGIN if margin is None else margin, least_score, learning)


def kept(chosen: Chosen) -> dict[str, Any]:
    """The columns of a version: only what differs from the usual."""
    return {
        "rules": {name: str(outcome) for name, outcome in chosen.outcomes.items()},
        "margin": None if chosen.margin == MARGIN else chosen.margin,
        "least_score": chosen.least_score,
        "learning": chosen.learning,
    }


def read(form: Mapping[str, str]) -> Chosen:
    """What was typed: `rule-<name>`, `margin`, `least_score`, `learning`; a rule left out is as usual.

    Raises Invalid with a sentence for each field that cannot be.
    """
    wrong: dict[str, str] = {}
    outcomes = {}
    for name in RULE_NAMES:
        word = form.get(f"rule-{name}", "") or str(USUAL_OUTCOMES[name])
        if word not in choices(name):
            wrong[f"rule-{name}"] = _refusal(name, word)
        elif word != USUAL_OUTCOMES[name]:
            outcomes[name] = Outcome(word)
    margin = _number(form, "margin", "The lead", LEAST_MARGIN, MOST_MARGIN, wrong)
    least = _number(form, "least_score", "The least points", 0, BEST, wrong)
    if wrong:
        raise Invalid(wrong)
    return Chosen(outcomes, MARGIN if margin is None else margin, least or None, bool(form.get("learning")))


def _refusal(rule: str, word: str) -> str:
    text = next(one.text for one in RULES if one.name == rule)
    if word == SAME:
        return f"“{text}” cannot link by itself: it may be somebody else, and only a person can tell."
    if word == APART:
        return f"“{text}” cannot leave them apart: two records of one person would follow. Let it ask a person."
    return f"“{text}”: choose one of the outcomes offered."


def _number(
    form: Mapping[str, str], name: str, label: str, least: int, most: int, wrong: dict[str, str]
) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not least <= value <= most:
        wrong[name] = f"{label}: “{text[:40]}” will not do. Write a whole number from {least} to {most}."
        return None
    return value


def told(before: Chosen, after: Chosen) -> list[str]:
    """What differs, in words; nothing where they are the same."""
    texts = {rule.name: rule.text for rule in RULES}
    words = [
        f"{texts[name]}: {_word(before, name)} → {_word(after, name)}"
        for name in RULE_NAMES
        if before.outcomes.get(name) != after.outcomes.get(name)
    ]
    if before.margin != after.margin:
        words.append(f"lead of the best: {before.margin} → {after.margin} points")
    if before.least_score != after.least_score:
        words.append(f"least points of a link: {before.least_score or 'none'} → {after.least_score or 'none'}")
    if before.learning != after.learning:
        words.append(f"learning: {'on' if before.learning else 'off'} → {'on' if after.learning else 'off'}")
    return words


def _word(chosen: Chosen, rule: str) -> str:
    return OUTCOME_WORDS[chosen.outcomes.get(rule, USUAL_OUTCOMES[rule])].lower()


def told_weights(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Learned points that differ, in words."""
    return [
        f"{reason.replace('_', ' ')}: {POINTS[reason] + before.get(reason, 0)}"
        f" → {POINTS[reason] + after.get(reason, 0)} points"
        for reason in POINTS
        if before.get(reason, 0) != after.get(reason, 0)
    ]


def moved(
    found: Iterable[tuple[str, int]], before: Settings, after: Settings
) -> dict[tuple[Outcome, Outcome], list[tuple[str, int]]]:
    """Of (rule, points), those whose outcome by the rule would differ: (was, would be) -> them."""
    changes: dict[tuple[Outcome, Outcome], list[tuple[str, int]]] = {}
    for rule, score in found:
        if rule in USUAL_OUTCOMES:
            was, will = before.outcome(rule, score), after.outcome(rule, score)
            if was is not will:
                changes.setdefault((was, will), []).append((rule, score))
    return changes
