"""Change data capture: what changed or was deleted since a moment, at most 1000 objects per answer.

Sources: FACTS 2.7 and the cdc_ recordings: full records oldest change first, then the deleted ones of the same kind
with status Deleted; an unchanged kind is an empty element; a moment long ago is answered anyway.
"""

from sandbox import faults
from sandbox.entities import BY_PATH, EMPTY, NOT_IN_CDC
from sandbox.store import Books
from sandbox.times import parse, sortable

MOST = 1000


def answer(books: Books, entities: str, changed_since: str) -> str:
    """The CDCResponse list as JSON text. Raises Fault for an unknown kind or an unreadable moment."""
    try:
        since = sortable(parse(changed_since))
    except ValueError as error:
        raise faults.malformed("2060", "changedSince", f"cannot read the time {changed_since!r}") from error
    kinds = []
    for asked in filter(None, (part.strip() for part in entities.split(","))):
        kind = BY_PATH.get(asked.lower())
        if kind is None or kind in NOT_IN_CDC:
            raise faults.Fault("2000", "Invalid object", f"{asked} is not supported by change data capture.")
        kinds.append(kind)
    if not kinds:
        raise faults.required("entities")
    parts, left = [], MOST
    for kind in dict.fromkeys(kinds):
        rows = [] if kind in EMPTY else _changes(books, kind, since, left)
        left -= len(rows)
        parts.append(_element(kind, rows))
    return f'[{{"QueryResponse":[{",".join(parts)}]}}]'


def _changes(books: Books, kind: str, since: str, most: int) -> list[str]:
    key = (books.realm, kind, since)
    live = books.connection.execute(
        "SELECT body FROM record WHERE realm=? AND entity=? AND updated>=? ORDER BY updated, id LIMIT ?", (*key, most)
    ).fetchall()
    gone = books.connection.execute(
        "SELECT id, stamp FROM tombstone WHERE realm=? AND entity=? AND at>=? ORDER BY at, id LIMIT ?",
        (*key, most - len(live)),
    ).fetchall()
    deleted = [
        f'{{"status":"Deleted","domain":"QBO","Id":"{id}","MetaData":{{"LastUpdatedTime":"{at}"}}}}' for id, at in gone
    ]
    return [body for (body,) in live] + deleted


def _element(kind: str, rows: list[str]) -> str:
    if not rows:
        return "{}"
    total = f',"totalCount":{len(rows)}' if len(rows) > 1 else ""
    return f'{{"{kind}":[{",".join(rows)}],"startPosition":1,"maxResults":{len(rows)}{total}}}'
