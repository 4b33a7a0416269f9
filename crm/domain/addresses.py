"""Reading postal addresses just far enough to compare them.

`read_address` takes the lines of an address and gives house number, street, unit, postal code and town in a common
form ("Street" and "St." alike, "#4" and "Apt 4" alike). Used as evidence by `matching` and as a key by `identity`. It
does not check that an address exists, and it is not for printing.
"""

import re
from dataclasses import dataclass

from crm.domain.name_tables import words
from crm.domain.names import fold

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


@dataclass(frozen=True, slots=True)
class AddressKey:
    """An address in comparable form; any part may be empty. `postal` is five digits in the US, else without spaces."""

    number: str = ""
    street: str = ""
    unit: str = ""
    postal: str = ""
    city: str = ""


def read_address(*lines: str | None, city: str | None = "", postal: str | None = "") -> AddressKey | None:
    """The comparable form of an address, or None when the lines and fields are all empty. Never raises."""
    number = street = unit = ""
    for line in (text[:500] for text in lines if text):
        unit = unit or (_unit_in(line) or "")
        if number:
            continue
        number, street = _street_in(line)
    code = "".join(c for c in (postal or "")[:30].upper() if c.isalnum())
    if code[:5].isdigit() and len(code) == 9:
        code = code[:5]
    town = fold((city or "")[:255])
    if not (number or street or code or town):
        return None
    return AddressKey(number, street, unit, code, town)


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
    parts = [_STREET_WORDS.get(word, word) for word in street.split()]
    telling = [word for word in parts if word not in _SUFFIXES] or parts
    return number.replace(" ", ""), " ".join(telling)
