"""What the sync badge of a product or document rests on, by the kind of its link: one, and a page of a list.

Contacts know more of their link than others do; theirs are in `sync_badges`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from crm.db import db
from crm.domain.sync_badges import Badge, Standing, badge_of
from crm.models import Conflict, Connection, Link, OutboxEntry
from crm.queries.sync_badges import OPEN, Shown

WORDS: dict[str, tuple[str, str]] = {
    "item": ("product", "item"), "estimate": ("quote", "estimate"), "invoice": ("invoice", "invoice"),
    "payment": ("payment", "payment"), "vendor": ("vendor", "vendor"), "bill": ("bill", "bill"),
}  # fmt: skip
"""Kind -> what it is called here, and in the books."""


def one(kind: str, local_id: int) -> Shown:
    """The badge of one of a kind of WORDS."""
    return of_page(kind, [local_id])[local_id]


def of_page(kind: str, local_ids: Sequence[int]) -> dict[int, Shown]:
    """The badge of each, in three statements for any number of them."""
    links: dict[int, tuple[str, int]] = {}
    entries: dict[int, tuple[int, str, str, int]] = {}
    rows = db.session.execute(
        select(Link.local_id, Link.state, Link.connection_id)
        .where(Link.kind == kind, Link.local_id.in_(local_ids))
        .order_by(Link.id.desc())
    )
    for local_id, state, connection_id in rows:  # the oldest is shown, unless it is gone and another is not
        if state != "gone" or local_id not in links:
            links[local_id] = (state, connection_id)
    waiting = db.session.execute(
        select(OutboxEntry.local_id, OutboxEntry.id, OutboxEntry.state, OutboxEntry.error, OutboxEntry.connection_id)
        .where(OutboxEntry.kind == kind, OutboxEntry.local_id.in_(local_ids), OutboxEntry.state.in_(OPEN))
        .order_by(OutboxEntry.id)
    )
    for local_id, entry_id, state, error, connection_id in waiting:
        before = entries.get(local_id)
        if before is None or OPEN.index(state) < OPEN.index(before[1]):
            entries[local_id] = (entry_id, state, error, connection_id)
    companies = _companies({link[1] for link in links.values()} | {entry[3] for entry in entries.values()})
    conflicts = _conflicts(kind, local_ids)
    return {id_: _shown(kind, links.get(id_), entries.get(id_), companies, conflicts.get(id_)) for id_ in local_ids}


def badges(kind: str, local_ids: Sequence[int]) -> dict[int, Badge]:
    return {id_: shown.badge for id_, shown in of_page(kind, local_ids).items()}


def _shown(
    kind: str,
    link: tuple[str, int] | None,
    entry: tuple[int, str, str, int] | None,
    companies: dict[int, tuple[bool, str]],
    asked: tuple[int, int] | None,
) -> Shown:
    thing, there = WORDS[kind]
    state = link[0] if link else "none"
    company = companies.get(entry[3] if entry else link[1] if link else 0)
    read_only, live = (company[0], company[1] == "connected") if company else (False, True)
    standing = Standing(
        link_state=state, gone=state == "gone", entry=entry[1] if entry else "", entry_id=entry[0] if entry else None,
        error=entry[2] if entry else "", conflicts=asked[0] if asked else 0, read_only=read_only, live=live,
        thing=thing, there=there,
    )  # fmt: skip
    return Shown(badge_of(standing), standing.entry_id, asked[1] if asked else None)


def _companies(ids: set[int]) -> dict[int, tuple[bool, str]]:
    rows = db.session.execute(
        select(Connection.id, Connection.read_only, Connection.state).where(Connection.id.in_(ids))
    )
    return {id_: (read_only, state) for id_, read_only, state in rows}


def _conflicts(kind: str, local_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """How many open ones each has, and the first of them."""
    query = select(Conflict.local_id, func.count(), func.min(Conflict.id)).where(
        Conflict.kind == kind, Conflict.local_id.in_(local_ids), Conflict.state == "open"
    )
    return {id_: (number, first) for id_, number, first in db.session.execute(query.group_by(Conflict.local_id))}
