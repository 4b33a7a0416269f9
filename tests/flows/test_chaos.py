"""Chaos' own judgement: its checks find what they are there for, and its server is one of its own or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from crm import clock
from crm.db import transaction
from crm.models import Connection, OutboxEntry
from crm.services import sync
from sandbox import Served, serving
from tests.flows.sending import ask, edit, linked_contact, new_contacts, writable
from tests.images import after_import
from tests.quickbooks import quickbooks  # noqa: F401
from tools.chaos import doubles, limits, postgres, verdict, waits
from tools.chaos.edits import People
from tools.chaos.verdict import Case
from tools.chaos.world import World


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=40, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    made = writable(quickbooks)
    after_import(made.id, quickbooks)
    return made


@pytest.fixture
def case(quickbooks: Served, connection: Connection, tmp_path: Path) -> Case:  # noqa: F811
    world = World(tmp_path, cast(Any, None), 40, 1, company_url=quickbooks.url)
    return verdict.opened(world, connection.id, People(world, connection.id, cast(Any, None)))


def created(connection: Connection, *names: str) -> list[int]:
    ids = new_contacts(*names)
    ask(connection.id, ids)
    sync.send(connection.id, clock=clock.now)
    return ids


def test_what_the_outbox_sent_is_known_by_its_key(case: Case, connection: Connection):
    case.people.created_here += [(id_, "Ada Stone") for id_ in created(connection, "Ada Stone")]
    assert [one["entity"] for one in case.world.ask("GET", "/writes")] == ["Customer"]
    assert list(doubles.unknown_writes(case)) == []
    assert list(doubles.unasked(case)) == []


def test_a_write_that_was_sent_again_under_another_key_is_found(case: Case, connection: Connection):
    created(connection, "Ada Stone")
    with transaction() as session:
        session.query(OutboxEntry).update({"request_key": "another"})
    [sentence] = doubles.unknown_writes(case)
    assert "sent again under another key" in sentence


def test_a_customer_nobody_asked_for_is_found(case: Case, connection: Connection):
    created(connection, "Ada Stone")  # and nobody wrote down that it was asked for
    assert any("Ada Stone" in sentence and "nobody asked" in sentence for sentence in doubles.unasked(case))


def test_an_edit_that_never_left_is_found_with_its_history(case: Case, connection: Connection):
    contact_id, _ = linked_contact(connection.id)
    edit(contact_id, {"company_name": "Left Behind"})
    with transaction() as session:
        session.query(OutboxEntry).delete()
    found = [sentence for sentence in verdict.unequal(case) if sentence.startswith(f"contact {contact_id}: company")]
    assert len(found) == 1 and "Left Behind" in found[0]


def test_calls_beyond_the_limits_are_found(case: Case, quickbooks: Served, connection: Connection):  # noqa: F811
    assert list(limits.passed(case)) == []
    requests.post(f"{quickbooks.url}/_sandbox/throttle", json={"per_minute": 1}, timeout=10)
    url = f"{quickbooks.url}/v3/company/{connection.realm_id}/companyinfo/{connection.realm_id}"
    head = {"Authorization": f"Bearer {connection.access_token}"}
    for _ in range(3):
        requests.get(url, headers=head, timeout=10)
    assert any("limits were passed" in sentence for sentence in limits.passed(case))


def test_two_refreshes_for_one_token_are_found(case: Case):
    started = time.time()
    moments = [started + 1, started + 3]
    asked = SimpleNamespace(ask=lambda *_: moments, did=case.world.did, renewals=[started])
    twice = Case(cast(Any, asked), case.connection_id, case.people, set(), set(), case.grant_before, case.began)
    [sentence] = limits.refreshed_too_often(twice)
    assert "two refreshes within 2.0 s" in sentence
    asked.renewals.append(started + 2)  # whoever renewed it first was killed
    assert list(limits.refreshed_too_often(twice)) == []


def test_what_waits_is_told_with_its_reason(connection: Connection):
    [contact_id] = new_contacts("Ada Stone")
    ask(connection.id, [contact_id])
    rows = waits.waiting(connection.id, clock.now())
    assert [row for row in rows if row.startswith("entry") and f"create of customer {contact_id}" in row]
    with transaction() as session:
        session.get_one(Connection, connection.id).read_only = True
    assert "the connection is read-only" in waits.told(connection.id, rows)


def test_without_postgresqls_own_programs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres.os, "access", lambda *_: False)
    with pytest.raises(postgres.CannotMake, match=r"neither on the PATH nor in .*Install PostgreSQL"):
        postgres.programs()
