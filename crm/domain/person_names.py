"""The people that one text or a pair of name fields speaks of: several for a couple, without titles and degrees.

Asked by `names`, which decides whether a text speaks of people at all. Pure; never raises on any text.
"""

import re
from typing import NamedTuple

from crm.domain.folding import fold, fold_words
from crm.domain.name_tables import CREDENTIALS, FILLERS, GENERATIONS, HOUSEHOLD, PARTICLES, TITLES

MAX_NAME = 500
"""QuickBooks' own limit for a display name; longer text is cut before reading."""

_BESIDE_NAMES = TITLES | CREDENTIALS | frozenset(GENERATIONS)
_JOINER = re.compile(r"\s*(?:&|\+|/|\band\b|\by\b|\bund\b)\s*", re.IGNORECASE)
_MAY_JOIN = re.compile(r"[&+/]| (?:and|y|und) ", re.IGNORECASE)


class Person(NamedTuple):
    given: str = ""
    family: str = ""
    middle: tuple[str, ...] = ()
    generation: str = ""

    @property
    def is_full(self) -> bool:
        return len(self.given) > 1 and bool(self.family)


def halves_of(text: str) -> list[str]:
    """The two halves of a couple, or the text itself."""
    if _MAY_JOIN.search(text):
        return [half for half in _JOINER.split(text) if half.strip()]
    return [text] if text.strip() else []


def person_of_fields(given: str, family: str) -> Person | None:
    """One plain word in each field, as most have; None: look closer."""
    if given.isalpha() and family.isalpha() and given.isascii() and family.isascii():
        first, last = given.lower(), family.lower()
        if len(last) <= MAX_NAME >= len(first) and first not in _BESIDE_NAMES and last not in _BESIDE_NAMES:
            return Person(first, last)
    return None


def people_of_fields(given: str, family: str) -> list[Person]:
    person = person_of_fields(given, family)
    return [person] if person else _named_people(given[:MAX_NAME], family[:MAX_NAME])


def _named_people(given: str, family: str) -> list[Person]:
    if not given.strip() and not family.strip():
        return []
    family_words = tuple([w for w in fold_words(family) if w not in TITLES])
    if not family_words:
        return people_in(given)
    halves = halves_of(given) or [""]
    return [p for half in halves if (p := _person(fold_words(half), family_words))]


def people_in(text: str) -> list[Person]:
    """The people in one text: "Smith, Bob & Amy", "Bob and Amy Smith", "Mr & Mrs J. Smith", "Dr. Amy Smith Jr."."""
    if "," in text:
        head, _, tail = text.partition(",")
        tail_words = fold_words(tail)
        if tail_words and all(w in GENERATIONS or w in CREDENTIALS for w in tail_words):
            text = f"{head} {tail}"
        elif tail_words and head.strip():
            return _named_people(tail, head)
    halves = [_name_words(h) for h in halves_of(text)]
    people: list[Person] = []
    last_family: tuple[str, ...] = ()
    for half in reversed(halves):
        words = [w for w in half if w not in HOUSEHOLD and (w not in FILLERS or len(w) == 1)] or half
        bare = [w for w in words if w not in _BESIDE_NAMES]
        if last_family and len(bare) <= 1:
            person = _person(words, last_family)
        else:
            cut = _family_start(bare)
            family = tuple(bare[cut:])
            person = _person([w for w in words if w not in family] if len(bare) > 1 else words[:0], family, words)
            last_family = family
        if person and person not in people:
            people.append(person)
    people = [p for p in people if p.given] or people
    return people[::-1]


def _name_words(text: str) -> list[str]:
    """Folded words; a double name with a hyphen stays one of them ("hernandez ruiz")."""
    if "-" not in text:
        return fold_words(text)
    return [word for part in text.split() if (word := fold(part))]


def _family_start(words: list[str]) -> int:
    """Where the family name begins: the last word, with particles such as "van der" drawn to it."""
    start = max(len(words) - 1, 0)
    while start > 1 and words[start - 1] in PARTICLES:
        start -= 1
    return start


def _person(given: list[str], family: tuple[str, ...], every: list[str] | None = None) -> Person | None:
    words = [*(every or given), *family]
    if _BESIDE_NAMES.isdisjoint(words):
        names, surname, generation = " ".join(given).split(), family, ""
    else:
        generation = next((GENERATIONS[w] for w in words if w in GENERATIONS), "")
        names = " ".join([w for w in given if w not in _BESIDE_NAMES]).split()
        surname = tuple(w for w in family if w not in _BESIDE_NAMES or w in TITLES) or family
    if not names and not surname:
        return None
    return Person(names[0] if names else "", " ".join(surname), tuple(names[1:3]), generation)
