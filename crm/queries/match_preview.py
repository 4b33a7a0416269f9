"""What other settings of matching would change about what is stored: counts by groups, and examples. Reads only.

Rules and points as stored are judged by the settings, rule by rule and score by score, so that a preview costs one
grouped read of each table however many records there are. What cannot be told from stored rows is said (`LIMITS`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm.domain.match_settings import moved
from crm.domain.matching import RULE_TEXTS, SAME, USUAL_OUTCOMES, Outcome, Settings
from crm.models import Contact, Customer, Duplicate, Match

EXAMPLES = 5
BY_RULE = [RULE_TEXTS[name][:254] for name in USUAL_OUTCOMES]
"""What `matches.decided_by` says where a rule alone decided, and no other candidate or customer stood in the way."""
Bucket = tuple[str, int]
"""(rule, points)."""
LIMITS = (
    "Links already made are not touched; their count says what would have waited.",
    "Runner-ups of links are not kept, so a larger lead may make more wait than is counted here.",
    "Where customers compete for one contact a person decides; some of those counted as linked may meet such a rival.",
    "Points are those of the day each pair was compared, before later learning or later records.",
)


@dataclass(frozen=True, slots=True)
class Group:
    """One consequence: so many rows, and the first few in words."""

    text: str
    number: int
    examples: Sequence[str]
    tone: str = "info"


def preview(session: Session, before: Settings, after: Settings) -> list[Group]:
    """Only the consequences there are."""
    groups = [
        *_of_links(session, before, after), *_of_waiting(session, before, after), *_of_pairs(session, before, after)
    ]
    return [group for group in groups if group.number]


def would_be_linked(session: Session, before: Settings, after: Settings) -> Select[Any]:
    """The ids of waiting customers that a rule would link by `after`, as a subquery."""
    raised = _changed(_histogram(session, _waiting()), before, after, SAME)
    return _waiting(Match.customer_id).where(or_(and_(ONE_RULE, _rows(Match, raised)), _lead_enough(before, after)))


def _of_links(session: Session, before: Settings, after: Settings) -> list[Group]:
    made = (Match.state == "linked", Match.decided_by.in_(BY_RULE))
    stored = _histogram(session, select(Match.rule, Match.score).where(*made))
    lost = [bucket for (was, _), buckets in moved(stored, before, after).items() if was is SAME for bucket in buckets]
    examples = _match_examples(session, *made, _rows(Match, lost)) if lost else ()
    number = sum(stored[bucket] for bucket in lost)
    return [Group("Links made automatically that would have waited for a person", number, examples, "warn")]


def _of_waiting(session: Session, before: Settings, after: Settings) -> list[Group]:
    ids = would_be_linked(session, before, after)
    linked = session.scalar(select(func.count()).select_from(ids.distinct().subquery())) or 0
    stored = _histogram(session, _waiting())
    gone = _changed(stored, before, after, Outcome.APART)
    best = (Match.state == "proposed", Match.rank == 0)
    return [
        Group("Customers that wait and would be linked by a rule", linked,
              _match_examples(session, *best, Match.customer_id.in_(ids)) if linked else (), "warn"),
        Group("Customers that wait and would not be asked about if they came in now", sum(stored[one] for one in gone),
              _match_examples(session, *best, _rows(Match, gone)) if gone else ()),
    ]  # fmt: skip


def _of_pairs(session: Session, before: Settings, after: Settings) -> list[Group]:
    """Pairs of contacts, and of customers inside the books: nothing is merged, but where they stand in the list."""
    texts = {SAME: "would count as certain, and still wait for a yes", Outcome.DOUBTFUL: "would be doubtful",
             Outcome.APART: "would no longer be proposed"}  # fmt: skip
    groups = []
    for sort, word in (("contact", "contacts"), ("customer", "customers in the books")):
        mine = (Duplicate.state == "proposed", Duplicate.sort == sort)
        stored = _histogram(session, select(Duplicate.rule, Duplicate.score).where(*mine))
        for outcome, text in texts.items():
            buckets = _changed(stored, before, after, outcome)
            examples = _pair_examples(session, sort, buckets) if buckets else ()
            groups.append(Group(f"Pairs of {word} that {text}", sum(stored[one] for one in buckets), examples))
    return groups


# --- rows -----------------------------------------------------------------------------------------------------

ONE_RULE = Match.decided_by.in_((*BY_RULE, RULE_TEXTS["too_few_points"]))


def _waiting(*columns: Any) -> Select[Any]:
    """The best proposals of customers that wait, by (rule, points) where no columns are named."""
    query = select(*(columns or (Match.rule, Match.score))).join(Customer, Customer.id == Match.customer_id)
    alone = or_(ONE_RULE, Match.decided_by == RULE_TEXTS["two_fit"])
    return query.where(Match.state == "proposed", Match.rank == 0, Customer.match_state == "review", alone)


def _lead_enough(before: Settings, after: Settings) -> ColumnElement[bool]:
    """Two fitted about equally well, and the best leads by as much as the smaller margin asks for."""
    if after.margin >= before.margin:
        return false()
    other = aliased(Match)
    linking = [rule for rule in USUAL_OUTCOMES if SAME in (USUAL_OUTCOMES[rule], after.outcomes.get(rule))]
    nearly = after.points("name") - after.points("name_generation")
    behind = case((other.rule.in_(linking), other.score + after.margin),
                  (other.rule == "generation", other.score + nearly + after.margin), else_=other.score)  # fmt: skip
    rivals = select(other.id).where(other.customer_id == Match.customer_id, other.state == "proposed",
                                    other.id != Match.id, behind > Match.score)  # fmt: skip
    fits = [rule for rule in linking if after.outcomes.get(rule, SAME) is SAME]
    enough = Match.score >= (after.least_score if after.least_score is not None else -1000)
    return and_(Match.decided_by == RULE_TEXTS["two_fit"], Match.rule.in_(fits), enough, ~rivals.exists())


def _histogram(session: Session, query: Any) -> dict[Bucket, int]:
    """How many rows there are of each (rule, points)."""
    rows = query.subquery()
    counted = select(rows.c.rule, rows.c.score, func.count()).group_by(rows.c.rule, rows.c.score)
    return {(rule, score): number for rule, score, number in session.execute(counted)}


def _changed(stored: Iterable[Bucket], before: Settings, after: Settings, outcome: Outcome) -> list[Bucket]:
    """Those whose outcome would become this one."""
    found = moved(stored, before, after)
    return [bucket for (_, will), buckets in found.items() if will is outcome for bucket in buckets]


def _rows(table: Any, buckets: Iterable[Bucket]) -> ColumnElement[bool]:
    by_rule: dict[str, list[int]] = {}
    for rule, score in buckets:
        by_rule.setdefault(rule, []).append(score)
    return or_(false(), *(and_(table.rule == rule, table.score.in_(scores)) for rule, scores in by_rule.items()))


def _match_examples(session: Session, *where: ColumnElement[bool]) -> list[str]:
    query = select(Customer.display_name, Contact.display_name, Match.score, Match.rule).join(
        Customer, Customer.id == Match.customer_id
    ).join(Contact, Contact.id == Match.contact_id)  # fmt: skip
    rows = session.execute(query.where(*where).order_by(Match.score, Match.id).limit(EXAMPLES))
    return [_told(*row) for row in rows]


def _pair_examples(session: Session, sort: str, buckets: Iterable[Bucket]) -> list[str]:
    table: Any = Contact if sort == "contact" else Customer
    one, other = aliased(table), aliased(table)
    query = select(one.display_name, other.display_name, Duplicate.score, Duplicate.rule).join(
        one, one.id == Duplicate.one_id
    ).join(other, other.id == Duplicate.other_id)  # fmt: skip
    mine = (Duplicate.state == "proposed", Duplicate.sort == sort, _rows(Duplicate, buckets))
    rows = session.execute(query.where(*mine).order_by(Duplicate.score, Duplicate.id).limit(EXAMPLES))
    return [_told(*row) for row in rows]


def _told(one: str, other: str, score: int, rule: str) -> str:
    return f"“{one}” and “{other}”, {score} points: {RULE_TEXTS.get(rule, rule)}"
