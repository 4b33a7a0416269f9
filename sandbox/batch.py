"""Batch requests: up to 30 items, one after the other, each its own transaction, none undone by another's failure.

Called by ``sandbox.api``. A request id makes each successful item replay by (requestid, bId). Sources: FACTS 2.3, 2.6,
the batch_response recording.
"""

from collections.abc import Callable
from typing import Any

from sandbox import exact, faults, lookup
from sandbox.entities import ENTITIES

MOST = 30


def run(sandbox: Any, realm: str, body: dict, request_id: str, perform: Callable) -> str:
    """The BatchItemResponse list as JSON text. Raises 1040 when there are too many items."""
    items = body.get("BatchItemRequest")
    if not isinstance(items, list) or not items:
        raise faults.required("BatchItemRequest")
    if len(items) > MOST:
        detail = f"Maximum number of items in a batch is {MOST}; the request holds {len(items)}."
        raise faults.Fault("1040", "Batch size too large", detail)
    return f"[{','.join(_item(sandbox, realm, item, request_id, perform) for item in items)}]"


def _item(sandbox: Any, realm: str, item: dict, request_id: str, perform: Callable) -> str:
    b_id = str(item.get("bId", ""))
    try:
        if "Query" in item:
            content = f'"QueryResponse":{lookup.answer(sandbox.store.reading(realm), str(item["Query"]))}'
            sandbox.counters.add(realm, "query")
        else:
            content = _write(sandbox, realm, item, b_id, request_id, perform)
    except faults.Fault as fault:
        content = f'"Fault":{exact.dumps({"Error": [fault.error()], "type": fault.type})}'
    return f'{{{content},"bId":{exact.dumps(b_id)}}}'


def _write(sandbox: Any, realm: str, item: dict, b_id: str, request_id: str, perform: Callable) -> str:
    operation = str(item.get("operation", "")).lower()
    named = [name for name in item if name in ENTITIES]
    if len(named) != 1 or not isinstance(item[named[0]], dict):
        raise faults.unsupported(f"{operation or 'batch item'} without one known entity")
    entity, body = named[0], item[named[0]]
    options = frozenset(filter(None, str(item.get("optionsData", "")).replace(";", ",").split(",")))
    if "void" in options:
        operation = "void"
    with sandbox.store.writing(realm) as books:
        content = books.answer_to(request_id, b_id) if request_id else None
        if content is None:
            content = f'"{entity}":{exact.dumps(perform(books, entity, operation, body, options))}'
            if request_id:
                books.remember(request_id, content, b_id)
    sandbox.counters.add(realm, operation)
    return content
