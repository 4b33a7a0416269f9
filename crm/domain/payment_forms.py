"""The form of a payment: from what a person typed to values, and back. Pure.

Fields: contact_id, payer, amount, date, method, reference, deposit_account, note, `part-<invoice>` (an amount, empty
for none) and `credit` once for each credit memo that is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from crm.domain.amounts import ZERO, read_number
from crm.domain.days import FIRST_YEAR, LAST_YEAR, read_day
from crm.domain.payments import MISSING_AMOUNT, Allocation

HEAD = ("payer", "amount", "date", "method", "reference", "deposit_account", "note")
PART = "part-"


@dataclass(frozen=True, slots=True)
class Typed:
    texts: Mapping[str, str]
    """Every field as typed, parts among them."""
    credits: tuple[str, ...] = ()
    amount: Decimal = ZERO
    date: date | None = None
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Field -> what is wrong with it, in a sentence."""


def read(form: Mapping[str, str], credits: Sequence[str] = ()) -> Typed:
    texts = {name: form.get(name, "") for name in HEAD}
    texts |= {name: text for name, text in form.items() if name.startswith(PART)}
    wrong: dict[str, str] = {}
    amount = _number(texts["amount"], "amount", "Amount received", wrong)
    if not texts["amount"].strip() and not credits:
        wrong["amount"] = MISSING_AMOUNT
    parts = {}
    for name, text in texts.items():
        if name.startswith(PART) and text.strip():
            parts[name.removeprefix(PART)] = _number(text, name, "Applied", wrong)
    try:
        day = read_day(texts["date"])
    except ValueError:
        day = None
        told = texts["date"].strip()[:30]
        wrong["date"] = f"Received on: “{told}” is no day from {FIRST_YEAR} to {LAST_YEAR}. Write it as 2026-11-21."
    return Typed(texts, tuple(credits), amount, day, parts, wrong)


def with_parts(texts: Mapping[str, str], money: Allocation) -> dict[str, str]:
    """The same texts with these amounts applied."""
    kept = {name: text for name, text in texts.items() if not name.startswith(PART)}
    return kept | {f"{PART}{key}": format(part, "f") for key, part in money.invoices.items()}


def places(problems: Mapping[str, str]) -> dict[str, str]:
    """Problems of `domain/payments` under the names the form has."""
    return {name.replace("parts-", PART) if name.startswith("parts-") else name: text
            for name, text in problems.items()}  # fmt: skip


def _number(text: str, name: str, label: str, wrong: dict[str, str]) -> Decimal:
    """0 where nothing is typed, and where what is typed is told in `wrong`."""
    try:
        number = read_number(text) or ZERO
    except ValueError:
        wrong[name] = f"{label}: “{text.strip()[:40]}” is no amount. Write it as in 1,234.50."
        return ZERO
    if number < 0:
        wrong[name] = f"{label}: an amount is 0 or more. Money given back is a refund, made in QuickBooks."
        return ZERO
    return number
