"""What the property tests of segments draw from: small worlds of contacts with all that rules ask about, and rules.

Values are few and meet each other often: amounts at a limit and beside it, days at the ends of periods, texts whose
letters databases fold differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from crm.db import db, table_of, transaction
from crm.domain.contacts import sort_name
from crm.domain.segment_fields import DAYS_OPS, FIELDS, MANY, OPS, Field
from crm.domain.segment_person import Books, Invoice, Line, Person, Quote
from crm.domain.segments import Group, Period, Rule
from crm.models import (
    AutomationHold,
    Connection,
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

TODAY = date(2026, 11, 21)
HOME = "EUR"
TEXTS = ("", "Kansas", "kansas", "KS", "Ks.", "Käse Ohio", "KASE OHIO", "Straße", "STRASSE", "Łódź", "lodz", "ΩMEGA",
         "ωmega", "İzmir", "izmir", "100%", "a_b", "66044-1234", "K1A 0B6", "k1a0b6", "USA", "United States"
)  # fmt: skip
WANTED = tuple(text for text in TEXTS if text)
AMOUNTS = tuple(map(Decimal, ("-50", "0", "0.01", "99.99", "100", "100.01", "333.33", "1000000")))
BACK = (-3, 0, 1, 2, 29, 30, 31, 45, 90, 200, 325, 365, 366, 700)
"""Days before TODAY."""
POINTS = ((-1_000_000, -5_000_000, 3_900_000), (-1_000_000, -5_000_000, 3_940_000), (-1_030_000, -4_990_000, 3_900_000))
IDS = (1, 2, 3)
"""Of people, tags and products; 3 is an id of nothing."""


def examples(most: int) -> settings:
    """The same examples in every run, and not too many: the suite stays quick."""
    fixtures = [HealthCheck.function_scoped_fixture]  # `store` empties the tables
    return settings(
        max_examples=most,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=fixtures,
        phases=[Phase.generate],
    )


days = st.sampled_from(BACK).map(lambda back: TODAY - timedelta(days=back))
maybe_day = st.one_of(st.none(), days)
amounts = st.sampled_from(AMOUNTS)
texts = st.sampled_from(TEXTS)
lines = st.builds(
    Line, product_id=st.sampled_from((None, 1, 2)), amount=st.one_of(st.none(), amounts),
    cost=st.one_of(st.none(), amounts), taken=st.booleans(),
)  # fmt: skip
invoices = st.builds(
    Invoice, id=st.just(0), date=maybe_day, due_date=maybe_day, total=amounts, balance=st.one_of(st.none(), amounts),
    home=st.sampled_from((True, True, False)),
    lines=st.lists(lines, max_size=3).map(tuple),
)  # fmt: skip
quotes = st.builds(
    Quote, id=st.just(0), state=st.sampled_from(("draft", "sent", "sent", "viewed", "accepted", "declined", "invoiced",
                                                 "cancelled")),
    date=maybe_day, expires_on=maybe_day, sent_on=maybe_day, total=amounts, home=st.sampled_from((True, True, False)),
    begun=st.sampled_from((False, False, True)),
)  # fmt: skip
books = st.builds(
    Books, total_sales=amounts, balance=st.one_of(st.none(), amounts), unused_credit=amounts,
    days_to_pay=st.one_of(st.none(), st.sampled_from(tuple(map(Decimal, ("0", "9.9", "10", "10.1", "100"))))),
)  # fmt: skip
people = st.builds(
    Person, id=st.just(0), name=st.sampled_from(WANTED), company=texts, type=st.sampled_from(("lead", "customer")),
    owner_id=st.sampled_from((None, 1, 2)), source=st.sampled_from(("person", "file")),
    tags=st.frozensets(st.sampled_from((1, 2))), created=days, last_activity=maybe_day, state=texts, city=texts,
    postal_code=texts, country=texts, place=st.one_of(st.none(), st.sampled_from(POINTS)),
    link=st.sampled_from(("none", "linked")), held=st.booleans(), books=st.one_of(st.none(), books),
    rfm=st.one_of(st.none(), st.tuples(*[st.integers(1, 5)] * 3)), invoices=st.lists(invoices, max_size=3).map(tuple),
    quotes=st.lists(quotes, max_size=3).map(tuple), phone=st.sampled_from(("", "555")),
    email=st.sampled_from(("", "a@b.c")),
    consents=st.dictionaries(st.sampled_from(("email", "sms", "call")), st.sampled_from(("granted", "denied"))),
    last_note=maybe_day, archived=st.sampled_from((False, False, False, True)),
)  # fmt: skip
worlds = st.lists(people, min_size=1, max_size=6)


# --- rules ----------------------------------------------------------------------------------------------------

periods = st.one_of(
    st.builds(Period, st.sampled_from(("all", "this_month", "last_month", "this_quarter", "last_quarter", "this_year",
                                       "last_year"))),
    st.builds(Period, st.just("days"), days=st.sampled_from((1, 30, 365))),
    st.builds(lambda a, b: Period("dates", since=min(a, b), until=max(a, b)), days, days),
    st.builds(lambda a: Period("dates", since=a), days), st.builds(lambda a: Period("dates", until=a), days),
)  # fmt: skip


def _one(about: Field, op: str) -> st.SearchStrategy[str]:
    if about.choices is not None:
        return st.sampled_from(tuple(about.choices))
    if about.options:
        return st.sampled_from((*map(str, IDS), "none") if about.options == "owners" else tuple(map(str, IDS)))
    if about.type == "text":
        return st.sampled_from(WANTED)
    if about.type == "date":
        return st.sampled_from((0, 1, 30, 31, 365)).map(str) if op in DAYS_OPS else days.map(date.isoformat)
    if about.type == "money":
        return amounts.map(str)
    if about.type == "number":
        return st.integers(-1, 4).map(str)
    return st.sampled_from(("-10", "0", "0.1", "9.9", "10", "33.3", "50", "100", "66.7", "319.5"))


@st.composite
def rules(draw: st.DrawFn, fields: Sequence[str] = tuple(FIELDS)) -> Rule:
    about = FIELDS[draw(st.sampled_from(fields))]
    op = draw(st.sampled_from(about.ops))
    needed = OPS[op].values
    if about.type == "place" and needed:
        point = draw(st.sampled_from(POINTS))
        far = draw(st.sampled_from(("1", "20", "25", "40", "12000")))
        values: tuple[str, ...] = (far, draw(st.sampled_from(("mi", "km"))), "here", "Here", *map(str, point))
    else:
        least, most = (1, 3) if needed == MANY else (needed, needed)
        values = tuple(draw(st.lists(_one(about, op), min_size=least, max_size=most, unique=needed == MANY)))
        if needed == 2:
            values = tuple(sorted(values, key=(lambda text: text) if about.type == "date" else Decimal))
    return Rule(about.key, op, values, draw(periods) if about.period else None)


def _groups(parts: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Group]:
    matches = st.sampled_from(("all", "any", "none"))
    return st.builds(Group, matches, st.lists(parts, min_size=least, max_size=3).map(tuple))


trees = _groups(st.one_of(rules(), rules(), _groups(st.one_of(rules(), _groups(rules())))), least=1)


# --- into the database ----------------------------------------------------------------------------------------


def empty() -> None:
    """No contacts and no documents."""
    with transaction() as session:
        for table in (SalesLine, SalesDocument, Note, MoneyFacts, Contact, Product, Tag, User, Connection):
            session.execute(delete(table_of(table)))


def store(drawn: Sequence[Person]) -> tuple[Person, ...]:
    """Nothing but these people is in the database afterwards; the people as rules should see them."""
    empty()
    rows = _Rows()
    stored = tuple(rows.person(number, one) for number, one in enumerate(drawn, 1))
    with transaction() as session:
        for table, values in rows.of.items():
            if values:
                session.execute(insert(table), values)
    db.session.remove()
    return stored


def moment(day: date | None, at: time = time(23, 59, 59)) -> datetime | None:
    return None if day is None else datetime.combine(day, at, UTC)


class _Rows:
    """Rows by table, in an order in which they can be written."""

    def __init__(self) -> None:
        then = moment(TODAY)
        self.of: dict[Any, list[dict[str, Any]]] = {table_of(one): [] for one in (User, Tag, Product, Connection)}
        self.of[table_of(User)] = [
            {
                "id": id_,
                "email": f"{id_}@x.y",
                "name": f"users {id_}",
                "role": "rep",
                "password_hash": "-",
                "created_at": then,
            }
            for id_ in (1, 2)
        ]
        self.of[table_of(Tag)] = [{"id": id_, "name": f"tags {id_}"} for id_ in (1, 2)]
        self.of[table_of(Product)] = [
            {"id": id_, "name": f"products {id_}", "sort_name": "p", "created_at": then, "updated_at": then}
            for id_ in (1, 2)
        ]
        self.of[table_of(Connection)] = [{
            "id": 1, "provider": "quickbooks", "realm_id": "1", "realm_fingerprint": "1", "currency": HOME,
            "state": "connected", "connected_at": then,
        }]  # fmt: skip
        for table in (Contact, AutomationHold, ContactConsent, ContactPlace, MoneyFacts, Note, RfmScore):
            self.of[table_of(table)] = []
        self.of[contact_tags] = []
        self.of[table_of(SalesDocument)], self.of[table_of(SalesLine)] = [], []

    def add(self, model: Any, **values: Any) -> None:
        self.of[model if model is contact_tags else table_of(model)].append(values)

    def person(self, id_: int, one: Person) -> Person:
        then = moment(TODAY)
        self.add(
            Contact, id=id_, display_name=one.name, sort_name=sort_name(one.name), company_name=one.company,
            type=one.type, owner_id=one.owner_id, source=one.source, created_at=moment(one.created, time()),
            updated_at=then, last_activity_at=moment(one.last_activity), region=one.state, city=one.city,
            postal_code=one.postal_code, country=one.country, link_state=one.link, phone=one.phone, email=one.email,
            archived_at=then if one.archived else None,
        )  # fmt: skip
        for tag in sorted(one.tags):
            self.add(contact_tags, contact_id=id_, tag_id=tag)
        if one.held:
            self.add(AutomationHold, contact_id=id_, source="file", held_at=then)
        for channel, state in one.consents.items():
            self.add(ContactConsent, contact_id=id_, channel=channel, state=state, noted_at=then)
        if one.place:
            x, y, z = one.place
            self.add(ContactPlace, contact_id=id_, x=x, y=y, z=z, latitude=0, longitude=0, precision="city")
        self._money(id_, one)
        for back in (0, 1) if one.last_note else ():
            at = moment(one.last_note, time()) - timedelta(days=back)  # type: ignore[operator]
            self.add(Note, contact_id=id_, body="x", created_at=at)
        documents = self._documents(id_, one)
        mine = {name: {str(n): f"{name} {n}" for n in IDS[:2]} for name in ("owners", "tags", "products")}
        bought = {str(line.product_id) for invoice in documents[0] for line in invoice.lines if line.product_id}
        return replace(
            one, id=id_, sort_name=sort_name(one.name), invoices=documents[0], quotes=documents[1], currency=HOME,
            names={"owners": {str(one.owner_id): f"users {one.owner_id}"} if one.owner_id else {},
                   "tags": {str(n): mine["tags"][str(n)] for n in one.tags},
                   "products": {n: mine["products"][n] for n in bought}},
        )  # fmt: skip

    def _money(self, id_: int, one: Person) -> None:
        if one.books is not None or id_ % 2:  # facts in another currency say nothing
            known = one.books or Books(Decimal(7), Decimal(7), Decimal(7), Decimal(7))
            self.add(
                MoneyFacts, contact_id=id_, connection_id=1, currency=HOME if one.books else "USD",
                balance=Decimal(3), balance_with_jobs=known.balance, total_sales=known.total_sales,
                unapplied_credit=known.unused_credit, days_to_pay=known.days_to_pay,
            )  # fmt: skip
        if one.rfm:
            recency, frequency, monetary = one.rfm
            self.add(RfmScore, contact_id=id_, recency=recency, frequency=frequency, monetary=monetary, last_on=TODAY,
                     invoices=1, total=Decimal(1), as_of=TODAY)  # fmt: skip

    def _documents(self, contact: int, one: Person) -> tuple[tuple[Invoice, ...], tuple[Quote, ...]]:
        """Beside those that count, some that must not: drafts, voided, deleted ones, templates, of nobody."""
        noise = {"kind": "invoice", "date": TODAY, "total": Decimal(5000), "balance": Decimal(5000), "due_date": None}
        for other in ({"state": "draft"}, {"state": "void"}, {"state": "open", "gone_at": moment(TODAY)},
                      {"state": "open", "hold": True},
                      {"kind": "estimate", "template": True, "state": "sent"}):  # fmt: skip
            self._document(contact, **{**noise, **other})
        if contact == 1:
            self._document(None, **{**noise, "state": "open"})
        invoices = []
        for invoice in one.invoices:
            id_ = self._document(
                contact, kind="invoice", state="open", date=invoice.date, due_date=invoice.due_date,
                total=invoice.total, balance=invoice.balance, currency=HOME if invoice.home else "USD",
            )  # fmt: skip
            for at, line in enumerate(invoice.lines):
                self.add(SalesLine, document_id=id_, position=at, product_id=line.product_id, amount=line.amount,
                         cost=line.cost, optional=not line.taken or at % 2 == 1, chosen=line.taken)  # fmt: skip
            invoices.append(replace(invoice, id=id_))
        quotes = []
        for quote in one.quotes:
            id_ = self._document(
                contact, kind="estimate", state=quote.state, date=quote.date, expires_on=quote.expires_on,
                sent_at=moment(quote.sent_on), total=quote.total + 1, books_total=quote.total,
                currency="" if quote.home else "USD",
            )  # fmt: skip
            if quote.begun:
                self._document(None, kind="invoice", state="draft", quote_id=id_, total=Decimal(9))
            else:
                self._document(None, kind="invoice", state="void", quote_id=id_, total=Decimal(9))
            quotes.append(replace(quote, id=id_))
        return tuple(sorted(invoices, key=_order)), tuple(sorted(quotes, key=_order))

    def _document(self, contact: int | None, **values: Any) -> int:
        then = moment(TODAY)
        plain: dict[str, Any] = {
            "date": None, "due_date": None, "expires_on": None, "sent_at": None, "balance": None, "books_total": None,
            "currency": HOME, "hold": False, "template": False, "gone_at": None, "quote_id": None,
        }  # fmt: skip
        rows = self.of[table_of(SalesDocument)]
        rows.append({**plain, **values, "id": len(rows) + 1, "contact_id": contact, "created_at": then,
                     "updated_at": then})  # fmt: skip
        return len(rows)


def _order(document: Invoice | Quote) -> Any:
    return document.id
