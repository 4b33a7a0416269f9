"""Two customers become one, as only a person in QuickBooks' own pages can make them."""

from decimal import Decimal

import pytest
import requests

from sandbox import Served
from tests.sandbox.conftest import Api


@pytest.fixture(autouse=True)
def afresh(served: Served):
    yield
    served.sandbox.fill(afresh=True)


def merge(api: Api, survivor: dict, loser: dict) -> requests.Response:
    body = {"realm": api.realm, "survivor": survivor["Id"], "loser": loser["Id"]}
    return requests.post(api.served.url + "/_sandbox/merge", json=body, timeout=5)


def cdc(api: Api, entity: str, since: str) -> list[dict]:
    answer = api.call("GET", "cdc", params={"entities": entity, "changedSince": since}).json()
    return answer["CDCResponse"][0]["QueryResponse"][0].get(entity, [])


def test_documents_and_jobs_become_the_survivors_and_balances_follow(api: Api):
    survivor, loser, item = api.customer("Kept"), api.customer("Let go"), api.item("Work")
    invoice = api.sale("Invoice", loser, item, "100.10")
    job = api.customer("Job", Job=True, ParentRef={"value": loser["Id"]})
    deeper = api.customer("Deeper", Job=True, ParentRef={"value": job["Id"]})
    api.sale("Invoice", deeper, item, "5.05")
    assert merge(api, survivor, loser).status_code == 200

    moved = api.read("Invoice", invoice["Id"])
    assert moved["CustomerRef"] == {"value": survivor["Id"], "name": "Kept"}
    assert (moved["SyncToken"], moved["MetaData"]) == (invoice["SyncToken"], invoice["MetaData"])
    assert api.read("Customer", job["Id"])["FullyQualifiedName"] == "Kept:Job"
    assert api.read("Customer", deeper["Id"])["FullyQualifiedName"] == "Kept:Job:Deeper"
    kept = api.read("Customer", survivor["Id"])
    assert (kept["Balance"], kept["BalanceWithJobs"]) == (Decimal("100.1"), Decimal("105.15"))
    assert kept["SyncToken"] == "0"


def test_the_loser_is_gone_and_change_data_capture_and_webhook_tell(api: Api):
    survivor, loser = api.customer("Stays"), api.customer("Goes")
    since = loser["MetaData"]["LastUpdatedTime"]
    assert merge(api, survivor, loser).status_code == 200

    assert api.call("GET", f"customer/{loser['Id']}").json()["Fault"]["Error"][0]["code"] == "610"
    assert api.select("Customer", f"Id = '{loser['Id']}' AND Active IN (true,false)") == []
    told = {row["Id"]: row.get("status") for row in cdc(api, "Customer", since)}
    assert (told[loser["Id"]], told[survivor["Id"]]) == ("Deleted", None)
    notice = (
        api.served.store.connection()
        .execute("SELECT id, other_id FROM notice WHERE verb='merged' AND realm=?", (api.realm,))
        .fetchall()
    )
    assert notice == [(survivor["Id"], loser["Id"])]
    assert api.customer("Goes")["Id"] != loser["Id"]  # its name is free again


def test_what_cannot_become_one_is_refused_and_nothing_changes(api: Api):
    parent = api.customer("Above")
    job = api.customer("Below", Job=True, ParentRef={"value": parent["Id"]})
    for survivor, loser in ((parent, parent), (parent, job), (job, parent)):
        assert merge(api, survivor, loser).json()["error"]["code"] == "6000"
    assert merge(api, parent, {"Id": "999999"}).json()["error"]["code"] == "610"
    assert merge(api, parent, {"Id": "x"}).json()["error"]["code"] == "2030"
    assert api.read("Customer", job["Id"])["ParentRef"]["value"] == parent["Id"]
