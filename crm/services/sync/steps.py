"""What an import consists of, in order. A resource a person asks for is a kind of record; each brings its steps.

A step is a function (work, fetch, cursor) -> cursor that deals with one page and stores its own checkpoint; END means
that it is through. Asked by the runner and by pages that show how far a run is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crm.domain.errors import Invalid
from crm.domain.runs import DOCUMENTS, RESOURCES
from crm.services.sync import customers, documents, gone, links, matching, money
from crm.services.sync.fetch import Fetch
from crm.services.sync.work import Work

FINISHED = "finished"

Step = Callable[[Work, Fetch, str | None], str]

STEPS: dict[str, Step] = {
    "customer": customers.read_page,
    "customer_gone": gone.confirm("customer"),
    "tree": customers.grow_tree,
    "match": matching.decide_page,
    "settle": matching.settle_claims,
    "link": links.apply_page,
    **{kind: documents.reader(kind) for kind in DOCUMENTS},
    "documents_gone": gone.confirm(*DOCUMENTS),
    "owners": links.spread_page,
    "money": money.facts_page,
}
AFTER = {"customer": ("customer_gone", "tree", "match", "settle", "link")}


def plan(resources: Sequence[str]) -> list[str]:
    """The steps of a run for these resources."""
    steps: list[str] = []
    for resource in RESOURCES:
        if resource in resources:
            steps += (resource, *AFTER.get(resource, ()))
    checked = ["documents_gone"] if set(resources) & set(DOCUMENTS) else []
    return [*steps, *checked, "owners", "money"]


def read_resources(asked: Sequence[str] | None) -> list[str]:
    """The kinds meant, in order; none asked means all. Takes "customers" and "Customer" as well; raises Invalid."""
    if not asked:
        return list(RESOURCES)
    words = {
        word: kind
        for kind in RESOURCES
        for word in (kind, f"{kind}s", kind.replace("_", ""), f"{kind}s".replace("_", ""))
    }
    chosen = {word: words.get(word.strip().lower().replace("-", "_").replace(" ", "_")) for word in asked}
    unknown = [word for word, kind in chosen.items() if kind is None]
    if unknown:
        raise Invalid({"resources": f"There is no resource {unknown[0]!r}. There are: {', '.join(RESOURCES)}."})
    return [kind for kind in RESOURCES if kind in chosen.values()]
