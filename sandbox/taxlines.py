"""The lines of TxnTaxDetail: a tax code's rates, one line per rate, and what an imposed total does to them."""

from decimal import Decimal

from sandbox.store import Books

ZERO = Decimal(0)


def rates(books: Books, code: dict) -> list[tuple[str, Decimal]]:
    """(TaxRate id, percent) of a tax code."""
    found = []
    for part in code.get("SalesTaxRateList", {}).get("TaxRateDetail", []):
        id = part["TaxRateRef"]["value"]
        found.append((id, Decimal((books.get("TaxRate", id) or {}).get("RateValue", 0))))
    return found


def line(id: str, percent: Decimal, taxable: Decimal, amount: Decimal) -> dict:
    detail = {"TaxRateRef": {"value": id}, "PercentBased": True, "TaxPercent": percent, "NetAmountTaxable": taxable}
    return {"Amount": amount, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}


def override(rows: list[dict], total: Decimal) -> list[dict]:
    """A tax total given by the client overrides ours; the difference goes to the first rate [FACTS 7 #27]."""
    if rows:
        rows[0]["Amount"] += total - sum((line["Amount"] for line in rows), ZERO)
    return rows
