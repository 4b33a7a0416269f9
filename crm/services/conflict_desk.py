"""What a kind brings so that a person can decide about fields on which both sides differ, and the kinds that do.

`services/conflicts` holds the rules that are the same for all: who may decide what is still open, the mark of what was
seen, rules for the next ones. How two sides are compared, how a value reads and how it is applied is the kind's.
Another one joins by a class beside `conflict_contacts` and a line here; `domain/conflicts.OBJECTS` names its page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from crm.domain.errors import Forbidden
from crm.models import User
from crm.security import PERMISSIONS
from crm.services.audit import Actor
from crm.services.conflict_contacts import Contacts
from crm.services.conflict_products import Products
from crm.services.conflict_purchases import Purchases
from crm.services.conflict_sales import Documents
from crm.services.conflict_values import Typed
from crm.services.sync.work import Books

ALSO_NEEDED = {"vendor": "purchases.write", "bill": "purchases.write"}
"""Kind -> what somebody must be allowed besides to decide about it: whoever decides writes."""


def may_decide(session: Session, kind: str, *, actor: Actor) -> bool:
    """By the account that acts, for an API key the one that made it; the system itself has none and may."""
    if kind not in ALSO_NEEDED or actor.user_id is None:
        return True
    user = session.get(User, actor.user_id)
    return user is not None and user.role in PERMISSIONS[ALSO_NEEDED[kind]]


def check_may_decide(session: Session, kind: str, *, actor: Actor) -> None:
    """Raises Forbidden."""
    if not may_decide(session, kind, actor=actor):
        raise Forbidden("Only admins decide about vendors and bills. Leave them out, or ask one.")


class Desk(Protocol):
    """`Compared` below is the kind's own: one object of ours held against the one in the books."""

    titles: Mapping[str, str]
    """Field -> what people call it, as inside a sentence."""
    subject: str
    """What the audit log calls one ("contact")."""

    def compare(self, session: Session, local_ids: Sequence[int], *, books: Books) -> Mapping[int, Any]:
        """Lock these objects and hold each against the books'; those without a live link are missing."""
        ...

    def is_linked(self, compared: Any) -> bool: ...

    def agrees(self, compared: Any, field: str) -> bool: ...

    def value(self, compared: Any, field: str, choice: str) -> str:
        """What `ours` or `theirs` is, as people read it."""
        ...

    def write_by_hand(
        self, compared: Any, field: str, value: Typed | None, *, actor: Actor, now: datetime
    ) -> str:  # fmt: skip
        """Our object holds the value from now on; answers how it reads. Invalid, said of `value`."""
        ...

    def carry_out(
        self, session: Session, meant: Sequence[Any], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> bool:  # fmt: skip
        """One side counts as unchanged since they last agreed, and the merge does the rest. Whether ours goes out."""
        ...

    def said(self, compared: Any, field: str, choice: str, *, chosen: str, goes_out: bool) -> str:
        """What was decided, in a sentence."""
        ...

    def tell(self, texts: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
        """Tell it where the objects (local id -> sentence) are shown."""
        ...

    def again(self, session: Session, local_ids: Sequence[int], *, books: Books, now: datetime) -> None:
        """Merge these anew: they agree by now, or moved on."""
        ...


DESKS: dict[str, Desk] = {
    "customer": Contacts(),
    "item": Products(),
    "estimate": Documents("estimate", "quote"),
    "invoice": Documents("invoice", "invoice"),
    "vendor": Purchases("vendor"),
    "bill": Purchases("bill"),
}
