"""Reading postal addresses just far enough to compare them.

`read_address` takes the lines of an address and gives house number, street, unit, postal code and town in a common
form ("Street" and "St." alike, "#4" and "Apt 4" alike). Used as evidence by `matching` and as a key by `identity`. It
does not check that an address exists, and it is not for printing.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from crm.domain.name_tables import words
from crm.domain.names import fold, fold_words

_STREET_WORDS = {
    "street": "st", "str": "st", "strasse": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr",
    "lane": "ln", "boulevard": "blvd", "court": "ct", "place": "pl", "square": "sq", "terrace": "ter",
    "terr": "ter", "circle": "cir", "highway": "hwy", "parkway": "pkwy", "trail": "trl", "crescent": "cres",
    "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se",
    "southwest": "sw", "saint": "st",
    "heights": "hts", "point": "pt", "ridge": "rdg", "crossing": "xing",
    "first": "1st", "second": "2nd", "third": "3rd", "mount": "mt",
    "fourth": "4th", "fifth": "5th", "sixth": "6th", "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th",
}
_SUFFIXES = words("st ave rd dr ln blvd ct pl sq ter cir hwy pkwy trl cres way n s e w ne nw se sw")
_UNIT = re.compile(
    r"[,\s]*(?:#|\b(?:apt|apartment|unit|suite|ste|rm|room|flat|fl|floor)\b)[\s.#:]*([a-z0-9\-]+)", re.IGNORECASE
)
_BOX = re.compile(r"\b(?:p\.?\s*o\.?\s*box|post(?:al)? box|postfach|box)\s*#?\s*(\w+)", re.IGNORECASE)
_HOUSE_FIRST = re.compile(r"(\d+[a-z]?)(?:\s*[-–/]\s*\d+)?\s+(.+)", re.IGNORECASE)
_HOUSE_LAST = re.compile(r"(.+?)\s+(\d+\s?[a-z]?)", re.IGNORECASE)


class AddressKey(NamedTuple):
    """An address in comparable form; any part may be empty. `postal` is five digits in the US, else without spaces."""

    number: str = ""
    street: str = ""
    unit: str = ""
    postal: str = ""
    city: str = ""


def read_address(*lines: str | None, city: str | None = "", postal: str | None = "") -> AddressKey | None:
    """The comparable form of an address, or None when the lines and fields are all empty. Never raises."""
    number = street = unit = ""
    for line in lines:
        if not line:
            continue
        line = line[:500]
        if not number and (plain := _plain_street(line)):
            number, street = plain
            continue
        unit = unit or (_unit_in(line) or "")
        if not number:
            number, street = _street_in(line)
    code = _code(postal) if postal else ""
    town = _town(city[:255]) if city else ""
    if not (number or street or code or town):
        return None
    return AddressKey(number, street, unit, code, town)


def _code(postal: str) -> str:
    code = postal[:30].upper()
    if not code.isalnum():
        code = "".join([c for c in code if c.isalnum()])
    return code[:5] if len(code) == 9 and code[:5].isdigit() else code


_town = lru_cache(maxsize=8192)(fold)


def _plain_street(line: str) -> tuple[str, str] | None:
    """House number and street of a line that is nothing else ("12 Oak St."), as most are; None: look closer."""
    if not line.isascii() or not _MARKS.isdisjoint(line):
        return None
    found = fold_words(line)
    if len(found) < 2 or not _ASIDE.isdisjoint(found) or not found[0][0].isdigit():
        return None
    number = found[0]
    if not (number.isdigit() or (number[:-1].isdigit() and number[-1].isalpha())):
        return None
    lowered = line.lower()
    if "box" in lowered or "postfach" in lowered:
        return None
    return number, _street_of(found[1:])


_MARKS = frozenset("#'`")
_ASIDE = words("apt apartment unit suite ste rm room flat fl floor")
"""Words that stand before the number of a unit, as in _UNIT."""


def _unit_in(line: str) -> str | None:
    found = _UNIT.search(line)
    return fold(found.group(1)).replace(" ", "") if found else None


def _street_in(line: str) -> tuple[str, str]:
    """House number and street of one line, both empty when the line holds none (a name, "c/o", a town)."""
    box = _BOX.search(line)
    if box:
        return fold(box.group(1)), "po box"
    plain = fold(_UNIT.sub(" ", line))
    found = _HOUSE_FIRST.fullmatch(plain)
    if found:
        number, street = found.groups()
    elif found := _HOUSE_LAST.fullmatch(plain):
        street, number = found.groups()
    else:
        return "", ""
    return number.replace(" ", ""), _street_of(street.split())


def _street_of(found: Sequence[str]) -> str:
    """The words that tell a street, "Street" and its like left off where others remain."""
    parts = [_STREET_WORDS.get(word, word) for word in found]
    return " ".join([word for word in parts if word not in _SUFFIXES] or parts)
