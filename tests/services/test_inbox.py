"""Deliveries become events, each once; what nobody knows is kept, and can be taken up again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from crm import clock
from crm.db import changed, db, transaction
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import AuditEntry, Connection, Delivery, InboxEvent, Notice, Sweep
from crm.services import grants
from crm.services.audit import SYSTEM
from crm.services.sync.inbox import inbox, intake, reading_again, replaying
from sandbox.webhooks import Notice as Said
from sandbox.webhooks import cloudevents, legacy
from tests.bells import listen

REALM = "934100001"


def connection(realm: str = REALM, state: str = "connected") -> int:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id=realm, realm_fingerprint=grants.fingerprint(realm), state=state,
            connected_at=clock.now(),
        )  # fmt: skip
        session.add(row)
    return row.id


def said(number: int, *, realm: str = REALM, entity: str = "Customer", verb: str = "updated", id_: str = "7") -> Said:
    return Said(number, realm, entity, id_, verb, "2026-11-20T08:00:00+00:00", None, 0)


def arrive(body: Any, *, now: Any = None) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with transaction():
        return inbox.receive("quickbooks", raw, {"intuit-t-id": "t"}, now=now or clock.now())


def split() -> None:
    inbox.split(clock=clock.now)
    db.session.remove()


def rows(model: Any) -> list[Any]:
    db.session.remove()
    return list(db.session.scalars(select(model).order_by(model.id)))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
    return listen(monkeypatch)


def test_a_delivery_is_split_and_its_company_found(app: Flask, rung: list[tuple[str, tuple[int, ...]]]) -> None:
    company = connection()
    arrive(cloudevents([said(1), said(2, entity="Invoice", id_="31", verb="deleted")]))
    split()
    [delivery] = rows(Delivery)
    assert (delivery.state, delivery.form, delivery.counts) == ("split", "cloudevents", {"events": 2, "new": 2})
    found = {(e.connection_id, e.kind, e.remote_id, e.verb, e.state, e.delivery_id) for e in rows(InboxEvent)}
    assert found == {
        (company, "customer", "7", "updated", "pending", delivery.id),
        (company, "invoice", "31", "deleted", "pending", delivery.id),
    }
    assert ("crm.tasks.inbox.take_in", (company,)) in rung
    sweep = db.session.get_one(Sweep, company)
    assert sweep.webhook_at == delivery.received_at


def test_that_webhooks_come_is_not_written_for_each_of_a_burst(app: Flask) -> None:
    company = connection()
    moments = []
    for number in range(3):
        arrive(cloudevents([said(number)]))
        if number == 2:
            with transaction():
                db.session.execute(update(Sweep).values(silent_since=clock.now()))
        split()
        sweep = db.session.get_one(Sweep, company, populate_existing=True)
        moments.append(sweep.webhook_at)
    first, _, last = rows(Delivery)
    assert moments == [first.received_at, first.received_at, last.received_at]
    assert sweep.silent_since is None


@pytest.mark.parametrize("form", [cloudevents, lambda notices: legacy(notices)])
def test_the_same_event_in_several_deliveries_is_kept_once(app: Flask, form: Callable[..., Any]) -> None:
    connection()
    body = form([said(1)])
    for _ in range(3):
        arrive(body)
    split()
    arrive(body)
    split()
    assert len(rows(InboxEvent)) == 1
    counts = [delivery.counts for delivery in rows(Delivery)]
    assert sum(one.get("new", 0) for one in counts) == 1 and sum(one.get("repeated", 0) for one in counts) == 3


def test_an_id_that_comes_again_for_something_else_is_another_event(app: Flask) -> None:
    """QuickBooks' ids have been seen to end in the object's own: nobody promises that they are used once."""
    connection()
    connection("934100002")
    others = [
        said(1), said(1, realm="934100002"), said(1, entity="Invoice"), said(1, id_="8"), said(1, verb="deleted"),
        replace(said(1), at="2026-11-20T08:05:00+00:00"),
    ]  # fmt: skip
    body = [event | {"id": "odd-form-Customer-7"} for event in cloudevents(others)]
    arrive(body[:1])
    split()
    arrive(body)
    split()
    assert len(rows(InboxEvent)) == len(others)
    raw = json.dumps(body).encode()
    arrive(raw)
    arrive(raw)
    split()
    assert len(rows(InboxEvent)) == len(others), "the same delivery again, byte for byte"
    assert rows(Delivery)[-1].counts == {"events": 6, "repeated": 6}


def test_unknown_companies_and_kinds_and_disconnected_ones_are_kept_and_ignored(app: Flask) -> None:
    connection()
    connection("934100002", state="disconnected")
    notices = [said(1), said(2, realm="1"), said(3, realm="934100002"), said(4, entity="Department")]
    arrive(cloudevents(notices))
    odd = cloudevents([said(5)])[0] | {"type": "qbo.spaceship.landed.v1", "id": "odd"}
    arrive([odd])
    split()
    messages = {event.message for event in rows(InboxEvent) if event.state == "ignored"}
    assert messages == {
        "It is about a company that was never connected here.", "This company is disconnected here.",
        "Nothing of this kind (department) is kept here.", "Nothing of this kind (spaceship) is kept here.",
    }  # fmt: skip
    assert [event.kind for event in rows(InboxEvent) if event.state == "pending"] == ["customer"]
    first, second = rows(Delivery)
    assert (first.counts["unknown_company"], first.counts["unknown_kind"]) == (1, 2)
    assert second.counts["unknown_kind"] == 1


def test_several_companies_in_one_delivery_each_get_their_own(app: Flask) -> None:
    one, two = connection(), connection("934100002")
    body = legacy([said(1)])
    body["eventNotifications"] += legacy([said(2, realm="934100002", id_="8")])["eventNotifications"]
    arrive(body)
    split()
    assert {(e.connection_id, e.remote_id) for e in rows(InboxEvent)} == {(one, "7"), (two, "8")}


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2", b"\xff\xfe", b'{"hello": 1}', b"null", b"3"])
def test_what_cannot_be_read_is_kept_with_a_sentence_and_keeps_nobody(app: Flask, body: bytes) -> None:
    connection()
    arrive(body)
    arrive(cloudevents([said(1)]))
    split()
    bad, good = rows(Delivery)
    assert (bad.state, good.state) == ("unreadable", "split") and len(bad.error) > 10
    assert len(rows(InboxEvent)) == 1


def test_hostile_texts_in_events_do_no_harm(app: Flask) -> None:
    connection()
    event = cloudevents([said(1)])[0]
    odd = {**event, "type": "qbo.customer\x00.upd\x00ated.v1", "id": "a\x00b", "data": {"deletedid": "9" * 500}}
    long = {**event, "id": "x" * 5000, "type": f"qbo.{'y' * 400}.{'z' * 400}.v1"}
    arrive([odd, long, {**event, "intuitentityid": "7\x00"}, 3, None, [], event])
    split()
    [delivery] = rows(Delivery)
    assert delivery.state == "split" and delivery.error
    assert any(e.kind == "customer" and e.remote_id == "7" for e in rows(InboxEvent))


def test_a_delivery_whose_key_was_dropped_says_so(app: Flask) -> None:
    connection()
    arrive(cloudevents([said(1)]))
    with db.engine.begin() as raw:
        raw.exec_driver_sql("UPDATE deliveries SET body = 'v1.00000000.AAAA'")
    split()
    state, error = db.session.execute(select(Delivery.state, Delivery.error)).one()
    assert state == "unreadable" and "TOKEN_ENCRYPTION_KEYS" in error


def test_one_delivery_that_cannot_be_stored_does_not_keep_the_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection()
    for number in range(3):
        arrive(cloudevents([said(number, id_=str(number))]))
    row = inbox._row

    def breaks(read: Any, notification: Any, company: Any, now: Any) -> dict[str, Any]:
        made = row(read, notification, company, now)
        return made | {"verb": None} if made["remote_id"] == "1" else made

    monkeypatch.setattr(inbox, "_row", breaks)
    split()
    assert [delivery.state for delivery in rows(Delivery)] == ["split", "unreadable", "split"]


def test_a_splitter_that_died_is_replaced_and_a_slow_one_stores_nothing_twice(app: Flask) -> None:
    connection()
    arrive(cloudevents([said(1)]))
    lease, claimed = inbox._claim(clock.now())
    assert len(claimed) == 1
    split()
    assert rows(Delivery)[0].state == "received", "held"
    inbox.split(clock=lambda: clock.now() + inbox.LEASE + timedelta(seconds=1))
    assert rows(Delivery)[0].counts == {"events": 1, "new": 1}
    inbox._store_safely([inbox._read(row) for row in claimed], lease, clock.now)
    assert rows(Delivery)[0].counts == {"events": 1, "new": 1} and len(rows(InboxEvent)) == 1


def test_deliveries_and_events_whose_bell_was_lost_are_rung_for(
    app: Flask, rung: list[tuple[str, tuple[int, ...]]]
) -> None:
    company, broken = connection(), connection("934100002", state="needs_reconnect")
    arrive(cloudevents([said(1), said(2, realm="934100002")]))
    rung.clear()
    with transaction():
        inbox.ring_due(now=clock.now())
    assert rung == [("crm.tasks.inbox.split", ())]
    split()
    assert {e.connection_id for e in rows(InboxEvent) if e.state == "pending"} == {company, broken}
    rung.clear()
    with transaction():
        inbox.ring_due(now=clock.now())
        intake.ring_due(now=clock.now())
    assert rung == [("crm.tasks.inbox.take_in", (company,))], "a connection that needs a person waits"


def test_splitters_at_the_same_time_keep_every_event_once(app: Flask) -> None:
    connection()
    for number in range(30):
        arrive(cloudevents([said(at, id_=str(at)) for at in range(number * 3, number * 3 + 5)]))

    def work() -> None:
        with app.app_context():
            while sum(inbox._pages(clock.now)):
                pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {delivery.state for delivery in rows(Delivery)} == {"split"}
    keys = [event.event_key for event in rows(InboxEvent)]
    assert len(keys) == len(set(keys)) == 30 * 3 + 2
    assert sum(delivery.counts["new"] for delivery in rows(Delivery)) == len(keys)


# --- again ----------------------------------------------------------------------------------------------------


def test_a_replay_takes_up_what_was_ignored_and_what_was_done(app: Flask) -> None:
    first = arrive(cloudevents([said(1)]))
    split()
    assert rows(InboxEvent)[0].state == "ignored"
    company = connection()
    second = arrive(cloudevents([said(2, id_="8")]))
    split()
    with transaction():
        changed(update(InboxEvent).where(InboxEvent.delivery_id == second).values(state="done", outcome="changed"))
    with transaction():
        assert replaying.replay([first, second], SYSTEM, now=clock.now()) == 2
    split()
    found = {(e.connection_id, e.remote_id, e.state, e.outcome) for e in rows(InboxEvent)}
    assert found == {(company, "7", "pending", ""), (company, "8", "pending", "")}
    assert all(delivery.replayed_at and delivery.state == "split" for delivery in rows(Delivery))
    assert [entry.action for entry in rows(AuditEntry)] == ["deliveries_replayed"]
    with pytest.raises(NotFound), transaction():
        replaying.replay([10**6], SYSTEM, now=clock.now())


def test_a_range_of_deliveries_is_replayed(app: Flask) -> None:
    now = clock.now()
    for hours in (5, 3, 1):
        arrive(cloudevents([said(hours)]), now=now - timedelta(hours=hours))
    split()
    with transaction():
        number = replaying.replay_between(now - timedelta(hours=4), now, actor=SYSTEM, now=now)
    assert number == 2 and [bool(delivery.replayed_at) for delivery in rows(Delivery)] == [False, True, True]
    with pytest.raises(NotFound), transaction():
        replaying.replay_between(now - timedelta(days=9), now - timedelta(days=8), actor=SYSTEM, now=now)


def test_what_a_worker_has_taken_up_is_asked_for_once_more(app: Flask) -> None:
    """It may have been read before the write of ours after which it is asked for."""
    company, now = connection(), clock.now()

    def ask() -> int:
        with transaction():
            reading_again.read_again(company, [("customer", "7")], asked_by="Tradebook", now=now)
        return len(rows(InboxEvent))

    assert (ask(), ask()) == (1, 1)
    with transaction():
        changed(update(InboxEvent).values(available_at=now + intake.LEASE))
    assert ask() == 2


@pytest.mark.parametrize(("kind", "id_"), [("department", "1"), ("", "1"), ("customer", ""), ("customer", "1\x00")])
def test_only_what_can_be_read_is_read_again(app: Flask, kind: str, id_: str) -> None:
    company = connection()
    with pytest.raises(Invalid), transaction():
        replaying.read_again(company, kind, id_, actor=SYSTEM, now=clock.now())
    with pytest.raises(NotFound), transaction():
        replaying.read_again(company + 1, "customer", "1", actor=SYSTEM, now=clock.now())
    broken = connection("934100002", state="disconnected")
    with pytest.raises(Refused), transaction():
        replaying.read_again(broken, "customer", "1", actor=SYSTEM, now=clock.now())


def test_old_bodies_and_old_events_are_cleared_away(app: Flask) -> None:
    connection()
    now = clock.now()
    for days in (100, 40, 1):
        arrive(cloudevents([said(days)]), now=now - timedelta(days=days))
    split()
    first = rows(Delivery)[0].id
    with transaction():
        old = now - timedelta(days=95)
        changed(update(InboxEvent).where(InboxEvent.delivery_id == first).values(state="done", settled_at=old))
    waiting = arrive(cloudevents([said(7)]), now=now - timedelta(days=200))
    with transaction():
        replaying.prune(now=now)
    kept = {delivery.id: delivery.body is not None for delivery in rows(Delivery)}
    assert list(kept.values()).count(True) == 2 and kept[waiting], "what was never split is kept whole"
    assert len(kept) == 3 and len(rows(InboxEvent)) == 2
    assert rows(Notice) == []
