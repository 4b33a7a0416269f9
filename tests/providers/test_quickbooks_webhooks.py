"""What QuickBooks posts: both forms as recorded, what is odd in them, and how long reading takes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm.providers.accounting.base import Notification
from crm.providers.accounting.quickbooks.webhooks import parse, verify
from tests.providers.recordings import files, load, needs_recordings


def event(**changes: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0", "id": "88cd52aa-33b6-4351-9aa4-47572edbd068", "source": "intuit.x=",
        "type": "qbo.customer.created.v1", "datacontenttype": "application/json",
        "time": "2025-09-10T21:31:25.179851517Z", "intuitentityid": "1234", "intuitaccountid": "310687", "data": {},
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def old(*entities: dict[str, Any], realm: Any = "310687") -> dict[str, Any]:
    return {"realmId": realm, "dataChangeEvent": {"entities": list(entities)}}


def entity(**changes: Any) -> dict[str, Any]:
    whole = {"name": "Customer", "id": "1234", "operation": "Create", "lastUpdated": "2025-09-08T20:52:31.657Z"}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def read(content: Any) -> tuple[Notification, ...]:
    return parse(json.dumps(content).encode()).notifications


def one(**changes: Any) -> Notification:
    (found,) = read([event(**changes)])
    return found


def problems(content: Any) -> tuple[str, ...]:
    parsed = parse(json.dumps(content).encode())
    assert parsed.notifications == ()
    return parsed.problems


# --- as recorded


@needs_recordings
@pytest.mark.parametrize("path", files("webhook_*.json"), ids=lambda path: path.stem)
def test_every_recorded_post_is_read(path: Path) -> None:
    recorded = load(path)
    raw = recorded["request"]["raw_body"].encode()
    parsed = parse(raw)
    body = recorded["request"]["body"]
    told = body if isinstance(body, list) else body["eventNotifications"][0]["dataChangeEvent"]["entities"]
    assert len(parsed.notifications) + len(parsed.problems) == len(told)
    assert parsed.form == ("cloudevents" if isinstance(body, list) else "notifications")
    if "partial" not in path.stem:
        assert [n.remote_id for n in parsed.notifications] == [
            row.get("intuitentityid") or row.get("id") for row in told
        ]
        assert all(n.occurred_at and n.event_id and n.verb in ("created", "deleted") for n in parsed.notifications)


@needs_recordings
@pytest.mark.parametrize("path", files("webhook_legacy_*_signed.json"), ids=lambda path: path.stem)
def test_recorded_signatures_fit(path: Path) -> None:
    recorded = load(path)
    raw, token = recorded["request"]["raw_body"].encode(), recorded["verifier_token"]
    headers = {name.lower(): value for name, value in recorded["request"]["headers"].items()}
    assert verify(raw, headers, secret=token)
    assert not verify(raw + b"\n", headers, secret=token)
    assert not verify(raw, headers, secret=token[:-1])


def test_a_signature_is_of_the_raw_bytes_and_may_be_anything_but_right() -> None:
    raw = b'[ {"a":1}]'
    right = base64.b64encode(hmac.new(b"t", raw, hashlib.sha256).digest()).decode()
    assert verify(raw, {"intuit-signature": right}, secret="t")
    assert verify(raw, {"intuit-signature": f" {right} "}, secret="t")
    for wrong in ("", " ", right[:-1], right.lower(), "é", "\udcff", right + right):
        assert not verify(raw, {"intuit-signature": wrong}, secret="t")
    empty = base64.b64encode(hmac.new(b"", raw, hashlib.sha256).digest()).decode()
    assert not verify(raw, {"intuit-signature": empty}, secret="")  # nobody set a secret: nobody is believed


# --- CloudEvents


def test_an_event_says_what_happened_to_which_object_of_which_company() -> None:
    assert one() == Notification(
        "88cd52aa-33b6-4351-9aa4-47572edbd068", "310687", "customer", "Customer", "1234", "created",
        occurred_at=datetime(2025, 9, 10, 21, 31, 25, 179851, UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "kind", "entity_", "verb"),
    [
        ("QBO.CreditMemo.VOIDED.V1", "credit_memo", "CreditMemo", "void"),
        ("qbo.paymentmethod.merged.v1", "payment_method", "PaymentMethod", "merged"),
        ("qbo.invoice.emailed.v1", "invoice", "Invoice", "emailed"),
        ("qbo.salesreceipt.created.v1", "sales_receipt", "SalesReceipt", "created"),
        ("qbo.billpayment.updated.v1", "bill_payment", "BillPayment", "updated"),
        ("qbo.timeactivity.created.v1", "", "timeactivity", "created"),
        ("qbo.preferences.updated.v1", "", "preferences", "updated"),
        ("qbo.companyinfo.updated.v1", "", "CompanyInfo", "updated"),
        ("qbo.customer.frozen.v1", "customer", "Customer", "frozen"),
    ],
)
def test_types_in_any_case_and_unknown_ones_are_kept(type_: str, kind: str, entity_: str, verb: str) -> None:
    found = one(type=type_)
    assert (found.kind, found.entity, found.verb) == (kind, entity_, verb)


@pytest.mark.parametrize("type_", ["qbo.customer.created.v2", "payroll.customer.created.v1", "qbo", "", None, 7, {}])
def test_a_type_we_cannot_trust_is_kept_without_a_kind_and_said(type_: Any) -> None:
    parsed = parse(json.dumps([event(type=type_)]).encode())
    assert [(n.kind, n.remote_id) for n in parsed.notifications] == [("", "1234")]
    (problem,) = parsed.problems
    assert problem.startswith("Event 1: ")
    assert problem.endswith(".")


@pytest.mark.parametrize("spelling", ["deletedid", "deletedId"])
def test_a_merge_names_both_in_either_spelling(spelling: str) -> None:
    found = one(type="qbo.customer.merged.v1", data={spelling: "27"})
    assert (found.remote_id, found.other_remote_id, found.verb) == ("1234", "27", "merged")


def test_a_missing_endless_or_unprintable_event_id_becomes_a_digest_that_is_the_same_again() -> None:
    for bad in (..., None, "", "x" * 121, "a\0b", 7, {}):
        assert one(id=bad).event_id == one(id=bad).event_id
        assert one(id=bad).event_id.startswith("sha256:")
    assert one(id=...).event_id != one(id=..., intuitentityid="1235").event_id
    assert one(id=...).event_id != one(id=..., time="2025-09-10T21:31:26Z").event_id
    assert one(id=...).event_id != one(id=..., intuitaccountid="2").event_id
    assert one(id="y" * 121).event_id != one(id="x" * 121).event_id
    assert one(id="odd-form-Customer-123").event_id == "odd-form-Customer-123"


@pytest.mark.parametrize("moment", [..., None, "", "yesterday", "2025-09-10T21:31:25", 7])
def test_an_event_without_a_time_is_still_a_hint(moment: Any) -> None:
    parsed = parse(json.dumps([event(time=moment)]).encode())
    assert parsed.notifications[0].occurred_at is None
    assert len(parsed.problems) == 1


@pytest.mark.parametrize(
    "bad",
    [None, 7, "x", [], event(intuitaccountid=...), event(intuitentityid=None), event(intuitentityid=""),
     event(intuitentityid="1" * 41), event(intuitentityid="1\0"), event(intuitaccountid={}),
     event(intuitentityid=True), event(data={"deletedid": ["1"]})],
)  # fmt: skip
def test_a_bad_event_is_a_sentence_and_stops_no_other(bad: Any) -> None:
    parsed = parse(json.dumps([event(), bad, event(intuitentityid="9")]).encode())
    assert [n.remote_id for n in parsed.notifications] == ["1234", "9"]
    (problem,) = parsed.problems
    assert problem.startswith("Event 2: ")


def test_numbers_are_taken_as_ids_and_one_event_alone_as_a_list() -> None:
    assert one(intuitentityid=1234, intuitaccountid=310687) == one()
    assert read(event()) == read([event()])
    assert read([]) == ()


def test_an_endless_list_of_problems_is_cut() -> None:
    found = problems([None] * 100)
    assert len(found) == 21
    assert found[-1] == "And 80 more."


# --- event notifications


def test_several_companies_in_one_post() -> None:
    found = read({"eventNotifications": [
        old(entity(), entity(name="Vendor", id="27", operation="Merge", deletedId="31")),
        old(entity(name="Invoice", operation="Void"), realm="2"),
    ]})  # fmt: skip
    assert [(n.realm_id, n.kind, n.remote_id, n.verb, n.other_remote_id) for n in found] == [
        ("310687", "customer", "1234", "created", ""), ("310687", "vendor", "27", "merged", "31"),
        ("2", "invoice", "1234", "void", ""),
    ]  # fmt: skip
    assert len({n.event_id for n in found}) == 3


def test_the_same_old_event_again_has_the_same_id_and_a_later_one_another() -> None:
    first, again, later = (
        read({"eventNotifications": [old(entity(lastUpdated=at))]})[0].event_id
        for at in ("2025-09-08T20:52:31.657Z", "2025-09-08T20:52:31.657Z", "2025-09-08T20:52:31.658Z")
    )
    assert first == again != later


@pytest.mark.parametrize("bad", [None, {}, {"realmId": "1"}, {"realmId": "1", "dataChangeEvent": {"entities": 7}}])
def test_a_company_of_another_shape_stops_no_other(bad: Any) -> None:
    parsed = parse(json.dumps({"eventNotifications": [bad, old(entity(), entity(id=...), None)]}).encode())
    assert [n.remote_id for n in parsed.notifications] == ["1234"]
    assert [problem[:8] for problem in parsed.problems] == ["Event 1:", "Event 3:", "Event 4:"]


# --- how fast


@pytest.mark.parametrize("form", ["cloudevents", "notifications"])
def test_a_hundred_events_are_read_in_well_under_two_milliseconds(form: str) -> None:
    content: Any = [event(id=str(number), intuitentityid=str(number)) for number in range(100)]
    if form == "notifications":
        content = {"eventNotifications": [old(*(entity(id=str(number)) for number in range(100)))]}
    raw, spent = json.dumps(content).encode(), []
    for _ in range(20):
        started = time.process_time()
        assert len(parse(raw).notifications) == 100
        spent.append(time.process_time() - started)
    assert min(spent) < 0.002
