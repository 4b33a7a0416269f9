"""The accounts a product asks for, with what the books of a company offer and which of it is the default, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import products as rules
from crm.domain.products import TYPES, AccountChoice, Need
from crm.formats import plural
from crm.models import Connection, Item, ListEntry

SAMPLE = 1000
"""Products of the type in the books that are looked at: the latest."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One account that is asked for. `default` is a remote id, or empty where none is found."""

    field: str
    title: str
    required: bool
    sentence: str
    choices: Sequence[AccountChoice]
    default: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    connected: bool
    """Whether there are books whose accounts are known; without them nothing is asked."""
    needs: Sequence[Asked] = ()
    inventory_on: bool | None = None


def offer(session: Session, connection_id: int | None, type_: str) -> Offer:
    """What a new product of this type asks for. The default is what the others of its type use."""
    connection = session.get(Connection, connection_id) if connection_id is not None else None
    if connection is None:
        return Offer(False)
    asked = rules.needs(type_)
    accounts = _accounts(session, connection.id) if asked else []
    if asked and not accounts:
        return Offer(False, inventory_on=connection.preferences.get("inventory"))
    records = _records(session, connection.id, type_) if asked else []
    return Offer(True, [_asked(need, accounts, records, type_) for need in asked],
                 connection.preferences.get("inventory"))  # fmt: skip


def preferring(offer: Offer, income: str) -> Offer:
    """The same with this income account as the default, where it is one of those offered: the sales settings say so."""

    def asked(one: Asked) -> Asked:
        chosen = next((account for account in one.choices if account.remote_id == income), None)
        if one.field != "income_account" or chosen is None:
            return one
        return replace(one, default=income, reason=f"{chosen.name}: chosen in the sales settings.")

    return replace(offer, needs=[asked(one) for one in offer.needs])


def names(session: Session, connection_id: int | None) -> dict[str, str]:
    """Remote id -> name of every account, inactive ones too."""
    if connection_id is None:
        return {}
    return {one.remote_id: one.name for one in _accounts(session, connection_id)}


def _asked(need: Need, accounts: Sequence[AccountChoice], records: Sequence[dict[str, str]], type_: str) -> Asked:
    used = Counter(record[need.field] for record in records if record.get(need.field))
    counted = [
        AccountChoice(one.remote_id, one.name, one.type, one.subtype, one.active, used[one.remote_id])
        for one in accounts
    ]
    first, reason = rules.best(need, counted)
    if first is not None and first.items:
        reason = f"{first.name}: used by {first.items:,} of your {plural(len(records), _plain(type_))}."
    default = first.remote_id if first is not None and (need.required or first.items) else ""
    return Asked(need.field, need.title, need.required, need.sentence, rules.choices(need, counted), default, reason)


def _plain(type_: str) -> str:
    return "service" if type_ == "service" else f"{TYPES[type_].lower()} product"


def _accounts(session: Session, connection_id: int) -> list[AccountChoice]:
    rows = session.execute(
        select(ListEntry.remote_id, ListEntry.name, ListEntry.active, ListEntry.details)
        .where(ListEntry.connection_id == connection_id, ListEntry.kind == "account")
        .order_by(ListEntry.id)
    )
    return [
        AccountChoice(remote_id, details.get("full_path") or name, details.get("type", ""),
                      details.get("subtype", ""), active)
        for remote_id, name, active, details in rows
    ]  # fmt: skip


def _records(session: Session, connection_id: int, type_: str) -> list[dict[str, str]]:
    """Field -> account of the products of this type in the books."""
    rows = session.scalars(
        select(Item.record)
        .where(Item.connection_id == connection_id, Item.type == type_, Item.gone_at.is_(None), Item.active.is_(True))
        .order_by(Item.id.desc())
        .limit(SAMPLE)
    )
    fields = ("income_account", "expense_account", "asset_account")
    return [{name: (record.get(name) or {}).get("remote_id", "") for name in fields} for record in rows]
