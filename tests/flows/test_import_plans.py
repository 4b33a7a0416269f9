"""An import that shows its plan first: what it would do, and what an approval, in whole or in part, makes of it."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.records import CustomerRecord
from crm.models import (
    Connection,
    Contact,
    Customer,
    Document,
    Link,
    MoneyFacts,
    Plan,
    PlanLine,
    SyncRun,
    TimelineEntry,
)
from crm.queries import plan_lines
from crm.queries import plans as queries
from crm.services import sync
from crm.services.audit import SYSTEM, Actor
from crm.services.sync.imports import links
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from sandbox import Served
from tests.flows.imports import opened, own_list, run_import
from tests.quickbooks import connect
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401

KIM = Actor(name="kim@example.com")
AMY = customer(1, "Amy Fox", phone="(816) 555-0101", email="amy@fox.example", balance=Decimal("120.50"))
BEA = customer(2, "Bea Elm", phone="(816) 555-0102", balance=Decimal("7"))
OLD = customer(3, "Old Ash", active=False)
TWICE = [customer(n, "Dana Fir", phone="816-555-0104") for n in (4, 5)]


def planned_import(
    row: Connection, *records: CustomerRecord, resources: list[str] | None = None, size: int = 1000
) -> Plan:
    """The import, in this process, and its plan as it is ready."""
    run_id = asked(row, resources or ["customer"])
    sync.run(run_id, open_books=opened(Books(records, size)), clock=clock.now)
    return worked(plan_of(run_id))


def asked(row: Connection, resources: list[str] | None = None, **more: Any) -> int:
    with transaction():
        how = {"trigger": "person", "actor": KIM, "plan_first": True} | more
        return sync.start_run(row.id, resources=resources, now=clock.now(), **how).id


def plan_of(run_id: int) -> int:
    db.session.remove()
    run = db.session.get_one(SyncRun, run_id)
    assert run.state == "done", run.error
    return db.session.scalars(select(Plan.id).where(Plan.purpose == "import").order_by(Plan.id.desc())).first() or 0


def worked(plan_id: int) -> Plan:
    with transaction() as session:
        session.execute(update(Plan).where(Plan.id == plan_id).values(available_at=clock.now()))
    plans.run(plan_id, clock=clock.now)
    db.session.remove()
    return db.session.get_one(Plan, plan_id)


def approved(plan: Plan, choice: Choice | None = None) -> Plan:
    plan_id = plan.id
    with transaction():
        plans.approve(plan_id, choice or Choice("all"), actor=KIM, now=clock.now())
    return worked(plan_id)


def lines(plan: Plan) -> dict[str, PlanLine]:
    """By the id of the customer."""
    found = db.session.scalars(select(PlanLine).where(PlanLine.plan_id == plan.id).order_by(PlanLine.id))
    return {line.remote_id: line for line in found}


def everybody() -> list[tuple[Any, ...]]:
    """What an import may change of contacts."""
    db.session.remove()
    columns = (Contact.id, Contact.display_name, Contact.email, Contact.phone, Contact.link_state, Contact.version)
    return [tuple(row) for row in db.session.execute(select(*columns).order_by(Contact.id))]


def states() -> dict[str, str]:
    db.session.remove()
    return dict(list(db.session.execute(select(Customer.remote_id, Customer.match_state))))


def number(model: Any) -> int:
    query = select(func.count()).select_from(model)
    return db.session.scalar(query.where(Link.kind == "customer") if model is Link else query) or 0


def test_a_plan_shows_what_the_import_would_do_and_nothing_has_happened(connection: Connection) -> None:
    [amy, dana] = have(
        {"name": "Amy Fox", "phones": ("816 555 0101",)}, {"name": "Dana Fir", "phones": ("8165550104",)}
    )
    before = everybody()
    plan = planned_import(connection, AMY, BEA, OLD, *TWICE)
    assert (plan.state, plan.purpose, plan.done, plan.total) == ("ready", "import", 5, 5)
    assert everybody() == before and number(Link) == 0 and number(TimelineEntry) == 0
    found = lines(plan)
    assert {key: (line.action, line.local_id) for key, line in found.items()} == {
        "1": ("contact_link", amy), "2": ("contact_create", 0), "3": ("contact_ignore", 0),
        "4": ("contact_review", dana), "5": ("contact_review", dana),
    }  # fmt: skip
    assert found["1"].changes == {"email": ["", "amy@fox.example"]} and found["1"].amount == Decimal("120.50")
    assert found["2"].changes == {"display_name": ["", "Bea Elm"], "phone": ["", "(816) 555-0102"]}
    assert "“Dana Fir”" in found["4"].reason and "owes nothing" in found["3"].reason
    assert plan.counts == {
        "contact_link": 1, "contact_create": 1, "contact_ignore": 1, "contact_review": 2, "field:email": 1
    }  # fmt: skip
    assert set(states().values()) == {"planned"}


def test_an_approved_plan_does_what_the_import_without_one_would_have_done(connection: Connection) -> None:
    have({"name": "Amy Fox", "phones": ("816 555 0101",)}, {"name": "Dana Fir", "phones": ("8165550104",)})
    plan = approved(planned_import(connection, AMY, BEA, OLD, *TWICE))
    assert plan.state == "done"
    assert states() == {"1": "linked", "2": "linked", "3": "ignored", "4": "review", "5": "review"}
    assert {line.outcome for line in lines(plan).values()} == {"done"}
    assert [(name, email) for _, name, email, *_ in everybody()] == [
        ("Amy Fox", "amy@fox.example"), ("Dana Fir", ""), ("Bea Elm", "")
    ]  # fmt: skip
    run = db.session.scalars(select(SyncRun)).one()
    assert db.session.scalars(select(Link.run_id)).all() == [run.id, run.id], "told as links of that import"
    assert lines(plan)["2"].local_id == db.session.scalar(
        select(Link.local_id).where(Link.kind == "customer", Link.remote_id == "2")
    )
    assert db.session.get_one(Connection, connection.id).read_only, "nothing of it opens the books"


def test_only_what_was_ticked_is_linked_and_the_rest_stays_out_until_a_person_imports_again(
    connection: Connection,
) -> None:
    have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    plan = planned_import(connection, AMY, BEA)
    plan = approved(plan, Choice("some", ids=(lines(plan)["1"].id,)))
    assert states() == {"1": "linked", "2": "planned"}
    assert {key: line.outcome for key, line in lines(plan).items()} == {"1": "done", "2": "left"}
    run_id = asked(connection, None, trigger="schedule", actor=SYSTEM, plan_first=False)
    sync.run(run_id, open_books=opened(Books([AMY, BEA])), clock=clock.now)
    assert states()["2"] == "planned", "nobody is made by an import that nobody asked for"
    run_import(connection.id, ["customer"], open_books=opened(Books([AMY, BEA])))
    assert states()["2"] == "linked"


def test_by_rule_only_those_with_much_money(connection: Connection) -> None:
    plan = planned_import(connection, AMY, BEA)
    filters = plans.LineFilters(action="contact_create", least=Decimal(100))
    assert plan_lines.approvable(plan.id, filters) == 1
    approved(plan, Choice("rule", filters=filters, seen=1))
    assert states() == {"1": "linked", "2": "planned"}


def test_a_refused_plan_changes_nothing_and_the_next_one_shows_the_same(connection: Connection) -> None:
    have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    before = everybody()
    plan = planned_import(connection, AMY, BEA)
    shown = {key: (line.action, line.changes) for key, line in lines(plan).items()}
    with transaction():
        plans.discard(plan.id, actor=KIM, now=clock.now())
    assert everybody() == before and number(Link) == 0
    again = planned_import(connection, AMY, BEA)
    assert {key: (line.action, line.changes) for key, line in lines(again).items()} == shown
    assert everybody() == before


def test_asked_for_twice_there_is_one_import_and_approved_twice_it_is_refused(connection: Connection) -> None:
    run_id = asked(connection)
    assert asked(connection) == run_id
    sync.run(run_id, open_books=opened(Books([AMY])), clock=clock.now)
    plan = worked(plan_of(run_id))
    assert worked(plan.id).counts == {"contact_create": 1} and len(lines(plan)) == 1, "worked on twice, made once"
    approved(plan)
    with pytest.raises(Changed), transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())
    db.session.remove()
    assert worked(plan.id).state == "done" and number(Contact) == 1


def test_a_later_import_takes_the_place_of_a_plan_that_waits(connection: Connection) -> None:
    plan = planned_import(connection, AMY)
    later = planned_import(connection, AMY, BEA)
    db.session.remove()
    old = db.session.get_one(Plan, plan.id)
    assert old.state == "discarded" and "decides anew" in old.error
    assert set(lines(later)) == {"1", "2"}
    with pytest.raises(Changed), transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())


def test_while_an_import_without_a_plan_is_under_way_none_can_be_asked_for(connection: Connection) -> None:
    with transaction():
        sync.start_run(connection.id, resources=None, trigger="person", actor=KIM, now=clock.now())
    with pytest.raises(Refused, match="without a plan is under way"):
        asked(connection)


def test_an_import_without_customers_has_no_plan(connection: Connection) -> None:
    with pytest.raises(Invalid, match="Only an import with customers"):
        asked(connection, ["invoice"])


@pytest.mark.parametrize("dies_in", ["make", "carry"])
def test_a_worker_killed_in_the_middle_leaves_whole_pages_and_the_next_one_goes_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    class Killed(BaseException):
        pass

    monkeypatch.setattr("crm.services.sync.plans.import_drawing.PAGE", 2)
    monkeypatch.setattr("crm.services.sync.plans.import_carrying.PAGE", 2)
    records = [customer(n, f"Kit Number{n}", phone=f"816 555 02{n:02}") for n in range(1, 8)]
    real, calls = links.carry_out, []

    def once(batch: Any, customers: Any) -> None:
        real(batch, customers)
        calls.append(len(customers))
        if len(calls) == 2:
            raise Killed

    run_id = asked(connection, ["customer"])
    sync.run(run_id, open_books=opened(Books(records)), clock=clock.now)
    plan_id = plan_of(run_id)
    if dies_in == "carry":
        worked(plan_id)
        with transaction():
            plans.approve(plan_id, Choice("all"), actor=KIM, now=clock.now())
    with monkeypatch.context() as patched:
        patched.setattr(links, "carry_out", once)
        with pytest.raises(Killed):
            plans.run(plan_id, clock=clock.now)
    db.session.remove()
    if dies_in == "make":
        assert number(PlanLine) == 2 and number(Contact) == 0
        plan = worked(plan_id)
        assert (plan.state, plan.counts, plan.done) == ("ready", {"contact_create": 7}, 7)
        plan = approved(plan)
    else:
        assert number(Contact) == 2
        plan = worked(plan_id)
    assert (plan.state, number(Contact), number(Link), number(PlanLine)) == ("done", 7, 7, 7)
    assert {line.outcome for line in lines(plan).values()} == {"done"}


def test_a_contact_that_was_linked_meanwhile_is_not_linked_again(connection: Connection) -> None:
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    plan = planned_import(connection, AMY, BEA)
    with transaction() as session:
        session.add(Link(connection_id=connection.id, kind="customer", local_id=amy, remote_id="77",
                         linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip
    plan = approved(plan)
    line = lines(plan)["1"]
    assert line.outcome == "nothing" and "linked to another customer" in line.outcome_text
    assert states() == {"1": "planned", "2": "linked"} and number(Link) == 2


def test_nobody_is_made_whom_somebody_entered_by_hand_meanwhile(connection: Connection) -> None:
    plan = planned_import(connection, BEA)
    have({"name": "Bea Elm", "phones": ("816 555 0102",)})
    plan = approved(plan)
    line = lines(plan)["2"]
    assert (line.outcome, number(Contact)) == ("nothing", 1) and "looks like it by now" in line.outcome_text


def test_a_customer_that_changed_there_comes_in_as_it_stands(connection: Connection) -> None:
    plan = planned_import(connection, BEA)
    newer = replace(BEA, email_text="bea@elm.example", origin=replace(BEA.origin, version="1"))
    run_id = asked(connection, None, trigger="schedule", actor=SYSTEM, plan_first=False)
    sync.run(run_id, open_books=opened(Books([newer])), clock=clock.now)
    assert states() == {"2": "planned"}
    approved(plan)
    assert everybody()[0][2] == "bea@elm.example"


def test_planned_and_approved_whole_it_ends_as_the_import_alone_would_have(quickbooks: Served) -> None:
    """With documents, money and doubtful ones: an import right after it finds nothing left to do, in any figure."""
    own_list(80, seed=3)
    company = connect(quickbooks)
    run_id = asked(company)
    before = everybody()
    sync.run(run_id, clock=clock.now)
    plan = worked(plan_of(run_id))
    assert everybody() == before and number(Link) == 0
    shown = {total.action: total for total in queries.show(plan.id).totals}
    assert shown["contact_create"].lifetime and shown["contact_create"].lifetime > 0
    expected = {name: count for name, count in plan.counts.items() if not name.startswith("field:")}
    plan = approved(plan)
    done = db.session.execute(
        select(PlanLine.action, func.count()).where(PlanLine.outcome == "done").group_by(PlanLine.action)
    )
    assert dict(list(done)) == expected
    by_plan = standing()
    assert sum(total for *_, total in by_plan[1]) > 0
    run = run_import(company.id)
    assert standing() == by_plan
    assert not [name for name in ("created", "linked", "filled", "review", "ignored") if run.counts.get(name)]


def standing() -> tuple[Any, ...]:
    """Contacts, figures, owners of documents, decisions."""
    people = everybody()
    facts = select(MoneyFacts.contact_id, MoneyFacts.balance, MoneyFacts.overdue, MoneyFacts.total_sales)
    owners = select(Document.id, Document.contact_id).order_by(Document.id)
    return (people, [tuple(row) for row in db.session.execute(facts.order_by(MoneyFacts.contact_id))],
            [tuple(row) for row in db.session.execute(owners)], states())  # fmt: skip
