"""The part of a QuickBooks body that may be sent: without what QuickBooks computes, masks or refuses.

The mapper calls `sendable` for the bodies it builds; `writing` adds a tax that is imposed. Read-only fields are ignored
there at best; some do harm: a sent `Balance` books an opening balance, `TotalTax` overrides the computed tax, a masked
tax number overwrites the true one, a name with " (deleted)" would stick, a quantity on hand posts a stock adjustment.
"""

from __future__ import annotations

from typing import Any

_EVERYWHERE = {"MetaData", "V4IDPseudonym", "ClientEntityId", "status", "FullyQualifiedName", "Level"}
_SALES = {
    "TotalAmt", "Balance", "RemainingCredit", "HomeTotalAmt", "HomeBalance", "InvoiceLink", "InvoiceLinkExpiryDate",
    "InvoiceLinkSecurityCode", "DeliveryInfo", "RecurDataRef", "TaxExemptionRef", "invoiceStatus", "invoiceStatusLog",
    "EInvoiceStatus", "ECloudStatusTimeStamp", "AllowOnlinePayment", "AllowIPNPayment", "RemitToRef",
}  # fmt: skip
LEFT_OUT: dict[str, set[str]] = {
    "Customer": _EVERYWHERE | {"Balance", "BalanceWithJobs", "OpenBalanceDate", "IsProject", "PrimaryTaxIdentifier",
                               "SecondaryTaxIdentifier", "Source"},
    "Vendor": _EVERYWHERE | {"Balance", "OpenBalanceDate", "TaxIdentifier", "Source"},
    "Item": _EVERYWHERE | {"Source", "AvgCost", "QtyOnPurchaseOrder", "QtyOnSalesOrder"},
    "Estimate": _EVERYWHERE | _SALES | {"LinkedTxn"},
    "Invoice": _EVERYWHERE | _SALES,
    "CreditMemo": _EVERYWHERE | _SALES | {"LinkedTxn"},
    "Bill": _EVERYWHERE | {"TotalAmt", "Balance", "HomeBalance", "RecurDataRef"},
    "Payment": _EVERYWHERE | {"UnappliedAmt", "LinkedTxn", "CreditCardPayment", "ProcessPayment"},
}  # fmt: skip
#: A quantity sent later posts a stock adjustment; another currency sent later is refused.
ONLY_ON_CREATE = {"Item": {"QtyOnHand"}, "Customer": {"CurrencyRef"}, "Vendor": {"CurrencyRef"}}
#: What a document may name itself; payments are linked on the payment.
LINKS = {"Invoice": {"Estimate", "TimeActivity"}, "Bill": {"PurchaseOrder"}}
_LINE_LEFT_OUT = {"LineEx", "CustomExtensions"}
_ADDRESSES = ("BillAddr", "ShipAddr", "ShipFromAddr", "VendorAddr")


def sendable(entity: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body without what must not go out. It is changed in place and returned."""
    for name in LEFT_OUT[entity] & body.keys():
        del body[name]
    _names(body)
    for name in _ADDRESSES:
        if isinstance(body.get(name), dict):
            body[name] = {part: value for part, value in body[name].items() if part not in ("Lat", "Long")}
    if body.get("Id"):
        for name in ONLY_ON_CREATE.get(entity, set()) & body.keys():
            del body[name]
    _tax(body)
    if "Line" in body:
        body["Line"] = [_line(line) for line in body["Line"] if line.get("DetailType") != "SubTotalLineDetail"]
    if entity in LINKS and "LinkedTxn" in body:
        _keep(body, "LinkedTxn", [link for link in body["LinkedTxn"] if link.get("TxnType") in LINKS[entity]])
    return body


def _names(body: dict[str, Any]) -> None:
    """The suffix of inactive names is QuickBooks' own: a name left out stays as it is there."""
    if body.get("Active") is False:
        for name in ("DisplayName", "Name"):
            if str(body.get(name, "")).endswith(" (deleted)"):
                del body[name]


def _tax(body: dict[str, Any]) -> None:
    """The code of the document in the US. Elsewhere nothing: the tax is computed anew only where it is left out."""
    tax = body.get("TxnTaxDetail")
    if isinstance(tax, dict):
        elsewhere = "GlobalTaxCalculation" in body
        kept = {} if elsewhere else {name: value for name, value in tax.items() if name == "TxnTaxCodeRef"}
        _keep(body, "TxnTaxDetail", kept)


def _line(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in line.items() if name not in _LINE_LEFT_OUT}
    detail = kept.get("SalesItemLineDetail")
    if isinstance(detail, dict):
        kept["SalesItemLineDetail"] = {n: v for n, v in detail.items() if n != "TaxClassificationRef"}
    group = kept.get("GroupLineDetail")
    if isinstance(group, dict) and isinstance(group.get("Line"), list):
        kept["GroupLineDetail"] = {**group, "Line": [_line(member) for member in group["Line"]]}
    return kept


def _keep(body: dict[str, Any], name: str, value: Any) -> None:
    if value:
        body[name] = value
    else:
        del body[name]
