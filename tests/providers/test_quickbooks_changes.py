"""Change data capture as recorded, and what is odd in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from crm.domain.errors import UnexpectedAnswer
from crm.domain.records import CustomerRecord
from crm.providers.accounting.quickbooks.changes import CHANGE_KINDS, asked, changes_in
from tests.providers.recordings import RECORDED, exchanges, needs_recordings

TIME = "2026-11-20T12:56:06.196-08:00"


def row(remote_id: str, **changes: Any) -> dict[str, Any]:
    return {"Id": remote_id, "SyncToken": "0", "DisplayName": f"Customer {remote_id}", **changes}


def gone(remote_id: str, **changes: Any) -> dict[str, Any]:
    return {"status": "Deleted", "domain": "QBO", "Id": remote_id,
            "MetaData": {"LastUpdatedTime": "2026-11-20T12:55:50-08:00"}, **changes}  # fmt: skip


def answer(*elements: Any, **changes: Any) -> dict[str, Any]:
    return {"CDCResponse": [{"QueryResponse": list(elements)}], "time": TIME} | changes


@needs_recordings
@pytest.mark.parametrize("name", ["cdc_response", "cdc_response_multi_entity_with_deleted"])
def test_recorded_answers_are_read_whole(name: str) -> None:
    body = dict(exchanges(RECORDED / f"{name}.json")[0]["response"]["body"])
    body.setdefault("time", TIME)
    told = changes_in(body, CHANGE_KINDS)
    found = [row for element in body["CDCResponse"][0]["QueryResponse"] for rows in element.values()
             if isinstance(rows, list) for row in rows]  # fmt: skip
    ours = {"Customer", "Vendor", "Item", "Invoice", "Estimate", "Payment", "CreditMemo", "Account", "Employee", "Term",
            "SalesReceipt", "RefundReceipt", "Bill", "BillPayment", "PaymentMethod"}  # fmt: skip
    known = sum(len(rows) for element in body["CDCResponse"][0]["QueryResponse"] for name, rows in element.items()
                if name in ours and isinstance(rows, list))  # fmt: skip
    assert found
    assert len(told.records) + len(told.gone) == known > 0
    assert told.refusals == ()
    if "deleted" in name:
        assert told.gone
        assert all(tombstone.at for tombstone in told.gone)


def test_rows_of_one_kind_in_several_elements_belong_together() -> None:
    told = changes_in(
        answer({"Customer": [row("1")], "startPosition": 1, "maxResults": 1}, {}, {"Customer": [gone("2")]},
               {"Invoice": [gone("3", MetaData=None)]}),
        ["customer", "invoice"],
    )  # fmt: skip
    assert [record.origin.remote_id for record in told.records if isinstance(record, CustomerRecord)] == ["1"]
    assert [(tombstone.kind, tombstone.remote_id) for tombstone in told.gone] == [("customer", "2"), ("invoice", "3")]
    assert told.gone[0].at == datetime(2026, 11, 20, 20, 55, 50, tzinfo=UTC)
    assert told.gone[1].at is None
    assert told.until == datetime(2026, 11, 20, 20, 56, 6, 196000, tzinfo=UTC)


@pytest.mark.parametrize(("live", "dead", "complete"), [(999, 0, True), (990, 9, True), (1000, 0, False),
                                                        (600, 400, False)])  # fmt: skip
def test_a_thousand_objects_in_all_may_not_be_all(live: int, dead: int, complete: bool) -> None:
    told = changes_in(
        answer({"Customer": [row(str(number)) for number in range(live)]},
               {"Invoice": [gone(str(number)) for number in range(dead)]}),
        ["customer", "invoice"],
    )  # fmt: skip
    assert told.complete is complete
    assert len(told.records) + len(told.gone) == live + dead


def test_what_cannot_be_read_is_refused_alone() -> None:
    told = changes_in(answer({"Customer": [row("1", DisplayName=7), "odd", row("2"), gone("")]}), ["customer"])
    assert [refusal.remote_id for refusal in told.refusals] == ["1", "", ""]
    assert len(told.records) == 1
    assert told.gone == ()


@pytest.mark.parametrize("body", [
    {}, answer(time=None), answer(time="now"), answer(CDCResponse=None), answer(CDCResponse=[{}]), answer(7),
    answer({"Customer": {"Id": "1"}}),
])  # fmt: skip
def test_an_answer_of_another_shape_is_no_answer(body: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer):
        changes_in(body, ["customer"])


def test_the_question_names_entities_once_and_never_a_later_time() -> None:
    since = datetime(2026, 11, 20, 8, 0, 0, 999999, tzinfo=timezone(timedelta(hours=-8)))
    assert asked(["customer", "credit_memo", "customer"], since) == {
        "entities": "Customer,CreditMemo", "changedSince": "2026-11-20T16:00:00+00:00",
    }  # fmt: skip
    for kinds in ([], ["customer", "tax_code"]):
        with pytest.raises(ValueError, match="tells no changes"):
            asked(kinds, since)
