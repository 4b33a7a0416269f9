"""The import firewall: what imports make is held from automation until a person releases it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from crm import clock
from crm.db import db, transaction
from crm.models import AuditEntry, AutomationHold, Connection, Contact
from crm.services import automation, contacts
from tests.services.test_contact_merges import KIM, make, merge
from tests.services.test_sync_matching import connection, customer, import_  # noqa: F401
from tests.web.test_contact_imports import run, upload


def test_contacts_of_a_quickbooks_import_are_held_and_those_made_here_are_not(
    connection: Connection  # noqa: F811
) -> None:
    ours = make("Ann Lee")
    done = import_(connection, customer(1, "Bo Grant"), customer(2, "Cy Hill"))
    held = set(db.session.scalars(select(AutomationHold.contact_id)))
    assert len(held) == 2 and ours not in held
    assert automation.may_act([ours, *held]) == {ours}
    with transaction():
        assert automation.release_import("quickbooks", done.id, actor=KIM, now=clock.now()) == 2
        assert automation.release_import("quickbooks", done.id, actor=KIM, now=clock.now()) == 0
    assert automation.may_act([ours, *held]) == {ours, *held}
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "automation_released")).one()
    assert "2 contacts of QuickBooks import" in entry.summary and entry.actor == "kim@example.com"


def test_an_import_holds_its_contacts_with_the_same_statements_however_many(connection: Connection) -> None:  # noqa: F811
    statements: list[str] = []

    def note(conn, cursor, statement, parameters, context, executemany) -> None:  # type: ignore[no-untyped-def]
        if "automation_holds" in statement and statement.startswith("INSERT"):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        import_(connection, *(customer(n, f"Person Number {n}") for n in range(1, 40)))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(statements) == 1 and len(db.session.scalars(select(AutomationHold.contact_id)).all()) == 39


def test_an_archived_contact_is_not_acted_on_and_merging_leaves_the_survivor_free(app: Flask) -> None:
    one, other = make("Ann Lee"), make("Ann Lee-Moss")
    with transaction():
        automation.hold([other], source="file", source_id=1, now=clock.now())
    merge(one, other)
    assert automation.may_act([one, other]) == {one}
    with transaction():
        contacts.archive(one, actor=KIM, now=clock.now())
    assert automation.may_act([one, 999]) == frozenset()


@pytest.fixture
def imported(client: FlaskClient, sign_in) -> int:  # type: ignore[no-untyped-def]
    """A file with two contacts, imported. -> its id"""
    sign_in("rep")
    id_ = upload(client, "Who,City\nAnna,Atlanta\nBen,Macon\n")
    client.post(f"/contacts/imports/{id_}", data={"map-0": "display_name", "map-1": "city", "duplicates": "update",
                                                   "start": "1"})  # fmt: skip
    run(id_)
    return id_


def test_a_file_import_says_how_many_are_held_and_releases_them_together(client: FlaskClient, imported: int) -> None:
    page = client.get(f"/contacts/imports/{imported}").text
    assert "2 contacts are held from automation" in page and f"made_by=file-{imported}" in page
    assert client.post(f"/contacts/release/file/{imported}").status_code == 303
    assert "held from automation" not in client.get(f"/contacts/imports/{imported}").text.replace("released", "")


def test_held_contacts_are_a_filter_of_the_list_and_are_released_one_by_one_or_chosen(
    client: FlaskClient, imported: int
) -> None:
    make("Made Here")
    page = client.get("/contacts?held=1").text
    assert "Anna" in page and "Ben" in page and "Made Here" not in page
    assert "Made Here" not in client.get(f"/contacts?made_by=file-{imported}").text
    assert "Anna" not in client.get("/contacts?made_by=quickbooks-1").text
    ids = {name: id_ for id_, name in db.session.execute(select(Contact.id, Contact.display_name))}
    assert "Held from automation" in client.get(f"/contacts/{ids['Anna']}").text
    client.post(f"/contacts/{ids['Anna']}/release")
    assert "Held from automation" not in client.get(f"/contacts/{ids['Anna']}").text
    answer = client.post("/contacts/bulk", data={"deed": "release", "ids": [ids["Ben"]], "held": "1"})
    assert answer.status_code == 303
    db.session.remove()
    assert automation.may_act(ids.values()) == set(ids.values())
