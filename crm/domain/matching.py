"""Whether two records speak of the same customer: evidence, points, and the rule that decides.

`decide` compares one record of theirs with the few of ours that share a key and answers *same* (link them), *doubtful*
(a person decides) or *apart*. `settle` then makes a set of decisions one-to-one, whatever their order. Called by the
import and by anything that looks for duplicates. Pure: no points depend on time, order of arrival or earlier runs.

How to read it: each comparison yields a *reason* with the points in POINTS. The points rank candidates among each
other; the outcome comes from RULES, the first that fits, so that many weak reasons never add up to a link. A line or
address that several records hold is weak: alone it never links two people whose names differ. `Settings` hold what a
company decided otherwise; `match_settings` says what may be chosen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from crm.domain.evidence import POINTS, Evidence, Facts, Holders, weigh
from crm.domain.identity import Identity


class Outcome(StrEnum):
    SAME = "same"
    DOUBTFUL = "doubtful"
    APART = "apart"


class Scored(NamedTuple):
    """One candidate as judged alone, without regard to the others."""

    key: str
    outcome: Outcome
    score: int
    rule: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`chosen` is the key to link, set only when the outcome is *same*; a doubtful one offers `candidates`, best first.

    `score` and `evidence` are those of the best candidate; `rule` is a key of RULE_TEXTS. Scores run from about -100 to
    160 and are for ranking, not percentages.
    """

    outcome: Outcome
    score: int
    rule: str
    chosen: str | None
    evidence: tuple[Evidence, ...]
    candidates: tuple[Scored, ...]


MARGIN = 12
"""Points by which the best candidate must lead, or else a person decides."""
SHOWN = 5


class Rule(NamedTuple):
    name: str
    outcome: Outcome
    text: str
    fits: Callable[[Facts], bool]


SAME, DOUBTFUL, APART = Outcome.SAME, Outcome.DOUBTFUL, Outcome.APART

@dataclass(frozen=True, slots=True)
class Settings:
    """What is decided otherwise than usual. The empty ones change nothing."""

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """Rule -> its outcome, where another than the usual one was chosen."""
    margin: int = MARGIN
    least_score: int | None = None
    """Points below which nothing is *same*; such a pair is doubtful."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Reason -> points added to evidence.POINTS."""

    def outcome(self, rule: str, score: int) -> Outcome:
        """What this rule says of a pair with so many points."""
        found = self.outcomes.get(rule) or USUAL_OUTCOMES[rule]
        short = found is SAME and self.least_score is not None and score < self.least_score
        return DOUBTFUL if short else found

    def points(self, reason: str) -> int:
        return POINTS[reason] + self.weights.get(reason, 0)


USUAL = Settings()
NAMED = ("same", "business")


def _telling(f: Facts) -> bool:
    """Whether a name alone is worth a person's look: the more records have it, the less may speak against it."""
    return f.address != "far" and f.against <= {"rare": 2, "some": 1 if not f.common else 0}.get(f.rarity, -1)


# The first rule that fits decides. "Of their own" is a number or address that at most `evidence.OWN` records hold.
# First all that link, strongest first; then all that ask a person; whatever is left is apart.
RULES = (
    Rule("name_and_contact", SAME, "same name, and a phone or e-mail of their own in common",
         lambda f: f.who in NAMED and f.own > 0),
    Rule("alike_and_contact", SAME, "name nearly the same, and a phone or e-mail of their own in common",
         lambda f: f.who == "alike" and f.own > 0),
    Rule("name_on_shared_line", SAME, "same name on a line shared with others",
         lambda f: f.who in NAMED and f.shared and not f.common and f.address != "far"),
    Rule("phone_and_email", SAME, "phone and e-mail both the same, and no other name",
         lambda f: f.own == 2 and f.who in ("generation", "partial", "company", "unknown")),
    Rule("company_and_contact", SAME, "same company, and its phone or e-mail in common",
         lambda f: f.who == "company" and f.own > 0 and not f.against and f.address != "far"),
    Rule("name_and_address", SAME, "same name at the same address, and at most one of phone and e-mail differs",
         lambda f: f.who in NAMED and f.address == "same" and f.against < 2),
    Rule("name_and_company", SAME, "same name at the same company, and at most one of phone and e-mail differs",
         lambda f: f.who == "same" and f.company and f.against < 2 and f.address != "far"),
    Rule("name_and_slip", SAME, "same name, and a phone or e-mail with one typing error",
         lambda f: f.who in NAMED and f.near and not f.against and not f.common and f.address != "far"),
    Rule("business_name", SAME, "same unique company name, and nothing speaks against it",
         lambda f: f.who == "business" and not f.common and not f.against and f.address in ("unknown", "same")),
    Rule("generation", DOUBTFUL, "same name but for Jr. or Sr.: parent or child",
         lambda f: f.who == "generation" and (f.own > 0 or f.shared or f.near or f.address == "same" or _telling(f))),
    Rule("part_of_name", DOUBTFUL, "phone or e-mail is the same, but the names agree only in part",
         lambda f: f.who in ("alike", "partial", "company") and (f.own > 0 or f.shared)),
    Rule("no_name_to_compare", DOUBTFUL, "phone or e-mail is the same, but there is no name to compare",
         lambda f: f.who == "unknown" and (f.own > 0 or (f.shared and f.address == "same"))),
    Rule("relative", DOUBTFUL, "phone, e-mail or address is the same, but it may be another member of the family",
         lambda f: f.who == "relative" and (f.own > 0 or f.address == "same")),
    Rule("colleague", DOUBTFUL, "same company and phone or e-mail, but another person",
         lambda f: f.who == "colleague" and f.own > 0),
    Rule("other_name", DOUBTFUL, "phone or e-mail is the same, but the names contradict",
         lambda f: f.who == "differs" and (f.own == 2 or (f.own == 1 and f.against == 0)
                                           or (f.address == "same" and (f.own > 0 or f.shared)))),
    Rule("name_and_address_only", DOUBTFUL, "name and address agree, but phone or e-mail differ",
         lambda f: f.who in ("same", "business", "alike", "partial") and f.address == "same"),
    Rule("company_and_address", DOUBTFUL, "same company at the same address, but one side names no person",
         lambda f: f.who == "company" and f.address == "same"),
    Rule("near_contact", DOUBTFUL, "name alike, and a phone or e-mail with one typing error",
         lambda f: f.who in ("same", "business", "alike", "company") and (f.near or f.shared)),
    Rule("name_only", DOUBTFUL, "only the name is the same",
         lambda f: f.who in NAMED and (f.company or _telling(f))),
    Rule("name_alike_only", DOUBTFUL, "only the name is nearly the same, and hardly anybody else has it",
         lambda f: f.who == "alike" and (f.company or (f.rarity == "rare" and f.against < 2 and _telling(f)))),
    Rule("company_only", DOUBTFUL, "only the company is the same, and one side names no person",
         lambda f: f.who == "company" and f.rarity == "rare" and f.address != "far"),
    Rule("no_reason", APART, "too little in common", lambda f: True),
)

USUAL_OUTCOMES = {rule.name: rule.outcome for rule in RULES}
RULE_TEXTS = {rule.name: rule.text for rule in RULES} | {
    "nobody": "no record of ours has a phone, e-mail, name or address in common",
    "two_fit": "two or more candidates fit about equally well",
    "contested": "another record fits this one as well or better",
    "too_few_points": "the rule would link them, but they have fewer points than the settings ask for",
    "taken": "the candidate was matched to a record that fits clearly better",
}
_OF_ANOTHER_PERSON = frozenset(("relative", "colleague", "other_name"))


def decide(theirs: Identity, candidates: Sequence[Identity], *, frequency: Mapping[str, int],
           apart: frozenset[str] = frozenset(), settings: Settings = USUAL) -> Decision:
    """Which of `candidates` is `theirs`, if any.

    `frequency`: identity key -> number of records on both sides that hold it; a key left out counts as held by the
    records at hand only. `apart`: keys of candidates a person has said are never the same; they are not considered.
    """
    ours = [c for c in candidates if c.key not in apart]
    if not ours:
        return Decision(APART, 0, "nobody", None, (), ())
    holders = Holders(theirs, ours, frequency)
    ranked = [judge(theirs, c, holders, settings=settings) for c in ours]
    if len(ranked) > 1:
        ranked.sort(key=_rank)
    best = ranked[0]
    outcome, rule = best.outcome, best.rule
    if outcome is SAME and len(ranked) > 1 and any([_rivals(best, other, settings) for other in ranked[1:]]):
        outcome, rule = DOUBTFUL, "two_fit"
    elif outcome is DOUBTFUL and settings.outcomes.get(rule, USUAL_OUTCOMES[rule]) is SAME:
        rule = "too_few_points"
    chosen = best.key if outcome is SAME else None
    return Decision(outcome, best.score, rule, chosen, best.evidence, tuple(ranked[:SHOWN]))


_ORDER = {SAME: 0, DOUBTFUL: 1, APART: 2}


def _rank(scored: Scored) -> tuple[int, int, str]:
    return _ORDER[scored.outcome], -scored.score, scored.key


def _rivals(best: Scored, other: Scored, settings: Settings) -> bool:
    """Who would be linked by the usual rules stays a rival, so that stricter settings never link anybody more."""
    if other.outcome is SAME or USUAL_OUTCOMES[other.rule] is SAME:
        return other.score > best.score - settings.margin
    if other.rule == "generation":
        return other.score + _but_for_generation(settings) > best.score - settings.margin
    return other.outcome is DOUBTFUL and other.score > best.score


def _but_for_generation(settings: Settings) -> int:
    """Jr. or Sr. is often left off: who fits but for that is a rival of whoever has the name as it stands."""
    return settings.points("name") - settings.points("name_generation")


def settle(decisions: Mapping[str, Decision], *, settings: Settings = USUAL) -> Mapping[str, Decision]:
    """The same decisions made one-to-one; the result does not depend on their order.

    Where several of theirs want one of ours, the best keeps it if it leads by the margin, and the rest become doubtful;
    else all do. Jr. or Sr. is often left off, so whoever fits but for that counts as wanting it too, and so does who
    would be linked by the usual rules: stricter settings never link anybody more. A doubtful one about another person
    (relative, colleague, other name), all of whose candidates found their own match, turns out apart. May be called on
    any set closed under shared candidates.
    """
    claims: dict[str, list[tuple[int, str]]] = {}
    for key, decision in decisions.items():
        if decision.chosen is not None:
            claims.setdefault(decision.chosen, []).append((-decision.score, key))
        elif decision.rule == "generation":
            score = decision.score + _but_for_generation(settings)
            claims.setdefault(decision.candidates[0].key, []).append((-score, key))
        elif _wants_by_usual_rules(decision):
            claims.setdefault(decision.candidates[0].key, []).append((-decision.score, key))
    settled = dict(decisions)
    taken: set[str] = set()
    for chosen, claimants in claims.items():
        claimants.sort()
        clear = len(claimants) == 1 or claimants[1][0] - claimants[0][0] >= settings.margin
        if clear and decisions[claimants[0][1]].chosen is not None:
            taken.add(chosen)
        for _, key in claimants[1:] if clear else claimants:
            if decisions[key].chosen is not None:
                settled[key] = replace(decisions[key], outcome=DOUBTFUL, rule="contested", chosen=None)
    for key, decision in settled.items():
        if decision.rule in _OF_ANOTHER_PERSON and _all_taken(decision.candidates, taken):
            settled[key] = replace(decision, outcome=APART, rule="taken")
    return settled


def _wants_by_usual_rules(decision: Decision) -> bool:
    """Whether settings alone keep it from its best candidate."""
    if not decision.candidates:
        return False
    rule = decision.candidates[0].rule
    return USUAL_OUTCOMES[rule] is SAME and decision.rule in (rule, "too_few_points")


def _all_taken(candidates: Iterable[Scored], taken: set[str]) -> bool:
    open_ones = [c for c in candidates if c.outcome is not APART]
    return all(c.key in taken and c.rule in _OF_ANOTHER_PERSON for c in open_ones)


@lru_cache(maxsize=4096)
def _rule(facts: Facts) -> str:
    return next(rule.name for rule in RULES if rule.fits(facts))


def judge(theirs: Identity, ours: Identity, holders: Holders, *, settings: Settings = USUAL) -> Scored:
    """One pair by itself: its evidence, points, and the first rule that fits."""
    facts, found = weigh(theirs, ours, holders)
    if settings.weights:
        found = tuple(e._replace(points=e.points + settings.weights.get(e.reason, 0)) for e in found)
    rule, score = _rule(facts), sum([points for _, _, points in found])
    outcome = USUAL_OUTCOMES[rule] if settings is USUAL else settings.outcome(rule, score)
    return Scored(ours.key, outcome, score, rule, found)
