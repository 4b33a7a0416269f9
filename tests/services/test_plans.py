"""Making, approving and carrying out plans over a made-up company; the books themselves are never asked."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Entry
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.plans import HELD, LEFT_HERE, NOT_SHOWN, STAYS, LineFilters
from crm.models import (
    AuditEntry,
    Connection,
    Contact,
    Customer,
    Document,
    Link,
    OutboxEntry,
    Plan,
    PlanLine,
    SyncLogEntry,
)  # fmt: skip
from crm.queries import plan_lines
from crm.queries import plans as queries
from crm.services import contacts
from crm.services.audit import Actor
from crm.services.sync.outbox import parked
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.kinds.customer import Customers
from crm.services.sync.outbox.kinds.port import Send
from crm.services.sync.plans import planning, plans
from crm.services.sync.plans.plans import Choice
from tests.flows.imports import add_contact
from tests.services.test_sync_matching import connection, customer, import_  # noqa: F401

KIM = Actor(name="kim@example.com")
AMY = customer(1, "Amy Fox", phone="(816) 555-0101", balance=Decimal("120.50"), balance_with_jobs=Decimal("120.50"))
BEA = customer(2, "Bea Elm", phone="(816) 555-0102")
CID = customer(3, "Cid Ash", phone="(816) 555-0103")


def made(connection: Connection, contact_ids: list[int] | None = None) -> Plan:
    with transaction():
        plan = plans.ask(connection.id, contact_ids=contact_ids, actor=KIM, now=clock.now())
    return worked(plan)


def worked(plan: Plan) -> Plan:
    with transaction() as session:
        session.execute(update(Plan).where(Plan.id == id_of(plan)).values(available_at=clock.now()))
    plans.run(id_of(plan), clock=clock.now)
    return fresh(plan)


def fresh(plan: Plan) -> Plan:
    db.session.remove()
    return db.session.get_one(Plan, id_of(plan))


def id_of(plan: Plan) -> int:
    """Also of one that a rollback has expired."""
    identity = inspect(plan).identity
    return int(identity[0])


def approve(plan: Plan, choice: Choice | None = None) -> Plan:
    with transaction():
        plans.approve(id_of(plan), choice or Choice("all"), actor=KIM, now=clock.now())
    return worked(plan)


def lines(plan: Plan) -> dict[str, PlanLine]:
    db.session.remove()
    found = db.session.scalars(select(PlanLine).where(PlanLine.plan_id == id_of(plan)).order_by(PlanLine.id))
    return {line.name: line for line in found}


def entries() -> list[OutboxEntry]:
    db.session.remove()
    return list(db.session.scalars(select(OutboxEntry).order_by(OutboxEntry.local_id)))


def named(name: str) -> Contact:
    db.session.remove()
    return db.session.scalars(select(Contact).where(Contact.display_name == name)).one()


def edit(name: str, phone: str = "", **values: str) -> None:
    contact = named(name)
    given = {"phone": [Entry("phone", phone)]} if phone else None
    with transaction():
        contacts.change(contact.id, values, lines=given, version=contact.version, actor=KIM, now=clock.now())


def new(name: str, type_: str = "customer", **values: str) -> int:
    with transaction():
        return add_contact(name, type=type_, **values).id


def open_connection(connection: Connection, read_only: bool = False) -> None:
    with transaction() as session:
        session.execute(update(Connection).where(Connection.id == connection.id).values(read_only=read_only))


def settle(plan: Plan, outcome: str = "done") -> None:
    """As the outbox does when an answer is here."""
    with transaction() as session:
        session.execute(update(OutboxEntry).values(state="done"))
        session.execute(update(PlanLine).where(PlanLine.outcome == "waiting").values(outcome=outcome))


# --- making ---------------------------------------------------------------------------------------------------


def test_a_plan_lists_what_would_be_written_and_only_counts_what_agrees(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    new("Carl Oak")
    new("Dora Ash", "lead")
    plan = made(connection)
    assert (plan.purpose, plan.state, plan.done, plan.total) == ("first", "ready", 3, 3)
    assert plan.counts == {"update": 1, "link": 1, "skip": 1, "others": 1, "field:phone": 1}
    found = lines(plan)
    assert set(found) == {"Amy Fox", "Carl Oak"}
    amy = found["Amy Fox"]
    assert (amy.action, amy.remote_id, amy.amount) == ("update", "1", Decimal("120.50"))
    assert amy.changes == {"phone": ["(816) 555-0101", "816 555 0909"]}
    assert (found["Carl Oak"].action, found["Carl Oak"].reason) == ("skip", STAYS)
    totals = {total.action: (total.lines, total.money) for total in queries.show(plan.id).totals}
    assert totals["update"] == (1, Decimal("120.50")) and totals["link"] == (1, Decimal("0"))


def test_making_a_plan_changes_nothing(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909", company_name="Fox Inc")
    import_(connection, replace(AMY, phones=(replace(AMY.phones[0], text="816 555 0808"),)))
    before = [(entry.id, entry.state, entry.fields, entry.attempts) for entry in entries()]
    base = db.session.scalars(select(Link.base)).all()
    made(connection)
    assert [(entry.id, entry.state, entry.fields, entry.attempts) for entry in entries()] == before
    assert db.session.scalars(select(Link.base)).all() == base


def test_what_the_maker_of_bodies_would_keep_is_rolled_back(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(connection, AMY)
    prepare = Customers.prepare

    def keeps(self: Customers, batch: Any, entries: Any, **more: Any) -> Any:
        batch.session.execute(update(Link).values(version="99"))
        return prepare(self, batch, entries, **more)

    monkeypatch.setattr(Customers, "prepare", keeps)
    made(connection)
    assert db.session.scalars(select(Link.version)).all() == ["0"]


def test_a_plan_goes_on_where_a_killed_worker_stopped(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE", 2)
    for number in range(5):
        new(f"Contact {number}")
    draw, calls = planning.draw, []

    def dies_once(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(*args, **more)

    monkeypatch.setattr(planning, "draw", dies_once)
    with transaction():
        plan = plans.ask(connection.id, actor=KIM, now=clock.now())
    with pytest.raises(KeyboardInterrupt):
        plans.run(plan.id, clock=clock.now)
    assert (fresh(plan).state, len(lines(plan))) == ("making", 2)
    plans.run(id_of(plan), clock=clock.now)
    assert fresh(plan).state == "making", "the lease of the dead worker still stands"
    later = clock.now() + timedelta(minutes=5)
    with transaction():
        assert plans.ring_due(now=later) == [id_of(plan)]
    plans.run(id_of(plan), clock=lambda: later)
    assert (fresh(plan).state, sorted(lines(plan))) == ("ready", [f"Contact {number}" for number in range(5)])


def test_a_worker_that_lost_its_hold_writes_nothing(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    new("Carl Oak")
    with transaction():
        plan = plans.ask(connection.id, actor=KIM, now=clock.now())
    draw = planning.draw

    def slow(*args: Any, **more: Any) -> Any:
        args[0].execute(update(Plan).values(attempts=Plan.attempts + 1))
        return draw(*args, **more)

    monkeypatch.setattr(planning, "draw", slow)
    plans.run(plan.id, clock=clock.now)
    assert fresh(plan).state == "making"


def test_a_defect_ends_the_plan_with_a_sentence_and_it_can_go_on(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new("Carl Oak")
    with transaction():
        plan = plans.ask(connection.id, actor=KIM, now=clock.now())
    with monkeypatch.context() as broken:
        broken.setattr(planning, "draw", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            plans.run(plan.id, clock=clock.now)
    assert fresh(plan).state == "failed" and "our side" in fresh(plan).error
    with transaction():
        plans.retry(id_of(plan), now=clock.now())
    assert worked(plan).state == "ready" and len(lines(plan)) == 1


@pytest.mark.parametrize(
    ("prepare", "action", "words"),
    [
        ({"display_name": "Acme: West"}, "skip", "colon"),
        ({"email": "x" * 110 + "@example.com"}, "skip", "QuickBooks keeps 100"),
        ({"link_state": "review"}, "refuse", "Decide under Matches"),
    ],
)
def test_what_quickbooks_would_refuse_says_so_before(
    connection: Connection,
    prepare: dict[str, str],
    action: str,
    words: str,
) -> None:
    id_ = new("Carl Oak")
    with transaction() as session:
        session.execute(update(Contact).where(Contact.id == id_).values(**prepare))
    [line] = lines(made(connection)).values()
    assert line.action == action and words in line.reason
    [line] = lines(made(connection, [id_])).values()
    assert line.action == "refuse" and words in line.reason


def test_a_name_that_the_books_hold_is_refused_and_can_be_another_one(connection: Connection) -> None:
    import_(connection, replace(AMY, display_name="Carl Oak"))
    id_ = new("CARL OAK")
    plan = made(connection, [id_])
    [line] = lines(plan).values()
    assert line.action == "refuse" and "Carl Oak" in line.reason
    with pytest.raises(Invalid), transaction():
        plans.rename(plan.id, line.id, "carl oak", now=clock.now())
    with transaction():
        plans.rename(plan.id, line.id, " Carl  Oak (C) ", now=clock.now())
    [line] = lines(plan).values()
    assert (line.action, line.changes["display_name"]) == ("create", ["", "Carl Oak (C)"])
    assert fresh(plan).counts == {"refuse": 0, "create": 1}
    open_connection(connection)
    approve(plan)
    [entry] = entries()
    assert (entry.operation, entry.options["display_name"]) == ("create", "Carl Oak (C)")


def test_of_two_contacts_with_one_name_only_the_first_can_be_created(connection: Connection) -> None:
    first, second = new("Carl Oak"), new("carl oak")
    found = {line.local_id: line for line in db.session.scalars(
        select(PlanLine).where(PlanLine.plan_id == made(connection, [first, second]).id))}  # fmt: skip
    assert (found[first].action, found[second].action) == ("create", "refuse")
    assert "same name" in found[second].reason


def test_a_lead_is_created_only_when_it_is_chosen_itself(connection: Connection) -> None:
    id_ = new("Dora Ash", "lead")
    assert lines(made(connection)) == {}
    [line] = lines(made(connection, [id_])).values()
    assert line.action == "create" and "lead" in line.reason


def test_what_cannot_be_written_to_is_skipped_with_its_reason(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    with transaction() as session:
        session.execute(update(Customer).where(Customer.remote_id == "1").values(gone_at=clock.now()))
        session.execute(update(Customer).where(Customer.remote_id == "2").values(active=False))
    found = lines(made(connection))
    assert "deleted or merged" in found["Amy Fox"].reason and "Inactive in QuickBooks" in found["Bea Elm"].reason
    assert {line.action for line in found.values()} == {"skip"}


# --- deciding -------------------------------------------------------------------------------------------------


def test_approving_the_first_plan_with_nothing_opens_the_connection_and_leaves_the_rest(
    connection: Connection,
) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    assert [entry.state for entry in entries()] == ["pending"]
    plan = approve(made(connection), Choice("none"))
    assert (plan.state, plan.approved_by) == ("done", KIM.name)
    assert db.session.get_one(Connection, connection.id).read_only is False
    [line] = lines(plan).values()
    assert (line.approved, line.outcome) == (False, "left")
    [entry] = entries()
    assert entry.state == "skipped" and f"plan {plan.id}" in entry.error, "or it would leave as soon as it may"
    import_(connection, replace(AMY, notes="another", company_name="Fox Inc"))
    assert [entry.state for entry in entries()] == ["skipped"], "what comes in does not send it either"
    actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["plan_approved", "writing_opened"]


def test_what_was_left_is_offered_again_by_the_next_plan(connection: Connection) -> None:
    import_(connection, AMY)
    with transaction() as session:  # changed without an entry of the outbox
        session.execute(update(Contact).values(company_name="Fox Inc"))
    approve(made(connection), Choice("none"))
    import_(connection, replace(AMY, notes="another"))
    assert entries() == []
    plan = made(connection)
    assert plan.purpose == "push" and lines(plan)["Amy Fox"].changes == {"company_name": ["", "Fox Inc"]}
    approve(plan)
    assert [entry.state for entry in entries()] == ["pending"]
    db.session.remove()
    assert db.session.scalars(select(Link.left)).all() == [{}]


def test_unapproved_fields_are_remembered_by_the_approval_itself(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    with transaction() as session:  # changed without an entry of the outbox
        session.execute(update(Contact).values(company_name="Fox Inc", website="https://fox.example"))
    plan = made(connection)
    amy = lines(plan)["Amy Fox"]
    now = clock.now()
    with transaction():
        plans.approve(plan.id, Choice("some", ids=(amy.id,), fields=("website",)), actor=KIM, now=now)
    db.session.remove()
    left = {link.remote_id: link.left for link in db.session.scalars(select(Link))}
    at = now.isoformat()
    assert left == {"1": {"company_name": at}, "2": {"company_name": at, "website": at}}, "before any worker"
    edit("Amy Fox", family_name="Foxx")
    [entry] = entries()
    assert set(entry.fields) == {"family_name"} and "left" not in entry.options
    worked(plan)
    [entry] = entries()
    assert entry.options["left"] == {"company_name": at, "family_name": at}
    assert entry.fields["family_name"] > at, "so that this one goes out after all: it was edited after the approval"


def test_what_waited_is_held_until_its_line_is_carried_out(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = made(connection)
    with transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())
    [entry] = entries()
    assert (entry.state, entry.error) == ("skipped", HELD.format(plan.id))
    worked(plan)
    [entry] = entries()
    assert (entry.state, entry.error, entry.plan_line_id) == ("pending", "", lines(plan)["Amy Fox"].id)


def test_what_a_stopped_plan_held_is_left(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = made(connection)
    with transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())
    with transaction():
        assert plans.stop(plan.id, actor=KIM, now=clock.now()) == 1
    assert worked(plan).state == "done"
    [entry] = entries()
    assert (entry.state, entry.error) == ("skipped", LEFT_HERE.format(plan.id))


def test_what_was_kept_back_is_offered_by_the_next_plan_but_not_what_a_person_skipped(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    edit("Bea Elm", phone="816 555 0808")
    bea = named("Bea Elm").id
    [entry] = [one for one in entries() if one.local_id == bea]
    with transaction():
        parked.skip(entry.id, actor=KIM, now=clock.now())
    approve(made(connection), Choice("none"))
    plan = made(connection)
    found = lines(plan)
    assert (found["Amy Fox"].action, found["Bea Elm"].action) == ("update", "skip")
    approve(plan)
    assert sorted(entry.state for entry in entries()) == ["pending", "skipped"]
    assert lines(plan)["Amy Fox"].outcome == "waiting"


def test_changes_after_a_first_plan_are_counted_and_kept_back(connection: Connection) -> None:
    import_(connection, AMY, BEA, CID)
    edit("Cid Ash", phone="816 555 0707")
    edit("Cid Ash", phone="(816) 555-0103")
    plan = made(connection)
    assert queries.show(plan.id).unseen == 0, "an entry with nothing to write waited before the plan"
    edit("Bea Elm", phone="816 555 0808")
    assert queries.show(plan.id).unseen == 1
    approve(plan)
    states = {entry.local_id: (entry.state, entry.error) for entry in entries()}
    not_shown = ("skipped", NOT_SHOWN.format(plan.id))
    assert states == {named("Bea Elm").id: not_shown, named("Cid Ash").id: ("pending", "")}
    assert queries.show(plan.id).unseen == 1, "and the page goes on saying so"
    assert lines(made(connection))["Bea Elm"].action == "update", "the next plan shows it"


def test_a_plan_that_opens_nothing_keeps_nothing_back(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    approve(made(connection), Choice("none"))
    edit("Amy Fox", phone="816 555 0909")
    plan = made(connection)
    edit("Bea Elm", phone="816 555 0808")
    edit("Amy Fox", company_name="Fox Inc")
    approve(plan)
    assert [(entry.state, entry.options.get("left", {})) for entry in entries()] == [("pending", {})] * 2
    assert queries.show(plan.id).unseen == 0


def test_a_plan_is_approved_once(connection: Connection) -> None:
    plan = approve(made(connection), Choice("none"))
    with pytest.raises(Changed, match="done by kim"), transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())
    with pytest.raises(Changed), transaction():
        plans.discard(plan.id, actor=KIM, now=clock.now())


def test_whoever_saw_another_number_approves_nothing(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = made(connection)
    with pytest.raises(Changed, match="1 such lines by now, not 2"), transaction():
        plans.approve(plan.id, Choice("all", seen=2), actor=KIM, now=clock.now())
    assert fresh(plan).state == "ready" and lines(plan)["Amy Fox"].approved is None
    assert db.session.get_one(Connection, connection.id).read_only is True


def test_only_the_ticked_lines_are_carried_out(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    edit("Bea Elm", phone="816 555 0808")
    plan = made(connection)
    chosen = lines(plan)["Bea Elm"].id
    with pytest.raises(Invalid), transaction():
        plans.approve(plan.id, Choice("some"), actor=KIM, now=clock.now())
    with pytest.raises(Changed), transaction():
        plans.approve(plan.id, Choice("some", ids=(chosen, 10**6)), actor=KIM, now=clock.now())
    plan = approve(plan, Choice("some", ids=(chosen,)))
    found = lines(plan)
    assert (found["Bea Elm"].outcome, found["Amy Fox"].outcome) == ("waiting", "left")
    states = {entry.local_id: (entry.state, entry.trigger) for entry in entries()}
    assert states == {named("Bea Elm").id: ("pending", "plan"), named("Amy Fox").id: ("skipped", "change")}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (LineFilters(field="phone"), {"Amy Fox", "Bea Elm"}),
        (LineFilters(field="company_name"), {"Bea Elm"}),
        (LineFilters(action="update", least=Decimal("100")), {"Amy Fox"}),
        (LineFilters(q="ELM"), {"Bea Elm"}),
        (LineFilters(q="1"), {"Amy Fox"}),
        (LineFilters(action="create"), set()),
    ],
)
def test_a_rule_approves_what_it_shows(connection: Connection, filters: LineFilters, names: set[str]) -> None:
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    edit("Bea Elm", phone="816 555 0808", company_name="Elm Inc")
    plan = made(connection)
    assert plan_lines.approvable(plan.id, filters) == len(names)
    assert {row.line.name for row in plan_lines.lines(plan.id, filters).rows} == names
    if not names:
        with pytest.raises(Invalid), transaction():
            plans.approve(plan.id, Choice("rule", filters=filters), actor=KIM, now=clock.now())
        return
    plan = approve(plan, Choice("rule", filters=filters, seen=len(names)))
    assert {name for name, line in lines(plan).items() if line.approved} == names


def test_other_plans_wait_until_the_first_one_was_approved(connection: Connection) -> None:
    plan = made(connection, [new("Carl Oak")])
    with pytest.raises(Refused, match="first plan"), transaction():
        plans.approve(plan.id, Choice("all"), actor=KIM, now=clock.now())
    approve(made(connection), Choice("none"))
    assert approve(plan).state == "carrying_out"


def test_pausing_makes_it_read_only_again_until_another_first_plan(connection: Connection) -> None:
    approve(made(connection), Choice("none"))
    for _ in range(2):
        with transaction():
            plans.pause_writing(connection.id, actor=KIM, now=clock.now())
    assert db.session.get_one(Connection, connection.id).read_only is True
    paused = select(func.count()).where(AuditEntry.action == "writing_paused")
    assert db.session.scalar(paused) == 1
    assert made(connection).purpose == "first"


# --- carrying out ---------------------------------------------------------------------------------------------


def test_a_plan_is_done_when_every_line_has_an_outcome(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = approve(made(connection))
    assert (plan.state, lines(plan)["Amy Fox"].outcome) == ("carrying_out", "waiting")
    assert worked(plan).state == "carrying_out"
    settle(plan, "parked")
    assert worked(plan).state == "done"


def test_a_line_with_nothing_left_to_do_says_so(connection: Connection) -> None:
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    edit("Bea Elm", phone="816 555 0808")
    id_ = new("Carl Oak")
    plan = made(connection)
    with transaction():
        plans.choose(plan.id, now=clock.now())
    edit("Amy Fox", phone="(816) 555-0101")
    edit("Bea Elm", phone="816 555 0707")
    with transaction() as session:
        session.delete(session.get_one(Contact, id_))
    plan = approve(plan)
    found = lines(plan)
    assert found["Amy Fox"].outcome == "nothing" and "agree" in found["Amy Fox"].outcome_text
    assert found["Bea Elm"].outcome == "waiting" and "changed after the plan" in found["Bea Elm"].outcome_text
    assert found["Carl Oak"].outcome == "nothing" and "gone" in found["Carl Oak"].outcome_text


def test_stopping_leaves_what_was_not_sent(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = approve(made(connection))
    with transaction():
        assert plans.stop(plan.id, actor=KIM, now=clock.now()) == 1
    assert (worked(plan).state, lines(plan)["Amy Fox"].outcome) == ("done", "left")
    assert [entry.state for entry in entries()] == ["skipped"]


def test_an_entry_skipped_by_hand_does_not_hold_the_plan(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = approve(made(connection))
    with transaction() as session:
        session.execute(update(OutboxEntry).values(state="skipped"))
    assert worked(plan).state == "done" and "outbox" in lines(plan)["Amy Fox"].outcome_text


def test_a_second_plan_takes_over_what_the_first_had_not_sent(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    first = approve(made(connection))
    second = approve(made(connection))
    assert lines(first)["Amy Fox"].outcome == "left" and f"Plan {second.id}" in lines(first)["Amy Fox"].outcome_text
    assert worked(first).state == "done" and worked(second).state == "carrying_out"
    assert len(entries()) == 1


# --- asking ---------------------------------------------------------------------------------------------------


def test_asking_twice_makes_one_plan(connection: Connection) -> None:
    with transaction():
        one, two = (plans.ask(connection.id, actor=KIM, now=clock.now()) for _ in range(2))
    assert one.id == two.id


@pytest.mark.parametrize(
    ("ids", "error"), [([], Invalid), ([10**8], NotFound), (list(range(1, plans.MOST + 2)), Invalid)]
)
def test_contacts_that_are_not_there_or_too_many_are_refused(
    connection: Connection,
    ids: list[int],
    error: type[Exception],
) -> None:
    with pytest.raises(error), transaction():
        plans.ask(connection.id, contact_ids=ids, actor=KIM, now=clock.now())


def test_a_disconnected_company_gets_no_plan(connection: Connection) -> None:
    with transaction() as session:
        session.execute(update(Connection).values(state="disconnected"))
    with pytest.raises(Refused, match="disconnected"), transaction():
        plans.ask(connection.id, actor=KIM, now=clock.now())


# --- undo -----------------------------------------------------------------------------------------------------


def created(connection: Connection, now: datetime) -> tuple[Plan, PlanLine]:
    """A plan whose only line created customer 1, which is linked to its contact."""
    import_(connection, replace(AMY, balance=Decimal(0), balance_with_jobs=Decimal(0)))
    contact = named("Amy Fox")
    with transaction() as session:
        plan = Plan(connection_id=connection.id, purpose="push", state="done", available_at=now, created_at=now)
        session.add(plan)
        session.flush()
        line = PlanLine(plan_id=plan.id, kind="customer", local_id=contact.id, remote_id="1", name="Amy Fox",
                        action="create", approved=True, outcome="done")  # fmt: skip
        session.add(line)
    return plan, line


def undo(plan: Plan) -> Plan:
    with transaction():
        back = plans.ask_undo(plan_id=plan.id, actor=KIM, now=clock.now())
    return worked(back)


def test_a_created_customer_with_documents_is_refused_with_what_to_do_instead(connection: Connection) -> None:
    now = clock.now()
    plan, _ = created(connection, now)
    with transaction() as session:
        session.add(Document(connection_id=connection.id, kind="invoice", remote_id="9", customer_remote_id="1",
                             total=Decimal(5), seen_at=now))  # fmt: skip
    [line] = lines(undo(plan)).values()
    assert line.action == "refuse" and "Void or move them there first" in line.reason
    with transaction() as session:
        session.execute(update(Customer).values(balance_with_jobs=Decimal("7.25")))
    [line] = lines(undo(plan)).values()
    assert line.action == "refuse" and "7.25" in line.reason and line.amount == Decimal("7.25")


def test_an_undone_line_says_so_once_the_undo_is_through(connection: Connection) -> None:
    plan, _ = created(connection, clock.now())
    open_connection(connection)
    back = approve(undo(plan))
    assert [(entry.operation, entry.trigger) for entry in entries()] == [("deactivate", "undo")]
    settle(back)
    assert worked(back).state == "done"
    assert lines(plan)["Amy Fox"].outcome == "undone"
    assert queries.show(plan.id).undone_by.id == back.id  # type: ignore[union-attr]
    assert lines(undo(plan)) == {}, "nothing is taken back twice"


def test_a_field_changed_since_on_either_side_stays(connection: Connection) -> None:
    plan, line = created(connection, clock.now())
    old = dict(db.session.scalars(select(Customer.record)).one())
    left = {**old, "company_name": "Fox Inc", "website": "https://fox.example", "family_name": "Fox"}
    with transaction() as session:
        session.execute(update(PlanLine).where(PlanLine.id == line.id).values(
            action="update", before=old, after=left))  # fmt: skip
        now_there = {**left, "website": "https://wolf.example"}
        session.execute(update(Customer).values(record=now_there))
        session.execute(update(Contact).values(company_name="Fox Inc", website="https://fox.example",
                                               family_name="Foxx"))  # fmt: skip
    open_connection(connection)
    back = undo(plan)
    [found] = lines(back).values()
    assert (found.action, found.changes) == ("update", {"company_name": ["Fox Inc", ""]})
    assert "website (was changed in QuickBooks since)" in found.reason
    assert "last name (was changed in Tradebook since)" in found.reason
    approve(back)
    contact = named("Amy Fox")
    assert (contact.company_name, contact.website, contact.family_name) == ("", "https://fox.example", "Foxx")
    [entry] = entries()
    assert (entry.operation, set(entry.fields)) == ("update", {"company_name"})


def test_nothing_is_undone_that_was_not_written(connection: Connection) -> None:
    plan = made(connection)
    with pytest.raises(Refused, match="not carried out"), transaction():
        plans.ask_undo(plan_id=plan.id, actor=KIM, now=clock.now())
    with pytest.raises(NotFound), transaction():
        plans.ask_undo(entry_id=4711, actor=KIM, now=clock.now())


def test_the_sync_log_tells_when_a_plan_was_ready_and_what_came_of_it(connection: Connection) -> None:
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    plan = approve(made(connection))
    settle(plan)
    worked(plan)
    told = select(SyncLogEntry.message).where(SyncLogEntry.event.in_(("plan_ready", "plan_done")))
    assert db.session.scalars(told.order_by(SyncLogEntry.id)).all() == [
        f"Plan {plan.id}. Ready. Lines that would change something: 1.",
        f"Plan {plan.id}. Carried out: done 1.",
    ]


def test_before_the_first_import_nothing_is_planned(connection: Connection) -> None:
    with transaction() as session:
        session.get_one(Connection, connection.id).read_at = {}
    with pytest.raises(Refused, match="not imported yet"), transaction():
        plans.ask(connection.id, actor=Actor(name="Ada", source="person"), now=clock.now())


# --- a kind of record that brings nothing of its own ----------------------------------------------------------


class Gadgets:
    """Goes out; says nothing to plans."""

    def hold(self, session: Any, local_ids: Any) -> None: ...

    def names(self, session: Any, local_ids: Any) -> dict[int, str]:
        return {id_: f"Gadget {id_}" for id_ in local_ids}

    def prepare(self, batch: Any, entries: Any, *, body: Any) -> dict[int, Send]:
        return {entry.id: Send("update", {}, {"price": 1}, {"price": ["1", "2"]}, entry.remote_id) for entry in entries}


def test_another_kind_is_planned_approved_and_sent_like_customers_and_its_undo_says_what_to_do(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OUTGOING, "gadget", Gadgets())  # type: ignore[arg-type]
    monkeypatch.setattr(planning, "going_out", lambda session, connection_id: ["customer", "gadget"])
    import_(connection, AMY)
    edit("Amy Fox", phone="816 555 0909")
    amy = named("Amy Fox").id
    with transaction() as session:
        session.add(Link(connection_id=connection.id, kind="gadget", local_id=amy, remote_id="9",
                         linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip
    plan = made(connection)
    found = lines(plan)
    assert {(line.kind, line.action) for line in found.values()} == {("customer", "update"), ("gadget", "update")}
    [gadget] = [line for line in found.values() if line.kind == "gadget"]
    assert gadget.changes == {"price": ["1", "2"]} and plan_lines.LineView(gadget, None).changes[0][0] == "price"
    plan = approve(plan, Choice("some", ids=(gadget.id,)))
    waiting = [(entry.kind, entry.plan_line_id) for entry in entries() if entry.state == "pending"]
    assert waiting == [("gadget", gadget.id)], "and the customer of the same number stays"
    left = {link.kind: set(link.left) for link in db.session.scalars(select(Link)).all()}
    assert left == {"customer": {"phone"}, "gadget": set()}
    settle(plan)
    with transaction():
        back = plans.ask_undo(plan_id=id_of(plan), actor=KIM, now=clock.now())
    [line] = lines(worked(back)).values()
    assert (line.kind, line.action) == ("gadget", "refuse") and "Change it in Tradebook" in line.reason
