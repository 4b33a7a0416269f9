"""How sales go to a company's books: what counts now, and the one way to change it.

A change is a new row; the highest version counts and none is ever altered. Only what differs from the found default is
kept, so that a better default reaches everybody who never chose. Whoever changes names the version they saw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import sales
from crm.domain import sales_settings as rules
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.numbers import OURS, NumberRule, following
from crm.domain.pictures import read_picture
from crm.domain.sales_defaults import Default, defaults
from crm.domain.sales_settings import FIELDS, HEADER, OPTIONAL, Facts
from crm.models import Connection, SalesSettings
from crm.queries import sales_settings as queries
from crm.services import audit
from crm.services.audit import Actor

LOGOS = "logos"
"""Folder in the instance folder."""


@dataclass(frozen=True, slots=True)
class Header:
    """Our own company, as documents print it. Texts may be empty; `logo` is a file name in the folder LOGOS."""

    name: str = ""
    address: str = ""
    """Lines."""
    phone: str = ""
    email: str = ""
    website: str = ""
    logo: str = ""


@dataclass(frozen=True, slots=True)
class Current:
    """What counts for one company. `answers` holds every field of FIELDS, with the default where nobody chose."""

    connection_id: int | None
    answers: Mapping[str, str]
    defaults: Mapping[str, Default]
    header: Header
    facts: Facts
    version: int = 0
    """0: nobody has changed anything yet."""
    chosen: frozenset[str] = field(default_factory=frozenset)
    """Fields a person answered otherwise than the default."""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def books_tax(self) -> str:
        """How the books work tax out: `none`, `us_manual`, `us_automated` or `global`."""
        return rules.tax_mode(self.facts.preferences, self.facts.country)

    @property
    def tax_mode(self) -> str:
        """What a new document begins with: a mode of `domain/sales`."""
        modes = {rules.NO_TAX: sales.NONE, rules.GLOBAL: sales.EXCLUSIVE}
        return modes.get(self.books_tax, sales.US)

    @property
    def taxable(self) -> bool:
        return self.answers["taxable"] == rules.YES

    @property
    def tax_code(self) -> str:
        return self.answers["tax_code"]

    @property
    def terms(self) -> str:
        """Remote id of the terms of a new invoice; empty: due on its day."""
        return self.answers["terms"]

    @property
    def quote_days(self) -> int:
        return int(self.answers["quote_days"])

    @property
    def discounts(self) -> bool:
        """Whether documents offer a discount."""
        return self.answers["discounts"] != rules.OFF

    @property
    def deposits(self) -> str:
        """`field` (the invoice's own deposit), `payment` (a payment of its own) or `off`."""
        return self.answers["deposits"]

    @property
    def deposit_account(self) -> str:
        """Remote id; empty leaves it to the books."""
        return self.answers["deposit_account"]

    def income_account(self, product_type: str) -> str:
        return self.answers["income_service" if product_type == "service" else "income_item"]

    def numbers(self, kind: str) -> NumberRule:
        """Of an `estimate` or an `invoice`; the counter goes on after the latest ones there are."""
        name, latest = ("invoice", self.facts.invoice_numbers)
        if kind == "estimate":
            name, latest = ("quote", self.facts.quote_numbers)
        rule = rules.number_rule(name, self.answers)
        return replace(rule, next=following(latest, rule))


def company_in_use(session: Session) -> int | None:
    """The company new products and documents are for: the one connected first; None before any is connected."""
    query = select(Connection.id).where(Connection.disconnected_at.is_(None))
    return session.scalar(query.order_by(Connection.id).limit(1))


def chosen_income(session: Session, connection_id: int | None, product_type: str) -> str:
    """The income account an admin chose for new products of this type; empty where nobody did."""
    row = queries.latest(session, connection_id) if connection_id is not None else None
    name = "income_service" if product_type == "service" else "income_item"
    return str(row.answers.get(name, "")) if row else ""


def current(session: Session, connection_id: int | None) -> Current:
    """What counts now; of no company (None), and of one nobody set anything for, the defaults."""
    facts = queries.facts(session, connection_id)
    row = queries.latest(session, connection_id) if connection_id is not None else None
    kept: Mapping[str, Any] = row.answers if row else {}
    found = defaults(facts)
    return Current(
        connection_id=connection_id,
        answers={name: str(kept.get(name, found[name].value)) for name in FIELDS},
        defaults=found,
        header=Header(
            **{name: str(kept.get(name, "")) for name in (*HEADER[1:], "logo")},
            name=str(kept.get("name") or facts.company_name),
        ),
        facts=facts,
        version=row.version if row else 0,
        chosen=frozenset(name for name in FIELDS if name in kept),
        changed_by=row.changed_by if row else "",
        changed_at=row.changed_at if row else None,
    )


def save(
    session: Session, connection_id: int, answers: Mapping[str, str], *, version: int, actor: Actor, now: datetime
) -> Current:
    """These answers count from now on; a field left out stays. Empty means none where that is an answer (OPTIONAL),
    else the default.

    Raises Invalid with a sentence for each answer that cannot be, Changed when there is a newer version, NotFound.
    """
    before = _locked(session, connection_id, version)
    given = {name: str(answers[name]).strip() for name in FIELDS if name in answers}
    wanted = {
        name: given.get(name, before.answers[name]) or ("" if name in OPTIONAL else before.defaults[name].value)
        for name in FIELDS
    }
    rules.check(before.facts, wanted)
    kept = {name: value for name, value in wanted.items() if value != before.defaults[name].value}
    if wanted["numbers"] != OURS:
        kept = {name: value for name, value in kept.items() if not name.startswith(("quote_p", "quote_n", "invoice_"))}
    return _keep(session, before, kept | _header_kept(before), actor=actor, now=now)


def save_header(
    session: Session, connection_id: int, header: Mapping[str, str], *, version: int, actor: Actor, now: datetime
) -> Current:
    """Name, address and lines of our company for documents. Raises as `save`."""
    before = _locked(session, connection_id, version)
    typed = {name: _lines(header.get(name, "")) for name in HEADER}
    rules.check_header(typed)
    if typed["name"] == before.facts.company_name:
        typed["name"] = ""  # follows the books
    kept = {name: value for name, value in typed.items() if value}
    logo = {"logo": before.header.logo} if before.header.logo else {}
    return _keep(session, before, _answers_kept(before) | kept | logo, actor=actor, now=now)


def save_logo(
    session: Session, connection_id: int, picture: bytes, *, instance: Path, version: int, actor: Actor, now: datetime
) -> Current:
    """The logo becomes this PNG or JPEG; empty bytes take it away. Raises Invalid, Changed, NotFound.

    The file is named by its content, so that one that is in use is never overwritten, and an old version keeps its own.
    """
    before = _locked(session, connection_id, version)
    kept = _answers_kept(before) | {name: value for name, value in _header_kept(before).items() if name != "logo"}
    if picture:
        found = read_picture(picture)
        if isinstance(found, str):
            raise Invalid({"logo": found})
        name = f"{hashlib.sha256(picture).hexdigest()[:32]}.{found.extension}"
        folder = instance / LOGOS
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)
        kept["logo"] = name
    return _keep(session, before, kept, actor=actor, now=now)


def logo(header: Header, instance: Path) -> Path | None:
    """Where the logo lies; None where there is none, or its file was not brought along to this machine."""
    path = instance / LOGOS / header.logo
    return path if header.logo and path.is_file() else None


def _locked(session: Session, connection_id: int, version: int) -> Current:
    """What counts now; nobody else changes it until the transaction ends."""
    found = session.scalar(select(Connection.id).where(Connection.id == connection_id).with_for_update(key_share=True))
    if found is None:
        raise NotFound("There is no such connection.")
    before = current(session, connection_id)
    if before.version != version:
        who = before.changed_by or "Somebody"
        raise Changed(f"{who} changed these settings meanwhile. Look at what stands now, then save again.", before)
    return before


def _answers_kept(before: Current) -> dict[str, str]:
    return {name: before.answers[name] for name in before.chosen}


def _header_kept(before: Current) -> dict[str, str]:
    header = before.header
    own = {name: getattr(header, name) for name in (*HEADER, "logo")}
    return {
        name: value for name, value in own.items() if value and (name != "name" or value != before.facts.company_name)
    }


def _keep(session: Session, before: Current, kept: Mapping[str, str], *, actor: Actor, now: datetime) -> Current:
    """A new version, unless nothing is different."""
    connection_id = before.connection_id
    assert connection_id is not None
    changes = queries.told(_answers_kept(before) | _header_kept(before), kept)
    if not changes:
        return before
    version = before.version + 1
    session.add(
        SalesSettings(
            connection_id=connection_id, version=version, answers=dict(kept), changed_by=actor.label[:254],
            changed_at=now,
        )
    )  # fmt: skip
    session.flush()
    audit.record(
        "sales_settings_changed",
        actor=actor,
        now=now,
        subject=f"connection:{connection_id}",
        summary=f"{'; '.join(changes)}.",
        details={"version": version},
    )
    return current(session, connection_id)


def _lines(text: str) -> str:
    """Lines as typed, without what no line holds and without blank ones."""
    lines = text.replace("\x00", "").splitlines()
    return "\n".join(line for line in (" ".join(one.split()) for one in lines) if line)
