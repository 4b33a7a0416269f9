"""The contact list the same firm kept by itself: what its CRM is filled from before it meets the books.

`contacts(size, seed)` yields as many rows as the company of that size and seed has customers. Most rows are people of
the books in other handwriting (another notation, a nickname, a slip, a new address, the spouse, a new mail box), some
are leads the books never saw, some are traps: people who look like a customer and are not. Each row comes with a
`Label`, the truth, which is written to a file of its own and never into the list. Pure; `write_contacts` writes CSV.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from sandbox.seed import dirt
from sandbox.seed import vocabulary as words
from sandbox.seed.people import Entry, Person, line_of, make_person, make_place, stream_for
from sandbox.seed.roster import entries

COLUMNS = ("Name", "First name", "Last name", "Company", "Phone", "Mobile", "Email", "Street", "City", "State", "Zip",
           "Type", "Tags", "Owner e-mail", "Notes")  # fmt: skip
LABEL_COLUMNS = ("row", "customer_id", "also", "case")
OWNERS = ("dana@bedrock-foundation.example", "luis@bedrock-foundation.example", "", "kim@bedrock-foundation.example")
TAGS = ("", "", "basement", "piers", "warranty", "realtor referral", "home show 2025", "crawl space; sump", "vip")
LEAD_NOTES = ("", "", "Web form: crack in garage slab.", "Asked for a quote, never called back.", "Met at home show.")

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one row. `customer_id` is empty for people the books do not know; `also` are ids of the same
    person's other entries, as good an answer as the first. `case` names what was done to the row."""

    row: int
    customer_id: str
    also: tuple[str, ...]
    case: str


def contacts(size: int, seed: int) -> Iterator[tuple[Row, Label]]:
    """(row, label), `size` of them, in a fixed order; rows count from 1. Raises ValueError for a size out of range."""
    number = 0
    for group in entries(size, seed):
        for entry in group:
            number += 1
            stream = stream_for(seed, "contacts", entry.position)
            row, known, case = draw(entry, stream)
            others = tuple(str(int(entry.id) - entry.position + other) for other in entry.same_as)
            yield row, Label(number, entry.id, others, case) if known else Label(number, "", (), case)


def draw(entry: Entry, stream: Random) -> tuple[Row, bool, str]:
    """A row for this place in the list: the customer in other handwriting, a lead, or a trap."""
    if entry.kind in ("unit", "project"):
        return lead(entry, stream) if stream.random() < 0.7 else tenant(entry, stream)
    roll = stream.random()
    if roll < 0.20:
        return lead(entry, stream)
    if roll < 0.28:
        return TRAPS[stream.randrange(len(TRAPS))](entry, stream)
    names, weights = tuple(CHANGES), tuple(weight for weight, _ in CHANGES.values())
    case = stream.choices(names, weights)[0]
    row = CHANGES[case][1](entry.person, entry, stream)
    return row, True, case


def written(person: Person, stream: Random, *, name: str = "", mail: str | None = None) -> Row:
    """A person as the sales staff types them: their own notation of the same facts, some columns left empty."""
    place = person.place
    split = stream.random() < 0.6
    row = dict.fromkeys(COLUMNS, "")
    spoken = name or dirt.name_order(person.given, person.family, stream, person.middle)
    row["Name"] = f"{spoken} {person.suffix}".strip()
    if split:
        row["First name"], row["Last name"] = person.given, f"{person.family} {person.suffix}".strip()
    row["Company"] = person.company
    row["Phone"] = dirt.written_phone(person.phone, stream, person.extension) if stream.random() < 0.8 else ""
    row["Mobile"] = dirt.written_phone(person.mobile, stream) if stream.random() < 0.5 else ""
    address = person.email if mail is None else mail
    row["Email"] = dirt.crowded_email((address,), stream) if stream.random() < 0.75 else ""
    if stream.random() < 0.8:
        row["Street"] = dirt.written_street(place.number, place.street, place.kind, stream)
        row["City"], row["State"], row["Zip"] = place.city, place.state, place.zip if stream.random() < 0.9 else ""
    row["Type"] = "Business" if person.company else "Homeowner"
    row["Tags"], row["Owner e-mail"] = stream.choice(TAGS), stream.choice(OWNERS)
    return row


# -- the customer, written differently


def plainly(person: Person, entry: Entry, stream: Random) -> Row:
    return written(person, stream)


def by_nickname(person: Person, entry: Entry, stream: Random) -> Row:
    row = written(person, stream, name=f"{dirt.short_form(person.given, stream)} {person.family}")
    row["First name"] = row["Last name"] = ""
    return row


def with_typo(person: Person, entry: Entry, stream: Random) -> Row:
    slipped = replace(person, family=dirt.typo(person.family, stream))
    return written(slipped, stream, name=f"{slipped.given} {slipped.family}")


def moved(person: Person, entry: Entry, stream: Random) -> Row:
    return written(replace(person, place=make_place(entry.group, stream)), stream)


def by_spouse(person: Person, entry: Entry, stream: Random) -> Row:
    """The other half of a couple, on the house line; only couples have one, others are written plainly."""
    if not person.spouse:
        return written(person, stream)
    row = written(replace(person, given=person.spouse, mobile="", email=""), stream)
    row["Phone"] = row["Phone"] or dirt.written_phone(person.phone, stream)
    return row


def with_new_mail(person: Person, entry: Entry, stream: Random) -> Row:
    row = written(person, stream, mail=f"new.{person.email}")
    row["Phone"] = row["Phone"] or dirt.written_phone(person.phone, stream, person.extension)
    return row


def with_new_mobile(person: Person, entry: Entry, stream: Random) -> Row:
    row = written(replace(person, phone="", mobile=line_of(entry.group, 3)), stream)
    row["Email"] = row["Email"] or person.email
    return row


def as_couple(person: Person, entry: Entry, stream: Random) -> Row:
    other = person.spouse or stream.choice(("Mary", "Linda", "Susan", "David"))
    row = written(person, stream, name=dirt.couple_name(person.given, other, person.family, stream))
    row["First name"] = row["Last name"] = ""
    return row


Change = Callable[[Person, Entry, Random], Row]
CHANGES: dict[str, tuple[int, Change]] = {
    "plain": (40, plainly), "nickname": (14, by_nickname), "typo": (10, with_typo), "moved": (9, moved),
    "spouse": (8, by_spouse), "new_mail": (8, with_new_mail), "new_mobile": (5, with_new_mobile),
    "couple": (6, as_couple),
}  # fmt: skip


# -- people the books do not know

Drawn = tuple[Row, bool, str]


def lead(entry: Entry, stream: Random) -> Drawn:
    """Somebody who asked and was never billed; the first of a group has the group's spare line."""
    person = make_person(entry.group, stream, mobile_slot=3)
    person = replace(person, phone="", mobile=line_of(entry.group, 3) if first_of_group(entry) else "",
                     email=f"lead{entry.position}.{person.email}")  # fmt: skip
    row = written(person, stream)
    row["Type"], row["Notes"] = "Lead", stream.choice(LEAD_NOTES)
    return row, False, "lead"


def first_of_group(entry: Entry) -> bool:
    return entry.parent is None and all(other > entry.position for other in entry.same_as)


def tenant(entry: Entry, stream: Random) -> Drawn:
    """Lives at a customer's unit or site, is somebody else: only the address agrees."""
    person = replace(make_person(entry.group, stream, mobile_slot=3), place=entry.person.place, phone="", mobile="")
    return written(replace(person, email=f"tenant{entry.position}.{person.email}"), stream), False, "tenant"


def son_at_home(entry: Entry, stream: Random) -> Drawn:
    """Same telephone, same house, same family name; another given name and mail box."""
    known = entry.person
    given = stream.choice([name for name in words.GIVEN_NAMES if name[0] != known.given[0]])
    person = replace(make_person(entry.group, stream, given=given, family=known.family), place=known.place, mobile="",
                     company="", email=f"kid{entry.position}@{stream.choice(words.MAIL_HOSTS)}")  # fmt: skip
    row = written(person, stream, name=f"{given} {known.family}")
    row["Phone"] = dirt.written_phone(known.phone or known.mobile, stream)
    return row, False, "relative_same_line"


def namesake(entry: Entry, stream: Random) -> Drawn:
    """Same name in another town; nothing else agrees."""
    known = entry.person
    person = make_person(entry.group, stream, mobile_slot=3, given=known.given, family=known.family)
    person = replace(person, place=make_place(entry.group + 1, stream), phone="", mobile="",
                     email=f"other{entry.position}.{person.email}")  # fmt: skip
    return written(person, stream, name=f"{known.given} {known.family}"), False, "namesake"


def colleague(entry: Entry, stream: Random) -> Drawn:
    """Another person behind the same office line and role mail box."""
    known = entry.person
    if not known.company:
        return son_at_home(entry, stream)
    person = make_person(entry.group, stream, company=known.company)
    row = written(replace(person, place=known.place, mobile="", extension=str(stream.randrange(500, 900))), stream,
                  mail=f"info@{known.email.rpartition('@')[2]}")  # fmt: skip
    row["Phone"] = dirt.written_phone(known.phone, stream, str(stream.randrange(500, 900)))
    return row, False, "colleague_shared_line"


def line_reused(entry: Entry, stream: Random) -> Drawn:
    """A stranger who was given a customer's old number."""
    known = entry.person
    person = make_person(entry.group, stream, mobile_slot=3)
    mail = f"new{entry.position}.{person.email}"
    person = replace(person, place=make_place(entry.group, stream), mobile="", email=mail)
    row = written(person, stream, name=f"{person.given} {person.family}")
    row["Phone"] = dirt.written_phone(known.phone or known.mobile, stream)
    return row, False, "line_reused"


TRAPS: tuple[Callable[[Entry, Random], Drawn], ...] = (son_at_home, namesake, colleague, line_reused)


def write_contacts(path: Path, size: int, seed: int, labels: Path | None = None) -> int:
    """Write the list as CSV (UTF-8, header row) and, if asked, the truth beside it; returns the number of rows."""
    number = 0
    label_lines: list[tuple[object, ...]] = []
    with path.open("w", encoding="utf-8", newline="") as out:
        sheet = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        sheet.writeheader()
        for row, label in contacts(size, seed):
            sheet.writerow(row)
            label_lines.append((label.row, label.customer_id, "|".join(label.also), label.case))
            number += 1
    if labels is not None:
        with labels.open("w", encoding="utf-8", newline="") as out:
            truth = csv.writer(out, lineterminator="\n")
            truth.writerow(LABEL_COLUMNS)
            truth.writerows(label_lines)
    return number
