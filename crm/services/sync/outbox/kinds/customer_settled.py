"""What comes back after a customer was written: mirror, link, contact and timeline agree in one transaction.

The answer of a write is a record like any other, so `customers.take` stores it. Before that the link's base learns
what was sent, so that an edit made here meanwhile counts as ours and is no conflict. A customer that was created is
linked with all of the answer as its base, and a match that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.records import CustomerRecord
from crm.domain.shared_fields import TITLES
from crm.models import Contact, Customer, Link, ListEntry, Match
from crm.services import timeline
from crm.services.audit import Actor
from crm.services.sync.imports import links
from crm.services.sync.imports.fetch import Names
from crm.services.sync.merge.enrich import touch
from crm.services.sync.mirror import customers, money
from crm.services.sync.mirror.bulk import update_by_id, upsert
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.outbox.kinds.port import Answer
from crm.services.sync.work import Batch

LINKS, CUSTOMERS, MATCHES = table_of(Link), table_of(Customer), table_of(Match)
WHY = "created in QuickBooks from this contact"
NOBODY = "It was created in QuickBooks, but the contact is not here any more."
ELSEWHERE = "It was created in QuickBooks, but the contact has been linked to another customer meanwhile."
TAKEN = "It was created in QuickBooks, and has been linked to another contact meanwhile."
MOST_TOLD = 80
"""Characters of one value in the sentence of a timeline entry; its changes hold more."""
VERBS = {
    "deactivate": ("Made inactive in QuickBooks", "inactivated"),
    "reactivate": ("Made active in QuickBooks", "activated"),
}


def known_names(batch: Batch) -> Names:
    """What references are called, as far as the mirror knows: no call is made after a write."""
    wanted = select(ListEntry.kind, ListEntry.remote_id, ListEntry.name)
    rows = batch.session.execute(wanted.where(ListEntry.connection_id == batch.books.id))
    return Names(known={(row.kind, row.remote_id): row.name for row in rows})


def settle(batch: Batch, answers: Sequence[Answer]) -> dict[int, str]:
    records = {a.entry.id: a.record for a in answers if isinstance(a.record, CustomerRecord)}
    known = [answer for answer in answers if answer.entry.id in records]
    _agree(batch, [answer for answer in known if answer.entry.operation != "create"])
    customers.take(batch, list(records.values()), known_names(batch))
    said = _link(batch, [answer for answer in known if answer.entry.operation == "create"])
    _remember(batch, list(records.values()))
    for answer in known:
        if answer.entry.id not in said:
            said[answer.entry.id] = _sentence(answer)
    _tell(batch, known, said)
    return said


def _agree(batch: Batch, answers: Sequence[Answer]) -> None:
    """The fields that were sent are agreed on as they came back."""
    sent = {a.entry.local_id: a for a in answers if a.entry.changes and isinstance(a.record, CustomerRecord)}
    mine = (Link.connection_id == batch.books.id, Link.kind == "customer", Link.local_id.in_(list(sent)))
    rows = []
    for link in batch.session.execute(select(Link.id, Link.local_id, Link.base).where(*mine)):
        answer = sent[link.local_id]
        keys = _agreed(answer, as_stored(answer.record), batch.books.region)
        known = {field: key for field, key in link.base.items() if field in keys}
        rows.append({"id": link.id, "base": {**known, **{f: keys[f] for f in answer.entry.changes if f in keys}}})
    update_by_id(batch.session, LINKS, rows)


def _agreed(answer: Answer, stored: Mapping[str, Any], region: str) -> dict[str, str]:
    """What both sides say now. A name that was chosen for there alone is nothing they agree on: it may differ."""
    keys = shared_fields.read(stored, region).keys()
    if answer.entry.options.get("display_name"):
        del keys["display_name"]
    return keys


# --- created --------------------------------------------------------------------------------------------------


def _link(batch: Batch, answers: Sequence[Answer]) -> dict[int, str]:
    """Links for what was created; sentences for those entries."""
    if not answers:
        return {}
    session, said = batch.session, {}
    by_remote = _mirrored(batch, answers)
    here = set(session.scalars(select(Contact.id).where(Contact.id.in_([a.entry.local_id for a in answers]))))
    linked = _linked(batch, [answer.entry.local_id for answer in answers])
    fresh: list[tuple[Any, Answer]] = []
    for answer in answers:
        assert answer.record is not None
        row, contact_id = by_remote[answer.record.origin.remote_id], answer.entry.local_id
        if contact_id not in here:
            said[answer.entry.id] = NOBODY
        elif linked.get(contact_id, row.remote_id) != row.remote_id:
            said[answer.entry.id] = ELSEWHERE
        elif row.match_state == "linked" and row.contact_id != contact_id:
            said[answer.entry.id] = TAKEN
        else:
            said[answer.entry.id] = _sentence(answer)
            fresh.append((row, answer))
    links.drop_drafts(session, [row.id for row, _ in fresh])
    _write_links(batch, [(row, answer) for row, answer in fresh if answer.entry.local_id not in linked])
    update_by_id(session, CUSTOMERS, [
        {"id": row.id, "match_state": "linked", "contact_id": answer.entry.local_id} for row, answer in fresh
    ])  # fmt: skip
    ids = [answer.entry.local_id for _, answer in fresh]
    links.refresh_link_states(session, ids, now=batch.now)
    touch(session, ids, now=batch.now)
    money.refresh(session, batch.books, ids, now=batch.now)
    return said


def _mirrored(batch: Batch, answers: Sequence[Answer]) -> dict[str, Any]:
    wanted = [answer.record.origin.remote_id for answer in answers if answer.record is not None]
    mine = (Customer.connection_id == batch.books.id, Customer.remote_id.in_(wanted))
    columns = (*links.NEEDED, Customer.match_state, Customer.contact_id)
    return {row.remote_id: row for row in batch.session.execute(select(*columns).where(*mine))}


def _linked(batch: Batch, contact_ids: Sequence[int]) -> dict[int, str]:
    mine = (Link.connection_id == batch.books.id, Link.kind == "customer", Link.local_id.in_(contact_ids))
    return {local_id: remote_id for local_id, remote_id in batch.session.execute(
        select(Link.local_id, Link.remote_id).where(*mine))}  # fmt: skip


def _write_links(batch: Batch, fresh: Sequence[tuple[Any, Answer]]) -> None:
    if not fresh:
        return
    session, books, now = batch.session, batch.books, batch.now
    session.execute(insert(LINKS), [
        links.link_row(books.id, row, answer.entry.local_id, by=answer.entry.actor or WHY, now=now, run_id=None,
                       base=_agreed(answer, row.record, books.region))
        for row, answer in fresh
    ])  # fmt: skip
    upsert(session, MATCHES, [
        {"connection_id": books.id, "customer_id": row.id, "contact_id": answer.entry.local_id, "state": "linked",
         "rank": 0, "score": 0, "rule": "created_there",
         "evidence": [{"reason": "created_there", "text": WHY, "points": 0}],
         "decided_by": (answer.entry.actor or WHY)[:254], "decided_at": now, "run_id": None}
        for row, answer in fresh
    ], by=("customer_id", "contact_id"))  # fmt: skip


def _remember(batch: Batch, records: Sequence[CustomerRecord]) -> None:
    """What our write left there: a change that comes in with the same content is its echo."""
    hashes = {record.origin.remote_id: content_hash(as_stored(record)) for record in records}
    mine = (Link.connection_id == batch.books.id, Link.kind == "customer", Link.remote_id.in_(list(hashes)))
    found = batch.session.execute(select(Link.id, Link.remote_id).where(*mine)).all()
    rows = [{"id": id_, "written_hash": hashes[remote_id], "written_at": batch.now} for id_, remote_id in found]
    update_by_id(batch.session, LINKS, rows)
    active = {record.origin.remote_id: record.active for record in records}
    for state, wanted in (("linked", True), ("inactive", False)):
        ids = [id_ for id_, remote_id in found if active[remote_id] is wanted]
        batch.session.execute(update(LINKS).where(LINKS.c.id.in_(ids), LINKS.c.state != state).values(state=state))


# --- told -----------------------------------------------------------------------------------------------------


def _sentence(answer: Answer) -> str:
    assert isinstance(answer.record, CustomerRecord)
    name, entry = answer.record.display_name, answer.entry
    if entry.operation == "create":
        return f"Created in QuickBooks as customer “{name}”."
    if entry.operation in VERBS:
        return f"{VERBS[entry.operation][0]}: customer “{name}”."
    parts = [f"{TITLES[field]} {_cut(old)} → {_cut(new)}" for field, (old, new) in entry.changes.items()]
    return f"Sent to QuickBooks: {'; '.join(parts)}"


def _cut(text: str) -> str:
    return (text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…") or "none"


def _tell(batch: Batch, answers: Sequence[Answer], said: Mapping[int, str]) -> None:
    ids = [answer.entry.local_id for answer in answers]
    here = set(batch.session.scalars(select(Contact.id).where(Contact.id.in_(ids))))
    timeline.add_many([
        timeline.row(
            answer.entry.local_id, verb="created_there" if answer.entry.operation == "create" else "sent",
            summary=said[answer.entry.id], actor=Actor(name=answer.entry.actor or "Tradebook", source="system"),
            now=batch.now, changes={field: (old, new) for field, (old, new) in answer.entry.changes.items()},
        )
        for answer in answers
        if answer.entry.local_id in here
    ])  # fmt: skip
