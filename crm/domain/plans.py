"""Plans in words: what they are for, what their lines do, what came of them; and what may be undone.

Asked by the services that make plans and carry them out, and by the pages that show them. Pure: who may write what is
decided from what it is given, nothing is read or changed here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from crm.domain import policies

PURPOSES: dict[str, str] = {
    "first": "First plan",
    "push": "What would be written",
    "import": "What an import would change here",
    "undo": "Undo",
    "unimport": "Undo of an import",
}
HERE = ("import", "unimport")
"""Purposes of plans that change Tradebook alone: nothing of them is written to the books."""
STATES: dict[str, str] = {
    "making": "Being made",
    "ready": "Waits for you",
    "carrying_out": "Being carried out",
    "done": "Done",
    "discarded": "Discarded",
    "failed": "Failed",
}
LIVE = ("making", "carrying_out")
"""States in which a worker has something to do."""


@dataclass(frozen=True, slots=True)
class Action:
    title: str
    """Of the line."""
    meaning: str
    """What it would do, for all such lines together."""
    writes: bool


ACTIONS: dict[str, Action] = {
    "create": Action("Create", "new customers in QuickBooks", True),
    "update": Action("Update", "customers whose fields would change", True),
    "deactivate": Action("Deactivate", "customers that would be made inactive", True),
    "reactivate": Action("Reactivate", "customers that would be made active again", True),
    "void": Action("Void", "documents that would be voided", True),
    "delete": Action("Delete", "records that would be deleted", True),
    "send_ours": Action("Send ours", "fields that become in QuickBooks as they are here", True),
    "take_theirs": Action("Use QuickBooks’", "fields that become here as they are in QuickBooks", True),
    "restore": Action("Put ours back", "fields that become here as they were; QuickBooks keeps its own", True),
    "differ": Action("Differs", "fields on which both sides never agreed: left, unless you choose", False),
    "contact_link": Action("Link", "customers that belong to a contact; what is empty there is filled", True),
    "contact_create": Action("New contact", "customers nobody here fits", True),
    "contact_update": Action("Change here", "linked contacts that follow their customer", True),
    "contact_review": Action("For a person", "doubtful: proposed under Matches, nothing is merged or created", False),
    "contact_ignore": Action("Ignore", "inactive customers that owe nothing: kept in the mirror only", False),
    "contact_unlink": Action("Let go", "links that are let go; what the import filled is emptied again", True),
    "contact_archive": Action("Archive", "contacts the import made and nobody touched since", True),
    "link": Action("Linked", "agree already: nothing to write", False),
    "skip": Action("Skip", "left as they are, each with its reason", False),
    "refuse": Action("Refuse", "QuickBooks would not take them as they are", False),
}
WRITES = tuple(name for name, action in ACTIONS.items() if action.writes)
"""Actions that change something and so are approved or left: there, or here by an import or a choice."""
SHOWING_FIELDS = (
    "update", "contact_link", "contact_update", "contact_unlink", "restore", "differ", "send_ours", "take_theirs",
)  # fmt: skip
"""Actions whose lines name the fields that would change."""
CHOICES = {"ours": "send_ours", "theirs": "take_theirs", "leave": "differ"}
"""What may be chosen of a field that differs -> the action its line becomes."""
DIFFERENCES = tuple(CHOICES.values())
WITH_ANY_DECISION = ("contact_review", "contact_ignore")
"""Actions of an import's plan that change no contact: carried out with its approval, whatever was approved."""

OUTCOMES: dict[str, tuple[str, str]] = {
    "waiting": ("On its way", "in the outbox, not settled yet"),
    "done": ("Done", "written as planned"),
    "nothing": ("Nothing to do", "both sides agreed by then"),
    "parked": ("Parked", "waits for a person in the outbox"),
    "left": ("Left", "not approved: nothing was written"),
    "undone": ("Undone", "taken back by a later plan"),
}
"""Outcome -> its word, and what it means."""
UNSETTLED = ("", "waiting")
"""An approved line with one of these keeps its plan from being done."""

STAYS = "Stays in Tradebook until you choose to create it in QuickBooks."
"""Reason of a skipped line that may still be chosen; only lines with this very reason can be."""

GONE_HERE = "The contact is gone, so there is nothing to put back."
AS_BEFORE = "Everything stands as before already."
"""Why nothing is taken back."""

KEPT_BACK = "Kept back by plan "
"""How the texts begin that a plan leaves on a skipped entry of the outbox; one that a person skipped has none of them,
and no plan offers it."""
HELD = KEPT_BACK + "{}, which is being carried out: it goes out with its line."
LEFT_HERE = (
    KEPT_BACK + "{}, which left it out: nothing was written. Take it up again here, or approve it in another plan."
)
NOT_SHOWN = (
    KEPT_BACK + "{}, which did not show it: it was changed after that plan was made. Take it up again here, or approve "
    "it in another plan."
)


def field_title(kind: str, name: str) -> str:
    """What a field of a line is called inside a sentence."""
    titles = {field.name: field.title for field in policies.FIELDS.get(kind, ())}
    return titles.get(name, name.replace("_", " "))


def field_names() -> frozenset[str]:
    """Every field that lines of any kind may name."""
    return frozenset(field.name for kind in policies.FIELDS for field in policies.shared(kind))


def narrowed(changes: Mapping[str, list[str]], fields: Collection[str]) -> dict[str, list[str]]:
    """The changes that would be carried out: all of them, or those of the chosen fields."""
    return {name: list(pair) for name, pair in changes.items() if not fields or name in fields}


@dataclass(frozen=True, slots=True)
class Kept:
    """A field that cannot be taken back, and why."""

    field: str
    why: str


def take_back(
    fields: Collection[str],
    *,
    before: Mapping[str, str],
    after: Mapping[str, str],
    there: Mapping[str, str],
    here: Mapping[str, str],
) -> tuple[tuple[str, ...], tuple[Kept, ...]]:
    """Which of these fields may get the value back that they had before, and which stay.

    All values as they are compared (`domain/shared_fields`): before and after our write, and as they stand now in the
    books and in the contact. Only a field that still stands on both sides as we left it is taken back.
    """
    back, kept = [], []
    for name in fields:
        old, left, now, ours = (side.get(name, "") for side in (before, after, there, here))
        if now == old and ours == old:
            kept.append(Kept(name, "stands as before already"))
        elif now != left:
            kept.append(Kept(name, "was changed in QuickBooks since"))
        elif ours != left:
            kept.append(Kept(name, "was changed in Tradebook since"))
        else:
            back.append(name)
    return tuple(back), tuple(kept)


def why_not_deactivate(*, active: bool, gone: bool, balance: Decimal, documents: int, jobs: int) -> str:
    """Why a customer that was created cannot be made inactive again, with what to do instead; empty when it can."""
    if gone:
        return "It was deleted or merged in QuickBooks since: there is nothing left to take back."
    if not active:
        return "It is inactive in QuickBooks already."
    if balance:
        return (
            f"It has an open balance of {balance:,.2f} there, and QuickBooks deactivates no customer that owes or is "
            "owed. Settle or void what is open there, then undo again."
        )
    if documents:
        what = "1 document or payment hangs" if documents == 1 else f"{documents:,} documents and payments hang"
        return (
            f"{what} on it in QuickBooks, so that it is more than what we made. Void or move them there first, or make "
            "the customer inactive in QuickBooks itself."
        )
    if jobs:
        what = "1 job stands" if jobs == 1 else f"{jobs:,} jobs stand"
        return f"{what} below it in QuickBooks. Make them inactive there first, then undo again."
    return ""


@dataclass(frozen=True, slots=True)
class LineFilters:
    """Which lines of a plan are meant: shown, or approved by rule."""

    action: str = ""
    outcome: str = ""
    field: str = ""
    """Updates that change this shared field."""
    q: str = ""
    """Part of a name, or an id in the books."""
    least: Decimal | None = None
    """Lines on which at least so much money hangs."""
    sort: str = ""

    def query(self) -> dict[str, str]:
        """As it stands in an address; empty ones left out."""
        values = {"action": self.action, "outcome": self.outcome, "field": self.field, "q": self.q, "sort": self.sort}
        least = {"least": format(self.least, "f")} if self.least is not None else {}
        return {name: value for name, value in values.items() if value} | least

    @property
    def narrowed(self) -> bool:
        return bool(self.action or self.outcome or self.field or self.q or self.least is not None)
