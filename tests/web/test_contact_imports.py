"""Importing a file in the browser: upload, look, run, watch, download, undo."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.models import Contact, ContactImport, User
from crm.services import contact_imports as imports

FILE = "Who,E-mail,City\nAnna,anna@example.com,Atlanta\nBen,no address,Macon\n"


@pytest.fixture
def rep(sign_in: Any) -> User:
    return sign_in("rep")


def upload(client: FlaskClient, text: str = FILE) -> int:
    data = {"file": (io.BytesIO(text.encode()), "/home/fakepath/list.csv")}
    answer = client.post("/contacts/imports", data=data, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text
    return int(answer.location.rpartition("/")[2])


def run(import_id: int) -> None:
    db.session.rollback()
    imports.run(import_id, clock=clock.now)


def test_nothing_is_stored_before_the_columns_were_looked_at(client: FlaskClient, rep: User) -> None:
    import_id = upload(client)
    page = client.get(f"/contacts/imports/{import_id}").text
    assert "list.csv" in page and "fakepath" not in page
    assert "anna@example.com" in page and "Refused" in page and "is not an e-mail address" in page
    assert db.session.query(Contact).count() == 0


def test_a_column_is_chosen_the_preview_follows_and_the_import_runs(client: FlaskClient, rep: User) -> None:
    import_id = upload(client)
    url = f"/contacts/imports/{import_id}"
    choice = {"map-0": "display_name", "map-1": "email", "map-2": "city", "duplicates": "update", "owner": str(rep.id)}
    assert client.post(url, data=choice | {"look": "1"}).status_code == 303
    assert "Anna" in client.get(url).text
    assert client.post(url, data=choice | {"start": "1"}).status_code == 303
    waiting = client.get(url, headers={"HX-Request": "true"}).text
    assert "Waiting for a worker" in waiting and "every 1s" in waiting and "<html" not in waiting
    run(import_id)
    done = client.get(url).text
    assert "The import is done" in done and "every 1s" not in done and "Undo the import" in done
    reasons = client.get(f"{url}/reasons.csv")
    assert "no address" in reasons.text and reasons.mimetype == "text/csv"
    assert client.get("/contacts?q=anna").text.count("Anna") > 0
    client.post(f"{url}/undo")
    run(import_id)
    assert "The import is undone" in client.get(url).text
    db.session.rollback()
    assert db.session.query(Contact).count() == 0


def test_choices_that_make_no_sense_are_sent_back_with_a_sentence(client: FlaskClient, rep: User) -> None:
    url = f"/contacts/imports/{upload(client)}"
    nobody = client.post(url, data={"map-2": "city", "duplicates": "update", "start": "1"})
    assert nobody.status_code == 422 and "No column says who the contact is" in nobody.text
    twice = client.post(url, data={"map-0": "display_name", "map-2": "display_name", "duplicates": "update"})
    assert twice.status_code == 422 and "chosen for two columns" in twice.text
    assert db.session.query(ContactImport).one().state == "uploaded"


@pytest.mark.parametrize("text", ["", "Name\n", "PK\x03\x04"])
def test_a_file_that_is_no_list_is_sent_back(client: FlaskClient, rep: User, text: str) -> None:
    data = {"file": (io.BytesIO(text.encode()), "x.csv")}
    assert client.post("/contacts/imports", data=data, content_type="multipart/form-data").status_code == 422
    assert client.post("/contacts/imports", data={}).status_code == 422


def test_a_file_can_be_discarded_before_but_not_after_its_import(client: FlaskClient, rep: User) -> None:
    url = f"/contacts/imports/{upload(client)}"
    assert client.post(f"{url}/discard").status_code == 303
    assert client.get(url).status_code == 404
    import_id = upload(client)
    choice = {"map-0": "display_name", "duplicates": "create", "start": "1"}
    client.post(f"/contacts/imports/{import_id}", data=choice)
    run(import_id)
    assert client.post(f"/contacts/imports/{import_id}/discard").status_code == 400
    assert client.post(f"/contacts/imports/{import_id}", data=choice).status_code == 400


def test_a_bookkeeper_imports_nothing(client: FlaskClient, sign_in: Any) -> None:
    sign_in("bookkeeper")
    assert client.get("/contacts/imports").status_code == 403
    assert client.post("/contacts/imports", data={}).status_code == 403


def test_the_list_of_files_is_searched_filtered_sorted_paged_and_exported(
    client: FlaskClient, rep: User, make_user: Any
) -> None:
    assert "No files yet" in client.get("/contacts/imports").text
    kim = make_user("rep", name="Kim Berg", email="kim@example.com")
    with transaction() as session:
        for n in range(52):
            session.add(ContactImport(
                filename=f"leads {n:02}.csv", state="cancelled" if n == 7 else "done", total=n,
                counts={"created": n}, created_by_id=kim.id if n == 9 else rep.id, created_at=clock.now(),
            ))  # fmt: skip
    first = client.get("/contacts/imports").text
    assert "leads 51.csv" in first and "leads 01.csv" not in first and "page=2" in first
    assert "leads 01.csv" in client.get("/contacts/imports?page=2").text
    by_kim = client.get("/contacts/imports?q=BERG").text
    assert "leads 09.csv" in by_kim and by_kim.count("data-row-link") == 1
    stopped = client.get("/contacts/imports?state=stopped").text
    assert "leads 07.csv" in stopped and stopped.count("data-row-link") == 1 and "Cancelled" in stopped
    assert client.get("/contacts/imports?sort=rows").text.index("leads 00") > 0
    assert "Nothing found" in client.get("/contacts/imports?q=nowhere").text
    text = client.get("/contacts/imports/export.csv?q=leads%2009").text.lstrip("\ufeff")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["File"], line["By"], line["Created"]) for line in lines] == [("leads 09.csv", "Kim Berg", "9")]


def test_a_running_import_is_cancelled_from_its_page(client: FlaskClient, rep: User) -> None:
    import_id = upload(client)
    url = f"/contacts/imports/{import_id}"
    choice = {"map-0": "display_name", "duplicates": "update", "start": "1"}
    assert client.post(url, data=choice).status_code == 303
    assert "Cancel import" in client.get(url).text
    assert client.post(f"{url}/cancel").status_code == 303
    page = client.get(url).text
    assert "The import was cancelled" in page and "Go on" in page and "every 1s" not in page
