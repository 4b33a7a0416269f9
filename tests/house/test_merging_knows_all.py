"""Merging two contacts must know every reference to a contact: a new table cannot be forgotten."""

from __future__ import annotations

from crm.db import Base
from crm.services.contact_merge_rows import MOVED, RULED, STAYS

SOFT = ("local_id", "owner_id", "one_id", "other_id")
"""Columns that hold a contact's id without a foreign key, in tables with a `kind`, `owner_kind` or `sort` beside it."""
KINDS = ("kind", "owner_kind", "sort")


def references() -> set[str]:
    """`table.column` of everything that may point to a contact."""
    found = set()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            hard = any(key.target_fullname == "contacts.id" for key in column.foreign_keys)
            soft = not column.foreign_keys and column.name in SOFT and any(kind in table.c for kind in KINDS)
            if hard or soft:
                found.add(f"{table.name}.{column.name}")
    return found


def test_merging_knows_every_reference_to_a_contact() -> None:
    known = {*MOVED, *RULED, *STAYS}
    assert references() - known == set(), "say in services/contact_merge_rows what merging does with these"


def test_merging_knows_no_reference_that_is_not_there() -> None:
    known = [*MOVED, *RULED, *STAYS]
    assert set(known) - references() == set()
    assert len(known) == len(set(known)), "each is handled in one way"
