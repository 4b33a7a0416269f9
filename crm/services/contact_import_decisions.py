"""What would become of each row of a file: a new contact, more for one that is here, or nothing, and why.

Only reads; the preview shows its answers and `contact_import_rows` carries them out. Two statements for a page of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain import contacts as rules
from crm.domain.contact_files import FileRow, read_row
from crm.domain.contacts import Line
from crm.domain.likeness import compare_companies, compare_people
from crm.domain.names import read_names
from crm.models import Contact, ContactImportRow, ContactPoint
from crm.services import identity_keys

ALIKE = 0.9
"""How alike two names must be (0 to 1) for a shared phone to mean the same contact."""


@dataclass(slots=True)
class Decision:
    row: ContactImportRow
    read: FileRow
    lines: list[Line]
    outcome: str
    """`created`, `updated`, `skipped` or `refused`."""
    contact_id: int | None = None
    reason: str = ""
    later: bool = False
    """The same as a row above it that is not stored yet."""


def decide(rows: Sequence[ContactImportRow], mapping: Mapping[str, str], duplicates: str) -> list[Decision]:
    """What would become of these rows. `duplicates` is `update`, `skip` or `create`. Two statements."""
    region = identity_keys.home_region(db.session())
    found = [_read(row, mapping, region) for row in rows]
    if duplicates == "create":
        return found
    known = _Known(line.normal for decision in found for line in decision.lines if line.normal)
    for decision in found:
        if decision.outcome == "refused":
            continue
        match = known.match(decision)
        if match is not None:
            contact_id, name, how = match
            decision.outcome = "updated" if duplicates == "update" else "skipped"
            decision.contact_id, decision.later = contact_id, contact_id is None
            decision.reason = f"{name} is here already ({how})."
        else:
            known.add(None, decision.read.draft.values["display_name"], decision.lines)
    return found


def _read(row: ContactImportRow, mapping: Mapping[str, str], region: str) -> Decision:
    read = read_row(row.cells, mapping)
    lines = [
        line for e in read.draft.entries for line in rules.read_lines(e.kind, e.value, label=e.label, region=region)
    ]
    lines = list({(line.kind, line.normal or line.value): line for line in reversed(lines)}.values())[::-1]
    return Decision(row, read, lines, "refused" if read.problem else "created", reason=read.problem)


class _Known:
    """Who holds these phones and e-mails: contacts in the database, and rows above on the same page."""

    def __init__(self, normals: Any) -> None:
        self.holders: dict[str, list[tuple[int | None, str]]] = {}
        found = db.session.execute(
            select(ContactPoint.normal, Contact.id, Contact.display_name)
            .join(Contact, Contact.id == ContactPoint.contact_id)
            .where(ContactPoint.normal.in_(set(normals)), Contact.archived_at.is_(None))
            .order_by(Contact.id)
        )
        for normal, contact_id, name in found:
            self.holders.setdefault(normal, []).append((contact_id, name))

    def add(self, contact_id: int | None, name: str, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.normal:
                self.holders.setdefault(line.normal, []).append((contact_id, name))

    def match(self, decision: Decision) -> tuple[int | None, str, str] | None:
        """(contact, name, how) of the one this row speaks of: the same e-mail, or the same phone and a like name."""
        name = decision.read.draft.values["display_name"]
        for kind in ("email", "phone"):
            for line in decision.lines:
                holders = self.holders.get(line.normal, ()) if line.kind == kind and line.normal else ()
                for contact_id, other in holders:
                    if kind == "email":
                        return contact_id, other, f"same e-mail {line.normal}"
                    if names_alike(name, other):
                        return contact_id, other, f"same phone {line.value} and name"
        return None


def names_alike(one: str, other: str) -> bool:
    if rules.sort_name(one) == rules.sort_name(other):
        return True
    ours, theirs = read_names(one), read_names(other)
    people = compare_people(ours.people, theirs.people)
    companies = compare_companies(ours.companies, theirs.companies)
    return max(people or 0.0, companies or 0.0) >= ALIKE
