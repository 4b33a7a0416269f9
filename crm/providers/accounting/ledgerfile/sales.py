"""Wares, offers, invoices and receipts of the folder: records from their papers, and papers from records. Pure.

A row of a document is {"id", "ware", "text", "count", "each", "sum"}; what else stands in it stays. A document may take
something off the whole ("less": {"percent"} or {"sum"}). What it comes to is added up by `summed` when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm.domain.errors import InvalidValue
from crm.domain.records import (
    Application,
    DocumentRecord,
    ItemRecord,
    LineRecord,
    LinkedDocument,
    PaymentRecord,
    Ref,
)
from crm.providers.accounting.ledgerfile.papers import (
    address_of,
    amount_of,
    day_of,
    kind_of,
    origin_of,
    place_of,
    text_of,
)

CENT = Decimal("0.01")
ZERO = Decimal(0)
STATES = {"open": "pending", "agreed": "accepted", "done": "closed", "refused": "rejected"}
_ROW = ("id", "ware", "text", "count", "each", "sum")
#: Our field -> the paper's, texts as they are.
_TEXTS = {
    "item": {"name": "label", "sku": "code", "description": "says", "purchase_description": "buying"},
    "document": {"number": "no", "customer_memo": "note", "private_note": "remarks", "accepted_by": "agreed_by"},
    "payment": {"reference": "no", "private_note": "remarks"},
}
_DAYS = {"date": "day", "due_date": "due", "expires_on": "until", "accepted_on": "agreed_on"}


def read_item(kind: str, paper: Mapping[str, Any], money: str) -> ItemRecord:
    return ItemRecord(
        origin=origin_of(paper),
        name=text_of(paper, "label", needed=True),
        full_path=text_of(paper, "label"),
        type="service",
        sku=text_of(paper, "code"),
        description=text_of(paper, "says"),
        purchase_description=text_of(paper, "buying"),
        price=amount_of(paper, "price") if paper.get("price") else None,
        cost=amount_of(paper, "cost") if paper.get("cost") else None,
        active=paper.get("archived") is not True,
    )


def read_document(kind: str, paper: Mapping[str, Any], money: str) -> DocumentRecord:
    void = paper.get("cancelled") is True
    links = [LinkedDocument(kind_of(share["to"]), share["to"]) for share in paper.get("shares") or ()]
    if paper.get("offer"):
        links.append(LinkedDocument("estimate", text_of(paper, "offer")))
    state = text_of(paper, "state")
    texts: dict[str, Any] = {ours: text_of(paper, theirs) for ours, theirs in _TEXTS["document"].items()}
    days: dict[str, Any] = {ours: day_of(paper, theirs) for ours, theirs in _DAYS.items()}
    return DocumentRecord(
        kind=kind,
        origin=origin_of(paper),
        customer=Ref(text_of(paper, "for", needed=True)),
        **texts,
        **days,
        status="void" if void else STATES.get(state, state) if kind == "estimate" else "",
        currency=money,
        total=ZERO if void else amount_of(paper, "sum"),
        balance=None if kind == "estimate" else amount_of(paper, "open"),
        billing_address=address_of(paper.get("place") or {}),
        void=void,
        lines=(*(_read_row(row) for row in paper.get("rows") or ()), *_read_less(paper.get("less") or {})),
        linked=tuple(links),
    )


def read_payment(kind: str, paper: Mapping[str, Any], money: str) -> PaymentRecord:
    void = paper.get("cancelled") is True
    return PaymentRecord(
        origin=origin_of(paper),
        customer=Ref(text_of(paper, "from", needed=True)),
        date=day_of(paper, "day"),
        total=ZERO if void else amount_of(paper, "sum"),
        unapplied=amount_of(paper, "open"),
        currency=money,
        reference=text_of(paper, "no"),
        private_note=text_of(paper, "remarks"),
        void=void,
        applied=tuple(
            Application(kind_of(share["to"]), share["to"], amount_of(share, "sum"))
            for share in paper.get("shares") or ()
        ),
    )


def _read_share(share: Mapping[str, Any]) -> Application:
    return Application(kind_of(share["to"]), share["to"], amount_of(share, "sum"))


def _read_row(row: Mapping[str, Any]) -> LineRecord:
    extra = {name: value for name, value in row.items() if name not in _ROW}
    remote_id, text = text_of(row, "id") or None, text_of(row, "text")
    if row.get("sum") is None:
        return LineRecord(remote_id, "text", text, extra=extra)
    count = amount_of(row, "count") if row.get("count") else Decimal(1)
    each = amount_of(row, "each") if row.get("each") else None
    item = Ref(text_of(row, "ware")) if row.get("ware") else None
    return LineRecord(remote_id, "item", text, amount_of(row, "sum"), count, each, item, extra=extra)


def _read_less(less: Mapping[str, Any]) -> list[LineRecord]:
    if not less:
        return []
    percent = amount_of(less, "percent") if less.get("percent") else None
    return [LineRecord(None, "discount", amount=amount_of(less, "sum"), discount_percent=percent)]


# --- writing --------------------------------------------------------------------------------------------------


def paper_of(record: Any, wanted: Collection[str], current: Any) -> dict[str, Any]:
    """What is set in the paper: these fields of the record; without any, all that it says."""
    known = {field.name: field for field in fields(record)}
    if unknown := sorted(set(wanted) - known.keys()):
        raise KeyError(f"{type(record).__name__} has no {', '.join(unknown)}")
    sort, makers = _SORTS[type(record)]
    names = wanted or [name for name, field in known.items() if not _silent(getattr(record, name), field)]
    made: dict[str, Any] = {}
    for name in names:
        value = getattr(record, name)
        if name in _TEXTS[sort]:
            made[_TEXTS[sort][name]] = value
        elif name in _DAYS:
            made[_DAYS[name]] = value.isoformat() if value else ""
        elif name in makers:
            made |= makers[name](value, current)
    return made


def _silent(value: Any, field: Any) -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return bool(value == default)


def _rows(lines: tuple[LineRecord, ...], current: DocumentRecord | None) -> dict[str, Any]:
    """Rows keep what is not ours by their ids; the folder gives the new ones theirs."""
    known = {line.remote_id: line for line in (current.lines if current else ()) if line.remote_id}
    less = [line for line in lines if line.kind == "discount"]
    rows = [_row(line, known.get(line.remote_id or "")) for line in lines if line.kind in ("item", "text")]
    if not rows:
        raise InvalidValue("The document has no lines. Add at least one.")
    return {"rows": rows, "less": _less(less[0]) if less else {}}


def _row(line: LineRecord, old: LineRecord | None) -> dict[str, Any]:
    row = {**(old.extra if old else line.extra), "id": old.remote_id if old else "", "text": line.description}
    if line.kind == "text":
        return row
    count = Decimal(1) if line.quantity is None else line.quantity
    amount = line.amount if line.unit_price is None else count * line.unit_price
    if amount is None or amount < 0:
        raise InvalidValue(f"The line {line.description!r} needs an amount of nothing or more. Give it a price.")
    each = {} if line.unit_price is None else {"each": str(line.unit_price)}
    ware = {"ware": line.item.remote_id} if line.item else {}
    return {**row, **ware, **each, "count": str(count), "sum": str(amount.quantize(CENT, ROUND_HALF_UP))}


def _less(line: LineRecord) -> dict[str, str]:
    if line.discount_percent is not None:
        return {"percent": str(line.discount_percent), "sum": "0"}
    return {"sum": str(line.amount or ZERO)}


def _shares(applied: tuple[Application, ...], _: Any) -> dict[str, Any]:
    return {"shares": [{"to": part.remote_id, "sum": str(part.amount)} for part in applied]}


def _offer(links: tuple[LinkedDocument, ...], _: Any) -> dict[str, Any]:
    offer = next((link.remote_id for link in links if link.kind == "estimate"), "")
    return {"offer": offer} if offer else {}


def summed(paper: Mapping[str, Any]) -> dict[str, Any]:
    """The paper with what its rows come to, less what is taken off the whole."""
    rows = sum((Decimal(row["sum"]) for row in paper.get("rows") or () if row.get("sum")), ZERO)
    less = dict(paper.get("less") or {})
    if less.get("percent"):
        less["sum"] = str((rows * Decimal(less["percent"]) / 100).quantize(CENT, ROUND_HALF_UP))
    return {**paper, "less": less, "sum": str(rows - Decimal(less.get("sum") or 0))}


_Part = Callable[[Any, Any], dict[str, Any]]
_WORDS = {ours: theirs for theirs, ours in STATES.items()}
_SORTS: dict[type, tuple[str, dict[str, _Part]]] = {
    ItemRecord: ("item", {
        "price": lambda price, _: {"price": "" if price is None else str(price)},
        "cost": lambda cost, _: {"cost": "" if cost is None else str(cost)},
    }),
    DocumentRecord: ("document", {
        "customer": lambda customer, _: {"for": customer.remote_id},
        "status": lambda status, _: {"state": _WORDS.get(status, status)} if status != "void" else {},
        "billing_address": lambda address, _: {"place": place_of(address)},
        "lines": _rows, "linked": _offer,
    }),
    PaymentRecord: ("payment", {
        "customer": lambda customer, _: {"from": customer.remote_id},
        "total": lambda total, _: {"sum": str(total)}, "applied": _shares,
    }),
}  # fmt: skip
