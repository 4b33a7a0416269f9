"""QuickBooks' Preferences to the house's own questions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from crm.domain.records import CompanyPreferences, CustomFieldDefinition, Ref

#: Our flag -> where it stands.
FLAGS = {
    "multicurrency": "CurrencyPrefs.MultiCurrencyEnabled",
    "sales_tax": "TaxPrefs.UsingSalesTax",
    "automated_sales_tax": "TaxPrefs.PartnerTaxEnabled",
    "own_document_numbers": "SalesFormsPrefs.CustomTxnNumbers",
    "allows_discount": "SalesFormsPrefs.AllowDiscount",
    "allows_deposit": "SalesFormsPrefs.AllowDeposit",
    "allows_estimates": "SalesFormsPrefs.AllowEstimates",
    "allows_shipping": "SalesFormsPrefs.AllowShipping",
    "allows_service_date": "SalesFormsPrefs.AllowServiceDate",
    "progress_invoicing": "SalesFormsPrefs.UsingProgressInvoicing",
    "applies_credits_itself": "SalesFormsPrefs.AutoApplyCredit",
    "applies_payments_itself": "SalesFormsPrefs.AutoApplyPayments",
    "online_payments": "SalesFormsPrefs.ETransactionPaymentEnabled",
    "inventory": "ProductAndServicesPrefs.QuantityOnHand",
    "department_tracking": "AccountingInfoPrefs.TrackDepartments",
}
TEXTS = {
    "home_currency": "CurrencyPrefs.HomeCurrency.value",
    "customer_message": "SalesFormsPrefs.DefaultCustomerMessage",
    "estimate_message": "SalesFormsPrefs.EstimateMessage",
    "fiscal_year_begins": "AccountingInfoPrefs.FirstMonthOfFiscalYear",
    "email_cc": "SalesFormsPrefs.SalesEmailCc.Address",
    "email_bcc": "SalesFormsPrefs.SalesEmailBcc.Address",
}
REFS = {
    "default_tax_code": "TaxPrefs.TaxGroupCodeRef",
    "default_terms": "SalesFormsPrefs.DefaultTerms",
    "default_item": "SalesFormsPrefs.DefaultItem",
    "discount_account": "SalesFormsPrefs.DefaultDiscountAccount",
    "shipping_account": "SalesFormsPrefs.DefaultShippingAccount",
}
_USED, _NAMED = "SalesFormsPrefs.UseSalesCustom", "SalesFormsPrefs.SalesCustomName"


def to_preferences(body: Mapping[str, Any]) -> CompanyPreferences:
    """What cannot be read counts as not said: nothing here is worth stopping for."""
    flags: dict[str, Any] = {ours: value for ours, path in FLAGS.items() if isinstance(value := _at(body, path), bool)}
    texts: dict[str, Any] = {ours: value for ours, path in TEXTS.items() if isinstance(value := _at(body, path), str)}
    named = _names_and_values(body)
    by_name = {"default_item": named.get("SalesFormsPrefs.DefaultItem")}
    refs: dict[str, Any] = {
        ours: ref for ours, path in REFS.items() if (ref := _ref(_at(body, path) or by_name.get(ours)))
    }
    classes = [_at(body, f"AccountingInfoPrefs.{name}") for name in ("ClassTrackingPerTxn", "ClassTrackingPerTxnLine")]
    return CompanyPreferences(
        books_closed_until=_day(_at(body, "AccountingInfoPrefs.BookCloseDate")),
        class_tracking=True in classes if any(isinstance(one, bool) for one in classes) else None,
        custom_fields=_custom_fields(body),
        extra=dict(body),
        **flags,
        **texts,
        **refs,
    )


def _at(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, Mapping) else None
    return body


def _ref(value: Any) -> Ref | None:
    """Accounts are named by a bare id."""
    if isinstance(value, Mapping):
        return Ref(str(value["value"]), str(value.get("name") or "")) if value.get("value") else None
    return Ref(value) if isinstance(value, str) and value else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _names_and_values(body: Mapping[str, Any]) -> dict[str, str]:
    rows = _at(body, "OtherPrefs.NameValue")
    return {str(row.get("Name")): str(row.get("Value") or "") for row in rows or () if isinstance(row, Mapping)}


def _custom_fields(body: Mapping[str, Any]) -> tuple[CustomFieldDefinition, ...]:
    """Three at most, numbered by the ends of their names; which are used and how they are called stands apart."""
    said: dict[str, Any] = {}
    for group in _at(body, "SalesFormsPrefs.CustomField") or ():
        for one in _at(group, "CustomField") or ():
            if isinstance(one, Mapping):
                said[str(one.get("Name"))] = one.get("StringValue", one.get("BooleanValue"))
    used = sorted(name.removeprefix(_USED) for name, value in said.items() if name.startswith(_USED) and value is True)
    return tuple(CustomFieldDefinition(number, str(said.get(_NAMED + number) or "")) for number in used)
