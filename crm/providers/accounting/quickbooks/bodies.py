"""Bodies of writes: what is sent to create, change or end an object, as plain JSON that can be kept until then.

`body` is the port's `Body`; customers are made here, all else in `writing`. A create sends the whole record; a
customer's update only the shared fields it is asked for (sparse: what is not named stays), each nested object whole,
since QuickBooks replaces those. A field is cleared by an empty text in its usual place; that QuickBooks takes this for
every field is not documented, so the answer says what became of it. Exact numbers are kept as `{"$number": "12.50"}`;
`exact_json` makes numbers of them on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from crm.domain.errors import InvalidValue
from crm.domain.preflight import NOT_TAKEN, legible
from crm.domain.records import Address, CustomerRecord, Origin, Record
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.fields import ADDRESS
from crm.providers.accounting.quickbooks.writing import create_body, update_body

NUMBER = "$number"
NAME_KINDS = ("customer", "vendor", "item")
DOCUMENT_KINDS = ("estimate", "invoice", "payment", "credit_memo", "bill")
PUSH_KINDS = (*NAME_KINDS, *DOCUMENT_KINDS)
NAMES = ("DisplayName", "Name", "GivenName", "MiddleName", "FamilyName", "CompanyName", "Title", "Suffix")
#: Shared field -> QuickBooks' object and the part that holds the text.
_INSIDE = {
    "phone": ("PrimaryPhone", "FreeFormNumber", "primary"), "mobile": ("Mobile", "FreeFormNumber", "mobile"),
    "other": ("AlternatePhone", "FreeFormNumber", "alternate"), "fax": ("Fax", "FreeFormNumber", "fax"),
}  # fmt: skip
_LINES = ("line1", "line2", "line3", "line4", "line5")


def body(
    kind: str,
    operation: str,
    record: Record | None,
    *,
    fields: Collection[str] = (),
    current: Record | None = None,
) -> dict[str, Any]:
    """See `base.Body`. `record` may be None for what needs only the id: deactivate, delete and void."""
    if kind not in PUSH_KINDS or operation not in _MAKERS:
        raise ValueError(f"QuickBooks takes no {operation!r} of {kind!r}")
    if operation != "create" and current is None:
        raise ValueError(f"{operation} needs the record as it stands there")
    made = _MAKERS[operation](kind, record, fields, current)
    made = {name: legible(value) if name in NAMES and isinstance(value, str) else value for name, value in made.items()}
    if kind == "customer" and not made.get("DisplayName", "" if operation == "create" else "left as it is"):
        raise InvalidValue("The name is empty, and QuickBooks needs one. Give the contact a name.")
    plain = _plain(made if kind == "customer" else _told(made))
    assert isinstance(plain, dict)
    return plain


def _told(value: Any) -> Any:
    """All texts without the characters that QuickBooks fails on or loses."""
    if isinstance(value, str):
        return NOT_TAKEN.sub("", value)
    if isinstance(value, Mapping):
        return {name: _told(inner) for name, inner in value.items()}
    return [_told(inner) for inner in value] if isinstance(value, list) else value


def exact_json(value: Any) -> bytes:
    """JSON as it is sent, with the kept numbers as numbers."""
    return orjson.dumps(_numbers(value))


# --- operations -----------------------------------------------------------------------------------------------


def _create(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    if kind != "customer":
        return create_body(kind, record)
    return mapper.to_sent_body(kind, replace(record, origin=Origin("")))


def _update(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    if kind != "customer":
        return update_body(kind, record, fields, current)
    changed = _address_of(current)
    for field in fields:
        changed |= _FIELDS[field](record, current)
    return changed


def _deactivate(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    return {**_address_of(current), "Active": False}


def _reactivate(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    """With the name it shall have: whether QuickBooks takes its own suffix off again is not documented."""
    said = record or current
    name = {"Name": said.name} if kind == "item" else {"DisplayName": said.display_name}
    return {**_address_of(current), "Active": True, **name}


def _end(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    return {"Id": current.origin.remote_id, "SyncToken": current.origin.version}


def _void(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    return _address_of(current)


_MAKERS: dict[str, Callable[[str, Any, Collection[str], Any], dict[str, Any]]] = {
    "create": _create, "update": _update, "deactivate": _deactivate, "reactivate": _reactivate, "delete": _end,
    "void": _void,
}  # fmt: skip


def _address_of(current: Any) -> dict[str, Any]:
    """Which object, in which version, and that what is not named stays."""
    return {"Id": current.origin.remote_id, "SyncToken": current.origin.version, "sparse": True}


# --- a customer's shared fields -------------------------------------------------------------------------------


def _text(name: str, ours: str) -> Callable[[CustomerRecord, CustomerRecord], dict[str, Any]]:
    return lambda record, current: {name: getattr(record, ours)}


def _given(record: CustomerRecord, current: CustomerRecord) -> dict[str, Any]:
    """The shared first name holds the middle name too. Sent, it is all in the first; what stood beside it goes."""
    sent = {"GivenName": " ".join(part for part in (record.given_name, record.middle_name) if part)}
    return {**sent, "MiddleName": ""} if current.middle_name else sent


def _phone(field: str) -> Callable[[CustomerRecord, CustomerRecord], dict[str, Any]]:
    name, part, label = _INSIDE[field]
    return lambda record, current: {
        name: {part: next((phone.text for phone in record.phones if phone.label == label), "")}
    }


def _place(record: CustomerRecord, current: CustomerRecord) -> dict[str, Any]:
    """The billing address. One that is cleared goes as shipping address too where that is what showed, or the same."""
    ours, theirs = record.billing_address or Address(), current.billing_address
    if theirs and ours.line1 and not any(getattr(ours, line) for line in _LINES[1:]) and ours.line1 == _street(theirs):
        ours = replace(ours, **{line: getattr(theirs, line) for line in _LINES})  # our street is their lines, joined
    sent: dict[str, Any] = {"BillAddr": _kept(current, "BillAddr") | _parts(ours)}
    if ours == Address() and current.shipping_address and theirs in (None, current.shipping_address):
        sent["ShipAddr"] = _kept(current, "ShipAddr") | _parts(ours)
    return sent


def _street(address: Address) -> str:
    return ", ".join(text for line in _LINES if (text := getattr(address, line)))


def _parts(address: Address) -> dict[str, str]:
    assert {part.name for part in fields_of(address)} == set(ADDRESS.values())
    return {theirs: getattr(address, ours) for theirs, ours in ADDRESS.items()}


def _kept(current: CustomerRecord, name: str) -> dict[str, Any]:
    """An address keeps its own id; its coordinates belong to the old place."""
    stored = current.extra.get(name)
    return {"Id": stored["Id"]} if isinstance(stored, Mapping) and stored.get("Id") else {}


_FIELDS: dict[str, Callable[[CustomerRecord, CustomerRecord], dict[str, Any]]] = {
    "display_name": _text("DisplayName", "display_name"),
    "given_name": _given,
    "family_name": _text("FamilyName", "family_name"),
    "company_name": _text("CompanyName", "company_name"),
    "website": lambda record, current: {"WebAddr": {"URI": record.website}},
    "email": lambda record, current: {"PrimaryEmailAddr": {"Address": record.email_text}},
    "address": _place,
    **{field: _phone(field) for field in _INSIDE},
}


# --- numbers --------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """JSON that survives a JSON column: Decimals become `{"$number": ...}`."""
    if isinstance(value, Decimal):
        return {NUMBER: format(value, "f")}
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {NUMBER}:
            return orjson.Fragment(format(Decimal(value[NUMBER]), "f"))
        return {name: _numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(inner) for inner in value]
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    return value
