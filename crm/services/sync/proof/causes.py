"""Why a line of a proof differs, in a sentence, and what mends it. Asked once, when a proof has made sure.

Rules are tried in order; the first that has something to say is taken. What nothing explains is said to be ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from crm.db import db
from crm.domain.proof import FIGURES, KINDS, MONEY_KINDS, Account, Difference, thing
from crm.domain.proof_shown import DECIDE, SET_RIGHT, WAITS, base_kind, is_own
from crm.domain.proof_shown import FIGURES as FIGURES_HERE
from crm.models import Conflict, Contact, InboxEvent, Link, OutboxEntry, SyncLogEntry
from crm.queries.sync_settings import of_connection
from crm.services.sync.work import Books

WAITING = ("pending", "frozen", "parked", "skipped")
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Explained:
    line: Difference
    cause: str
    remedy: str


@dataclass(slots=True)
class Known:
    """What this installation knows about the objects that differ. Keys are (kind, remote id)."""

    zone: str
    now: datetime
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)
    """State of the outbox entry."""
    conflicts: set[tuple[str, str]] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    """An event about it waits in the inbox."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why it could not be read."""
    off: frozenset[str] = frozenset()
    """Kinds that do not come in at present, by the sync settings."""
    documents: Counter[str] = field(default_factory=Counter)
    """Customer -> how many of its documents differ."""
    readable: Counter[str] = field(default_factory=Counter)
    """The same of kinds that come in at present: only these are mended by reading again."""


def named(line: Difference, name: str, account: Account | None) -> Difference:
    """A line of the aged receivables with the customer it is about."""
    return replace(line, name=name, contact_id=account.contact_id if account else None)


def explained(books: Books, found: Sequence[Difference], *, now: datetime) -> list[Explained]:
    known = _known(books, found, now)
    contacts = _contact_names(found)
    out = []
    for line in found:
        if line.figure == "facts":
            line = replace(line, name=contacts.get(line.contact_id or 0, ""))
        cause, remedy = next(told for rule in RULES if (told := rule(line, known)))
        out.append(Explained(line, cause, remedy))
    return out


def row(proof_id: int, one: Difference | Explained) -> dict[str, Any]:
    line = one.line if isinstance(one, Explained) else one
    return {
        "proof_id": proof_id, "kind": line.kind, "remote_id": line.remote_id, "contact_id": line.contact_id,
        "name": line.name[:500], "figure": line.figure, "ours": line.ours, "theirs": line.theirs,
        "cause": one.cause if isinstance(one, Explained) else "",
        "remedy": one.remedy if isinstance(one, Explained) else "", "mended_at": None,
    }  # fmt: skip


# --- rules ----------------------------------------------------------------------------------------------------

Told = tuple[str, str] | None
"""(sentence, remedy)"""


def _shown(line: Difference, known: Known) -> Told:
    """What people see here against what was read: an edit of ours waits; anything else is wrong."""
    if not is_own(line.kind):
        return None
    key = (base_kind(line.kind), line.remote_id)
    it = thing(key[0], line.name, line.remote_id)
    if key in known.conflicts:
        return f"Waits for a decision: {it} was changed on both sides.", DECIDE
    state = known.waiting.get(key)
    if state == "parked":
        return f"Waits to go out: a change of {it} made here is parked in the outbox, for a person.", WAITS
    if state or line.edited:
        return f"Waits to go out: {it} was changed here, and QuickBooks does not have the change yet.", WAITS
    figure = FIGURES_HERE.get(line.figure, line.figure)
    what = f"{figure}: {line.words}." if line.words else f"{figure} is not what was read of QuickBooks."
    return f"{it} shows something else than was read, and nobody changed it here. {what} Set it right.", SET_RIGHT


def _conflict(line: Difference, known: Known) -> Told:
    if (line.kind, line.remote_id) not in known.conflicts:
        return None
    return f"{_it(line)} was changed on both sides, and nobody has decided yet.", "open_conflict"


def _waits(line: Difference, known: Known) -> Told:
    state = known.waiting.get((line.kind, line.remote_id))
    if state is None or line.kind == "customer":  # a customer's own fields are no money
        return None
    if state == "parked":
        return f"A change of {_it(line)} waits in the outbox for a person.", "outbox"
    return f"A change of {_it(line)} waits in the outbox and has not reached QuickBooks yet.", "outbox"


def _off(line: Difference, known: Known) -> Told:
    if line.kind not in known.off or line.figure in ("balance", "facts"):
        return None
    what = KINDS[line.kind].lower()
    said = f"Reading {what} is paused or switched off in the sync settings, so changes there do not come in."
    return said, "settings"


def _missing_here(line: Difference, known: Known) -> Told:
    if line.figure != "missing_here":
        return None
    reason = known.refused.get((line.kind, line.remote_id))
    if reason:
        return f"{_it(line)} could not be read: {reason}", ""
    at = f", last changed there {_moment(line.there_at, known)}" if line.there_at else ""
    return f"{_it(line)} is in QuickBooks{at}, and has not been read yet.", "read_again"


def _unreadable(line: Difference, known: Known) -> Told:
    if line.figure != "unreadable":
        return None
    reason = known.refused.get((line.kind, line.remote_id)) or "A field of it is not what QuickBooks documents."
    return f"{_it(line)} is in QuickBooks, but cannot be read, so it cannot be compared: {reason}", ""


def _missing_there(line: Difference, known: Known) -> Told:
    if line.figure != "missing_there":
        return None
    return f"{_it(line)} is no longer in QuickBooks: it was deleted or merged there, and that was not noticed yet.", (
        "read_again"
    )


def _told(line: Difference, known: Known) -> Told:
    if (line.kind, line.remote_id) not in known.told:
        return None
    return f"{_it(line)} was changed in QuickBooks; that is known, and it is about to be read.", "read_again"


def _changed_there(line: Difference, known: Known) -> Told:
    if line.there_at is None or line.figure == "balance" or (line.here_at and line.there_at <= line.here_at):
        return None
    said = f" ({line.words})" if line.words else ""
    at = _moment(line.there_at, known)
    waits = "; it is about to be" if (line.kind, line.remote_id) in known.told else ""
    return f"{_it(line)} was changed in QuickBooks {at} and has not been read yet{waits}{said}.", "read_again"


def _by_documents(line: Difference, known: Known) -> Told:
    number = known.documents[line.customer_id]
    if line.kind not in ("customer", "aging") or not number or line.figure == "facts":
        return None
    told = "one document that differs" if number == 1 else f"{number} documents that differ"
    if not known.readable[line.customer_id] and (line.kind == "aging" or line.figure == "balance"):
        kinds = "of a kind whose reading is paused or switched off in the sync settings"
        return f"It comes of {told}, listed below, {kinds}.", "settings"
    return f"It comes of {told}, listed below.", "read_again"


def _facts(line: Difference, known: Known) -> Told:
    if line.figure != "facts":
        return None
    return "The contact's page shows other figures than its invoices say. An import computes them anew.", "import"


def _read_balance(line: Difference, known: Known) -> Told:
    """QuickBooks moves a balance without calling the customer changed."""
    if line.figure not in ("balance_read", "balance_with_jobs"):
        return None
    return "The balance moved in QuickBooks since the customer was last read.", "read_again"


def _unread_papers(line: Difference, known: Known) -> Told:
    if line.kind not in ("customer", "aging"):
        return None
    return (
        "Every invoice, payment and credit memo of this customer is equal on both sides. The rest stands in entries "
        "that Tradebook does not read, such as journal entries or deposits; if there are none, our arithmetic differs: "
        "please report it.",
        "",
    )


def _ours(line: Difference, known: Known) -> Told:
    said = f" ({line.words})" if line.words else ""
    return (
        f"{FIGURES.get(line.figure, line.figure)} differs{said}, although QuickBooks says that nothing changed since "
        "it was read. Read it again; if it stays, please report it.",
        "read_again",
    )


RULES: tuple[Callable[[Difference, Known], Told], ...] = (
    _shown, _conflict, _unreadable, _waits, _off, _missing_here, _missing_there, _by_documents, _changed_there, _told,
    _facts, _read_balance, _unread_papers, _ours,
)  # fmt: skip


def _it(line: Difference) -> str:
    return thing(line.kind, line.name, line.remote_id)


def _moment(moment: datetime | None, known: Known) -> str:
    if moment is None:
        return ""
    try:
        zone: Any = ZoneInfo(known.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = moment.astimezone(zone)
    if local.date() == known.now.astimezone(zone).date():
        return f"at {local:%H:%M %Z}"
    return f"on {local.day} {local:%b %Y} at {local:%H:%M %Z}"


# --- what is known --------------------------------------------------------------------------------------------


def _known(books: Books, found: Sequence[Difference], now: datetime) -> Known:
    known = Known(books.time_zone, now)
    kept = of_connection(db.session(), books.id)
    known.off = frozenset(kind for kind in KINDS if kind in kept and not kept[kind].allows_in)
    documents = {(line.customer_id, line.kind, line.remote_id) for line in found if line.kind in MONEY_KINDS}
    known.documents = Counter(customer for customer, _, _ in documents)
    known.readable = Counter(customer for customer, kind, _ in documents if kind not in known.off)
    ids = sorted({line.remote_id for line in found if line.remote_id})
    for start in range(0, len(ids), CHUNK):
        _learn(known, books.id, ids[start : start + CHUNK])
    return known


def _learn(known: Known, connection_id: int, ids: Sequence[str]) -> None:
    entries = (
        select(Link.kind, Link.remote_id, OutboxEntry.state)
        .join(OutboxEntry, (OutboxEntry.connection_id == Link.connection_id) & (OutboxEntry.kind == Link.kind)
              & (OutboxEntry.local_id == Link.local_id))
        .where(Link.connection_id == connection_id, Link.remote_id.in_(ids), OutboxEntry.state.in_(WAITING))
        .order_by(OutboxEntry.id)
    )  # fmt: skip
    known.waiting |= {(row[0], row[1]): row[2] for row in db.session.execute(entries)}
    conflicts = select(Conflict.kind, Conflict.remote_id).where(
        Conflict.connection_id == connection_id, Conflict.remote_id.in_(ids), Conflict.state == "open"
    )
    known.conflicts |= {(row[0], row[1]) for row in db.session.execute(conflicts) if row[0] != "customer"}
    events = select(InboxEvent.kind, InboxEvent.remote_id).where(
        InboxEvent.connection_id == connection_id, InboxEvent.remote_id.in_(ids), InboxEvent.state == "pending"
    )
    known.told |= {(row[0], row[1]) for row in db.session.execute(events)}
    refused = (
        select(SyncLogEntry.kind, SyncLogEntry.remote_id, SyncLogEntry.message)
        .where(SyncLogEntry.connection_id == connection_id, SyncLogEntry.remote_id.in_(ids),
               SyncLogEntry.event == "record_refused")
        .order_by(SyncLogEntry.id)
    )  # fmt: skip
    known.refused |= {(row[0], row[1]): row[2] for row in db.session.execute(refused)}


def _contact_names(found: Iterable[Difference]) -> dict[int, str]:
    ids = sorted({line.contact_id for line in found if line.figure == "facts" and line.contact_id})
    names: dict[int, str] = {}
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        rows = db.session.execute(select(Contact.id, Contact.display_name).where(Contact.id.in_(some)))
        names |= {row[0]: row[1] for row in rows}
    return names
