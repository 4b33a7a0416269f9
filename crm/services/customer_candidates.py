"""Which customers of the books a contact may be, with the evidence: the import's question, asked from the other side.

Asked by the pages that link a contact or create it in QuickBooks, and by plans, so that nobody is created twice. Judged
by the rules of `domain/matching` with the settings in force; pairs a person kept apart are left out. A fixed number of
statements for five hundred contacts, from the mirror alone; nothing is written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.evidence import Holders
from crm.domain.identity import Identity, finds
from crm.domain.matching import Outcome, Scored, Settings, judge
from crm.domain.phones import region_of
from crm.models import Connection, Contact, Customer, Match
from crm.queries import match_settings
from crm.services.identity_keys import KEYS, chunks, contact_identities, customer_identity

ASKED = 500
MOST = 8
TYPED = Scored("", Outcome.APART, 0, "", ())
OF_ANOTHER = ("relative", "colleague", "other_name", "two_people")
"""Rules by which somebody is near a customer, and another person."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A customer at the top of its tree."""

    customer: Customer
    contact: str
    """Name of the contact it is linked to; empty where it is free."""
    scored: Scored = TYPED
    """`rule` is empty where it was found by what was typed, not by evidence."""

    @property
    def probable(self) -> bool:
        """Whether it would be created twice."""
        return bool(self.scored.rule) and self.scored.rule not in OF_ANOTHER


def candidates(contact_ids: Iterable[int], connection_id: int) -> dict[int, list[Candidate]]:
    """Contact -> its candidates, the best first; contacts without any are missing."""
    found: dict[int, list[Candidate]] = {}
    for part in chunks(sorted(set(contact_ids)), ASKED):
        found |= _of_part(part, connection_id)
    return found


def with_contacts(customers: Sequence[Customer]) -> list[Candidate]:
    """These customers, each with the contact it is linked to."""
    names = _names(one.contact_id for one in customers if one.match_state == "linked")
    return [Candidate(one, names.get(one.contact_id or 0, "")) for one in customers]


def judged(contact_id: int, customer: Customer) -> Scored | None:
    """What the rules say of this pair, whatever it is; None for a contact that is archived."""
    ours = contact_identities(db.session(), [contact_id]).get(contact_id)
    if ours is None:
        return None
    keys = set(db.session.scalars(select(KEYS.c.key).where(KEYS.c.owner_kind == "contact",
                                                            KEYS.c.owner_id == contact_id)))  # fmt: skip
    settings = match_settings.current(db.session())
    return _judge(ours, _theirs(customer, _region(customer.connection_id)), _counted(keys)[0], settings=settings)


def _of_part(ids: Sequence[int], connection_id: int) -> dict[int, list[Candidate]]:
    session = db.session()
    keys: dict[str, list[int]] = defaultdict(list)
    mine = (KEYS.c.owner_kind == "contact", KEYS.c.owner_id.in_(ids))
    for owner, key in session.execute(select(KEYS.c.owner_id, KEYS.c.key).where(*mine)):
        keys[key].append(owner)
    frequency, useful = _counted(keys)
    pairs = _sharing(keys, useful)
    customers = _customers({customer for _, customer in pairs}, connection_id)
    pairs = {pair for pair in pairs if pair[1] in customers} - _kept_apart(ids)
    identities, region = contact_identities(session, ids), _region(connection_id)
    settings = match_settings.current(session)
    theirs = {id_: _theirs(one, region) for id_, one in customers.items()}
    names = _names(one.contact_id for one in customers.values() if one.match_state == "linked")
    found: dict[int, list[Candidate]] = defaultdict(list)
    for contact_id, customer_id in sorted(pairs):
        if contact_id not in identities:
            continue
        scored = _judge(identities[contact_id], theirs[customer_id], frequency, settings=settings)
        customer = customers[customer_id]
        if scored.outcome is not Outcome.APART:
            found[contact_id].append(Candidate(customer, names.get(customer.contact_id or 0, ""), scored))
    return {id_: sorted(of_one, key=_rank)[:MOST] for id_, of_one in found.items()}


def _rank(one: Candidate) -> tuple[bool, bool, int, int]:
    return one.scored.outcome is not Outcome.SAME, not one.probable, -one.scored.score, one.customer.id


def _judge(ours: Identity, theirs: Identity, frequency: Mapping[str, int], *, settings: Settings) -> Scored:
    return judge(theirs, ours, Holders(theirs, (ours,), frequency), settings=settings)


def _counted(keys: Iterable[str]) -> tuple[dict[str, int], set[str]]:
    """How many records of both sides hold each key, and the keys by which to look for customers."""
    frequency: dict[str, int] = defaultdict(int)
    useful = set()
    for part in chunks(sorted(keys), ASKED):
        query = select(KEYS.c.key, KEYS.c.owner_kind, func.count()).where(KEYS.c.key.in_(part))
        for key, kind, number in db.session.execute(query.group_by(KEYS.c.key, KEYS.c.owner_kind)):
            frequency[key] += number
            if kind == "customer" and finds(key, number):
                useful.add(key)
    return dict(frequency), useful


def _sharing(keys: Mapping[str, Sequence[int]], useful: Iterable[str]) -> set[tuple[int, int]]:
    """(contact, customer) that share one of these keys."""
    found = set()
    for part in chunks(sorted(useful), ASKED):
        query = select(KEYS.c.key, KEYS.c.owner_id).where(KEYS.c.key.in_(part), KEYS.c.owner_kind == "customer")
        found |= {(contact, owner) for key, owner in db.session.execute(query) for contact in keys[key]}
    return found


def _customers(ids: Iterable[int], connection_id: int) -> dict[int, Customer]:
    found: dict[int, Customer] = {}
    for part in chunks(sorted(ids), ASKED):
        mine = (Customer.connection_id == connection_id, Customer.parent_remote_id.is_(None),
                Customer.gone_at.is_(None))  # fmt: skip
        found |= {one.id: one for one in db.session.scalars(select(Customer).where(Customer.id.in_(part), *mine))}
    return found


def _kept_apart(ids: Sequence[int]) -> set[tuple[int, int]]:
    query = select(Match.contact_id, Match.customer_id).where(Match.contact_id.in_(ids), Match.state == "rejected")
    return {(contact, customer) for contact, customer in db.session.execute(query)}


def _names(ids: Iterable[int | None]) -> dict[int, str]:
    query = select(Contact.id, Contact.display_name).where(Contact.id.in_([id_ for id_ in ids if id_]))
    return {id_: name for id_, name in db.session.execute(query)}


def _region(connection_id: int) -> str:
    return region_of(db.session.scalar(select(Connection.country).where(Connection.id == connection_id)) or "")


def _theirs(customer: Any, region: str) -> Identity:
    return customer_identity(str(customer.id), customer.record, region)
