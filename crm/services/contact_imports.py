"""Contacts from a file: uploaded, mapped, previewed, started, cancelled, taken back. The door of file imports.

Everything but `run` is called inside `transaction()`; that one is the runner's and opens its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from crm.bell import ring
from crm.db import db, table_of
from crm.domain.contact_files import TARGETS, check_mapping, guess, read_table
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import ContactImport, ContactImportRow, User
from crm.services import audit
from crm.services.audit import Actor
from crm.services.contact_import_decisions import Decision, decide
from crm.services.contact_import_runner import BUSY, TASK, due, ring_due, run
from crm.services.identity_keys import chunks

__all__ = [
    "BUSY", "arrange", "bring_in", "cancel", "discard", "due", "preview", "reasons", "restart", "ring_due",
    "rows_with_reason", "run", "start", "undo", "upload",
]  # fmt: skip

PREVIEW = 15
PIECE = 2000
"""Rows of a file that are kept at once."""
DUPLICATES = ("update", "skip", "create")


def upload(filename: str, data: bytes, *, actor: Actor, now: datetime) -> ContactImport:
    """Keep the rows of a file, with the mapping its headings suggest. Raises Invalid for what is no table."""
    table = read_table(data)
    found = ContactImport(
        filename=(filename.replace("\\", "/").rpartition("/")[2] or "file.csv")[:255], state="uploaded",
        header=table.header, mapping=guess(table.header), options={"duplicates": "update"}, counts={},
        created_by_id=actor.user_id, created_at=now,
    )  # fmt: skip
    db.session.add(found)
    db.session.flush()
    for part in chunks(table.rows, PIECE):
        values = [
            {"import_id": found.id, "number": number, "cells": cells, "outcome": "", "error": ""}
            for number, cells in part
        ]
        db.session.execute(insert(table_of(ContactImportRow)), values)
        found.total += len(part)
    db.session.flush()
    return found


def find(import_id: int) -> ContactImport:
    found = db.session.get(ContactImport, import_id)
    if found is None:
        raise NotFound("There is no such file import.")
    return found


def arrange(import_id: int, mapping: Mapping[str, str], *, duplicates: str, owner_id: int | None) -> ContactImport:
    """Keep what the columns mean and what happens to duplicates. Raises Invalid while something is missing."""
    found = find(import_id)
    if found.state != "uploaded":
        raise Refused("This import has begun; its columns can no longer be changed. Upload the file again.")
    chosen = {
        place: target for place, target in mapping.items() if target in TARGETS and _is_place(place, found.header)
    }
    wrong = check_mapping(chosen)
    if duplicates not in DUPLICATES:
        wrong["duplicates"] = "Choose what to do with contacts that are here already."
    if owner_id is not None and db.session.get(User, owner_id) is None:
        wrong["owner"] = "There is no such person. Choose one of the list."
    if wrong:
        raise Invalid(wrong)
    found.mapping, found.options = chosen, {"duplicates": duplicates, "owner_id": owner_id}
    return found


def preview(found: ContactImport) -> list[Decision]:
    """What would become of the first rows. Reads only."""
    query = select(ContactImportRow).where(ContactImportRow.import_id == found.id)
    rows = list(db.session.scalars(query.order_by(ContactImportRow.number).limit(PREVIEW)))
    return decide(rows, found.mapping, found.options.get("duplicates", "update"))


def start(import_id: int, *, actor: Actor, now: datetime) -> ContactImport:
    """Have a worker run it. Asking twice starts it once."""
    found = find(import_id)
    if found.state == "uploaded":
        wrong = check_mapping(found.mapping)
        if wrong:
            raise Invalid(wrong)
        _queue(found, actor=actor, now=now)
        ring(TASK, found.id)
    return found


def _queue(found: ContactImport, *, actor: Actor, now: datetime) -> None:
    found.state = "queued"
    text = f"{found.filename}: {found.total:,} rows"
    details = {"rows": found.total, "duplicates": found.options.get("duplicates", "update")}
    _record("contacts_import_started", found, text, details, actor=actor, now=now)


def _record(
    action: str, found: ContactImport, text: str, details: dict[str, Any], *, actor: Actor, now: datetime
) -> None:
    audit.record(action, actor=actor, now=now, subject=f"import {found.id}", summary=text, details=details)


def restart(import_id: int) -> ContactImport:
    """Go on with one that failed or was cancelled, at the row where it stopped."""
    found = find(import_id)
    if found.state in ("failed", "cancelled"):
        found.state, found.error, found.finished_at = ("undoing" if found.undone_at else "queued"), "", None
        found.options = {**found.options, "tries": 0}
        ring(TASK, found.id)
    return found


def cancel(import_id: int, *, now: datetime) -> ContactImport:
    """Stop after the page at hand; what came in stays and can be undone. Once it has ended, nothing happens."""
    one = update(ContactImport).where(ContactImport.id == find(import_id).id)
    db.session.execute(one.where(ContactImport.state == "queued").values(state="cancelled", finished_at=now))
    db.session.execute(one.where(ContactImport.state == "running").values(state="cancelling"))
    ring(TASK, import_id)  # whoever waits for the database, or died, is not waited for
    return db.session.get_one(ContactImport, import_id, populate_existing=True)


def undo(import_id: int, *, actor: Actor, now: datetime) -> ContactImport:
    """Have a worker take back what this import did, as far as nobody has touched it since."""
    found = find(import_id)
    if found.state not in ("done", "cancelled"):
        raise Refused("Only an import that has ended can be undone.")
    found.state, found.undone_at, found.done = "undoing", now, 0
    counts = {name: found.counts.get(name, 0) for name in ("created", "updated")}
    text = f"{found.filename}: {counts['created']:,} contacts made and {counts['updated']:,} added to, to be taken back"
    _record("contacts_import_undone", found, text, counts, actor=actor, now=now)
    ring(TASK, found.id)
    return found


def discard(import_id: int) -> str:
    """Forget a file that was uploaded and not imported; answers its name."""
    found = find(import_id)
    if found.state != "uploaded":
        raise Refused("This file was imported already. It can be undone, not discarded.")
    db.session.delete(found)
    return found.filename


def bring_in(filename: str, data: bytes, *, owner: str, duplicates: str, actor: Actor, now: datetime) -> int:
    """Upload with the guessed columns, ready to `run` at once; answers the id. `owner` is an e-mail or empty."""
    person = db.session.scalar(select(User).where(User.email == owner.strip().lower())) if owner else None
    if owner and person is None:
        raise Invalid({"owner": f"Nobody signs in as {owner}. Create the person first, or leave the owner out."})
    found = upload(filename, data, actor=actor, now=now)
    arrange(found.id, found.mapping, duplicates=duplicates, owner_id=person.id if person else None)
    _queue(found, actor=actor, now=now)
    return found.id


def reasons(import_id: int, *, after: int = 0, limit: int = 1000) -> list[ContactImportRow]:
    """Rows that were refused, skipped or kept, in the file's order."""
    query = select(ContactImportRow).where(
        ContactImportRow.import_id == import_id, ContactImportRow.error != "", ContactImportRow.number > after
    )
    return list(db.session.scalars(query.order_by(ContactImportRow.number).limit(limit)))


def rows_with_reason(found: ContactImport) -> Iterator[list[str]]:
    """The rows that were not imported or not taken back: their own cells, the line and the reason."""
    last = 0
    while rows := reasons(found.id, after=last):
        yield from ([*row.cells, str(row.number), row.error] for row in rows)
        last = rows[-1].number


def _is_place(text: str, header: Sequence[str]) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5 and int(text) < len(header)
