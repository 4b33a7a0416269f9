"""QuickBooks' change data capture: full records of what changed, and ids of what was deleted.

`changes_in` reads an answer. Rows of one kind may come in several elements, the deleted ones in one of their own; they
are put together here by entity. An answer holds a thousand objects at most and says nothing of having been cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crm.domain.errors import UnexpectedAnswer
from crm.domain.records import Record, Refusal
from crm.providers.accounting.base import Changes, Tombstone
from crm.providers.accounting.quickbooks import mapper

MOST = 1000
#: QuickBooks tells nothing of tax codes and rates; of customer types it is not documented, and one kind it does not
#: know would make it refuse the others with it.
CHANGE_KINDS = tuple(
    kind for kind in mapper.ENTITIES if kind not in ("company", "tax_code", "tax_rate", "customer_type")
)


def asked(kinds: Sequence[str], since: datetime) -> dict[str, str]:
    """The parameters of the question. Times there have whole seconds: the part of one is cut off, never added."""
    unknown = [kind for kind in kinds if kind not in CHANGE_KINDS]
    if unknown or not kinds:
        raise ValueError(f"QuickBooks tells no changes of {unknown}; it does of {', '.join(CHANGE_KINDS)}")
    entities = ",".join(mapper.ENTITIES[kind] for kind in dict.fromkeys(kinds))
    return {"entities": entities, "changedSince": since.astimezone(UTC).isoformat(timespec="seconds")}


def changes_in(body: Mapping[str, Any], kinds: Sequence[str]) -> Changes:
    records: list[Record] = []
    gone: list[Tombstone] = []
    refusals: list[Refusal] = []
    total = 0
    for kind, row in _rows(body, {mapper.ENTITIES[kind]: kind for kind in kinds}):
        total += 1
        if isinstance(row, Mapping) and row.get("status") == "Deleted" and row.get("Id"):
            gone.append(Tombstone(kind, str(row["Id"]), _deleted_at(row)))
            continue
        read = mapper.to_record(kind, row)
        if isinstance(read, Refusal):
            refusals.append(read)
        else:
            records.append(read)
    until = moment(body.get("time"))
    if until is None:
        raise UnexpectedAnswer("QuickBooks told changes without saying until when.")
    return Changes(tuple(records), tuple(gone), tuple(refusals), until, complete=total < MOST)


def _rows(body: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """(kind, row), kind by kind in the order asked."""
    found: dict[str, list[Any]] = {entity: [] for entity in kinds}
    for element in _elements(body):
        for entity, rows in element.items():
            if entity not in found:
                continue
            if not isinstance(rows, list):
                raise UnexpectedAnswer(f"QuickBooks told changes of {entity} without a list.")
            found[entity] += rows
    for entity, rows in found.items():
        yield from ((kinds[entity], row) for row in rows)


def _elements(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    try:
        elements = [element for part in body["CDCResponse"] for element in part["QueryResponse"]]
    except (KeyError, TypeError):
        raise UnexpectedAnswer("QuickBooks answered a question for changes without any list of them.") from None
    if not all(isinstance(element, Mapping) for element in elements):
        raise UnexpectedAnswer("QuickBooks told changes that are not objects.")
    return elements


def _deleted_at(row: Mapping[str, Any]) -> datetime | None:
    meta = row.get("MetaData")
    return moment(meta.get("LastUpdatedTime")) if isinstance(meta, Mapping) else None


def moment(value: Any) -> datetime | None:
    """An aware time in UTC; None for what is none. Nanoseconds are cut to microseconds."""
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return read.astimezone(UTC) if read.tzinfo else None
