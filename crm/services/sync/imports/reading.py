"""The step of an import that reads a kind from beginning to end, page by page; which kind is all the same to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crm.services.sync.imports.fetch import Fetch, refuse
from crm.services.sync.mirror import kinds
from crm.services.sync.mirror.kinds import INCOMING
from crm.services.sync.work import Work


def reader(kind: str) -> Callable[[Work, Fetch, str | None], str]:
    """The step that reads this kind."""

    def read_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
        if cursor is None:
            _note_total(work, fetch, kind)
        remote = fetch.scan(kind, cursor)
        records: list[Any] = list({record.origin.remote_id: record for record in remote.records}.values())
        fetch.names.learn(fetch, INCOMING[kind].refs(records))
        with work.page() as page:
            fetch.names.store(page)
            for refusal in remote.refusals:
                refuse(page, refusal)
            kinds.take(page, kind, records, fetch.names)
            return page.reached(remote.cursor, done=len(remote.records) + len(remote.refusals))

    return read_page


def _note_total(work: Work, fetch: Fetch, kind: str) -> None:
    """How many there are, stored before the first of them is read: people see from the start how far it is."""
    total = fetch.count(kind)
    with work.page() as page:
        page.note(total=total)
