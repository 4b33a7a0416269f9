"""What the firm did for each customer and how it was paid: quotes, invoices, credits and payments, planned in cents.

`plan(entry, ...)` is pure and gives linked `Document` plans; `books` gives them ids and has them written. All money
here is whole cents, applied once and in one place (`pay`), so every balance is the sum of what is shown. Days are
counted backwards from the company's today; nothing is dated later than yesterday.
"""

from dataclasses import dataclass, field
from random import Random

from sandbox.seed.lists import PRODUCTS, TERMS, Product
from sandbox.seed.people import Entry

DOCUMENTS_PER_JOB = 2.3  # measured over 10,000 customers: turns a wish for documents into a number of jobs
DEFAULT_DOCUMENTS = 3.0
OLDEST = 1_100  # days
TAX_BASIS_POINTS = 885
OPENING_HOUR = {  # documents of one day keep their order
    "Estimate": 7, "Invoice": 9, "CreditMemo": 11, "Payment": 13, "SalesReceipt": 15, "RefundReceipt": 16,
}  # fmt: skip

# What becomes of an invoice, per mille: (recent, older than four months).
OUTCOMES: dict[str, tuple[int, int]] = {
    "paid": (430, 760), "paid_in_parts": (90, 110), "partly": (90, 25), "open": (300, 30), "void": (35, 30),
    "credited": (35, 35), "prepaid": (20, 10),
}  # fmt: skip
OUTCOME_NAMES = tuple(OUTCOMES)
OUTCOME_WEIGHTS = tuple(tuple(row[column] for row in OUTCOMES.values()) for column in (0, 1))
HABITS = (3, 12, 21, 33, 55)  # days from invoice to payment
CREDITS = ("Goodwill credit, delayed start", "Returned sump pump", "Warranty adjustment")
ZERO_PAYMENT_NOTE = "Created by QB Online to link credits to charges."  # recorded: query_payment_page


@dataclass(slots=True, frozen=True)
class Line:
    product: Product
    tenths: int  # quantity in tenths
    amount: int  # cents


@dataclass(slots=True, eq=False)
class Document:
    """One document to be. `age` is days before today, `second` the second of that day; amounts are cents."""

    entity: str
    entry: Entry
    age: int
    second: int
    lines: tuple[Line, ...] = ()
    discount_percent: int = 0
    subtotal: int = 0
    discount: int = 0
    taxable: int = 0
    tax: int = 0
    total: int = 0
    balance: int = 0  # Invoice: still open; CreditMemo: still to use; Payment: not applied
    status: str = ""
    void: bool = False
    term: int = 3
    method: int = 1
    reference: str = ""
    note: str = ""
    applied: list[tuple["Document", int]] = field(default_factory=list)  # Payment: to what, how much
    linked: list["Document"] = field(default_factory=list)
    touched: tuple[int, int] | None = None  # (age, second) of the last later document that changed this one
    id: str = ""
    number: str = ""

    @property
    def moment(self) -> tuple[int, int]:
        return -self.age, self.second


def plan(entry: Entry, stream: Random, documents: float = DEFAULT_DOCUMENTS) -> list[Document]:
    """All documents of one customer. `documents` is the wished average per customer, 0 for none."""
    made: list[Document] = []
    unpaid: list[Document] = []
    for _ in range(int(stream.random() * (2 * documents / DOCUMENTS_PER_JOB + 1)) if documents > 0 else 0):
        age = 3 + int(stream.random() ** 1.6 * OLDEST)
        lines = choose_lines(stream)
        quote = None
        if stream.random() < 0.62:
            quote = sale("Estimate", entry, age, lines, stream)
            made.append(quote)
            quote.status = stream.choices(("Closed", "Pending", "Accepted", "Rejected"), (70, 14, 8, 8))[0]
            if quote.status == "Pending" and age > 180:
                quote.status = "Rejected"
            if quote.status == "Rejected":
                quote.touched = max(1, age - 5 - quote.second % 40), quote.second
            if quote.status != "Closed":
                continue
        invoice = sale("Invoice", entry, max(1, age - stream.randrange(1, 30)), lines, stream)
        if quote is not None:
            link_quote(quote, invoice)
        made.append(invoice)
        outcome = stream.choices(OUTCOME_NAMES, OUTCOME_WEIGHTS[invoice.age > 120])[0]
        if not entry.active and outcome in ("open", "partly", "prepaid", "credited"):
            outcome = "paid"
        made += settle(invoice, outcome, unpaid, stream)
    return made + pay_together(unpaid, stream)


def choose_lines(stream: Random) -> tuple[Line, ...]:
    lines = []
    for product in stream.sample(PRODUCTS, stream.choice((1, 1, 2, 2, 3, 4))):
        if product.price > 50_000 or product.taxable:
            tenths = 10 * stream.randrange(1, 5)
        elif product.price < 1_000:
            tenths = 10 * stream.randrange(80, 900)
        else:
            tenths = 5 * stream.randrange(2, 40)
        lines.append(Line(product, tenths, half_up(product.price * tenths, 10)))
    return tuple(lines)


def half_up(numerator: int, denominator: int) -> int:
    """Whole cents, halves away from zero; amounts here are never negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def sale(entity: str, entry: Entry, age: int, lines: tuple[Line, ...], stream: Random) -> Document:
    """An estimate, invoice or credit memo with its totals: tax on the full taxable lines, then the discount off."""
    document = Document(entity, entry, age, second_of_day(entity, stream), lines)
    document.discount_percent = stream.choice((5, 10)) if stream.random() < 0.07 else 0
    document.subtotal = sum(line.amount for line in lines)
    document.discount = half_up(document.subtotal * document.discount_percent, 100)
    document.taxable = sum(line.amount for line in lines if line.product.taxable) if entry.taxable else 0
    document.tax = half_up(document.taxable * TAX_BASIS_POINTS, 10_000)
    document.total = document.subtotal - document.discount + document.tax
    document.balance = document.total if entity != "Estimate" else 0
    document.term = stream.choice((0, 1, 2, 3, 3, 3, 4))
    return document


def second_of_day(entity: str, stream: Random) -> int:
    return OPENING_HOUR[entity] * 3600 + stream.randrange(7200)


def link_quote(quote: Document, invoice: Document) -> None:
    """The invoice takes over the quote's lines and totals; the quote is closed by it."""
    for name in ("lines", "discount_percent", "subtotal", "discount", "taxable", "tax", "total"):
        setattr(invoice, name, getattr(quote, name))
    invoice.balance = invoice.total
    quote.linked.append(invoice)
    invoice.linked.append(quote)
    touch(quote, invoice)


def touch(changed: Document, by: Document) -> None:
    if changed.touched is None or (-changed.touched[0], changed.touched[1]) < by.moment:
        changed.touched = by.age, by.second


def settle(invoice: Document, outcome: str, unpaid: list[Document], stream: Random) -> list[Document]:
    """The documents that follow an invoice. `unpaid` collects invoices one cheque will pay together later."""
    if outcome == "void":
        void(invoice)
        return []
    if outcome == "paid":
        if stream.random() < 0.25:
            unpaid.append(invoice)
            return []
        return [pay([(invoice, invoice.balance)], stream)]
    if outcome == "paid_in_parts":
        first = invoice.balance * stream.randrange(20, 80) // 100
        begun = pay([(invoice, first)], stream)
        return [begun, pay([(invoice, invoice.balance)], stream, later=True)]
    if outcome == "partly":
        return [pay([(invoice, invoice.balance * stream.randrange(10, 90) // 100)], stream)]
    if outcome == "credited":
        return credit(invoice, stream)
    if outcome == "prepaid":
        return [pay([(invoice, invoice.balance)], stream, extra=stream.randrange(50, 900) * 100)]
    return []


def pay_together(unpaid: list[Document], stream: Random) -> list[Document]:
    return [pay([(invoice, invoice.balance) for invoice in unpaid], stream)] if unpaid else []


def pay(parts: list[tuple[Document, int]], stream: Random, *, extra: int = 0, later: bool = False) -> Document:
    """A payment of these parts, and `extra` cents kept as the customer's credit. Lowers the invoices' balances."""
    youngest = min(invoice.age for invoice, _ in parts)
    age = 1 if later else max(1, youngest - delay(parts[0][0].entry, stream.randrange(0, 45)))
    if later and youngest > 60:
        age = youngest - 55
    payment = Document("Payment", parts[0][0].entry, age, second_of_day("Payment", stream))
    payment.method = stream.choice((0, 1, 1, 1, 2, 3, 4))
    payment.reference = str(stream.randrange(1000, 9999)) if payment.method == 1 else ""
    payment.total = extra + sum(amount for _, amount in parts)
    payment.balance = extra
    for invoice, amount in parts:
        apply(payment, invoice, amount)
    return payment


def delay(entry: Entry, luck: int) -> int:
    """Days until this customer pays: a habit of their own, some days either way (`luck` is 0 to 44)."""
    return max(0, HABITS[entry.position % len(HABITS)] + (luck - 22) // 3)


def accepted(quote: Document) -> int:
    """Its age when the customer said yes: some days after it was made, and not after its invoice."""
    invoiced = min((one.age for one in quote.linked), default=1)
    return max(1, invoiced, quote.age - 1 - quote.second % 24)


def apply(payment: Document, target: Document, amount: int) -> None:
    target.balance -= amount
    payment.applied.append((target, amount))
    target.linked.append(payment)
    touch(target, payment)


def credit(invoice: Document, stream: Random) -> list[Document]:
    """A credit memo, in half the cases applied to the invoice by a payment of zero, as QBO itself does it."""
    fitting = min(invoice.lines, key=lambda line: line.amount)
    memo = sale("CreditMemo", invoice.entry, max(1, invoice.age - stream.randrange(5, 40)), (fitting,), stream)
    memo.note = stream.choice(CREDITS)
    if stream.random() < 0.5:
        return [memo, pay([(invoice, invoice.balance)], stream)]
    amount = min(memo.balance, invoice.balance)
    link = Document("Payment", invoice.entry, memo.age, second_of_day("Payment", stream), note=ZERO_PAYMENT_NOTE)
    apply(link, invoice, amount)
    apply(link, memo, amount)
    made = [memo, link]
    if invoice.balance:
        made.append(pay([(invoice, invoice.balance)], stream))
    if memo.balance:  # the rest of a credit larger than the invoice stays with the customer
        memo.note += " (rest kept as credit)"
    return made


def void(invoice: Document) -> None:
    """As recorded in void_invoice_sequence: the document stays, every amount is zero, links are gone."""
    invoice.void = True
    invoice.subtotal = invoice.discount = invoice.taxable = invoice.tax = invoice.total = invoice.balance = 0
    for quote in invoice.linked:
        quote.status = "Pending"
        quote.linked.clear()
    invoice.linked.clear()


def days(document: Document) -> int:
    return TERMS[document.term][1]
