"""What a contact is made of: its types and fields, what may stand in them, and what lists search and sort by.

Services call `clean` and `problems` before they write, and `sort_name` and `search_text` for the two columns that
lists live on; queries call `search_terms` for what a person typed. Pure; takes any text without raising. It does not
decide who is who (see `identity` and `matching`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from crm.domain.identity import bad_emails, fold, read_emails, read_phones, without_deleted

TYPES: dict[str, str] = {
    "lead": "Lead",
    "customer": "Customer",
    "vendor": "Vendor",
    "partner": "Partner",
    "other": "Other",
}

LINK_STATES: dict[str, str] = {
    "none": "Not linked",
    "linked": "Linked",
    "review": "To review",
    "inactive": "Inactive in QuickBooks",
}

LABELS: dict[str, tuple[str, ...]] = {
    "phone": ("mobile", "home", "work", "office", "fax", "other"),
    "email": ("home", "work", "billing", "other"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One text field of a contact: its words on the page and the most characters it holds."""

    label: str
    limit: int
    autocomplete: str = "off"


FIELDS: dict[str, Field] = {
    "display_name": Field("Name", 500, "name"),
    "given_name": Field("First name", 100, "given-name"),
    "family_name": Field("Last name", 100, "family-name"),
    "company_name": Field("Company", 500, "organization"),
    "street": Field("Street", 500, "street-address"),
    "city": Field("City", 255, "address-level2"),
    "region": Field("State", 255, "address-level1"),
    "postal_code": Field("ZIP code", 30, "postal-code"),
    "country": Field("Country", 255, "country-name"),
    "website": Field("Website", 1000, "url"),
}
ADDRESS = ("street", "city", "region", "postal_code", "country")
MAX_LINE = 254
MAX_LINES = 20
MAX_TAG = 60
MAX_NOTE = 20_000
MAX_SHOWN_PHONE = 60
PHONE_DIGITS = 7
"""From so many digits on, a search is taken for a whole phone number, written with prefixes or without."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029\ufeff]+")
_NOT_DIGITS = re.compile(r"\D+")
_EXTENSION = re.compile(r"[\s,;]*(?:x|ext|extn|extension|#)[\s.:#]*\d{1,6}\s*$", re.IGNORECASE)
_TRUNK = re.compile(r"\(0\)")


@dataclass(frozen=True, slots=True)
class Line:
    """One phone line or e-mail address: as typed, and as machines compare it (empty when it could not be read)."""

    kind: str
    value: str
    normal: str = ""
    extension: str = ""
    label: str = ""


def clean(text: str | None) -> str:
    """The text without control characters, doubled and outer blanks: what is kept of one line of input."""
    return " ".join(_CONTROL.sub(" ", text or "").split())


def sort_name(display_name: str) -> str:
    """Lower case without accents and marks; never empty for a name that has any character."""
    return (fold(without_deleted(display_name)) or display_name.strip().casefold())[:500]


def name_from(values: Mapping[str, str]) -> str:
    """The name to show where none was given: the person's, else the company's, else the first e-mail or phone."""
    person = f"{values.get('given_name', '')} {values.get('family_name', '')}".strip()
    return person or values.get("company_name", "") or values.get("email", "") or values.get("phone", "")


def search_text(
    *,
    names: Iterable[str | None],
    phones: Iterable[str | None],
    emails: Iterable[str | None],
    address: Iterable[str | None],
) -> str:
    """One folded text to search in. `phones` in E.164 where known, else as typed; `address` is its parts.

    It begins with a blank, so that " am" finds every word beginning with "am".
    """
    parts = [fold(text) for text in names if text]
    parts += [email.lower() for email in emails if email]
    parts += [_NOT_DIGITS.sub("", phone) for phone in phones if phone]
    parts.append(fold(" ".join(part for part in address if part)))
    return "".join(f" {part}" for part in dict.fromkeys(parts) if part)


def search_terms(query: str) -> tuple[str, ...]:
    """What a search box text asks for: a contact is found when its search text holds every term.

    A phone in any notation becomes one run of digits without country or trunk prefix and without extension.
    """
    query = query[:200].strip()
    bare = _TRUNK.sub("", _EXTENSION.sub("", query))
    digits = _NOT_DIGITS.sub("", bare)
    if len(digits) >= 3 and not any(map(str.isalpha, bare)):
        if len(digits) < PHONE_DIGITS:
            return (digits,)  # part of a phone, a house number, a ZIP code
        dialled = digits.removeprefix("011").lstrip("0") or digits
        return (dialled[1:] if len(dialled) == 11 and dialled[0] == "1" else dialled,)
    words = [[word.lower()] if "@" in word else fold(word).split() for word in query.split()]
    return tuple(dict.fromkeys(term for terms in words for term in terms))


def read_lines(kind: str, text: str, *, label: str = "", region: str = "US") -> list[Line]:
    """Every phone or e-mail in one field. What cannot be read is kept as typed, so that nothing is lost."""
    text = clean(text)[:MAX_LINE]
    if not text:
        return []
    if kind == "email":
        good = [Line("email", address[:MAX_LINE], address[:MAX_LINE], label=label) for address in read_emails(text)]
        return good or [Line("email", text, label=label)]
    return [
        Line("phone", phone.raw[:MAX_LINE], phone.e164 or "", (phone.extension or "")[:20], label)
        for phone in read_phones(text, region)
    ]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a form: a phone or e-mail field as typed, under its label."""

    kind: str
    value: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole contact as a person or a file gives it."""

    values: Mapping[str, str]
    """`FIELDS` and "type"; what is left out is empty."""
    entries: tuple[Entry, ...] = ()
    tags: tuple[str, ...] = ()
    owner_id: int | None = None


def problems(
    values: Mapping[str, str], entries: Sequence[Entry] = (), *, known: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Field -> the sentence to show beside it; empty when all may be kept. Only fields that are given are looked at.

    Entries are named by kind and place: "phone-0", "email-2". Texts in `known` stand there already and pass unread.
    """
    found: dict[str, str] = {}
    if "display_name" in values and not values["display_name"]:
        found["display_name"] = "A contact needs a name. Enter the person's or the company's name."
    for name, field in FIELDS.items():
        if len(values.get(name, "")) > field.limit:
            found[name] = f"{field.label} is too long: shorten it to {field.limit} characters."
    if values.get("type", "lead") not in TYPES:
        found["type"] = f"Type must be one of {', '.join(TYPES)}."
    if (website := values.get("website")) and "website" not in found and not _is_website(website):
        found["website"] = "Website is not a web address. Write it like example.com or https://example.com."
    return found | _entry_problems(entries, known)


def _entry_problems(entries: Sequence[Entry], known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    place = {"phone": 0, "email": 0}
    for entry in entries:
        name = f"{entry.kind}-{place[entry.kind]}"
        place[entry.kind] += 1
        shown = entry.value if len(entry.value) <= 80 else entry.value[:79] + "…"
        if entry.value in known:
            continue
        if len(entry.value) > MAX_LINE:
            found[name] = f"“{shown}” is too long: shorten it to {MAX_LINE} characters."
        elif entry.kind == "email" and (bad_emails(entry.value) or not read_emails(entry.value)):
            wrong = ", ".join(bad_emails(entry.value))[:80] or shown
            found[name] = f"“{wrong}” is not an e-mail address. Write it like name@example.com."
        elif entry.kind == "phone" and sum(map(str.isdigit, entry.value)) < 3:
            found[name] = f"“{shown}” is not a phone number. Write its digits, or leave the line empty."
    for kind, count in place.items():
        if count > MAX_LINES:
            found[f"{kind}-{MAX_LINES}"] = f"A contact holds up to {MAX_LINES} lines of a kind. Leave some out."
    return found


def read_tags(text: str) -> tuple[str, ...]:
    """Tags as typed in one field, apart by comma, semicolon or bar; each once, whatever its case."""
    parts = (clean(part)[:MAX_TAG].strip() for part in re.split(r"[,;|\n]", text))
    return tuple({part.casefold(): part for part in parts if part}.values())


def _is_website(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and "." in host and not any(c.isspace() for c in text)
