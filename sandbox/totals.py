"""What a sales document comes to: discount, sales tax, total.

Called by ``sandbox.sales`` once the lines are settled. Tax is by the transaction's tax code and the lines marked TAX;
a TotalTax given by the client overrides. Sources: FACTS 5.4, 5.5, 7 #26-#27, the update_invoice recording.
"""

from decimal import Decimal
from typing import Any

from sandbox import checking, faults
from sandbox.checking import rounded
from sandbox.store import Books

ZERO = Decimal(0)


def total(
    books: Books, record: dict, before: dict | None, *, given: dict, customer: dict, preferences: dict
) -> None:
    """Fill in tax and TotalAmt of a document whose lines are settled. Raises the Fault QuickBooks would answer."""
    subtotal = sum((line["Amount"] for line in record["Line"] if "Id" in line and _sells(line)), ZERO)
    taxable = sum((line["Amount"] for line in record["Line"] if _taxed(line)), ZERO)
    discount = _discount(record["Line"], subtotal)
    if discount and record["ApplyTaxAfterDiscount"] and subtotal:
        taxable = rounded(taxable * (subtotal - discount) / subtotal)
    tax = _tax(books, record, before, given, customer, preferences, taxable)
    record["TotalAmt"] = subtotal - discount + tax
    if record["TotalAmt"] < 0:
        raise faults.business("Transaction amount must be 0 or greater.")


def _sells(line: dict) -> bool:
    return line["DetailType"] == "SalesItemLineDetail"


def _taxed(line: dict) -> bool:
    return _sells(line) and line["SalesItemLineDetail"]["TaxCodeRef"]["value"] == "TAX"


def _discount(lines: list[dict], subtotal: Decimal) -> Decimal:
    for line in lines:
        if line["DetailType"] == "DiscountLineDetail":
            detail = line["DiscountLineDetail"]
            if detail.get("PercentBased") and "DiscountPercent" in detail:
                percent = checking.amount(detail["DiscountPercent"], "Line.DiscountLineDetail.DiscountPercent")
                line["Amount"] = rounded(subtotal * percent / 100)
            else:
                line["Amount"] = rounded(checking.amount(line["Amount"], "Line.Amount"))
            return line["Amount"]
    return ZERO


def _tax(
    books: Books, record: dict, before: dict | None, given: dict, customer: dict, preferences: dict, taxable: Decimal
) -> Decimal:
    """Sales tax by the transaction's tax code; without one there is none, unless the company lets tax be automatic."""
    prefs = preferences.get("TaxPrefs", {})
    if prefs.get("UsingSalesTax") is False:
        record.pop("TxnTaxDetail", None)
        return ZERO
    asked = given.get("TxnTaxDetail") or {}
    ref = asked.get("TxnTaxCodeRef") or ((before or {}).get("TxnTaxDetail") or {}).get("TxnTaxCodeRef")
    automatic = bool(prefs.get("PartnerTaxEnabled"))
    if automatic:
        ref = customer.get("DefaultTaxCodeRef") or prefs.get("TaxGroupCodeRef")
    code = checking.referred(books, "TaxCode", ref, "TxnTaxDetail.TxnTaxCodeRef") if ref else None
    lines = _tax_lines(books, code, taxable) if code and taxable and customer.get("Taxable", True) else []
    total = sum((line["Amount"] for line in lines), ZERO)
    same_lines = "Line" not in given and before is not None
    if "TotalTax" in asked and not (same_lines and not lines):
        imposed = rounded(checking.amount(asked["TotalTax"], "TxnTaxDetail.TotalTax"))
        if imposed != total and (lines or automatic or asked.get("TxnTaxCodeRef")):
            lines, total = _imposed(lines, imposed), imposed
    detail: dict[str, Any] = {"TxnTaxCodeRef": {"value": code["Id"]}} if code else {}
    detail["TotalTax"] = total
    if lines:
        detail["TaxLine"] = lines
    record["TxnTaxDetail"] = detail
    return total


def _tax_lines(books: Books, code: dict, taxable: Decimal) -> list[dict]:
    lines = []
    for part in code.get("SalesTaxRateList", {}).get("TaxRateDetail", []):
        rate = books.get("TaxRate", part["TaxRateRef"]["value"]) or {}
        percent = Decimal(rate.get("RateValue", 0))
        detail = {
            "TaxRateRef": {"value": part["TaxRateRef"]["value"]}, "PercentBased": True, "TaxPercent": percent,
            "NetAmountTaxable": taxable,
        }  # fmt: skip
        amount = rounded(taxable * percent / 100)
        lines.append({"Amount": amount, "DetailType": "TaxLineDetail", "TaxLineDetail": detail})
    return lines


def _imposed(lines: list[dict], total: Decimal) -> list[dict]:
    """A tax total given by the client overrides ours; the difference goes to the first rate [FACTS 7 #27]."""
    if lines:
        lines[0]["Amount"] += total - sum((line["Amount"] for line in lines), ZERO)
    return lines
