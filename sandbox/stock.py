"""Quantities on hand: what sales take away and purchases and returns bring [FACTS 5.2].

``move`` follows every change of a document; only items that track a quantity move. An item's times move with it, its
SyncToken does not, as with customers' balances [inferred]. Called by ``sandbox.rules``.
"""

from datetime import datetime
from decimal import Decimal

from sandbox import lines, switches
from sandbox.store import Books
from sandbox.times import stamp

ZERO = Decimal(0)
SIGN = {"Invoice": -1, "SalesReceipt": -1, "CreditMemo": 1, "RefundReceipt": 1, "Bill": 1}


def move(books: Books, entity: str, before: dict | None, after: dict | None, now: datetime) -> None:
    """Bring the items' QtyOnHand up to date after a document was made, changed, voided or deleted (after None)."""
    sign = SIGN.get(entity)
    if sign is None:
        return
    now_on, then_on = _quantities(after), _quantities(before)
    for id in dict.fromkeys((*now_on, *then_on)):
        quantity = now_on.get(id, ZERO) - then_on.get(id, ZERO)
        item = books.get("Item", id) if quantity else None
        if item is None or not item.get("TrackQtyOnHand"):
            continue
        item["QtyOnHand"] = Decimal(item.get("QtyOnHand", 0)) + sign * quantity
        item["MetaData"]["LastUpdatedTime"] = stamp(now)
        books.put("Item", item)
        switches.side_event(books, "Item", id, now)


def _quantities(document: dict | None) -> dict[str, Decimal]:
    """Item id -> quantity on the lines of one document."""
    found: dict[str, Decimal] = {}
    rows = (document or {}).get("Line", [])
    for line in (*lines.selling(rows), *(row for row in rows if row["DetailType"] == "ItemBasedExpenseLineDetail")):
        detail = line[line["DetailType"]]
        id = detail["ItemRef"]["value"]
        found[id] = found.get(id, ZERO) + Decimal(detail.get("Qty", 0))
    return found
