"""Quotes as people deal with them: written, sent, answered, revised, copied; told, and passed on to the books."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.sales import Line
from crm.domain.sales_content import Content, from_json
from crm.models import (
    Contact,
    Link,
    OutboxEntry,
    SalesDocument,
    SalesEvent,
    SalesSettings,
    SalesVersion,
    TimelineEntry,
)
from crm.services import quote_drafts, quotes, sales_documents
from crm.services.audit import Actor
from tests.engine_rows import add, company, contact
from tests.factories import UserFactory

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
TODAY, KIM = date(2026, 11, 21), Actor("kim@example.com", shown_as="Kim")
LINES = (
    Line(kind="section", key="a", description="Wall"),
    Line(key="b", name="Strap", quantity=Decimal(3), unit_price=Decimal("33.335")),
)


def wall(contact_id: int | None = None, **values: Any) -> Content:
    """A quote of 100.01."""
    given = {"contact_id": contact_id, "title": "North wall", "date": TODAY, "expires_on": TODAY + timedelta(days=30)}
    return Content(**given | {"lines": LINES} | values)


def made(contact_id: int | None = None, **values: Any) -> SalesDocument:
    contact_id = contact_id or contact()
    with transaction():
        return quote_drafts.create(wall(contact_id, **values), actor=KIM, now=NOW)


def does(deed: str, quote: SalesDocument, *, now: datetime = NOW, **more: Any) -> SalesDocument:
    lock = fresh(quote).lock
    with transaction():
        document: SalesDocument = getattr(quotes, deed)(quote.id, lock=lock, actor=KIM, now=now, **more)
    return document


def fresh(quote: SalesDocument) -> SalesDocument:
    return sales_documents.find(quote.id)


def waiting() -> list[tuple[str, str, int]]:
    return [(one.kind, one.operation, one.local_id) for one in db.session.scalars(
        select(OutboxEntry).where(OutboxEntry.state == "pending").order_by(OutboxEntry.id))]  # fmt: skip


def told(quote: SalesDocument) -> list[str]:
    query = select(SalesEvent.text).where(SalesEvent.document_id == quote.id).order_by(SalesEvent.id)
    return list(db.session.scalars(query))


def linked(quote: SalesDocument, connection_id: int) -> None:
    add(Link(connection_id=connection_id, kind="estimate", local_id=quote.id, remote_id="9", linked_at=NOW,
             synced_at=NOW))  # fmt: skip
    db.session.execute(delete(OutboxEntry))
    db.session.commit()


def test_a_draft_stays_here_and_sending_it_makes_a_lead_a_customer_of_the_books_first(app: Flask) -> None:
    company()
    lead = contact(type="lead")
    quote = made(lead)
    assert waiting() == [] and fresh(quote).state == "draft"
    does("send", quote)
    assert waiting() == [("customer", "create", lead), ("estimate", "create", quote.id)]
    assert (fresh(quote).state, fresh(quote).sent_at) == ("sent", NOW)
    summaries = list(db.session.scalars(select(TimelineEntry.summary).order_by(TimelineEntry.id)))
    assert [one for one in summaries if one.startswith("Quote")] == [
        "Quote: made", "Quote: link for the customer made", "Quote: sent"
    ]  # fmt: skip


def test_a_contact_written_down_in_the_form_is_made_along_with_the_quote_or_not_at_all(app: Flask) -> None:
    new = Draft({"display_name": "Ada Byron"}, (Entry("email", "ada@example.com"),))
    with pytest.raises(Invalid), transaction():
        quote_drafts.create(wall(lines=()), actor=KIM, now=NOW, new_contact=new)
    assert db.session.scalar(select(Contact.id)) is None
    with transaction():
        quote = quote_drafts.create(wall(), actor=KIM, now=NOW, new_contact=new)
    kept = db.session.get_one(Contact, quote.contact_id)
    assert (kept.display_name, kept.type, kept.email) == ("Ada Byron", "lead", "ada@example.com")


def test_everything_wrong_is_told_at_once(app: Flask) -> None:
    with pytest.raises(Invalid) as caught, transaction():
        content = wall(expires_on=TODAY - timedelta(days=1), lines=(Line(key="a", name="Strap"),))
        quote_drafts.create(content, actor=KIM, now=NOW)
    assert set(caught.value.fields) == {"contact_id", "expires_on", "lines-1-unit_price"}


def test_two_people_never_overwrite_each_other(app: Flask) -> None:
    quote = made()
    seen = quote.lock
    with transaction():
        quote_drafts.change(quote.id, wall(quote.contact_id, title="Mine"), lock=seen, actor=KIM, now=NOW)
    with pytest.raises(Changed), transaction():
        quote_drafts.change(quote.id, wall(quote.contact_id, title="Theirs"), lock=seen, actor=KIM, now=NOW)
    assert fresh(quote).title == "Mine"
    assert told(quote)[-1] == "changed: title"


def test_what_the_customer_was_shown_is_changed_by_a_new_version_only(app: Flask) -> None:
    quote = does("send", made())
    content = sales_documents.content_of(fresh(quote))
    with pytest.raises(Refused, match="Revise it"), transaction():
        quote_drafts.change(quote.id, replace(content, title="Other"), lock=quote.lock, actor=KIM, now=NOW)
    later = replace(content, internal_note="thin margin", expires_on=TODAY + timedelta(days=60))
    with transaction():
        quote_drafts.change(quote.id, later, lock=fresh(quote).lock, actor=KIM, now=NOW)
    assert (fresh(quote).internal_note, fresh(quote).expires_on) == ("thin margin", TODAY + timedelta(days=60))


def test_revising_keeps_the_version_that_was_shown_and_waits_until_it_is_sent_again(app: Flask) -> None:
    connection = company()
    quote = does("send", made())
    linked(quote, connection)
    does("accept", quote, by="Ada")
    assert waiting() == [("customer", "create", quote.contact_id), ("estimate", "update", quote.id)] or waiting() == [
        ("estimate", "update", quote.id)
    ]
    linked_before = len(waiting())
    does("revise", quote)
    assert (fresh(quote).state, fresh(quote).revision, fresh(quote).accepted_by) == ("draft", 2, "")
    content = sales_documents.content_of(fresh(quote))
    dearer = replace(content, lines=(*content.lines, Line(key="n", name="Paint", unit_price=Decimal(9))))
    with transaction():
        quote_drafts.change(quote.id, dearer, lock=fresh(quote).lock, actor=KIM, now=NOW)
    assert len(waiting()) == linked_before, "a draft goes nowhere"
    assert fresh(quote).edited_at == NOW, "so that what comes from the books does not take its place"
    kept = db.session.scalars(select(SalesVersion)).one()
    assert (kept.revision, len(from_json(kept.content).lines), kept.content["totals"]["total"]) == (1, 2, "100.01")
    does("send", quote)
    assert waiting()[-1][:2] == ("estimate", "update")
    fields = db.session.scalars(select(OutboxEntry.fields).order_by(OutboxEntry.id.desc())).first()
    assert fields is not None and {"lines", "status", "customer_memo"} <= set(fields)
    assert told(quote)[-1] == "sent, version 2"


def test_an_answer_told_by_word_of_mouth_is_kept_with_its_name_and_goes_to_the_books(app: Flask) -> None:
    connection = company()
    quote = does("send", made())
    linked(quote, connection)
    with pytest.raises(Invalid), transaction():
        quotes.accept(quote.id, lock=fresh(quote).lock, by="  ", actor=KIM, now=NOW)
    does("accept", quote, by=" Ada  Byron ")
    kept = fresh(quote)
    assert (kept.state, kept.accepted_by, kept.decided_at) == ("accepted", "Ada Byron", NOW)
    fields = db.session.scalars(select(OutboxEntry.fields).where(OutboxEntry.kind == "estimate")).one()
    assert set(fields) == {"status", "accepted_by", "accepted_on"}
    does("reopen", quote)
    assert (fresh(quote).state, fresh(quote).accepted_by, fresh(quote).decided_at) == ("sent", "", None)
    does("decline", quote, why="too dear")
    assert (fresh(quote).state, fresh(quote).declined_why) == ("declined", "too dear")


def test_the_customer_needs_no_lock_and_may_not_answer_what_has_expired(app: Flask) -> None:
    quote = does("send", made())
    ada = Actor("Ada", source="customer")
    late = NOW + timedelta(days=40)
    assert quotes.state_of(fresh(quote), late) == "expired" and fresh(quote).state == "sent"
    with pytest.raises(Refused, match="expired"), transaction():
        quotes.accept(quote.id, lock=None, by="Ada", who="customer", actor=ada, now=late)
    with transaction():
        quotes.accept(quote.id, lock=None, by="Ada", who="customer", actor=ada, now=NOW)
    with transaction():
        quotes.accept(quote.id, lock=None, by="Ada", who="customer", actor=ada, now=NOW)
    assert told(quote)[-2:] == ["sent", "accepted by Ada"], "pressed twice, accepted once"


def test_what_cannot_be_is_refused_with_the_way_out(app: Flask) -> None:
    quote = does("cancel", made())
    with pytest.raises(Refused, match="Reopen"), transaction():
        quotes.send(quote.id, lock=fresh(quote).lock, actor=KIM, now=NOW)
    does("reopen", quote)
    assert fresh(quote).state == "draft"
    with pytest.raises(NotFound), transaction():
        quotes.send(quote.id + 999, lock=1, actor=KIM, now=NOW)


def test_a_copy_is_a_draft_of_its_own_from_today_on(app: Flask) -> None:
    quote = does("send", made(expires_on=TODAY + timedelta(days=3)))
    later = NOW + timedelta(days=90)
    with transaction():
        copy = quote_drafts.duplicate(quote.id, actor=KIM, now=later)
    assert (copy.state, copy.date, copy.total) == ("draft", later.date(), quote.total)
    assert copy.expires_on == later.date() + timedelta(days=30)
    assert {line.id for line in copy.lines}.isdisjoint(line.id for line in fresh(quote).lines)
    assert told(copy) == ["made", "made from North wall"]


def test_a_template_is_of_nobody_and_begins_new_quotes(app: Flask) -> None:
    quote = made(email="ada@example.com", customer_memo="Thank you")
    with transaction():
        template = quote_drafts.save_as_template(quote.id, " Wall, usual ", actor=KIM, now=NOW)
    assert (template.template, template.title, template.contact_id, template.email) == (True, "Wall, usual", None, "")
    content = quote_drafts.from_template(template.id, contact_id=quote.contact_id, actor=KIM, now=NOW)
    assert (content.customer_memo, content.contact_id, content.date, len(content.lines)) == (
        "Thank you", quote.contact_id, TODAY, 2
    )  # fmt: skip
    with pytest.raises(Refused, match="template"), transaction():
        quotes.send(template.id, lock=template.lock, actor=KIM, now=NOW)
    with pytest.raises(NotFound):
        quote_drafts.from_template(quote.id, contact_id=None, actor=KIM, now=NOW)
    with transaction():
        quote_drafts.delete_template(template.id, actor=KIM, now=NOW)
    assert fresh(template).gone_at == NOW


def test_numbers_of_ours_count_on_and_pass_over_those_that_stand(app: Flask) -> None:
    connection = company(preferences={"own_document_numbers": True})
    answers = {"numbers": "ours", "quote_prefix": "Q-", "quote_next": "0042"}
    add(SalesSettings(connection_id=connection, version=1, answers=answers, changed_at=NOW))
    first = made()
    assert first.number == "Q-0042"
    assert made(number="Q-0044").number == "Q-0044", "what a person types counts"
    assert made().number == "Q-0045"
    assert made().number == "Q-0046"


def test_where_quickbooks_counts_no_number_is_given_here(app: Flask) -> None:
    company(preferences={"own_document_numbers": False})
    assert does("send", made()).number == ""


def test_many_are_withdrawn_at_once_and_those_that_cannot_be_are_left_alone(app: Flask) -> None:
    one, two, three = made(), does("send", made()), made()
    with transaction() as session:
        session.get_one(SalesDocument, three.id).state = "invoiced"
    with transaction():
        assert quotes.cancel_many([one.id, two.id, three.id], actor=KIM, now=NOW) == (2, 1)
    assert [fresh(quote).state for quote in (one, two, three)] == ["cancelled", "cancelled", "invoiced"]


def test_many_change_hands_at_once(app: Flask) -> None:
    one, two = made(), made()
    with transaction():
        dana = UserFactory.create(name="Dana")
    with transaction():
        assert quotes.assign([one.id, two.id], dana.id, actor=KIM, now=NOW) == 2
    assert fresh(two).owner_id == dana.id and told(two)[-1] == "now belongs to Dana"
    with transaction():
        assert quotes.assign([one.id, two.id], dana.id, actor=KIM, now=NOW) == 0
    with pytest.raises(Invalid), transaction():
        quotes.assign([one.id], dana.id + 99, actor=KIM, now=NOW)


@pytest.mark.parametrize(
    ("stage", "state"),
    [("sent", "sent"), ("accepted", "accepted"), ("declined", "declined"), ("cancelled", "cancelled")],
)
def test_a_card_moved_on_the_board_does_what_its_column_says(app: Flask, stage: str, state: str) -> None:
    assert does("to_stage", made(), stage=stage).state == state


def test_a_card_is_not_moved_where_no_deed_leads(app: Flask) -> None:
    with pytest.raises(Refused, match="by hand"):
        does("to_stage", made(), stage="invoiced")
