"""The query language: its grammar as a parser, its answers over HTTP."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import faults, query
from sandbox.query import Condition
from tests.sandbox.conftest import Api


def test_a_full_statement_becomes_a_tree():
    tree = query.parse(
        "SELECT * FROM Customer WHERE Active IN (true,false) AND MetaData.LastUpdatedTime >= '2026-11-20T00:00:00Z' "
        "ORDERBY Id ASC STARTPOSITION 1001 MAXRESULTS 1000"
    )
    assert tree.entity == "Customer"
    assert tree.where == (
        Condition("Active", "IN", ("true", "false")),
        Condition("MetaData.LastUpdatedTime", ">=", ("2026-11-20T00:00:00Z",)),
    )
    assert tree.order == (("Id", False),)
    assert (tree.start, tree.size) == (1001, 1000)


def test_keywords_have_no_case_and_order_by_may_be_two_words():
    tree = query.parse("select count(*) from invoice where TotalAmt>'10.5' order by TxnDate desc, Id")
    assert tree.count
    assert tree.order == (("TxnDate", True), ("Id", False))


def test_an_apostrophe_is_escaped_by_a_backslash_as_recorded(recorded):
    asked = recorded("query_customer_displayname_escaped_quote")["request"]["query"]["query"]
    assert query.parse(asked).where[0].values == ("Amy's Bird Sanctuary",)


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_survives_quoting(text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    statement = "".join(["select * from Customer where DisplayName = '", quoted, "'"])
    assert query.parse(statement).where[0].values == (text,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM",
        "SELECT FROM Customer",
        "SELECT * FROM Customer WHERE",
        "SELECT * FROM Customer WHERE Id = ",
        "SELECT * FROM Customer WHERE Id = '1' OR Id = '2'",
        "SELECT * FROM Customer WHERE Id != '1'",
        "SELECT * FROM Customer GROUP BY Id",
        "SELECT * FROM Customer MAXRESULTS ten",
        "SELECT * FROM Customer WHERE DisplayName = 'open",
        "DELETE FROM Customer",
    ],
)
def test_what_is_no_statement_is_refused_as_4000(statement):
    with pytest.raises(faults.Fault) as refused:
        query.parse(statement)
    assert refused.value.code == "4000"


@pytest.mark.parametrize("tail", ["STARTPOSITION 0", "MAXRESULTS 0", "MAXRESULTS 1001"])
def test_pages_outside_their_limits_are_refused_as_4001(tail):
    with pytest.raises(faults.Fault) as refused:
        query.parse(" ".join(["SELECT * FROM Customer", tail]))
    assert refused.value.code == "4001"


def test_start_position_zero_is_refused_in_the_recorded_words():
    with pytest.raises(faults.Fault) as refused:
        query.parse("SELECT * FROM Vendor STARTPOSITION 0")
    assert refused.value.detail == "QueryValidationError: value 0 is too small. Min allowed value is 1"


def test_an_empty_answer_lacks_the_entity_and_a_count_has_only_a_total(api: Api, recorded):
    assert api.query("SELECT * FROM Transfer STARTPOSITION 1 MAXRESULTS 100") == (
        recorded("query_transfer_empty")["response"]["body"]["QueryResponse"]
    )
    assert api.query("select * from Customer where DisplayName = 'nobody of this name'") == {}
    assert set(api.query("select count(*) from Customer")) == {"totalCount"}


def test_pages_cover_everything_once(api: Api):
    total = api.query("select count(*) from Customer where Active in (true,false)")["totalCount"]
    seen, start = Counter(), 1
    while True:
        statement = "select Id from Customer where Active in (true,false) orderby Id startposition"
        page = api.query(" ".join([statement, str(start), "maxresults 7"]))
        if not page:
            break
        assert page["startPosition"] == start
        assert page["maxResults"] == len(page["Customer"])
        seen.update(customer["Id"] for customer in page["Customer"])
        start += 7
    assert len(seen) == total
    assert set(seen.values()) == {1}


def test_the_default_page_is_100_rows(api: Api):
    items = [{"bId": str(n), "operation": "create", "Vendor": {"DisplayName": f"Page vendor {n}"}} for n in range(120)]
    for start in range(0, 120, 30):
        assert api.call("POST", "batch", json={"BatchItemRequest": items[start : start + 30]}).status_code == 200
    assert len(api.query("select * from Vendor")["Vendor"]) == 100
    assert len(api.query("select * from Vendor maxresults 1000")["Vendor"]) >= 120


def test_inactive_names_stay_out_until_asked_for(api: Api):
    gone = api.customer("Soon inactive")
    api.write("Customer", {"Id": gone["Id"], "SyncToken": "0", "sparse": True, "Active": False})
    mine = f"Id = '{gone['Id']}'"
    assert api.select("Customer", mine) == []
    found = api.select("Customer", f"{mine} and Active in (true,false)")[0]
    assert found["DisplayName"] == "Soon inactive (deleted)"
    assert found["PrintOnCheckName"] == "Soon inactive"
    assert api.read("Customer", gone["Id"])["Active"] is False


def test_text_compares_without_case_and_like_knows_only_percent(api: Api):
    made = api.customer("Zebra_Crossing 5%")
    for where in ("DisplayName = 'zebra_crossing 5%'", "DisplayName like 'Zebra_C%'", "DisplayName like '%crossing%'"):
        assert [row["Id"] for row in api.select("Customer", where, columns="Id")] == [made["Id"]]
    assert api.query("select * from Customer where DisplayName like 'Zebra?%'") == {}
    assert api.query("select * from Customer where DisplayName like 'ZebraXC%'") == {}


def test_references_amounts_and_times_can_be_asked_for(api: Api):
    customer, item = api.customer("Query owner"), api.item("Query item")
    invoice = api.sale("Invoice", customer, item, "120.35", TxnDate="2026-01-15")
    owner = f"CustomerRef = '{customer['Id']}'"
    for where in ("TotalAmt = '120.35'", "TotalAmt > '120.34'", "Balance <= '120.35'", "TxnDate = '2026-01-15'",
                  f"DocNumber = '{invoice['DocNumber']}'", "MetaData.LastUpdatedTime > '2026-01-01'"):  # fmt: skip
        rows = api.select("Invoice", f"{owner} and {where}")
        assert [row["Id"] for row in rows] == [invoice["Id"]], where
    assert api.select("Invoice", f"{owner} and TotalAmt > '120.35'") == []


def test_a_property_that_cannot_be_filtered_is_4001(api: Api):
    answer = api.call("GET", "query", params={"query": "select * from Customer where Notes = 'x'"})
    error = answer.json()["Fault"]["Error"][0]
    assert (error["code"], error["Detail"]) == ("4001", "QueryValidationError: property 'Notes' is not queryable")


def test_a_statement_may_be_posted_as_text(api: Api):
    headers = {"Content-Type": "application/text"}
    answer = api.call("POST", "query", data="select count(*) from Term", headers=headers)
    assert answer.json()["QueryResponse"]["totalCount"] > 0
