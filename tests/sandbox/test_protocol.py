"""Batch, change data capture, request ids, headers, throttles, counters: the protocol around the records."""

import os
import threading
import time
import uuid
from datetime import datetime
from types import SimpleNamespace

import pytest
import requests

from sandbox import Throttle, exact, serving
from tests.sandbox.conftest import Api, connected


def test_every_answer_carries_the_trace_id_and_pacific_time(api: Api):
    answer = api.call("GET", "preferences")
    assert answer.headers["intuit_tid"].startswith("1-")
    assert answer.headers["QBO-Version"]
    moment = datetime.fromisoformat(answer.json()["time"])
    assert moment.utcoffset().total_seconds() in (-7 * 3600, -8 * 3600)
    assert abs(moment.timestamp() - time.time()) < 5


def test_a_repeated_request_id_returns_the_first_answer_and_does_nothing(api: Api):
    key = str(uuid.uuid4())
    first = api.call("POST", "customer", params={"requestid": key}, json={"DisplayName": "Once"})
    again = api.call("POST", "customer", params={"requestid": key}, json={"DisplayName": "Something else"})
    assert again.text == first.text
    assert api.select("Customer", "DisplayName = 'Something else'") == []


def test_a_refused_request_may_be_repeated_under_the_same_id(api: Api):
    key = {"requestid": str(uuid.uuid4())}
    assert api.call("POST", "customer", params=key, json={"Notes": "nameless"}).status_code == 400
    assert api.call("POST", "customer", params=key, json={"DisplayName": "Named now"}).status_code == 200


def test_one_request_id_used_at_once_by_many_creates_one(api: Api):
    key, answers = {"requestid": str(uuid.uuid4())}, []
    headers = dict(api.session.headers)

    def create() -> None:
        url = f"{api.base}/customer"
        answers.append(requests.post(url, params=key, json={"DisplayName": "Raced"}, headers=headers, timeout=10).text)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(api.select("Customer", "DisplayName = 'Raced'")) == 1


def test_a_batch_mixes_success_faults_and_queries_as_recorded(api: Api, recorded):
    expected = recorded("batch_response")["response"]["body"]["BatchItemResponse"]
    stale = api.customer("Stale in batch")
    items = [
        {"bId": "bid1", "operation": "create", "Vendor": {"DisplayName": "Boraski Family Store"}},
        {"bId": "bid2", "operation": "delete", "Invoice": {"Id": "999999", "SyncToken": "0"}},
        {"bId": "bid3", "operation": "update", "Customer": {"Id": stale["Id"], "SyncToken": "7", "sparse": True}},
        {"bId": "bid4", "Query": "select * from Term"},
    ]
    answer = api.call("POST", "batch", json={"BatchItemRequest": items})
    found = answer.json()["BatchItemResponse"]
    assert [set(item) for item in found] == [set(item) for item in expected]
    assert [item["bId"] for item in found] == [item["bId"] for item in expected]
    for mine, theirs in zip(found, expected, strict=True):
        if "Fault" in theirs:
            wanted, given = theirs["Fault"]["Error"][0], mine["Fault"]["Error"][0]
            assert (given["code"], given["Message"], given["element"]) == (
                wanted["code"], wanted["Message"], wanted["element"],
            )  # fmt: skip
    assert expected[0]["Vendor"].keys() - found[0]["Vendor"].keys() == set()


def test_a_batch_replays_by_request_id_and_item(api: Api):
    key = {"requestid": str(uuid.uuid4())}
    items = [{"bId": "1", "operation": "create", "Vendor": {"DisplayName": "Batched once"}}]
    first = api.call("POST", "batch", params=key, json={"BatchItemRequest": items}).json()
    items.append({"bId": "2", "operation": "create", "Vendor": {"DisplayName": "Batched later"}})
    again = api.call("POST", "batch", params=key, json={"BatchItemRequest": items}).json()
    assert again["BatchItemResponse"][0] == first["BatchItemResponse"][0]
    assert "Vendor" in again["BatchItemResponse"][1]


def test_a_batch_holds_at_most_thirty(api: Api):
    items = [{"bId": str(n), "Query": "select * from Term"} for n in range(31)]
    answer = api.call("POST", "batch", json={"BatchItemRequest": items})
    assert answer.json()["Fault"]["Error"][0]["code"] == "1040"


def test_changes_come_with_the_deleted_ones_merged_in(api: Api, recorded):
    parts = recorded("cdc_response_multi_entity_with_deleted")["response"]["body"]["CDCResponse"][0]["QueryResponse"]
    expected = next(row for part in parts for row in part.get("Invoice", []) if row.get("status") == "Deleted")
    customer, item = api.customer("Changes"), api.item("Changes")
    kept, gone = (api.sale("Invoice", customer, item, "1") for _ in range(2))
    api.write("Invoice", {"Id": gone["Id"], "SyncToken": "0"}, operation="delete")
    params = {"entities": "Customer,Invoice,Bill", "changedSince": gone["MetaData"]["LastUpdatedTime"]}
    answer = api.call("GET", "cdc", params=params).json()["CDCResponse"][0]["QueryResponse"]
    assert set(answer[0]) >= {"Customer", "startPosition", "maxResults"}
    rows = answer[1]["Invoice"]
    assert kept["Id"] in [row["Id"] for row in rows if "status" not in row]
    deleted = next(row for row in rows if row["Id"] == gone["Id"])
    assert deleted.keys() == expected.keys()
    assert rows[-1].get("status") == "Deleted", "deleted ones come last"
    assert answer[2] == {}


def test_no_change_is_an_empty_element(api: Api):
    answer = api.call("GET", "cdc", params={"entities": "Customer", "changedSince": "2999-01-01T00:00:00Z"})
    assert answer.json()["CDCResponse"] == [{"QueryResponse": [{}]}]


def test_change_capture_refuses_kinds_it_does_not_cover(api: Api):
    answer = api.call("GET", "cdc", params={"entities": "TaxCode", "changedSince": "2026-01-01"})
    assert answer.status_code == 400


def test_change_capture_stops_at_a_thousand_objects(api: Api):
    row = api.read("Term", api.select("Term")[0]["Id"])
    with api.served.store.writing(api.realm) as books:
        books.put_many("Term", ({**row, "Id": str(number), "Name": f"T{number}"} for number in range(5000, 6100)))
    params = {"entities": "Term,Customer", "changedSince": "2001-01-01T00:00:00Z"}
    parts = api.call("GET", "cdc", params=params).json()["CDCResponse"][0]["QueryResponse"]
    assert sum(part.get("maxResults", 0) for part in parts) == 1000


def test_amounts_travel_exactly(api: Api):
    customer, item = api.customer("Exact"), api.item("Exact")
    made = api.sale("Invoice", customer, item, "8999999999.93")
    text = api.call("GET", f"invoice/{made['Id']}").text
    assert '"TotalAmt":8999999999.93' in text
    assert exact.loads(text)["Invoice"]["Line"][-1]["Amount"] == made["TotalAmt"]


@pytest.mark.parametrize(
    ("limits", "calls", "path"),
    [(Throttle(0, 3, 0), 4, "preferences"), (Throttle(5, 0, 0), 6, "preferences"), (Throttle(0, 0, 2), 3, "batch")],
)
def test_too_many_calls_are_429_and_another_company_is_not_held(limits, calls, path, monkeypatch):
    monkeypatch.setattr("sandbox.throttle.time", SimpleNamespace(monotonic=lambda: 0.0))  # all of them in one second
    with serving(throttle=limits) as busy:
        api = connected(busy)
        method, body = ("POST", {"BatchItemRequest": [{"bId": "1", "Query": "select * from Term"}]})
        codes = [api.call(method if path == "batch" else "GET", path, json=body).status_code for _ in range(calls)]
        assert codes == [200] * (calls - 1) + [429]
        other = connected(busy, busy.store.companies()[1][0])
        assert other.call("GET", "preferences").status_code == 200
        assert requests.get(busy.url + "/_sandbox/calls", timeout=5).json()[api.realm]["throttled"] == 1
        requests.post(busy.url + "/_sandbox/throttle", json={"per_second": 0, "per_minute": 0}, timeout=5)
        assert api.call("GET", "preferences").status_code == 200


def test_calls_are_counted_by_kind_and_class():
    with serving() as counted:
        api = connected(counted)
        api.customer("Counted")
        api.call("GET", "preferences")
        items = [{"bId": str(n), "Query": "select * from Term"} for n in range(3)]
        api.call("POST", "batch", json={"BatchItemRequest": items})
        api.call("GET", "customer/999999")
        counts = requests.get(counted.url + "/_sandbox/calls", timeout=5).json()[api.realm]
        assert counts == {"create": 1, "read": 1, "query": 3, "batch": 1, "refused": 1, "coreplus": 4, "core": 1}


def test_many_short_connections_leave_nothing_open(api: Api):
    headers = dict(api.session.headers) | {"Connection": "close"}
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else pytest.skip("no /proc here")
    for _ in range(60):
        assert requests.get(f"{api.base}/preferences", headers=headers, timeout=5).status_code == 200
    assert len(os.listdir("/proc/self/fd")) < before + 20


def test_a_reset_starts_over():
    with serving() as served:
        api = connected(served)
        made = api.customer("Before the reset")
        requests.post(served.url + "/_sandbox/reset", timeout=20)
        assert api.call("GET", "preferences").status_code == 401
        after = connected(served)
        assert after.select("Customer", "DisplayName = 'Before the reset'") == []
        url = f"{served.url}/_sandbox/state"
        rows = requests.get(url, params={"entity": "Customer"}, timeout=5).json()
        assert len(rows) > 10
        assert made["DisplayName"] not in {row["DisplayName"] for row in rows}
