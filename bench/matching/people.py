"""The truth: people, couples, families and firms of a made-up market, before anybody writes them down.

`line`, `place` and the names are dealt out so that two groups share a telephone or a mail box only where it is meant.
Names follow the shape of real ones: a few hundred common family names, then a long tail; so the number of namesakes
grows with the market as it does in life. Pure: everything follows from the group's number and its random stream.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from sandbox.seed import vocabulary as words

GROUPS_IN_AREA = 2_500
AREAS = 800
COMMON_FAMILY = 0.45
"""Share of people with one of the common family names; the others' are put together from syllables."""
MADE_GIVEN = 0.08
_SYLLABLES = {
    "begin": """Bal Bar Ber Bor Bran Cal Car Chal Dan Dar Del Dor Fal Far Fen Gal Gar Gor Hal Har Hol Jas Kal Kar Kel
        Kor Lam Lan Lar Lor Mal Mar Mel Mor Nor Os Pal Par Pel Ral Ran Ros Sal San Sel Sor Stan Tal Tor Val Var Ver
        Wal War Wil Zan""",
    "middle": "a e i o u an en in on ar er or al el ol am em im ing and end ick ack ock ett itt",
    "end": """berg bert by croft dale den din don field ford gan ger ham holm kin lan land ley lin low man mer mond
        nard ner ney ridge rick sen shaw son stad stein ston stra ton wald ward well wick win wood worth ski vich mann
        ova sson ez elli ini otti eau oux""",
    "given end": "a ah an ana ara ari el en ena ia iel in ina io is ita on or ra us y",
}
_BEGIN, _MIDDLE, _END, _GIVEN_END = (tuple(text.split()) for text in _SYLLABLES.values())
_TOWN_END = ("ton", "ville", " Springs", "field", " Grove", " Heights", "burg", " Falls", "wood", " Center")


@dataclass(frozen=True, slots=True)
class Place:
    number: int
    street: str
    kind: tuple[str, str]
    city: str
    state: str
    zip: str
    unit: str = ""


@dataclass(slots=True)
class Who:
    """One customer in truth: a person, a couple, or a firm with the person who speaks for it."""

    key: str
    given: str
    family: str
    place: Place
    phone: str = ""
    mobile: str = ""
    email: str = ""
    middle: str = ""
    suffix: str = ""
    spouse: str = ""
    company: str = ""
    extension: str = ""
    colleagues: bool = False  # others of the same firm are customers too, so that the firm's name alone says nothing


class Weighted:
    """Draws words by rank: the first are the most frequent, as names are."""

    def __init__(self, drawn: tuple[str, ...], softened: int):
        self._words = drawn
        self._sums = list(accumulate(1 / (rank + softened) for rank in range(len(drawn))))

    def draw(self, stream: Random) -> str:
        return self._words[bisect(self._sums, stream.random() * self._sums[-1])]


_GIVEN = Weighted(tuple(words.GIVEN_NAMES), 25)
_FAMILY = Weighted(words.FAMILY_NAMES, 25)


def line(group: int, slot: int) -> str:
    """Ten digits, none dealt twice below 2,000,000 groups; the 555 exchange belongs to nobody. Slots 0 to 3."""
    area = 200 + group // GROUPS_IN_AREA % AREAS
    return f"{area}555{((group % GROUPS_IN_AREA) * 4 + slot) * 7919 % 10_000:04d}"


def place(group: int, stream: Random) -> Place:
    """An address in the town the group lives in or one of its neighbours."""
    area = group // GROUPS_IN_AREA % AREAS
    own = Random(f"town/{area}/{stream.randrange(9)}")
    city = own.choice(_BEGIN) + own.choice(_TOWN_END)
    state = ("MO", "KS", "IA", "NE", "OK", "AR", "IL", "TX")[area % 8]
    kind = words.STREET_KINDS[stream.randrange(len(words.STREET_KINDS))]
    street = stream.choice(words.STREETS) if stream.random() < 0.7 else stream.choice(_BEGIN) + stream.choice(_END)
    unit = f"{stream.randrange(1, 60)}" if stream.random() < 0.08 else ""
    code = f"{10_000 + area * 100 + own.randrange(99)}"
    return Place(stream.randrange(100, 13_000), street, kind, city, state, code, unit)


def given_name(stream: Random) -> str:
    return stream.choice(_BEGIN) + stream.choice(_GIVEN_END) if stream.random() < MADE_GIVEN else _GIVEN.draw(stream)


def family_name(stream: Random) -> str:
    if stream.random() < COMMON_FAMILY:
        return _FAMILY.draw(stream)
    middle = stream.choice(_MIDDLE) if stream.random() < 0.6 else ""
    return stream.choice(_BEGIN) + middle + stream.choice(_END)


def person(key: str, group: int, stream: Random, *, given: str = "", family: str = "", slot: int = 1) -> Who:
    """Somebody with every fact known: the house line of the group, and a mobile of their own (slot 1 to 3)."""
    given, family = given or given_name(stream), family or family_name(stream)
    style = stream.choice(("{g}.{f}{n}", "{g}{n}", "{i}{f}{n}", "{f}.{g}{n}", "{g}_{f}{n}"))
    box = style.format(g=plain(given) or "me", f=plain(family) or "home", i=plain(given)[:1], n=group * 4 + slot)
    mail = f"{box}@{stream.choice(words.MAIL_HOSTS)}"
    return Who(key, given, family, place(group, stream), line(group, 0), line(group, slot), mail,
               stream.choice("ABCDEFGHJKLMNPRSTW"))  # fmt: skip


def firm_name(stream: Random) -> str:
    kinds = words.COMPANY_KINDS if stream.random() < 0.8 else words.MANAGER_KINDS
    stem = stream.choice(words.COMPANY_STEMS) if stream.random() < 0.4 else family_name(stream)
    return f"{stem} {stream.choice(kinds)}{stream.choice(words.COMPANY_ENDINGS)}"


def plain(text: str) -> str:
    """Letters a mail box may hold."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(letter for letter in bare.lower() if letter.isalnum())
