"""A whole import from a served company: figures equal the books to the cent, and a second time nothing moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain.records import Ref
from crm.models import (
    Connection,
    Contact,
    Customer,
    Document,
    IdentityKey,
    Link,
    Match,
    MoneyFacts,
    Payment,
    SyncLogEntry,
    SyncRun,
    TimelineEntry,
)
from crm.providers.accounting import registry
from crm.providers.accounting.base import Page
from crm.providers.accounting.quickbooks import provider
from crm.queries import api as api_queries
from crm.services import identity_keys
from sandbox import Served, serving
from tests.flows.imports import everything, own_list, run_import
from tests.quickbooks import connect, quickbooks  # noqa: F401

SIZE, SEED = 140, 7


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    with serving(size=SIZE, seed=SEED, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return connect(quickbooks, country="US", currency="USD", time_zone="America/Los_Angeles")


def test_every_figure_equals_the_books_to_the_cent(connection: Connection, sandbox: Served) -> None:
    run = run_import(connection.id)
    assert run.state == "done", run.error
    customers = {body["Id"]: body for body in everything(sandbox, "Customer")}

    def root(id_: str) -> str:
        while (parent := customers[id_].get("ParentRef")) is not None:
            id_ = parent["value"]
        return id_

    sales: dict[str, Decimal] = defaultdict(Decimal)
    unpaid: dict[str, Decimal] = defaultdict(Decimal)
    credit: dict[str, Decimal] = defaultdict(Decimal)
    for body in everything(sandbox, "Invoice"):
        sales[root(body["CustomerRef"]["value"])] += Decimal(body["TotalAmt"])
        unpaid[root(body["CustomerRef"]["value"])] += Decimal(body["Balance"])
    for body in everything(sandbox, "CreditMemo"):
        sales[root(body["CustomerRef"]["value"])] -= Decimal(body["TotalAmt"])
        credit[root(body["CustomerRef"]["value"])] += Decimal(body.get("RemainingCredit", body.get("Balance", 0)))
    for body in everything(sandbox, "Payment"):
        credit[root(body["CustomerRef"]["value"])] += Decimal(body.get("UnappliedAmt", 0))

    rows = db.session.execute(
        select(Link.remote_id, MoneyFacts).join(
            MoneyFacts, (Link.kind == "customer") & (MoneyFacts.contact_id == Link.local_id)
        )
    ).all()
    assert len(rows) > SIZE / 2
    for remote_id, facts in rows:
        assert facts.balance == Decimal(customers[remote_id]["Balance"])
        assert facts.balance_with_jobs == Decimal(customers[remote_id]["BalanceWithJobs"])
        assert facts.total_sales == sales[remote_id]
        aged = facts.aging_current + facts.overdue
        assert aged == unpaid[remote_id]
        assert facts.unapplied_credit == credit[remote_id]
        assert aged - facts.unapplied_credit == facts.balance_with_jobs
        assert facts.documents_as_of == _began(run, "invoice")
    assert sum(facts.overdue for _, facts in rows) > 0
    assert any(facts.days_to_pay is not None for _, facts in rows)


def test_figures_are_as_of_the_last_complete_read_of_documents(connection: Connection, sandbox: Served) -> None:
    run_import(connection.id, ["customers", "invoices"])
    assert set(db.session.scalars(select(MoneyFacts.documents_as_of))) == {None}, "payments were never read"
    first = run_import(connection.id, ["payments", "credit_memos"])
    second = run_import(connection.id, ["invoices"])
    third = run_import(connection.id, ["customers"])
    assert _began(second, "invoice") > _began(first, "payment")
    moments = set(db.session.scalars(select(MoneyFacts.documents_as_of)))
    assert moments == {_began(first, "payment")}, "also for contacts without a document"
    assert third.state == "done"


def _began(run: SyncRun, kind: str) -> datetime:
    return datetime.fromisoformat(run.progress[kind]["started_at"])


def test_a_second_import_finds_all_unchanged_and_writes_nothing_new(connection: Connection, sandbox: Served) -> None:
    own_list(SIZE, SEED)
    first = run_import(connection.id)
    before, contacts = _sizes(), _contacts()
    second = run_import(connection.id)
    assert second.state == "done"
    assert _sizes() == before
    assert _contacts() == contacts, "not even touched: a program that asks what changed gets nothing"
    assert second.counts["unchanged"] == SIZE == first.counts["customers_new"]
    news = ("created", "linked", "enriched", "review", "filled", "ignored", "customers_changed", "invoice_changed")
    assert {name: second.counts[name] for name in news if second.counts.get(name)} == {}


def test_a_change_in_the_books_moves_one_contact_only(connection: Connection, sandbox: Served) -> None:
    run_import(connection.id)
    parents = select(Customer.parent_remote_id).where(Customer.parent_remote_id.is_not(None))  # jobs bear their names
    alone = (Customer.match_state == "linked", Customer.active, Customer.remote_id.not_in(parents))
    customer = db.session.scalars(select(Customer).where(*alone).order_by(Customer.id)).first()
    assert customer is not None
    contact = db.session.get_one(Contact, customer.contact_id)
    name, moment = contact.display_name, clock.now()
    _change_there(sandbox, customer.remote_id, WebAddr={"URI": "https://renewed.example"}, DisplayName=f"{name} II")
    run = run_import(connection.id)
    assert (run.counts["customers_changed"], run.counts["unchanged"]) == (1, SIZE - 1)
    assert [row.contact.id for row in api_queries.contacts(after=0, limit=200, updated_since=moment)] == [contact.id]
    after = db.session.get_one(Contact, contact.id)
    assert after.display_name == f"{name} II"
    assert after.website == "https://renewed.example"
    assert db.session.get_one(Customer, customer.id).display_name == f"{name} II"


def test_jobs_stand_under_their_parents_contact_and_are_no_strangers(connection: Connection, sandbox: Served) -> None:
    run = run_import(connection.id)
    jobs = db.session.scalars(select(Customer).where(Customer.parent_remote_id.is_not(None))).all()
    assert len(jobs) == run.counts["jobs"] > 5
    tops = {c.remote_id: c for c in db.session.scalars(select(Customer).where(Customer.parent_remote_id.is_(None)))}
    for job in jobs:
        assert job.match_state == "job"
        assert job.contact_id == tops[job.root_remote_id].contact_id
    links_of_jobs = (
        select(func.count())
        .select_from(Link)
        .where(Link.kind == "customer", Link.remote_id.in_([job.remote_id for job in jobs]))
    )
    assert db.session.scalar(links_of_jobs) == 0


def test_matching_finds_the_firms_own_contacts_and_never_links_two_different_people(
    connection: Connection, sandbox: Served
) -> None:
    truth = own_list(SIZE, SEED)
    run = run_import(connection.id)
    links = db.session.execute(
        select(Link.local_id, Link.remote_id).where(Link.kind == "customer", Link.local_id.in_(truth))
    ).all()
    wrong = [
        (contact, remote_id, truth[contact])
        for contact, remote_id in links
        if remote_id not in (truth[contact].customer_id, *truth[contact].also)
    ]
    assert not wrong
    assert len(links) == run.counts["linked"] > SIZE / 3


def test_every_decision_keeps_its_evidence(connection: Connection, sandbox: Served) -> None:
    own_list(SIZE, SEED)
    run_import(connection.id)
    matches = db.session.scalars(select(Match)).all()
    assert {match.state for match in matches} == {"linked", "proposed"}
    for match in matches:
        assert match.evidence and all(reason["text"] for reason in match.evidence)
        assert match.decided_by and match.rule
    linked = db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all()
    assert set(linked) == {match.contact_id for match in matches if match.state == "linked"}
    told = db.session.scalars(
        select(TimelineEntry.contact_id).where(TimelineEntry.verb.in_(("linked", "created")))
    ).all()
    assert sorted(told) == sorted(linked)


def test_doubtful_ones_wait_and_create_nothing(connection: Connection, sandbox: Served) -> None:
    own_list(SIZE, SEED)
    run = run_import(connection.id)
    waiting = db.session.scalars(select(Customer).where(Customer.match_state == "review")).all()
    assert len(waiting) == run.counts["review"] > 0
    for customer in waiting:
        assert customer.contact_id is None
        proposed = db.session.scalars(select(Match).where(Match.customer_id == customer.id)).all()
        assert 1 <= len(proposed) <= 5
        for match in proposed:
            assert db.session.get_one(Contact, match.contact_id).link_state in ("review", "linked", "inactive")


def test_calls_stay_within_a_page_per_thousand_and_three(connection: Connection, sandbox: Served) -> None:
    sandbox.sandbox.counters.reset()
    run = run_import(connection.id, ["customers"])
    assert run.counts["calls"] <= 1 + 3
    assert run.state == "done"


def test_references_without_names_and_full_pages_stay_within_the_calls_too(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst case: the last page comes full, pages overlap, and two lists must be read."""
    monkeypatch.setattr(provider, "PAGE_SIZE", SIZE // 4)
    sizes: list[int | None] = []

    class Nameless(provider.QuickBooks):
        def scan(self, kind: str, cursor: str | None = None) -> Page:
            page = super().scan(kind, cursor)
            sizes.append(db.session.scalars(select(SyncRun.progress)).one().get("customer", {}).get("total"))
            db.session.remove()
            if kind != "customer":
                return page
            bare = {"terms": Ref("1", ""), "customer_type": Ref("1", "")}
            return replace(page, records=tuple(replace(record, **bare) for record in page.records))  # type: ignore

    with transaction() as session:
        session.get_one(Connection, connection.id).customers_there = SIZE
    monkeypatch.setitem(registry.PROVIDERS, "quickbooks", replace(registry.PROVIDERS["quickbooks"], books=Nameless))
    run = run_import(connection.id, ["customers"])
    assert run.state == "done", run.error
    assert run.counts["calls"] == 4 + 3
    assert run.counts["customers_new"] == SIZE
    assert sizes[2:] and set(sizes[3:]) == {SIZE}, "the bar knows its end from the first page on"
    assert run.progress["customer"]["total"] == SIZE


def test_identity_keys_are_those_of_the_contacts(connection: Connection, sandbox: Served) -> None:
    own_list(SIZE, SEED)
    run_import(connection.id)
    ids = db.session.scalars(select(Contact.id)).all()
    before = _keys()
    with transaction() as session:
        identity_keys.refresh_contacts(session, ids)
    assert _keys() == before


def test_documents_and_payments_stand_at_their_contact(connection: Connection, sandbox: Served) -> None:
    run_import(connection.id)
    owner = {c.remote_id: c.contact_id for c in db.session.scalars(select(Customer))}
    for model in (Document, Payment):
        rows = db.session.scalars(select(model)).all()
        assert rows
        assert [row.contact_id for row in rows] == [owner[row.customer_remote_id] for row in rows]


def test_inactive_customers_are_marked_and_never_removed(connection: Connection, sandbox: Served) -> None:
    run = run_import(connection.id)
    inactive = db.session.scalars(
        select(Customer).where(Customer.active.is_(False), Customer.parent_remote_id.is_(None))
    ).all()
    assert inactive
    for customer in inactive:
        if customer.match_state == "linked":
            assert db.session.get_one(Contact, customer.contact_id).link_state == "inactive"
        else:
            assert customer.match_state in ("ignored", "review")
    told = db.session.scalar(
        select(func.count()).select_from(SyncLogEntry).where(SyncLogEntry.event == "customer_ignored")
    )
    assert told == run.counts.get("ignored", 0)


def _sizes() -> dict[str, int]:
    models = (Contact, Customer, Link, Match, Document, Payment, MoneyFacts, IdentityKey, TimelineEntry)
    return {m.__name__: db.session.scalar(select(func.count()).select_from(m)) or 0 for m in models}


def _contacts() -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.session.execute(
        select(Contact.id, Contact.version, Contact.search_text, Contact.updated_at).order_by(Contact.id)
    )]  # fmt: skip


def _keys() -> set[tuple[int, str]]:
    query = select(IdentityKey.owner_id, IdentityKey.key).where(IdentityKey.owner_kind == "contact")
    return {(row.owner_id, row.key) for row in db.session.execute(query)}


def _change_there(served: Served, remote_id: str, **fields: object) -> None:
    """A sparse update, as somebody working in QuickBooks would make it."""
    import requests

    tokens = served.connect()
    headers = {"Authorization": f"Bearer {tokens.access}", "Accept": "application/json"}
    address = f"{served.url}/v3/company/{served.realm}/customer"
    body = requests.get(f"{address}/{remote_id}", headers=headers, timeout=10).json()["Customer"]
    sent = {"Id": remote_id, "SyncToken": body["SyncToken"], "sparse": True, **fields}
    requests.post(address, json=sent, headers=headers, timeout=10).raise_for_status()
