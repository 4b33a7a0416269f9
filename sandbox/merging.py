"""Merging two customers, as a person does it in QuickBooks' own pages; the API has no such thing.

The loser's documents and jobs become the survivor's, without any sign of change on them [FACTS 7 #13: silently]; the
loser is gone from reads and queries (610), change data capture tells that it was deleted, and the notice `merged` names
both. What exactly shows of a merge is not documented: see sandbox/README.md. Called by ``sandbox.admin`` and tests.
"""

from datetime import datetime

from sandbox import exact, faults, receivables, rules
from sandbox.entities import TRANSACTIONS
from sandbox.store import Books
from sandbox.times import stamp


def merge(books: Books, survivor_id: str, loser_id: str, *, now: datetime) -> dict:
    """The survivor as it stands now. Raises 610 for one that is not there, 6000 for two that cannot be one."""
    survivor, loser = (exact.loads(rules.read(books, "Customer", id)) for id in (survivor_id, loser_id))
    if survivor_id == loser_id or loser_id in _above(books, survivor) or survivor_id in _above(books, loser):
        raise faults.business("A customer cannot be merged with itself, its parent or its sub-customer.")
    for kind in TRANSACTIONS:
        documents = books.of_customer(kind, loser_id)
        for document in documents:
            document["CustomerRef"] = {"value": survivor_id, "name": survivor["DisplayName"]}
        books.put_many(kind, documents)
    _adopt(books, survivor, loser_id)
    books.remove("Customer", loser_id, now)
    survivor["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put("Customer", survivor)
    receivables.refresh_customer(books, survivor_id, now)
    if loser.get("ParentRef"):
        receivables.refresh_customer(books, loser["ParentRef"]["value"], now)
    books.notify("Customer", survivor_id, "merged", now, other_id=loser_id)
    return books.get("Customer", survivor_id) or survivor


def _above(books: Books, customer: dict) -> set[str]:
    """Ids of its parent, grandparent and so on."""
    found: set[str] = set()
    while customer.get("ParentRef"):
        found.add(customer["ParentRef"]["value"])
        customer = books.get("Customer", customer["ParentRef"]["value"]) or {}
    return found


def _adopt(books: Books, parent: dict, former_id: str) -> None:
    """The jobs of one customer become another's, with level and path."""
    for child in books.children("Customer", former_id):
        child["ParentRef"] = {"value": parent["Id"], "name": parent["DisplayName"]}
        _place(books, parent, child)


def _place(books: Books, parent: dict, child: dict) -> None:
    child["Level"] = parent.get("Level", 0) + 1
    child["FullyQualifiedName"] = f"{parent['FullyQualifiedName']}:{child['DisplayName']}"
    books.put("Customer", child)
    for below in books.children("Customer", child["Id"]):
        _place(books, child, below)
