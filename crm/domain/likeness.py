"""How alike two names are, from 0 to 1, tolerant of order, nicknames, initials, couples and typing errors.

`compare_people` and `compare_companies` are used by `evidence`, which turns the figures into reasons. Two different
well known given names are never taken for a typing error of each other; Jr. against Sr. is never the same person.
"""

from rapidfuzz.distance import OSA

from crm.domain.name_tables import GIVEN_NAMES, PARTICLES, TRADE_WORDS
from crm.domain.names import Person, given_roots


def _compare_given(one: Person, other: Person) -> float:
    a, b = one.given, other.given
    if a == b:
        return 1.0
    if len(a) == 1 or len(b) == 1:
        return 0.6 if a[0] == b[0] else 0.0
    if not given_roots(a).isdisjoint(given_roots(b)):
        return 0.95
    if a in other.middle or b in one.middle:
        return 0.7
    known = (a in GIVEN_NAMES) + (b in GIVEN_NAMES)
    if known == 2 or _told_by_ending(a, b):
        return 0.0
    short, long = sorted((a, b), key=len)
    distance = OSA.distance(a, b, score_cutoff=2)
    if distance == 1 and len(short) >= (4 if known else 6):
        return 0.9
    if len(short) >= 7 and distance == 2:
        return 0.85
    return 0.8 if len(short) >= 3 and long.startswith(short) else 0.0


def _told_by_ending(a: str, b: str) -> bool:
    """Names of a man and a woman that share a stem: Daniel and Daniela, Mario and Maria."""
    return a != b and (a.rstrip("aeo") == b.rstrip("aeo")) and abs(len(a) - len(b)) <= 1


def _compare_family(a: str, b: str) -> float:
    if a == b:
        return 1.0
    if " " in a or " " in b:
        if a.replace(" ", "") == b.replace(" ", ""):
            return 1.0
        one, other = set(a.split()) - PARTICLES, set(b.split()) - PARTICLES
        if one and other and (one <= other or other <= one):
            return 0.9
    short, long = sorted((len(a), len(b)))
    most = 2 if short >= 7 else 1
    if short < 4 or long - short > most:
        return 0.0
    distance = OSA.distance(a, b, score_cutoff=most)
    if distance == 1:
        return 0.93 if short >= 5 else 0.86
    return 0.86 if distance == 2 == most else 0.0


SURNAME_ONLY = 0.7
RELATIVE = 0.4
GENERATION = 0.84
"""The name is the same, but Jr., Sr. or a number stands on one side only."""


def _compare_way(one: Person, other: Person) -> float:
    family = _compare_family(one.family, other.family) if one.family and other.family else 0.0
    if not one.given or not other.given:
        if one.given == other.given:
            return 0.85 * family
        return SURNAME_ONLY * family or (0.6 if other.family == one.given or one.family == other.given else 0.0)
    given = _compare_given(one, other)
    if not family or not given:
        return RELATIVE * family
    score = (family + given) / 2
    if one.middle and other.middle and one.middle[0][0] != other.middle[0][0]:
        score -= 0.12
    return score


def _compare_two(one: Person, other: Person) -> float:
    score = _compare_way(one, other)
    if score < 0.9 and other.given and other.family and one.given and one.family:
        score = max(score, _turned_score(one, other))
    if one.generation != other.generation and score >= 0.9:
        return RELATIVE + 0.1 if one.generation and other.generation else GENERATION
    return max(score, 0.0)


def _turned_score(one: Person, other: Person) -> float:
    """Family and given name exchanged ("Smith John"): believed only when both agree well."""
    if _compare_family(one.family, other.given) < 0.8:
        return 0.0  # the mean with the given name stays below 0.9
    score = _compare_way(one, Person(other.family, other.given, other.middle, other.generation))
    return score - 0.02 if score >= 0.9 else 0.0


def compare_people(ones: tuple[Person, ...], others: tuple[Person, ...]) -> float | None:
    """How alike the best pair of people is: from 0.97 the same name, from 0.9 alike, 0.4 only the family name.

    None when a side names nobody.
    """
    if not ones or not others:
        return None
    if len(ones) == 1 == len(others):
        one, other = ones[0], others[0]
        return 1.0 if one == other and one.given and one.family else _compare_two(one, other)
    score = max([_compare_two(one, other) for one in ones for other in others])
    return min(score, 0.97) if len(ones) != len(others) else score


def compare_companies(ones: tuple[tuple[str, ...], ...], others: tuple[tuple[str, ...], ...]) -> float | None:
    """How alike the best pair of company names is: from 0.97 the same, from 0.9 alike; None if a side names none."""
    if not ones or not others:
        return None
    return max([_compare_words(one, other) for one in ones for other in others])


def _compare_words(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    if one == other:
        return 1.0
    if "".join(one) == "".join(other) or sorted(one) == sorted(other):
        return 0.98
    first, second = set(one), set(other)
    left, right = first - second, second - first
    if not left or not right:
        telling = [w for w in first & second if w not in TRADE_WORDS]
        return 0.9 if telling and len(first & second) >= 2 else 0.75 if telling else 0.3
    if len(left) == len(right) == 1:
        a, b = left.pop(), right.pop()
        if not (a.isdigit() or b.isdigit()) and min(len(a), len(b)) >= 4 and OSA.distance(a, b, score_cutoff=1) <= 1:
            return 0.93
    return 0.5 * len(first & second) / max(len(first), len(second))
