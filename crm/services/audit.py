"""The audit trail: who did what that touches trust. Every service that changes such a thing calls `record()`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.db import db
from crm.models import AuditEntry, User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a signed-in person, an API key, a command or the system itself. Passed into every service."""

    name: str
    """In words that outlive the account: an e-mail, "api key NAME", "system"."""
    user_id: int | None = None
    source: str = "person"
    """`person`, `api`, `file`, `quickbooks` or `system`: what the timeline shows."""
    ip: str = ""
    shown_as: str = ""
    """What colleagues call them, where that is not `name`: a person's name."""

    @classmethod
    def of(cls, user: User, ip: str = "") -> Actor:
        return cls(name=user.email, user_id=user.id, ip=ip, shown_as=user.name)

    @property
    def label(self) -> str:
        """For pages: timelines, decisions, runs. The audit trail keeps `name`, which a renaming does not change."""
        return self.shown_as or self.name


SYSTEM = Actor(name="system", source="system")


def record(
    action: str,
    *,
    actor: Actor,
    now: datetime,
    subject: str = "",
    summary: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Add an entry in the open transaction. `details` must be JSON and free of secrets."""
    db.session.add(
        AuditEntry(
            at=now, actor=actor.name, user_id=actor.user_id, action=action, subject=subject, summary=summary,
            details=details or {}, ip=actor.ip,
        )
    )  # fmt: skip
