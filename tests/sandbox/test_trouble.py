"""Scripted misfortune strikes what it should, when it should, and the server's connections can take it."""

import time
import uuid

import pytest
import requests

from tests.sandbox.conftest import Api


def script(api: Api, *rules: dict) -> None:
    answer = requests.post(api.served.url + "/_sandbox/trouble", json=list(rules), timeout=5)
    assert answer.status_code == 200, answer.text


def test_a_connection_dropped_before_the_work_leaves_nothing(api: Api):
    script(api, {"action": "drop_before", "entity": "Customer", "method": "POST"})
    with pytest.raises(requests.ConnectionError):
        api.customer("Never arrived")
    assert api.select("Customer", "DisplayName = 'Never arrived'") == []


def test_a_connection_dropped_after_the_work_leaves_it_done_and_the_same_id_replays_it(api: Api):
    script(api, {"action": "drop_after", "entity": "Customer", "method": "POST"})
    key = {"requestid": str(uuid.uuid4())}
    with pytest.raises(requests.ConnectionError):
        api.call("POST", "customer", params=key, json={"DisplayName": "Answer lost"})
    replayed = api.call("POST", "customer", params=key, json={"DisplayName": "Answer lost"})
    assert replayed.status_code == 200
    assert len(api.select("Customer", "DisplayName = 'Answer lost'")) == 1


def test_a_rule_strikes_as_often_as_told_and_can_be_read_back(api: Api):
    script(api, {"action": "status", "status": 503, "entity": "Term", "count": 2, "skip": 1})
    codes = [api.call("GET", "query", params={"query": "select * from Term"}).status_code for _ in range(4)]
    assert codes == [200, 503, 503, 200]
    assert requests.get(api.served.url + "/_sandbox/trouble", timeout=5).json()[0]["struck"] == 2
    assert api.call("GET", "preferences").status_code == 200


def test_throttle_html_latency_wrong_bodies_and_late_errors(api: Api):
    script(api, {"action": "throttle"})
    throttled = api.call("GET", "preferences")
    assert (throttled.status_code, throttled.json()["fault"]["error"][0]["code"]) == (429, "3001")
    script(api, {"action": "html", "status": 502})
    assert api.call("GET", "preferences").headers["Content-Type"].startswith("text/html")
    script(api, {"action": "body", "body": '{"Preferences":'})
    assert api.call("GET", "preferences").text == '{"Preferences":'
    script(api, {"action": "latency", "seconds": 0.2})
    started = time.monotonic()
    assert api.call("GET", "preferences").status_code == 200
    assert time.monotonic() - started >= 0.2
    script(api, {"action": "status_after", "status": 500})
    assert api.call("POST", "customer", json={"DisplayName": "Done all the same"}).status_code == 500
    assert len(api.select("Customer", "DisplayName = 'Done all the same'")) == 1


def test_tokens_expire_or_die_in_the_middle(api: Api):
    script(api, {"action": "expire_tokens", "skip": 1})
    assert [api.call("GET", "preferences").status_code for _ in range(2)] == [200, 401]
    tokens = api.served.connect()
    script(api, {"action": "revoke_tokens", "path": "preferences"})
    assert api.call("GET", "preferences").status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
    url = api.served.url + "/oauth2/v1/tokens/bearer"
    assert requests.post(url, data=form, auth=("sandbox-client", "sandbox-secret"), timeout=5).status_code == 400


def test_the_token_endpoint_can_be_struck_too(api: Api):
    script(api, {"action": "drop_after", "path": "tokens/bearer"})
    form = {"grant_type": "refresh_token", "refresh_token": api.served.connect().refresh}
    with pytest.raises(requests.ConnectionError):
        requests.post(api.served.url + "/oauth2/v1/tokens/bearer", data=form, auth=("sandbox-client", "sandbox-secret"),
                      timeout=5)  # fmt: skip


@pytest.mark.parametrize("rule", [{"action": "explode"}, {"act": "latency"}, {"action": "status", "path": "("}])
def test_a_rule_that_cannot_be_read_is_refused_with_a_sentence(api: Api, rule):
    answer = requests.post(api.served.url + "/_sandbox/trouble", json=[rule], timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("rule 1")


def test_one_connection_serves_many_requests_without_stalls(api: Api):
    api.call("GET", "preferences")
    took = []
    for _ in range(50):
        started = time.monotonic()
        assert api.call("GET", "preferences").status_code == 200
        took.append(time.monotonic() - started)
    assert sorted(took)[25] < 0.03, "a delayed acknowledgement costs 40 ms each"


def test_a_chance_strikes_some_and_the_same_again_with_the_same_seed(api: Api):
    def struck() -> list[int]:
        rule = {"action": "status", "status": 503, "count": None, "chance": 0.5, "path": "^/v3/"}
        requests.post(f"{api.served.url}/_sandbox/trouble", json={"seed": 3, "rules": [rule]}, timeout=5)
        return [api.call("GET", "preferences").status_code for _ in range(20)]

    first = struck()
    assert set(first) == {200, 503} and struck() == first


def test_the_owner_writes_by_the_rules_without_token_or_trouble(api: Api):
    made = api.customer("Written by hand")
    script(api, {"action": "status", "count": None, "path": "^/v3/"})
    url = f"{api.served.url}/_sandbox/perform"
    given = {"entity": "Customer", "operation": "update", "body": {"Id": made["Id"], "sparse": True, "Notes": "so"}}
    assert requests.post(url, json=given, timeout=5).json()["Notes"] == "so"
    taken = {"entity": "Customer", "operation": "create", "body": {"DisplayName": "Written by hand"}}
    refused = requests.post(url, json=taken, timeout=5)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "6240")
