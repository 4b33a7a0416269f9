"""Reading a company's books, and what its refusals do to the connection."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from crm import clock, encryption
from crm.celery_app import celery_app
from crm.db import db, transaction
from crm.domain.connections import warning_due
from crm.domain.errors import NeedsReconnect, Refused, SubscriptionLapsed, Unavailable, WrongKeys
from crm.models import AuditEntry, CallCount, Connection, Notice
from crm.services import connections, grant_care, grants, keys, notices
from crm.tasks.schedule import SCHEDULE
from sandbox import Served
from tests.quickbooks import connect, reread

LAPSED = '{"Fault":{"Error":[{"Message":"x","Detail":"x","code":"6190"}],"type":"ValidationFault"}}'


def ask(row: Connection) -> str:
    with connections.books(row.id, clock=clock.now) as books:
        return books.company().name


def open_topics(row: Connection) -> list[str]:
    return list(
        db.session.scalars(select(Notice.topic).where(Notice.connection_id == row.id, Notice.settled_at.is_(None)))
    )


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_books_answer_and_the_call_is_counted(quickbooks: Served) -> None:
    row = connect(quickbooks, last_error="it was slow yesterday")
    assert ask(row) == "Bedrock Foundation Repair"
    counted = db.session.scalars(select(CallCount)).all()
    assert [(count.category, count.calls) for count in counted] == [("metered", 1)]
    ask(row)
    db.session.expire_all()
    assert db.session.scalars(select(CallCount.calls)).all() == [2]
    after = reread(row.id)
    assert after.last_contact_at is not None
    assert after.last_error == ""


def test_the_grant_is_renewed_five_minutes_ahead_and_not_before(quickbooks: Served, refreshes: list[str]) -> None:
    later = connect(quickbooks, access_expires_at=clock.now() + timedelta(minutes=6))
    ask(later)
    assert refreshes == []
    with transaction():
        db.session.get_one(Connection, later.id).access_expires_at = clock.now() + timedelta(minutes=4)
    ask(later)
    assert refreshes == [later.refresh_token]
    after = reread(later.id)
    assert after.refresh_token != later.refresh_token
    assert after.access_token != later.access_token
    assert after.access_expires_at and after.access_expires_at > clock.now() + timedelta(minutes=50)
    assert after.hard_expires_at is not None
    assert after.refresh_leased_until is None


def test_a_refused_access_token_is_renewed_once_and_the_call_repeated(quickbooks: Served, refreshes: list[str]) -> None:
    row = connect(quickbooks)
    quickbooks.sandbox.authority.expire()
    assert ask(row) == "Bedrock Foundation Repair"
    assert len(refreshes) == 1


def test_a_renewed_token_that_is_refused_again_pauses_the_connection_without_a_loop(
    quickbooks: Served, refreshes: list[str]
) -> None:
    row = connect(quickbooks)
    quickbooks.sandbox.script.set([{"action": "expire_tokens", "path": "companyinfo", "count": None}])
    with pytest.raises(NeedsReconnect):
        ask(row)
    assert len(refreshes) == 1
    assert reread(row.id).state == "needs_reconnect"


def test_a_lost_grant_pauses_the_connection_and_tells_admins_once(quickbooks: Served, refreshes: list[str]) -> None:
    row = connect(quickbooks, access_expires_at=clock.now())
    quickbooks.sandbox.authority.revoke_all()
    for _ in range(3):
        with pytest.raises(NeedsReconnect):
            ask(row)
    assert len(refreshes) == 1  # the dead token is not tried again
    after = reread(row.id)
    assert after.state == "needs_reconnect"
    assert "Connect the company again" in after.state_reason
    assert open_topics(row) == ["needs_reconnect"]
    assert actions() == ["needs_reconnect"]
    assert after.refresh_leased_until is None


def test_while_the_sign_in_service_is_down_a_token_that_still_works_is_used(quickbooks: Served) -> None:
    row = connect(quickbooks, access_expires_at=clock.now() + timedelta(minutes=2))
    quickbooks.sandbox.script.set([{"action": "status", "path": "tokens/bearer", "status": 503, "count": None}])
    assert ask(row) == "Bedrock Foundation Repair"
    with transaction():
        db.session.get_one(Connection, row.id).access_expires_at = clock.now()
    with pytest.raises(Unavailable):
        ask(row)
    after = reread(row.id)
    assert after.state == "connected"
    assert after.refresh_token == row.refresh_token
    assert after.refresh_leased_until is None


def test_a_refresher_that_died_after_the_call_is_survived_where_quickbooks_still_takes_the_old_token(
    quickbooks: Served, refreshes: list[str]
) -> None:
    """It took the lease and never stored what it got; its lease has just ended."""
    row = connect(quickbooks, access_expires_at=clock.now(), refresh_leased_until=clock.now() + timedelta(seconds=0.4))
    assert ask(row) == "Bedrock Foundation Repair"
    assert refreshes == [row.refresh_token]


def test_a_refresher_that_died_after_the_call_costs_a_reconnect_where_the_old_token_is_dead(
    quickbooks: Served, refreshes: list[str]
) -> None:
    row = connect(quickbooks, access_expires_at=clock.now())
    quickbooks.sandbox.authority.refresh(row.refresh_token or "")  # what the dead process got is lost
    with pytest.raises(NeedsReconnect):
        ask(row)
    assert refreshes == [row.refresh_token] * 2
    assert reread(row.id).state == "needs_reconnect"


def test_an_old_grants_refusal_does_not_undo_a_reconnect(quickbooks: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    row = connect(quickbooks, access_expires_at=clock.now())
    quickbooks.sandbox.authority.revoke_all()
    fresh = quickbooks.connect()

    def reconnected_meanwhile(provider: str, **options: object) -> object:
        with transaction():
            stored = db.session.get_one(Connection, row.id)
            stored.access_token, stored.refresh_token = fresh.access, fresh.refresh
            stored.access_expires_at = clock.now() + timedelta(hours=1)
            stored.grant_version += 1
        return oauth(provider, **options)  # type: ignore[arg-type]

    oauth = grants.oauth
    monkeypatch.setattr(grants, "oauth", reconnected_meanwhile)
    assert ask(row) == "Bedrock Foundation Repair"
    after = reread(row.id)
    assert (after.state, after.refresh_token) == ("connected", fresh.refresh)
    assert open_topics(row) == []


def test_a_lapsed_subscription_pauses_until_a_check_finds_it_renewed(quickbooks: Served) -> None:
    row = connect(quickbooks)
    quickbooks.sandbox.script.set([{"action": "body", "path": "companyinfo", "body": LAPSED, "count": 2}])
    with pytest.raises(SubscriptionLapsed):
        ask(row)
    with pytest.raises(SubscriptionLapsed):  # from the row, without a call
        ask(row)
    assert open_topics(row) == ["subscription_lapsed"]
    assert connections.check(row.id, clock=clock.now) is False
    assert connections.check(row.id, clock=clock.now) is True
    assert reread(row.id).state == "connected"
    assert open_topics(row) == []
    assert actions() == ["subscription_lapsed", "connection_recovered"]


def test_a_paused_connection_is_tried_again_by_itself_once_a_day(quickbooks: Served) -> None:
    row = connect(quickbooks, state="subscription_lapsed", checked_at=clock.now() - timedelta(hours=23))
    grant_care.tend(clock=clock.now)
    assert reread(row.id).state == "subscription_lapsed"
    with transaction():
        db.session.get_one(Connection, row.id).checked_at = clock.now() - timedelta(hours=25)
    grant_care.tend(clock=clock.now)
    assert reread(row.id).state == "connected"


def test_wrong_keys_keep_the_grant_and_say_which_settings(
    app: Flask, quickbooks: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connect(quickbooks, access_expires_at=clock.now())
    right = app.extensions["settings"]
    monkeypatch.setitem(app.extensions, "settings", replace(right, quickbooks_client_secret="typo"))
    with pytest.raises(WrongKeys):
        ask(row)
    after = reread(row.id)
    assert after.state == "wrong_keys"
    assert "QUICKBOOKS_CLIENT_SECRET" in after.state_reason
    assert after.refresh_token == row.refresh_token
    monkeypatch.setitem(app.extensions, "settings", right)
    assert connections.check(row.id, clock=clock.now) is True
    assert reread(row.id).state == "connected"


def test_books_are_not_opened_inside_a_transaction(quickbooks: Served) -> None:
    row = connect(quickbooks)
    with pytest.raises(RuntimeError, match="already open"), transaction():
        ask(row)


def test_disconnecting_stops_at_once_and_gives_the_grant_back_later(quickbooks: Served) -> None:
    from crm.services.audit import SYSTEM

    row = connect(quickbooks)
    with connections.books(row.id, clock=clock.now) as books:
        with transaction():
            connections.disconnect(row.id, actor=SYSTEM, now=clock.now())
        with pytest.raises(NeedsReconnect):
            books.company()
    quickbooks.sandbox.script.set([{"action": "status", "path": "tokens/revoke", "status": 503}])
    grant_care.tend(clock=clock.now)
    assert reread(row.id).refresh_token == row.refresh_token  # Intuit was down: kept, to be tried again
    grant_care.tend(clock=clock.now)
    after = reread(row.id)
    assert (after.state, after.access_token, after.refresh_token) == ("disconnected", None, None)
    with pytest.raises(Exception, match="invalid_grant"):
        quickbooks.sandbox.authority.refresh(row.refresh_token or "")
    with pytest.raises(Refused), transaction():
        connections.disconnect(row.id, actor=SYSTEM, now=clock.now())


def test_an_idle_grant_is_renewed_and_a_used_one_left_alone(quickbooks: Served, refreshes: list[str]) -> None:
    idle = connect(quickbooks, refreshed_at=clock.now() - timedelta(days=7))
    connect(quickbooks, quickbooks.store.companies()[1][0])
    grant_care.keep_alive(clock=clock.now)
    assert refreshes == [idle.refresh_token]
    assert reread(idle.id).grant_version == 1


def test_admins_are_warned_at_30_14_7_and_1_days_and_not_in_between() -> None:
    now, warned, told = clock.now(), None, []
    for left in range(40, 0, -1):
        due = warning_due(now + timedelta(days=left), now, warned)
        if due:
            warned = due
            told.append((left, due))
    assert told == [(30, 30), (14, 14), (7, 7), (1, 1)]


def test_one_warning_is_open_at_a_time_and_goes_when_the_end_moves(quickbooks: Served) -> None:
    now = clock.now()
    row = connect(quickbooks, hard_expires_at=now + timedelta(days=20), refresh_expires_at=now + timedelta(days=90))
    with transaction():
        assert grant_care.warn(now=now) == 1
    with transaction():
        assert grant_care.warn(now=now) == 0
        assert grant_care.warn(now=now + timedelta(days=14)) == 1
    assert open_topics(row) == ["grant_ends"]
    with transaction():
        db.session.get_one(Connection, row.id).hard_expires_at = now + timedelta(days=1000)
        grant_care.warn(now=now + timedelta(days=14))
    assert open_topics(row) == []


def test_a_notice_is_opened_once_and_keeps_the_newest_words(quickbooks: Served) -> None:
    row = connect(quickbooks)
    with transaction():
        assert notices.post("import_failed", row.id, level="warning", text="first", now=clock.now())
    with transaction():
        assert not notices.post("import_failed", row.id, level="danger", text="second", now=clock.now())
    assert db.session.scalars(select(Notice.text)).all() == ["second"]
    with transaction():
        assert notices.settle(row.id, "import_failed", now=clock.now()) == 1


def test_a_dump_without_the_keys_holds_no_token_and_no_company_id(quickbooks: Served) -> None:
    row = connect(quickbooks)
    stored = db.session.execute(text("SELECT * FROM connections")).mappings().one()
    dump = " ".join(str(value) for value in stored.values())
    for secret in (row.access_token, row.refresh_token, row.realm_id):
        assert secret and secret not in dump
    for column in ("access_token", "refresh_token", "realm_id"):
        assert stored[column].startswith(f"v1.{encryption.keyring().primary_id}.")


def test_rotation_writes_everything_under_the_first_key_and_changes_nothing_else(
    quickbooks: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connect(quickbooks)
    other = connect(quickbooks, quickbooks.store.companies()[1][0], access_token=None)
    before = db.session.execute(text("SELECT * FROM connections ORDER BY id")).mappings().all()
    old, new = encryption.new_key(), encryption.new_key()
    ring = encryption.keyring()
    with transaction():  # one of the two under a key that is about to be old
        monkeypatch.setattr(encryption, "_installed", encryption.Keyring((old,)))
        changed = db.session.get_one(Connection, other.id, populate_existing=False)
        changed.refresh_token = "another"
        db.session.flush()
    both = encryption.Keyring((new, old))
    both._ciphers.update(ring._ciphers)
    monkeypatch.setattr(encryption, "_installed", both)

    counts = {column.place: column for column in keys.rotate_keys(batch=1)}
    assert counts["connections.refresh_token"].written == 2
    assert counts["connections.access_token"].written == 1
    assert {column.written for column in keys.rotate_keys()} == {0}

    monkeypatch.setattr(encryption, "_installed", encryption.Keyring((new,)))
    after = db.session.execute(text("SELECT * FROM connections ORDER BY id")).mappings().all()
    sealed = {"realm_id", "access_token", "refresh_token"}
    for was, now in zip(before, after, strict=True):
        assert {name: now[name] for name in was if name not in sealed} == {
            name: was[name] for name in was if name not in sealed
        }
    assert reread(row.id).refresh_token == row.refresh_token
    assert reread(other.id).refresh_token == "another"


def test_the_rotate_command_prints_counts_and_no_secret(app: Flask, quickbooks: Served) -> None:
    row = connect(quickbooks)
    result = app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert result.exit_code == 0
    assert "connections.refresh_token: 0 re-encrypted, 1 already current" in result.output
    assert (row.refresh_token or "") not in result.output


def test_the_rotate_command_fails_while_a_value_is_left_that_no_key_opens(
    app: Flask, quickbooks: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(quickbooks)
    monkeypatch.setattr(encryption, "_installed", encryption.Keyring((encryption.new_key(),)))
    result = app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert result.exit_code == 1
    assert "do not drop old keys" in result.output


def test_the_schedule_rings_tasks_that_exist(app: Flask) -> None:
    known = set(celery_app.tasks)
    assert {entry.task for entry in SCHEDULE.values()} <= known


def test_an_error_of_our_own_is_no_answer_of_the_company(quickbooks: Served) -> None:
    row = connect(quickbooks)
    with pytest.raises(ValueError, match="no kind"), connections.books(row.id, clock=clock.now) as books:
        books.scan("unicorn")
    assert reread(row.id).last_contact_at is None


def test_rotation_counts_what_no_key_opens_and_leaves_it(quickbooks: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(quickbooks)
    monkeypatch.setattr(encryption, "_installed", encryption.Keyring((encryption.new_key(),)))
    counts = {column.place: column for column in keys.rotate_keys()}
    assert counts["connections.realm_id"].unreadable == 1
    assert counts["connections.realm_id"].written == 0
