"""What one customer's documents say about their money: sales, open amounts by age, how fast they pay.

`summary` takes plain values of one customer (jobs included, if the caller includes them) in one currency, and is called
by the import after documents came in. Exact Decimals; no rounding but of the average days. It does not compute the
balance: that is the books' own figure. Voided documents and estimates must be marked or left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from datetime import date as Date
from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
TENTH = Decimal("0.1")

BUCKETS = ("current", "1_30", "31_60", "61_90", "over_90")
"""Days past due; `current` is not yet due, due today included."""


@dataclass(frozen=True, slots=True)
class Sale:
    """An invoice or credit memo. `balance` is what is unpaid of an invoice, or unused of a credit memo."""

    kind: str
    remote_id: str
    date: Date | None
    due_date: Date | None
    total: Decimal
    balance: Decimal
    void: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A payment. `unapplied` is what of it no document has used yet."""

    date: Date | None
    total: Decimal
    unapplied: Decimal = ZERO
    void: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a payment went to which invoice, and when the payment was made."""

    invoice_id: str
    amount: Decimal
    paid_on: date | None


@dataclass(frozen=True, slots=True)
class Summary:
    total_sales: Decimal = ZERO
    """Invoices less credit memos, tax included, over all time."""
    invoices: int = 0
    open_invoices: int = 0
    unapplied_credit: Decimal = ZERO
    """Unapplied payments and unused credit memos."""
    last_invoice_on: date | None = None
    last_payment_on: date | None = None
    last_payment: Decimal | None = None
    """All money received on that last day."""
    days_to_pay: Decimal | None = None
    aging: tuple[Decimal, Decimal, Decimal, Decimal, Decimal] = (ZERO,) * 5
    """Open amounts of invoices, in the order of BUCKETS."""

    @property
    def overdue(self) -> Decimal:
        return sum(self.aging[1:], ZERO)


def summary(sales: Iterable[Sale], receipts: Iterable[Receipt], parts: Iterable[Part], *, today: date) -> Summary:
    """`today` is the company's own calendar day."""
    sales = [sale for sale in sales if not sale.void]
    receipts = [receipt for receipt in receipts if not receipt.void]
    invoices = [sale for sale in sales if sale.kind == "invoice"]
    credits = [sale for sale in sales if sale.kind == "credit_memo"]
    paid_days = [receipt.date for receipt in receipts if receipt.date and receipt.total > 0]
    last_paid = max(paid_days, default=None)
    return Summary(
        total_sales=_sum(sale.total for sale in invoices) - _sum(sale.total for sale in credits),
        invoices=len(invoices),
        open_invoices=sum(1 for sale in invoices if sale.balance > 0),
        unapplied_credit=_sum(r.unapplied for r in receipts) + _sum(sale.balance for sale in credits),
        last_invoice_on=max((sale.date for sale in invoices if sale.date), default=None),
        last_payment_on=last_paid,
        last_payment=_sum(r.total for r in receipts if r.date == last_paid) if last_paid else None,
        days_to_pay=days_to_pay(invoices, parts),
        aging=aging(invoices, today=today),
    )


def aging(invoices: Iterable[Sale], *, today: date) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    """Open amounts by days past due. An invoice without a due date is due on its own date, or now."""
    sums = [ZERO] * len(BUCKETS)
    for invoice in invoices:
        if invoice.balance and not invoice.void:
            due = invoice.due_date or invoice.date or today
            sums[bucket((today - due).days)] += invoice.balance
    return sums[0], sums[1], sums[2], sums[3], sums[4]


def bucket(days_late: int) -> int:
    """Place in BUCKETS."""
    if days_late <= 0:
        return 0
    return min((days_late - 1) // 30 + 1, len(BUCKETS) - 1)


def days_to_pay(invoices: Iterable[Sale], parts: Iterable[Part]) -> Decimal | None:
    """Average days from invoice to payment, weighted by amount, over invoices that are fully paid; to a tenth of a day.

    Every amount counts from the invoice's date to the day of the payment that brought it; money that came before the
    invoice counts as no days. None where nothing is paid.
    """
    paid = {sale.remote_id: sale.date for sale in invoices if not sale.void and sale.total > 0 and sale.balance == 0}
    weight = weighted = ZERO
    for part in parts:
        invoiced_on = paid.get(part.invoice_id)
        if invoiced_on and part.paid_on and part.amount > 0:
            weight += part.amount
            weighted += part.amount * max((part.paid_on - invoiced_on).days, 0)
    return (weighted / weight).quantize(TENTH, ROUND_HALF_EVEN) if weight else None


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
