"""What quotes and invoices have in common: what is typed is kept whole, and computed by the one calculation."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain import sales_content
from crm.domain.errors import Changed, Invalid
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import Contact, OutboxEntry, SalesDocument, TimelineEntry
from crm.services import sales_documents
from crm.services.audit import Actor
from tests.factories import ContactFactory

KIM, NOW = Actor("kim@example.com"), clock.now()
WALL = Content(
    title="North wall", date=date(2026, 11, 20), expires_on=date(2026, 12, 20), discount_kind="percent",
    discount_value=Decimal("10"), deposit_kind="amount", deposit_value=Decimal("50"), customer_memo="Thank you",
    billing_address={"line1": "1 Main St", "city": "Atlanta"},
    lines=(
        Line(kind="section", key="a", description="Wall"),
        Line(key="b", name="Carbon strap", description="each", quantity=Decimal("3"), unit_price=Decimal("33.335")),
        Line(kind="group", key="c", name="Crack kit"),
        Line(key="d", name="Resin", quantity=Decimal("2"), unit_price=Decimal("10"), within="c"),
        Line(key="e", name="Paint", unit_price=Decimal("99"), optional=True),
    ),
)  # fmt: skip


def contact() -> Contact:
    with transaction():
        return ContactFactory.create(display_name="Ada Byron")


def make(content: Content) -> SalesDocument:
    with transaction():
        document = sales_documents.new("estimate", content, state="draft", actor=KIM, now=NOW)
        sales_documents.tell(document, "created", "made", actor=KIM, now=NOW)
        return document


def test_what_was_typed_comes_back_as_it_was_and_the_figures_with_it(app: Flask) -> None:
    document = make(replace(WALL, contact_id=contact().id))
    db.session.expire_all()
    kept = sales_documents.content_of(sales_documents.find(document.id))
    assert sales_documents.changed_fields(replace(WALL, contact_id=document.contact_id), kept) == {}
    assert [line.name for line in kept.lines if line.within] == ["Resin"]
    assert (document.subtotal, document.discount, document.total) == (
        Decimal("120.01"),
        Decimal("12.00"),
        Decimal("108.01"),
    )
    assert (document.deposit, document.balance) == (Decimal("50.00"), None)
    assert [line.amount for line in document.lines][1:] == [
        Decimal("100.01"),
        Decimal("20.00"),
        Decimal("20.00"),
        Decimal("99.00"),
    ]
    assert db.session.scalar(select(TimelineEntry.summary)) == "Quote: made"


def test_rows_of_lines_stay_the_same_when_others_move_or_go(app: Flask) -> None:
    document = make(replace(WALL, contact_id=contact().id))
    ids = {line.name: line.id for line in document.lines}
    kept = sales_documents.content_of(document)
    with transaction():
        found = sales_documents.at_lock(document.id, document.lock, kind="estimate")
        sales_documents.write(found, replace(kept, lines=(kept.lines[4], *kept.lines[1:4])), now=NOW)
    db.session.expire_all()
    lines = sales_documents.find(document.id).lines
    assert [(line.name, line.id) for line in lines] == [
        (name, ids[name]) for name in ("Paint", "Carbon strap", "Crack kit", "Resin")
    ]
    assert [line.within for line in lines] == [None, None, None, 2]


def test_two_people_at_once_lose_nothing(app: Flask) -> None:
    document = make(replace(WALL, contact_id=contact().id))
    seen = document.lock
    with transaction():
        sales_documents.write(sales_documents.at_lock(document.id, seen, kind="estimate"), WALL, now=NOW)
    with pytest.raises(Changed, match="Somebody changed this quote"), transaction():
        sales_documents.at_lock(document.id, seen, kind="estimate")


def test_an_archived_contact_gets_no_quote(app: Flask) -> None:
    ada = contact()
    with transaction():
        db.session.get_one(Contact, ada.id).archived_at = NOW
    with pytest.raises(Invalid, match="Ada Byron is archived"):
        make(replace(WALL, contact_id=ada.id))


def test_before_a_company_is_connected_nothing_waits_to_go_out(app: Flask) -> None:
    document = make(replace(WALL, contact_id=contact().id))
    with transaction():
        document.state = "sent"
        sales_documents.to_books(document, ["lines"], actor=KIM, now=NOW)
    assert db.session.scalars(select(OutboxEntry)).all() == []


def test_content_survives_json_and_a_copy_has_fresh_keys(app: Flask) -> None:
    kept = sales_content.from_json(sales_content.to_json(WALL))
    assert kept == WALL
    copy = sales_content.renumbered(WALL)
    assert [line.key for line in copy.lines] == ["1", "2", "3", "4", "5"]
    assert copy.lines[3].within == "3"
