"""What the list of decisions about pairs can be narrowed by: read from the address of its page and of its CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from crm.domain.log_filters import days, known
from crm.domain.matching import RULE_TEXTS

SORTS = {"match": "Customer and contact", "contact": "Two contacts", "customer": "Two customers"}
OUTCOMES = {
    "same": "One", "apart": "Never the same", "new": "A new contact", "skipped": "Put off", "unlinked": "Unlinked",
    "undone": "Taken back",
}  # fmt: skip
MAKERS = {"rule": "A rule", "person": "A person"}


@dataclass(frozen=True, slots=True)
class DecisionFilters:
    """Empty text means: any."""

    q: str = ""
    """Part of either name."""
    sort: str = ""
    outcome: str = ""
    made: str = ""
    """By a `rule` or a `person`."""
    by: str = ""
    """One person, as decisions name them."""
    rule: str = ""
    state: str = ""
    """`stands` or `corrected`: whether a later decision took it back."""
    since: str = ""
    until: str = ""

    def query(self) -> dict[str, str]:
        """As it stands in an address: only what says something."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}


STATES = {"stands": "Stands", "corrected": "Corrected later"}
CHOICES = {"sort": SORTS, "outcome": OUTCOMES, "made": MAKERS, "rule": RULE_TEXTS, "state": STATES}


def read(args: Mapping[str, str]) -> DecisionFilters:
    return DecisionFilters(**{one.name: args.get(one.name, "").strip()[:254] for one in fields(DecisionFilters)})


def check(filters: DecisionFilters) -> None:
    """Raises Invalid for what no decision can be, and for days that are none."""
    days(filters.since, filters.until)
    for name, words in CHOICES.items():
        known(name, getattr(filters, name), words)
