"""What a person can say of a vendor or a bill: the fields, how their text is read, what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Day
from decimal import Decimal
from typing import Any

from crm.domain import preflight
from crm.domain.amounts import MOST, places, read_number, rounded
from crm.domain.contacts import clean
from crm.domain.days import FIRST_YEAR, LAST_YEAR, read_day
from crm.domain.names import without_deleted

EXPENSE_TYPES = ("Expense", "Cost of Goods Sold", "Other Expense")
"""Types of accounts that a line of a bill is usually booked to, as the books write them."""
PLACE = ("line1", "line2", "city", "region", "postal_code", "country")
VENDOR_LABELS: dict[str, str] = {
    "display_name": "Name", "company_name": "Company", "phone": "Phone", "email": "E-mail",
    "account_number": "Our account number", "terms": "Terms", "line1": "Street", "line2": "Street, second line",
    "city": "City", "region": "State", "postal_code": "Postal code", "country": "Country",
}  # fmt: skip
_LONGEST: Mapping[str, int] = {
    "display_name": 500, "company_name": 100, "phone": 30, "email": 100, "account_number": 100, "line1": 500,
    "line2": 500, "city": 255, "region": 255, "postal_code": 30, "country": 255, "terms": 40,
}  # fmt: skip
"""What QuickBooks keeps."""
BILL_LABELS: dict[str, str] = {
    "vendor_id": "Vendor", "number": "Bill number", "date": "Date", "due_date": "Due", "private_note": "Note",
    "lines": "Lines",
}  # fmt: skip
LINE_FIELDS = (
    "remote_id", "kind", "account", "product", "description", "quantity", "unit_price", "amount", "customer",
    "billable",
)  # fmt: skip
MOST_LINES = 200
LONGEST_NUMBER, LONGEST_DESCRIPTION, LONGEST_NOTE = 21, 4000, 4000

# --- vendors --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VendorValues:
    display_name: str = ""
    company_name: str = ""
    phone: str = ""
    email: str = ""
    account_number: str = ""
    terms: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


VENDOR_FIELDS = tuple(VENDOR_LABELS)


def vendor_of(row: Any) -> VendorValues:
    """What a stored vendor says now."""
    plain = {name: getattr(row, name) for name in VENDOR_FIELDS if name not in PLACE}
    return VendorValues(**plain, **{name: row.address.get(name, "") for name in PLACE})


def read_vendor(texts: Mapping[str, str]) -> VendorValues:
    return VendorValues(**{name: clean(texts.get(name, "")) for name in VENDOR_FIELDS})


def vendor_problems(values: VendorValues) -> dict[str, str]:
    """Field -> sentence; empty where the books would take it."""
    found = {}
    name = preflight.name(values.display_name)
    if name is not None:
        found["display_name"] = name.sentence
    elif without_deleted(values.display_name) != values.display_name:
        found["display_name"] = "The name ends with “(deleted)”, which QuickBooks adds to inactive ones. Take it out."
    email = preflight.email(values.email) if values.email else None
    if email is not None:
        found["email"] = email.sentence
    for field, longest in _LONGEST.items():
        length = len(getattr(values, field))
        if length > longest and field not in found:
            words = VENDOR_LABELS[field]
            found[field] = f"{words}: {length:,} characters, and QuickBooks keeps {longest}. Shorten it."
    return found


def vendor_changes(before: VendorValues, after: VendorValues) -> dict[str, tuple[str, str]]:
    """Field -> old and new."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in VENDOR_FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


# --- bills ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line as typed. Of another kind (a line of text from the books) only its place can change."""

    remote_id: str = ""
    kind: str = ""
    account: str = ""
    """Account of the books."""
    product: str = ""
    """Name or SKU, as typed."""
    description: str = ""
    quantity: str = ""
    unit_price: str = ""
    amount: str = ""
    customer: str = ""
    """Name, as typed."""
    billable: str = ""

    @property
    def blank(self) -> bool:
        said = (self.remote_id, self.product, self.description, self.unit_price, self.amount, self.customer)
        return not any(text.strip() for text in said)

    @property
    def fixed(self) -> bool:
        return self.kind not in ("", "account", "item")


@dataclass(frozen=True, slots=True)
class BillTyped:
    vendor_id: str = ""
    number: str = ""
    date: str = ""
    due_date: str = ""
    private_note: str = ""
    lines: tuple[BillLine, ...] = ()


BILL_FIELDS = ("vendor_id", "number", "date", "due_date", "private_note")


@dataclass(frozen=True, slots=True)
class BillValues:
    vendor_id: int | None
    number: str
    date: Day | None
    due_date: Day | None
    private_note: str


def read_bill(form: Mapping[str, str]) -> BillTyped:
    """The form as typed; lines in the order of their numbers (`lines-3-amount`)."""
    places_ = sorted({int(part[1]) for part in (name.split("-") for name in form) if _is_line(part)})[:MOST_LINES]
    lines = tuple(BillLine(**{field: form.get(f"lines-{at}-{field}", "") for field in LINE_FIELDS}) for at in places_)
    return BillTyped(**{name: form.get(name, "") for name in BILL_FIELDS}, lines=lines)


def _is_line(part: Sequence[str]) -> bool:
    return len(part) == 3 and part[0] == "lines" and part[1].isascii() and part[1].isdigit() and len(part[1]) < 5


def with_line(typed: BillTyped, account: str = "") -> BillTyped:
    return replace(typed, lines=(*typed.lines, BillLine(account=account)))


def without_line(typed: BillTyped, at: int) -> BillTyped:
    """Without the line of this place, from 1."""
    return replace(typed, lines=tuple(line for place, line in enumerate(typed.lines, 1) if place != at))


def bill_values(typed: BillTyped) -> tuple[BillValues, dict[str, str]]:
    """What was meant, and field -> sentence for what nobody can understand."""
    wrong: dict[str, str] = {}
    days: dict[str, Day | None] = {}
    for name in ("date", "due_date"):
        try:
            days[name] = read_day(text) if (text := getattr(typed, name).strip()) else None
        except ValueError:
            days[name] = None
            wrong[name] = f"{BILL_LABELS[name]}: write a day from {FIRST_YEAR} to {LAST_YEAR} as 2026-11-30."
    if not days["date"] and "date" not in wrong:
        wrong["date"] = "The bill has no date. Write the day that stands on it."
    if days["date"] and days["due_date"] and days["due_date"] < days["date"]:
        wrong["due_date"] = f"{BILL_LABELS['due_date']}: it is due before its own date. Correct one of the two."
    vendor = typed.vendor_id.strip()
    vendor_id = int(vendor) if vendor.isascii() and vendor.isdigit() and len(vendor) < 10 else None
    if vendor_id is None:
        wrong["vendor_id"] = "Choose whose bill it is."
    number, note = clean(typed.number), typed.private_note.replace("\r\n", "\n").replace("\x00", "").strip()
    if len(number) > LONGEST_NUMBER:
        wrong["number"] = f"The number has {len(number)} characters; QuickBooks keeps {LONGEST_NUMBER}. Shorten it."
    if len(note) > LONGEST_NOTE:
        wrong["private_note"] = f"The note has {len(note):,} characters; QuickBooks keeps {LONGEST_NOTE:,}."
    return BillValues(vendor_id, number, days["date"], days["due_date"], note), wrong


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a line, as they are kept."""

    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    amount: Decimal | None = None


def figures(line: BillLine, currency: str) -> Figures:
    """Raises ValueError with a sentence for what is no number. An amount wins over quantity and price."""
    quantity, price, amount = (_number(getattr(line, name), words) for name, words in (
        ("quantity", "quantity"), ("unit_price", "price"), ("amount", "amount")
    ))  # fmt: skip
    if not line.product.strip() and line.kind != "item":
        return Figures(amount=rounded(amount, currency) if amount is not None else None)
    quantity = Decimal(1) if quantity is None else quantity
    if price is not None:
        return Figures(quantity, price, rounded(quantity * price, currency))
    if amount is not None and quantity:
        return Figures(quantity, rounded(amount / quantity, currency) if quantity == 1 else None, amount)
    return Figures(quantity, None, amount)


def line_problems(line: BillLine, at: int, currency: str) -> Iterator[str]:
    """What is wrong with one line, in sentences; `at` is its place from 1."""
    if line.fixed:
        return
    try:
        found = figures(line, currency)
    except ValueError as problem:
        yield f"Line {at}: {problem}"
        return
    if found.amount is None:
        yield f"Line {at} has no amount. Write what it costs."
    if line.account and line.product.strip():
        yield f"Line {at} has an account and a product. Leave one of them empty: a product brings its own account."
    if line.billable and not line.customer.strip():
        yield f"Line {at} is billable. Write which customer it is for."
    if len(line.description) > LONGEST_DESCRIPTION:
        yield f"Line {at}: QuickBooks keeps {LONGEST_DESCRIPTION:,} characters of a description."


def _number(text: str, words: str) -> Decimal | None:
    try:
        number = read_number(text)
    except ValueError:
        raise ValueError(f"the {words} “{text.strip()[:30]}” is no number. Write it as 1234.50.") from None
    if number is not None and (abs(number) > MOST or places(number) > 4):
        raise ValueError(f"the {words} is too long. Write it with four decimals at most.")
    return number
