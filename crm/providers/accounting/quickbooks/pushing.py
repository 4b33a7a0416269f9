"""A push as QuickBooks' batch: one call for up to thirty writes, each with an outcome of its own.

`batch_of` makes the request from drafts, `outcomes` reads its answer. A single draft goes as a batch as well, so that
one rule holds for every repetition: the pair of key and item is answered again, and nothing is done twice. The answer
may come in any order; an item it lacks, or of which it says nothing, may have been written: `OutcomeUnknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crm.domain.errors import Cause, OutcomeUnknown, ProviderError, Unreadable
from crm.domain.records import Refusal
from crm.providers.accounting.base import Draft, Pushed
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.bodies import PUSH_KINDS, exact_json
from crm.providers.accounting.quickbooks.errors import faults_in, item_error
from crm.providers.http import Answer

PUSH_SIZE = 30
LONGEST_KEY = 36
LONGEST_ITEM = 10
#: Our operation -> QuickBooks' operation in a batch.
OPERATIONS = {
    "create": "create", "update": "update", "deactivate": "update", "reactivate": "update", "delete": "delete",
    "void": "update",
}  # fmt: skip


def batch_of(drafts: Sequence[Draft], *, key: str) -> bytes:
    """The request. Raises ValueError for what a batch cannot be: those are mistakes of ours."""
    items = [draft.item for draft in drafts]
    if len(drafts) > PUSH_SIZE or len(set(items)) != len(items):
        raise ValueError(f"a push takes at most {PUSH_SIZE} drafts, each with an item of its own")
    if not 0 < len(key) <= LONGEST_KEY or not all(0 < len(item) <= LONGEST_ITEM for item in items):
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters, an item 1 to {LONGEST_ITEM}")
    return exact_json({"BatchItemRequest": [_request(draft) for draft in drafts]})


def _request(draft: Draft) -> dict[str, Any]:
    if draft.kind not in PUSH_KINDS or draft.operation not in OPERATIONS:
        raise ValueError(f"QuickBooks takes no {draft.operation!r} of {draft.kind!r}")
    request = {"bId": draft.item, "operation": OPERATIONS[draft.operation], mapper.ENTITIES[draft.kind]: draft.body}
    return {**request, "optionsData": "void"} if draft.operation == "void" else request


def outcomes(drafts: Sequence[Draft], body: Any, answer: Answer, *, secrets: tuple[str, ...]) -> list[Pushed]:
    """What became of each draft, by the parsed body of an answer that holds a `BatchItemResponse` list."""
    answered: dict[str, Mapping[str, Any]] = {}
    for item in body["BatchItemResponse"]:
        if isinstance(item, Mapping):
            answered.setdefault(str(item.get("bId", "")), item)
    return [_outcome(draft, answered.get(draft.item), answer, secrets) for draft in drafts]


def _outcome(draft: Draft, item: Mapping[str, Any] | None, answer: Answer, secrets: tuple[str, ...]) -> Pushed:
    if item is not None and faults_in(item):
        return Pushed(draft.item, error=item_error(item, answer, secrets=secrets))
    found = (item or {}).get(mapper.ENTITIES[draft.kind])
    if not isinstance(found, Mapping):
        return Pushed(draft.item, error=_silence(answer))
    if draft.operation == "delete" and found.get("status") == "Deleted":
        return Pushed(draft.item)
    record = mapper.to_record(draft.kind, found)
    if isinstance(record, Refusal):
        return Pushed(draft.item, error=_unreadable(record, answer))
    return Pushed(draft.item, record)


def _silence(answer: Answer) -> ProviderError:
    cause = Cause(code="no answer", trace_id=answer.trace_id, http_status=answer.status)
    return OutcomeUnknown("QuickBooks did not say what became of this. Whether it arrived is not known.", cause=cause)


def _unreadable(refusal: Refusal, answer: Answer) -> ProviderError:
    """It stands there, whatever it looks like: never to be sent again as new."""
    told = f"QuickBooks wrote the {refusal.kind} (id {refusal.remote_id or 'unknown'}), but its answer cannot be read."
    cause = Cause(code="written", detail=refusal.reason, field=refusal.remote_id)
    return Unreadable(
        f"{told} {refusal.reason}", cause=replace(cause, trace_id=answer.trace_id, http_status=answer.status)
    )
