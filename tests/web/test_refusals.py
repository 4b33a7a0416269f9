"""A button that is refused answers on the page it stands on: the sentence on top, what was typed or ticked kept."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from crm import clock
from crm.models import Plan, PlanLine, SyncSettings
from tests.engine_rows import add, ago, company, contact, delivery, entry, sweep

PAUSED = "The sync is paused. Resume it first."


def paused(connection_id: int) -> None:
    add(SyncSettings(connection_id=connection_id, kind="*", version=1, direction="in", paused=True, changed_by="Kim",
                     changed_at=clock.now()))  # fmt: skip


def plan(connection_id: int, state: str = "ready") -> int:
    return add(Plan(connection_id=connection_id, purpose="push", state=state, available_at=clock.now(), total=1,
                    created_at=clock.now(), ready_at=clock.now(), counts={"create": 1}))  # fmt: skip


def plan_line(plan_id: int, contact_id: int) -> int:
    return add(PlanLine(plan_id=plan_id, kind="customer", local_id=contact_id, remote_id="", name="Amy Fox",
                        action="create", changes={}, reason="", outcome="", outcome_text=""))  # fmt: skip


@pytest.fixture
def admin(client: FlaskClient, sign_in: Any) -> FlaskClient:
    sign_in("admin")
    return client


def whole(answer: Any, heading: str) -> str:
    """The text of a whole page with its menu, under that heading, with one refusal that takes the focus."""
    text: str = answer.text
    assert text.count("<h1") == 1 and 'id="nav"' in text, text[:300]
    assert heading in text.split("<h1")[1].split("</h1>")[0]
    assert text.count('role="alert" tabindex="-1" data-focus') == 1
    return text


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["form", "htmx"])
def test_what_the_pause_refuses_is_said_on_the_page_of_the_button(admin: FlaskClient, headers: dict[str, str]) -> None:
    books = company()
    sweep(books)
    paused(books)
    answer = admin.post(f"/sync/{books}/sweep", headers=headers)
    assert answer.status_code == 409 and PAUSED in whole(answer, "Sync")
    assert ("HX-Retarget" in answer.headers) is bool(headers)
    assert "Resume" in answer.text and PAUSED not in admin.get("/sync").text
    answer = admin.post(f"/integrations/{books}/import", data={"from": "engine"}, headers=headers)
    assert answer.status_code == 409 and "Resume it in the sync settings" in whole(answer, "Sync")
    answer = admin.post(f"/integrations/{books}/import", headers=headers)
    assert answer.status_code == 409 and "Resume it in the sync settings" in whole(answer, "Bedrock")


def test_every_button_answers_on_its_own_page(admin: FlaskClient) -> None:
    books, amy = company(), contact("Amy Fox")
    settled = entry(books, amy, "done", settled_at=clock.now())
    waiting = entry(books, amy)
    made, running = plan(books, "done"), plan(books, "ready")
    cases: list[tuple[str, dict[str, Any], int, str, str]] = [
        (f"/sync/outbox/{settled}/do/retry", {}, 409, "Amy Fox", "Somebody has decided about this entry"),
        (f"/sync/outbox/{settled}/adopt", {"remote_id": "1"}, 409, "Amy Fox", "Somebody has decided"),
        ("/sync/outbox/cause?tab=parked", {"cause": "none"}, 404, "Outbox", "There is no such cause."),
        ("/sync/conflicts/bulk", {"choice": "ours"}, 422, "Conflicts", "No open conflict is chosen."),
        (f"/sync/conflicts/contacts/{amy}", {"field": "x", "choice": "ours"}, 404, "Amy Fox", "no such field"),
        ("/sync/proofs", {}, 422, "Proofs", "Say which company is to be proved"),
        (f"/sync/plans/{made}/discard", {}, 409, "#", "it can no longer be discarded"),
        (f"/sync/plans/{running}/approve", {"what": "some"}, 422, "#", "No line is chosen."),
        ("/sync/plans/undo", {"entry_id": waiting}, 409, "Amy Fox", "there is nothing to undo"),
        (f"/sync/settings/{books}/pause", {"kind": "moods"}, 404, "Sync settings", "There is no kind"),
        (f"/integrations/{books}/disconnect", {}, 303, "", ""),
        (f"/integrations/{books}/disconnect", {}, 409, "Bedrock", "is disconnected already"),
        (f"/sync/{books}/sweep", {}, 409, "Sync", "Reconnect it first"),
    ]  # fmt: skip
    for path, form, status, heading, sentence in cases:
        answer = admin.post(path, data=form)
        assert answer.status_code == status, (path, answer.text[-800:])
        if sentence:
            assert sentence in (whole(answer, heading) if heading != "#" else answer.text), path


def test_what_is_not_there_any_more_has_no_page_to_answer_on(admin: FlaskClient) -> None:
    answer = admin.post("/sync/outbox/4711/do/retry")
    assert answer.status_code == 404 and 'id="nav"' not in answer.text and "no such entry" in answer.text


def test_who_may_not_press_a_button_is_not_shown_its_page(client: FlaskClient, sign_in: Any) -> None:
    books = company()
    sign_in("rep")
    answer = client.post(f"/sync/{books}/sweep")
    assert answer.status_code == 403 and "Ask for changes" not in answer.text


def test_a_filter_that_is_no_amount_is_told_beside_it_and_the_lines_are_shown(admin: FlaskClient) -> None:
    books = company()
    made = plan(books)
    plan_line(made, contact("Amy Fox"))
    answer = admin.get(f"/sync/plans/{made}?least=lots&action=create")
    assert answer.status_code == 422 and 'value="lots" aria-invalid="true"' in answer.text
    assert "“lots” is no amount." in answer.text and "Amy Fox" in answer.text
    both = admin.get(f"/sync/plans/{made}?least=lots&field=mood")
    assert both.status_code == 422 and "“mood” is no field" in both.text
    sent = admin.post(f"/sync/plans/{made}/approve", data={"what": "rule", "least": "lots", "action": "create"})
    assert sent.status_code == 422 and 'value="lots" aria-invalid="true"' in sent.text
    download = admin.get(f"/sync/plans/{made}/lines.csv?least=lots")
    assert download.status_code == 422 and "is no amount" in whole(download, "")


def test_what_was_typed_and_ticked_is_still_there(admin: FlaskClient) -> None:
    books, amy = company(), contact("Amy Fox")
    made = plan(books)
    ids = [plan_line(made, amy), plan_line(made, contact("Ben Elm"))]
    renamed = admin.post(f"/sync/plans/{made}/lines/{ids[0]}/name", data={"name": ": " + "x" * 30})
    assert renamed.status_code == 422 and f'value=": {"x" * 30}"' in renamed.text
    assert '<details class="small" open' in renamed.text
    assert renamed.text.count('value="Amy Fox (C)"') == 1  # the other line
    moved = admin.post(f"/sync/plans/{made}/approve", data={"what": "all", "seen": "7", "ids": [ids[1]]})
    assert moved.status_code == 409 and moved.text.count(" checked>") == 1
    parked = entry(books, amy, "parked", cause="duplicate_name", parked_at=ago(hours=1))
    named = admin.post(f"/sync/outbox/{parked}/name", data={"name": "Amy:Fox"})
    assert named.status_code == 422 and 'value="Amy:Fox"' in named.text and 'aria-invalid="true"' in named.text


def test_days_to_read_again_that_cannot_be_read_stay_in_their_fields(admin: FlaskClient) -> None:
    company()
    delivery()
    answer = admin.post("/sync/deliveries/replay", data={"since": "2020-01-01", "until": "soon"})
    assert answer.status_code == 422
    assert 'value="2020-01-01"' in whole(answer, "Deliveries") and 'value="soon"' in answer.text
    none = admin.post("/sync/deliveries/replay", data={"since": "2020-01-01", "until": "2020-01-02"})
    assert none.status_code == 404 and "No delivery arrived in that time." in whole(none, "Deliveries")


def test_a_download_with_filters_that_cannot_be_read_answers_on_its_list(admin: FlaskClient) -> None:
    company()
    for path, heading in (("outbox", "Outbox"), ("deliveries", "Deliveries"), ("log", "Sync log")):
        answer = admin.get(f"/sync/{path}/export.csv?since=soon")
        assert answer.status_code == 422 and 'value="soon"' in whole(answer, heading), path


def test_a_refusal_is_said_once_and_not_on_the_next_page(app: Flask, admin: FlaskClient) -> None:
    books = company(state="needs_reconnect")
    assert admin.post(f"/sync/{books}/sweep").text.count("This connection does not work at present") == 1
    assert "This connection does not work at present" not in admin.get("/sync").text
