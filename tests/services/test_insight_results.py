"""Results worked out beforehand are those a page would have asked live, say as of when, and leave with their reason."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.periods import Span, named
from crm.domain.segments import Group, Rule
from crm.models import Connection, InsightResult, MoneyFacts
from crm.queries import insight_customers, insight_places, insight_products, insight_stored
from crm.services import insight_results, segments
from crm.services.audit import Actor
from tests import insight_world as world
from tests.insight_world import NOW, TODAY


@pytest.fixture(autouse=True)
def _books(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    world.company()
    sold = world.product("Wall", "Repairs")
    for at in range(12):
        who = world.contact(f"P{at}", ("Wichita", "Omaha", "")[at % 3], ("KS", "NE", "")[at % 3], at=(37.5, -97.0))
        for days in (3, 100, 500):
            world.invoice(who, TODAY - timedelta(days=days + at), Decimal(at * 7 + days) / 3 // 1, lines=[
                (sold if at % 2 else None, "5.25", "2.10" if at % 4 else None)
            ])  # fmt: skip
    world.invoice(None, TODAY, "12.00")


def answers(span: Span) -> list[object]:
    found: list[object] = [
        insight_customers.largest(span, limit=5), insight_customers.number(span), insight_customers.newness(span),
        insight_products.by_product(span),
    ]  # fmt: skip
    found += [insight_places.by_place(span, level, located=True) for level in insight_places.LEVELS]
    db.session.rollback()
    return found


def test_what_is_kept_is_what_would_be_asked_live() -> None:
    spans = insight_results.usual_spans(NOW)
    live = [answers(span) for span in spans]
    db.session.rollback()
    assert insight_results.refresh(clock=clock.now, many=30) == len(spans) * 6
    assert [answers(span) for span in spans] == live
    assert insight_results.refresh(clock=clock.now, many=30) == len(spans) * 6  # twice leaves the same
    assert [answers(span) for span in spans] == live


def test_kept_results_are_read_and_say_as_of_when(client: FlaskClient, sign_in: object) -> None:
    sign_in("rep")  # type: ignore[operator]
    assert insight_stored.as_of(named("year", today=TODAY)) is None
    db.session.rollback()
    insight_results.refresh(clock=clock.now, many=30)
    world.invoice(world.contact("Late"), TODAY, "99999.00")
    page = client.get("/insight?period=year").text
    assert "sums by customer, service and place as of" in page and "Late" not in page
    assert "Late" in client.get("/insight?period=month").text  # a month is asked live
    assert "sums by customer" not in client.get("/insight?period=month").text


def test_what_segments_come_to_is_kept_where_they_have_many_members(client: FlaskClient, sign_in: object) -> None:
    sign_in("rep")  # type: ignore[operator]
    who, rules = world.contact("Member"), Group("all", (Rule("name", "one_of", ("Member",)),))
    with transaction() as session:
        books = session.scalar(select(Connection.id).order_by(Connection.id).limit(1))
        session.add(MoneyFacts(contact_id=who, connection_id=books, total_sales=Decimal(4321)))
        made = segments.create(session, name="Mine", rules=rules, actor=Actor(name="x"), now=NOW).id
    insight_results.refresh(clock=clock.now, many_members=1)
    with transaction() as session:
        session.execute(update(MoneyFacts).values(total_sales=Decimal(8765)))
    page = client.get("/segments").text
    assert "$4,321" in page and "Lifetime sales and balance as of" in page
    assert "8765" in client.get("/segments/export.csv").text and "$8,765" in client.get(f"/segments/{made}").text
    with transaction() as session:
        wider = Group("any", (*rules.parts, Rule("name", "one_of", ("Other",))))
        later = NOW + timedelta(minutes=1)
        segments.change(session, made, name="Mine", description="", rules=wider, lock=1,
                        actor=Actor(name="x"), now=later)  # fmt: skip
    assert "$8,765" in client.get("/segments").text and "balance as of" not in client.get("/segments").text
    insight_results.refresh(clock=clock.now, many_members=2)
    assert "segments" not in db.session.scalars(select(InsightResult.name)).all()


def test_few_invoices_are_asked_live_and_what_was_kept_leaves() -> None:
    assert insight_results.refresh(clock=clock.now, many=30) > 0
    assert insight_results.refresh(clock=clock.now, many=38) == 0
    assert db.session.scalars(select(InsightResult.name)).all() == []


def test_a_new_day_has_spans_of_its_own_and_forgets_the_old_ones() -> None:
    insight_results.refresh(clock=clock.now, many=30)
    insight_results.refresh(clock=lambda: NOW + timedelta(days=1), many=30)
    kept = set(db.session.scalars(select(InsightResult.span)))
    assert kept == {insight_stored.span_key(span) for span in insight_results.usual_spans(NOW + timedelta(days=1))}
