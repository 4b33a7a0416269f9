"""Chaos' judgement of quotes and invoices: silent where all is well, and each check finds what it is there for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import delete, select, update

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Link, OutboxEntry, SalesDocument, SalesEvent, SalesLine
from crm.services import sync
from sandbox import Served, serving
from tests.flows.imports import run_import
from tests.flows.sending import due_now, writable
from tests.images import after_import
from tests.quickbooks import quickbooks  # noqa: F401
from tools.chaos import papers, papers_verdict, verdict, waits
from tools.chaos.edits import People
from tools.chaos.papers import Papers
from tools.chaos.verdict import Case
from tools.chaos.world import World

CHECKS = (papers_verdict.unequal, papers_verdict.figures, papers_verdict.strays, papers_verdict.twice,
          papers_verdict.lost, papers_verdict.mixed)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, companies=1, seed=3) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    made = writable(quickbooks)
    after_import(made.id, quickbooks)
    return made


@pytest.fixture
def case(quickbooks: Served, connection: Connection, tmp_path: Path) -> Case:  # noqa: F811
    world = World(tmp_path, cast(Any, None), 30, 1, company_url=quickbooks.url)
    return verdict.opened(world, connection.id, People(world, connection.id, random.Random(1)))


@pytest.fixture
def they(case: Case, connection: Connection) -> Papers:
    papers.documents(case.people)  # learns what is there already
    return Papers(case.people, random.Random(2), papers.stocked(connection.id))


def send(connection: Connection) -> None:
    for _ in range(3):
        due_now()
        sync.send(connection.id, clock=clock.now)


def said(check: Callable[[Case], Iterator[str]], case: Case) -> str:
    db.session.remove()
    return "\n".join(check(case))


def newest(kind: str) -> int:
    query = select(Link.local_id).where(Link.kind == kind).order_by(Link.id.desc()).limit(1)
    found = db.session.scalar(query)
    assert found is not None
    return found


def row(model: Any, where: Any, **values: Any) -> None:
    """As a defect of ours would leave it."""
    with transaction() as session:
        session.execute(update(model).where(where).values(**values))


@pytest.fixture
def billed(they: Papers, connection: Connection) -> int:
    """An invoice of ours that arrived."""
    they.bill_here()
    send(connection)
    return newest("invoice")


def test_a_day_without_trouble_gives_nothing_to_say(case: Case, they: Papers, connection: Connection):
    deeds = [they.quote_here, they.bill_here, they.quote_here, they.note_here, they.rewrite_here, they.answer_here,
             they.invoice_quote, they.note_there, they.rewrite_there, they.sell_there, they.pay_part_there]  # fmt: skip
    for deed in deeds:
        deed()
        send(connection)
    run_import(connection.id)
    for check in CHECKS:
        assert said(check, case) == ""
    assert len(case.people.writings) >= 5


def test_an_edit_that_was_never_sent_is_found(case: Case, billed: int):
    row(SalesDocument, SalesDocument.id == billed, private_note="Only here", edited_at=None)
    assert f"invoice {billed} " in said(papers_verdict.unequal, case)
    assert "private_note is 'Only here' here" in said(papers_verdict.unequal, case)


def test_a_figure_that_is_not_the_books_is_found(case: Case, billed: int):
    row(SalesDocument, SalesDocument.id == billed, balance=Decimal("0.01"))
    assert "balance is 0.01" in said(papers_verdict.figures, case)


def test_lines_of_two_writings_in_one_document_are_found(case: Case, they: Papers, billed: int):
    first = select(SalesLine.id).where(SalesLine.document_id == billed).order_by(SalesLine.position).limit(1)
    row(SalesLine, SalesLine.id == first.scalar_subquery(), description="Writing 999, line 1")
    assert "lines of several writings stand together here" in said(papers_verdict.mixed, case)


def test_a_writing_of_which_nothing_is_left_is_found(case: Case, they: Papers, connection: Connection, billed: int):
    they._annotate(billed, "customer_memo")
    assert said(papers_verdict.lost, case) == ""
    with transaction() as session:
        session.execute(delete(OutboxEntry).where(OutboxEntry.kind == "invoice", OutboxEntry.local_id == billed))
    row(SalesDocument, SalesDocument.id == billed, customer_memo="")
    assert "the customer_memo “Note" in said(papers_verdict.lost, case)
    assert db.session.scalar(select(SalesEvent.id).where(SalesEvent.event == "edited")) is not None


def test_an_invoice_that_never_arrived_is_found(case: Case, they: Papers):
    they.bill_here()
    with transaction() as session:
        session.execute(delete(OutboxEntry).where(OutboxEntry.kind == "invoice"))
    assert "never went to QuickBooks, and nothing waits" in said(papers_verdict.strays, case)


def test_what_waits_behind_a_parked_entry_is_at_rest(
    case: Case, they: Papers, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(papers, "FEW", 1)
    they.quote_here()
    they.invoice_quote()
    row(OutboxEntry, OutboxEntry.kind == "estimate", state="parked")
    [behind] = waits.behind_people()
    assert db.session.get_one(OutboxEntry, behind).kind == "invoice"
    assert said(papers_verdict.strays, case) == ""


def test_one_sent_again_under_another_key_is_found(
    case: Case, they: Papers, connection: Connection, quickbooks: Served,  # noqa: F811
):  # fmt: skip
    quickbooks.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    they.bill_here()
    due_now()
    sync.send(connection.id, clock=clock.now)
    row(OutboxEntry, OutboxEntry.kind == "invoice", state="pending", request_key="", batch_item="", body=None)
    send(connection)
    run_import(connection.id)
    assert "nobody there made, is tied to invoice" in said(papers_verdict.twice, case)
