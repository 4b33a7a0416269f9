"""What QuickBooks would refuse, told before a call is spent: lengths, missing parts, sums that cannot be.

Each check raises `InvalidValue` with a sentence that names the field and the way out. Lengths are Intuit's reference's;
where it gives none, what its fields are known to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from crm.domain.errors import Cause, InvalidValue
from crm.domain.records import BillRecord, DocumentRecord, ItemRecord, LineRecord, PaymentRecord, Record, VendorRecord

MOST_LINES = 750
"""Of a document with sales tax; 10,000 without."""
#: By record: our field, what people call it, how many characters QuickBooks keeps.
LENGTHS: Mapping[type, tuple[tuple[str, str, int], ...]] = {
    ItemRecord: (("name", "name", 100), ("sku", "SKU", 100), ("description", "description", 4000),
                 ("purchase_description", "purchase description", 1000)),
    VendorRecord: (("display_name", "name", 500), ("given_name", "first name", 100),
                   ("middle_name", "middle name", 100), ("family_name", "last name", 100),
                   ("company_name", "company name", 100), ("title", "title", 16),
                   ("suffix", "suffix", 16), ("print_name", "name on cheques", 110), ("email_text", "e-mail", 100),
                   ("website", "web address", 1000), ("account_number", "account number", 100)),
    DocumentRecord: (("number", "document number", 21), ("private_note", "private note", 4000),
                     ("customer_memo", "message to the customer", 1000), ("email", "e-mail", 100),
                     ("payment_reference", "payment reference", 21)),
    PaymentRecord: (("reference", "reference", 21), ("private_note", "private note", 4000)),
    BillRecord: (("number", "document number", 21), ("private_note", "private note", 4000)),
}  # fmt: skip
LONGEST_DESCRIPTION, LONGEST_CUSTOM, LONGEST_PHONE = 4000, 31, 30
HIGHEST_PRICE = Decimal(99_999_999_999)
#: What an item that counts stock needs when it is new.
_STOCK = (
    ("asset_account", "the account its stock stands in"), ("income_account", "the account its sales are booked to"),
    ("expense_account", "the account its cost is booked to"), ("quantity_on_hand", "the quantity at the start"),
    ("inventory_start", "the day the stock was counted"),
)  # fmt: skip


Wrong = tuple[int, str]
"""The code of the row in `domain/refusals` that fits, 0 for none of its own; the sentence."""


def check(record: Record, *, new: bool, lines: bool) -> None:
    """Raises InvalidValue with the first thing that is wrong, and the code QuickBooks would refuse it with. `lines`:
    whether they are sent; those that stand there are what they are."""
    for code, sentence in _wrong(record, new, lines):
        raise InvalidValue(sentence, cause=Cause(code=str(code) if code else ""))


def _wrong(record: Any, new: bool, lines: bool) -> Iterator[Wrong]:
    for ours, title, most in LENGTHS.get(type(record), ()):
        text = getattr(record, ours)
        if len(text) > most:
            yield 2050, f"The {title} has {len(text)} characters; QuickBooks keeps {most}. Shorten it."
    yield from _MORE[type(record)](record, new)
    if lines and isinstance(record, DocumentRecord | BillRecord):
        yield from _lines(record.lines)


def _item(record: ItemRecord, new: bool) -> Iterator[Wrong]:
    if not record.name.strip():
        yield 6080, "The item has no name, and QuickBooks needs one. Give it a name."
    if ":" in record.name:
        yield 2040, "The name holds a colon, which QuickBooks uses between a category and its items. Take it out."
    for title, price in (("price", record.price), ("cost", record.cost)):
        if price is not None and abs(price) > HIGHEST_PRICE:
            yield 0, f"The {title} is higher than QuickBooks takes ({HIGHEST_PRICE:,}). Correct it."
    if record.members and record.type == "group" and new:
        yield 5030, "QuickBooks lets nobody create a bundle from outside. Create it there; it comes over by itself."
    if new and record.type == "inventory":
        for ours, words in _STOCK:
            if getattr(record, ours) is None:
                yield 0, f"An item that counts stock needs {words}. Choose it, then try again."
    elif new and record.type in ("service", "non_inventory") and not (record.income_account or record.expense_account):
        yield 0, "QuickBooks needs the account the item's sales are booked to. Choose it, then try again."
    if new and record.type in ("service", "non_inventory") and record.cost and not record.expense_account:
        yield 0, "QuickBooks needs the account the item's cost is booked to. Choose it, or leave the cost out."


def _vendor(record: VendorRecord, new: bool) -> Iterator[Wrong]:
    if not record.display_name.strip():
        yield 6080, "The vendor has no name, and QuickBooks needs one. Give it a name."
    if any(sign in record.display_name for sign in ":\t\n"):
        yield 2040, "The name holds a colon, tab or line end, which QuickBooks does not take. Take it out."
    for phone in record.phones:
        if len(phone.text) > LONGEST_PHONE:
            yield 2050, f"The phone {phone.text[:40]} is longer than QuickBooks keeps ({LONGEST_PHONE}). Shorten it."


def _document(record: DocumentRecord, new: bool) -> Iterator[Wrong]:
    if not record.customer.remote_id:
        yield 6250, "The document names no customer that QuickBooks knows. Send the customer first."
    if record.email_status == "to_send" and not record.email:
        yield 6420, "Delivery by e-mail needs an e-mail address. Add one, or choose another delivery."
    for custom in record.custom_fields:
        if len(custom.value) > LONGEST_CUSTOM:
            yield 2050, f"The field {custom.name} has more than {LONGEST_CUSTOM} characters. Shorten it."
    if sum(1 for line in record.lines if line.kind == "discount") > 1:
        yield 0, "QuickBooks keeps one discount on a document. Put them together into one."


def _bill(record: BillRecord, new: bool) -> Iterator[Wrong]:
    if not record.vendor.remote_id:
        yield 2500, "The bill names no vendor that QuickBooks knows. Send the vendor first."
    for place, line in enumerate(record.lines, start=1):
        if line.kind in ("item", "account") and line.item is None and line.account is None:
            yield 0, f"Line {place} has neither an item nor an account. Choose one."


def _lines(lines: tuple[LineRecord, ...]) -> Iterator[Wrong]:
    kept = [line for line in lines if line.kind not in ("subtotal", "discount")]
    if not kept:
        yield 2250, "The document has no lines. Add at least one."
    if len(kept) > MOST_LINES:
        yield 0, f"The document has {len(kept)} lines; QuickBooks takes {MOST_LINES}. Split it in two."
    for place, line in enumerate(lines, start=1):
        if len(line.description) > LONGEST_DESCRIPTION:
            yield 2050, f"The text of line {place} is longer than QuickBooks keeps ({LONGEST_DESCRIPTION}). Shorten it."
        if line.kind == "item" and line.amount is None:
            yield 2020, f"Line {place} has no amount. Give it a quantity and a price."
        if line.kind in ("item", "discount", "group") and line.amount is not None and line.amount < 0:
            yield 2290, f"Line {place} is negative, which QuickBooks does not take. Use a discount or a credit memo."
        if line.kind == "discount" and line.amount is None and line.discount_percent is None:
            yield 2020, "The discount has neither an amount nor a percentage. Give it one."


def _payment(record: PaymentRecord, new: bool) -> Iterator[Wrong]:
    if not record.customer.remote_id:
        yield 6250, "The payment names no customer that QuickBooks knows. Send the customer first."
    if record.total < 0:
        yield 0, "A payment cannot be negative. Use a credit memo or a refund."
    applied = sum((-one.amount if one.kind == "credit_memo" else one.amount for one in record.applied), Decimal(0))
    if applied > record.total:
        yield 0, f"{applied} is applied of a payment of {record.total}. Apply less, or correct the amount."


_MORE: Mapping[type, Callable[[Any, bool], Iterator[Wrong]]] = {
    ItemRecord: _item, VendorRecord: _vendor, DocumentRecord: _document, PaymentRecord: _payment, BillRecord: _bill,
}  # fmt: skip
