"""Whether two records of one book are one: two contacts, or two customers inside the books.

The evidence and the rules are those by which a contact is found for a customer (`evidence`, `matching`); what differs
stands here. `meet` says whether two records come together at all, `judge` decides about a pair, `grade` tells when the
number of a key's holders begins to count otherwise. Asked by `services/duplicates`. Pure, and the same from both sides:
no decision depends on which record was there first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from crm.domain import matching
from crm.domain.evidence import COMMON, CROWDED, MANY, MOST_ON_ROLE, OWN, RARE, Evidence, Holders
from crm.domain.identity import MOST_NAMESAKES, MOST_ON_ONE_LINE, Identity, finds
from crm.domain.matching import USUAL, Outcome, Scored, Settings

RULE_TEXTS = matching.RULE_TEXTS | {
    "one_tree": "both stand under one customer in the books, which keeps them apart on purpose",
    "two_people": "they share a line, but the names are those of two people",
}
OF_TWO = frozenset(("relative", "colleague", "other_name"))
"""Rules that ask a person about a customer of the books, who has to be somebody; a family may have two contacts."""
OF_THEIR_OWN = frozenset(("phone", "phone_extension", "email"))
_LINE_STEPS = tuple(sorted((MOST_ON_ROLE, OWN, CROWDED, MOST_ON_ONE_LINE)))
_NAME_STEPS = tuple(sorted((RARE, COMMON - 1, MANY, MOST_NAMESAKES)))


def meet(shared: Iterable[str], frequency: Mapping[str, int]) -> bool:
    """Whether one of the keys that two records share is held by few enough records to say something."""
    return any(finds(key, frequency.get(key, 2)) for key in shared)


def grade(key: str, holders: int) -> int:
    """Moves when so many holders change what a key counts: until then no decision about its holders can change."""
    return bisect_left(_NAME_STEPS if key[0] in "nc" else _LINE_STEPS, holders)


def judge(
    one: Identity,
    other: Identity,
    *,
    frequency: Mapping[str, int],
    one_tree: bool = False,
    settings: Settings = USUAL,
) -> Scored:
    """*same*, *doubtful* or *apart*, with the evidence; `key` is that of the second in an order of their contents.

    `frequency`: identity key -> number of records of this sort that hold it; a key left out counts as held by the two.
    `one_tree`: a job and its parent, or two jobs of one parent, which are never the same.
    """
    first, second = sorted((one, other), key=_contents)
    if one_tree:
        return Scored(second.key, Outcome.APART, 0, "one_tree", ())
    scored = matching.judge(first, second, Holders(first, (second,), frequency), settings=settings)
    if scored.rule in OF_TWO and _own_in_common(scored.evidence) < 2:
        return scored._replace(outcome=Outcome.APART, rule="two_people")
    return scored


def _own_in_common(evidence: Iterable[Evidence]) -> int:
    return sum(found.reason in OF_THEIR_OWN for found in evidence)


def _contents(identity: Identity) -> tuple[str, ...]:
    return (
        identity.display_name, identity.given_name, identity.family_name, identity.company_name, *identity.emails,
        *(f"{phone.e164 or phone.raw} {phone.extension or ''}" for phone in identity.phones), str(identity.address),
    )  # fmt: skip
