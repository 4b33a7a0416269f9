"""What is known of one made-up person or place, and of one customer as the books hold them.

`Person` is the truth, `Entry` what the office typed. Telephone lines are dealt out so that two groups never share one
by accident: a shared line in these books is always meant. Pure: everything follows from the random stream handed in.
"""

import unicodedata
from dataclasses import dataclass, field
from random import Random

from sandbox.seed import vocabulary as words

LARGEST = 100_000  # more customers than this would have to share telephone numbers by accident
FIRST_CUSTOMER_ID = 61  # employees and vendors have the ids below; the three kinds share one sequence of ids

GIVEN: tuple[str, ...] = tuple(words.GIVEN_NAMES)
UNDECOMPOSED = str.maketrans("ŁłØøÆæß", "LlOoAas")  # letters NFKD leaves whole


@dataclass(slots=True, frozen=True)
class Place:
    number: int
    street: str
    kind: tuple[str, str]
    city: str
    state: str
    zip: str


@dataclass(slots=True, frozen=True)
class Person:
    """The truth about one customer, whatever the office typed. Phones are ten digits, empty where there is none."""

    given: str
    family: str
    middle: str
    place: Place
    phone: str
    mobile: str
    email: str
    spouse: str = ""
    company: str = ""
    extension: str = ""
    suffix: str = ""


@dataclass(slots=True)
class Entry:
    """One customer as the books hold it. `position` counts from 0; `same_as` are positions of the same real person."""

    position: int
    group: int
    kind: str
    person: Person
    display: str
    street: str = ""
    unit: str = ""
    phone: str = ""
    mobile: str = ""
    alternate: str = ""
    fax: str = ""
    email: str = ""
    notes: str = ""
    parent: int | None = None
    names_filled: bool = True
    active: bool = True
    taxable: bool = True
    same_as: tuple[int, ...] = field(default=())

    @property
    def id(self) -> str:
        return str(FIRST_CUSTOMER_ID + self.position)


def stream_for(seed: int, purpose: str, number: int) -> Random:
    """A random stream of its own for one group and one purpose: text seeds are hashed alike on every machine."""
    return Random(f"{seed}/{purpose}/{number}")


def area_of(group: int) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The firm fills its home market first (10,000 groups), then grows outward."""
    home, outer = words.HOME_AREAS, words.OUTER_AREAS
    reach = 2_500 * len(home)
    return home[group % len(home)] if group < reach else outer[(group - reach) % len(outer)]


def line_of(group: int, slot: int) -> str:
    """Four fictional lines per group, none shared with another group below 100,000.

    Slot 0 is the house or office, 1 and 2 are mobiles, 3 is kept for people the books do not know.
    """
    areas = words.HOME_AREAS
    width, base = 2_500 * len(areas), group
    if group >= width:
        base, areas = group - width, words.OUTER_AREAS
        width = 2_500 * len(areas)
        base %= width
    number = base + slot * width
    return f"{area_of(group)[0]}555{(number // len(areas) * 7919 + 3141) % 10_000:04d}"


def make_place(group: int, stream: Random) -> Place:
    _, state, towns = area_of(group)
    city, postcode = stream.choice(towns)
    number = stream.randrange(100, 13_000)
    return Place(number, stream.choice(words.STREETS), stream.choice(words.STREET_KINDS), city, state, postcode)


def make_person(group: int, stream: Random, *, mobile_slot: int = 1, **known: str) -> Person:
    """A person with every fact known; what the office failed to write down is decided later."""
    given, family = known.get("given") or stream.choice(GIVEN), known.get("family") or stream.choice(words.FAMILY_NAMES)
    host = stream.choice(words.MAIL_HOSTS)
    style = stream.choice(("{g}.{f}{n}", "{g}{n}", "{i}{f}{n}", "{f}.{g}{n}", "{g}_{f}{n}"))
    box = style.format(g=plain(given), f=plain(family), i=plain(given)[0], n=group * 3 + mobile_slot)
    return Person(
        given, family, stream.choice("ABCDEFGHJKLMNPRSTW"), make_place(group, stream), line_of(group, 0),
        line_of(group, mobile_slot), f"{box}@{host}", company=known.get("company", ""),
    )  # fmt: skip


def plain(text: str) -> str:
    """Letters a mail box may hold: accents taken off, the rest left out."""
    stripped = unicodedata.normalize("NFKD", text.translate(UNDECOMPOSED)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in stripped.lower() if letter.isalnum())


def firm_name(stream: Random, kinds: tuple[str, ...]) -> str:
    return f"{stream.choice(words.COMPANY_STEMS)} {stream.choice(kinds)}{stream.choice(words.COMPANY_ENDINGS)}"
