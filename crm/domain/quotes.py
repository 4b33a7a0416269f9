"""What can happen to a quote, who may do it, and what the books' words for it mean. One table, asked by everybody.

Services ask `move` before they change a quote, pages ask `allowed` for their buttons, the sync asks `to_books` and
`from_books`. `expired` is computed from date and day, `partly` from the invoices that stand (`state_now`); neither is
stored. Events are asked with the state as it is now, so that such a quote has rows of its own.
Versions and their comparison: `quote_versions`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm.domain.errors import Refused

DRAFT, SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED, PARTLY, INVOICED, CANCELLED = (
    "draft", "sent", "viewed", "accepted", "declined", "expired", "partly", "invoiced", "cancelled",
)  # fmt: skip
STATES: dict[str, str] = {
    DRAFT: "Draft", SENT: "Sent", VIEWED: "Viewed", ACCEPTED: "Accepted", DECLINED: "Declined", EXPIRED: "Expired",
    PARTLY: "Partly invoiced", INVOICED: "Invoiced", CANCELLED: "Withdrawn",
}  # fmt: skip
STORED = tuple(state for state in STATES if state not in (EXPIRED, PARTLY))
OPEN = (DRAFT, SENT, VIEWED, ACCEPTED)
"""Still to be won or invoiced."""
WITH_CUSTOMER = (SENT, VIEWED)
"""The customer is to answer; these expire."""
GOING_ON = (*WITH_CUSTOMER, ACCEPTED)
"""Partly invoiced while an invoice of it stands: the one that takes the last of it makes it INVOICED."""

REP, CUSTOMER, BOOKS = "rep", "customer", "books"
WHO: dict[str, str] = {REP: "your team", CUSTOMER: "the customer", BOOKS: "QuickBooks"}


@dataclass(frozen=True, slots=True)
class Event:
    title: str
    """On a button."""
    verb: str
    """In a sentence: "Only your team can {verb}"."""
    done: str
    """In a sentence: "cannot be {done}"."""


EVENTS: Mapping[str, Event] = {
    "send": Event("Send", "send this quote", "sent"),
    "view": Event("View", "mark this quote as viewed", "viewed"),
    "ask": Event("Ask a question", "ask about this quote here", "asked about"),
    "accept": Event("Accept", "accept this quote", "accepted"),
    "decline": Event("Decline", "decline this quote", "declined"),
    "revise": Event("Revise", "revise this quote", "revised"),
    "cancel": Event("Withdraw", "withdraw this quote", "withdrawn"),
    "reopen": Event("Reopen", "reopen this quote", "reopened"),
    "invoice": Event("Make an invoice", "invoice this quote", "invoiced"),
    "release": Event("Take the invoice back", "take its invoice back", "released from its invoice"),
}


@dataclass(frozen=True, slots=True)
class Move:
    event: str
    states: tuple[str, ...]
    who: tuple[str, ...]
    to: str
    """Empty: it stays what it is."""


MOVES = (
    Move("send", (DRAFT,), (REP, BOOKS), SENT),
    Move("send", (SENT, VIEWED, ACCEPTED, PARTLY), (REP, BOOKS), ""),  # once more
    Move("view", (SENT,), (CUSTOMER, BOOKS), VIEWED),
    Move("view", (VIEWED, ACCEPTED, DECLINED, EXPIRED, PARTLY, INVOICED), (CUSTOMER, BOOKS), ""),
    Move("ask", (SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED, PARTLY), (CUSTOMER,), ""),
    Move("accept", (SENT, VIEWED), (CUSTOMER, REP, BOOKS), ACCEPTED),
    Move("accept", (DRAFT, DECLINED, EXPIRED, CANCELLED), (REP, BOOKS), ACCEPTED),  # told by word of mouth
    Move("accept", (ACCEPTED, PARTLY), (CUSTOMER, REP, BOOKS), ""),  # pressed twice
    Move("decline", (SENT, VIEWED), (CUSTOMER, REP, BOOKS), DECLINED),
    Move("decline", (DRAFT, ACCEPTED, EXPIRED, CANCELLED), (REP, BOOKS), DECLINED),
    Move("decline", (DECLINED,), (CUSTOMER, REP, BOOKS), ""),
    Move("revise", (SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED, CANCELLED), (REP,), DRAFT),
    Move("cancel", (DRAFT, SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED), (REP, BOOKS), CANCELLED),
    Move("cancel", (PARTLY,), (REP, BOOKS), CANCELLED),  # the rest is not done any more
    Move("cancel", (CANCELLED,), (REP, BOOKS), ""),
    Move("reopen", (ACCEPTED, DECLINED), (REP, BOOKS), SENT),  # the answer was a mistake
    Move("reopen", (CANCELLED,), (REP,), DRAFT),  # it may never have been sent
    Move("reopen", (CANCELLED,), (BOOKS,), SENT),
    Move("invoice", (SENT, VIEWED, ACCEPTED, EXPIRED, PARTLY), (REP,), INVOICED),
    Move("invoice", (DRAFT, SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED, PARTLY, CANCELLED), (BOOKS,), INVOICED),
    Move("invoice", (INVOICED,), (BOOKS,), ""),
    Move("release", (INVOICED,), (REP, BOOKS), ACCEPTED),  # the invoice was deleted or voided
)

_ROWS = {(row.event, state, who): row.to for row in MOVES for state in row.states for who in row.who}

REMEDIES: Mapping[str, Mapping[str, str]] = {
    "send": {
        DECLINED: "Revise it, then send the new version.",
        EXPIRED: "Give it a later expiry date first.",
        INVOICED: "Send the invoice instead.",
        CANCELLED: "Reopen or revise it first.",
    },
    "view": {DRAFT: "It can be seen once it is sent.", CANCELLED: "Ask the company for a new one."},
    "ask": {DRAFT: "It can be asked about once it is sent.", INVOICED: "Ask about the invoice instead.",
            CANCELLED: "Ask the company for a new one."},
    "accept": {INVOICED: "It was accepted and invoiced already."},
    "decline": {PARTLY: "Void or delete the invoice first, or withdraw the rest.",
                INVOICED: "Void or delete the invoice first."},
    "revise": {DRAFT: "It is a draft still: edit it.", INVOICED: "Change the invoice, or duplicate the quote.",
               PARTLY: "Void or delete the invoice first, or quote what is new by itself."},
    "cancel": {INVOICED: "Void or delete the invoice first."},
    "reopen": {DRAFT: "It is open already.", SENT: "It is open already.", VIEWED: "It is open already.",
               EXPIRED: "Give it a later expiry date.", PARTLY: "Void or delete the invoice first.",
               INVOICED: "Void or delete the invoice first."},
    "invoice": {DRAFT: "Send it, or mark it accepted, first.", DECLINED: "Revise it, or mark it accepted, first.",
                INVOICED: "Open the invoice it became, or duplicate the quote.", CANCELLED: "Reopen it first."},
    "release": dict.fromkeys((state for state in STATES if state != INVOICED), "There is no invoice to take back."),
}  # fmt: skip
FOR_CUSTOMER: Mapping[str, Mapping[str, str]] = {
    "accept": {EXPIRED: "Ask for a new date.", DECLINED: "Ask for it to be offered again.",
               CANCELLED: "Ask for a new one.", DRAFT: "It can be accepted once it is sent."},
    "decline": {EXPIRED: "Nothing is left to do.", PARTLY: "Ask the company about what is left.",
                ACCEPTED: "Ask the company to take your acceptance back.",
                CANCELLED: "Nothing is left to do.", DRAFT: "It can be declined once it is sent."},
}  # fmt: skip
"""What else the customer is told, who may do less."""


def state_now(stored: str, *, expires_on: date | None, today: date, partly: bool = False) -> str:
    """What a quote is on this day of the company: one the customer has not answered expires the day after its date.
    `partly`: an invoice of it stands."""
    if partly and stored in GOING_ON:
        return PARTLY
    return EXPIRED if stored in WITH_CUSTOMER and expires_on is not None and expires_on < today else stored


def move(event: str, stored: str, *, who: str, expires_on: date | None, today: date, partly: bool = False) -> str:
    """The state to store afterwards. Raises Refused with the reason and the way out where it cannot be.

    `today` is the company's own day: an expired quote can do less, and so can one of which an invoice stands
    (`partly`). A draft is not sent past its own expiry date.
    """
    past = expires_on is not None and expires_on < today
    state = state_now(stored, expires_on=expires_on, today=today, partly=partly)
    if past and (event, stored) == ("send", DRAFT):
        state = EXPIRED
    if (event, state, who) not in _ROWS:
        raise Refused(why_not(event, state, who=who))
    return _ROWS[event, state, who] or stored


def why_not(event: str, state: str, *, who: str) -> str:
    """The sentence for the one who asks, of a quote in this state now; empty where it may be."""
    if (event, state, who) in _ROWS:
        return ""
    remedy = FOR_CUSTOMER.get(event, {}).get(state) if who == CUSTOMER else None
    others = [other for other in (REP, CUSTOMER) if (event, state, other) in _ROWS]
    if others and not remedy:
        return f"Only {WHO[others[0]]} can {EVENTS[event].verb}."
    was = {DRAFT: "is a draft", EXPIRED: "has expired"}.get(state, f"is {STATES[state].lower()}")
    return f"This quote {was} and cannot be {EVENTS[event].done}. {remedy or REMEDIES[event][state]}"


def allowed(state: str, *, who: str) -> tuple[str, ...]:
    """The events this one may bring about now, in the order of EVENTS."""
    return tuple(event for event in EVENTS if (event, state, who) in _ROWS)


# --- what may be edited ---------------------------------------------------------------------------------------

INTERNAL = ("internal_note", "owner", "follow_up_on")
"""Nobody outside sees these: always open."""
TERMS = ("expires_on",)
EDITABLE: Mapping[str, tuple[str, ...]] = {
    DRAFT: ("*",),
    SENT: (*INTERNAL, *TERMS),
    VIEWED: (*INTERNAL, *TERMS),
    EXPIRED: (*INTERNAL, *TERMS),
    ACCEPTED: INTERNAL,
    DECLINED: INTERNAL,
    PARTLY: INTERNAL,
    INVOICED: INTERNAL,
    CANCELLED: INTERNAL,
}
"""State -> fields; "*" is all of them. What the customer was shown is changed by a new version only."""


def may_edit(field: str, state: str) -> bool:
    return "*" in EDITABLE[state] or field in EDITABLE[state]


def why_not_edit(field: str, state: str) -> str:
    """The sentence where a field is closed; empty where it is open."""
    if may_edit(field, state):
        return ""
    if state == PARTLY:
        return "A part of this quote is invoiced. Change the invoice, or quote what is new by itself."
    if state == INVOICED:
        return "This quote is invoiced. Change the invoice, or duplicate the quote."
    if state == ACCEPTED:
        return "The customer accepted this quote as it stands. Revise it: the new version needs a new acceptance."
    return "The customer has been shown this quote. Revise it: the version they know is kept beside the new one."


# --- the books' words -----------------------------------------------------------------------------------------

TO_BOOKS: Mapping[str, str] = {
    DRAFT: "pending", SENT: "pending", VIEWED: "pending", EXPIRED: "pending", ACCEPTED: "accepted",
    PARTLY: "accepted", DECLINED: "rejected", INVOICED: "closed", CANCELLED: "closed",
}  # fmt: skip
"""State -> Estimate.TxnStatus as our records spell it. QuickBooks closes an estimate by itself once an invoice is
linked to it, and links only one that is pending or accepted: so never write `closed` for an invoiced quote first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a word of the books means for a quote here."""

    state: str
    """As stored afterwards."""
    event: str
    """What happened, for `move` and the timeline; empty: nothing."""
    sentence: str
    """For the timeline; empty: nothing to tell."""


def to_books(state: str) -> str:
    """pending, accepted, closed or rejected."""
    return TO_BOOKS[state]


def arrived(word: str, *, emailed: bool, has_invoice: bool) -> str:
    """The state of an estimate that was made in the books and is new here. One neither sent nor answered is a draft."""
    word = _word(word)
    if word == "closed":
        return INVOICED if has_invoice else CANCELLED
    return {"accepted": ACCEPTED, "rejected": DECLINED}.get(word) or (SENT if emailed else DRAFT)


def from_books(word: str, stored: str, *, has_invoice: bool) -> Reading:
    """What the estimate's word there makes of our quote. `has_invoice`: an invoice was made of it, here or there.

    An answer given here that the books do not know yet looks like one taken back there: call this only where the word
    changed there since both sides last agreed on it.
    """
    word = _word(word)
    event = {"accepted": "accept", "rejected": "decline", "closed": "invoice" if has_invoice else "cancel"}.get(word)
    if event is None:
        event = "" if to_books(stored) == "pending" else "reopen"
    if stored == INVOICED and event != "invoice":
        return _invoiced(word, has_invoice=has_invoice)
    to = _ROWS.get((event, stored, BOOKS)) or stored
    if to == stored:
        return Reading(stored, "", "")
    return Reading(to, event, f"{_SAID[event]} in QuickBooks")


_SAID = {"accept": "Marked accepted", "decline": "Marked rejected", "cancel": "Closed without an invoice",
         "invoice": "Invoiced", "reopen": "Set back to pending"}  # fmt: skip


def _invoiced(word: str, *, has_invoice: bool) -> Reading:
    """An invoiced quote stays so while its invoice stands; without one it is what the word says."""
    if has_invoice:
        return Reading(INVOICED, "", "")
    if word == "closed":
        return Reading(ACCEPTED, "release", "Its invoice is no longer linked in QuickBooks")
    to = {"accepted": ACCEPTED, "rejected": DECLINED}.get(word, SENT)
    return Reading(to, "release", f"Its invoice is gone in QuickBooks, where the estimate is {word} now")


def _word(word: str) -> str:
    """Unknown words count as pending, which promises nothing; Converted is Closed by another name."""
    word = word.strip().lower()
    return "closed" if word == "converted" else word if word in ("accepted", "closed", "rejected") else "pending"
