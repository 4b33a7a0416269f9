"""Document numbers of sales: by last + 1 unless the company numbers by hand [FACTS 5.3, 5.4, 7 #33, #34].

Invoices, credit memos, sales receipts and refunds count in one series, estimates in their own. A number taken by
another document of the kind is refused (6140) unless the company does not warn or the caller allows it; estimates'
numbers repeat freely. Called by ``sandbox.sales``.
"""

from sandbox import faults
from sandbox.store import Books

AUTO = "AUTO_GENERATE"


def number(
    books: Books, entity: str, record: dict, before: dict | None, *, preferences: dict, include: frozenset[str]
) -> None:
    """Fill in or check ``record["DocNumber"]``."""
    by_hand = preferences.get("SalesFormsPrefs", {}).get("CustomTxnNumbers", False)
    wanted, had = record.get("DocNumber"), (before or {}).get("DocNumber")
    if before and wanted is None and not by_hand:
        if had is not None:
            record["DocNumber"] = had
        return
    if wanted == AUTO or (record.pop("AutoDocNumber", False) and wanted is None) or (wanted is None and not by_hand):
        record["DocNumber"] = _next(books, entity)
        return
    if wanted is None or had == wanted:
        return
    if entity != "Estimate" and "allowduplicatedocnum" not in include and _warns(preferences):
        others = [id for id in books.numbered(entity, str(wanted)) if id != record.get("Id")]
        if others:
            raise faults.duplicate_number(str(wanted), entity, others)
    if not before and str(wanted).isdigit() and len(str(wanted)) < 16:
        books.set_counter(_series(entity), int(wanted))


def _series(entity: str) -> str:
    return "number:Estimate" if entity == "Estimate" else "number:Sales"


def _next(books: Books, entity: str) -> str:
    found = max(books.counter(_series(entity)), 1000) + 1
    while books.numbered(entity, str(found)):
        found += 1
    books.set_counter(_series(entity), found)
    return str(found)


def _warns(preferences: dict) -> bool:
    named = {pair.get("Name"): pair.get("Value") for pair in preferences.get("OtherPrefs", {}).get("NameValue", [])}
    return named.get("WarnDuplicateInvoiceNumber", "true") != "false"
