"""What state an invoice is in, and what may be done with it at this moment before a call is spent on it. Pure.

The state is computed from its figures and the company's own day, never stored. `why_not` answers what the books would
refuse (or would do with money nobody expects) with the way out; the first rule of RULES that applies decides. An
invoice made of a quote: `invoicing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date as Date
from decimal import Decimal

from crm.domain.amounts import ZERO, told
from crm.domain.errors import Refused

DRAFT, HELD, SENDING, OPEN, SENT, VIEWED, PARTLY, PAID, OVERDUE, VOID = (
    "draft", "held", "sending", "open", "sent", "viewed", "partly_paid", "paid", "overdue", "void",
)  # fmt: skip
STATES: dict[str, str] = {
    DRAFT: "Draft", HELD: "Held back", SENDING: "On its way", OPEN: "Open", SENT: "Sent", VIEWED: "Viewed",
    PARTLY: "Partly paid", PAID: "Paid", OVERDUE: "Overdue", VOID: "Void",
}  # fmt: skip
"""The keys of `documents.INVOICE_STATES` and those only an invoice of ours can have."""
UNPAID = (OPEN, SENT, VIEWED, PARTLY, OVERDUE)


@dataclass(frozen=True, slots=True)
class Standing:
    """One invoice as it stands now."""

    total: Decimal
    balance: Decimal | None = None
    """Unpaid; None: nothing is known of payments, all is open."""
    due_date: Date | None = None
    void: bool = False
    draft: bool = False
    """Not finished: nobody outside knows it."""
    held: bool = False
    """Finished, and not to go to the books yet."""
    linked: bool = False
    """It is in the books."""
    outgoing: bool = False
    """A write of it waits or is on its way."""
    emailed: bool = False
    viewed: bool = False
    # what the books would look at
    date: Date | None = None
    closed_until: Date | None = None
    """The books are closed up to this day."""
    online_payment: bool = False
    """A payment of it went through QuickBooks Payments."""
    deposited: bool = False
    """A payment of it is part of a bank deposit."""
    bank_matched: bool = False
    linked_charges: bool = False
    """Time or charges are linked to it in the books (not its quote)."""

    @property
    def open_amount(self) -> Decimal:
        return self.total if self.balance is None else self.balance

    @property
    def paid_amount(self) -> Decimal:
        """Payments and credits applied to it."""
        return self.total - self.open_amount

    @property
    def closed(self) -> bool:
        return self.date is not None and self.closed_until is not None and self.date <= self.closed_until


def state_now(invoice: Standing, *, today: Date) -> str:
    """A key of STATES; `today` is the company's own day. Due today is not late; overdue says more than partly paid.

    One for nothing counts as paid. An invoice that is late stays so while a change of it is on its way.
    """
    if invoice.void:
        return VOID
    if not invoice.linked and (invoice.draft or invoice.held):
        return DRAFT if invoice.draft else HELD
    if not invoice.linked and invoice.outgoing:
        return SENDING
    if invoice.open_amount <= 0:
        return PAID
    if invoice.due_date is not None and invoice.due_date < today:
        return OVERDUE
    if invoice.open_amount < invoice.total:
        return PARTLY
    return VIEWED if invoice.viewed else SENT if invoice.emailed else OPEN


# --- what may be done -----------------------------------------------------------------------------------------

ACTIONS: dict[str, str] = {
    "edit": "Edit", "annotate": "Edit texts and due date", "change_customer": "Change the customer", "void": "Void",
    "delete": "Delete", "send": "Send", "hold": "Hold back", "release": "Release to QuickBooks",
    "pay": "Record a payment",
}  # fmt: skip
"""`edit` is whatever changes an amount, the date or the currency; `annotate` memo, note, e-mail, terms and due date."""
_CHANGES = ("edit", "change_customer", "void", "delete")


@dataclass(frozen=True, slots=True)
class Refusal:
    cause: str
    """A key of `refusals.REFUSALS` where the books would refuse; else a word of our own."""
    sentence: str
    """Why not, and the way out."""


@dataclass(frozen=True, slots=True)
class Rule:
    cause: str
    actions: tuple[str, ...]
    applies: Callable[[Standing], bool]
    sentence: str


RULES = (
    Rule("void", ("edit", "annotate", "change_customer", "send", "pay", "hold", "release"), lambda i: i.void,
         "This invoice is void. Duplicate it to make a new one."),
    Rule("void", ("void",), lambda i: i.void, "This invoice is void already."),
    Rule("outgoing", ("void", "delete"), lambda i: i.outgoing and not i.linked,
         "This invoice is on its way to QuickBooks. Wait until it has arrived, or skip what waits in the sync log."),
    Rule("closed_books", ("annotate", *_CHANGES), lambda i: i.linked and i.closed,
         "The books are closed up to {closed}, and this invoice is dated {date}. Have the accountant open the period, "
         "or correct it with a new invoice or a credit memo."),
    Rule("paid_by_card", _CHANGES, lambda i: i.online_payment,
         "A payment of this invoice went through QuickBooks Payments and can only be changed there. Refund it in "
         "QuickBooks, or make a credit memo."),
    Rule("in_deposit", ("change_customer", "void", "delete"), lambda i: i.deposited,
         "A payment of this invoice is part of a bank deposit. Remove it from the deposit in QuickBooks, then unapply "
         "it, then try again."),
    Rule("bank_matched", ("void", "delete"), lambda i: i.bank_matched,
         "This invoice is matched to a bank transaction. Undo the match in QuickBooks first."),
    Rule("settled", ("edit",), lambda i: i.paid_amount > 0 and i.open_amount <= 0,
         "This invoice is paid in full. Unapply its payment first, or make a credit memo or a new invoice for the "
         "difference."),
    Rule("settled", ("change_customer", "void", "delete"), lambda i: i.paid_amount > 0,
         "Payments or credits are applied to this invoice. Remove or unapply them first; the money stays the "
         "customer's credit."),
    Rule("linked_charges", ("delete",), lambda i: i.linked and i.linked_charges,
         "Time or charges are linked to this invoice in QuickBooks. Unlink them there first, or void it instead."),
    Rule("not_there", ("void",), lambda i: not i.linked,
         "This invoice is not in QuickBooks. Delete it instead."),
    Rule("draft", ("send", "pay"), lambda i: i.draft and not i.linked, "This invoice is a draft. Finish it first."),
    Rule("held", ("send", "pay"), lambda i: i.held and not i.linked,
         "This invoice is held back from QuickBooks. Release it first."),
    Rule("settled", ("pay",), lambda i: i.open_amount <= 0, "Nothing is open on this invoice."),
    Rule("there", ("hold",), lambda i: i.linked,
         "This invoice is in QuickBooks already. Void or delete it there instead."),
    Rule("held", ("hold",), lambda i: i.held, "This invoice is held back already."),
    Rule("outgoing", ("hold",), lambda i: i.outgoing,
         "This invoice is on its way to QuickBooks. Skip what waits in the sync log, if it still waits."),
    Rule("not_held", ("release",), lambda i: i.linked or not i.held, "This invoice is not held back."),
)  # fmt: skip


def why_not(action: str, invoice: Standing) -> Refusal | None:
    """Nothing where it may be done now. `action` is a key of ACTIONS."""
    if action not in ACTIONS:
        raise ValueError(f"no such action on an invoice: {action!r}")
    for rule in RULES:
        if action in rule.actions and rule.applies(invoice):
            return Refusal(rule.cause, rule.sentence.format(closed=_day(invoice.closed_until), date=_day(invoice.date)))
    return None


def allowed(invoice: Standing) -> tuple[str, ...]:
    """The actions possible now, in the order of ACTIONS."""
    return tuple(action for action in ACTIONS if why_not(action, invoice) is None)


def refuse(action: str, invoice: Standing) -> None:
    """Raises Refused with the sentence where it may not be."""
    refusal = why_not(action, invoice)
    if refusal is not None:
        raise Refused(refusal.sentence)


def why_not_total(new_total: Decimal, invoice: Standing, *, currency: str) -> Refusal | None:
    """An edit must not bring the total below what has been paid: QuickBooks would turn the rest into a credit."""
    paid = invoice.paid_amount
    if paid <= ZERO or new_total >= paid:
        return None
    return Refusal("settled", f"The new total is {told(new_total, currency)}, but {told(paid, currency)} of this "
                   "invoice is paid. Keep it at least as high, or unapply the payment first.")  # fmt: skip


def _day(day: Date | None) -> str:
    return f"{day:%B} {day.day}, {day.year}" if day else ""
