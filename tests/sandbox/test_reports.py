"""The aged receivables report: who owes what, since when, on a day."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from sandbox import Served
from tests.sandbox.conftest import Api

DAY = date(2031, 5, 31)
EMPTY = ["", "", "", "", ""]


@pytest.fixture(autouse=True)
def afresh(served: Served) -> Iterator[None]:
    yield
    served.sandbox.fill(afresh=True)


def report(api: Api, day: date = DAY, **asked: str) -> dict:
    answer = api.call("GET", "reports/AgedReceivables", params={"report_date": day.isoformat(), **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(rows: list[dict]) -> Iterator[tuple[str | None, list[str]]]:
    """(id, amounts) of every line, in order."""
    for row in rows:
        for holder in (row.get("Header", {}), row, {}):
            if "ColData" in holder:
                first, *rest = holder["ColData"]
                yield first.get("id"), [cell["value"] for cell in rest]
        yield from lines(row.get("Rows", {}).get("Row", []))


def owed(api: Api, customer: dict, day: date = DAY, **asked: str) -> list[str]:
    return dict(lines(report(api, day, **asked)["Rows"]["Row"])).get(customer["Id"], [])


def before(days: int) -> str:
    return (DAY - timedelta(days=days)).isoformat()


@pytest.mark.parametrize(("late", "column"), [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3),
                                              (91, 4), (4000, 4)])  # fmt: skip
def test_an_invoice_ages_from_its_due_date(api: Api, late: int, column: int):
    customer, item = api.customer("Owing"), api.item("Work")
    api.sale("Invoice", customer, item, "10.10", TxnDate=before(max(late, 0)), DueDate=before(late))
    expected = [*EMPTY, "10.10"]
    expected[column] = "10.10"
    assert owed(api, customer) == expected


def test_payments_and_credits_lower_what_is_owed(api: Api):
    customer, item = api.customer("Paying"), api.item("Work")
    invoice = api.sale("Invoice", customer, item, "100", TxnDate=before(50), DueDate=before(40))
    api.sale("CreditMemo", customer, item, "7.50", TxnDate=before(5))
    paid = api.pay(customer, "60", **{f"i{invoice['Id']}": "40"})
    api.write("Payment", {"Id": paid["Id"], "SyncToken": "0", "sparse": True, "TxnDate": before(3)})
    assert owed(api, customer) == ["", "-27.50", "60.00", "", "", "32.50"]
    assert owed(api, customer, DAY - timedelta(days=4)) == ["", "-7.50", "100.00", "", "", "92.50"]


def test_a_credit_applied_by_a_payment_of_nothing_is_open_no_more(api: Api):
    customer, item = api.customer("Credited"), api.item("Work")
    invoice = api.sale("Invoice", customer, item, "100", TxnDate=before(50), DueDate=before(40))
    credit = api.sale("CreditMemo", customer, item, "30", TxnDate=before(5))
    api.pay(customer, "0", **{f"i{invoice['Id']}": "30", f"c{credit['Id']}": "30"})
    assert owed(api, customer) == ["", "", "70.00", "", "", "70.00"]


def test_who_has_nothing_open_is_not_in_it_and_it_sums_to_all_balances(api: Api):
    found = report(api, date(2040, 1, 1))
    total = found["Rows"]["Row"][-1]
    assert total["group"] == "GrandTotal"
    balances = [customer["Balance"] for customer in api.served.store.reading(api.realm).all("Customer")]
    assert Decimal(total["Summary"]["ColData"][-1]["value"]) == sum(balances) > 0
    amounts = [values for id, values in lines(found["Rows"]["Row"]) if id]
    assert len(amounts) >= sum(1 for balance in balances if balance)


def test_jobs_stand_in_the_section_of_their_parent(api: Api):
    parent, item = api.customer("Parent"), api.item("Work")
    job = api.customer("Job", Job=True, ParentRef={"value": parent["Id"]})
    api.sale("Invoice", parent, item, "1", TxnDate=before(1), DueDate=before(0))
    api.sale("Invoice", job, item, "2", TxnDate=before(1), DueDate=before(0))
    rows = report(api)["Rows"]["Row"]
    section = next(row for row in rows if row.get("Header", {}).get("ColData", [{}])[0].get("id") == parent["Id"])
    assert [cell["value"] for cell in section["Header"]["ColData"]] == ["Parent", "1.00", "", "", "", "", "1.00"]
    assert dict(lines(section["Rows"]["Row"])) == {job["Id"]: ["2.00", "", "", "", "", "2.00"]}
    assert section["Summary"]["ColData"][-1] == {"value": "3.00"}
    assert "id" not in section["Summary"]["ColData"][0]


def test_a_report_of_nothing_says_so(api: Api):
    found = report(api, date(1990, 1, 1))
    assert {"Name": "NoReportData", "Value": "true"} in found["Header"]["Option"]
    assert found["Rows"] == {}


def test_what_is_not_imitated_is_refused(api: Api):
    assert api.call("GET", "reports/BalanceSheet").json()["Fault"]["Error"][0]["code"] == "500"
    assert api.call("GET", "reports/AgedReceivables", params={"num_periods": "9"}).status_code == 400
    assert api.call("GET", "reports/AgedReceivables", params={"report_date": "soon"}).status_code == 400
