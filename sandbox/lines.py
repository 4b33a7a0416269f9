"""The lines of sales documents: item lines, bundles, texts, the discount, the subtotal.

``settled`` gives the complete list as QuickBooks keeps it: known ids stay, other lines get new ids, the subtotal is
made afresh. ``selling`` walks the item lines, those within bundles included. Called by ``sandbox.sales``; sources:
FACTS 5.4, 7 #22-#26 and the create_/update_ recordings of sales.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox import checking, faults
from sandbox.checking import rounded
from sandbox.store import Books

ZERO = Decimal(0)
MOST_LINES = 750
LONGEST_DESCRIPTION = 4000
ITEM, GROUP, DISCOUNT = "SalesItemLineDetail", "GroupLineDetail", "DiscountLineDetail"


@dataclass(frozen=True)
class Sale:
    """What lines need to know of the document they stand on."""

    customer: dict
    day: str
    abroad: bool = False  # real tax codes on lines instead of TAX and NON
    taxed: bool = True  # abroad: whether every line needs a tax code
    allow_discount: bool = True


@dataclass
class _Ids:
    """Line ids of one document: known ones may be used again, new ones go on from the highest."""

    known: set[str] = field(default_factory=set)
    last: int = 0

    def give(self, asked: Any) -> str:
        if str(asked or "") in self.known:
            return str(asked)
        self.last += 1
        return str(self.last)


def selling(lines: list[dict]) -> Iterator[dict]:
    """Every item line, those inside bundles included."""
    for line in lines:
        if line["DetailType"] == ITEM:
            yield line
        elif line["DetailType"] == GROUP:
            yield from selling(line[GROUP].get("Line", []))


def settled(books: Books, given: Any, before: dict | None, sale: Sale) -> list[dict]:
    """The complete list of lines. Raises the Fault QuickBooks would answer."""
    if not isinstance(given, list) or not given:
        raise faults.required("Line")
    known = set(_ids((before or {}).get("Line", [])))
    ids = _Ids(known, max((int(id) for id in known), default=0))
    lines: list[dict] = []
    discount = None
    for raw in given:
        line = _line(books, raw, sale, ids)
        if line is None:
            continue
        if line["DetailType"] == DISCOUNT:
            if discount:
                raise faults.Fault("2600", "Conflicting elements", "Only one discount line is allowed.")
            discount = line
        else:
            lines.append({"Id": line["Id"], "LineNum": len(lines) + 1, **line})
    if not lines:
        raise faults.required("Line")
    if len(lines) > MOST_LINES:
        raise faults.business(f"A taxable transaction may have {MOST_LINES} lines.")
    lines.append(subtotal(lines))
    return [*lines, discount] if discount else lines


def subtotal(lines: list[dict]) -> dict:
    """The line QuickBooks adds by itself, without Id."""
    amount = sum((line["Amount"] for line in selling(lines)), ZERO)
    return {"Amount": amount, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}


def _ids(lines: list[dict]) -> Iterator[str]:
    for line in lines:
        if "Id" in line:
            yield line["Id"]
        yield from _ids(line.get(GROUP, {}).get("Line", []))


def _line(books: Books, raw: Any, sale: Sale, ids: _Ids) -> dict | None:
    """One line as kept; None for a subtotal line sent back."""
    kind = raw.get("DetailType") if isinstance(raw, dict) else None
    if not kind:
        raise faults.required("Line.DetailType")
    if kind == "SubTotalLineDetail":
        return None
    line: dict = {"Id": ids.give(raw.get("Id"))}
    line |= {key: raw[key] for key in ("Description", "LinkedTxn", "CustomField") if raw.get(key)}
    if "Description" in line and not isinstance(line["Description"], str):
        raise faults.unreadable("Description")
    if len(line.get("Description", "")) > LONGEST_DESCRIPTION:
        raise faults.too_long("Line.Description", LONGEST_DESCRIPTION)
    if kind == "DescriptionOnly":
        return {**line, "DetailType": kind, "DescriptionLineDetail": raw.get("DescriptionLineDetail", {})}
    if kind not in raw or not isinstance(raw[kind], dict):
        raise faults.required(f"Line.{kind}")
    if kind == DISCOUNT:
        return {**line, **_discount(raw, sale)}
    if kind == GROUP:
        return {**line, **_group(books, raw, sale, ids)}
    if kind != ITEM:
        raise faults.business(f"Lines of type {kind} are not kept by this company.")
    return _item_line(books, line, raw, sale)


def _discount(raw: dict, sale: Sale) -> dict:
    detail = dict(raw[DISCOUNT])
    if not sale.allow_discount:
        raise faults.business("Discounts are switched off in this company's sales settings.")
    if raw.get("Amount") is None and not (detail.get("PercentBased") and "DiscountPercent" in detail):
        raise faults.Fault("6090", "Discount line invalid", "A discount line needs an amount or a percentage.")
    return {"Amount": raw.get("Amount", ZERO), "DetailType": DISCOUNT, DISCOUNT: detail}


def _group(books: Books, raw: dict, sale: Sale, ids: _Ids) -> dict:
    """A bundle: its members as given, else as the item lists them, times the quantity at the members' prices."""
    detail = raw[GROUP]
    item = checking.referred(books, "Item", detail.get("GroupItemRef"), f"Line.{GROUP}.GroupItemRef")
    if item.get("Type") != "Group":
        raise faults.business(f"{item['FullyQualifiedName']} is not a bundle.")
    quantity = checking.amount(detail.get("Quantity", 1), f"Line.{GROUP}.Quantity")
    given = detail.get("Line") or [
        _member(books, one, quantity) for one in item.get("ItemGroupDetail", {}).get("ItemGroupLine", [])
    ]
    members = [line for line in (_line(books, one, sale, ids) for one in given) if line]
    if not members or any(line["DetailType"] not in (ITEM, "DescriptionOnly") for line in members):
        raise faults.business("A bundle holds item lines only.")
    numbered = [{"Id": line["Id"], "LineNum": number, **line} for number, line in enumerate(members, start=1)]
    return {
        "Amount": sum((line["Amount"] for line in selling(numbered)), ZERO), "DetailType": GROUP,
        GROUP: {"GroupItemRef": {"value": item["Id"], "name": item["FullyQualifiedName"]}, "Quantity": quantity,
                "Line": numbered},
    }  # fmt: skip


def _member(books: Books, listed: dict, quantity: Decimal) -> dict:
    item = books.get("Item", listed["ItemRef"]["value"]) or {}
    count, price = quantity * Decimal(listed.get("Qty", 1)), Decimal(item.get("UnitPrice", 0))
    line = {"Amount": rounded(count * price), "DetailType": ITEM,
            ITEM: {"ItemRef": listed["ItemRef"], "Qty": count, "UnitPrice": price}}  # fmt: skip
    return line | ({"Description": item["Description"]} if item.get("Description") else {})


def _item_line(books: Books, line: dict, raw: dict, sale: Sale) -> dict:
    detail = dict(raw[ITEM])
    if "ItemRef" not in detail:  # taken as text, its amount is ignored [FACTS 7 #24]
        return {**line, "DetailType": "DescriptionOnly", "DescriptionLineDetail": {}}
    item = checking.referred(books, "Item", detail["ItemRef"], f"Line.{ITEM}.ItemRef")
    if raw.get("Amount") is None:
        raise faults.required("Line.Amount")
    amount = rounded(checking.amount(raw["Amount"], "Line.Amount"))
    for prop in ("Qty", "UnitPrice", "TaxInclusiveAmt"):
        if prop in detail:
            detail[prop] = checking.amount(detail[prop], f"Line.{ITEM}.{prop}")
    if "Qty" in detail and "UnitPrice" in detail and rounded(detail["Qty"] * detail["UnitPrice"]) != amount:
        raise faults.miscalculated(amount)
    if amount < 0:
        raise faults.Fault("2290", "Negative amount", "Negative amounts are not supported on transaction lines.")
    _sellable(item, detail, sale)
    detail["ItemRef"] = {"value": item["Id"], "name": item["FullyQualifiedName"]}
    if item.get("IncomeAccountRef"):
        detail["ItemAccountRef"] = item["IncomeAccountRef"]
    code = (_code_abroad if sale.abroad else _code)(books, item, detail, sale)
    detail.pop("TaxCodeRef", None)
    if code:
        detail["TaxCodeRef"] = {"value": code}
    return {**line, "Amount": amount, "DetailType": ITEM, ITEM: detail, "CustomExtensions": []}


def _sellable(item: dict, detail: dict, sale: Sale) -> None:
    kind = item.get("Type")
    if kind in ("Category", "Group"):
        raise faults.business(f"{item['FullyQualifiedName']} is a {kind.lower()} and cannot stand on an item line.")
    if kind == "Inventory":
        if "Qty" not in detail:
            raise faults.Fault("6520", "Quantity required", f"{item['Name']} is tracked in stock: give a quantity.")
        if sale.day < item.get("InvStartDate", ""):
            detail_text = f"The transaction is dated before the inventory start date {item['InvStartDate']}."
            raise faults.Fault("6270", "Transaction date before inventory start date", detail_text)


def _code(books: Books, item: dict, detail: dict, sale: Sale) -> str:
    """In US companies TAX or NON, by item and customer when left out."""
    asked = (detail.get("TaxCodeRef") or {}).get("value")
    if asked is None:
        return "TAX" if item.get("Taxable") and sale.customer.get("Taxable", True) else "NON"
    if asked not in ("TAX", "NON"):
        raise faults.Fault("6100", "Invalid tax code", "In US companies a line's TaxCodeRef must be TAX or NON.")
    return asked


def _code_abroad(books: Books, item: dict, detail: dict, sale: Sale) -> str | None:
    """Elsewhere a tax code of the company; every line needs one unless tax does not apply [recorded: fault_6000]."""
    ref = detail.get("TaxCodeRef") or item.get("SalesTaxCodeRef")
    if ref is None:
        if sale.taxed:
            raise faults.business("Make sure all your transactions have a VAT rate before you save.")
        return None
    return checking.referred(books, "TaxCode", ref, f"Line.{ITEM}.TaxCodeRef")["Id"]
