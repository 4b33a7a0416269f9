"""Reading names of people and companies as they stand in books and address lists.

`read_names` turns the name fields of one record into people (several for a couple such as "Bob & Amy Smith") and
company names, without titles, "(deleted)" marks, notes in brackets or legal forms. Used by `identity` (keys) and
`likeness` (how alike two names are). Pure; never raises on any text; it knows the habits of Latin scripts best.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

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

MAX_NAME = 500
"""QuickBooks' own limit for a display name; longer text is cut before reading."""

_BESIDE_NAMES = TITLES | CREDENTIALS | frozenset(GENERATIONS)
_KEEP = "abcdefghijklmnopqrstuvwxyz0123456789"
_FOLD_ASCII = {i: (chr(i).lower() if chr(i).lower() in _KEEP else None if chr(i) in "'`" else " ") for i in range(128)}
_FOLD_OTHER = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
                             "ı": "i", "’": None, "‘": None, "ʼ": None, "ʻ": None, "'": None, "`": None})
_DELETED = re.compile(r"\s*\(deleted(?:[ -]?\d+)?\)\s*$", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[{][^)\]}]*[)\]}]|\"[^\"]*\"|“[^”]*”")
_JOINER = re.compile(r"\s*(?:&|\+|/|\band\b|\by\b|\bund\b)\s*", re.IGNORECASE)
_DOING_BUSINESS_AS = re.compile(r"\s*\b(?:d\.?b\.?a\.?|d/b/a|f\.?k\.?a\.?|t/a|trading as)\b[:\s]*", re.IGNORECASE)
_MAY_JOIN = re.compile(r"[&+/]| (?:and|y|und) ", re.IGNORECASE)
_ALIAS_MARKS = ("dba", "d.b", "d/b", "fka", "f.k", "t/a", "trading as")
_REMARK = re.compile(r"\s+[-–—]+\s*|\s*[-–—]+\s+")
_CARE_OF = re.compile(r"\s*\b(?:c/o|attn)\b[:.\s]*", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case, accents and apostrophes gone, every other mark a space: "O'Brien-Núñez" -> "obrien nunez"."""
    return " ".join(fold_words(text))


def fold_words(text: str) -> list[str]:
    if text.isascii():
        return text.translate(_FOLD_ASCII).split()
    spread = unicodedata.normalize("NFKD", text.casefold().translate(_FOLD_OTHER))
    return "".join([c if c.isalnum() else " " for c in spread if not unicodedata.combining(c)]).split()


def without_deleted(text: str) -> str:
    """The name without the " (deleted)" which QuickBooks puts behind the name of an inactive customer."""
    return _DELETED.sub("", text)


class Person(NamedTuple):
    given: str = ""
    family: str = ""
    middle: tuple[str, ...] = ()
    generation: str = ""

    @property
    def is_full(self) -> bool:
        return len(self.given) > 1 and bool(self.family)


class Names(NamedTuple):
    """What the name fields of one record say. `certain` is False where a text could be a person or a company."""

    people: tuple[Person, ...] = ()
    companies: tuple[tuple[str, ...], ...] = ()
    certain: bool = True


@lru_cache(maxsize=16384)  # about 12 MB; import and look-up meet the same names again within a page or two
def read_names(display: str, given: str = "", family: str = "", company: str = "") -> Names:
    """People and companies named by the four name fields of a record; any of them may be empty."""
    people = _named_people(given[:MAX_NAME], family[:MAX_NAME]) if given or family else []
    companies = _companies_in(company[:MAX_NAME]) if company else []
    if len(people) == 1 and _says_only(display, people[0]):
        return Names((people[0],), tuple(companies[:4]))
    certain = True
    for part in _aliases(_plain(display)):
        head = _REMARK.split(part, maxsplit=1)[0] if "-" in part or not part.isascii() else part
        if head != part and head and (people or _kind_of(head) == "person"):
            part = head  # "John Smith - crawl space"; a company may well have a dash in its name
        business = company_words(part)
        if business in companies:
            continue
        kind = _kind_of(part)
        readings = _people_in(part) if kind != "company" else []
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


def _says_only(display: str, person: Person) -> bool:
    """Whether a display name repeats the name fields and nothing else: the usual case, told without reading it."""
    return sorted(fold_words(display)) == sorted((person.given, *person.middle, *person.family.split()))


def _aliases(text: str) -> list[str]:
    """The names on both sides of "dba" and its like."""
    lowered = text.lower()
    if any(mark in lowered for mark in _ALIAS_MARKS):
        return [part for part in _DOING_BUSINESS_AS.split(text) if part.strip()]
    return [text] if text.strip() else []


def _halves(text: str) -> list[str]:
    """The two halves of a couple, or the text itself."""
    if _MAY_JOIN.search(text):
        return [half for half in _JOINER.split(text) if half.strip()]
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


def _named_people(given: str, family: str) -> list[Person]:
    if not given.strip() and not family.strip():
        return []
    family_words = tuple([w for w in fold_words(family) if w not in TITLES])
    if not family_words:
        return _people_in(given)
    halves = _halves(given) or [""]
    return [p for half in halves if (p := _person(fold_words(half), family_words))]


def _people_in(text: str) -> list[Person]:
    """The people in one text: "Smith, Bob & Amy", "Bob and Amy Smith", "Mr & Mrs J. Smith", "Dr. Amy Smith Jr."."""
    if "," in text:
        head, _, tail = text.partition(",")
        tail_words = fold_words(tail)
        if tail_words and all(w in GENERATIONS or w in CREDENTIALS for w in tail_words):
            text = f"{head} {tail}"
        elif tail_words and head.strip():
            return _named_people(tail, head)
    halves = [_name_words(h) for h in _halves(text)]
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
    if words[0] in TITLES or (not HOUSEHOLD.isdisjoint(words) and _singular(words[-1]) not in TRADE_WORDS):
        return "person"
    trade = [_singular(w) in TRADE_WORDS or w in ABBREVIATIONS for w in words]
    begins_given = words[0] in GIVEN_NAMES
    if any(trade):
        return "either" if begins_given and len(words) <= 3 and trade.count(True) == 1 and trade[-1] else "company"
    if "," in text or begins_given or not GIVEN_NAMES.isdisjoint(words[1:]):
        possessive = "'s " in text or "’s " in text or " by " in text.lower()
        return "company" if possessive else "person"
    halves = _halves(text)
    if len(words) > 4 or "'s " in text or "’s " in text or (len(halves) > 1 and len(words) <= 3):
        return "company"
    return "either"


def _singular(word: str) -> str:
    if word in ABBREVIATIONS:
        return ABBREVIATIONS[word]
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "su":
        return word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word


def company_words(text: str) -> tuple[str, ...]:
    """The words that tell a company: no legal form, no "the", abbreviations spelled out, "A.B.C." joined to "abc"."""
    words = fold_words(text)
    joined: list[str] = []
    run = ""
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            joined.append(run)
            run = ""
        if word:
            joined.append(word)
    core = [_singular(w) for w in joined if w not in LEGAL_FORMS and w not in FILLERS]
    return tuple(core[:12] or joined[:12])


def given_roots(given: str) -> frozenset[str]:
    """The full names a form may stand for: "bert" -> albert, robert ...; an unknown name stands for itself."""
    return GIVEN_ROOTS.get(given) or frozenset((given,))
