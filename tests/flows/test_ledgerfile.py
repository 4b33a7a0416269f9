"""The house on other books: an import, a change and a proof over a folder of JSON files instead of QuickBooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, Document, Link, Proof, ProofLine
from crm.providers.accounting.ledgerfile import desk
from crm.services import grants, sync
from crm.services.audit import SYSTEM
from crm.services.sync.inbox import intake
from crm.services.sync.proof import mending as proof_mending
from crm.services.sync.proof import proof
from tests.flows.imports import run_import
from tests.flows.sending import ask, due_now, edit, linked_contact, new_contacts, only
from tests.providers.ledger_world import COMPANY, NAMES, LedgerWorld

KINDS = ["customer", "invoice", "payment", "credit_memo"]


@pytest.fixture
def world(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerWorld]:
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(
        before,
        quickbooks_api_url=tmp_path.as_uri(),
        quickbooks_client_id="a-client",
        quickbooks_client_secret="a-secret",
    )
    yield LedgerWorld(tmp_path, monkeypatch)
    app.extensions["settings"] = before


@pytest.fixture
def connection(world: LedgerWorld) -> int:
    consent = world.oauth().authorize()
    tokens = world.oauth().exchange(world.consent(consent)["code"], code_verifier=consent.code_verifier)
    with transaction() as session:
        row = Connection(
            provider="ledgerfile", realm_id=COMPANY, realm_fingerprint=grants.fingerprint(COMPANY), state="connected",
            connected_at=clock.now(), company_name="Aldgate", country="GB", currency="GBP", time_zone="Europe/London",
            access_token=tokens.access_token, refresh_token=tokens.refresh_token,
            access_expires_at=tokens.access_expires_at, refresh_expires_at=tokens.refresh_expires_at,
        )  # fmt: skip
        session.add(row)
    return row.id


def open_for_writing(connection_id: int) -> None:
    with transaction() as session:
        session.get_one(Connection, connection_id).read_only = False


def prove(connection_id: int) -> Proof:
    with transaction():
        proof_id = proof.start(connection_id, trigger="person", actor=SYSTEM, now=clock.now(), thorough=True).id
    for minutes in range(6):
        proof.run(proof_id, clock=lambda late=minutes: clock.now() + timedelta(minutes=late))
    db.session.remove()
    return db.session.get_one(Proof, proof_id)


def test_a_folder_is_imported_matched_linked_and_proved_like_any_books(connection: int) -> None:
    assert run_import(connection, KINDS).state == "done"
    assert db.session.scalar(select(func.count()).select_from(Customer)) == len(NAMES)
    linked = db.session.scalar(select(func.count()).select_from(Link).where(
        Link.state == "linked", Link.kind == "customer"))
    assert linked == len(NAMES) - 1  # one is a sub-customer
    assert db.session.scalars(select(Contact.display_name).where(Contact.display_name == "Joule's Law")).one()
    made = prove(connection)
    assert (made.state, made.error) == ("equal", "")
    balance = next(line for line in made.figures if line["name"] == "balance")
    assert (balance["currency"], Decimal(balance["ours"]) > 0) == ("GBP", True)


def test_what_is_changed_by_hand_is_found_by_the_proof_and_mended_by_reading_again(
    connection: int, world: LedgerWorld
) -> None:
    assert run_import(connection, KINDS).state == "done"
    papers = {id_: world.ledger.raw("invoice", id_) or {} for id_ in sorted(world.ids("invoice"))}
    one, paper = next((id_, paper) for id_, paper in papers.items() if paper["no"] == "A-5")
    desk.change(world.ledger, "invoice", one, sum=str(Decimal(paper["sum"]) + Decimal("0.01")))
    made = prove(connection)
    assert made.state == "different"
    lines = db.session.scalars(select(ProofLine).where(ProofLine.proof_id == made.id)).all()
    found = {(line.kind, line.remote_id, line.figure) for line in lines if line.kind == "invoice"}
    assert {key[:2] for key in found} == {("invoice", one)}
    with transaction():
        proof_mending.mend(made.id, actor=SYSTEM, now=clock.now())
    intake.take_in(connection, clock=clock.now)
    assert prove(connection).state == "equal"
    assert db.session.scalars(select(Document.total).where(Document.remote_id == one)).one() == Decimal(
        paper["sum"]
    ) + Decimal("0.01")


def test_an_edit_here_arrives_in_the_file_and_nothing_else_of_it_moves(connection: int, world: LedgerWorld) -> None:
    assert run_import(connection, KINDS).state == "done"
    open_for_writing(connection)
    contact_id, remote_id = linked_contact(connection)
    before = world.ledger.raw("customer", remote_id)
    edit(contact_id, {"given_name": "Zora"})
    assert sync.send(connection) == 1
    after = world.ledger.raw("customer", remote_id)
    assert before is not None and after is not None
    assert only().state == "done"
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {"person", "touched", "etag"}
    assert after["person"] == {**before["person"], "first": "Zora"}
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == contact_id)).one()
    assert link.version == after["etag"]


def test_a_contact_is_created_once_although_the_disk_failed_after_it_was_written(
    connection: int, world: LedgerWorld
) -> None:
    assert run_import(connection, KINDS).state == "done"
    open_for_writing(connection)
    (contact_id,) = new_contacts("Tycho Brahe")
    ask(connection, [contact_id])
    world.crash(lambda path: "answers" in str(path))
    assert sync.send(connection) == 1
    assert only().state == "frozen"
    due_now()
    sync.send(connection)
    entry = only()
    assert (entry.state, entry.attempts > 1) == ("done", True)
    assert len(world.ids("customer")) == len(NAMES) + 1
    paper = world.ledger.raw("customer", entry.remote_id)
    assert paper is not None and paper["label"] == "Tycho Brahe"


def test_a_name_that_is_taken_there_is_parked_with_who_bears_it(connection: int, world: LedgerWorld) -> None:
    assert run_import(connection, KINDS).state == "done"
    open_for_writing(connection)
    taken = desk.write(world.ledger, "customer", {"label": "Annie Cannon"})
    (contact_id,) = new_contacts("Annie Cannon")
    ask(connection, [contact_id])
    sync.send(connection)
    entry = only()
    assert (entry.state, entry.cause) == ("parked", "duplicate_name")
    assert taken in str(entry.evidence)
