"""QuickBooks' own words for the tests: recorded exchanges and the table of its entities, where they are at hand.

The recordings lie beside the project and are not part of it; tests that need them are skipped without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "qbo"
RECORDED = SHARED / "recorded"

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded exchanges in {SHARED}")


def files(pattern: str) -> list[Path]:
    return sorted(RECORDED.glob(pattern)) if RECORDED.is_dir() else []


@cache
def load(path: Path) -> Any:
    return json.loads(path.read_text(), parse_float=Decimal)


def exchanges(path: Path) -> list[Mapping[str, Any]]:
    """The exchanges of a file; one, or those of a sequence."""
    content = load(path)
    return content.get("exchanges") or [content]


def entities(names: Mapping[str, str]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(file name, kind, body) of every whole object in a recorded answer; `names` maps entity to kind."""
    for path in files("*.json"):
        for exchange in exchanges(path):
            answer = exchange.get("response") or {}
            for kind, body in _within(answer.get("body"), names):
                yield path.name, kind, body


def _within(value: Any, names: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for one in value:
            yield from _within(one, names)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in names:
                for body in inner if isinstance(inner, list) else [inner]:
                    if isinstance(body, dict) and "Id" in body and "MetaData" in body:
                        yield names[name], body
            yield from _within(inner, names)


class Schema:
    """Intuit's XSD as a table: which members a body may have, and of which type."""

    def __init__(self) -> None:
        table = load(SHARED / "schema" / "entities.json")
        self._types = {**table["types"], **table["entities"]}

    def complaints(self, entity: str, body: Any, *, sent: bool = True) -> list[str]:
        """What QuickBooks would not know or not take. `sent` also names read-only fields of the entity."""
        found = list(self._walk(entity, body, entity))
        fields = self._types[entity]["fields"]
        if sent:
            read_only = {n for n, f in fields.items() if f.get("read_only") or f.get("docs", {}).get("read_only")}
            ours = {"Id", "SyncToken", "CurrencyRef"}  # required on update; the currency may be set on create
            found += [f"{entity}.{name} is read-only" for name in sorted((read_only - ours) & body.keys())]
        return found

    def _walk(self, kind: str, value: Any, path: str) -> Iterator[str]:
        if kind in self._types:
            if not isinstance(value, dict):
                yield f"{path} is not an object"
                return
            fields = self._types[kind]["fields"]
            for name, inner in value.items():
                if name not in fields:
                    yield f"{path}.{name} is unknown"
                    continue
                wanted = fields[name]
                many = inner if wanted.get("list") else [inner]
                if not isinstance(many, list):
                    yield f"{path}.{name} is not a list"
                    continue
                for one in many:
                    yield from self._walk(wanted["type"], one, f"{path}.{name}")
        elif kind != "any" and not _fits(kind, value):
            yield f"{path} is {value!r}, not {kind}"


def _fits(kind: str, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "decimal":
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)
