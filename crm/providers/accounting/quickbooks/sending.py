"""The part of a QuickBooks body that may be sent: without what QuickBooks computes, masks or refuses.

The mapper calls `sendable` for the bodies it builds. Read-only fields are ignored there at best; some do harm: a sent
`Balance` books an opening balance, `TotalTax` overrides the computed tax, a masked tax number overwrites the true one,
a name with " (deleted)" would stick, a quantity on hand posts a stock adjustment.
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
    "Item": _EVERYWHERE | {"Source"},
    "Estimate": _EVERYWHERE | _SALES | {"LinkedTxn"},
    "Invoice": _EVERYWHERE | _SALES,
    "CreditMemo": _EVERYWHERE | _SALES | {"LinkedTxn"},
    "Payment": _EVERYWHERE | {"UnappliedAmt", "LinkedTxn", "CreditCardPayment", "ProcessPayment"},
}  # fmt: skip
#: A quantity sent later posts a stock adjustment; a currency sent later is refused.
ONLY_ON_CREATE = {"QtyOnHand", "CurrencyRef"}
#: What an invoice may name; payments are linked on the payment.
INVOICE_LINKS = {"Estimate", "TimeActivity"}
_LINE_LEFT_OUT = {"LineEx", "CustomExtensions"}
_ADDRESSES = ("BillAddr", "ShipAddr", "ShipFromAddr")


def sendable(entity: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body without what must not go out. It is changed in place and returned."""
    for name in LEFT_OUT[entity] & body.keys():
        del body[name]
    _names(body)
    for name in _ADDRESSES:
        if isinstance(body.get(name), dict):
            body[name] = {part: value for part, value in body[name].items() if part not in ("Lat", "Long")}
    if body.get("Id"):
        for name in ONLY_ON_CREATE & body.keys():
            del body[name]
    tax = body.get("TxnTaxDetail")
    if isinstance(tax, dict):
        _keep(body, "TxnTaxDetail", {name: value for name, value in tax.items() if name == "TxnTaxCodeRef"})
    if "Line" in body:
        body["Line"] = [_line(line) for line in body["Line"] if line.get("DetailType") != "SubTotalLineDetail"]
    if entity == "Invoice" and "LinkedTxn" in body:
        _keep(body, "LinkedTxn", [link for link in body["LinkedTxn"] if link.get("TxnType") in INVOICE_LINKS])
    return body


def _names(body: dict[str, Any]) -> None:
    """The suffix of inactive names is QuickBooks' own: a name left out stays as it is there."""
    if body.get("Active") is False:
        for name in ("DisplayName", "Name"):
            if str(body.get(name, "")).endswith(" (deleted)"):
                del body[name]


def _line(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in line.items() if name not in _LINE_LEFT_OUT}
    detail = kept.get("SalesItemLineDetail")
    if isinstance(detail, dict):
        kept["SalesItemLineDetail"] = {n: v for n, v in detail.items() if n != "TaxClassificationRef"}
    return kept


def _keep(body: dict[str, Any], name: str, value: Any) -> None:
    if value:
        body[name] = value
    else:
        del body[name]
