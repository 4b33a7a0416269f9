"""Reading phone numbers in any notation.

`read_phones` takes the text of one phone field, which may hold several numbers, an extension or words, and gives every
number in E.164. Plain North American notations are read by one regular expression (about a microsecond), all others by
Google's libphonenumber in the company's country. A number that cannot be read is kept as it stands with `e164` None, so
that nothing a person typed is lost. It does not check that a number is assigned: books are full of 555 numbers.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import (
    Leniency,
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    ValidationResult,
)

from crm.domain.name_tables import words

NANP = words("US CA PR DO JM TT BS BB AG AI VG VI KY BM GD TC MS MP GU AS SX LC DM VC KN")
REGIONS = {"UK": "GB", "": "US"}
MAX_FIELD = 200

_PLAIN_NANP = re.compile(
    r"\s*(?:\+?1[\s.\-/]*)?\(?([2-9]\d\d)\)?[\s.\-/]*(\d{3})[\s.\-]*(\d{4})"
    r"(?:[\s,;]*(?:x|ext|extn|extension|#)[\s.:#]*(\d{1,6}))?\s*", re.IGNORECASE)
_ANY_NANP = re.compile(rf"(?<![\d+]){_PLAIN_NANP.pattern}(?!\d)", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[;/|\n\r&]|,(?!\s*(?:e?xt?\b|ext))|\bor\b|\band\b)\s*", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_LOCAL = re.compile(r"[2-9]\d\d[-. ]?\d{4}")
_WITHIN = frozenset(("US", "CA"))
"""Where a number of seven digits lacks its area code; on some islands libphonenumber puts the only one before it."""


class Phone(NamedTuple):
    """One number: as typed, in E.164 (None if it cannot be read), its extension, and which field it came from."""

    raw: str
    e164: str | None
    extension: str | None = None
    label: str = "phone"


def read_phones(text: str | None, region: str = "US", label: str = "phone") -> tuple[Phone, ...]:
    """Every number in one field; `region` is the ISO country whose local notation applies. Never raises."""
    if not text:
        return ()
    region = region.upper() if region else "US"
    if region in NANP:
        phone = _read_plain(text, label)
        if phone:
            return (phone,)
    text = text[:MAX_FIELD].strip()
    if not text:
        return ()
    if region in _WITHIN and (phone := _read_worded(text, label)):
        return (phone,)
    if len(_DIGIT.findall(text)) <= 16 and (phone := _read_any(text, region, label)):
        return (phone,)
    if region in NANP and (found := _find_plain(text, label)):
        return _unique(found)
    parts = [part for part in _BETWEEN.split(text) if part and not part.isspace()]
    if len(parts) > 1:
        return _unique(phone for part in parts[:10] for phone in _read_part(part, region, label))
    return _unique(_read_part(text, region, label))


def _read_plain(text: str, label: str) -> Phone | None:
    found = _PLAIN_NANP.fullmatch(text)
    if not found or not text.isascii():
        return None
    return _phone_of(found, text.strip(), label)


def _read_worded(text: str, label: str) -> Phone | None:
    """What libphonenumber and `_find_plain` would say, for the notations that it is slow to refuse.

    One number with words around it ("cell 650-555-1234", "650-555-1234 (wife)"), or without its area code.
    """
    if not text.isascii() or not text.isprintable():
        return None
    if _LOCAL.fullmatch(text):
        return Phone(text, None, None, label)
    found = _ANY_NANP.search(text)
    if not found or found.group(4):
        return None
    head, tail = text[: found.start()], text[found.end() :]
    if not _NOT_WORDS.isdisjoint(head) or not _NOT_WORDS.isdisjoint(tail):
        return None
    letters = sum(map(str.isalpha, tail))
    if letters > 2:  # read as digits of a vanity number, they are too many: libphonenumber refuses
        return _phone_of(found, found.group().strip(), label)
    return None if letters else _phone_of(found, text, label)


_NOT_WORDS = frozenset("0123456789+;=#/\\")
"""With one of these beside the number, libphonenumber is asked."""


def _phone_of(found: re.Match[str], raw: str, label: str) -> Phone:
    area, exchange, line, extension = found.groups()
    number = area + exchange + line
    return Phone(raw, None if is_placeholder(number) else "+1" + number, extension, label)


def _find_plain(text: str, label: str) -> list[Phone]:
    """Every North American number in a text with words ("cell 650/555-1234"), or none if other digits stay unread."""
    found = list(_ANY_NANP.finditer(text)) if text.isascii() else []
    unread = len(_DIGIT.findall(text)) - sum(len(_DIGIT.findall(match.group())) for match in found)
    return [_phone_of(match, match.group().strip(), label) for match in found] if unread < 5 else []


def is_placeholder(national: str) -> bool:
    """Numbers typed only to fill the field: one digit repeated, or counting up (1234567890, 2345678901)."""
    return national == national[0] * len(national) or (len(national) > 7 and national in "012345678901234567890")


def _read_any(text: str, region: str, label: str) -> Phone | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    national = phonenumbers.national_significant_number(number)
    e164 = None if is_placeholder(national) else phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return Phone(text, e164, number.extension or None, label)


def _read_part(text: str, region: str, label: str) -> list[Phone]:
    """The numbers in a part; words around a number ("Amy cell 555 010 2233 after 5") are passed over."""
    phone = (_read_plain(text, label) if region in NANP else None) or _read_any(text, region, label)
    if phone:
        return [phone]
    found: list[Phone] = []
    if len(_DIGIT.findall(text)) >= 7 and region in phonenumbers.SUPPORTED_REGIONS:
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.POSSIBLE):
            phone = _read_any(match.raw_string, region, label)
            if phone:
                found.append(phone)
    return found or [Phone(text, None, None, label)]


def _unique(phones: Iterable[Phone]) -> tuple[Phone, ...]:
    return tuple({(p.e164 or p.raw, p.extension): p for p in phones}.values())


def region_of(country: str) -> str:
    """ISO code of a company's country as the books say it; what is no code is taken as the United States."""
    code = REGIONS.get(country.strip().upper(), country.strip().upper())
    return code if len(code) == 2 else "US"


@lru_cache(maxsize=4096)
def shown_phone(e164: str) -> str:
    """"+15550102233" -> "+1 555 010 2233"."""
    if e164.startswith("+1") and len(e164) == 12:
        return f"+1 {e164[2:5]} {e164[5:8]} {e164[8:]}"
    try:
        return phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return e164
