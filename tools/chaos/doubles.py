"""Nothing was done twice: every write the company carried out is one that an entry of the outbox knows as its own.

A lost answer is asked for again with the same key, so the write it was about belongs to the entry that got the answer
in the end. A write under a key that no entry has was sent again under another one: QuickBooks' unique names and
versions may have caught the second, but nothing here would have known of the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import select

from crm.db import db
from crm.models import Link, OutboxEntry
from tools.chaos.verdict import Case


def unknown_writes(case: Case) -> Iterator[str]:
    rows = db.session.execute(
        select(OutboxEntry.request_key, OutboxEntry.batch_item, OutboxEntry.state, OutboxEntry.id)
    )
    known = {(row.request_key, row.batch_item): (row.id, row.state) for row in rows if row.request_key}
    for write in case.world.ask("GET", "/writes"):
        what = f"QuickBooks carried out {write['entity']} {write['id']}, version {write['version']}"
        entry_id, state = known.get((write["request_id"], write["item"]), (None, ""))
        if entry_id is None:
            yield f"{what}, under a key no entry has: its answer was lost, and it was sent again under another key"
        elif state != "done":
            yield f"{what}, but its entry {entry_id} is {state}"


def unasked(case: Case) -> Iterator[str]:
    """Every customer was there at the start, was made by its owner, or is linked to a contact that asked for it."""
    linked = select(Link.remote_id, Link.local_id).where(Link.connection_id == case.connection_id,
                                                         Link.kind == "customer")  # fmt: skip
    asked = {contact_id for contact_id, _ in case.people.created_here}
    ours = {row.remote_id for row in db.session.execute(linked) if row.local_id in asked}
    theirs = case.customers_before | {remote_id for remote_id, _ in case.people.created_there}
    now = {one["Id"]: one["DisplayName"] for one in case.world.state("Customer")}
    for remote_id in sorted(now.keys() - ours - theirs, key=int):
        yield f"customer {remote_id} ({now[remote_id]}) is in QuickBooks, and nobody asked for it"
    expected = len(theirs) + len(ours - theirs)
    if len(now) != expected:
        names = Counter(name for id_, name in now.items() if id_ not in case.customers_before)
        yield f"{len(now)} customers in QuickBooks instead of {expected}: {dict(names)}"
