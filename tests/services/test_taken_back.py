"""Fields a plan took from QuickBooks come back here by its undo, exactly as they stood, and nothing of it goes out."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Link, OutboxEntry, Plan, PlanLine
from crm.services.sync.plans import plans
from crm.services.sync.plans.kinds import customer_images
from tests.services.test_plans import KIM, approve, edit, id_of, made, named, worked
from tests.services.test_sync_matching import connection, customer, import_  # noqa: F401

AMY = customer(
    1, "Amy Fox", phone="(816) 555-0101", email="amy@fox.example", company_name="Fox Ltd", given_name="Amy"
)
BOTH = {"company_name": "Our Fox", "given_name": "Amalia"}


def taken(connection: Connection) -> Plan:
    """A first plan, carried out, that took both fields from the books."""
    import_(connection, AMY)
    id_ = named("Amy Fox").id
    with transaction() as session:
        contact = session.get_one(Contact, id_)
        contact.company_name, contact.given_name = BOTH["company_name"], BOTH["given_name"]
        link = session.scalars(select(Link).where(Link.kind == "customer")).one()
        link.base = {name: text for name, text in link.base.items() if name not in BOTH}
    plan = made(connection)
    with transaction():
        assert plans.decide(id_of(plan), "theirs", filters=plans.LineFilters(action="differ"), now=clock.now()) == 2
    plan = approve(plan)
    assert stands() == {"company_name": "Fox Ltd", "given_name": "Amy"} and plan.state == "done"
    return plan


def stands() -> dict[str, str]:
    contact = named("Amy Fox")
    return {name: getattr(contact, name) for name in BOTH}


def undoing(plan: Plan) -> Plan:
    with transaction():
        undo = plans.ask_undo(plan_id=id_of(plan), actor=KIM, now=clock.now())
    return worked(undo)


def lines(plan: Plan) -> dict[str, PlanLine]:
    db.session.remove()
    found = db.session.scalars(select(PlanLine).where(PlanLine.plan_id == id_of(plan)).order_by(PlanLine.id))
    return {next(iter(line.changes), line.reason): line for line in found}


def test_both_fields_come_back_and_never_agreed_again(connection: Connection) -> None:
    plan = taken(connection)
    undo = undoing(plan)
    assert {name: (line.action, line.changes[name][1]) for name, line in lines(undo).items()} == {
        "company_name": ("restore", "Our Fox"), "given_name": ("restore", "Amalia")
    }  # fmt: skip
    assert stands()["company_name"] == "Fox Ltd", "nothing happens before the undo is approved"
    undo = approve(undo)
    assert (undo.state, stands()) == ("done", BOTH)
    assert {line.outcome for line in lines(undo).values()} == {"done"}
    assert {line.outcome for line in lines(plan).values()} == {"undone"}
    assert list(db.session.scalars(select(OutboxEntry))) == [], "QuickBooks keeps its own"
    base = db.session.scalars(select(Link).where(Link.kind == "customer")).one().base
    assert not base.keys() & BOTH.keys()
    import_(connection, AMY)
    assert stands() == BOTH, "an import leaves what never agreed"


def test_what_was_changed_since_stays_and_one_without_an_image_says_what_to_write(connection: Connection) -> None:
    plan = taken(connection)
    edit("Amy Fox", company_name="Fox & Sons")
    other = lines(plan)["given_name"]
    with transaction() as session:
        session.get_one(PlanLine, other.id).before = None
    undo = undoing(plan)
    found = lines(undo)
    assert {line.action for line in found.values()} == {"skip"}
    assert any("changed in Tradebook since" in reason for reason in found)
    assert any("It was “Amalia” here" in reason for reason in found)


def test_what_is_changed_between_seeing_and_doing_stays(connection: Connection) -> None:
    undo = undoing(taken(connection))
    edit("Amy Fox", company_name="Fox & Sons")
    undo = approve(undo)
    found = lines(undo)
    assert (found["company_name"].outcome, found["given_name"].outcome) == ("nothing", "done")
    assert stands() == {"company_name": "Fox & Sons", "given_name": "Amalia"}


def test_lines_come_back_as_they_stood_and_those_of_the_other_kind_stay(connection: Connection) -> None:
    import_(connection, AMY)
    id_ = named("Amy Fox").id
    before = customer_images.image([id_], "phone")[id_]
    edit("Amy Fox", phone="816 555 9999")
    assert customer_images.image([id_], "phone")[id_] != before
    with transaction():
        customer_images.restore(7, id_, "phone", before, actor=KIM, now=clock.now())
    contact = named("Amy Fox")
    assert {point.value for point in contact.points} == {"(816) 555-0101", "amy@fox.example"}
    assert customer_images.image([id_], "phone")[id_] == before and contact.phone == "(816) 555-0101"
