"""Checks of a request body that need no knowledge of its entity's business: names, lengths, numbers, references.

Called by ``sandbox.rules`` and its parts before anything is stored. Every function raises the Fault that QuickBooks
would answer; none changes the books.
"""

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox import faults
from sandbox.entities import COMPUTED, ENTITIES, LENGTHS
from sandbox.fields import MEMBERS, shape_of
from sandbox.store import Books

CENT = Decimal("0.01")
LARGEST = 10**18
LISTS = frozenset({"Line", "TaxLine", "LinkedTxn", "AttachableRef", "ItemGroupLine", "CustomField"})
BOOLEANS = frozenset({"Active", "Taxable", "Job", "SubItem", "SubAccount", "BillWithParent", "TrackQtyOnHand",
                      "PercentBased", "ApplyTaxAfterDiscount", "AutoDocNumber"})  # fmt: skip
TEXTS = frozenset({path.partition(".")[0] for paths in LENGTHS.values() for path in paths if "." not in path})
PLAIN = TEXTS | {
    "value", "name", "Description", "DetailType", "TxnId", "TxnType", "Type", "Address", "FreeFormNumber", "URI", "Id",
    "SyncToken", "Amount", "Qty", "UnitPrice", "TotalAmt", "TotalTax", "TxnDate", "DueDate", "EmailStatus", "TxnStatus",
    "DiscountPercent", "PurchaseCost", "QtyOnHand", "AccountType", "PreferredDeliveryMethod", "DueDays",
    "DueNextMonthDays", "DayOfMonthDue", "sparse", "Deposit", "ExpirationDate", "AcceptedDate", "AcceptedBy",
    "ShipDate", "InvStartDate", "ReorderPoint", "GlobalTaxCalculation", "PayType", "BillableStatus", "Quantity",
    "TaxInclusiveAmt",
    "FileName", "Note",
}  # fmt: skip
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")


def properties(entity: str, body: dict) -> None:
    """Refuse properties the entity does not have, or of another type, at any depth [recorded: fault_2010]."""
    _known(body, ENTITIES[entity].properties, entity)


def _known(value: dict, known: frozenset[str], owner: str) -> None:
    for prop, inner in value.items():
        if prop not in known:
            raise faults.unknown_property(prop, owner, sorted(known))
        _typed(prop, inner)
        shape = shape_of(prop)
        for part in inner if isinstance(inner, list) else [inner]:
            if shape and isinstance(part, dict):
                _known(part, MEMBERS[shape], shape)


def _typed(prop: str, value: Any) -> None:
    """Objects where objects belong, lists where lists belong, plain values elsewhere."""
    if value is None or value == "":
        return
    if prop in LISTS:
        good = isinstance(value, list) and all(isinstance(part, dict) for part in value)
    elif prop in BOOLEANS:
        good = isinstance(value, bool)
    elif shape_of(prop):
        good = isinstance(value, dict)
    else:
        good = prop not in PLAIN or not isinstance(value, list | dict)
        good = good and not (isinstance(value, int) and abs(value) >= LARGEST)
    if not good:
        raise faults.unreadable(prop)


def clean(body: dict) -> tuple[dict, set[str]]:
    """(what is given, what is cleared): empty texts, nulls and objects that hold nothing count as cleared."""
    given, cleared = {}, set()
    for prop, value in body.items():
        kept = _without_empty(value)
        if kept is None or kept == "" or kept == {}:
            cleared.add(prop)
        elif prop not in COMPUTED:
            given[prop] = _texts(prop, kept)
    return given, cleared


def _texts(prop: str, value: Any) -> Any:
    """Numbers sent where texts belong are taken as texts, as the service does."""
    if isinstance(value, dict):
        return {key: _texts(key, inner) for key, inner in value.items()}
    texts = prop in TEXTS or prop in ("value", "Address", "FreeFormNumber", "Description", "TxnId")
    return str(value) if texts and isinstance(value, int | Decimal) else value


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner is not None and inner != ""}
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    return value


def lengths(entity: str, record: dict) -> None:
    """Refuse texts longer than QuickBooks keeps (code 2050) [FACTS 5]."""
    for path, limit in ENTITIES[entity].lengths.items():
        head, _, member = path.partition(".")
        value = record.get(head)
        if member:
            value = value.get(member) if isinstance(value, dict) else None
        if isinstance(value, str) and len(value) > limit:
            raise faults.too_long(path, limit)


def references(books: Books, entity: str, record: dict, before: dict | None) -> None:
    """Refuse references to missing (2500) or inactive (610) records; a reference left as it was is not asked again."""
    for prop, target in ENTITIES[entity].references.items():
        ref = record.get(prop)
        if ref is None or (before and (before.get(prop) or {}).get("value") == ref.get("value")):
            continue
        referred(books, target, ref, prop)


def referred(books: Books, target: str, ref: Any, element: str) -> dict:
    """The record a reference points at. Raises 2500 (missing, malformed) or 610 (inactive) [recorded]."""
    value = str(ref.get("value", "")) if isinstance(ref, dict) else ""
    if not value.isascii() or not value.isdigit():
        raise faults.invalid_reference(element)
    found = books.get(target, value)
    if found is None:
        raise faults.invalid_reference(element)
    if not found.get("Active", True):
        raise faults.not_found()
    return found


def amount(value: Any, element: str) -> Decimal:
    """A number as Decimal; text with digits is accepted as the service does. Raises 2080."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise faults.malformed("2080", element, f"Number is malformed. Supplied value:{value}")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise faults.malformed("2080", element, f"Number is malformed. Supplied value:{value}") from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
        raise faults.malformed("2110", element, f"Number has too many digits. Supplied value:{value}")
    return number


def rounded(value: Decimal) -> Decimal:
    """Cents, half up [FACTS 7 #26]."""
    return value.quantize(CENT, ROUND_HALF_UP)


def day(value: Any, element: str) -> date:
    """A date as YYYY-MM-DD. Raises 2060."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise faults.malformed("2060", element, f"Date is malformed. Supplied value:{value}") from error


def emails(record: dict, prop: str) -> None:
    """Refuse an address without @ and dot (2210); several, comma separated, are kept as the real service keeps them."""
    address = (record.get(prop) or {}).get("Address")
    if address is not None and not all(EMAIL.fullmatch(part.strip()) for part in re.split("[,;]", str(address))):
        raise faults.malformed("2210", f"{prop}.Address", f"Email Address does not conform to the syntax: {address}")


def same(before: dict, after: dict) -> bool:
    """Whether an update changes nothing: then SyncToken and times stay [recorded: deactivate_account_sequence]."""
    apart = ("MetaData", "SyncToken")
    return {k: v for k, v in before.items() if k not in apart} == {k: v for k, v in after.items() if k not in apart}
