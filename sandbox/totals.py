"""What a sales document comes to: discount, sales tax, total.

Called by ``sandbox.sales`` once the lines are settled. In US companies tax is by the transaction's tax code (chosen by
place where Automated Sales Tax is on) and the lines marked TAX; elsewhere by each line's own code, see
``sandbox.value_added``. A TotalTax given by the client overrides. Half up to cents on the taxable sum of each rate.
Sources: FACTS 5.4, 5.5, 7 #26-#27, the update_invoice recording.
"""

import re
from decimal import Decimal
from typing import Any

from sandbox import checking, faults, lines, taxlines, value_added
from sandbox.checking import rounded
from sandbox.store import Books
from sandbox.switches import AUTOMATED, setting

ZERO = Decimal(0)
STATE = re.compile(r"\b([A-Z]{2})\b[\s,]*\d{5}(?:-\d{4})?\s*$")


def is_abroad(books: Books) -> bool:
    """Whether the company is outside the United States, where lines bear real tax codes."""
    return str((books.get("CompanyInfo", 1) or {}).get("Country", "US")) not in ("US", "USA")


def calculation(books: Books, record: dict) -> str:
    """GlobalTaxCalculation of a sale outside the US: as asked, else the company's habit."""
    asked = record.get("GlobalTaxCalculation") or setting(books, "default_tax", "TaxExcluded")
    if asked not in ("TaxExcluded", "TaxInclusive", "NotApplicable"):
        raise faults.Fault("2170", "Invalid Enumeration", f"GlobalTaxCalculation: {asked} is not known.")
    return asked


def total(
    books: Books, record: dict, before: dict | None, *, given: dict, customer: dict, preferences: dict
) -> None:
    """Fill in tax and TotalAmt of a document whose lines are settled. Raises the Fault QuickBooks would answer."""
    if is_abroad(books):
        record["GlobalTaxCalculation"] = calculation(books, record)
        value_added.split(books, record)
    subtotal = sum((line["Amount"] for line in lines.selling(record["Line"])), ZERO)
    discount = _discount(record["Line"], subtotal)
    if is_abroad(books):
        share = (subtotal - discount) / subtotal if discount and subtotal else Decimal(1)
        tax = value_added.tax(books, record, given, share=share)
    else:
        taxable = sum((line["Amount"] for line in lines.selling(record["Line"]) if _taxed(line)), ZERO)
        if discount and record["ApplyTaxAfterDiscount"] and subtotal:
            taxable = rounded(taxable * (subtotal - discount) / subtotal)
        tax = _tax(books, record, before, given=given, customer=customer, preferences=preferences, taxable=taxable)
    record["TotalAmt"] = subtotal - discount + tax
    if record["TotalAmt"] < 0:
        raise faults.business("Transaction amount must be 0 or greater.")


def _taxed(line: dict) -> bool:
    return line["SalesItemLineDetail"].get("TaxCodeRef", {}).get("value") == "TAX"


def _discount(rows: list[dict], subtotal: Decimal) -> Decimal:
    for line in rows:
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
    books: Books, record: dict, before: dict | None, *, given: dict, customer: dict, preferences: dict, taxable: Decimal
) -> Decimal:
    """Sales tax by the transaction's tax code; without one there is none, unless the company lets tax be automatic."""
    prefs = preferences.get("TaxPrefs", {})
    if prefs.get("UsingSalesTax") is False:
        record.pop("TxnTaxDetail", None)
        return ZERO
    asked, had = given.get("TxnTaxDetail") or {}, (before or {}).get("TxnTaxDetail") or {}
    automatic = bool(prefs.get("PartnerTaxEnabled"))
    ref = asked.get("TxnTaxCodeRef") or had.get("TxnTaxCodeRef")
    if automatic:
        ref = _automated(books, record) or customer.get("DefaultTaxCodeRef") or prefs.get("TaxGroupCodeRef")
    code = checking.referred(books, "TaxCode", ref, "TxnTaxDetail.TxnTaxCodeRef") if ref else None
    rows = _tax_lines(books, code, taxable) if code and taxable and customer.get("Taxable", True) else []
    total = sum((line["Amount"] for line in rows), ZERO)
    detail: dict[str, Any] = {"TxnTaxCodeRef": {"value": code["Id"]}} if code else {}
    imposed = _imposed_total(asked, had, automatic=automatic, untaxed=before is not None and not rows, given=given)
    if imposed is not None and imposed != total and (rows or automatic or asked.get("TxnTaxCodeRef")):
        rows, total = taxlines.override(rows, imposed), imposed
        detail |= {"TaxReviewStatus": "AST_TAX_OVERRIDE"} if automatic else {}
    detail["TotalTax"] = total
    if rows:
        detail["TaxLine"] = rows
    record["TxnTaxDetail"] = detail
    return total


def _imposed_total(asked: dict, had: dict, *, automatic: bool, untaxed: bool, given: dict) -> Decimal | None:
    """The tax a client imposes. What merely repeats the figure of the last answer imposes nothing where QuickBooks
    finds the tax by itself, unless that figure was imposed [inferred]."""
    if "TotalTax" not in asked or ("Line" not in given and untaxed):
        return None
    imposed = rounded(checking.amount(asked["TotalTax"], "TxnTaxDetail.TotalTax"))
    if automatic and had and imposed == had.get("TotalTax") and "TaxReviewStatus" not in had:
        return None
    return imposed


def _automated(books: Books, record: dict) -> dict | None:
    """The code Automated Sales Tax takes, by the state shipped to, else billed to, else the company's own."""
    company = books.get("CompanyInfo", 1) or {}
    for address in (record.get("ShipAddr"), record.get("BillAddr"), company.get("CompanyAddr")):
        state = region(address or {})
        if state:
            found = books.named("TaxCode", AUTOMATED + state)
            return {"value": found[1]} if found else _none(books)
    return None


def _none(books: Books) -> dict | None:
    """A state without a code of ours: not taxed, if the company taxes by place at all."""
    found = books.named("TaxCode", AUTOMATED + "elsewhere")
    return {"value": found[1]} if found else None


def region(address: dict) -> str:
    """The state of an address, from its own member or the last free-form line; empty if there is none."""
    state = str(address.get("CountrySubDivisionCode", "")).strip().upper()
    if state:
        return state
    rows = [str(address[f"Line{number}"]) for number in range(5, 0, -1) if address.get(f"Line{number}")]
    found = STATE.search(rows[0]) if rows else None
    return found[1] if found else ""


def _tax_lines(books: Books, code: dict, taxable: Decimal) -> list[dict]:
    return [
        taxlines.line(id, percent, taxable, rounded(taxable * percent / 100))
        for id, percent in taxlines.rates(books, code)
    ]
