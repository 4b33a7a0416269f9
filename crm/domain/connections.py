"""What a connection can be in, in words for people, and when admins are warned that its grant ends.

Pages ask `words()` for the title, the sentence and the button of a state; services ask `warning_due()`. Pure: which
state a connection is in is decided by services from what the provider said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

CONNECTED = "connected"
NEEDS_RECONNECT = "needs_reconnect"
SUBSCRIPTION_LAPSED = "subscription_lapsed"
PERMISSION_LOST = "permission_lost"
WRONG_KEYS = "wrong_keys"
DISCONNECTED = "disconnected"

PAUSED = (SUBSCRIPTION_LAPSED, PERMISSION_LOST, WRONG_KEYS)
"""States that may end without a new consent: somebody mends the cause elsewhere, and the next check finds out."""

WARN_DAYS = (30, 14, 7, 1)


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    sentence: str
    tone: str
    """ok, info, warn or bad."""
    action: str
    """What the button does: connect, import, test, reconnect or settings."""
    button: str


WORDS: dict[str, Words] = {
    "keys_not_set": Words(
        "QuickBooks keys not set",
        "Tradebook needs the keys of an Intuit app before it can ask QuickBooks for anything: three settings, "
        "made once.",
        "warn", "settings", "How to get the keys",
    ),
    "never_connected": Words(
        "No company connected yet",
        "Connect your QuickBooks Online company to see balances, invoices and payments beside your contacts. "
        "Your books are safe: nothing is written to QuickBooks until you approve a plan.",
        "info", "connect", "Connect to QuickBooks",
    ),
    "connected_read_only": Words(
        "Connected, read-only",
        "Tradebook reads customers, invoices, payments and credit memos. Your books are safe. Nothing is written to "
        "QuickBooks until you approve a plan, which shows every change before it is made.",
        "ok", "import", "Import customers",
    ),
    CONNECTED: Words(
        "Connected",
        "QuickBooks answers, and changes of linked contacts go both ways.",
        "ok", "import", "Import customers",
    ),
    NEEDS_RECONNECT: Words(
        "Needs reconnect",
        "QuickBooks no longer accepts the sign-in of this connection. Nothing is lost: what is linked stays linked, "
        "and work waits until an admin connects the same company again.",
        "bad", "reconnect", "Reconnect to QuickBooks",
    ),
    SUBSCRIPTION_LAPSED: Words(
        "QuickBooks subscription lapsed",
        "The company's QuickBooks subscription has ended or is suspended. Renew it at Intuit; Tradebook looks once a "
        "day, or now when you press the button. What was imported stays here.",
        "bad", "test", "Check again",
    ),
    PERMISSION_LOST: Words(
        "Permission lost",
        "The person who connected QuickBooks is no longer an admin of the company there, or the accounting permission "
        "was taken away. An admin of the QuickBooks company must reconnect.",
        "bad", "reconnect", "Reconnect to QuickBooks",
    ),
    WRONG_KEYS: Words(
        "Wrong keys",
        "Intuit does not accept the client id and secret in Tradebook's settings. Correct QUICKBOOKS_CLIENT_ID, "
        "QUICKBOOKS_CLIENT_SECRET and QUICKBOOKS_SANDBOX, restart, then check again.",
        "bad", "test", "Check again",
    ),
    DISCONNECTED: Words(
        "Disconnected",
        "Tradebook no longer reads this company. Contacts, links and what was imported until then are still here; "
        "connecting the same company again goes on where it stopped.",
        "warn", "reconnect", "Reconnect to QuickBooks",
    ),
}  # fmt: skip


def words(state: str, *, read_only: bool = True) -> Words:
    return WORDS["connected_read_only" if state == CONNECTED and read_only else state]


def grant_ends_at(refresh_expires_at: datetime | None, hard_expires_at: datetime | None) -> datetime | None:
    """The earlier of the soft end (moves with every renewal) and the hard one (moves only by a new consent)."""
    return min((end for end in (refresh_expires_at, hard_expires_at) if end is not None), default=None)


def warning_due(ends_at: datetime | None, now: datetime, warned_days: int | None) -> int | None:
    """Which of WARN_DAYS admins are to be told of now, or None. `warned_days` is the last one they were told of."""
    if ends_at is None:
        return None
    reached = [days for days in WARN_DAYS if ends_at - now <= timedelta(days=days)]
    if not reached:
        return None
    nearest = min(reached)
    return nearest if warned_days is None or nearest < warned_days else None
