"""Contacts in plans: who may be chosen, what is settled without comparing, and what both sides never agreed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from crm.domain.matching import RULE_TEXTS
from crm.domain.shared_fields import TITLES, shown_here
from crm.models import Contact, Customer, Link, MoneyFacts, OutboxEntry, Plan, PlanLine
from crm.queries import households
from crm.services import conflict_deeds, customer_candidates
from crm.services.audit import Actor
from crm.services.sync.merge.comparing import Compared, compare_linked
from crm.services.sync.plans.kinds import customer_images, customer_undo
from crm.services.sync.plans.kinds.port import Deed, Drawn, Seen
from crm.services.sync.work import Books

KIND = "customer"
GONE = "It was deleted or merged in QuickBooks, so there is nothing to write to. Unlink it on the contact's page."
INACTIVE = "Inactive in QuickBooks, which changes no inactive customer. Make it active there first."
ARCHIVED = "The contact is archived. Restore it first."
REVIEW = "A customer in QuickBooks looks like it. Decide under Matches first, so that nobody is created twice."
MEMBER = "It belongs to {}, whose customer pays for it, so it gets none of its own."
PROBABLE = "Probably “{}”, which is in QuickBooks: {}. Link it on the contact's page, or say there that it is another."
NAME_ONLY = ("name_only", "name_alike_only", "company_only")
LEAD = "It is a {} here; in QuickBooks it becomes a customer."
MOVED = "It stands otherwise by now than the plan showed. Decide about it on the contact's page."
AGREED = "Both sides agree about it by now."
UNLINKED = "The contact is not linked to a customer any more."
CLOSED = "The sync settings let nothing out, so ours is not sent; it counts as decided."


class CustomerPlans:
    def title(self, name: str) -> str:
        return TITLES.get(name, name)

    def offered(self, connection_id: int) -> Select[int] | None:
        """Contacts of type customer."""
        return select(Contact.id).where(
            Contact.type == "customer", Contact.archived_at.is_(None), ~_known(connection_id)
        )

    def others(self, session: Session, connection_id: int) -> int:
        """Leads and the like: they never leave by themselves."""
        others = (Contact.type != "customer", Contact.archived_at.is_(None), ~_known(connection_id))
        return session.scalar(select(func.count()).where(*others)) or 0

    def look(
        self, session: Session, books: Books, local_ids: Sequence[int], links: Mapping[int, Any]
    ) -> Mapping[int, Seen]:
        found = session.execute(
            select(Contact.id, Contact.display_name, Contact.type, Contact.archived_at, Contact.link_state)
            .where(Contact.id.in_(local_ids))
        ).all()  # fmt: skip
        there = {row.remote_id: row for row in session.execute(
            select(Customer.remote_id, Customer.active, Customer.gone_at).where(
                Customer.connection_id == books.id,
                Customer.remote_id.in_([link.remote_id for link in links.values()]),
            )
        )}  # fmt: skip
        balance = func.coalesce(MoneyFacts.balance_with_jobs, MoneyFacts.balance)
        facts = (MoneyFacts.contact_id.in_(local_ids), MoneyFacts.connection_id == books.id)
        money = {id_: amount for id_, amount in session.execute(select(MoneyFacts.contact_id, balance).where(*facts))}
        left = _probable(books, [row for row in found if row.id not in links]) | _members(session, local_ids)
        return {
            row.id: Seen(
                row.display_name, money.get(row.id), _stays(row, links.get(row.id), there) or left.get(row.id),
                "" if row.type == "customer" else LEAD.format(row.type),
            )
            for row in found
        }  # fmt: skip

    def needs(
        self, session: Session, books: Books, local_ids: Sequence[int], *, actor: Actor, now: datetime
    ) -> Mapping[int, tuple[tuple[str, int], ...]]:
        return {}

    def differences(
        self, session: Session, books: Books, local_ids: Sequence[int]
    ) -> Mapping[int, Mapping[str, list[str]]]:
        mine = (Link.connection_id == books.id, Link.kind == KIND, Link.local_id.in_(local_ids))
        bases = {id_: base for id_, base in session.execute(select(Link.local_id, Link.base).where(*mine))}
        unsure = [id_ for id_, base in bases.items() if base.keys() < TITLES.keys()]  # most once agreed on everything
        found = {}
        for id_, one in compare_linked(session, unsure, books=books).items():
            names = [name for name in TITLES if name in one.merged.differing and name not in one.base]
            if names:
                found[id_] = {name: _pair(one, name) for name in names}
        return found

    def decide(
        self, session: Session, books: Books, lines: Sequence[PlanLine], choice: str, *, actor: Actor, now: datetime
    ) -> Mapping[int, str]:
        [name] = {name for line in lines for name in line.changes}
        compared = compare_linked(session, [line.local_id for line in lines], books=books)
        why = {line.id: text for line in lines if (text := _why_not(line, name, compared.get(line.local_id)))}
        meant = [compared[line.local_id] for line in lines if line.id not in why]
        goes_out = conflict_deeds.carry_out(session, meant, name, choice, books=books, actor=actor, now=now)
        if choice == "ours" and not goes_out:
            why |= {line.id: CLOSED for line in lines if line.id not in why}
        return why

    def left_as(self, session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
        found = session.execute(
            select(Customer.record, Customer.content_hash, Link.written_hash)
            .join(Link, (Link.connection_id == Customer.connection_id) & (Link.remote_id == Customer.remote_id))
            .where(Customer.connection_id == entry.connection_id, Link.kind == KIND,
                   Customer.remote_id == entry.remote_id)
        ).first()  # fmt: skip
        return dict(found.record) if found is not None and found.content_hash == found.written_hash else None

    def undoing(self, session: Session, books: Books, deeds: Sequence[Deed]) -> list[Drawn]:
        return list(customer_undo.draw(session, books, deeds))

    def put_back(
        self, session: Session, plan: Plan, one: Drawn, fields: Sequence[str], *, books: Books, actor: Actor,
        now: datetime,
    ) -> str:  # fmt: skip
        assert isinstance(one, customer_undo.Taken)
        return customer_undo.put_back(plan, one, fields, books=books, actor=actor, now=now)

    def image(self, session: Session, local_ids: Sequence[int], field: str) -> dict[int, dict[str, Any]]:
        return customer_images.image(local_ids, field)

    def restore(
        self, session: Session, plan: Plan, local_id: int, field: str, before: Mapping[str, Any], *, actor: Actor,
        now: datetime,
    ) -> None:  # fmt: skip
        customer_images.restore(plan.id, local_id, field, before, actor=actor, now=now)


def _members(session: Session, local_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    payers = households.payers(local_ids)
    query = select(Contact.id, Contact.display_name).where(Contact.id.in_(list(payers.values())))
    names = {id_: name for id_, name in session.execute(query)}
    return {member: ("skip", MEMBER.format(f"“{names[payer]}”")) for member, payer in payers.items()}


def _probable(books: Books, contacts: Sequence[Any]) -> dict[int, tuple[str, str]]:
    """Those that a customer in the books looks like. One that merely bears the very name is told as a taken name."""
    names = {row.id: row.display_name.lower() for row in contacts}
    found: dict[int, tuple[str, str]] = {}
    for id_, rows in customer_candidates.candidates(names, books.id).items():
        near = [one for one in rows if one.probable and not (
            one.scored.rule in NAME_ONLY and one.customer.display_name.lower() == names[id_]
        )]  # fmt: skip
        if near:
            text = PROBABLE.format(near[0].customer.display_name, RULE_TEXTS.get(near[0].scored.rule, ""))
            found[id_] = ("refuse", text)
    return found


def _known(connection_id: int) -> Any:
    return exists().where(Link.connection_id == connection_id, Link.kind == KIND, Link.local_id == Contact.id)


def _stays(row: Any, link: Any, there: Mapping[str, Any]) -> tuple[str, str] | None:
    """What needs no comparing to be known; None where the object must be looked at."""
    if link is not None:
        customer = there.get(link.remote_id)
        if link.state == "gone" or customer is None or customer.gone_at is not None:
            return "skip", GONE
        return ("skip", INACTIVE) if link.state == "inactive" or not customer.active else None
    if row.archived_at is not None:
        return "skip", ARCHIVED
    return ("refuse", REVIEW) if row.link_state == "review" else None


def _pair(one: Compared, name: str) -> list[str]:
    return [one.theirs.shown(name), shown_here(name, one.merged.here[name], one.contact, one.lines)]


def _why_not(line: PlanLine, name: str, one: Compared | None) -> str:
    if one is None or one.link is None:
        return UNLINKED
    if name in one.merged.agreed:
        return AGREED
    return "" if _pair(one, name) == list(line.changes[name]) else MOVED
