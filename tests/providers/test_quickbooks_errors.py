"""What QuickBooks' refusals become: recorded faults of both dialects, XML, pages of a proxy, and unknown codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crm.domain import errors
from crm.providers.accounting.quickbooks.errors import TABLE, THROTTLE_WAIT, error_from, faults_in, faults_in_xml
from crm.providers.http import Answer
from tests.providers.recordings import exchanges, files, load, needs_recordings

EXPECTED: dict[str, tuple[type[errors.ProviderError], str]] = {
    "fault_10000_system_fault.xml": (errors.Unavailable, "10000"),
    "fault_100_authentication_401_xml.json": (errors.AccessExpired, "100"),
    "fault_2010_unrecognized_property.json": (errors.UnexpectedAnswer, "2010"),
    "fault_2020_missing_line_detail_xml.json": (errors.InvalidValue, "2020"),
    "fault_2020_required_param_missing.json": (errors.InvalidValue, "2020"),
    "fault_2020_salesreceipt_line_missing.json": (errors.InvalidValue, "2020"),
    "fault_2030_invalid_id.json": (errors.InvalidValue, "2030"),
    "fault_2500_invalid_reference_itemref_xml.json": (errors.MissingReference, "2500"),
    "fault_3001_throttle_429_xml.json": (errors.RateLimited, "3001"),
    "fault_3001_throttle_http403.xml": (errors.RateLimited, "3001"),
    "fault_3100_authorization_failed_403.json": (errors.PermissionLost, "3100"),
    "fault_3100_insufficient_scope_403_xml.json": (errors.PermissionLost, "3100"),
    "fault_3200_malformed_token_401.json": (errors.AccessExpired, "3200"),
    "fault_3200_token_expired_401.json": (errors.AccessExpired, "3200"),
    "fault_4000_query_parser_error.json": (errors.UnexpectedAnswer, "4000"),
    "fault_4001_invalid_query.json": (errors.UnexpectedAnswer, "4001"),
    "fault_4001_startposition_zero.xml": (errors.UnexpectedAnswer, "4001"),
    "fault_429_too_many_requests.xml": (errors.RateLimited, "3001"),
    "fault_500_unsupported_operation.json": (errors.UnexpectedAnswer, "500"),
    "fault_5010_stale_object.json": (errors.Stale, "5010"),
    "fault_6000_business_validation_tax.json": (errors.Rejected, "6000"),
    "fault_610_object_not_found.json": (errors.Gone, "610"),
    "fault_6240_duplicate_name.json": (errors.DuplicateName, "6240"),
    "fault_6240_taxservice_duplicate.json": (errors.DuplicateName, "6240"),
}


def answer(body: Any, status: int = 400, **headers: str) -> Answer:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, headers, content, trace_id="1-abc")


def recorded_answer(path: Path) -> Answer:
    if path.suffix == ".xml":
        return answer(path.read_text(), 400)
    sent = exchanges(path)[-1]["response"]
    return answer(sent["body"], sent["status"])


def fault(*codes: str, detail: str = "why", status: int = 400) -> errors.ProviderError:
    listed = [{"Message": f"m{code}", "Detail": f"{detail} {code}", "code": code, "element": "X"} for code in codes]
    return error_from(answer({"Fault": {"Error": listed, "type": "ValidationFault"}}, status))


@needs_recordings
@pytest.mark.parametrize("path", files("fault_*"), ids=lambda path: path.name)
def test_a_recorded_fault_becomes_our_error_with_its_evidence(path: Path) -> None:
    error = error_from(recorded_answer(path))
    kind, code = EXPECTED[path.name]
    assert (type(error), error.cause.code) == (kind, code)
    assert error.cause.trace_id == "1-abc"
    assert error.cause.message or error.cause.detail
    assert str(error).endswith((".", ":")) or "QuickBooks says:" in str(error)


@needs_recordings
def test_items_of_a_recorded_batch_hold_faults_inside_a_success() -> None:
    batch = load(next(iter(files("batch_response.json"))))["response"]["body"]["BatchItemResponse"]
    found = [error_from(answer({"Fault": item["Fault"]}, 200)) for item in batch if "Fault" in item]
    assert [type(error) for error in found] == [errors.Gone, errors.Stale]


def test_every_sentence_of_the_table_is_one_that_can_be_shown() -> None:
    for code, (kind, sentence) in TABLE.items():
        assert issubclass(kind, errors.ProviderError), code
        assert sentence.endswith("."), code
        assert sentence[0].isupper(), code


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, errors.Rejected), (422, errors.Rejected), (500, errors.Unavailable), (503, errors.Unavailable)],
)
def test_an_unknown_code_is_closed_by_default(status: int, kind: type[errors.ProviderError]) -> None:
    assert type(fault("98765", status=status)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, errors.Unavailable),
        (302, errors.UnexpectedAnswer),
        (401, errors.AccessExpired),
        (403, errors.PermissionLost),
        (404, errors.UnexpectedAnswer),
        (429, errors.RateLimited),
        (502, errors.Unavailable),
    ],
)
def test_a_page_of_html_is_judged_by_its_status(status: int, kind: type[errors.ProviderError]) -> None:
    error = error_from(answer("<html><body>Bad Gateway<br></body></html>", status, **{"content-type": "text/html"}))
    assert type(error) is kind
    assert error.cause.http_status == status
    assert "Bad Gateway" not in str(error)


def test_codes_are_compared_as_numbers() -> None:
    assert type(fault("003200", status=401)) is errors.AccessExpired


def test_all_errors_of_a_fault_are_kept_and_the_first_known_code_decides() -> None:
    error = fault("98765", "2020", "6240")
    assert type(error) is errors.InvalidValue
    for code in ("98765", "2020", "6240"):
        assert f"why {code}" in error.cause.detail
    assert error.cause.field == "X"


def test_a_fault_may_be_spelled_in_small_letters_and_hold_one_error_alone() -> None:
    body = {"fault": {"error": {"message": "m", "detail": "d", "code": "610", "element": None}}, "time": 1}
    assert [(found.code, found.element) for found in faults_in(body)] == [("610", "")]


def test_a_null_fault_is_none() -> None:
    assert faults_in({"fault": None, "QueryResponse": {}}) == ()


def test_a_duplicate_names_the_record_that_holds_the_name_where_quickbooks_tells() -> None:
    told = fault("6240", detail="The name supplied already exists. : Id=1209")
    silent = fault("6240", detail="The name supplied already exists. : null")
    assert isinstance(told, errors.DuplicateName)
    assert isinstance(silent, errors.DuplicateName)
    assert (told.remote_id, silent.remote_id) == ("1209", None)


def test_a_throttle_waits_as_long_as_asked_or_a_minute() -> None:
    body = {"Fault": {"Error": [{"code": "3001"}]}}
    asked = error_from(answer(body, 429, **{"retry-after": "7"}))
    silent = error_from(answer(body, 429))
    assert isinstance(asked, errors.RateLimited)
    assert isinstance(silent, errors.RateLimited)
    assert (asked.retry_after, silent.retry_after) == (7, THROTTLE_WAIT)


def test_the_token_that_quickbooks_prints_in_its_refusal_is_masked() -> None:
    body = {"fault": {"error": [{"code": "3200", "detail": "Token expired: AB01600000000secret", "message": "m"}]}}
    error = error_from(answer(body, 401))
    assert "AB0160" not in f"{error} {error.cause}"
    other = {"fault": {"error": [{"code": "3200", "detail": "Bad value AB0160secret here"}]}}
    assert "AB0160" not in f"{error_from(answer(other, 401), secrets=['AB0160secret']).cause}"


def test_what_the_books_say_is_added_to_a_refusal_of_data_only() -> None:
    assert "QuickBooks says: why 6000" in str(fault("6000"))
    assert "why" not in str(fault("3200", status=401))


def test_xml_that_declares_entities_is_not_parsed() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><Fault><Error code="610"><Message>&a;</Message></Error></Fault>'
    assert faults_in_xml(bomb) == ()


def test_broken_xml_and_plain_text_hold_no_faults() -> None:
    assert faults_in_xml("<Fault><Error code='610'>") == ()
    assert faults_in_xml("Service Unavailable") == ()
