"""What an import consists of, in order. A resource a person asks for is a kind of record; each brings its steps.

A step is a function (work, fetch, cursor) -> cursor that deals with one page and stores its own checkpoint; END means
that it is through. Asked by the runner and by pages that show how far a run is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crm.domain.errors import Invalid
from crm.domain.runs import RESOURCES
from crm.models import SyncRun
from crm.services.sync.imports import links, matching
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.imports.reading import reader
from crm.services.sync.mirror import customers, gone, lists, money
from crm.services.sync.plans import importing
from crm.services.sync.work import Work

FINISHED = "finished"

Step = Callable[[Work, Fetch, str | None], str]

OTHERS = tuple(kind for kind in RESOURCES if kind != "customer")
"""Kinds that are read once it is decided whose contact each customer is."""
STEPS: dict[str, Step] = {
    "lists": lists.read_page,
    "customer": customers.read_page,
    "customer_gone": gone.confirm("customer"),
    "tree": customers.grow_tree,
    "match": matching.decide_page,
    "settle": matching.settle_claims,
    "link": links.apply_page,
    **{kind: reader(kind) for kind in OTHERS},
    "documents_gone": gone.confirm(*OTHERS),
    "owners": links.spread_page,
    "money": money.facts_page,
    importing.STEP: importing.hold,
}
AFTER = {"customer": ("customer_gone", "tree", "match", "settle", "link")}


def plan(resources: Sequence[str], *, plan_first: bool = False) -> list[str]:
    """The steps of a run for these resources. `plan_first`: contacts are not touched, a plan is made instead.

    Lists are read whole where anything points to them by id alone, as all but customers does.
    """
    others = set(resources) & set(OTHERS)
    steps: list[str] = ["lists"] if others else []
    for resource in RESOURCES:
        if resource in resources:
            steps += (resource, *AFTER.get(resource, ()))
    checked = ["documents_gone"] if others else []
    steps += [*checked, "owners", "money"]
    return [*(step for step in steps if step != "link"), importing.STEP] if plan_first else steps


def steps_of(run: SyncRun) -> list[str]:
    return plan(run.resources, plan_first=importing.is_planned(run))


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
