"""The table a kind of the books is mirrored in, and the few questions that are asked of any such table.

Its columns: id, connection_id, remote_id, version, content_hash, remote_updated_at, seen_at, seen_run_id, gone_at. Some
have `contact_id` (at whose page a row is shown) and `customer_remote_id` (whose money it moves) as well. Several kinds
may share one table, told apart by its column `kind`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import null, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.services.identity_keys import chunks

PART = 500


@dataclass(frozen=True, slots=True)
class Mirror:
    model: Any
    name: Any
    """The column by which people know a row: a name, a number."""
    kind: str = ""
    """What stands in the column `kind`, where the table holds several."""
    more: tuple[Any, ...] = ()
    """Further columns that the kind wants of rows which are gone."""

    @property
    def at_contacts(self) -> bool:
        return "contact_id" in table_of(self.model).c

    @property
    def of_customers(self) -> bool:
        return "customer_remote_id" in table_of(self.model).c

    @property
    def columns(self) -> tuple[Any, ...]:
        """Of a row that is about to be gone: id, remote_id, contact_id, name, and `more`."""
        contact = self.model.contact_id if self.at_contacts else null().label("contact_id")
        return (self.model.id, self.model.remote_id, contact, self.name.label("name"), *self.more)

    def of(self, connection_id: int) -> list[Any]:
        """Conditions: every row of the kind that came from the books, gone ones included."""
        found = [self.model.connection_id == connection_id, self.model.remote_id.is_not(None)]
        return [*found, self.model.kind == self.kind] if self.kind else found

    def here(self, connection_id: int) -> list[Any]:
        """Conditions: those that are not known to be gone."""
        return [*self.of(connection_id), self.model.gone_at.is_(None)]

    def hashes(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> dict[str, str]:
        return self._map(session, connection_id, remote_ids, self.model.content_hash)

    def versions(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> dict[str, str]:
        return self._map(session, connection_id, remote_ids, self.model.version)

    def contacts(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> dict[str, int]:
        """At whose page these are shown."""
        if not self.at_contacts:
            return {}
        found = self._map(session, connection_id, remote_ids, self.model.contact_id)
        return {remote_id: contact_id for remote_id, contact_id in found.items() if contact_id is not None}

    def customers(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> set[str]:
        """Whose money these move, as they stand here."""
        if not self.of_customers:
            return set()
        return set(self._map(session, connection_id, remote_ids, self.model.customer_remote_id).values()) - {""}

    def owned(self, session: Session, connection_id: int, customers: Collection[str]) -> list[str]:
        """What stands here as these customers' own, not their jobs'."""
        found: list[str] = []
        for part in chunks(sorted(customers) if self.of_customers else [], PART):
            mine = (*self.here(connection_id), self.model.customer_remote_id.in_(part))
            found += session.scalars(select(self.model.remote_id).where(*mine).order_by(self.model.id))
        return found

    def still_here(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> list[str]:
        """Of these ids those that stand here and are not known to be gone."""
        found: list[str] = []
        for part in chunks(list(remote_ids), PART):
            here = select(self.model.remote_id).where(*self.here(connection_id), self.model.remote_id.in_(part))
            found += session.scalars(here.order_by(self.model.id))
        return found

    def rows(self, session: Session, connection_id: int, remote_ids: Sequence[str]) -> list[Any]:
        """The rows of these ids that are not known to be gone."""
        found: list[Any] = []
        for part in chunks(list(remote_ids), PART):
            where = (*self.here(connection_id), self.model.remote_id.in_(part))
            found += session.execute(select(*self.columns).where(*where).order_by(self.model.id))
        return found

    def _map(self, session: Session, connection_id: int, remote_ids: Collection[str], column: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in chunks(list(remote_ids), PART):
            where = (*self.of(connection_id), self.model.remote_id.in_(part))
            found |= {row[0]: row[1] for row in session.execute(select(self.model.remote_id, column).where(*where))}
        return found
