"""What kinds say of a decision in the same words: the sentence for people, and the lines of the sync log.

Called by the kinds of the conflict desk (`conflict_desk.Desk`); nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.conflicts import CHOICES
from crm.models import SyncLogEntry
from crm.services.audit import Actor
from crm.services.sync.work import Books


def sentence(title: str, chosen: str, there: str, choice: str, *, goes_out: bool) -> str:
    """`there`: what the books had."""
    name, value = title.capitalize(), chosen or "nothing"
    if choice == "theirs":
        return f"{name}: {value} was taken from QuickBooks."
    if goes_out:
        return f"{name}: {value} stays here and is sent to QuickBooks, where it was {there or 'nothing'}."
    return f"{name}: {value} stays here; QuickBooks keeps {there or 'nothing'}, since nothing is sent there."


def log(
    session: Session, remote_ids: Sequence[str], about: tuple[str, str, str], choice: str, *, books: Books,
    actor: Actor, now: datetime,
) -> None:  # fmt: skip
    """`about`: the kind of all of them, the field, and its title."""
    kind, field, title = about
    if remote_ids:
        session.execute(insert(table_of(SyncLogEntry)), [
            {"connection_id": books.id, "at": now, "level": "info", "event": "conflict_decided", "kind": kind,
             "remote_id": remote_id, "trigger": "person", "outcome": choice, "details": {"field": field},
             "direction": "in" if choice == "theirs" else "out",
             "message": f"{title.capitalize()}: decided by {actor.label}. {CHOICES[choice]}."}
            for remote_id in remote_ids
        ])  # fmt: skip
