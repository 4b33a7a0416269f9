"""What the books may answer to a write, and what follows: one row per cause, asked by the sending of the outbox.

A cause is found by the code of the answer where the table knows it, else by the class of the error. The reaction says
what a worker does; title, sentence and buttons are what a person sees of an entry that waits for them. Entries of one
cause are mended together. The codes are QuickBooks' (another provider's answers come by their class). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from crm.domain import errors
from crm.domain.errors import ProviderError


class Reaction(StrEnum):
    SAME_KEY = "same_key"
    """It may have been done: repeat it soon, word for word, with the same key."""
    SLOW = "slow"
    """Nobody calls the company for a while; then the same again."""
    LATER = "later"
    """Nothing was done: the same again later."""
    CONNECTION = "connection"
    """The connection needs a person: the entry waits untouched."""
    RELOAD = "reload"
    """Read the record as it is there now, merge, and write what is left of ours; three rounds at most."""
    CONFIRM = "confirm"
    """Read the record: if it is there, what it points to is missing; if not, it is gone."""
    LOOK_UP = "look_up"
    """Find who holds the name, then a person decides."""
    PARK = "park"
    """A person decides."""


BUTTONS: Mapping[str, str] = {
    "retry": "Try again",
    "edit": "Edit it here",
    "adopt": "Link to that customer",
    "suffix": "Use another name there",
    "next_number": "Use the next number",
    "create_again": "Create it again there",
    "reactivate": "Make it active there",
    "unlink": "Unlink",
    "open": "Open in QuickBooks",
    "skip": "Skip for now",
    "drop": "Give it up",
}


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    reaction: Reaction
    sentence: str
    buttons: tuple[str, ...] = ("retry", "skip")
    codes: tuple[int, ...] = ()
    classes: tuple[type[ProviderError], ...] = ()
    pause: int = 0
    """Seconds that pass at least before it is tried again."""


_MEND = ("edit", "retry", "skip")
_THERE = ("open", "retry", "skip")
_FAULT = ("retry", "drop")
_OURS = "Tradebook said something that QuickBooks does not understand. This is a fault of Tradebook, not of your data."

REFUSALS: Mapping[str, Row] = {
    # the connection
    "sign_in": Row("Sign-in refused", Reaction.CONNECTION, "QuickBooks no longer accepts our access. Reconnect; what "
                   "waits goes on by itself then.", (), (100, 110, 3200, 3202),
                   (errors.AccessExpired, errors.NeedsReconnect)),
    "permission": Row("Permission lost", Reaction.CONNECTION, "The person who connected may no longer write to these "
                      "books. Let a company admin reconnect.", (), (120, 3100, 3103), (errors.PermissionLost,)),
    "subscription": Row("Subscription ended", Reaction.CONNECTION, "The company's QuickBooks subscription has ended. "
                        "What waits goes on once it is renewed.", (), (6190,), (errors.SubscriptionLapsed,)),
    "wrong_keys": Row("Keys refused", Reaction.CONNECTION, "QuickBooks does not accept the app's keys. Correct them; "
                      "what waits goes on by itself then.", (), (), (errors.WrongKeys,)),
    "reset": Row("Company was reset", Reaction.CONNECTION, "The company was emptied in QuickBooks. Connect it again to "
                 "start over.", (), (10200,)),
    # the service
    "throttled": Row("Too many calls", Reaction.SLOW, "QuickBooks asks for fewer calls. It goes on by itself.", (),
                     (3001,), (errors.RateLimited,)),
    "unavailable": Row("QuickBooks is away", Reaction.LATER, "QuickBooks could not do this now. It is tried again by "
                       "itself.", (), (130,), (errors.Unavailable,)),
    "locked": Row("Company is locked", Reaction.LATER, "The company is locked for maintenance in QuickBooks. It is "
                  "tried again by itself.", (), (140, 150), pause=15 * 60),
    "no_answer": Row("No clear answer", Reaction.SAME_KEY, "QuickBooks did not say whether this arrived, several times "
                     "over. Look there whether it did, then try again.", ("open", "retry", "skip"),
                     (1000, 1010, 1020, 10000), (errors.OutcomeUnknown,)),
    "repeated": Row("Taken before", Reaction.SAME_KEY, "QuickBooks says that it has taken this request before, and "
                    "nothing shows for it. Look there, then try again.", _THERE, (600,)),
    # the record there
    "stale": Row("Changed there meanwhile", Reaction.RELOAD, "The record was changed in QuickBooks each time we were "
                 "about to write. Try again when nobody edits it there.", _THERE, (5010,), (errors.Stale,)),
    "gone": Row("Gone in QuickBooks", Reaction.CONFIRM, "The record was deleted in QuickBooks, or merged into another "
                "one. Create it again there, or unlink it and leave it.", ("create_again", "unlink", "skip"), (610,),
                (errors.Gone,)),
    "inactive": Row("Inactive in QuickBooks", Reaction.PARK, "The record is inactive in QuickBooks. Make it active "
                    "again, then this goes on; or leave it.", ("reactivate", "open", "retry", "skip")),
    "doubtful": Row("May be there already", Reaction.PARK, "A customer in QuickBooks may be the same. Decide under "
                    "Matches, then try again: nobody should be created twice.", ("edit", "retry", "skip")),
    "duplicate_name": Row("Name is taken", Reaction.LOOK_UP, "Another customer, vendor or employee in QuickBooks bears "
                          "this name. Link to that customer if it is the same, or use another name there.",
                          ("adopt", "suffix", "edit", "retry", "skip"), (6240,), (errors.DuplicateName,)),
    "duplicate_record": Row("Already there", Reaction.LOOK_UP, "QuickBooks already holds this record. Link to it if it "
                            "is the same.", ("adopt", "edit", "retry", "skip"), (630,)),
    "duplicate_number": Row("Number is taken", Reaction.LOOK_UP, "The document number is used in QuickBooks already. "
                            "Use the next number, or link to that document if it is the same.",
                            ("next_number", "adopt", "edit", "retry", "skip"), (6140,), (errors.DuplicateNumber,)),
    "reference": Row("Points to something missing", Reaction.PARK, "Something this record points to is missing or "
                     "inactive in QuickBooks. Make it active there, or choose another one here.",
                     ("reactivate", "open", "edit", "retry", "skip"), (700, 2500, 6250), (errors.MissingReference,)),
    "own_parent": Row("Own parent", Reaction.PARK, "A record cannot be its own parent. Choose another parent.", _MEND,
                      (900,)),
    "cannot_link": Row("Cannot be linked", Reaction.PARK, "QuickBooks cannot link these two documents: another "
                       "customer, a wrong kind, or closed already.", _THERE, (620,)),
    "dependants": Row("Others depend on it", Reaction.PARK, "Other records depend on this one, so QuickBooks does not "
                      "delete it. Remove those first, or void it instead.", _THERE, (800,)),
    # values
    "no_name": Row("No name", Reaction.PARK, "QuickBooks needs a name. Give it one.", _MEND, (6080,)),
    "bad_name": Row("Name not allowed", Reaction.PARK, "QuickBooks does not take this name: it may hold no colon, tab "
                    "or line end. Correct it here, or use another name there.", ("edit", "suffix", "retry", "skip"),
                    (2040,)),
    "too_long": Row("Too long", Reaction.PARK, "A text is longer than QuickBooks keeps. Shorten it.", _MEND, (2050,)),
    "bad_url": Row("Web address not accepted", Reaction.PARK, "QuickBooks does not take this web address. Correct or "
                   "clear it.", _MEND, (2200,)),
    "bad_email": Row("E-mail not accepted", Reaction.PARK, "QuickBooks does not take this e-mail address. Correct or "
                     "clear it.", _MEND, (2210,)),
    "bad_phone": Row("Phone not accepted", Reaction.PARK, "QuickBooks keeps 30 characters of a phone. Shorten it.",
                     _MEND),
    "bad_currency": Row("Currency", Reaction.PARK, "QuickBooks does not take this currency for this customer.", _MEND,
                        (2220,)),
    "bad_number": Row("Document number", Reaction.PARK, "QuickBooks does not take this document number. Correct it.",
                      _MEND),
    "missing_value": Row("Something is missing", Reaction.PARK, "QuickBooks needs a value that is empty here. Fill it "
                         "in.", _MEND, (2020,)),
    "bad_value": Row("Value not accepted", Reaction.PARK, "QuickBooks does not take a value. Correct it and try "
                     "again.", _MEND, (3000, 6150), (errors.InvalidValue,)),
    "no_lines": Row("No lines", Reaction.PARK, "The document has no lines. Add at least one.", _MEND, (2250,)),
    "negative_line": Row("Negative line", Reaction.PARK, "QuickBooks takes no negative amounts on lines. Use a "
                         "discount or a credit memo.", _MEND, (2290,)),
    "needs_email": Row("E-mail is missing", Reaction.PARK, "Delivery by e-mail needs an e-mail address. Add one, or "
                       "choose another delivery.", _MEND, (6420,)),
    "quantity": Row("Quantity is missing", Reaction.PARK, "The item counts stock and needs a quantity.", _MEND,
                    (6520,)),
    "card_number": Row("Looks like a card number", Reaction.PARK, "A text looks like a card number, which is never "
                       "sent. Remove it.", _MEND, (6530,)),
    # rules of the books
    "closed_books": Row("Books are closed", Reaction.PARK, "The books are closed for this date. Change the date, or "
                        "have the accountant open the period.", _MEND, (6200, 6210), (errors.ClosedPeriod,)),
    "feature_off": Row("Not part of the plan", Reaction.PARK, "This feature is not part of the company's QuickBooks "
                       "plan or country.", ("retry", "skip", "drop"), (5020, 5030)),
    "tax": Row("Sales tax", Reaction.PARK, "QuickBooks does not accept this sales tax here.", _MEND,
               (6100, 6160, 6170, 6230, 6470)),
    "paid_by_card": Row("Paid through QuickBooks", Reaction.PARK, "The payment went through QuickBooks Payments and "
                        "can only be changed there.", _THERE, (6110, 6120)),
    "in_deposit": Row("Part of a deposit", Reaction.PARK, "The money is part of a bank deposit, so it can neither be "
                      "changed nor deleted. Remove it from the deposit in QuickBooks first.", _THERE, (6540,)),
    "bill_parent": Row("Billed with its parent", Reaction.PARK, "The parent is billed for this customer already, so "
                       "that cannot be changed.", _THERE, (6130,)),
    "too_deep": Row("Nested too deep", Reaction.PARK, "Customers can be nested five levels deep at most.", _MEND,
                    (6180,)),
    "open_balance": Row("Open balance", Reaction.PARK, "The record has an open balance. Settle it in QuickBooks first.",
                        _THERE, (6220,)),
    "unbilled": Row("Unbilled charges", Reaction.PARK, "The customer has unbilled charges. Bill or remove them in "
                    "QuickBooks first.", _THERE, (6280,)),
    "before_stock": Row("Before the first stock count", Reaction.PARK, "The date lies before the item's stock was "
                        "first counted. Choose a later date.", _MEND, (6270,)),
    "settled": Row("Settled already", Reaction.PARK, "The document is paid or settled and cannot be voided. Take the "
                   "payment off it first.", _THERE, (6450,)),
    "deposit_amount": Row("Deposit differs", Reaction.PARK, "The deposit differs from the card amount.", _THERE,
                          (6460,)),
    "bank_matched": Row("Matched to the bank", Reaction.PARK, "The document is matched to a bank transaction. Undo the "
                        "match in QuickBooks first.", _THERE, (6480,)),
    "file": Row("File not taken", Reaction.PARK, "QuickBooks did not take the file.", ("retry", "skip"),
                (6020, 6030, 6040, 6041, 6050)),
    "rule": Row("Refused by a rule", Reaction.PARK, "QuickBooks refused this for a rule of the books; its own words "
                "say which.", ("edit", "open", "retry", "skip"), (6000,), (errors.Rejected,)),
    # our faults
    "fault": Row("Fault of Tradebook", Reaction.PARK, _OURS, _FAULT,
                 (500, 1040, 1050, 2000, 2010, 2030, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140, 2150, 2160,
                  2170, 2180, 2190, 2230, 2240, 2280, 2300, 2600, 4000, 4001, 4002, 5000, 6010, 6070, 6090, 6310, 6320,
                  6430, 6440, 10100), (errors.UnexpectedAnswer,)),
    "our_error": Row("Trouble on our side", Reaction.PARK, "Something went wrong in Tradebook before or after sending. "
                     "The sync log has the details for whoever mends it.", _FAULT),
}  # fmt: skip

_BY_CODE = {code: key for key, row in REFUSALS.items() for code in row.codes}
_BY_CLASS = {kind: key for key, row in REFUSALS.items() for kind in row.classes}
ROUNDS = 3
"""So often a record that changes under our hands is read again; then a person looks."""


def cause_of(error: ProviderError) -> str:
    """The key of the row for an error. What nobody knows is a fault of ours, kept with its evidence.

    A lost answer is one whatever code came with it: it may have been done.
    """
    if isinstance(error, errors.OutcomeUnknown):
        return "no_answer"
    code = error.cause.code.strip()
    if code.isdigit() and int(code) in _BY_CODE:
        return _BY_CODE[int(code)]
    return next((_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS), "fault")


REACTIONS: Mapping[Reaction, str] = {
    Reaction.SAME_KEY: "the same again soon, with the same key; parked after twelve times",
    Reaction.SLOW: "nobody calls the company for a while, then the same again",
    Reaction.LATER: "the same again later",
    Reaction.CONNECTION: "waits untouched until the connection is mended",
    Reaction.RELOAD: f"read again, merged, made anew; parked after {ROUNDS} rounds",
    Reaction.CONFIRM: "read again; parked as gone, inactive or pointing to something missing",
    Reaction.LOOK_UP: "whoever bears the name or number is looked up; parked with it",
    Reaction.PARK: "parked",
}


def markdown() -> str:
    """The table of docs/sync.md."""
    rows = ["| cause | QuickBooks' codes | then | a person can |", "|---|---|---|---|"]
    for row in REFUSALS.values():
        codes = ", ".join(str(code) for code in row.codes) or "–"
        buttons = ", ".join(BUTTONS[name].lower() for name in row.buttons) or "–"
        rows.append(f"| {row.title} | {codes} | {REACTIONS[row.reaction]} | {buttons} |")
    return "\n".join(rows)


def suffixed(name: str, taken: set[str], *, city: str = "", longest: int = 500) -> str:
    """A readable name that nobody bears: with the city, else with a number. `taken` are names in lower case."""
    ends = [f" ({city})"] if city else []
    for end in [*ends, *(f" ({number})" for number in range(2, 1000))]:
        found = name[: longest - len(end)].rstrip() + end
        if found.casefold() not in taken:
            return found
    raise ValueError(f"nobody can tell {name!r} apart any more")
