"""Helpers of the import's tests: run one here and now, ask the served company itself, fill in the firm's own list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import requests

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import read_lines, search_text, sort_name
from crm.models import Contact, ContactPoint, SyncRun
from crm.providers.accounting.base import Spec
from crm.services import identity_keys, sync
from crm.services.audit import SYSTEM
from sandbox import Served
from sandbox.seed import Label, contacts

WITHOUT_LISTS = Spec("scripted", "Scripted books", kinds=("customer", "invoice"), page_size=1000)
"""Of books made up by a test: they hold no lists."""


def start(connection_id: int, resources: list[str] | None = None) -> int:
    with transaction():
        return sync.start_run(connection_id, resources=resources, trigger="command", actor=SYSTEM, now=clock.now()).id


def run_import(connection_id: int, resources: list[str] | None = None, **how: Any) -> SyncRun:
    """A whole import in this process; the run as it is stored afterwards."""
    run_id = start(connection_id, resources)
    sync.run(run_id, clock=how.pop("clock", clock.now), **how)
    return stored(run_id)


def stored(run_id: int) -> SyncRun:
    db.session.remove()
    return db.session.get_one(SyncRun, run_id)


def everything(served: Served, entity: str, realm: str | None = None) -> list[dict[str, Any]]:
    """All records of the served company, asked of it directly."""
    tokens = served.connect(realm)
    active = " WHERE Active IN (true,false)" if entity == "Customer" else ""
    answer = requests.post(
        f"{served.url}/v3/company/{realm or served.realm}/query",
        data=f"SELECT * FROM {entity}{active} MAXRESULTS 1000",  # noqa: S608  the language of QuickBooks, not SQL
        headers={"Authorization": f"Bearer {tokens.access}", "Accept": "application/json",
                 "Content-Type": "application/text"},
        timeout=20,
    )  # fmt: skip
    answer.raise_for_status()
    return json.loads(answer.text, parse_float=Decimal)["QueryResponse"].get(entity, [])


def own_list(size: int, seed: int) -> dict[int, Label]:
    """The contact list the same firm kept, as contacts here. Contact id -> the truth about it."""
    truth: dict[int, Label] = {}
    with transaction() as session:
        for row, label in contacts(size, seed):
            contact = add_contact(row["Name"], phones=(row["Phone"], row["Mobile"]), email=row["Email"],
                                  given_name=row["First name"], family_name=row["Last name"],
                                  company_name=row["Company"], street=row["Street"], city=row["City"],
                                  region=row["State"], postal_code=row["Zip"])  # fmt: skip
            truth[contact.id] = label
        identity_keys.refresh_contacts(session, list(truth))
    return truth


def add_contact(name: str, *, phones: tuple[str, ...] = (), email: str = "", **values: str) -> Contact:
    """A contact with its lines, in the open transaction; its identity keys are the caller's to refresh."""
    lines = [line for text in phones for line in read_lines("phone", text)] + read_lines("email", email)
    contact = Contact(
        display_name=name, sort_name=sort_name(name), phone=next((text for text in phones if text), "")[:60],
        email=email[:254],
        search_text=search_text(names=(name,), phones=[line.normal for line in lines if line.kind == "phone"],
                                emails=[line.value for line in lines if line.kind == "email"], address=()),
        created_at=clock.now(), updated_at=clock.now(), source="file", **values,
    )  # fmt: skip
    contact.points = [
        ContactPoint(kind=line.kind, value=line.value, normal=line.normal, extension=line.extension, position=place)
        for place, line in enumerate(lines)
    ]
    db.session.add(contact)
    db.session.flush()
    return contact


def opened(books: Any) -> Callable[..., Any]:
    """`open_books` that gives this port."""

    @contextmanager
    def open_books(connection_id: int, *, clock: Callable[[], datetime]) -> Iterator[Any]:
        yield books

    return open_books
