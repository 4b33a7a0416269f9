"""What was deleted in the books leaves the figures here; its row stays.

A complete scan leaves behind the rows it did not see. `confirm` asks for exactly those by their ids and believes only
an answer: an id that is still there, or whose body cannot be read, is left alone, and a failed call raises as any
other, so that the run tries again. What becomes of the rows is the business of their kind (`kinds`). Whatever comes
back is taken up by the scan. Costs a call only where something is missing.
More than half of a kind at once leaves only after a person was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.db import db, end_reading
from crm.domain.runs import RESOURCES
from crm.models import Notice, SyncRun
from crm.services import notices, timeline
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.mirror.kinds import INCOMING, Mirror
from crm.services.sync.work import UNNAMED, Batch, Page, Work

PAGE = 100
FEW = 10
"""So many may go without a question, whatever their share."""
MANY = "many_gone"
"""Topic of the notice, with the kind behind it."""
BY_PERSON = ("person", "api", "command")


def confirm(*kinds: str) -> Callable[[Work, Fetch, str | None], str]:
    """The step that looks for what is gone among these kinds. Its cursor is `kind:id`."""

    def confirm_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
        run = db.session.execute(select(SyncRun.resources, SyncRun.progress).where(SyncRun.id == work.run_id)).one()
        complete = [k for k in kinds if k in run.resources and not run.progress.get(k, {}).get(UNNAMED)]
        kind, _, after = (cursor or f"{complete[0] if complete else ''}:0").partition(":")
        unseen = _unseen(work, kind, int(after)) if kind else []
        end_reading()
        there = _still_there(fetch, kind, unseen)
        with work.page() as page:
            following = [*complete, ""][complete.index(kind) + 1] if kind else ""
            if kind and not int(after) and _parked(page, kind):
                return page.reached(f"{following}:0" if following else None)
            mark(page, kind, [row for row in unseen if row.remote_id not in there])
            if len(unseen) == PAGE:
                return page.reached(f"{kind}:{unseen[-1].id}", done=len(unseen))
            return page.reached(f"{following}:0" if following else None, done=len(unseen))

    return confirm_page


def _unseen(work: Work, kind: str, after: int) -> Sequence[Any]:
    """The next rows that this run's scan did not meet and that are not known to be gone."""
    mirror = _mirror(kind)
    model = mirror.model
    where = [*mirror.here(work.books.id), model.seen_run_id.is_distinct_from(work.run_id), model.id > after]
    return db.session.execute(select(*mirror.columns).where(*where).order_by(model.id).limit(PAGE)).all()


def _mirror(kind: str) -> Mirror:
    mirror = INCOMING[kind].mirror
    if mirror is None:
        raise ValueError(f"{kind} is a list; what it does not hold is inactive, not gone")
    return mirror


# --- more than half -------------------------------------------------------------------------------------------


def _parked(page: Page, kind: str) -> bool:
    """Whether so many were not seen that a person must say so: by starting another import after the notice."""
    mirror = _mirror(kind)
    unseen = select(func.count()).select_from(mirror.model).where(
        *mirror.here(page.books.id), mirror.model.seen_run_id.is_distinct_from(page.run_id)
    )  # fmt: skip
    number = page.session.scalar(unseen) or 0
    told = select(Notice.id).where(
        Notice.connection_id == page.books.id, Notice.topic == f"{MANY}_{kind}", Notice.settled_at.is_(None),
        Notice.created_at < page.run.created_at,
    )  # fmt: skip
    confirmed = page.run.trigger in BY_PERSON and bool(page.session.scalars(told).all())
    if not confirmed and park_many(page, kind, number):
        return True
    notices.settle(page.books.id, f"{MANY}_{kind}", now=page.now)
    return False


def park_many(batch: Batch, kind: str, number: int, *, left: int = 0) -> bool:
    """Whether that is more than half of a kind, and more than a few: then nothing leaves, and admins are asked.

    It rather looks like another company, or one that was set back, than like somebody's work. `left`: how many of
    `number` have left already, where they go little by little.
    """
    mirror = _mirror(kind)
    here = select(func.count()).select_from(mirror.model).where(*mirror.here(batch.books.id))
    total = (batch.session.scalar(here) or 0) + left
    if number <= FEW or number * 2 <= total:
        return False
    word = RESOURCES.get(kind, kind).lower()
    kept = f"After {left:,} had left, no more were" if left else "Nothing was"
    text = (
        f"{number:,} of {total:,} {word} are not in QuickBooks any more. {kept} taken out here, since that may"
        " be a mistake there. Look into the books first. If it is right, start an import by hand: it takes them out."
    )
    notices.post(f"{MANY}_{kind}", batch.books.id, level="danger", text=text, now=batch.now)
    batch.log("many_gone", text, level="warning", kind=kind, outcome="parked")
    batch.count("parked_gone", number - left)
    return True


def left_since(batch: Batch, kind: str, moment: datetime) -> int:
    """How many of the kind left since then."""
    mirror = _mirror(kind)
    where = [*mirror.of(batch.books.id), mirror.model.gone_at >= moment]
    return batch.session.scalar(select(func.count()).select_from(mirror.model).where(*where)) or 0


def still_here(session: Session, connection_id: int, kind: str, remote_ids: Sequence[str]) -> list[str]:
    """Of these ids those that stand here and are not known to be gone."""
    return _mirror(kind).still_here(session, connection_id, remote_ids)


def _still_there(fetch: Fetch, kind: str, rows: Sequence[Any]) -> set[str]:
    """Which of these the books still hold. What cannot be read is there; a body without an id could be any of them."""
    if not rows:
        return set()
    wanted = [row.remote_id for row in rows]
    found = fetch.fetch(kind, wanted)
    there = {record.origin.remote_id for record in found.records} | {refusal.remote_id for refusal in found.refusals}
    return set(wanted) if "" in there else there


def rows_of(batch: Batch, kind: str, remote_ids: Sequence[str]) -> Sequence[Any]:
    """The mirrored rows of these ids that are not known to be gone, as `mark` wants them."""
    return _mirror(kind).rows(batch.session, batch.books.id, remote_ids)


def mark(batch: Batch, kind: str, rows: Sequence[Any]) -> None:
    """These are gone from the books: out of the figures, told where they were shown. The caller has made sure."""
    if not rows:
        return
    one = INCOMING[kind]
    sentences = [one.gone_text(row) for row in rows]
    one.gone(batch, rows)
    for row, sentence in zip(rows, sentences, strict=True):
        batch.log("record_gone", sentence, kind=kind, remote_id=row.remote_id, contact_id=row.contact_id)
    timeline.add_many([
        timeline.row(row.contact_id, verb="gone", summary=sentence, actor=batch.books.actor, now=batch.now)
        for row, sentence in zip(rows, sentences, strict=True) if row.contact_id
    ])  # fmt: skip
    batch.count("gone", len(rows))
