"""The page of the sync settings: by plain forms, nothing typed is lost, nothing of somebody else is overwritten."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.domain import policies
from crm.models import Connection, Sweep, User
from crm.services.audit import Actor
from crm.services.sync import settings

SASHA = Actor("sasha@example.com", shown_as="Sasha")


@pytest.fixture
def company(client: FlaskClient, sign_in: Callable[..., User]) -> int:
    sign_in("admin")
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f", state="connected", connected_at=clock.now(),
            company_name="Bedrock Foundation Repair",
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def now_of(company: int, kind: str = "customer") -> settings.Setting:
    db.session.remove()
    return settings.current(db.session(), company, kind)


def form(version: int = 0, **chosen: str) -> dict[str, str]:
    """The customers' form as the page draws it, with these choices."""
    rules = {f"rule-{name}": rule for name, rule in policies.defaults("customer").items()}
    return {"version": str(version), "direction": "both", **rules, **chosen}


def test_the_page_shows_every_kind_its_way_and_the_mapping(client: FlaskClient, company: int) -> None:
    page = client.get("/sync/settings").text
    for words in (
        "Bedrock Foundation Repair", "Customers", "Invoices", "Credit memos", "PrimaryPhone", "Newest wins",
        "The later of the two changes wins",
        "As by default", "Your books are safe", "No custom field of sales forms is switched on in QuickBooks",
    ):  # fmt: skip
        assert words in page
    assert page.count('value="both"') == sum("both" in ways for ways in settings.ways(company).values())
    assert "Credit memos are not written to QuickBooks yet." in page


def test_without_a_company_it_says_what_to_do(client: FlaskClient, sign_in: Callable[..., User]) -> None:
    sign_in("admin")
    assert "No company connected yet" in client.get("/sync/settings").text


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_and_change_them(
    client: FlaskClient, company: int, sign_in: Callable[..., User], role: str
) -> None:
    sign_in(role)
    assert client.get("/sync/settings").status_code == 403
    assert client.post(f"/sync/settings/{company}/pause", data={"kind": "*"}).status_code == 403
    assert not now_of(company).stopped


def test_direction_and_rules_are_saved_and_told_with_who_and_when(client: FlaskClient, company: int) -> None:
    sent = form(direction="in", **{"rule-phone": "quickbooks", "rule-email.emptied": "ours"})
    answer = client.post(f"/sync/settings/{company}/kinds/customer", data=sent)
    assert answer.status_code == 303
    found = now_of(company)
    assert found.direction == "in"
    assert found.overrides == {"phone": "quickbooks", "email.emptied": "ours"}
    page = client.get(answer.location).text
    assert "Both ways → From QuickBooks only; " in page
    assert "Phone: Newest wins → QuickBooks wins" in page
    assert "Version 1" in page


def test_each_kind_is_a_line_in_words_until_it_is_opened(client: FlaskClient, company: int) -> None:
    def line(kind: str, query: str = "") -> tuple[bool, str]:
        """Whether it is open, and what its line says."""
        one = client.get(f"/sync/settings{query}").text.split(f'id="kind-{kind}"')[1]
        return one[:5] == " open", " ".join(re.sub("<[^>]+>", " ", one.split("</summary>")[0].split(">", 1)[1]).split())

    assert line("customer") == (False, "Customers Both ways Where both sides changed a field: the usual rules.")
    usual = "Credit memos From QuickBooks only Changes there come here; nothing is written there."
    assert line("credit_memo") == (False, usual)
    answer = client.post(f"/sync/settings/{company}/kinds/customer", data=form(**{"rule-phone": "quickbooks"}))
    assert answer.location.endswith(f"?connection={company}&open=customer#kind-customer")
    opened = (True, "Customers Both ways Where both sides changed a field: 1 rule of your own.")
    assert line("customer", f"?connection={company}&open=customer") == opened
    client.post(f"/sync/settings/{company}/pause", data={"kind": "invoice"})
    assert line("invoice")[1].startswith("Invoices Paused")
    refused = client.post(f"/sync/settings/{company}/kinds/invoice", data={"version": "1", "direction": "sideways"})
    assert refused.status_code == 422 and 'id="kind-invoice" open' in refused.text
    assert 'id="kind-customer" open' not in refused.text


def test_what_cannot_be_is_answered_with_what_was_chosen(client: FlaskClient, company: int) -> None:
    sent = form(direction="sideways", **{"rule-phone": "ask"})
    answer = client.post(f"/sync/settings/{company}/kinds/customer", data=sent)
    assert answer.status_code == 422
    assert "Choose one of: Both ways" in answer.text
    phone = answer.text.split('name="rule-phone"')[1].split("</select>")[0]
    assert '<option value="ask" selected>' in phone
    out = {"version": "0", "direction": "out"}
    assert client.post(f"/sync/settings/{company}/kinds/credit_memo", data=out).status_code == 422
    assert client.post(f"/sync/settings/{company}/kinds/customer", data=form(**{"rule-phone": "x"})).status_code == 422
    assert now_of(company).version == 0


def test_what_somebody_changed_meanwhile_is_not_overwritten_unseen(client: FlaskClient, company: int) -> None:
    with transaction() as session:
        settings.change(session, company, "customer", direction="in", version=0, actor=SASHA, now=clock.now())
    sent = form(0, direction="off", **{"rule-fax": "ours"})
    answer = client.post(f"/sync/settings/{company}/kinds/customer", data=sent)
    assert answer.status_code == 409
    assert "Sasha changed these settings meanwhile" in answer.text
    assert "Now stands: from quickbooks only" in answer.text
    assert '<input type="radio" name="direction" value="off" checked>' in answer.text  # what was chosen is still there
    assert '<input type="hidden" name="version" value="1">' in answer.text
    assert now_of(company).direction == "in"
    assert client.post(f"/sync/settings/{company}/kinds/customer", data={**sent, "version": "1"}).status_code == 303
    assert now_of(company).direction == "off" and now_of(company).overrides == {"fax": "ours"}
    without = {name: value for name, value in sent.items() if name != "version"}
    assert client.post(f"/sync/settings/{company}/kinds/customer", data=without).status_code == 409


def test_pause_and_resume_of_a_kind_and_of_everything(client: FlaskClient, company: int) -> None:
    client.post(f"/sync/settings/{company}/pause", data={"kind": "invoice"})
    assert not now_of(company, "invoice").allows_in and now_of(company).allows_in
    assert "Resume invoices" in client.get("/sync/settings").text
    client.post(f"/sync/settings/{company}/pause", data={"kind": "*"})
    assert not now_of(company).allows_out
    page = client.get("/sync/settings").text
    assert "Resume everything" in page and "nothing is read and nothing is written" in page
    client.post(f"/sync/settings/{company}/resume", data={"kind": "*"})
    client.post(f"/sync/settings/{company}/resume", data={"kind": "invoice"})
    assert now_of(company, "invoice").allows_in
    for place in ("pause", "resume"):
        assert client.post(f"/sync/settings/{company}/{place}", data={"kind": "time_activity"}).status_code == 404
        assert client.post(f"/sync/settings/{company + 1}/{place}", data={"kind": "*"}).status_code == 404


def test_the_interval_is_saved_or_refused_with_what_was_typed(client: FlaskClient, company: int) -> None:
    for typed in ("3", "1441", "soon", ""):
        answer = client.post(f"/sync/settings/{company}/interval", data={"version": "0", "interval": typed})
        assert answer.status_code == 422
        assert "Give a whole number of minutes from 5 to 1440" in answer.text
        assert f'name="interval" type="text" value="{typed}"' in answer.text
    assert db.session.get(Sweep, company) is None
    answer = client.post(f"/sync/settings/{company}/interval", data={"version": "0", "interval": " 60 "})
    assert answer.status_code == 303
    db.session.remove()
    assert db.session.get_one(Sweep, company).interval_minutes == 60
    page = client.get("/sync/settings").text
    assert 'value="60"' in page and "every 15 minutes → every 60 minutes" in page
    answer = client.post(f"/sync/settings/{company}/interval", data={"version": "0", "interval": "30"})
    assert answer.status_code == 409 and 'value="30"' in answer.text


def test_a_kind_may_have_an_interval_of_its_own(client: FlaskClient, company: int) -> None:
    path = f"/sync/settings/{company}/kinds/invoice"
    sent = {"version": "0", "direction": "in", "interval_minutes": "soon"}
    answer = client.post(path, data=sent)
    typed = 'id="f-interval" name="interval_minutes" type="text" value="soon"'
    assert answer.status_code == 422 and typed in answer.text
    assert answer.text.count('id="f-interval"') == 1 and "Give a whole number of minutes" in answer.text
    assert client.post(path, data=sent | {"interval_minutes": " 60 "}).status_code == 303
    assert now_of(company, "invoice").interval_minutes == 60 and now_of(company).interval_minutes is None
    page = client.get("/sync/settings").text
    assert "Asked for changes every 60 minutes." in page
    assert 'name="interval_minutes" type="text" value="60"' in page
    assert client.post(path, data=sent | {"version": "1", "interval_minutes": ""}).status_code == 303
    assert now_of(company, "invoice").interval_minutes is None


def test_each_company_has_its_own(client: FlaskClient, company: int) -> None:
    with transaction() as session:
        other = Connection(
            provider="quickbooks", realm_id="2", realm_fingerprint="g", state="disconnected",
            connected_at=clock.now(), disconnected_at=clock.now(), company_name="Other Ltd",
        )  # fmt: skip
        session.add(other)
    client.post(f"/sync/settings/{other.id}/pause", data={"kind": "*"})
    assert not now_of(company).stopped
    assert "Settings of Other Ltd" in client.get("/sync/settings").text
    assert "Resume everything" in client.get(f"/sync/settings?connection={other.id}").text
    assert client.get("/sync/settings?connection=999999").status_code == 404
