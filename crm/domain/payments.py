"""How a payment or credit is applied to invoices, and whether a payment seems to be there already. Pure.

`suggest` fills the form (oldest first), `apply_to` checks what a person or the API asks for; both answer an Allocation
that never holds more than the money there is, nor more on a document than is open on it. `duplicates` finds payments
that may be the same one, told in words, so that it is linked instead of made twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from decimal import Decimal

from crm.domain.amounts import ZERO, decimals, places, told
from crm.domain.errors import Invalid
from crm.domain.record_documents import PaymentRecord

MISSING_AMOUNT = "The amount received is missing. Write it as in 1,234.50."


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    key: str
    """Id, as the caller names invoices."""
    number: str
    date: Date | None
    due_date: Date | None
    balance: Decimal
    customer: str = ""
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class OpenCredit:
    """A credit memo, or money of an earlier payment that nothing has used."""

    key: str
    number: str
    date: Date | None
    balance: Decimal
    """Unused."""
    customer: str = ""
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where the money goes."""

    amount: Decimal
    """New money."""
    invoices: Mapping[str, Decimal]
    """Key -> what is applied to it, from money and credits together; never zero."""
    credits: Mapping[str, Decimal]
    """Key -> how much of it is used; never zero."""
    unapplied: Decimal
    """What is left of the new money: stays the customer's credit."""

    @property
    def applied(self) -> Decimal:
        return sum(self.invoices.values(), ZERO)


def suggest(amount: Decimal, invoices: Iterable[OpenInvoice], *, credits: Iterable[OpenCredit] = ()) -> Allocation:
    """Oldest due date first, credits before new money; an invoice that the amount pays exactly comes before all.

    An invoice without due date counts by its own date; without both it comes last.
    """
    waiting = sorted((one for one in invoices if one.balance > 0), key=_age)
    used = sorted((one for one in credits if one.balance > 0), key=lambda one: (one.date or Date.max, one.key))
    exact = [one for one in waiting if one.balance == amount] if not used else []
    if exact:
        waiting.remove(exact[0])
        waiting.insert(0, exact[0])
    left = max(amount, ZERO) + sum((one.balance for one in used), ZERO)
    applied: dict[str, Decimal] = {}
    for invoice in waiting:
        part = min(invoice.balance, left)
        if part > 0:
            applied[invoice.key] = part
            left -= part
    return _settled(amount, applied, used)


def apply_to(
    amount: Decimal,
    parts: Mapping[str, Decimal],
    invoices: Sequence[OpenInvoice],
    *,
    credits: Sequence[OpenCredit] = (),
    customer: str = "",
    currency: str = "USD",
) -> Allocation:
    """As asked by hand: `parts` names invoices and how much of the money goes to each.

    All `credits` given are used up, oldest first, before new money. Raises Invalid with a sentence for each field
    (`amount`, `parts-<key>`, `parts`) where it asks for more than there is on either side, or mixes customers or
    currencies.
    """
    asked = {key: part for key, part in parts.items() if part}
    wrong = _amount_problem(amount, currency, with_credits=bool(credits))
    known = {invoice.key: invoice for invoice in invoices}
    for key, part in asked.items():
        sentence = _part_problem(part, known.get(key), customer, currency)
        if sentence:
            wrong[f"parts-{key}"] = sentence
    for credit in credits:
        theirs = not customer or credit.customer in ("", customer)
        if credit.balance <= 0 or credit.currency != currency or not theirs:
            wrong["credits"] = (f"Credit {credit.number or credit.key} cannot be used here: it is spent, or of another "
                                "customer or currency. Take it out.")  # fmt: skip
    if not wrong:
        have = amount + sum((credit.balance for credit in credits), ZERO)
        whole = sum(asked.values(), ZERO)
        if whole > have:
            wrong["parts"] = (f"{told(whole, currency)} is applied, but there is {told(have, currency)}. Lower what is "
                              "applied, or correct the amount.")  # fmt: skip
        elif not amount and not asked:
            wrong["parts"] = "Nothing is applied. Choose an invoice for the credit."
    if wrong:
        raise Invalid(wrong)
    return _settled(amount, asked, sorted(credits, key=lambda one: (one.date or Date.max, one.key)))


def _age(invoice: OpenInvoice) -> tuple[Date, str, str]:
    return (invoice.due_date or invoice.date or Date.max, invoice.number, invoice.key)


def _settled(amount: Decimal, applied: Mapping[str, Decimal], credits: Sequence[OpenCredit]) -> Allocation:
    """Credits are used before new money."""
    need = sum(applied.values(), ZERO)
    used: dict[str, Decimal] = {}
    for credit in credits:
        part = min(credit.balance, need)
        if part > 0:
            used[credit.key] = part
            need -= part
    return Allocation(amount, dict(applied), used, amount - need)


def _amount_problem(amount: Decimal, currency: str, *, with_credits: bool) -> dict[str, str]:
    if not amount.is_finite() or amount < 0:
        return {"amount": "A payment is an amount above 0. Money given back is a refund."}
    if amount == 0 and not with_credits:
        return {"amount": MISSING_AMOUNT}
    if places(amount) > decimals(currency):
        return {"amount": f"{currency} has {decimals(currency)} decimals. Round the amount."}
    return {}


def _part_problem(part: Decimal, invoice: OpenInvoice | None, customer: str, currency: str) -> str:
    if invoice is None:
        return "This invoice is not open any more. Take it out."
    if customer and invoice.customer not in ("", customer):
        return f"Invoice {invoice.number} is another customer's. Take it out."
    if invoice.currency != currency:
        return (
            f"Invoice {invoice.number} is in {invoice.currency}, the payment in {currency}. Use a payment of its own."
        )
    if not part.is_finite() or part < 0 or places(part) > decimals(currency):
        return f"What is applied to invoice {invoice.number} is no amount of {currency}. Correct it."
    if part > invoice.balance:
        return (f"Only {told(max(invoice.balance, ZERO), currency)} is open on invoice {invoice.number}. Lower what is "
                "applied to it; the rest stays the customer's credit.")  # fmt: skip
    return ""


# --- told, and ended -----------------------------------------------------------------------------------------


def called(amount: Decimal, currency: str, reference: str = "") -> str:
    """What people call a payment."""
    money = f"Payment of {told(amount, currency)}" if amount else "Use of a credit"
    return f"{money} ({reference})" if reference else money


def why_not_ended(*, void: bool, deposited: bool, card_payment: bool) -> tuple[str, str]:
    """(cause, sentence) where the books would refuse to void or delete a payment [FACTS 5.6]; empty texts: they would
    not. The causes are rows of `refusals`."""
    if void:
        return "bad_value", "It is void already."
    if deposited:
        return "in_deposit", ("The money is part of a bank deposit, so the payment can neither be voided nor deleted. "
                              "Take it out of the deposit in QuickBooks first, then try again.")  # fmt: skip
    if card_payment:
        return "paid_by_card", ("It went through QuickBooks Payments, and can only be refunded there. Give the money "
                                "back in QuickBooks; what changes there comes here by itself.")  # fmt: skip
    return "", ""


def why_not_changed(payment: PaymentRecord) -> tuple[str, str]:
    """(cause, sentence) where a payment of the books cannot be changed from here; empty texts: it can."""
    if payment.void:
        return "bad_value", "It is void in QuickBooks. Record it anew."
    if payment.deposited:
        return "in_deposit", ("The money is part of a bank deposit, so the payment cannot be changed. Take it out of "
                              "the deposit in QuickBooks first, then try again.")  # fmt: skip
    if payment.card_payment:
        return "paid_by_card", ("It went through QuickBooks Payments, and can only be changed there; what changes "
                                "there comes here by itself.")  # fmt: skip
    if any(one.kind not in ("invoice", "credit_memo") for one in payment.applied):
        return "bad_value", ("It is applied to something in QuickBooks that is not kept here. Change it there; that "
                             "comes here by itself.")  # fmt: skip
    return "", ""


# --- seems to be there already --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment, as far as it tells whether two are the same."""

    key: str
    customer: str
    """Id of the customer, with jobs counted as their parent if the caller does so."""
    amount: Decimal
    date: Date | None
    reference: str = ""
    method: str = ""
    invoices: frozenset[str] = frozenset()
    """Keys of the invoices it is applied to."""
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Likeness:
    key: str
    score: int
    """For ranking: LIKELY or more is shown as "seems to be there already"."""
    reasons: tuple[str, ...]
    """In words, strongest first; what speaks against it last."""


LIKELY = 60
WINDOW = 30
"""Days within which two payments can be the same one."""
_SAME_REFERENCE, _OTHER_REFERENCE, _SAME_INVOICE, _OTHER_INVOICE, _OTHER_METHOD = 35, -30, 15, -20, -10
_BASE = 30
"""For the same customer, amount and currency, without which nothing is a duplicate."""
_BY_DAYS = ((0, 30), (1, 25), (3, 20), (7, 10), (WINDOW, 0))


def duplicates(payment: Paid, others: Iterable[Paid]) -> tuple[Likeness, ...]:
    """Payments that may be this one, best first: same customer, amount and currency, at most WINDOW days apart.

    Those below LIKELY are left out.
    """
    found = [like for other in others if (like := _likeness(payment, other)) is not None and like.score >= LIKELY]
    return tuple(sorted(found, key=lambda like: (-like.score, like.key)))


def _likeness(one: Paid, other: Paid) -> Likeness | None:
    same = (one.customer, one.amount, one.currency) == (other.customer, other.amount, other.currency)
    if not same or one.key == other.key:
        return None
    apart = abs((one.date - other.date).days) if one.date and other.date else None
    if apart is not None and apart > WINDOW:
        return None
    points = _BASE + (next(points for days, points in _BY_DAYS if apart <= days) if apart is not None else 0)
    reasons = [f"same customer and amount ({told(one.amount, one.currency)})", _days_told(apart)]
    against: list[str] = []
    for score, reason in (_by_reference(one, other), _by_invoices(one, other), _by_method(one, other)):
        points += score
        if reason:
            (reasons if score > 0 else against).append(reason)
    return Likeness(other.key, points, (*reasons, *against))


def _days_told(apart: int | None) -> str:
    if apart is None:
        return "one of them has no date"
    return "on the same day" if apart == 0 else f"{apart} day{'' if apart == 1 else 's'} apart"


def _by_reference(one: Paid, other: Paid) -> tuple[int, str]:
    mine, theirs = _plain(one.reference), _plain(other.reference)
    if not mine or not theirs:
        return 0, ""
    if mine == theirs:
        return _SAME_REFERENCE, f"same reference “{other.reference.strip()}”"
    return _OTHER_REFERENCE, f"other reference: “{one.reference.strip()}” and “{other.reference.strip()}”"


def _by_invoices(one: Paid, other: Paid) -> tuple[int, str]:
    if not one.invoices or not other.invoices:
        return 0, ""
    if one.invoices & other.invoices:
        return _SAME_INVOICE, "for the same invoice"
    return _OTHER_INVOICE, "for other invoices"


def _by_method(one: Paid, other: Paid) -> tuple[int, str]:
    mine, theirs = one.method.strip().casefold(), other.method.strip().casefold()
    if not mine or not theirs or mine == theirs:
        return 0, ""
    return _OTHER_METHOD, f"other method: {one.method.strip()} and {other.method.strip()}"


def _plain(reference: str) -> str:
    """A reference without what people write around it: "Check #001 204" is 1204."""
    kept = "".join(letter for letter in reference.casefold() if letter.isalnum())
    for word in ("checkno", "chequeno", "check", "cheque", "chk", "ref", "no"):
        if kept.startswith(word) and kept[len(word) :].isdigit():
            kept = kept[len(word) :]
    return kept.lstrip("0")
