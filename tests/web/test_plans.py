"""The pages of plans: who may see them, what they show and offer, and what they refuse."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Link, OutboxEntry, Plan, PlanLine, SyncRun
from crm.services.sync import settings
from crm.services.sync.plans import plans
from crm.services.sync.plans.importing import is_planned
from crm.services.sync.plans.plans import Choice
from tests.flows.test_import_plans import planned_import
from tests.services.test_plans import (
    AMY,
    BEA,
    KIM,
    edit,
    entries,
    id_of,
    lines,
    made,
    named,
    new,
    open_connection,
    settle,
    worked,
)
from tests.services.test_sync_matching import connection, have, import_  # noqa: F401


@pytest.fixture
def plan(connection: Connection) -> Plan:
    """A first plan: an update with a balance, an update of two fields, a contact that would stay here."""
    import_(connection, AMY, BEA)
    edit("Amy Fox", phone="816 555 0909")
    edit("Bea Elm", phone="816 555 0808", company_name="Elm <Inc>")
    new("Carl Oak")
    return made(connection)


@pytest.fixture
def admin(client: FlaskClient, sign_in) -> FlaskClient:
    sign_in("admin")
    return client


def address(plan: Plan, rest: str = "") -> str:
    return f"/sync/plans/{id_of(plan)}{rest}"


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_plans_are_for_admins(client: FlaskClient, sign_in, plan: Plan, role: str) -> None:
    sign_in(role)
    assert client.get("/sync/plans").status_code == 403
    assert client.get(address(plan)).status_code == 403
    for rest in ("/approve", "/discard", "/create", "/undo", "/stop", "/retry"):
        assert client.post(address(plan, rest), data={"what": "all"}).status_code == 403
    assert client.post("/sync/plans/contacts", data={"ids": "1"}).status_code == 403
    assert db.session.get_one(Plan, id_of(plan)).state == "ready"
    contact = client.get(f"/contacts/{named('Carl Oak').id}").text
    assert "Create in QuickBooks" not in contact


def test_the_plan_shows_what_would_be_written_with_money_and_that_the_books_are_safe(
    admin: FlaskClient, plan: Plan
) -> None:
    page = admin.get(address(plan)).text
    for text in ("The books are safe", "(816) 555-0101", "816 555 0909", "$120.50", "Elm &lt;Inc&gt;",
                 "Stays in Tradebook", "Approve all 2 lines", "Open for writing, but write nothing",
                 "Also create 1 customer"):  # fmt: skip
        assert text in page, text
    assert "every 2s" not in page and "What happened" not in page


def test_filters_stand_in_the_address_and_downloads_keep_to_them(admin: FlaskClient, plan: Plan) -> None:
    page = admin.get(address(plan, "?field=company_name")).text
    assert "Bea Elm" in page and "Amy Fox" not in page and "Approve only the company of these 1" in page
    page = admin.get(address(plan, "?least=100")).text
    assert "Amy Fox" in page and "Bea Elm" not in page and "Approve these 1 line, leave the rest" in page
    csv = admin.get(address(plan, "/lines.csv?field=company_name")).text
    assert "Bea Elm" in csv and "company: nothing -> Elm <Inc>" in csv and "Amy Fox" not in csv
    assert "No line of this plan fits" in admin.get(address(plan, "?q=nobody")).text
    assert admin.get(address(plan, "?sort=-amount")).text.index("Amy Fox") > 0


@pytest.mark.parametrize("query", ["least=ten", "field=shoe"])
def test_a_filter_that_means_nothing_is_refused_with_a_sentence(admin: FlaskClient, plan: Plan, query: str) -> None:
    answer = admin.get(address(plan, f"?{query}"))
    assert answer.status_code == 422 and query.split("=")[1] in answer.text


def test_one_that_is_being_made_looks_again_by_itself(admin: FlaskClient, connection: Connection) -> None:
    with transaction():
        made_ = plans.ask(connection.id, actor=KIM, now=clock.now())
    page = admin.get(address(made_)).text
    assert "Being made" in page and 'hx-trigger="every 2s"' in page and "no call to QuickBooks" in page
    piece = admin.get(address(made_), headers={"HX-Request": "true"}).text
    assert "<html" not in piece and 'id="plan"' in piece
    worked(made_)
    assert 'hx-trigger="every 2s"' not in admin.get(address(made_)).text


def test_approving_all_opens_the_connection_and_shows_what_becomes_of_it(admin: FlaskClient, plan: Plan) -> None:
    answer = admin.post(address(plan, "/approve"), data={"what": "all", "seen": "2"})
    assert (answer.status_code, answer.location) == (303, address(plan))
    page = admin.get(address(plan)).text
    assert "Being carried out" in page and "0 of 2 lines" in page and "Stop" in page
    worked(plan)
    assert "On its way" in admin.get(address(plan)).text
    settle(plan)
    worked(plan)
    page = admin.get(address(plan)).text
    assert "Carried out" in page and "Undo" in page and "Done 2" in page
    shown = admin.get(f"/integrations/{plan.connection_id}").text
    assert "Pause writing" in shown and "books are safe" not in shown


def test_what_was_changed_since_the_plan_is_told_before_and_after_the_approval(admin: FlaskClient, plan: Plan) -> None:
    assert "Changed after this plan" not in admin.get(address(plan)).text
    edit("Amy Fox", phone="816 555 0606", company_name="Fox Inc")
    page = admin.get(address(plan)).text
    assert "Changed after this plan was asked for: 1 contact" in page and "Make the plan anew" in page
    admin.post(address(plan, "/approve"), data={"what": "all"})
    worked(plan)
    page = admin.get(address(plan)).text
    assert "Changed after this plan" not in page and "not approved with it: company" in page


def test_a_plan_approved_twice_or_seen_otherwise_is_409(admin: FlaskClient, plan: Plan) -> None:
    answer = admin.post(address(plan, "/approve"), data={"what": "all", "seen": "7"})
    assert answer.status_code == 409 and "not 7" in answer.text
    assert admin.post(address(plan, "/approve"), data={"what": "none"}).status_code == 303
    for rest in ("/approve", "/create", "/discard"):
        assert admin.post(address(plan, rest), data={"what": "all"}).status_code == 409


@pytest.mark.parametrize(
    ("rest", "data", "word"),
    [
        ("/approve", {"what": "some"}, "Tick"),
        ("/approve", {"what": "everything"}, "Say what to approve"),
        ("/approve", {"what": "all", "seen": "two"}, "seen"),
        ("/approve", {"what": "rule", "action": "deactivate"}, "No line"),
        ("/create", {"what": "some"}, "Tick"),
    ],
)
def test_what_cannot_be_approved_is_422(
    admin: FlaskClient, plan: Plan, rest: str, data: dict[str, str], word: str
) -> None:
    answer = admin.post(address(plan, rest), data=data)
    assert answer.status_code == 422 and word in answer.text
    assert db.session.get_one(Plan, id_of(plan)).state == "ready"


def test_only_the_phones_are_approved_by_rule(admin: FlaskClient, plan: Plan) -> None:
    answer = admin.post(address(plan, "/approve"), data={"what": "rule-field", "field": "phone", "seen": "2"})
    assert answer.status_code == 303
    assert {name: line.fields for name, line in lines(plan).items() if line.approved} == {
        "Amy Fox": ["phone"], "Bea Elm": ["phone"],
    }  # fmt: skip
    worked(plan)
    left = {entry.local_id: set(entry.options["left"]) for entry in entries()}
    assert left == {named("Amy Fox").id: set(), named("Bea Elm").id: {"company_name"}}
    assert "left as" in admin.get(address(plan)).text


def test_contacts_that_would_stay_can_be_chosen_and_named(admin: FlaskClient, plan: Plan) -> None:
    line = lines(plan)["Carl Oak"]
    answer = admin.post(address(plan, "/create"), data={"what": "some", "ids": str(line.id)})
    assert answer.location == address(plan, "?action=create")
    assert "Approve all 3 lines" in admin.get(address(plan)).text
    renamed = admin.post(address(plan, f"/lines/{line.id}/name"), data={"name": "Carl Oak (C)"})
    assert renamed.status_code == 303 and "Carl Oak (C)" in admin.get(address(plan)).text
    assert admin.post(address(plan, f"/lines/{line.id}/name"), data={"name": " "}).status_code == 422
    assert admin.post(address(plan, f"/lines/{line.id}/name"), data={"name": "a:b"}).status_code == 422
    assert admin.post(address(plan, "/lines/987654/name"), data={"name": "x"}).status_code == 404


def test_a_contact_is_created_from_its_page_by_a_plan(admin: FlaskClient, connection: Connection) -> None:
    id_ = new("Carl Oak")
    page = admin.get(f"/contacts/{id_}").text
    assert "Create in QuickBooks" in page
    answer = admin.post("/sync/plans/contacts", data={"ids": str(id_)})
    plan = db.session.scalars(select(Plan)).one()
    assert answer.location == address(plan) and plan.scope["contact_ids"] == [id_]
    worked(plan)
    shown = admin.get(address(plan)).text
    assert "Name: " in shown and "<b>Carl Oak</b>" in shown
    assert "QuickBooks is read-only" in shown and "Approve all" not in shown
    refused = admin.post(address(plan, "/approve"), data={"what": "all"})
    assert refused.status_code == 409 and "first plan" in refused.text
    open_connection(connection)
    assert "Approve all 1 line" in admin.get(address(plan)).text
    assert admin.post(address(plan, "/approve"), data={"what": "all", "seen": "1"}).status_code == 303
    worked(plan)
    assert [(entry.operation, entry.local_id) for entry in entries()] == [("create", id_)]


def test_the_list_of_contacts_plans_the_ticked_or_all_that_match(admin: FlaskClient, connection: Connection) -> None:
    first, second = new("Carl Oak"), new("Dora Ash", "lead")
    page = admin.get("/contacts").text
    assert 'formaction="/sync/plans/contacts"' in page
    admin.post("/sync/plans/contacts", data={"all": "1", "type": "customer", "ids": str(second)})
    assert [plan.scope["contact_ids"] for plan in db.session.scalars(select(Plan))] == [[first]]
    assert admin.post("/sync/plans/contacts", data={}).status_code == 422


def test_without_a_company_nothing_can_be_planned(admin: FlaskClient, app) -> None:
    answer = admin.post("/sync/plans")
    assert answer.status_code == 409 and "Connect QuickBooks first" in answer.text
    assert "Connect a company first" in admin.get("/sync/plans").text
    assert admin.get("/sync/plans/4711").status_code == 404


def test_the_list_says_the_books_are_safe_and_finds_sorts_and_downloads(
    admin: FlaskClient,
    plan: Plan,
    connection: Connection,
) -> None:
    page = admin.get("/sync/plans").text
    assert "The books of Bedrock are safe" in page and "Make the first plan" in page and f">#{id_of(plan)}<" in page
    assert f">#{id_of(plan)}<" not in admin.get("/sync/plans?state=done").text
    assert "Nothing found" in admin.get("/sync/plans?q=nobody").text
    for sort in ("made", "-state", "purpose", "who", "-company", "nonsense"):
        assert f">#{id_of(plan)}<" in admin.get(f"/sync/plans?sort={sort}&q=KIM&purpose=first").text
    assert "First plan,Waits for you,kim@example.com" in admin.get("/sync/plans/plans.csv").text
    open_connection(connection)
    assert "Bedrock is written to" in admin.get("/sync/plans").text


def test_a_plan_is_discarded_or_stopped(admin: FlaskClient, plan: Plan, connection: Connection) -> None:
    assert admin.post(address(plan, "/discard")).location == "/sync/plans"
    assert "was discarded" in admin.get(address(plan)).text
    again = made(connection)
    admin.post(address(again, "/approve"), data={"what": "all"})
    worked(again)
    assert admin.post(address(again, "/stop")).status_code == 303
    worked(again)
    assert {line.outcome for line in lines(again).values() if line.action == "update"} == {"left"}
    assert admin.post(address(again, "/stop")).status_code == 409


def test_writing_is_paused_by_a_button(admin: FlaskClient, connection: Connection) -> None:
    open_connection(connection)
    answer = admin.post(f"/sync/plans/connections/{connection.id}/pause")
    assert answer.location == f"/integrations/{connection.id}"
    db.session.remove()
    assert db.session.get_one(Connection, connection.id).read_only is True
    assert admin.post("/sync/plans/connections/4711/pause").status_code == 404
    shown = admin.get(f"/integrations/{connection.id}").text
    assert "Your books are safe" in shown and "Pause writing" not in shown


def test_an_undo_is_shown_before_anything_is_taken_back(admin: FlaskClient, plan: Plan) -> None:
    assert admin.post(address(plan, "/undo")).status_code == 409
    admin.post(address(plan, "/approve"), data={"what": "all"})
    worked(plan)
    settle(plan)
    worked(plan)
    with transaction() as session:
        entry = session.scalars(select(OutboxEntry).order_by(OutboxEntry.id)).first()
        session.execute(update(PlanLine).values(after=None))
        entry_id = entry.id
    answer = admin.post(address(plan, "/undo"))
    back = worked(db.session.scalars(select(Plan).where(Plan.purpose == "undo")).one())
    assert answer.location == address(back)
    page = admin.get(address(back)).text
    assert "puts the old values back on both sides" in page and "how we had left it is not known" in page
    assert f"Undo: plan #{id_of(back)}" in admin.get(address(plan)).text
    by_entry = admin.post("/sync/plans/undo", data={"entry_id": str(entry_id)})
    assert re.fullmatch(r"/sync/plans/\d+", by_entry.location)
    assert admin.post("/sync/plans/undo", data={"entry_id": "x"}).status_code == 422
    assert admin.post("/sync/plans/undo", data={"entry_id": "4711"}).status_code == 404


def test_a_failed_plan_offers_to_go_on(admin: FlaskClient, plan: Plan) -> None:
    with transaction() as session:
        session.execute(update(Plan).values(state="failed", error=plans.plan_work.FAILED))
    assert "Try again" in admin.get(address(plan)).text
    admin.post(address(plan, "/retry"))
    db.session.remove()
    assert db.session.get_one(Plan, id_of(plan)).state == "making"


def test_a_parked_line_leads_to_the_outbox(admin: FlaskClient, plan: Plan) -> None:
    with transaction():
        plans.approve(id_of(plan), Choice("all"), actor=KIM, now=clock.now())
    worked(plan)
    with transaction() as session:
        session.execute(update(OutboxEntry).values(state="parked"))
        session.execute(update(PlanLine).where(PlanLine.outcome == "waiting").values(outcome="parked"))
    entry = entries()[0]
    page = admin.get(address(plan, "?outcome=parked")).text
    assert f'href="/sync/outbox/{entry.id}"' in page and "Parked" in page


def test_a_plan_says_when_the_settings_do_not_let_anything_out(
    admin: FlaskClient, plan: Plan, connection: Connection
) -> None:
    assert "Customers are not written just now" not in admin.get(address(plan)).text
    with transaction() as session:
        settings.pause(session, connection.id, "customer", actor=KIM, now=clock.now())
    assert "Customers are not written just now" in admin.get(address(plan)).text


# --- an import, planned first ---------------------------------------------------------------------------------


@pytest.fixture
def import_plan(connection: Connection) -> Plan:
    """Amy would be linked, Bea be made."""
    have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    return planned_import(connection, AMY, BEA)


def test_an_import_can_be_asked_for_its_plan_where_it_is_started(admin: FlaskClient, connection: Connection) -> None:
    page = admin.get(f"/integrations/{connection.id}").text
    assert "See the plan first" in page
    answer = admin.post(f"/integrations/{connection.id}/import", data={"plan": "first"})
    run = db.session.scalars(select(SyncRun)).one()
    assert answer.status_code == 303 and is_planned(run)
    assert "Plan of what would change" in admin.get(f"/integrations/runs/{run.id}").text


def test_the_import_leads_to_its_plan_and_the_plan_says_that_nothing_was_touched(
    admin: FlaskClient, import_plan: Plan
) -> None:
    run = db.session.scalars(select(SyncRun)).one()
    result = admin.get(f"/integrations/runs/{run.id}").text
    assert f'href="/sync/plans/{id_of(import_plan)}"' in result and "contacts that were here" not in result
    page = admin.get(address(import_plan)).text
    for text in ("No contact has been touched", "$120.50", "Belongs to “Amy Fox”", "New contact", "Approve all 2 lines",
                 "Sales so far", "Discard"):  # fmt: skip
        assert text in page, text
    assert "Open for writing" not in page and "QuickBooks is read-only" not in page
    assert "contacts/0" not in page


def test_approving_the_plan_of_an_import_leaves_the_books_read_only_and_offers_its_undo(
    admin: FlaskClient, import_plan: Plan
) -> None:
    assert admin.post(address(import_plan, "/approve"), data={"what": "all", "seen": "2"}).status_code == 303
    worked(import_plan)
    page = admin.get(address(import_plan)).text
    assert "Carried out" in page and "Undo…" in page
    assert db.session.scalars(select(Connection)).one().read_only
    assert "Bea Elm" in admin.get("/contacts").text
    listed = admin.get("/sync/plans").text
    assert 'data-label="Create" class="num">1<' in listed and 'data-label="Change" class="num">1<' in listed


def test_a_plan_is_shown_as_done_as_soon_as_its_last_line_is(admin: FlaskClient, plan: Plan) -> None:
    admin.post(address(plan, "/approve"), data={"what": "all"})
    worked(plan)
    assert "Being carried out" in admin.get(address(plan)).text
    settle(plan)
    assert db.session.get_one(Plan, id_of(plan)).state == "carrying_out", "its worker has not looked again yet"
    page = admin.get(address(plan)).text
    assert "Carried out" in page and "Being carried out" not in page and 'hx-trigger="every' not in page


# --- what both sides never agreed on --------------------------------------------------------------------------


@pytest.fixture
def differing_plan(connection: Connection) -> Plan:
    """A first plan in which the company of both Amy and Bea differs, and was never agreed on."""
    import_(connection, replace(AMY, company_name="Fox Inc"), replace(BEA, company_name="Elm Inc"))
    with transaction() as session:
        for link in session.scalars(select(Link)):
            link.base = {name: text for name, text in link.base.items() if name != "company_name"}
        session.execute(update(Contact).values(company_name="Ours"))
    return made(connection)


def test_what_differs_is_decided_by_rule_and_singly_where_it_is_shown(
    admin: FlaskClient, differing_plan: Plan
) -> None:
    page = admin.get(address(differing_plan)).text
    assert "both sides never agreed" in page and "Approve all" not in page
    page = admin.get(address(differing_plan, "?field=company_name")).text
    for text in ("Use QuickBooks’ for all these 2 company fields", "QuickBooks says Fox Inc", "here stands Ours"):
        assert text in page, text
    where = address(differing_plan, "/differences")
    admin.post(where, data={"choice": "theirs-rule", "field": "company_name"})
    assert {line.action for line in lines(differing_plan).values()} == {"take_theirs"}
    amy = lines(differing_plan)["Amy Fox"]
    admin.post(where, data={"choice": "ours", "ids": amy.id})
    assert {name: line.action for name, line in lines(differing_plan).items()} == {
        "Amy Fox": "send_ours", "Bea Elm": "take_theirs"
    }  # fmt: skip
    admin.post(where, data={"choice": "leave", "ids": amy.id})
    assert "Approve all 1 line" in admin.get(address(differing_plan)).text
    assert admin.post(where, data={"choice": "ours"}).status_code == 422
    assert admin.post(where, data={"choice": "both", "ids": amy.id}).status_code == 422
    admin.post(address(differing_plan, "/approve"), data={"what": "all"})
    worked(differing_plan)
    assert (named("Bea Elm").company_name, named("Amy Fox").company_name) == ("Elm Inc", "Ours")


def test_a_line_leads_to_the_page_of_what_it_is_about(admin: FlaskClient, plan: Plan) -> None:
    with transaction():
        about = {"kind": "invoice", "local_id": 77, "remote_id": "145", "name": "1045"}
        db.session.add(PlanLine(plan_id=id_of(plan), action="skip", **about))
    page = admin.get(address(plan)).text
    assert 'href="/invoices/77"' in page and "Invoice, QuickBooks no.&nbsp;145" in page
    assert f'href="/contacts/{named("Amy Fox").id}"' in page
