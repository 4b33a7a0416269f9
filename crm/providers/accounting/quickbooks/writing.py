"""What is sent to create or change an item, a vendor, a sales document, a payment or a bill.

An update starts from the body as it stands there, so that it clears nothing that is not ours. Where sparse updates are
documented, or a whole one would do harm, only the members that differ are sent; elsewhere, and where something is
cleared, the whole of what may be sent. The lines always go out as a complete list, each with its id. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, replace
from dataclasses import fields as fields_of
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm.domain.errors import InvalidValue
from crm.domain.records import DocumentRecord, ItemRecord, LineRecord, Origin, Record
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.checks import check

CENT = Decimal("0.01")
#: Sparse updates are documented for estimates and invoices. A whole update of a vendor would overwrite the tax number,
#: which is shown masked; of an item, its quantity.
SPARSE = ("item", "vendor", "estimate", "invoice")
#: What the books say of a record, and what is settled when it is made.
NOT_OURS = frozenset({
    "origin", "kind", "extra", "full_path", "active", "type", "balance", "unapplied", "void", "tax_lines", "currency",
    "delivered_at", "quantity_on_hand", "linked", "card_payment", "deposited",
})  # fmt: skip
#: What a line keeps where the wanted one does not say.
_KEPT = ("service_date", "number", "linked", "customer", "billable", "discount_amount")


def create_body(kind: str, record: Any) -> dict[str, Any]:
    record = _priced(replace(record, origin=Origin("")))
    if hasattr(record, "lines"):
        record = replace(record, lines=tuple(_unknown(line) for line in record.lines))
    if isinstance(record, DocumentRecord):
        record = replace(record, custom_fields=tuple(one for one in record.custom_fields if one.value or one.extra))
    if isinstance(record, ItemRecord) and record.type == "inventory":
        record = replace(record, tracks_quantity=True)
    check(record, new=True, lines=True)
    return _with_tax(mapper.to_sent_body(kind, record), record, imposed=True)


def update_body(kind: str, record: Any, fields: Collection[str], current: Any) -> dict[str, Any]:
    """`fields` empty: all that the record says; nothing is cleared then."""
    wanted = _wanted(record, fields, current)
    check(wanted, new=False, lines=getattr(wanted, "lines", ()) != getattr(current, "lines", ()))
    there, made = mapper.to_sent_body(kind, current), mapper.to_sent_body(kind, wanted)
    asked = bool(getattr(record, "tax_override", False)) and (not fields or bool({"tax", "tax_override"} & set(fields)))
    same_lines = getattr(wanted, "lines", ()) == getattr(current, "lines", ())
    made = _with_tax(made, wanted, imposed=asked or same_lines)
    cleared = [name for name in there if name not in made]
    if kind not in SPARSE or (cleared and not _must_be_sparse(kind, wanted)):
        return made
    changed = {name: value for name, value in made.items() if value != there.get(name)}
    if "Line" in changed and "TxnTaxDetail" in made:
        changed["TxnTaxDetail"] = made["TxnTaxDetail"]
    changed |= {name: _emptied(name, there[name]) for name in cleared}
    return changed | {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True}


def _must_be_sparse(kind: str, wanted: Any) -> bool:
    return kind == "vendor" or (kind == "item" and bool(wanted.tracks_quantity))


def _emptied(name: str, value: Any) -> Any:
    """How a text is cleared where all else must stay. That QuickBooks takes it for every field is not documented."""
    if isinstance(value, str):
        return ""
    if isinstance(value, dict) and "value" not in value:
        return {part: text if part == "Id" else "" for part, text in value.items()}
    raise InvalidValue(
        f"QuickBooks does not let {name} be cleared from outside. Clear it there, or give another value."
    )


def _wanted(record: Any, fields: Collection[str], current: Any) -> Any:
    """The record as it shall be: what stands there, with these fields of ours in their place."""
    known = {field.name: field for field in fields_of(record)}
    if unknown := sorted(set(fields) - known.keys()):
        raise KeyError(f"{type(record).__name__} has no {', '.join(unknown)}")
    names = fields or [name for name in known if name not in NOT_OURS and not _silent(record, known[name])]
    values = {name: getattr(record, name) for name in names if name != "lines"}
    if "lines" in names:
        values["lines"] = _merged(_priced(record).lines, current.lines)
    return replace(current, **values)


def _silent(record: Record, field: Any) -> bool:
    """The field holds what it holds when nothing is said."""
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return bool(getattr(record, field.name) == default)


def _with_tax(body: dict[str, Any], record: Any, *, imposed: bool) -> dict[str, Any]:
    """A tax that a person settled goes out as such; otherwise the books compute it."""
    if imposed and getattr(record, "tax_override", False) and record.tax is not None:
        body["TxnTaxDetail"] = {**body.get("TxnTaxDetail", {}), "TotalTax": record.tax}
    return body


# --- lines ----------------------------------------------------------------------------------------------------


def _priced(record: Any) -> Any:
    """With the amount of every line; subtotals, which the books make themselves, are left out."""
    if not hasattr(record, "lines"):
        return record
    return replace(record, lines=tuple(_amount(line) for line in record.lines if line.kind != "subtotal"))


def _amount(line: LineRecord) -> LineRecord:
    """Quantity, price and amount agree to the cent, or QuickBooks refuses them."""
    if line.members:
        return replace(line, members=tuple(_amount(member) for member in line.members))
    if line.kind != "item":
        return line if line.amount is None else replace(line, amount=_cents(line.amount))
    quantity, price, amount = line.quantity, line.unit_price, line.amount
    if price is not None:
        quantity = Decimal(1) if quantity is None else quantity
        return replace(line, quantity=quantity, amount=_cents(quantity * price))
    if amount is None:
        return line
    amount = _cents(amount)
    if quantity:
        price = (amount / quantity).quantize(Decimal("0.0000001"), ROUND_HALF_UP).normalize()
        if _cents(price * quantity) != amount:
            raise InvalidValue(f"{amount} cannot be said as {quantity} times a price. Give the line a unit price.")
    return replace(line, amount=amount, unit_price=price)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _unknown(line: LineRecord) -> LineRecord:
    """A line that the document does not hold yet."""
    return replace(line, remote_id=None, members=tuple(_unknown(member) for member in line.members))


def _merged(wanted: tuple[LineRecord, ...], current: tuple[LineRecord, ...]) -> tuple[LineRecord, ...]:
    """The wanted lines, each with what is not ours of the line of its id; in their own order. A discount has no id
    there, but there is only one."""
    there = [line for line in current if line.kind != "subtotal"]
    known = {line.remote_id or line.kind: line for line in there if line.remote_id or line.kind == "discount"}
    lines = tuple(_onto(line, known.get(line.remote_id or line.kind)) for line in wanted)
    if [line.remote_id for line in lines] != [line.remote_id for line in there]:
        places = {id(line): place for place, line in enumerate((one for one in lines if one.kind != "discount"), 1)}
        lines = tuple(replace(line, number=places.get(id(line), line.number)) for line in lines)
    return current if lines == tuple(there) else lines


def _onto(line: LineRecord, old: LineRecord | None) -> LineRecord:
    if old is None or old.kind != line.kind:
        return _unknown(line)
    kept = {name: getattr(line, name) or getattr(old, name) for name in _KEPT}
    if not line.tax_code and line.taxable is None:
        kept |= {"tax_code": old.tax_code, "taxable": old.taxable}
    if line.kind == "item" and line.discount_percent is None:
        kept["discount_percent"] = old.discount_percent
    same_item = (line.item and line.item.remote_id) == (old.item and old.item.remote_id)
    kept["account"] = line.account or (old.account if same_item else None)
    if same_item:
        kept["item"] = old.item
    figures = ("quantity", "unit_price", "amount")
    if all(getattr(line, name) == getattr(old, name) for name in figures):
        kept["amount_with_tax"] = line.amount_with_tax or old.amount_with_tax
    if line.members or old.members:
        kept["members"] = _merged(line.members, old.members) if line.members else old.members
    return replace(line, extra=old.extra, **kept)
