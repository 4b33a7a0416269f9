"""The kinds of group found in a trade's customer list, and what the office typed for each.

One builder per kind: (group, random stream) -> entries with positions counted from 0. `roster` gives them their place
and a free name. The awkward kinds are the point: relatives behind one line, one person entered twice, colleagues
behind one switchboard, a landlord's units, two people of one name.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from sandbox.seed import dirt
from sandbox.seed import vocabulary as words
from sandbox.seed.people import Entry, Person, Place, firm_name, line_of, make_person, make_place, plain

Builder = Callable[[int, Random], list[Entry]]
UNIT_NAMES = ("Unit {}", "Apt {}", "#{}", "Suite {}")
PROJECTS = ("Basement waterproofing", "Pier install - north wall", "Crack injection phase 1", "Sump pump replacement",
            "Crawl space encapsulation", "Wall bracing", "Warranty call")  # fmt: skip
SPOUSES = ("Amy", "Mary", "Linda", "James", "Michael", "Susan")
NOTES = ("Gate code 4411. Dog in yard.", "Call before coming.", "Prefers texts. Crack on east wall, 8 ft.",
         "Transferable warranty given to seller.", "Referred by neighbor.", "Pays by check only.",
         "Seasonal seepage, recheck in spring.", "Husband handles scheduling.")  # fmt: skip


def typed(position: int, group: int, kind: str, person: Person, display: str, stream: Random) -> Entry:
    """A person as the office writes them down: facts get lost, land in the wrong field, or change their notation."""
    place = person.place
    entry = Entry(position, group, kind, person, display)
    entry.active = stream.random() >= 0.05
    entry.taxable = stream.random() >= 0.08
    entry.names_filled = stream.random() >= 0.10
    if stream.random() >= 0.10:
        entry.street = dirt.written_street(place.number, place.street, place.kind, stream)
    write_phones(entry, stream)
    addresses = (person.email,) if stream.random() >= 0.08 else (person.email, f"work.{person.email}")
    if stream.random() >= 0.24:
        entry.email = dirt.crowded_email(addresses, stream)
    if stream.random() < 0.14:
        entry.notes = stream.choice(NOTES)
    return entry


def write_phones(entry: Entry, stream: Random) -> None:
    """House line and mobile into PrimaryPhone, Mobile, AlternatePhone, both into one field, the notes, or nowhere."""
    person = entry.person
    line = dirt.written_phone(person.phone, stream, person.extension)
    mobile = dirt.written_phone(person.mobile, stream)
    roll = stream.random()
    if roll < 0.09:
        return
    if roll < 0.12:
        entry.notes = f"Cell {mobile}"
    elif roll < 0.15 and not person.extension:
        digits = person.phone
        entry.phone = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}/{person.mobile}"
    elif roll < 0.40:
        entry.phone = line
    elif roll < 0.55:
        entry.mobile = mobile
    elif roll < 0.62:
        entry.phone, entry.alternate = mobile, line
    else:
        entry.phone, entry.mobile = line, mobile


def person(group: int, stream: Random) -> list[Entry]:
    who = make_person(group, stream)
    display = dirt.name_order(who.given, who.family, stream, who.middle)
    if stream.random() < 0.03:
        display += stream.choice((" - crawl space", " (rental)", " - DO NOT CALL", " / warranty"))
    return [typed(0, group, "person", who, display, stream)]


def couple(group: int, stream: Random) -> list[Entry]:
    who = make_person(group, stream)
    spouse = stream.choice([name for name in SPOUSES if name != who.given])
    who = replace(who, spouse=spouse)
    one, other = dirt.short_form(who.given, stream), dirt.short_form(spouse, stream)
    return [typed(0, group, "couple", who, dirt.couple_name(one, other, who.family, stream), stream)]


def company(group: int, stream: Random) -> list[Entry]:
    """A firm with a contact person; DisplayName may be the firm, the person, or both."""
    name = firm_name(stream, words.COMPANY_KINDS)
    who = at_work(make_person(group, stream, company=name), group, stream)
    roll = stream.random()
    spoken = f"{who.given} {who.family}"
    display = name if roll < 0.75 else spoken if roll < 0.9 else f"{spoken} ({name})"
    entry = typed(0, group, "company", who, display, stream)
    if stream.random() < 0.4:
        entry.fax = dirt.written_phone(line_of(group, 2), stream)
    return [entry]


def at_work(who: Person, group: int, stream: Random) -> Person:
    """The same person behind the firm's line and mail domain; one in three mail boxes is a role, not a person."""
    box = stream.choice(words.ROLE_BOXES) if stream.random() < 0.35 else plain(who.given)
    extension = str(stream.randrange(10, 400)) if stream.random() < 0.3 else ""
    return replace(who, email=f"{box}@{plain(who.company)[:18]}{group}.example", extension=extension)


def shared_office(group: int, stream: Random) -> list[Entry]:
    """Colleagues entered as customers of their own, all behind one switchboard."""
    name = firm_name(stream, words.COMPANY_KINDS)
    host, place = f"{plain(name)[:18]}{group}.example", make_place(group, stream)
    entries = []
    for position in range(stream.randrange(2, 4)):
        who = make_person(group, stream, company=name)
        who = replace(who, place=place, mobile="", extension=str(101 + position), email=f"{plain(who.given)}@{host}")
        entry = typed(position, group, "shared_office", who, f"{who.given} {who.family}", stream)
        entry.phone, entry.mobile = dirt.written_phone(who.phone, stream, who.extension), ""
        entries.append(entry)
    return entries


def manager(group: int, stream: Random) -> list[Entry]:
    """A property manager, and one sub-customer per unit or address; units carry the manager's line and mail."""
    name = firm_name(stream, words.MANAGER_KINDS)
    who = at_work(make_person(group, stream, company=name), group, stream)
    parent = typed(0, group, "manager", who, name, stream)
    parent.active = True
    parent.phone = parent.phone or dirt.written_phone(who.phone, stream, who.extension)
    entries = [parent]
    building = make_place(group, stream)
    for position in range(1, 1 + stream.choice((2, 3, 3, 4, 4, 5, 7))):
        entries.append(unit(position, group, who, building, parent, stream))
    return entries


def unit(position: int, group: int, who: Person, building: Place, parent: Entry, stream: Random) -> Entry:
    scattered = stream.random() < 0.4
    place = make_place(group, stream) if scattered else building
    label = "" if scattered else stream.choice(UNIT_NAMES).format(position)
    street = dirt.written_street(place.number, place.street, place.kind, stream)
    entry = typed(position, group, "unit", replace(who, place=place), f"{street} {label}".strip(), stream)
    entry.street, entry.unit, entry.parent = street, label, 0
    entry.phone, entry.mobile, entry.alternate = parent.phone, "", ""
    entry.email = parent.email if stream.random() < 0.5 else ""
    entry.names_filled = False
    return entry


def projects(group: int, stream: Random) -> list[Entry]:
    """A customer with one or two projects, which QBO keeps as customers with IsProject."""
    parent = person(group, stream)[0]
    parent.kind, parent.active = "with_projects", True
    entries = [parent]
    for position, what in enumerate(stream.sample(PROJECTS, stream.randrange(1, 3)), start=1):
        entry = replace(parent, position=position, kind="project", display=f"{what} {parent.person.family}", parent=0)
        entry.phone = entry.mobile = entry.alternate = entry.email = entry.notes = ""
        entries.append(entry)
    return entries


def duplicate(group: int, stream: Random) -> list[Entry]:
    """One person entered twice: once in full, once in a hurry."""
    who = make_person(group, stream)
    first = typed(0, group, "duplicate", who, f"{who.given} {who.family}", stream)
    hurried = stream.choice((
        f"{who.family}, {dirt.short_form(who.given, stream)}", f"{who.given} {dirt.typo(who.family, stream)}",
        f"{who.given[0]}. {who.family}", f"{dirt.short_form(who.given, stream)} {who.family}",
    ))  # fmt: skip
    second = typed(1, group, "duplicate", who, hurried, stream)
    first.phone = first.phone or dirt.written_phone(who.phone, stream)
    first.active = True
    first.same_as, second.same_as = (1,), (0,)
    return [first, second]


def father_and_son(group: int, stream: Random) -> list[Entry]:
    """Two people of one name, one house and one telephone: only the suffix and the e-mail tell them apart."""
    father = make_person(group, stream)
    son = make_person(group, stream, mobile_slot=2, given=father.given, family=father.family)
    son = replace(son, place=father.place)
    tails = stream.choice((("Sr.", "Jr."), ("", "Jr"), ("", "II"), ("Sr", "Jr")))
    entries = []
    for position, who in enumerate((father, son)):
        who = replace(who, suffix=tails[position])
        name = f"{who.given} {who.family} {who.suffix}".strip()
        entry = typed(position, group, "father_and_son", who, name, stream)
        entry.phone, entry.street = dirt.written_phone(father.phone, stream), street_of(father, stream)
        entries.append(entry)
    return entries


def street_of(who: Person, stream: Random) -> str:
    return dirt.written_street(who.place.number, who.place.street, who.place.kind, stream)


def family_line(group: int, stream: Random) -> list[Entry]:
    """Two relatives behind one house line, with different given names, mobiles and mail boxes."""
    one = make_person(group, stream)
    other = make_person(group, stream, mobile_slot=2, family=one.family)
    entries = []
    for position, who in enumerate((one, other)):
        entry = typed(position, group, "family_line", who, f"{who.given} {who.family}", stream)
        entry.phone = dirt.written_phone(one.phone, stream)
        entries.append(entry)
    return entries


def namesakes(group: int, stream: Random) -> list[Entry]:
    """Two strangers of one name in two towns: no telephone, mail or address in common."""
    one = make_person(group, stream)
    other = make_person(group, stream, mobile_slot=2, given=one.given, family=one.family)
    other = replace(other, phone="", place=make_place(group + 1, stream))
    names = (f"{one.given} {one.family}", f"{other.given} {other.family} - {other.place.city}")
    return [typed(0, group, "namesakes", one, names[0], stream), typed(1, group, "namesakes", other, names[1], stream)]


BUILDERS: dict[str, Builder] = {
    "person": person, "couple": couple, "company": company, "manager": manager, "duplicate": duplicate,
    "father_and_son": father_and_son, "shared_office": shared_office, "family_line": family_line, "projects": projects,
    "namesakes": namesakes,
}  # fmt: skip
