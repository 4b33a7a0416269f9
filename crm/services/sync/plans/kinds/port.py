"""What a kind brings so that plans can show it and take it back; `Usual` is what a kind is that brings nothing.

What would be sent decides the outbox (`outbox/kinds`), for a plan and for the deed alike. Here stands only what that
does not know: which objects a person may choose, what is settled without comparing, how much money hangs on each, and
how a write is taken back. Everything works on a page of objects at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import Select
from sqlalchemy.orm import Session

from crm.domain.plans import field_title
from crm.models import OutboxEntry, Plan, PlanLine
from crm.services.audit import Actor
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.work import Books


@dataclass(frozen=True, slots=True)
class Drawn:
    """One object: what would be done about it in the books."""

    local_id: int
    name: str
    """What people call it here."""
    action: str
    """`create`, `update`, `link` (agrees already), `skip` or `refuse`; of an undo also `deactivate`, `void` ..."""
    remote_id: str = ""
    changes: Mapping[str, list[str]] = field(default_factory=dict)
    reason: str = ""
    amount: Decimal | None = None
    before: dict[str, Any] | None = None
    kind: str = "customer"


@dataclass(frozen=True, slots=True)
class Seen:
    """One object before it is compared."""

    name: str
    amount: Decimal | None = None
    """Its open balance, or its total."""
    stays: tuple[str, str] | None = None
    """(`skip` or `refuse`, the reason), where nothing needs comparing to know it; `create` where what it belongs to is
    not there yet either."""
    remark: str = ""
    """Said of its creation."""
    ready: bool = False
    """It goes there without being chosen: people have said so when they sent it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was written: what is taken back."""

    local_id: int
    operation: str
    remote_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    """The record as we left it; None where nobody kept it."""
    kind: str = "customer"


class Plannable(Protocol):
    def title(self, name: str) -> str:
        """What a field is called inside a sentence."""
        ...

    def offered(self, connection_id: int) -> Select[int] | None:
        """Ids of objects the books do not know, which a person may choose to create there; None: it has none."""
        ...

    def others(self, session: Session, connection_id: int) -> int:
        """How many objects of this kind plans are not about at all."""
        ...

    def look(
        self, session: Session, books: Books, local_ids: Sequence[int], links: Mapping[int, Any]
    ) -> Mapping[int, Seen]:
        """Each that is here. `links`: local id -> its link (remote_id, state), of those that have one."""
        ...

    def needs(
        self, session: Session, books: Books, local_ids: Sequence[int], *, actor: Actor, now: datetime
    ) -> Mapping[int, tuple[tuple[str, int], ...]]:
        """Object that is about to be created -> (kind, local id) of what must be there first; asks for it too."""
        ...

    def differences(
        self, session: Session, books: Books, local_ids: Sequence[int]
    ) -> Mapping[int, Mapping[str, list[str]]]:
        """Object -> field on which both sides never agreed -> [theirs, ours], as people read them."""
        ...

    def decide(
        self, session: Session, books: Books, lines: Sequence[PlanLine], choice: str, *, actor: Actor, now: datetime
    ) -> Mapping[int, str]:
        """Carry out `ours` or `theirs` for lines of one field; line id -> why not, for those that cannot be."""
        ...

    def left_as(self, session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
        """The record in the books as this entry left it, where nothing changed it since."""
        ...

    def undoing(self, session: Session, books: Books, deeds: Sequence[Deed]) -> list[Drawn]:
        """What taking these back would do: a way back (its action), or why there is none and what to do instead."""
        ...

    def put_back(
        self, session: Session, plan: Plan, one: Drawn, fields: Sequence[str], *, books: Books, actor: Actor,
        now: datetime,
    ) -> str:  # fmt: skip
        """The object here as it was before the write, before that goes out; why not, where it cannot be."""
        ...

    def image(self, session: Session, local_ids: Sequence[int], field: str) -> dict[int, dict[str, Any]]:
        """Object -> this field as it stands here, exactly; none where the kind cannot put it back."""
        ...

    def restore(
        self, session: Session, plan: Plan, local_id: int, field: str, before: Mapping[str, Any], *, actor: Actor,
        now: datetime,
    ) -> None:  # fmt: skip
        """The field here as such an image has it; nothing of it goes out."""
        ...


class Usual:
    """A kind whose linked objects are compared and updated; created and taken back is nothing of it by a plan."""

    by_hand = "Plans cannot take this back. Change it in Tradebook, or in QuickBooks itself."

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def title(self, name: str) -> str:
        return field_title(self.kind, name)

    def offered(self, connection_id: int) -> Select[int] | None:
        return None

    def others(self, session: Session, connection_id: int) -> int:
        return 0

    def look(
        self, session: Session, books: Books, local_ids: Sequence[int], links: Mapping[int, Any]
    ) -> Mapping[int, Seen]:
        gone = ("skip", "It was deleted in QuickBooks, so there is nothing to write to.")
        off = ("skip", "Inactive in QuickBooks, which changes nothing inactive. Make it active there first.")
        stays = {"gone": gone, "inactive": off}
        names = OUTGOING[self.kind].names(session, local_ids)
        return {
            id_: Seen(name, stays=stays.get(links[id_].state) if id_ in links else None) for id_, name in names.items()
        }

    def needs(
        self, session: Session, books: Books, local_ids: Sequence[int], *, actor: Actor, now: datetime
    ) -> Mapping[int, tuple[tuple[str, int], ...]]:
        return {}

    def differences(
        self, session: Session, books: Books, local_ids: Sequence[int]
    ) -> Mapping[int, Mapping[str, list[str]]]:
        return {}

    def decide(
        self, session: Session, books: Books, lines: Sequence[PlanLine], choice: str, *, actor: Actor, now: datetime
    ) -> Mapping[int, str]:
        return {line.id: "Decide about it on its own page." for line in lines}

    def left_as(self, session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
        return None

    def undoing(self, session: Session, books: Books, deeds: Sequence[Deed]) -> list[Drawn]:
        names = OUTGOING[self.kind].names(session, [deed.local_id for deed in deeds])
        return [
            Drawn(deed.local_id, names.get(deed.local_id, ""), "refuse", deed.remote_id, reason=self.by_hand,
                  kind=self.kind)
            for deed in deeds
        ]  # fmt: skip

    def put_back(
        self, session: Session, plan: Plan, one: Drawn, fields: Sequence[str], *, books: Books, actor: Actor,
        now: datetime,
    ) -> str:  # fmt: skip
        return self.by_hand

    def image(self, session: Session, local_ids: Sequence[int], field: str) -> dict[int, dict[str, Any]]:
        return {}

    def restore(
        self, session: Session, plan: Plan, local_id: int, field: str, before: Mapping[str, Any], *, actor: Actor,
        now: datetime,
    ) -> None:  # fmt: skip
        raise NotImplementedError(f"{self.kind} keeps no image of its fields")
