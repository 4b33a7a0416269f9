"""Every recorded sale, sent through the rules with its own lines and rates, comes to the recorded figures."""

from decimal import Decimal

import pytest

from sandbox import serving, switches
from sandbox.times import utc_now
from tests.sandbox.conftest import connected

PAGES = {"Invoice": 30, "Estimate": 5, "CreditMemo": 5, "SalesReceipt": 2, "RefundReceipt": 1}  # at least so many

# What cannot come out alike, and why.
EXCEPTIONS = {
    ("Invoice", "103"): "its recorded tax is taken on the whole sum though one line is marked NON",
    ("Invoice", "42"): "it was recorded without its lines, with the subtotal alone",
}


@pytest.fixture(scope="module")
def company():
    with serving(size=30, companies=1) as served:
        yield connected(served)


def given(line: dict, item: str) -> dict | None:
    """A recorded line as a client would send it, on our own item; None for the subtotal."""
    kind = line["DetailType"]
    if kind == "SubTotalLineDetail":
        return None
    if kind == "SalesItemLineDetail":
        kept = {prop: line[kind][prop] for prop in ("Qty", "UnitPrice", "TaxCodeRef") if prop in line[kind]}
        return {"Amount": line["Amount"], "DetailType": kind, kind: {"ItemRef": {"value": item}, **kept}}
    return {prop: value for prop, value in line.items() if prop in ("Amount", "DetailType", "Description", kind)}


@pytest.mark.parametrize("kind", sorted(PAGES))
def test_recorded_sales_come_to_the_recorded_figures(company, recorded, kind):
    rows = recorded(f"query_{kind.lower()}_page")["response"]["body"]["QueryResponse"][kind]
    customer, item = company.customer(f"Recorded {kind}"), company.item(f"Recorded {kind}", taxable=True)
    bank = company.select("Account", "AccountType = 'Bank'")[0]
    checked = 0
    for row in rows:
        if row.get("PrivateNote", "").startswith("Voided") or (kind, row["Id"]) in EXCEPTIONS:
            continue
        tax = row.get("TxnTaxDetail", {})
        rates = tuple(str(part["TaxLineDetail"]["TaxPercent"]) for part in tax.get("TaxLine", []))
        body = {"CustomerRef": {"value": customer["Id"]}, "DepositToAccountRef": {"value": bank["Id"]},
                "ApplyTaxAfterDiscount": row.get("ApplyTaxAfterDiscount", False),
                "Line": [line for line in (given(one, item["Id"]) for one in row["Line"]) if line]}  # fmt: skip
        if kind not in ("SalesReceipt", "RefundReceipt"):
            body.pop("DepositToAccountRef")
        if rates:
            with company.served.store.writing(company.realm) as books:
                named = tuple((f"rate {percent}", percent) for percent in rates)
                code = switches.add_code(books, f"recorded {' '.join(rates)}", named, utc_now())
            body["TxnTaxDetail"] = {"TxnTaxCodeRef": {"value": code}}
        made = company.write(kind, body)
        assert made["TotalAmt"] == row["TotalAmt"], row["Id"]
        assert made["TxnTaxDetail"]["TotalTax"] == Decimal(tax.get("TotalTax", 0)), row["Id"]
        subtotals = [[one["Amount"] for one in document["Line"] if one["DetailType"] == "SubTotalLineDetail"]
                     for document in (made, row)]  # fmt: skip
        assert subtotals[0] == subtotals[1], row["Id"]
        checked += 1
    assert checked >= PAGES[kind]
