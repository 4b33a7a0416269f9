"""Quotes and invoices merged anew from the mirror: a rule or a decision has changed, or one was edited meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from crm.services.identity_keys import chunks
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.enrich_told import Decided
from crm.services.sync.sales import merging, taking
from crm.services.sync.sales.comparing import held, records_of
from crm.services.sync.work import Batch


def again(batch: Batch, kind: str, ids: Sequence[int], *, decided: Decided | None = None) -> None:
    """Both sides end as they do when theirs comes in: what is left of ours goes out, all else is what the books say."""
    for part in chunks(sorted(set(ids)), 500):
        whole = merging.merge_ours(batch, kind, part, decided=decided)
        found = records_of(batch.session, batch.books.id, kind, sorted(whole))
        taking.become(batch, kind, list(found.values()))
        taking.forget(batch.session, part)


def asked_again(batch: Batch, kind: str, ids: Sequence[int]) -> None:
    """Open conflicts of these show what stands here now; nothing is taken and nothing is sent."""
    waiting = sorted(conflicts.undecided(batch.session, batch.books.id, kind, ids))
    if not waiting:
        return
    found = held(batch.session, batch.books, kind, waiting)
    questions = [merging.question(one, name, reason) for one in found.values() if one.merged is not None
                 for name, reason in one.merged.asked.items()]  # fmt: skip
    conflicts.open_or_refresh(batch.session, batch.books.id, kind, questions, ids=waiting, now=batch.now)
