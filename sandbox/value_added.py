"""Tax outside the United States: each line has its own tax code, amounts are without tax or with it.

``split`` takes the tax out of lines that were given with it: an inclusive line keeps the sum with tax in
TaxInclusiveAmt and shows the net in Amount and UnitPrice; cents lost in rounding go to the last line of a code, so that
net and tax add up to what was asked [inferred]. ``tax`` fills in TxnTaxDetail, half up on the sum of each rate.
Called by ``sandbox.totals``. Sources: FACTS 5.4, 5.5, 6170; what is inferred says so in sandbox/README.md.
"""

from decimal import Decimal
from itertools import groupby
from typing import Any

from sandbox import checking, faults, lines, taxlines
from sandbox.checking import rounded
from sandbox.store import Books

ZERO = Decimal(0)
FINEST = Decimal("0.0000001")


def split(books: Books, record: dict) -> None:
    """Make every item line net, and the subtotal with them."""
    inclusive = record["GlobalTaxCalculation"] == "TaxInclusive"
    selling = sorted(lines.selling(record["Line"]), key=_code_of)
    for code, rows in groupby(selling, key=_code_of):
        if inclusive and code:
            _split(list(rows), _percent(books, code))
        else:
            for line in rows:
                line["SalesItemLineDetail"].pop("TaxInclusiveAmt", None)
    if inclusive:
        record["Line"] = [_resummed(line, record["Line"]) for line in record["Line"]]


def _code_of(line: dict) -> str:
    return line["SalesItemLineDetail"].get("TaxCodeRef", {}).get("value", "")


def _percent(books: Books, code: str) -> Decimal:
    return sum((percent for _, percent in taxlines.rates(books, books.get("TaxCode", code) or {})), ZERO)


def _split(rows: list[dict], percent: Decimal) -> None:
    gross = [rounded(line["SalesItemLineDetail"].get("TaxInclusiveAmt", line["Amount"])) for line in rows]
    share = 100 / (100 + percent)
    nets = [rounded(amount * share) for amount in gross]
    net = sum(gross, ZERO) - rounded(sum(gross, ZERO) * (1 - share))
    nets[-1] += net - sum(nets, ZERO)
    for line, with_tax, amount in zip(rows, gross, nets, strict=True):
        detail = line["SalesItemLineDetail"]
        line["Amount"], detail["TaxInclusiveAmt"] = amount, with_tax
        if detail.get("Qty") and "UnitPrice" in detail:
            detail["UnitPrice"] = (amount / detail["Qty"]).quantize(FINEST).normalize()


def _resummed(line: dict, rows: list[dict]) -> dict:
    if line["DetailType"] == "SubTotalLineDetail":
        return lines.subtotal(rows)
    if line["DetailType"] == lines.GROUP:
        return {**line, "Amount": sum((one["Amount"] for one in lines.selling([line])), ZERO)}
    return line


def tax(books: Books, record: dict, given: dict, *, share: Decimal) -> Decimal:
    """Fill in TxnTaxDetail; ``share`` is what a discount leaves of each amount. The total tax."""
    asked = given.get("TxnTaxDetail") or {}
    if record["GlobalTaxCalculation"] == "NotApplicable":
        if asked.get("TotalTax") or asked.get("TxnTaxCodeRef"):
            raise faults.Fault("6170", "Tax detail not allowed", "GlobalTaxCalculation is NotApplicable.")
        record["TxnTaxDetail"] = {"TotalTax": ZERO}
        return ZERO
    rows = _by_rate(books, record, share)
    total = sum((line["Amount"] for line in rows), ZERO)
    if "TotalTax" in asked and "Line" in given:
        imposed = rounded(checking.amount(asked["TotalTax"], "TxnTaxDetail.TotalTax"))
        rows, total = taxlines.override(rows, imposed), imposed
    detail: dict[str, Any] = {"TotalTax": total}
    record["TxnTaxDetail"] = detail | ({"TaxLine": rows} if rows else {})
    return total


def _by_rate(books: Books, record: dict, share: Decimal) -> list[dict]:
    """One tax line per rate; with tax included, what is in the lines' own sums, the last rate taking the odd cent."""
    sums: dict[str, tuple[Decimal, Decimal, Decimal]] = {}  # rate -> percent, net, tax
    for code, rows in groupby(sorted(lines.selling(record["Line"]), key=_code_of), key=_code_of):
        some = list(rows)
        net = rounded(sum((line["Amount"] for line in some), ZERO) * share)
        gross = [line["SalesItemLineDetail"].get("TaxInclusiveAmt") for line in some]
        parts = [(id, percent, net * percent / 100) for id, percent in taxlines.rates(books, books.get("TaxCode", code)
                 or {})] if code else []  # fmt: skip
        if parts and None not in gross and share == 1:
            included = sum(gross, ZERO) - net
            *firsts, last = [(id, percent, rounded(part)) for id, percent, part in parts]
            rest = included - sum((part for _, _, part in firsts), ZERO)
            parts = [*firsts, (last[0], last[1], rest)]
        for id, percent, part in parts:
            _, had_net, had_tax = sums.get(id, (percent, ZERO, ZERO))
            sums[id] = percent, had_net + net, had_tax + part
    return [taxlines.line(id, percent, net, rounded(part)) for id, (percent, net, part) in sums.items()]
