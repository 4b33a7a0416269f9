"""Two customers were merged in the books: the link follows to the one that is left, and back when a person says so.

`follow` is called by `applying` once the loser is known to be gone. Where both were linked to contacts of their own,
nothing is decided here: both contacts stay, and each is told what to do. Where a person here keeps them apart, no link
follows (`kept_apart`). `undo` takes a link back that followed; the
books cannot part what was merged there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import NotFound, Refused
from crm.models import Connection, Contact, Customer, Link, Match, SyncLogEntry
from crm.services import duplicates, timeline
from crm.services.audit import Actor
from crm.services.sync.imports import links
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.enrich import Linked, enrich_linked, touch
from crm.services.sync.mirror import kept_apart
from crm.services.sync.work import Batch, books_of

EVENT = "customer_merged"
RULE = "merged"
LIFT = "To take that back, propose the pair again under Matches, “Kept apart”."


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of one merge: an outcome and a sentence of an inbox event."""

    outcome: str
    message: str
    contact_id: int | None = None


def follow(batch: Batch, survivor_id: str, loser_id: str) -> Followed:
    """The loser is gone; its link goes on with the survivor, unless that has one of its own. Twice changes nothing."""
    session = batch.session
    found = {c.remote_id: c for c in session.scalars(_rows(batch, Customer, survivor_id, loser_id))}
    linked = {link.remote_id: link for link in session.scalars(_rows(batch, Link, survivor_id, loser_id))
              if link.kind == "customer"}  # fmt: skip
    survivor, loser = found.get(survivor_id), found.get(loser_id)
    theirs, ours = linked.get(survivor_id), linked.get(loser_id)
    if loser is None or survivor is None:
        return Followed("unchanged", "Customers were merged in QuickBooks; the one that went was not known here.")
    if _is_known(batch, survivor_id, loser_id):
        return Followed("unchanged", "This merge is known already.", theirs.local_id if theirs else None)
    who = kept_apart.by(session, survivor, loser, ours)
    _leave(batch, loser, survivor)
    names = f"“{loser.display_name}” was merged into “{survivor.display_name}” in QuickBooks."
    if ours is None:
        followed = Followed("merged", f"Customer {names}", theirs.local_id if theirs else None)
    elif theirs is None and survivor.parent_remote_id is None:
        followed = (_let_go(batch, ours, survivor, loser, names, who=who) if who else
                    _move(batch, ours, survivor, loser, names))  # fmt: skip
    else:
        followed = _keep_both(batch, ours, survivor, names, who=who)
    batch.log(EVENT, followed.message, kind="customer", remote_id=survivor_id, contact_id=followed.contact_id,
              outcome=followed.outcome, level="info" if followed.outcome == "merged" else "warning",
              details={"merged_from": loser_id, "into": survivor_id})  # fmt: skip
    return followed


def _rows(batch: Batch, model: Any, *remote_ids: str) -> Any:
    mine = (model.connection_id == batch.books.id, model.remote_id.in_(remote_ids))
    query = select(model).where(*mine).order_by(model.id).with_for_update()
    return query.execution_options(populate_existing=True)


def _is_known(batch: Batch, survivor_id: str, loser_id: str) -> bool:
    told = select(SyncLogEntry.details).where(
        SyncLogEntry.connection_id == batch.books.id, SyncLogEntry.event == EVENT, SyncLogEntry.kind == "customer",
        SyncLogEntry.remote_id == survivor_id,
    )  # fmt: skip
    return any(details.get("merged_from") == loser_id for details in batch.session.scalars(told))


def _leave(batch: Batch, loser: Customer, survivor: Customer) -> None:
    """It owes nothing any more; should it come back, it is written anew whole. The pair they were is merged."""
    loser.active, loser.balance, loser.balance_with_jobs = False, None, None
    loser.gone_at, loser.content_hash = loser.gone_at or batch.now, ""
    links.drop_drafts(batch.session, [loser.id])
    batch.session.flush()
    duplicates.settle_merged("customer", survivor.id, loser.id, by="merged in QuickBooks", now=batch.now)
    duplicates.note(batch.session, "customer", [loser.id], lost={}, now=batch.now)


def _move(batch: Batch, link: Link, survivor: Customer, loser: Customer, names: str) -> Followed:
    session, contact_id = batch.session, link.local_id
    link.remote_id, link.merged_from, link.version = survivor.remote_id, loser.remote_id, survivor.version
    link.state = "linked" if survivor.active else "inactive"
    link.base, link.written_hash, link.synced_at = {}, "", batch.now  # what they agree on is found out anew, below
    proposed = links.drop_drafts(session, [survivor.id])
    survivor.match_state, survivor.contact_id = "linked", contact_id
    loser.match_state, loser.contact_id = "ignored", None
    session.execute(delete(Match).where(Match.customer_id == survivor.id, Match.contact_id == contact_id))
    session.add(Match(
        connection_id=batch.books.id, customer_id=survivor.id, contact_id=contact_id, state="linked", rule=RULE,
        evidence=[{"reason": RULE, "text": names, "points": 0}], decided_by="merged in QuickBooks",
        decided_at=batch.now,
    ))  # fmt: skip
    session.flush()
    linked = Linked(contact_id, survivor.remote_id, survivor.record, survivor.active)
    enrich_linked(session, [linked], books=batch.books, now=batch.now)
    links.refresh_link_states(session, [contact_id, *proposed], now=batch.now)
    touch(session, [contact_id], now=batch.now)
    text = f"{names} This contact goes on with the latter; that can be undone."
    timeline.add(contact_id, verb="merged", summary=text, actor=batch.books.actor, now=batch.now)
    batch.count("merged")
    return Followed("merged", text, contact_id)


def _let_go(batch: Batch, link: Link, survivor: Customer, loser: Customer, names: str, *, who: str) -> Followed:
    """A person keeps the contact and the survivor apart: the contact is nobody's, and the next look at the survivor
    decides whose it is, never this contact's."""
    session, contact_id, now = batch.session, link.local_id, batch.now
    session.delete(link)
    proposed = links.drop_drafts(session, [survivor.id])
    survivor.match_state = "new"
    loser.match_state, loser.contact_id = "ignored", None
    session.flush()
    kept_apart.from_customer(batch, survivor, contact_id, who=who)
    conflicts.settle(session, batch.books.id, "customer", [contact_id], now=now)
    links.refresh_link_states(session, [contact_id, *proposed], now=now)
    touch(session, [contact_id], now=now)
    text = (
        f"{names} {who} decided here that they are never the same, so this contact does not follow and has no customer"
        f" now. {LIFT}"
    )
    timeline.add(contact_id, verb="merged", summary=text, actor=batch.books.actor, now=now)
    batch.count("kept_apart")
    return Followed("kept_apart", text, contact_id)


def _keep_both(batch: Batch, link: Link, survivor: Customer, names: str, *, who: str) -> Followed:
    session, now = batch.session, batch.now
    link.state = "gone"
    session.flush()
    other = survivor.contact_id
    shown = {
        c.id: c.display_name for c in session.scalars(select(Contact).where(Contact.id.in_([link.local_id, other])))
    }
    stays = "Both contacts stay until you merge {}."
    if who and other is not None:
        kept_apart.contacts(batch, link.local_id, other, who=who)
        stays = f"Both contacts stay, since {who} decided here that they are never the same. {LIFT}"
    texts = {
        link.local_id: f"{names} It belongs to the contact “{shown.get(other or 0, '')}”. "
        + stays.format("this one into it"),
        other: f"{names} The former belonged to the contact “{shown.get(link.local_id, '')}”. "
        + stays.format("that one into this"),
    }
    for contact_id, text in texts.items():
        if contact_id is not None:
            timeline.add(contact_id, verb="merged", summary=text, actor=batch.books.actor, now=now)
    contacts = [id_ for id_ in texts if id_ is not None]
    links.refresh_link_states(session, contacts, now=now)
    touch(session, contacts, now=now)
    batch.count("two_contacts")
    return Followed("two_contacts", texts[link.local_id], link.local_id)


def undo(link_id: int, actor: Actor, *, now: datetime) -> int:
    """Take a link back to the customer that was merged away; answers the contact.

    The contact keeps everything and its link ends as `gone`; the surviving customer is nobody's, and the next look at
    it decides whose it is, never this contact's. Raises NotFound, and Refused where no merge was followed.
    """
    session: Session = db.session()
    link = session.get(Link, link_id, with_for_update=True, populate_existing=True)
    if link is None or link.kind != "customer":
        raise NotFound("There is no such link.")
    if not link.merged_from:
        raise Refused("This link did not follow a merge in QuickBooks; there is nothing to undo.")
    connection = session.get_one(Connection, link.connection_id)
    batch = Batch(session, books_of(connection), now, trigger="person")
    found = {c.remote_id: c for c in session.scalars(_rows(batch, Customer, link.remote_id, link.merged_from))}
    survivor, loser = found[link.remote_id], found[link.merged_from]
    _part(session, link, survivor, loser, actor=actor, now=now)
    text = (
        f"The merge of “{loser.display_name}” into “{survivor.display_name}” was undone here: this contact is no longer"
        " linked to the latter. In QuickBooks they stay one customer."
    )
    timeline.add(link.local_id, verb="unlinked", summary=text, actor=actor, now=now)
    batch.log("merge_undone", text, kind="customer", remote_id=survivor.remote_id, contact_id=link.local_id,
              direction="", outcome="done", details={"by": actor.label})  # fmt: skip
    from crm.services.sync.mirror.applying import settle_trees  # it calls this module

    settle_trees(batch, [survivor.remote_id, loser.remote_id], [link.local_id])
    links.refresh_link_states(session, [link.local_id], now=now)
    return link.local_id


def _part(session: Session, link: Link, survivor: Customer, loser: Customer, *, actor: Actor, now: datetime) -> None:
    link.remote_id, link.merged_from, link.version = loser.remote_id, "", loser.version
    link.state, link.base, link.written_hash = "gone", {}, ""
    loser.match_state, loser.contact_id = "linked", link.local_id
    survivor.match_state, survivor.contact_id = "new", None
    mine = select(Match).where(Match.customer_id == survivor.id, Match.contact_id == link.local_id)
    for match in session.scalars(mine):
        match.state, match.decided_by, match.decided_at = "rejected", actor.label[:254], now
    session.flush()
