"""The error model: what happens to the truth when an office writes it down, and how often.

`ERRORS` is the model, one line for each kind of dirt with its share on the books' side and on the list's; `written`
makes a record of a `Who` and applies each with its share, independently. Notations (of phones, streets, names) are
not errors and always vary. Shares are ours, set above what books of small firms show, so that each kind occurs often.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from bench.matching.people import Who, line, place, plain
from bench.matching.records import Record
from sandbox.seed import dirt
from sandbox.seed import vocabulary as words


class Error(NamedTuple):
    """`books` and `list`: in how many of a hundred records of that side."""

    name: str
    books: float
    list: float
    what: str


ERRORS = (
    Error("name slip", 2, 4, "one letter of the family name swapped, lost or doubled"),
    Error("nickname", 6, 14, "Bob for Robert"),
    Error("initial", 1, 2, "only the first letter of the given name"),
    Error("turned", 6, 10, "Smith, John or Smith John"),
    Error("case", 4, 7, "all capitals or all small letters"),
    Error("title", 3, 3, "Mr., Dr. before the name"),
    Error("middle", 6, 6, "with the middle initial"),
    Error("remark", 2, 2, "a note behind the name: (rental), - crawl space"),
    Error("no suffix", 15, 40, "Jr. or Sr. left off, where there is one"),
    Error("one of two", 30, 45, "only one of a couple is named, either one"),
    Error("new family name", 0.3, 0.7, "after a wedding"),
    Error("no phone", 12, 15, "the house or office line is missing"),
    Error("no mobile", 40, 35, "the mobile is missing"),
    Error("phone slip", 1, 1.5, "a digit wrong or two exchanged"),
    Error("new mobile", 1, 4, "a number the other side does not know"),
    Error("fields exchanged", 6, 8, "the mobile stands where the line belongs"),
    Error("both in one field", 3, 2, "555-1234 / 555-9876"),
    Error("no e-mail", 20, 18, "missing"),
    Error("stale e-mail", 2, 6, "another address than the other side has"),
    Error("e-mail slip", 0.7, 1.2, "one letter wrong"),
    Error("role address", 25, 20, "info@ instead of the person, in firms"),
    Error("no address", 10, 18, "missing"),
    Error("moved", 2, 6, "another address than the other side has"),
    Error("no zip", 3, 10, "street and town only"),
    Error("legal form", 25, 35, "LLC, Inc., Co. left off, put on, written otherwise"),
    Error("abbreviated", 10, 15, "Constr. for Construction, & for and, with The"),
    Error("firm slip", 1, 2, "one letter of the company name"),
    Error("no company", 5, 15, "only the person is named"),
    Error("no person", 30, 10, "only the firm is named"),
    Error("name in fields", -65, -55, "first and last name in fields of their own (no error: the share that has it)"),
)
_SHARE = {side: {e.name: abs(getattr(e, side)) / 100 for e in ERRORS} for side in ("books", "list")}
TITLES = ("Mr. ", "Mrs. ", "Dr. ", "Ms. ")
REMARKS = (" - crawl space", " (rental)", " - DO NOT CALL", " (warranty)")
SHORTER = {
    "Construction": "Constr.", "Management": "Mgmt", "Services": "Svcs", "Property": "Prop",
    "Properties": "Props", "Insurance": "Ins.", "Association": "Assn", "Group": "Grp",
    "Plumbing & Heating": "Plbg and Htg", "Elementary": "Elem.", "Apartments": "Apts", "Builders": "Bldrs",
}  # fmt: skip
FORMS = ("LLC", "Inc.", "Inc", "L.L.C.", "Co.", "Corp.", "")


class Chance:
    """Which errors befall this record: each drawn by its share, and remembered for the label."""

    def __init__(self, side: str, stream: Random):
        self.stream = stream
        self.happened: list[str] = []
        self.share = _SHARE[side]

    def of(self, name: str) -> bool:
        if self.stream.random() >= self.share[name]:
            return False
        self.happened.append(name)
        return True


def written(who: Who, group: int, side: str, stream: Random) -> tuple[Record, str]:
    """(the record as this side holds it, the errors that befell it)."""
    chance = Chance(side, stream)
    record = Record()
    _names(record, who, chance)
    _phones(record, who, group, chance)
    _email(record, who, chance)
    _address(record, who, group, chance)
    return record, "+".join(chance.happened)


def _names(record: Record, who: Who, chance: Chance) -> None:
    stream = chance.stream
    if who.company and not (chance.of("no company") and who.given):
        record.company = company(who.company, chance)
        if not who.given or (chance.of("no person") and not who.colleagues):
            record.name = record.company
            return
    given, family, couple = who.given, who.family, bool(who.spouse)
    if couple and chance.of("one of two"):
        given, couple = stream.choice((given, who.spouse)), False
    family = who.family if not chance.of("new family name") else stream.choice(words.FAMILY_NAMES)
    if chance.of("name slip"):
        family = dirt.typo(family, stream)
    if chance.of("nickname"):
        given = dirt.short_form(given, stream)
    suffix = who.suffix if who.suffix and not chance.of("no suffix") else ""
    if couple:
        record.name = dirt.couple_name(given, who.spouse, family, stream)
    else:
        record.name = spoken(given, family, who.middle, chance)
    record.name = f"{record.name} {suffix}".strip()
    if stream.random() < chance.share["name in fields"]:
        record.first, record.last = given if not couple else f"{given} & {who.spouse}", f"{family} {suffix}".strip()
    if record.company and record.first and stream.random() < 0.5:
        record.name = record.company


def spoken(given: str, family: str, middle: str, chance: Chance) -> str:
    """One person's name as an office types it."""
    stream = chance.stream
    if chance.of("initial"):
        given = f"{given[0]}."
    name = f"{given} {middle}. {family}" if middle and chance.of("middle") else f"{given} {family}"
    if chance.of("turned"):
        name = f"{family}, {given}" if stream.random() < 0.8 else f"{family} {given}"
    elif chance.of("title"):
        name = stream.choice(TITLES) + name
    if chance.of("case"):
        name = name.upper() if stream.random() < 0.6 else name.lower()
    return name + stream.choice(REMARKS) if chance.of("remark") else name


def company(name: str, chance: Chance) -> str:
    """A firm's name as an office types it."""
    stream = chance.stream
    if chance.of("legal form"):
        bare = name
        for form in (", L.L.C.", ", Inc.", " LLC", " Inc", " Co."):
            bare = bare.removesuffix(form)
        name = f"{bare} {stream.choice(FORMS)}".strip()
    if chance.of("abbreviated"):
        for long, short in SHORTER.items():
            name = name.replace(long, short)
        name = f"The {name}" if stream.random() < 0.3 else name.replace("&", "and")
    if chance.of("firm slip"):
        head, _, tail = name.partition(" ")
        name = f"{dirt.typo(head, stream)} {tail}".strip()
    return name


def _phones(record: Record, who: Who, group: int, chance: Chance) -> None:
    stream = chance.stream
    phone = who.phone if not chance.of("no phone") else ""
    mobile = who.mobile if not chance.of("no mobile") else ""
    if mobile and chance.of("new mobile"):
        mobile = line(group, 3)
    if chance.of("phone slip"):
        phone, mobile = (slipped(phone, stream), mobile) if phone else (phone, slipped(mobile, stream))
    if phone and mobile and chance.of("both in one field"):
        record.phone = f"{phone[:3]}-{phone[3:6]}-{phone[6:]} / {mobile[:3]}-{mobile[3:6]}-{mobile[6:]}"
        return
    record.phone = dirt.written_phone(phone, stream, who.extension)
    record.mobile = dirt.written_phone(mobile, stream)
    if chance.of("fields exchanged"):
        record.phone, record.mobile = record.mobile, record.phone


def slipped(digits: str, stream: Random) -> str:
    """One digit of the last four wrong, or two neighbours exchanged."""
    if not digits:
        return ""
    at = stream.randrange(6, 9)
    if stream.random() < 0.5 and digits[at] != digits[at + 1]:
        return digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    return digits[:at] + str((int(digits[at]) + stream.randrange(1, 10)) % 10) + digits[at + 1 :]


def _email(record: Record, who: Who, chance: Chance) -> None:
    if not who.email or chance.of("no e-mail"):
        return
    stream = chance.stream
    box, _, host = who.email.partition("@")
    if who.company and host not in words.MAIL_HOSTS and chance.of("role address"):
        box = "info"
    elif chance.of("stale e-mail"):
        box = f"{plain(who.family) or 'old'}{stream.randrange(10**6, 10**7)}"
    elif chance.of("e-mail slip") and len(box) > 4:
        at = stream.randrange(1, 3)
        box = box[:at] + stream.choice("aeionrst") + box[at + 1 :]
    record.email = dirt.crowded_email((f"{box}@{host}",), stream)


def _address(record: Record, who: Who, group: int, chance: Chance) -> None:
    if chance.of("no address"):
        return
    stream = chance.stream
    spot = place(group, stream) if chance.of("moved") else who.place
    record.street = dirt.written_street(spot.number, spot.street, spot.kind, stream)
    record.unit = f"{stream.choice(('Apt', 'Unit', '#'))} {spot.unit}" if spot.unit else ""
    record.city, record.state = spot.city, spot.state
    record.zip = "" if chance.of("no zip") else spot.zip


