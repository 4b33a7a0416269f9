"""What QuickBooks' refusals mean: the table from its error codes to our errors, and the reading of its answers.

The client gives every answer that is not plain success to `error_from`. Codes are compared as numbers (`003200` is
`3200`); wording is never looked at, but kept as evidence. Several errors in one answer are all kept; the first known
code decides. Closed by default: an unknown code is `Rejected` under HTTP 4xx, `Unavailable` under 5xx. Meanings are
Intuit's published list; reactions are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from crm.domain.errors import (
    AccessExpired,
    Cause,
    ClosedPeriod,
    DuplicateName,
    DuplicateNumber,
    Gone,
    InvalidValue,
    MissingReference,
    NeedsReconnect,
    OutcomeUnknown,
    PermissionLost,
    ProviderError,
    RateLimited,
    Rejected,
    Stale,
    SubscriptionLapsed,
    Unavailable,
    UnexpectedAnswer,
)
from crm.providers.http import Answer, scrub

THROTTLE_WAIT = 60
"""Seconds Intuit's limits page asks for after a 429; no recorded answer carries Retry-After."""

_SIGN_IN = (AccessExpired, "QuickBooks did not accept the access token.")
_OURS = "QuickBooks could not make sense of what Tradebook sent. This is a fault of Tradebook, not of the data."
_FIELD = (InvalidValue, "QuickBooks does not accept a value. Correct it and try again.")
_REFERENCE = (MissingReference, "Something this record points to is missing or inactive in QuickBooks.")
_LATER = (Unavailable, "QuickBooks could not do this now. It will be tried again later.")
_LOCKED = (Unavailable, "The company is locked for maintenance in QuickBooks. It will be tried again later.")
_OFF = (Rejected, "This feature is not part of the company's QuickBooks plan or country.")

#: Code -> (our error, sentence). One line per meaning.
TABLE: dict[int, tuple[type[ProviderError], str]] = {
    # access
    **dict.fromkeys((100, 110, 3200, 3202), _SIGN_IN),
    120: (PermissionLost, "The person who connected QuickBooks lost access to the company. An admin of the company "
                          "must connect again."),
    **dict.fromkeys((3100, 3103), (PermissionLost, "QuickBooks does not let Tradebook into this company: the "
                          "accounting permission is missing, or the keys belong to the other environment "
                          "(QUICKBOOKS_SANDBOX).")),
    3001: (RateLimited, "QuickBooks asks for fewer calls. Work goes on in a moment."),
    6190: (SubscriptionLapsed, "The company's QuickBooks subscription has ended or is suspended."),
    10200: (NeedsReconnect, "The company was reset in QuickBooks. Connect it again to start over."),
    # service
    130: _LATER, 140: _LOCKED, 150: _LOCKED,
    **dict.fromkeys((1000, 1010, 1020, 10000), _LATER),
    # the record's state there
    610: (Gone, "The record, or one it points to, was deleted or made inactive in QuickBooks."),
    5010: (Stale, "The record was changed in QuickBooks meanwhile."),
    600: (Rejected, "QuickBooks has already taken this request."),
    620: (Rejected, "QuickBooks cannot link these two documents."),
    630: (Rejected, "QuickBooks already holds this record."),
    6240: (DuplicateName, "The name is already used by a customer, vendor or employee in QuickBooks. Link to that "
                          "record, or choose another name."),
    6140: (DuplicateNumber, "The document number is already used in QuickBooks. Choose another number."),
    6200: (ClosedPeriod, "The books are closed for this date. Change the date or have the accountant reopen them."),
    6210: (ClosedPeriod, "The books are closed for this date by a password. The accountant must open the period."),
    # references
    **dict.fromkeys((700, 2500, 6250), _REFERENCE),
    900: (InvalidValue, "A record cannot be its own parent."),
    # values
    **dict.fromkeys((2020, 2030, 2040, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2140, 2150, 2160, 2170, 2180, 2190,
                     2240, 2280, 2300, 3000, 6010, 6070, 6080, 6090, 6100, 6150, 6310, 6320, 6430, 6440), _FIELD),
    2050: (InvalidValue, "A text is too long for QuickBooks. Shorten it and try again."),
    2200: (InvalidValue, "The web address is not one QuickBooks accepts. Correct or clear it."),
    2210: (InvalidValue, "The e-mail address is not one QuickBooks accepts. Correct or clear it."),
    2220: (InvalidValue, "QuickBooks does not know the currency."),
    2230: _FIELD,
    2250: (InvalidValue, "The document has no lines. Add at least one."),
    2290: (InvalidValue, "QuickBooks takes no negative amounts on lines. Use a discount or a credit memo."),
    6420: (InvalidValue, "Delivery by e-mail needs an e-mail address. Add one, or choose another delivery."),
    6520: (InvalidValue, "The item counts stock and needs a quantity."),
    6530: (InvalidValue, "A text looks like a card number. Remove it."),
    # refusals of the books
    800: (Rejected, "Other records depend on this one, so QuickBooks does not delete it. Remove those first, or void "
                    "it instead."),
    5020: _OFF, 5030: _OFF,
    6000: (Rejected, "QuickBooks refused this for a rule of the books."),
    **dict.fromkeys((6020, 6030, 6040, 6041, 6050), (Rejected, "QuickBooks did not take the file.")),
    6110: (Rejected, "The payment went through QuickBooks Payments and cannot be changed."),
    6120: (Rejected, "The payment went through QuickBooks Payments and cannot be deleted."),
    6130: (Rejected, "The parent is billed for this customer already, so that cannot be changed."),
    **dict.fromkeys((6160, 6170, 6230, 6470), (Rejected, "QuickBooks does not accept this sales tax here.")),
    6180: (Rejected, "Customers can be nested five levels deep at most."),
    6220: (Rejected, "The record has an open balance. Settle it first."),
    6270: (Rejected, "The date lies before the item's stock was first counted."),
    6280: (Rejected, "The customer has unbilled charges. Bill or remove them first."),
    6450: (Rejected, "The document is paid or settled and cannot be voided. Take the payment off it first."),
    6460: (Rejected, "The deposit differs from the card amount."),
    6480: (Rejected, "The document is matched to a bank transaction and cannot be deleted."),
    6540: (Rejected, "The money is part of a bank deposit, so it can neither be changed nor deleted. Remove it from "
                     "the deposit in QuickBooks first."),
    # our faults
    **dict.fromkeys((500, 1040, 1050, 2000, 2010, 2130, 2600, 4000, 4001, 5000), (UnexpectedAnswer, _OURS)),
    4002: (UnexpectedAnswer, "QuickBooks could not process the query, perhaps because of a damaged record there."),
    10100: (UnexpectedAnswer, "QuickBooks found the answer too large."),
}  # fmt: skip

#: What says that the service did not even begin; any other trouble of its own may come after a write was done.
NOT_DONE = frozenset({130, 140, 150})
UNKNOWN = "QuickBooks had trouble answering. Whether the change arrived is not known."

#: Where an answer names no code: by HTTP status.
BY_STATUS: dict[int, tuple[type[ProviderError], str]] = {
    401: _SIGN_IN,
    403: TABLE[3100],
    408: _LATER,
    429: TABLE[3001],
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an answer, in QuickBooks' own words."""

    code: str
    message: str = ""
    detail: str = ""
    element: str = ""

    @property
    def number(self) -> int | None:
        return int(self.code) if self.code.strip().isdigit() else None


def faults_in(body: Any) -> tuple[Fault, ...]:
    """The errors of a parsed JSON answer: both spellings, also inside an HTTP 200. Empty where there are none."""
    if not isinstance(body, Mapping):
        return ()
    fault = _member(body, "fault")
    if not isinstance(fault, Mapping):
        return ()
    errors = _member(fault, "error")
    if isinstance(errors, Mapping):
        errors = [errors]
    read = [_fault(error) for error in errors or [] if isinstance(error, Mapping)]
    return tuple(read) or (Fault(code="", message=str(_member(fault, "type") or "")),)


def faults_in_xml(text: str) -> tuple[Fault, ...]:
    """The errors of an XML answer, which throttles and sign-in refusals use whatever was asked for."""
    if "<" not in text or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return ()
    try:
        root = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError:
        return ()
    found = []
    for node in root.iter():
        if _local(node.tag) != "Error":
            continue
        parts = {_local(child.tag): (child.text or "").strip() for child in node}
        found.append(
            Fault(node.get("code", ""), parts.get("Message", ""), parts.get("Detail", ""), node.get("element", ""))
        )
    return tuple(found)


def error_from(answer: Answer, *, secrets: Iterable[str] = ()) -> ProviderError:
    """Our error for an answer that is not success."""
    return _error(_faults(answer), answer, tuple(secrets))


def item_error(item: Mapping[str, Any], answer: Answer, *, secrets: Iterable[str] = ()) -> ProviderError:
    """Our error for one refused item of a batch, whose answer was a success as a whole.

    An item has no status of its own: a fault of the system counts as 500, any other as 400. One of the system leaves
    open whether the item was written: `OutcomeUnknown`, so that it is asked again with the same key.
    """
    faults = faults_in(item)
    of_system = str(_member(_member(item, "fault") or {}, "type") or "").casefold().startswith("system")
    error = _error(faults, replace(answer, status=500 if of_system else 400), tuple(secrets))
    if type(error) is Unavailable and not any(fault.number in NOT_DONE for fault in faults):
        return OutcomeUnknown(f"{UNKNOWN} {error}", cause=error.cause)
    return error


def write_error(answer: Answer, *, secrets: Iterable[str] = ()) -> ProviderError:
    """Our error for an answer to a write as a whole that is not success.

    Refusals at the gate (sign-in, throttle, 4xx) did nothing. A 5xx, a page of a proxy or an answer cut short may come
    after the work was done there: `OutcomeUnknown`.
    """
    error = error_from(answer, secrets=secrets)
    if type(error) is Unavailable and not any(fault.number in NOT_DONE for fault in _faults(answer)):
        return OutcomeUnknown(UNKNOWN, cause=error.cause)
    return error


def _error(faults: tuple[Fault, ...], answer: Answer, secrets: tuple[str, ...]) -> ProviderError:
    chosen = next((fault for fault in faults if fault.number in TABLE), faults[0] if faults else None)
    kind, sentence = _meaning(chosen, answer.status, spoke=bool(faults))
    cause = _cause(chosen, faults, answer, secrets)
    if issubclass(kind, Rejected) and cause.detail:
        sentence = f"{sentence} QuickBooks says: {cause.detail[:300]}"
    if kind is RateLimited:
        return RateLimited(sentence, retry_after=answer.retry_after or THROTTLE_WAIT, cause=cause)
    if kind is DuplicateName:
        return DuplicateName(sentence, remote_id=_named_id(chosen), cause=cause)
    return kind(sentence, cause=cause)


def _faults(answer: Answer) -> tuple[Fault, ...]:
    try:
        return faults_in(json.loads(answer.content))
    except ValueError:
        return faults_in_xml(answer.text)


def _meaning(fault: Fault | None, status: int, *, spoke: bool) -> tuple[type[ProviderError], str]:
    if fault is not None and fault.number in TABLE:
        return TABLE[fault.number]
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return _LATER
    if status >= 400 and spoke:
        return Rejected, "QuickBooks refused this."
    if status < 300 and not spoke:
        return Unavailable, "QuickBooks answered with something that cannot be read. It will be tried again later."
    return UnexpectedAnswer, f"QuickBooks gave an answer that Tradebook does not know (HTTP {status})."


def _cause(chosen: Fault | None, faults: tuple[Fault, ...], answer: Answer, secrets: tuple[str, ...]) -> Cause:
    if chosen is None:
        kind = answer.headers.get("content-type", "").split(";")[0]
        return Cause(detail=f"{kind or 'no content type'}", trace_id=answer.trace_id, http_status=answer.status)
    ordered = [chosen, *(fault for fault in faults if fault is not chosen)]
    detail = "; ".join(_words(fault, first=fault is chosen) for fault in ordered)
    return Cause(
        code=chosen.code,
        message=scrub(chosen.message, secrets),
        detail=scrub(detail, secrets)[:2000],
        field=chosen.element,
        trace_id=answer.trace_id,
        http_status=answer.status,
    )


def _words(fault: Fault, *, first: bool) -> str:
    words = " ".join((fault.detail or fault.message).split())
    return words if first else f"{fault.code} {fault.element}: {words}".replace(" :", ":")


def _named_id(fault: Fault | None) -> str | None:
    found = re.search(r"\bId=(\d+)", fault.detail) if fault else None
    return found.group(1) if found else None


def _fault(error: Mapping[str, Any]) -> Fault:
    def text(name: str) -> str:
        value = _member(error, name)
        return "" if value is None else str(value)

    return Fault(text("code"), text("message"), text("detail"), text("element"))


def _member(body: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in body.items() if key.lower() == name), None)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
