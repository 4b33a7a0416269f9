"""Contacts as the rules of segments look at them (`domain/segment_person`), read in a handful of statements.

Every invoice that counts and every quote is read, so that the explanation can name what it goes by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.errors import NotFound
from crm.domain.segment_person import Books, Invoice, Line, Person, Quote
from crm.models import (
    AutomationHold,
    Contact,
    ContactConsent,
    ContactPlace,
    MoneyFacts,
    Note,
    Product,
    RfmScore,
    SalesDocument,
    SalesLine,
    Tag,
    User,
)
from crm.models.contacts import contact_tags
from crm.queries import quote_progress
from crm.queries.products import home_currency
from crm.queries.segment_measures import INVOICE, QUOTE

D = SalesDocument


def person(contact_id: int, today: date) -> Person:
    """Raises NotFound. `today` is not looked at yet: what depends on it is worked out by the rules."""
    found = people([contact_id])
    if not found:
        raise NotFound("There is no such contact. The link may be old or not complete.")
    return found[contact_id]


def people(ids: Sequence[int]) -> dict[int, Person]:
    """Those of these that are there, in the same handful of statements, however many they are."""
    home = home_currency()
    contacts = db.session.scalars(select(Contact).where(Contact.id.in_(ids))).all()
    tags, consents, invoices = _tags(ids), _consents(ids), _invoices(ids, home)
    quotes, books, noted = _quotes(ids, home), _books(ids, home), _noted(ids)
    places, rfm = _rows(ContactPlace, ids), _rows(RfmScore, ids)
    owners = _owners({one.owner_id for one in contacts if one.owner_id is not None})
    held = set(db.session.scalars(select(AutomationHold.contact_id).where(AutomationHold.contact_id.in_(ids))))
    names = _products([one for some in invoices.values() for one in some])
    found = {}
    for one in contacts:
        place, fifths, mine = places.get(one.id), rfm.get(one.id), tuple(invoices.get(one.id, ()))
        bought = {str(line.product_id) for invoice in mine for line in invoice.lines if line.product_id is not None}
        found[one.id] = Person(
            id=one.id,
            name=one.display_name,
            sort_name=one.sort_name,
            company=one.company_name,
            type=one.type,
            owner_id=one.owner_id,
            source=one.source,
            tags=frozenset(map(int, tags.get(one.id, {}))),
            created=one.created_at.astimezone(UTC).date(),
            last_activity=_day(one.last_activity_at),
            state=one.region,
            city=one.city,
            postal_code=one.postal_code,
            country=one.country,
            place=None if place is None else (place.x, place.y, place.z),
            link=one.link_state,
            held=one.id in held,
            books=books.get(one.id),
            rfm=None if fifths is None else (fifths.recency, fifths.frequency, fifths.monetary),
            invoices=mine,
            quotes=tuple(quotes.get(one.id, ())),
            phone=one.phone,
            email=one.email,
            consents=consents.get(one.id, {}),
            last_note=_day(noted.get(one.id)),
            archived=one.archived_at is not None,
            currency=home,
            names={
                "tags": tags.get(one.id, {}),
                "owners": {key: name for key, name in owners.items() if key == str(one.owner_id)},
                "products": {key: name for key, name in names.items() if key in bought},
            },
        )
    return found


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.astimezone(UTC).date()


def _rows(model: Any, ids: Sequence[int]) -> dict[int, Any]:
    return {row.contact_id: row for row in db.session.scalars(select(model).where(model.contact_id.in_(ids)))}


def _tags(ids: Sequence[int]) -> dict[int, dict[str, str]]:
    whose = contact_tags.c.contact_id
    query = select(whose, Tag.id, Tag.name).join(contact_tags, contact_tags.c.tag_id == Tag.id).where(whose.in_(ids))
    found: dict[int, dict[str, str]] = {}
    for contact_id, id_, name in db.session.execute(query):
        found.setdefault(contact_id, {})[str(id_)] = name
    return found


def _owners(ids: set[int]) -> dict[str, str]:
    query = select(User.id, User.name, User.email).where(User.id.in_(sorted(ids)))
    return {str(row.id): row.name or row.email for row in db.session.execute(query)} if ids else {}


def _noted(ids: Sequence[int]) -> dict[int, datetime]:
    query = select(Note.contact_id, func.max(Note.created_at)).where(Note.contact_id.in_(ids))
    return {contact_id: at for contact_id, at in db.session.execute(query.group_by(Note.contact_id))}


def _books(ids: Sequence[int], home: str) -> dict[int, Books]:
    return {
        id_: Books(facts.total_sales, facts.balance_with_jobs, facts.unapplied_credit, facts.days_to_pay)
        for id_, facts in _rows(MoneyFacts, ids).items() if facts.currency in ("", home)
    }  # fmt: skip


def _invoices(ids: Sequence[int], home: str) -> dict[int, list[Invoice]]:
    columns = (D.contact_id, D.id, D.number, D.date, D.due_date, D.total, D.books_total, D.balance, D.currency)
    query = select(*columns).where(D.contact_id.in_(ids), *INVOICE).order_by(D.date, D.id)
    rows = db.session.execute(query).all()
    lines = _lines([row.id for row in rows])
    found: dict[int, list[Invoice]] = {}
    for row in rows:
        one = Invoice(row.id, row.number, row.date, row.due_date, _total(row), row.balance,
                      row.currency in ("", home), tuple(lines.get(row.id, ())))  # fmt: skip
        found.setdefault(row.contact_id, []).append(one)
    return found


def _lines(ids: Sequence[int]) -> Mapping[int, list[Line]]:
    s = SalesLine
    found: dict[int, list[Line]] = {}
    for start in range(0, len(ids), 500):
        query = select(s.document_id, s.product_id, s.amount, s.cost, s.optional, s.chosen)
        for row in db.session.execute(query.where(s.document_id.in_(ids[start : start + 500])).order_by(s.id)):
            line = Line(row.product_id, row.amount, row.cost, not row.optional or row.chosen)
            found.setdefault(row.document_id, []).append(line)
    return found


def _quotes(ids: Sequence[int], home: str) -> dict[int, list[Quote]]:
    columns = (D.contact_id, D.id, D.number, D.state, D.date, D.expires_on, D.sent_at, D.total, D.books_total,
               D.currency)  # fmt: skip
    query = select(*columns, quote_progress.begun().label("begun")).where(D.contact_id.in_(ids), *QUOTE)
    found: dict[int, list[Quote]] = {}
    for row in db.session.execute(query.order_by(D.date, D.id)):
        one = Quote(row.id, row.number, row.state, row.date, row.expires_on, _day(row.sent_at), _total(row),
                    row.currency in ("", home), row.begun)  # fmt: skip
        found.setdefault(row.contact_id, []).append(one)
    return found


def _total(row: Any) -> Any:
    return row.total if row.books_total is None else row.books_total


def _consents(ids: Sequence[int]) -> dict[int, dict[str, str]]:
    query = select(ContactConsent.contact_id, ContactConsent.channel, ContactConsent.state)
    found: dict[int, dict[str, str]] = {}
    for contact_id, channel, state in db.session.execute(query.where(ContactConsent.contact_id.in_(ids))):
        found.setdefault(contact_id, {})[channel] = state
    return found


def _products(invoices: Sequence[Invoice]) -> dict[str, str]:
    ids = sorted({line.product_id for one in invoices for line in one.lines if line.product_id is not None})
    query = select(Product.id, Product.name).where(Product.id.in_(ids))
    return {str(id_): name for id_, name in db.session.execute(query)} if ids else {}
