"""Refusals look as the recorded ones do: status, code, message, dialect."""

import xml.etree.ElementTree as ET

import pytest
import requests

from sandbox import exact, faults
from sandbox.times import utc_now
from tests.sandbox.conftest import Api, line


def error_of(recorded, name):
    exchange = recorded(name)
    response = exchange["exchanges"][0]["response"] if "exchanges" in exchange else exchange["response"]
    return response, response["body"]["Fault"]["Error"][0]


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("fault_2030_invalid_id", "GET", "customer/1.5", None),
        ("fault_500_unsupported_operation", "GET", "customer/1/5", None),
        ("fault_4001_invalid_query", "GET", "query?query=SELECT%20*%20FROM%20Custmoer", None),
        ("fault_4000_query_parser_error", "GET", "query?query=select%20*%20from%20NULL", None),
        ("fault_2010_unrecognized_property", "POST", "invoice", {"BadJson": True}),
        ("fault_610_object_not_found", "GET", "item/999999", None),
        ("fault_2020_required_param_missing", "POST", "item", {"Type": "Service"}),
    ],
)
def test_a_refusal_equals_its_recording(api: Api, recorded, name, method, path, body):
    response, expected = error_of(recorded, name)
    answer = api.call(method, path, data=exact.dumps(body) if body is not None else None)
    found = answer.json()["Fault"]["Error"][0]
    assert answer.status_code == response["status"]
    assert found["code"] == expected["code"]
    assert found["Message"] == expected["Message"]
    assert found.keys() == expected.keys()
    assert answer.json()["Fault"]["type"] == response["body"]["Fault"]["type"]
    variable = {"fault_500_unsupported_operation", "fault_2010_unrecognized_property"}
    if name not in variable:
        assert found["Detail"].lower() == expected["Detail"].lower()


def test_a_stale_token_and_a_taken_name_are_refused_as_recorded(api: Api, recorded):
    customer = api.customer("Stale One")
    stale = api.fault("Customer", {"Id": customer["Id"], "SyncToken": "9", "sparse": True, "Notes": "x"})
    _, expected = error_of(recorded, "fault_5010_stale_object")
    assert {**stale, "Detail": ""} == {**expected, "Detail": ""}
    taken = api.fault("Vendor", {"DisplayName": "stale one"})
    _, expected = error_of(recorded, "fault_6240_duplicate_name")
    assert (taken["code"], taken["Message"], set(taken)) == ("6240", expected["Message"], set(expected))
    assert taken["Detail"].endswith(f"Id={customer['Id']}")


def test_a_refused_token_answers_in_the_gateways_dialect(api: Api, recorded):
    expected = recorded("fault_3200_token_expired_401")["response"]
    api.served.sandbox.authority.expire(api.realm)
    answer = api.call("GET", "customer/1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == expected["headers"]["Www-Authenticate"]
    body = answer.json()
    assert body.keys() == expected["body"].keys()
    assert body["fault"]["error"][0]["code"] == "3200"
    assert body["fault"]["error"][0]["detail"].startswith("Token expired: ")
    assert isinstance(body["time"], int)


def test_another_companys_token_is_not_authorised(api: Api, recorded):
    other = api.served.store.companies()[1][0]
    answer = api.session.get(f"{api.served.url}/v3/company/{other}/customer/1")
    expected = recorded("fault_3100_authorization_failed_403")["response"]["body"]
    assert answer.status_code == 403
    assert answer.json()["fault"] == expected["fault"]


def test_faults_come_as_xml_when_json_is_not_accepted(served):
    answer = requests.get(f"{served.url}/v3/company/{served.realm}/customer/1", timeout=5)
    root = ET.fromstring(answer.content)
    assert answer.status_code == 401
    error = root.find(".//{*}Error")
    assert error is not None
    assert error.attrib["code"] == "3200"


def test_the_throttle_speaks_as_recorded(recorded):
    response = recorded("fault_3001_throttle_429_xml")["response"]
    expected = ET.fromstring(response["body"])
    made = ET.fromstring(faults.throttled().xml(utc_now()))
    assert faults.throttled().status == response["status"]
    for path in (".//{*}Message", ".//{*}Detail"):
        assert made.find(path).text == expected.find(path).text
    assert made.find(".//{*}Error").attrib == expected.find(".//{*}Error").attrib


def test_an_inactive_reference_is_610_and_a_missing_one_2500(api: Api):
    item, customer = api.item("Short-lived"), api.customer("Refers")
    missing = api.fault("Invoice", {"CustomerRef": {"value": customer["Id"]}, "Line": [line({"Id": "99999"}, "5")]})
    assert (missing["code"], missing["element"]) == ("2500", "Line.SalesItemLineDetail.ItemRef")
    api.write("Item", {"Id": item["Id"], "SyncToken": "0", "sparse": True, "Active": False})
    gone = api.fault("Invoice", {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, "5")]})
    assert gone["code"] == "610"


def test_too_long_values_name_the_property_and_its_limit(api: Api):
    fault = api.fault("Customer", {"DisplayName": "Long phone", "PrimaryPhone": {"FreeFormNumber": "9" * 31}})
    assert (fault["code"], fault["element"]) == ("2050", "PrimaryPhone.FreeFormNumber")
    assert "30" in fault["Detail"]


def test_a_body_that_is_not_utf8_is_an_unsupported_operation(api: Api):
    answer = api.call("POST", "customer", data=b'{"DisplayName":"Caf\xe9"}')
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "500")


def test_a_query_without_statement_is_a_fault_inside_http_200(api: Api):
    answer = api.call("GET", "query")
    assert answer.status_code == 200
    assert answer.json()["Fault"]["type"] == "SystemFault"
