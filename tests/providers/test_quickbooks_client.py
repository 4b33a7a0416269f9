"""The QuickBooks client on the wire: what a call looks like, and answers no look-alike gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from crm.domain import errors
from crm.domain.records import CustomerRecord
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, CallInfo, Config, Draft
from crm.providers.accounting.quickbooks.client import exact, literal
from tests.providers.listener import Reply, listening
from tests.providers.recordings import RECORDED, load, needs_recordings

AMY = {"Id": "7", "SyncToken": "0", "DisplayName": "Amy", "Active": True, "Balance": 0.1}


def books(url: str, calls: list[CallInfo] | None = None) -> Accounting:
    heard: Callable[[CallInfo], Any] = (calls if calls is not None else []).append
    config = Config("id", "secret", api_url=f"{url}/")
    return registry.open_books("quickbooks", config, realm_id="93/4", access_token="the-access-token", on_call=heard)


def answering(body: Any, status: int = 200) -> Callable[..., Reply]:
    return lambda _: Reply(body, status, {"intuit_tid": "tid-1"})


def test_a_query_goes_out_as_a_post_that_keeps_the_statement_out_of_the_address() -> None:
    with listening(answering({"QueryResponse": {}})) as server:
        books(server.url).scan("customer")
        (request,) = server.requests
    address = urlsplit(request.path)
    assert (request.method, address.path) == ("POST", "/v3/company/93%2F4/query")
    assert parse_qs(address.query) == {"minorversion": ["75"]}
    assert request.headers["authorization"] == "Bearer the-access-token"
    assert request.headers["accept"] == "application/json"
    assert request.headers["content-type"] == "application/text"
    assert request.body == (
        "SELECT * FROM Customer WHERE Active IN (true,false) ORDERBY Id ASC STARTPOSITION 1 MAXRESULTS 1000"
    )


def test_documents_are_asked_without_the_active_flag_they_do_not_have() -> None:
    with listening(answering({"QueryResponse": {"totalCount": 3}})) as server:
        assert books(server.url).count("credit_memo") == 3
        assert server.requests[0].body == "SELECT COUNT(*) FROM CreditMemo"


def test_money_survives_the_wire_to_the_last_digit() -> None:
    rows = '{"QueryResponse": {"Customer": [{"Id": "7", "DisplayName": "A", "Balance": 12345678901234.10}]}}'
    with listening(answering(rows)) as server:
        (record,) = books(server.url).scan("customer").records
    assert isinstance(record, CustomerRecord)
    assert str(record.balance) == "12345678901234.10"


def test_numbers_that_are_none_are_not_taken() -> None:
    assert exact('{"a": 1.10, "b": 2}') == {"a": Decimal("1.10"), "b": 2}
    for text in ('{"a": NaN}', '{"a": Infinity}', "<html>"):
        with pytest.raises(ValueError, match=r"."):
            exact(text)


@pytest.mark.parametrize(
    ("text", "written"), [("Amy's", r"'Amy\'s'"), ("a\\b", r"'a\\b'"), ("Müller & Co", "'Müller & Co'"), ("", "''")]
)
def test_a_text_is_quoted_for_the_query_language(text: str, written: str) -> None:
    assert literal(text) == written


@needs_recordings
def test_the_recorded_statement_quotes_an_apostrophe_as_we_do() -> None:
    recorded = load(RECORDED / "query_customer_displayname_escaped_quote.json")["request"]["query"]["query"]
    assert literal("Amy's Bird Sanctuary") in recorded


def test_a_fault_inside_a_success_is_a_fault_and_is_not_metered() -> None:
    calls: list[CallInfo] = []
    body = {"Fault": {"Error": [{"Message": "m", "Detail": "d", "code": "4001"}]}}
    with listening(answering(body)) as server, pytest.raises(errors.UnexpectedAnswer) as caught:
        books(server.url, calls).scan("customer")
    assert (caught.value.cause.code, caught.value.cause.trace_id) == ("4001", "tid-1")
    assert [(call.metered, call.error) for call in calls] == [(False, "UnexpectedAnswer")]


@pytest.mark.parametrize(
    "body", [{}, {"QueryResponse": None}, {"QueryResponse": {"Customer": {"Id": "1"}}}, {"QueryResponse": []}]
)
def test_an_answer_of_an_unknown_shape_is_never_taken_for_an_empty_page(body: Any) -> None:
    with listening(answering(body)) as server, pytest.raises(errors.UnexpectedAnswer):
        books(server.url).scan("customer")


@pytest.mark.parametrize("body", ["[]", "null", '"ok"', "<html></html>", ""])
def test_an_answer_that_is_no_object_is_an_outage(body: str) -> None:
    with listening(answering(body)) as server, pytest.raises(errors.Unavailable):
        books(server.url).scan("customer")


def test_a_count_without_a_number_and_a_read_without_an_object_are_refused() -> None:
    with listening(answering({"QueryResponse": {}})) as server, pytest.raises(errors.UnexpectedAnswer):
        books(server.url).count("customer")
    with listening(answering({"time": "x"})) as server, pytest.raises(errors.UnexpectedAnswer):
        books(server.url).company()


def test_many_ids_are_fetched_in_few_queries() -> None:
    with listening(answering({"QueryResponse": {"Customer": [AMY]}})) as server:
        books(server.url).fetch("customer", [str(number) for number in range(1, 451)])
        assert len(server.requests) == 3
        assert "Id IN ('1', '2'," in server.requests[0].body


def test_a_cursor_of_another_make_is_refused() -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        books("http://127.0.0.1:9").scan("customer", "abc")


def test_rows_that_are_no_objects_are_refused_one_by_one() -> None:
    with listening(answering({"QueryResponse": {"Customer": [AMY, "x", None]}})) as server:
        page = books(server.url).scan("customer")
    assert (len(page.records), len(page.refusals)) == (1, 2)


@pytest.mark.parametrize("realm_id", ["9341453000000042", "93/4"])
def test_the_companys_id_is_in_no_error_though_it_stands_in_every_address(realm_id: str) -> None:
    def there(url: str) -> Accounting:
        return registry.open_books(
            "quickbooks", Config("id", "secret", api_url=url), realm_id=realm_id, access_token="the-access-token",
            on_call=lambda _: None,
        )  # fmt: skip

    def told(error: errors.ProviderError) -> str:
        assert error.cause.detail
        return f"{error} {error.cause}"

    with pytest.raises(errors.Unavailable) as refused:
        there("http://127.0.0.1:9").changes(["customer"], datetime(2026, 11, 20, tzinfo=UTC))
    assert "/v3/company/***/cdc" in told(refused.value)
    with pytest.raises(errors.Unavailable) as unsent:
        there("http://127.0.0.1:9").push([Draft("e1", "customer", "create", {"DisplayName": "A"})], key="k")
    fault = {"Message": f"No company {realm_id}", "Detail": f"company {realm_id} is odd", "code": "2050"}
    body = {"Fault": {"Error": [fault]}}
    with listening(answering(body, 400)) as server, pytest.raises(errors.InvalidValue) as answered:
        there(server.url).scan("customer")
    item = {"BatchItemResponse": [{"bId": "e1", "Fault": {"Error": [fault]}}]}
    with listening(answering(item)) as server:
        (pushed,) = there(server.url).push([Draft("e1", "customer", "create", {"DisplayName": "A"})], key="k")
    assert pushed.error is not None
    for error in (refused.value, unsent.value, answered.value, pushed.error):
        assert realm_id not in told(error) and quote(realm_id, safe="") not in told(error)


def test_an_unknown_provider_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'xero'; there are: quickbooks"):
        registry.spec("xero")
