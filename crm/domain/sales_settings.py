"""How sales go to a company's books: six questions, and what may be answered to each.

Nobody has to answer any: what is not answered has the default that `sales_defaults` finds in the company. Used by
`services/sales_settings`, which finds the facts and keeps the answers. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm.domain.errors import Invalid
from crm.domain.numbers import MOST_DIGITS, NumberRule, problems

NO_TAX, US_MANUAL, US_AUTOMATED, GLOBAL = "none", "us_manual", "us_automated", "global"
TAX_WORDS: dict[str, str] = {
    NO_TAX: "Sales tax is switched off in QuickBooks: documents carry none.",
    US_MANUAL: "QuickBooks keeps tax rates of your own: taxable lines are taxed by the code of the document.",
    US_AUTOMATED: "QuickBooks works out the sales tax itself, by address and product. What stands here before is our"
                  " rehearsal; what QuickBooks answers counts.",
    GLOBAL: "Every line has a tax code; prices can hold their tax or not.",
}  # fmt: skip
TOTAL, OFF, FIELD, PAYMENT = "total", "off", "field", "payment"
DISCOUNTS: dict[str, tuple[str, str]] = {
    TOTAL: ("One discount on the document", "Written as QuickBooks’ own discount line, in percent or as an amount."),
    OFF: ("No discounts", "Documents offer none."),
}
DEPOSITS: dict[str, tuple[str, str]] = {
    FIELD: ("In the invoice", "What was paid beforehand is the invoice’s deposit, and lowers its balance."),
    PAYMENT: ("As a payment", "What was paid beforehand is a payment of its own, applied to the invoice."),
    OFF: ("No deposits", "Quotes ask for none."),
}
YES, NO = "yes", "no"
MOST_DAYS, USUAL_DAYS = 365, 30
INCOME_TYPES = ("Income", "Other Income")
DEPOSIT_TYPES = ("Bank", "Other Current Asset")
"""Accounts a payment can be deposited to (DepositToAccountRef)."""


@dataclass(frozen=True, slots=True)
class Question:
    title: str
    text: str
    fields: tuple[str, ...]


QUESTIONS: dict[str, Question] = {
    "income": Question("Which account earns?", "What is sold is booked to an income account. New services and products"
                       " take this one; each can have another.", ("income_service", "income_item")),
    "tax": Question("What about sales tax?", "How tax is worked out is decided in QuickBooks; here, what a new line and"
                    " a new document begin with.", ("taxable", "tax_code")),
    "terms": Question("When is it due, how long does a quote stand?", "Terms of a new invoice where the customer has"
                      " none, and the days a new quote is valid.", ("terms", "quote_days")),
    "numbers": Question("Who numbers quotes and invoices?", "Two systems counting at once make the same number twice,"
                        " so one of them counts.",
                        ("numbers", "quote_prefix", "quote_next", "invoice_prefix", "invoice_next")),
    "extras": Question("How are discounts and deposits written?", "QuickBooks takes either only where it is switched on"
                       " there.", ("discounts", "deposits")),
    "money": Question("Where does the money go?", "The account a payment recorded here is deposited to.",
                      ("deposit_account",)),
}  # fmt: skip
HEADER = ("name", "address", "phone", "email", "website")
"""Of our own company, as printed on documents."""
FIELDS: tuple[str, ...] = tuple(name for question in QUESTIONS.values() for name in question.fields)
OPTIONAL = frozenset(("tax_code", "terms", "quote_prefix", "invoice_prefix", "deposit_account"))
"""Fields whose answer may be: none."""
LABELS: dict[str, str] = {
    "income_service": "Income account of services", "income_item": "Income account of products",
    "taxable": "New lines are taxable", "tax_code": "Tax code of a new document", "terms": "Terms",
    "quote_days": "Days a quote is valid", "numbers": "Numbers", "quote_prefix": "Quotes begin with",
    "quote_next": "Next quote", "invoice_prefix": "Invoices begin with", "invoice_next": "Next invoice",
    "discounts": "Discounts", "deposits": "Deposits", "deposit_account": "Deposit account",
    "name": "Company name", "address": "Address", "phone": "Phone", "email": "E-mail", "website": "Website",
    "logo": "Logo",
}  # fmt: skip
LIMITS = {"name": 200, "address": 500, "phone": 60, "email": 254, "website": 200}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of one of the books' lists: an account, a term, a tax code."""

    remote_id: str
    name: str
    type: str = ""
    subtype: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the company. `preferences` as kept on the connection: a name that is missing was not said."""

    company_name: str = ""
    country: str = ""
    preferences: Mapping[str, Any] = field(default_factory=dict)
    accounts: Sequence[Entry] = ()
    terms: Sequence[Entry] = ()
    tax_codes: Sequence[Entry] = ()
    services_by_account: Mapping[str, int] = field(default_factory=dict)
    """Income account -> how many of the latest services have it; likewise of products."""
    items_by_account: Mapping[str, int] = field(default_factory=dict)
    taxable: int = 0
    products: int = 0
    """Of the latest products how many are taxable, and how many there are."""
    quote_days: Sequence[int] = ()
    """Days the latest quotes of the books were valid for."""
    quote_numbers: Sequence[str] = ()
    invoice_numbers: Sequence[str] = ()
    """The latest numbers."""


def tax_mode(preferences: Mapping[str, Any], country: str) -> str:
    """`none`, `us_manual`, `us_automated` or `global`."""
    if preferences.get("sales_tax") is False:
        return NO_TAX
    if country.strip().upper() not in ("", "US", "USA", "UNITED STATES"):
        return GLOBAL
    return US_AUTOMATED if preferences.get("automated_sales_tax") else US_MANUAL


def check(facts: Facts, answers: Mapping[str, str]) -> None:
    """Raises Invalid with a sentence for each answer that cannot be. `answers` holds every field."""
    wrong: dict[str, str] = {}
    accounts, terms, codes = facts.accounts, facts.terms, facts.tax_codes
    for name, entries, types, what in (
        ("income_service", accounts, INCOME_TYPES, "an income account"),
        ("income_item", accounts, INCOME_TYPES, "an income account"),
        ("deposit_account", accounts, DEPOSIT_TYPES, "a bank account or one of undeposited funds"),
        ("terms", terms, (), "one of the terms of QuickBooks"), ("tax_code", codes, (), "one of its tax codes"),
    ):  # fmt: skip
        if answers[name] and answers[name] not in {entry.remote_id for entry in offered(entries, types)}:
            wrong[name] = f"{LABELS[name]}: choose {what} that is active, or leave it to the default."
    for name, choices in (("discounts", DISCOUNTS), ("deposits", DEPOSITS),
                          ("taxable", (YES, NO))):  # fmt: skip
        if answers[name] not in choices:
            wrong[name] = f"{LABELS[name]}: choose one of the answers."
    if _whole(answers["quote_days"], MOST_DAYS) is None:
        wrong["quote_days"] = f"Days a quote is valid: give a whole number from 1 to {MOST_DAYS}."
    wrong |= _wrong_numbers(facts.preferences, answers)
    wrong |= _not_there(facts.preferences, answers)
    if wrong:
        raise Invalid(wrong)


def check_header(header: Mapping[str, str]) -> None:
    wrong = {
        name: f"{LABELS[name]}: shorten it to {most} characters."
        for name, most in LIMITS.items()
        if len(header.get(name, "")) > most
    }
    if not header.get("name", "").strip():
        wrong["name"] = "Company name: documents need a sender. Write the name of your company."
    email = header.get("email", "")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        wrong["email"] = "E-mail: this is no address. Correct it, or leave it empty."
    if wrong:
        raise Invalid(wrong)


def offered(entries: Sequence[Entry], types: Sequence[str] = ()) -> list[Entry]:
    """Those that can be chosen, by name."""
    chosen = [entry for entry in entries if entry.active and (not types or entry.type in types)]
    return sorted(chosen, key=lambda entry: (entry.name.casefold(), entry.remote_id))


def number_rule(kind: str, answers: Mapping[str, str]) -> NumberRule:
    """How quotes (`quote`) or invoices are numbered. The counter is as wide as it was written: "0043" has four."""
    counter = answers[f"{kind}_next"]
    rule = answers["numbers"]
    return NumberRule(rule, answers[f"{kind}_prefix"], int(counter), min(len(counter), MOST_DIGITS))


def _wrong_numbers(preferences: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, str]:
    wrong = {}
    for kind in ("quote", "invoice"):
        if _whole(answers[f"{kind}_next"], 10**MOST_DIGITS - 1) is None:
            label = LABELS[f"{kind}_next"]
            wrong[f"{kind}_next"] = f"{label}: give a whole number from 1, of {MOST_DIGITS} digits at most."
            continue
        found = problems(number_rule(kind, answers), custom_numbers=preferences.get("own_document_numbers"))
        names = {"rule": "numbers", "digits": f"{kind}_next"}
        wrong |= {names.get(field, f"{kind}_{field}"): sentence for field, sentence in found.items()}
    return wrong


def _not_there(preferences: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, str]:
    """What QuickBooks would refuse."""
    wrong = {}
    if answers["discounts"] == TOTAL and preferences.get("allows_discount") is False:
        wrong["discounts"] = "QuickBooks is set to take no discounts. Switch them on there under Sales first."
    if answers["deposits"] == FIELD and preferences.get("allows_deposit") is False:
        wrong["deposits"] = "QuickBooks is set to take no deposits in invoices. Switch them on there under Sales first."
    return wrong


def _whole(text: str, most: int) -> int | None:
    whole = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if whole and 1 <= int(text) <= most else None
