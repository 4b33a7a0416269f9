"""What the books would refuse, found before a call is spent on it. Pure.

Each check answers a problem: the field, the row of `refusals` it belongs to, and a sentence that says what to do; or
nothing. Lengths and forms are those QuickBooks documents for a customer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from crm.domain.records import CustomerRecord
from crm.domain.shared_fields import TITLES

LONGEST_NAME, LONGEST_PART, LONGEST_PHONE, LONGEST_EMAIL, LONGEST_URL = 500, 100, 30, 100, 1000
LONGEST_ADDRESS: Mapping[str, int] = {
    "line1": 500, "line2": 500, "line3": 500, "line4": 500, "line5": 500, "city": 255, "region": 255,
    "postal_code": 30, "country": 255,
}  # fmt: skip
LONGEST_LINES = 2000
"""Of the lines of one address together."""
LONGEST_NUMBER = 21
"""Of a document's number."""
PHONES = {"phone": "primary", "mobile": "mobile", "other": "alternate", "fax": "fax"}
_ADDRESS_WORDS = {"line1": "street", "region": "state", "postal_code": "postal code"}
NOT_TAKEN = re.compile("[\U00010000-\U0010ffff][\u200d\ufe0e\ufe0f]*|\ufe0f")
"""Characters that QuickBooks fails on or loses: emoji and others of four bytes."""
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+")


@dataclass(frozen=True, slots=True)
class Problem:
    field: str
    cause: str
    """A key of `refusals.REFUSALS`."""
    sentence: str


def legible(text: str) -> str:
    """As the books keep a name or one line: without emoji, tabs, line ends and repeated blanks."""
    return " ".join(NOT_TAKEN.sub("", text).split())


def name(text: str, *, field: str = "display_name") -> Problem | None:
    """A name in a list that allows each only once. Emoji, tabs and line ends are taken out on the way."""
    kept = legible(text)
    if not kept:
        why = "has only characters that QuickBooks does not keep" if text.strip() else "is empty"
        return Problem(field, "no_name", f"The name {why}. Give it a name in letters.")
    if ":" in kept:
        return Problem(field, "bad_name", "The name holds a colon, which QuickBooks keeps for sub-customers. Write it "
                       "without, for example with a dash.")  # fmt: skip
    return _length(field, kept, LONGEST_NAME)


def customer(record: CustomerRecord, fields: Collection[str]) -> list[Problem]:
    """Whatever is wrong with these shared fields of a customer that is about to be sent."""
    found: list[Problem | None] = []
    if "display_name" in fields:
        found.append(name(record.display_name))
    found += [_length(part, getattr(record, part), LONGEST_PART)
              for part in ("given_name", "family_name", "company_name") if part in fields]  # fmt: skip
    texts = {phone.label: phone.text for phone in record.phones}
    found += [_phone(field, texts.get(label, "")) for field, label in PHONES.items() if field in fields]
    if "email" in fields:
        found.append(email(record.email_text))
    if "website" in fields:
        found.append(website(record.website))
    if "address" in fields and record.billing_address is not None:
        parts = {part: getattr(record.billing_address, part) for part in LONGEST_ADDRESS}
        found += [_part(part, text) for part, text in parts.items()]
        if sum(len(text) for part, text in parts.items() if part.startswith("line")) > LONGEST_LINES:
            found.append(Problem("address", "too_long", f"The street has more than {LONGEST_LINES:,} characters."))
    return [problem for problem in found if problem is not None]


def email(text: str) -> Problem | None:
    """One or several addresses, separated by commas."""
    wrong = [one for one in (part.strip() for part in text.split(",")) if one and not _EMAIL.fullmatch(one)]
    if wrong:
        return Problem("email", "bad_email", f"“{wrong[0]}” is no e-mail address. Correct or remove it.")
    return _length("email", text, LONGEST_EMAIL)


def website(text: str) -> Problem | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and "." in (parts.hostname or "") and not re.search(r"\s", text)
    except ValueError:
        good = False
    if not good:
        return Problem("website", "bad_url", f"“{text[:80]}” is no web address. Correct or clear it.")
    return _length("website", text, LONGEST_URL)


def dated(day: date | None, *, closed_until: date | None) -> Problem | None:
    """A document, by the day on which the books were last closed."""
    if day is None or closed_until is None or day > closed_until:
        return None
    return Problem("date", "closed_books", f"The books are closed up to {closed_until:%B} {closed_until.day}, "
                   f"{closed_until.year}. Choose a later date, or have the accountant open the period.")  # fmt: skip


def currency(code: str, *, home: str, theirs: str = "", several: bool | None = None) -> Problem | None:
    """A document's currency: the customer's own, and only the home currency where the books keep one."""
    if not code:
        return None
    if several is False and home and code != home:
        return Problem("currency", "bad_currency", f"These books are kept in {home} only; {code} cannot be used.")
    if theirs and code != theirs:
        return Problem("currency", "bad_currency", f"The customer is billed in {theirs}; {code} cannot be used.")
    return None


def number(text: str, *, own_numbers: bool | None) -> Problem | None:
    """A document's number, by whether the company gives numbers itself."""
    if len(text) > LONGEST_NUMBER:
        return Problem("number", "bad_number", f"The number has {len(text)} characters; QuickBooks keeps "
                       f"{LONGEST_NUMBER}. Shorten it.")  # fmt: skip
    if own_numbers and not text.strip():
        return Problem("number", "bad_number", "This company gives its documents numbers itself: without one, the "
                       "document would have none. Give it a number.")  # fmt: skip
    return None


def reference(title: str, *, active: bool, there: bool = True) -> Problem | None:
    """Something that is pointed to ("the customer", "the item “Filter”")."""
    if not there:
        return Problem("reference", "reference", f"{title[:1].upper()}{title[1:]} does not exist in QuickBooks.")
    if not active:
        return Problem("reference", "inactive", f"{title[:1].upper()}{title[1:]} is inactive in QuickBooks. Make it "
                       "active there, or choose another one.")  # fmt: skip
    return None


def _phone(field: str, text: str) -> Problem | None:
    if len(text) <= LONGEST_PHONE:
        return None
    return Problem(field, "bad_phone", f"The {TITLES[field]} “{text[:60]}” has {len(text)} characters; QuickBooks "
                   f"keeps {LONGEST_PHONE}. Shorten it.")  # fmt: skip


def _part(part: str, text: str) -> Problem | None:
    longest = LONGEST_ADDRESS[part]
    return _too_long("address", _ADDRESS_WORDS.get(part, part), text, longest) if len(text) > longest else None


def _length(field: str, text: str, longest: int) -> Problem | None:
    return _too_long(field, TITLES[field], text, longest) if len(text) > longest else None


def _too_long(field: str, words: str, text: str, longest: int) -> Problem:
    sentence = f"The {words} has {len(text):,} characters; QuickBooks keeps {longest:,}. Shorten it."
    return Problem(field, "too_long", sentence)
