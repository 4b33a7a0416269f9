"""What the company's own pages list: customers by a few letters, a customer's documents, newest first.

Reads the store directly, never changes it. Called by `sandbox.pages`.
"""

from dataclasses import dataclass

from sandbox import exact
from sandbox.store import Books

PER_PAGE = 50
SHOWN = {"active": "active = 1", "inactive": "active = 0", "all": "1 = 1",
         "owing": "CAST(json_extract(body, '$.Balance') AS REAL) > 0"}  # fmt: skip
KINDS = ("Estimate", "Invoice", "Payment", "CreditMemo", "SalesReceipt", "RefundReceipt")


@dataclass(frozen=True)
class Wanted:
    """What the list is asked for: any text of the record, which ones, which page (from 1)."""

    text: str = ""
    show: str = "active"
    page: int = 1


def customers(books: Books, wanted: Wanted) -> tuple[list[dict], bool]:
    """One page of customers by name, sub-customers under their parents, and whether there are more."""
    pattern = "%" + wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    which = SHOWN.get(wanted.show, SHOWN["active"])
    rows = books.connection.execute(
        f"SELECT body FROM record WHERE realm = ? AND entity = 'Customer' AND {which}"
        " AND (? = '%%' OR body LIKE ? ESCAPE '\\') ORDER BY json_extract(body, '$.FullyQualifiedName')"
        " COLLATE NOCASE, id LIMIT ? OFFSET ?",
        (books.realm, pattern, pattern, PER_PAGE + 1, (wanted.page - 1) * PER_PAGE),
    ).fetchall()
    return [exact.loads(body) for (body,) in rows[:PER_PAGE]], len(rows) > PER_PAGE


def records(books: Books, kind: str, wanted: Wanted) -> tuple[list[dict], bool]:
    """One page of a kind, documents newest first and names alphabetically, and whether there are more."""
    pattern = "%" + wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    order = "name_key, id" if kind in ("Item", "Vendor") else "txn_date DESC, id DESC"
    rows = books.connection.execute(
        f"SELECT body FROM record WHERE realm = ? AND entity = ? AND (? = '%%' OR body LIKE ? ESCAPE '\\')"
        f" ORDER BY {order} LIMIT ? OFFSET ?",
        (books.realm, kind, pattern, pattern, PER_PAGE + 1, (wanted.page - 1) * PER_PAGE),
    ).fetchall()
    return [exact.loads(body) for (body,) in rows[:PER_PAGE]], len(rows) > PER_PAGE


def waiting(books: Books) -> list[tuple]:
    """(kind, id, verb, time, attempts) of webhook notices not yet delivered, newest first."""
    return books.connection.execute(
        "SELECT entity, id, verb, at, attempts FROM notice WHERE realm = ? ORDER BY number DESC LIMIT ?",
        (books.realm, PER_PAGE),
    ).fetchall()


def documents(books: Books, customer_id: str) -> list[tuple[str, dict]]:
    """(kind, document) of one customer, newest first."""
    all_of_them = [(kind, document) for kind in KINDS for document in books.of_customer(kind, customer_id)]
    return sorted(all_of_them, key=lambda pair: (pair[1]["TxnDate"], int(pair[1]["Id"])), reverse=True)
