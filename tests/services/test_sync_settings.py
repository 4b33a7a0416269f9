"""What each kind may do is versioned, told in words, and changed by one person at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain import policies
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.models import AuditEntry, Connection, Sweep, SyncRun
from crm.queries import sync_settings as queries
from crm.services import sync
from crm.services.audit import SYSTEM, Actor
from crm.services.sync import settings

SASHA = Actor("sasha@example.com", shown_as="Sasha")


@pytest.fixture
def company(app: Flask) -> int:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f", state="connected", connected_at=clock.now()
        )
        session.add(row)
        session.flush()
        return row.id


def change(company: int, kind: str = "customer", *, version: int, **what: object) -> settings.Setting:
    with transaction() as session:
        return settings.change(session, company, kind, version=version, actor=SASHA, now=clock.now(), **what)  # type: ignore[arg-type]


def now_of(company: int, kind: str = "customer") -> settings.Setting:
    db.session.remove()
    return settings.current(db.session(), company, kind)


def told() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.summary).order_by(AuditEntry.id)))


def test_without_a_row_what_can_be_written_goes_both_ways_and_the_rest_comes_in(company: int) -> None:
    found = settings.of_connection(db.session(), company)
    assert {kind: setting.direction for kind, setting in found.items() if kind != "*"} == {
        "customer": "both", "item": "both", "invoice": "both", "payment": "both", "credit_memo": "in",
        "estimate": "both", "sales_receipt": "in", "refund_receipt": "in", "vendor": "both", "bill": "both",
        "bill_payment": "in",
    }  # fmt: skip
    assert found["customer"].allows_in and found["customer"].allows_out
    assert found["credit_memo"].allows_in and not found["credit_memo"].allows_out
    assert all(setting.version == 0 for setting in found.values())
    other = settings.current(db.session(), company, "term")
    assert not other.allows_in and not other.allows_out  # not kept in step at all


@pytest.mark.parametrize(
    ("direction", "comes_in", "goes_out"),
    [("off", False, False), ("in", True, False), ("out", False, True), ("both", True, True)],
)
def test_a_direction_says_what_is_allowed(company: int, direction: str, comes_in: bool, goes_out: bool) -> None:
    change(company, version=0, direction=direction)
    found = now_of(company)
    assert (found.allows_in, found.allows_out) == (comes_in, goes_out)


def test_a_change_is_a_new_version_and_is_audited_in_words(company: int) -> None:
    change(company, version=0, direction="in")
    change(company, version=1, policies={"phone": "quickbooks", "email": "newest", "phone.emptied": "ours"})
    found = now_of(company)
    assert (found.version, found.direction, found.changed_by) == (2, "in", "Sasha")
    assert found.overrides == {"phone": "quickbooks", "phone.emptied": "ours"}  # e-mail is as by default
    assert found.policies["phone"] == "quickbooks" and found.policies["email"] == "newest"
    assert told() == [
        "Customers: Both ways → From QuickBooks only.",
        "Customers: Phone: Newest wins → QuickBooks wins; Phone, emptied in QuickBooks: Ask → Send ours again.",
    ]
    assert [(one.kind, one.version, len(one.changes)) for one in settings.history(db.session(), company)] == [
        ("customer", 2, 2), ("customer", 1, 1),
    ]  # fmt: skip


def test_saving_what_stands_already_makes_no_version(company: int) -> None:
    change(company, version=0, direction="both", policies=policies.defaults("customer"))
    assert now_of(company).version == 0
    assert told() == []


def test_whoever_saw_an_older_version_is_told(company: int) -> None:
    change(company, version=0, direction="in")
    with pytest.raises(Changed) as refused:
        change(company, version=0, direction="off")
    assert "Sasha" in str(refused.value)
    current = refused.value.current
    assert isinstance(current, settings.Setting) and current.direction == "in"
    assert now_of(company).direction == "in"


@pytest.mark.parametrize(
    ("kind", "direction"),
    [("credit_memo", "both"), ("bill_payment", "out"), ("sales_receipt", "both"), ("customer", "sideways")],
)
def test_what_cannot_be_written_yet_cannot_go_out(company: int, kind: str, direction: str) -> None:
    with pytest.raises(Invalid) as refused:
        change(company, kind, version=0, direction=direction)
    assert "direction" in refused.value.fields
    assert now_of(company, kind).version == 0


def test_unknown_fields_policies_kinds_and_companies_are_refused(company: int) -> None:
    with pytest.raises(Invalid):
        change(company, version=0, policies={"phone": "loudest"})
    with pytest.raises(Invalid):
        change(company, version=0, policies={"balance": "ours"})
    with pytest.raises(NotFound):
        change(company, "time_activity", version=0, direction="in")
    with pytest.raises(NotFound):
        change(company + 1, version=0, direction="in")
    with pytest.raises(Refused):
        change(company, "*", version=0, direction="off")


def test_a_rule_for_one_field_leaves_the_others(company: int) -> None:
    change(company, version=0, policies={"phone": "ask"})
    with transaction() as session:
        settings.always(session, company, "customer", "email", "ours", actor=SASHA, now=clock.now())
    assert now_of(company).overrides == {"phone": "ask", "email": "ours"}
    with transaction() as session:
        settings.always(session, company, "customer", "phone", "newest", actor=SASHA, now=clock.now())
    assert now_of(company).overrides == {"email": "ours"}


def test_a_paused_kind_stands_still_and_keeps_its_direction(company: int) -> None:
    with transaction() as session:
        settings.pause(session, company, "customer", actor=SASHA, now=clock.now())
    found = now_of(company)
    assert found.paused and not found.allows_in and not found.allows_out and found.direction == "both"
    assert now_of(company, "invoice").allows_in
    with transaction() as session:
        settings.pause(session, company, "customer", actor=SASHA, now=clock.now())
    assert now_of(company).version == 1
    with transaction() as session:
        settings.resume(session, company, "customer", actor=SASHA, now=clock.now())
    assert now_of(company).allows_out and now_of(company).version == 2


def test_a_paused_connection_stops_every_kind_whatever_its_own_setting(company: int) -> None:
    with transaction() as session:
        settings.pause(session, company, "*", actor=SASHA, now=clock.now())
    found = settings.of_connection(db.session(), company)
    assert not any(setting.allows_in or setting.allows_out for setting in found.values())
    assert not found["customer"].paused and found["customer"].connection_paused
    with transaction() as session:
        settings.resume(session, company, "*", actor=SASHA, now=clock.now())
    assert now_of(company).allows_out
    assert told() == ["The whole connection: Paused.", "The whole connection: Resumed."]


def test_resuming_rings_for_what_waited(company: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[object, ...]] = []
    monkeypatch.setattr(settings, "ring", lambda *bell: rung.append(bell))
    with transaction() as session:
        settings.pause(session, company, "*", actor=SASHA, now=clock.now())
        assert rung == []
        settings.resume(session, company, "*", actor=SASHA, now=clock.now())
    assert rung == [("crm.tasks.outbox.send", company)]


def test_the_interval_is_kept_where_the_sweep_reads_it_and_the_next_one_comes_sooner(company: int) -> None:
    now = clock.now()

    def every(minutes: int | None, version: int) -> None:
        with transaction() as session:
            settings.set_interval(session, company, minutes, version=version, actor=SASHA, now=now)

    every(720, 0)
    sweep = db.session.get_one(Sweep, company)
    assert sweep.interval_minutes == 720 and sweep.available_at == now  # the first one is due at once
    with transaction() as session:
        session.get_one(Sweep, company).available_at = now + timedelta(hours=12)
    every(5, 1)
    db.session.expire_all()
    sweep = db.session.get_one(Sweep, company)
    assert (sweep.interval_minutes, sweep.available_at) == (5, now + timedelta(minutes=5))
    assert told()[-1] == "The whole connection: Asks for changes every 720 minutes → every 5 minutes."
    for wrong in (4, 1441, 0, -5, None):
        with pytest.raises(Invalid):
            every(wrong, 2)
    with pytest.raises(Changed):
        every(30, 1)


def test_an_import_reads_only_what_may_come_in(company: int) -> None:
    def start(resources: list[str] | None = None) -> list[str]:
        with transaction() as session:
            run = sync.start_run(company, resources=resources, trigger="person", actor=SASHA, now=clock.now())
            kinds = list(run.resources)
            session.delete(run)
        return kinds

    change(company, "payment", version=0, direction="off")
    with transaction() as session:
        settings.pause(session, company, "estimate", actor=SASHA, now=clock.now())
    assert start() == [
        "customer", "item", "invoice", "credit_memo", "sales_receipt", "refund_receipt", "vendor", "bill",
        "bill_payment",
    ]  # fmt: skip
    with pytest.raises(Refused, match="Payments"):
        start(["customer", "payment"])
    with transaction() as session:
        settings.pause(session, company, "*", actor=SASHA, now=clock.now())
    with pytest.raises(Refused, match="paused"):
        start()


def test_a_paused_company_is_not_read_again_by_itself(company: int) -> None:
    with transaction() as session:
        session.add(
            SyncRun(
                connection_id=company, trigger="person", resources=["customer"], state="done",
                created_at=clock.now(), finished_at=clock.now() - timedelta(days=2),
            )
        )  # fmt: skip
        settings.pause(session, company, "*", actor=SYSTEM, now=clock.now())
    with transaction():
        assert sync.start_due(now=clock.now()) == []
    with transaction() as session:
        settings.resume(session, company, "*", actor=SYSTEM, now=clock.now())
    with transaction():
        assert len(sync.start_due(now=clock.now())) == 1


def test_a_custom_field_is_filled_from_a_field_of_ours_or_typed(app: Flask, company: int) -> None:
    with transaction() as session:
        session.get_one(Connection, company).preferences = {
            "custom_fields": [{"definition_id": "1", "name": "Job"}, {"definition_id": "2"}]
        }
    assert [(one.definition_id, one.name) for one in queries.custom_fields(db.session(), company)] == [
        ("1", "Job"), ("2", "")
    ]  # fmt: skip
    with transaction() as session:
        after = settings.change(session, company, "invoice", custom_fields={"1": "title", "2": ""}, version=0,
                                actor=SYSTEM, now=clock.now())  # fmt: skip
    assert after.custom_fields == {"1": "title"}
    with pytest.raises(Invalid) as told, transaction() as session:
        settings.change(session, company, "invoice", custom_fields={"3": "title"}, version=1, actor=SYSTEM,
                        now=clock.now())  # fmt: skip
    assert "custom-3" in told.value.fields
    [latest, *_] = queries.history(db.session(), company)
    assert latest.changes == ["Custom field 1: typed on each document → title"]
