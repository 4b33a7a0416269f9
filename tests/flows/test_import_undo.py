"""An import is taken back: links let go, what it filled emptied, what it made archived; what was touched stays."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused
from crm.models import (
    Connection,
    Contact,
    Customer,
    Link,
    MoneyFacts,
    OutboxEntry,
    Plan,
    PlanLine,
    SyncLogEntry,
    SyncRun,
    TimelineEntry,
)
from crm.services import contacts, sync
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from tests.flows.imports import opened
from tests.flows.test_import_plans import AMY, BEA, KIM, approved, everybody, planned_import, states, worked
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


def imported(row: Connection, *records: Any) -> int:
    with transaction():
        how = {"trigger": "person", "actor": KIM}
        run_id = sync.start_run(row.id, resources=["customer"], now=clock.now(), **how).id
    sync.run(run_id, open_books=opened(Books(records, 1000)), clock=clock.now)
    db.session.remove()
    assert db.session.get_one(SyncRun, run_id).state == "done"
    return run_id


def undoing(run_id: int) -> Plan:
    with transaction():
        plan_id = plans.ask_unimport(run_id, actor=KIM, now=clock.now()).id
    return worked(plan_id)


def by_customer(plan: Plan) -> dict[str, PlanLine]:
    return {line.remote_id: line for line in db.session.scalars(select(PlanLine).where(PlanLine.plan_id == plan.id))}


def one(contact_id: int) -> Contact:
    db.session.remove()
    return db.session.get_one(Contact, contact_id)


def test_an_import_is_taken_back_and_only_after_its_plan_was_seen(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    before = everybody()
    run_id = imported(connection, AMY, BEA)
    done = everybody()
    assert one(amy).email == "amy@fox.example"
    plan = undoing(run_id)
    assert everybody() == done, "nothing happens before somebody has seen what it would do"
    found = by_customer(plan)
    assert {key: line.action for key, line in found.items()} == {"1": "contact_unlink", "2": "contact_archive"}
    assert found["1"].changes == {"email": ["amy@fox.example", ""]}
    bea = found["2"].local_id
    plan = approved(plan)
    assert (plan.state, {line.outcome for line in by_customer(plan).values()}) == ("done", {"done"})
    assert next(row[:4] for row in everybody()) == before[0][:4]
    assert (one(amy).link_state, one(amy).points[0].value, len(one(amy).points)) == ("none", "816 555 0101", 1)
    assert one(bea).archived_at is not None and one(bea).link_state == "none"
    assert list(db.session.scalars(select(Link).where(Link.kind == "customer"))) == []
    assert states() == {"1": "planned", "2": "planned"}, "held: imports by schedule pass them over"
    assert list(db.session.scalars(select(MoneyFacts).where(MoneyFacts.contact_id == amy))) == []
    assert list(db.session.scalars(select(OutboxEntry))) == [], "nothing of it is written to the books"
    last = db.session.scalars(select(TimelineEntry).where(TimelineEntry.contact_id == amy)
                              .order_by(TimelineEntry.id.desc())).first()  # fmt: skip
    assert (last.verb, last.actor) == ("unlinked", KIM.name)


def test_what_was_edited_since_stays_and_is_listed(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    run_id = imported(connection, AMY, BEA)
    bea = db.session.scalar(select(Contact.id).where(Contact.display_name == "Bea Elm"))
    with transaction():
        contacts.add_note(bea, "A friend of ours.", actor=KIM, now=clock.now())
    with transaction() as session:
        contact = session.get_one(Contact, amy)
        mail = next(point for point in contact.points if point.kind == "email")
        mail.value = contact.email = "amy@new.example"
    plan = undoing(run_id)
    found = by_customer(plan)
    assert (found["2"].action, "changed here since" in found["2"].reason) == ("skip", True)
    assert found["1"].action == "contact_unlink" and "Left, changed since: e-mail" in found["1"].reason
    approved(plan)
    assert one(amy).email == "amy@new.example" and one(amy).link_state == "none"
    assert one(bea).archived_at is None and one(bea).link_state == "linked"


def test_what_was_touched_between_seeing_and_doing_stays_too(connection: Connection) -> None:
    run_id = imported(connection, BEA)
    plan = undoing(run_id)
    bea = by_customer(plan)["2"].local_id
    with transaction():
        contacts.add_note(bea, "A friend of ours.", actor=KIM, now=clock.now())
    plan = approved(plan)
    line = by_customer(plan)["2"]
    assert (line.outcome, "changed here since" in line.outcome_text) == ("nothing", True)
    assert one(bea).archived_at is None


def test_a_link_with_a_change_on_its_way_stays_with_what_to_do_instead(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    run_id = imported(connection, AMY)
    with transaction() as session:
        session.add(OutboxEntry(connection_id=connection.id, kind="customer", local_id=amy, operation="update",
                                state="done", available_at=clock.now(), created_at=clock.now(),
                                updated_at=clock.now()))  # fmt: skip
    line = by_customer(undoing(run_id))["1"]
    assert (line.action, "Undo that in the outbox" in line.reason) == ("skip", True)


def test_some_of_it_and_then_a_new_import_decides_anew(connection: Connection) -> None:
    have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    plan = undoing(imported(connection, AMY, BEA))
    approved(plan, Choice("some", ids=(by_customer(plan)["1"].id,)))
    assert states() == {"1": "planned", "2": "linked"}
    imported(connection, AMY, BEA)
    assert states() == {"1": "linked", "2": "linked"}


def test_the_plan_of_an_import_is_undone_as_a_whole(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    plan = approved(planned_import(connection, AMY, BEA))
    with transaction():
        undo_id = plans.ask_undo(plan_id=plan.id, actor=KIM, now=clock.now()).id
    approved(worked(undo_id))
    assert one(amy).email == ""
    assert {line.outcome for line in by_customer(plan).values()} == {"undone"}
    with transaction(), pytest.raises(Refused, match="decides anew"):
        plans.ask_undo(plan_id=undo_id, actor=KIM, now=clock.now())


def test_what_is_not_on_record_is_said_and_left(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    run_id = imported(connection, AMY)
    with transaction() as session:
        session.execute(SyncLogEntry.__table__.delete().where(SyncLogEntry.event == "contact_filled"))
    plan = undoing(run_id)
    assert "was not recorded" in by_customer(plan)["1"].reason
    approved(plan)
    assert one(amy).email == "amy@fox.example" and one(amy).link_state == "none"


def test_an_import_that_linked_nobody_has_nothing_to_undo(connection: Connection) -> None:
    first = imported(connection, AMY)
    second = imported(connection, AMY)
    with transaction(), pytest.raises(Refused, match="nothing to take back"):
        plans.ask_unimport(second, actor=KIM, now=clock.now())
    with transaction() as session:
        session.execute(update(SyncRun).where(SyncRun.id == first).values(state="running"))
    with transaction(), pytest.raises(Refused, match="still under way"):
        plans.ask_unimport(first, actor=KIM, now=clock.now())


def test_recording_costs_no_statement_per_contact(connection: Connection) -> None:
    def cost(number: int, start: int) -> int:
        names = [f"Contact Number {chr(65 + n // 26)}{chr(65 + n % 26)}{start}" for n in range(number)]
        have(*({"name": name, "phones": (f"816 555 {start + n:04d}",)} for n, name in enumerate(names)))
        records = [
            customer(start + n, name, phone=f"816 555 {start + n:04d}", email=f"a{start + n}@fox.example")
            for n, name in enumerate(names)
        ]
        statements: list[str] = []

        def count(*how: Any) -> None:
            statements.append(f"{how[2]} {how[3]}")

        engine = db.session.get_bind()
        event.listen(engine, "before_cursor_execute", count)
        try:
            run_id = imported(connection, *records)
        finally:
            event.remove(engine, "before_cursor_execute", count)
        kept = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.run_id == run_id,
                                                             SyncLogEntry.event == "contact_filled")).all()  # fmt: skip
        assert len(kept) == number
        return sum("contact_filled" in one for one in statements if one.startswith("INSERT INTO sync_log_entries"))

    assert (cost(3, 1000), cost(40, 2000)) == (1, 1)


def test_the_pages_lead_there_and_say_what_it_does(connection: Connection, client: Any, sign_in: Any) -> None:
    have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    run_id = imported(connection, AMY, BEA)
    sign_in("admin")
    assert "Undo this import…" in client.get(f"/integrations/runs/{run_id}").text
    answer = client.post(f"/sync/plans/imports/{run_id}/undo")
    assert answer.status_code == 303
    plan = worked(db.session.scalar(select(Plan.id).where(Plan.purpose == "unimport")))
    page = client.get(answer.location).text
    assert "Nothing has been taken back yet" in page and "Let go" in page and "Archive" in page
    assert "would be written" not in page
    assert client.post(f"/sync/plans/{plan.id}/approve", data={"what": "all", "seen": "2"}).status_code == 303
    worked(plan.id)
    assert "decides anew" in client.get(answer.location).text
    empty = imported(connection, AMY)
    db.session.execute(update(Customer).values(match_state="planned"))
    sign_in("rep")
    assert client.post(f"/sync/plans/imports/{empty}/undo").status_code == 403
