"""What QuickBooks says when it refuses: one exception, two JSON dialects and the XML form.

``Fault`` is the API's own refusal (HTTP 400, names in capitals); ``GatewayFault`` comes from the gateway in front of
it (401, 403, 429; names in lower case, time in milliseconds). The makers below hold code, message and detail as
recorded in the fault_* exchanges; a code without a recording says so in sandbox/README.md.
"""

from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from sandbox.times import envelope_time

XML_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


@dataclass
class Fault(Exception):
    """A refusal of the accounting API."""

    code: str
    message: str
    detail: str
    element: str | None = ""
    type: str = "ValidationFault"
    status: int = 400

    def error(self) -> dict:
        error = {"Message": self.message, "Detail": self.detail, "code": self.code}
        if self.element is not None:
            error["element"] = self.element
        return error

    def body(self, now: datetime) -> dict:
        return {"Fault": {"Error": [self.error()], "type": self.type}, "time": envelope_time(now)}

    def xml(self, now: datetime) -> str:
        element = f" element={quoteattr(self.element)}" if self.element else ""
        return (
            f'{XML_HEAD}<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time="{envelope_time(now)}">'
            f'<Fault type="{self.type}"><Error code="{self.code}"{element}><Message>{escape(self.message)}</Message>'
            f"<Detail>{escape(self.detail or '')}</Detail></Error></Fault></IntuitResponse>"
        )


@dataclass
class GatewayFault(Fault):
    """A refusal of the gateway: same facts, other dialect."""

    def body(self, now: datetime) -> dict:
        error = {"message": self.message, "detail": self.detail, "code": self.code, "element": None}
        return {
            "warnings": None,
            "intuitObject": None,
            "fault": {"error": [error], "type": self.type},
            "report": None,
            "queryResponse": None,
            "batchItemResponse": [],
            "attachableResponse": [],
            "syncErrorResponse": None,
            "requestId": None,
            "time": int(now.timestamp() * 1000),
            "status": None,
            "cdcresponse": [],
        }


def token_refused(detail: str) -> GatewayFault:
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    return GatewayFault("3200", message, detail, type="AUTHENTICATION", status=401)


def not_authorised(detail: str | None = None) -> GatewayFault:
    message = "message=AuthorizationFailed; errorCode=003100; statusCode=403"
    return GatewayFault("3100", message, detail, type="SERVICE", status=403)


def throttled() -> GatewayFault:
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    return GatewayFault("3001", message, "The request limit was reached.  Try again later", type="SERVICE", status=429)


def unsupported(what: str) -> Fault:
    return Fault("500", "Unsupported Operation", f"Operation {what} is not supported.", element=None)


def not_found() -> Fault:
    return Fault(
        "610",
        "Object Not Found",
        "Object Not Found : Something you're trying to use has been made inactive. "
        "Check the fields with accounts, customers, items, vendors or employees.",
    )


def stale() -> Fault:
    return Fault(
        "5010",
        "Stale Object Error",
        "Stale Object Error : You and Sandbox User were working on this at the same time. "
        "Sandbox User finished before you did, so your work was not saved.",
    )


def required(element: str) -> Fault:
    return Fault(
        "2020",
        "Required param missing, need to supply the required value for the API",
        f"Required parameter {element} is missing in the request",
        element=element,
    )


def invalid_id(value: object, element: str = "Id") -> Fault:
    return Fault("2030", "Invalid ID", f"Id should be a valid number. Supplied value:{value}", element=element)


def invalid_reference(element: str) -> Fault:
    return Fault("2500", "Invalid Reference Id", f"Invalid Reference Id : {element}", element=element)


def duplicate_name(other_id: str | None) -> Fault:
    detail = f"The name supplied already exists. : Id={other_id}" if other_id else (
        "The name supplied already exists. : null"
    )
    return Fault("6240", "Duplicate Name Exists Error", detail, element=None)


def duplicate_number(number: str, kind: str, others: list[str]) -> Fault:
    return Fault(
        "6140",
        "Duplicate Document Number Error",
        "Duplicate Document Number Error : You must specify a different number. This number has already been used. "
        f"DocNumber={number} is assigned to TxnType={kind} with TxnId={', '.join(others)}",
    )


def miscalculated(amount: object) -> Fault:
    return Fault(
        "6070",
        "Amount calculation incorrect in the request",
        "Amount calculation incorrect in the request : Amount is not equal to UnitPrice * Qty. "
        f"Supplied value:{amount}",
    )


def too_long(element: str, limit: int) -> Fault:
    return Fault(
        "2050",
        "String is too long",
        f"String length specified is too long. Max allowed length is {limit}. : {element}",
        element=element,
    )


def invalid_string(element: str, detail: str) -> Fault:
    return Fault("2040", "Invalid String", f"Invalid String : {detail}", element=element)


def malformed(code: str, element: str, detail: str) -> Fault:
    """2060 date, 2080 number, 2210 e-mail, 2230 boolean: a value that cannot be read."""
    return Fault(code, "Request has invalid or unsupported value", f"{element}: {detail}", element=element)


def unknown_property(name: str, owner: str, known: list[str]) -> Fault:
    shown = ", ".join(f'"{field}"' for field in known[:70])
    return Fault(
        "2010",
        "Request has invalid or unsupported property",
        f'Property Name:Unrecognized field "{name}" (class com.intuit.schema.finance.v3.{owner}), not marked as '
        f"ignorable ({len(known)} known properties: {shown} [truncated]])\n specified is unsupported or invalid",
        element=None,
    )


def unreadable(name: str) -> Fault:
    return Fault(
        "2010",
        "Request has invalid or unsupported property",
        f"Property Name:Can not deserialize value of {name}\n specified is unsupported or invalid",
        element=None,
    )


def business(detail: str) -> Fault:
    return Fault(
        "6000",
        "A business validation error has occurred while processing your request",
        f"Business Validation Error: {detail}",
    )


def invalid_query(detail: str) -> Fault:
    return Fault("4001", "Invalid query", f"QueryValidationError: {detail}", element=None)


def query_syntax(detail: str) -> Fault:
    return Fault("4000", "Error parsing query", f"QueryParserError: {detail}", element=None)
