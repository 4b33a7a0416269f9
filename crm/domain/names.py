"""Reading names of people and companies as they stand in books and address lists.

`read_names` turns the name fields of one record into people (several for a couple such as "Bob & Amy Smith") and
company names, without titles, "(deleted)" marks, notes in brackets or legal forms. Used by `identity` (keys) and
`likeness` (how alike two names are). Text is made comparable by `folding`, whose entry points are given on here, and
the words of a company are `company_words`. Pure; never raises on any text; it knows the habits of Latin scripts best.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from crm.domain.company_words import company_words, singular
from crm.domain.folding import fold, fold_words, without_deleted
from crm.domain.name_tables import (
    ABBREVIATIONS,
    CREDENTIALS,
    FILLERS,
    GENERATIONS,
    GIVEN_NAMES,
    GIVEN_ROOTS,
    HOUSEHOLD,
    LEGAL_FORMS,
    PARTICLES,
    TITLES,
    TRADE_WORDS,
)
from crm.domain.person_names import MAX_NAME, Person, halves_of, people_in, people_of_fields, person_of_fields

__all__ = [
    "MAX_NAME", "Names", "Person", "company_words", "fold", "fold_words", "given_roots", "read_names",
    "without_deleted",
]  # fmt: skip
_TELLING = (
    TITLES | CREDENTIALS | HOUSEHOLD | LEGAL_FORMS | FILLERS | PARTICLES | TRADE_WORDS | frozenset(GENERATIONS)
    | frozenset(ABBREVIATIONS) | frozenset(("and", "y", "und", "dba", "fka", "trading", "as", "co", "attn", "by"))
)  # fmt: skip
"""Words that say something about the words beside them."""
_BRACKETS = re.compile(r"[(\[{][^)\]}]*[)\]}]|\"[^\"]*\"|“[^”]*”")
_DOING_BUSINESS_AS = re.compile(r"\s*\b(?:d\.?b\.?a\.?|d/b/a|f\.?k\.?a\.?|t/a|trading as)\b[:\s]*", re.IGNORECASE)
_ALIAS_MARKS = ("dba", "d.b", "d/b", "fka", "f.k", "t/a", "trading as")
_REMARK = re.compile(r"\s+[-–—]+\s*|\s*[-–—]+\s+")
_CARE_OF = re.compile(r"\s*\b(?:c/o|attn)\b[:.\s]*", re.IGNORECASE)


class Names(NamedTuple):
    """What the name fields of one record say. `certain` is False where a text could be a person or a company."""

    people: tuple[Person, ...] = ()
    companies: tuple[tuple[str, ...], ...] = ()
    certain: bool = True


@lru_cache(maxsize=16384)  # about 12 MB; import and look-up meet the same names again within a page or two
def read_names(display: str, given: str = "", family: str = "", company: str = "") -> Names:
    """People and companies named by the four name fields of a record; any of them may be empty."""
    if not company and display == f"{given} {family}" and (person := person_of_fields(given, family)):
        return Names((person,))
    people = people_of_fields(given, family) if given or family else []
    companies = _companies_in(company[:MAX_NAME]) if company else []
    if len(people) == 1 and _says_only(display, people[0]):
        return Names((people[0],), tuple(companies[:4]))
    if len(companies) == 1 and display == company and "-" not in display and display.isascii():
        return Names(tuple(people[:4]), (companies[0],))
    reading = _plain_reading(display)
    if reading and companies:
        reading = None if people or company_words(display) in companies else reading
    if reading and not people:
        person, certain, business = reading
        return Names((person,), tuple(companies[:4]) if certain or company else (business,), certain or bool(company))
    if reading and any(_same_family(person, reading[0]) for person in people):
        return Names(tuple(_merged(people, [reading[0]])[:4]))
    certain = True
    for part in _aliases(_plain(display)):
        head = _REMARK.split(part, maxsplit=1)[0] if "-" in part or not part.isascii() else part
        if head != part and head and (people or _kind_of(head) == "person"):
            part = head  # "John Smith - crawl space"; a company may well have a dash in its name
        business = company_words(part)
        if business in companies:
            continue
        kind = _kind_of(part)
        readings = people_in(part) if kind != "company" else []
        if people and any(_same_family(p, r) for p in people for r in readings):
            people = _merged(people, readings)
        elif not people and kind != "company":
            people = readings
            if kind == "either" and not company:
                certain = False
                companies.append(business)
        elif business and kind != "person":
            companies.append(business)
    return Names(tuple(people[:4]), tuple(c for c in companies[:4] if c), certain)


def _plain_reading(text: str) -> tuple[Person, bool, tuple[str, ...]] | None:
    """"John Smith", "Smith, John", "John Q. Smith", "Dr. Amy Smith": what the whole reading makes of it, in one look.

    Answers the person, whether it is certain that it is one, and the words of the company it else may be. None where
    any word says more than a name does: then `read_names` looks closer.
    """
    if not text.isascii():
        return None
    halves = text.split()
    number = len(halves)
    if number == 3:
        first, middle, last = halves
        if middle[1:] in ("", ".") and middle.isascii() and middle[0].isalpha():
            middle = middle[0].lower()
            if middle == "y" or not (first.isalpha() and last.isalpha()):
                return None
        elif first[:-1].isalpha() and first[-1] == "." and first[:-1].lower() in TITLES:
            first, last, middle = middle, last, "."
        else:
            return None
    elif number == 2:
        first, last = halves
        middle = ""
        if first[-1] == ",":
            first, last, middle = last, first[:-1], ","
    else:
        return None
    if not (first.isalpha() and last.isalpha()):
        return None
    first, last = first.lower(), last.lower()
    if first == last or not (_is_only_name(first) and _is_only_name(last)):
        return None
    person = Person(first, last, (middle,)) if middle.isalpha() else Person(first, last)
    if middle in (",", ".") or first in GIVEN_NAMES or last in GIVEN_NAMES:
        return person, True, ()
    return None if middle else (person, False, (singular(first), singular(last)))


@lru_cache(maxsize=16384)
def _is_only_name(word: str) -> bool:
    """Whether a folded word means nothing but itself, wherever it stands."""
    return len(word) > 1 and word not in _TELLING and singular(word) not in TRADE_WORDS


def _says_only(display: str, person: Person) -> bool:
    """Whether a display name repeats the name fields and nothing else: the usual case, told without reading it."""
    if not person.middle and display.lower() == f"{person.given} {person.family}":
        return True
    shown = fold_words(display)
    if not person.middle and len(shown) == 2:
        return shown == [person.given, person.family] or shown == [person.family, person.given]
    return sorted(shown) == sorted((person.given, *person.middle, *person.family.split()))


def _aliases(text: str) -> list[str]:
    """The names on both sides of "dba" and its like."""
    lowered = text.lower()
    if any(mark in lowered for mark in _ALIAS_MARKS):
        return [part for part in _DOING_BUSINESS_AS.split(text) if part.strip()]
    return [text] if text.strip() else []


def _plain(text: str) -> str:
    """The text without deletion mark, notes in brackets and "c/o" parts; what stands in brackets alone is kept."""
    text = without_deleted(text[:MAX_NAME])
    if "/" in text or "ttn" in text.lower():
        text = _CARE_OF.split(text, maxsplit=1)[0] or text
    if "(" in text or "[" in text or '"' in text or "{" in text or "“" in text:
        text = _BRACKETS.sub(" ", text).strip() or text
    return text


def _companies_in(text: str) -> list[tuple[str, ...]]:
    return [words for part in _aliases(_plain(text)) if (words := company_words(part))]


def _same_family(one: Person, other: Person) -> bool:
    """Whether a display name speaks of the person in the name fields: the family name agrees (either way round)."""
    return bool(one.family) and one.family in (other.family, other.given)


def _merged(people: list[Person], readings: list[Person]) -> list[Person]:
    """The people of the name fields, with what the display name adds: Jr. or Sr., and the other half of a couple."""
    added = list(people)
    for reading in readings:
        known = next((i for i, person in enumerate(added) if _same_person(person, reading)), None)
        if known is None:
            added.append(reading)
        elif reading.generation and not added[known].generation:
            added[known] = added[known]._replace(generation=reading.generation)
    return added


def _same_person(one: Person, other: Person) -> bool:
    if not _same_family(one, other) or not one.given or not other.given:
        return _same_family(one, other)
    if one.family == other.given:
        return True
    short = len(one.given) == 1 or len(other.given) == 1
    return one.given[0] == other.given[0] if short else not given_roots(one.given).isdisjoint(given_roots(other.given))


def _kind_of(text: str) -> str:
    """"person", "company" or "either" for one free text."""
    words = fold_words(text)
    if not words:
        return "person"
    if not LEGAL_FORMS.isdisjoint(words[1:]) or any([w[0].isdigit() and w not in GENERATIONS for w in words]):
        return "company"
    if words[0] in TITLES or (not HOUSEHOLD.isdisjoint(words) and singular(words[-1]) not in TRADE_WORDS):
        return "person"
    trade = [singular(w) in TRADE_WORDS or w in ABBREVIATIONS for w in words]
    begins_given = words[0] in GIVEN_NAMES
    if any(trade):
        return "either" if begins_given and len(words) <= 3 and trade.count(True) == 1 and trade[-1] else "company"
    if "," in text or begins_given or not GIVEN_NAMES.isdisjoint(words[1:]):
        possessive = "'s " in text or "’s " in text or " by " in text.lower()
        return "company" if possessive else "person"
    halves = halves_of(text)
    if len(words) > 4 or "'s " in text or "’s " in text or (len(halves) > 1 and len(words) <= 3):
        return "company"
    return "either"


def given_roots(given: str) -> frozenset[str]:
    """The full names a form may stand for: "bert" -> albert, robert ...; an unknown name stands for itself."""
    return GIVEN_ROOTS.get(given) or frozenset((given,))
