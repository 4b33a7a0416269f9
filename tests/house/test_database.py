"""Column types and transactions: exact money, aware times, ciphertext, all or nothing; migrations equal the models."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import func, select, text
from sqlalchemy.exc import StatementError

from crm import clock, encryption
from crm.db import after_commit, db, transaction
from crm.encryption import CannotDecrypt, Keyring
from crm.extensions import is_ours
from crm.models import Connection, Contact, MoneyFacts
from tests.factories import ContactFactory

ROOT = Path(__file__).resolve().parents[2]


def _differences() -> list[object]:
    """What a new migration would have to change."""
    with db.engine.connect() as link:
        context = MigrationContext.configure(link, opts={"compare_type": True, "include_object": is_ours})
        return compare_metadata(context, db.metadata)


def connection(**values: object) -> Connection:
    row = Connection(
        provider="quickbooks", realm_id="9341450000000001", realm_fingerprint="f" * 64, state="connected",
        access_token="access-secret", refresh_token="refresh-secret", connected_at=clock.now(), **values,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return row


def test_migrations_make_exactly_the_tables_of_the_models(app: Flask) -> None:
    assert not _differences()


def test_migrations_go_down_and_up_again(app: Flask) -> None:
    db.session.remove()
    directory = str(ROOT / "migrations")
    downgrade(directory=directory, revision="base")
    upgrade(directory=directory)
    assert not _differences()


def test_money_is_exact_in_sums_and_comparisons(app: Flask) -> None:
    with transaction():
        row = connection()
        for cents in ("0.10", "0.20", "1234567890123.45"):
            contact = ContactFactory()
            db.session.add(MoneyFacts(contact_id=contact.id, connection_id=row.id, balance=Decimal(cents)))
    assert db.session.scalar(select(func.sum(MoneyFacts.balance))) == Decimal("1234567890123.75")
    found = db.session.scalars(select(MoneyFacts.balance).where(MoneyFacts.balance <= Decimal("0.2"))).all()
    assert sorted(found) == [Decimal("0.10"), Decimal("0.20")] and all(isinstance(one, Decimal) for one in found)


def test_a_float_is_not_money(app: Flask) -> None:
    contact = None
    with pytest.raises(StatementError, match="never a float"), transaction():
        contact = ContactFactory()
        db.session.add(MoneyFacts(contact_id=contact.id, connection_id=1, balance=0.1))


def test_a_time_without_a_zone_is_refused(app: Flask) -> None:
    with pytest.raises(StatementError, match="without a zone"), transaction():
        ContactFactory(created_at=datetime(2026, 1, 1))


def test_times_come_back_in_utc(app: Flask) -> None:
    moment = datetime.fromisoformat("2026-11-20T10:00:00-08:00")
    with transaction():
        contact = ContactFactory(created_at=moment)
    db.session.expire_all()
    assert contact.created_at == moment and contact.created_at.tzinfo == UTC


def test_a_dump_of_the_database_holds_no_token_and_no_company_id(app: Flask) -> None:
    with transaction():
        connection()
    dump = str(db.session.execute(text("SELECT * FROM connections")).all())
    for secret in ("access-secret", "refresh-secret", "9341450000000001"):
        assert secret not in dump


def test_a_ciphertext_works_only_in_its_own_place_and_with_its_key() -> None:
    old, new = encryption.new_key(), encryption.new_key()
    sealed = Keyring((old,)).encrypt("hush", place="a.b")
    assert Keyring((new, old)).decrypt(sealed, place="a.b") == "hush"
    with pytest.raises(CannotDecrypt, match="another column"):
        Keyring((old,)).decrypt(sealed, place="a.c")
    with pytest.raises(CannotDecrypt, match="TOKEN_ENCRYPTION_KEYS"):
        Keyring((new,)).decrypt(sealed, place="a.b")
    with pytest.raises(CannotDecrypt):
        Keyring((old,)).decrypt(sealed[:-4] + "AAAA", place="a.b")


def test_a_transaction_keeps_all_or_nothing_and_rings_only_when_kept(app: Flask) -> None:
    rung: list[str] = []
    with pytest.raises(ZeroDivisionError), transaction():
        ContactFactory()
        after_commit(lambda: rung.append("lost"))
        _ = 1 / 0
    with transaction():
        ContactFactory()
        after_commit(lambda: rung.append("kept"))
    assert db.session.scalar(select(func.count()).select_from(Contact)) == 1
    assert rung == ["kept"]


def test_postgresql_compiles_no_statement_though_a_transaction_is_rolled_back(app: Flask) -> None:
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite compiles nothing")
    for _ in range(2):
        assert db.session.scalar(text("SHOW jit")) == "off"
        db.session.rollback()


def test_transactions_are_not_nested(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="already open"), transaction(), transaction():
        pass


def test_what_was_read_in_a_transaction_can_be_written_though_others_wrote_meanwhile(app: Flask) -> None:
    with transaction():
        contact = ContactFactory(display_name="before")
    other_began, failures = threading.Event(), []

    def somebody_else() -> None:
        with app.app_context():
            other_began.set()
            try:
                with transaction() as session:
                    session.get(Contact, contact.id, with_for_update=True).company_name = "theirs"
            except Exception as problem:  # shown by the assertion below
                failures.append(problem)

    thread = threading.Thread(target=somebody_else)
    with transaction() as session:
        mine = session.get(Contact, contact.id, populate_existing=True, with_for_update=True)
        thread.start()
        other_began.wait(5)
        thread.join(0.5)  # the other one writes now, unless it has to wait for us
        mine.display_name = "mine"
    thread.join(20)
    assert not failures and not thread.is_alive()
    db.session.rollback()
    db.session.refresh(contact)
    assert (contact.display_name, contact.company_name) == ("mine", "theirs")
