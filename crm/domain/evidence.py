"""What speaks for and against two records being one customer: reasons with points, and the facts the rules ask for.

`weigh` compares two identities and is called by `matching`, which decides. Each comparison notes its reason in words
for people and returns a grade. A number or address held by many records is weak evidence by how many hold it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz.distance import OSA

from crm.domain.identity import (
    Identity,
    email_key,
    extension_key,
    name_keys_of,
    names_of,
    numbers_of,
    phone_key,
    streets_alike,
)
from crm.domain.likeness import GENERATION, RELATIVE, compare_companies, compare_people
from crm.domain.name_tables import words
from crm.domain.phones import shown_phone

POINTS = {
    # a number both have
    "phone": 40,  # held by few records
    "phone_extension": 40,  # shared line, but the same extension
    "phone_shared": 15,  # held by more records than OWN
    "phone_crowded": 4,  # held by more than CROWDED: a switchboard
    "phone_other_extension": 2,  # same line, different extensions
    "phone_local": 15,  # the last seven digits, where one side has no area code
    "phone_near": 12,  # one digit off or two exchanged
    "phone_second": 8,  # one more number in common
    "phone_differs": -8,
    # an address for mail both have
    "email": 45,
    "email_shared": 15,
    "email_crowded": 4,
    "email_near": 15,  # one letter off
    "email_differs": -5,
    # people
    "name": 40,
    "name_common": 28,  # the same name occurs COMMON times or more
    "name_alike": 30,  # nickname and typing error together, order, double name
    "name_generation": 12,  # Jr. or Sr. on one side only
    "name_partial": 12,  # initial, only a family name, other middle name
    "name_relative": -25,  # family name agrees, given name does not; or Jr. against Sr.
    "name_differs": -45,
    # companies
    "company": 25,
    "company_alike": 15,
    "company_differs": -10,
    # postal address
    "address": 15,
    "address_building": 3,  # same house, other unit
    "address_differs": -4,
    "address_far": -12,  # other town
}
BEST = sum(POINTS[reason] for reason in ("phone", "email", "name", "company", "address"))
"""Where everything agrees: the end of the scale that pages show."""
STRONG, FAIR = 80, 40
"""Two good reasons (name and phone, phone and e-mail), and one."""

OWN = 3
"""A number or address held by up to this many records (both sides counted) belongs to a person or a couple."""
CROWDED = 12
COMMON = 5
RARE = 3
"""A name or company that up to this many records hold (both sides counted) is worth a person's look by itself."""
MANY = 8
"""A name that more records hold says nothing alone."""
MOST_ON_ROLE = 2
"""A role address (info@) held by more is nobody's own."""
SHORTEST_NEAR_EMAIL = 12
ROLES = words("info office sales admin contact hello mail accounting accounts billing ap ar support service team")


class Evidence(NamedTuple):
    """One reason for or against, `text` in words for people."""

    reason: str
    text: str
    points: int


def strength(score: int) -> str:
    """How much speaks for a pair, in a word for people."""
    return "strong" if score >= STRONG else "fair" if score >= FAIR else "weak"


class Facts(NamedTuple):
    """What the comparison of two records found, in the few grades the rules speak of."""

    who: str  # same, business, alike, generation, partial, company, unknown, colleague, relative, differs
    own: int  # phone and e-mail in common that belong to few records: 0, 1 or 2
    shared: bool  # a shared phone or e-mail in common
    near: bool  # phone or e-mail nearly the same
    against: int  # phone and e-mail that both have and that differ: 0, 1 or 2
    company: bool  # both name the same company
    address: str  # same, building, differs, far, unknown
    common: bool  # the name occurs often
    rarity: str  # of the name or company that both have: rare, some, many; unknown


class Holders:
    """How many records hold a key: what the caller counted, and never fewer than the records at hand."""

    def __init__(self, theirs: Identity, ours: Sequence[Identity], frequency: Mapping[str, int]):
        self._counted = frequency
        self._identities = (theirs, *ours)
        self._told: dict[str, int] = {}

    def __getitem__(self, key: str) -> int:
        told = self._told.get(key)
        if told is None:
            told = self._counted.get(key, 0)
            if told < len(self._identities):
                told = max(told, self._at_hand(key))
            self._told[key] = told
        return told

    def _at_hand(self, key: str) -> int:
        if key[:2] == "p:":
            number = key[2:]
            return sum([any([p.e164 == number for p in identity.phones]) for identity in self._identities])
        if key[:2] == "e:":
            return sum([any([email_key(e) == key for e in identity.emails]) for identity in self._identities])
        return sum([key in name_keys_of(identity) for identity in self._identities])


def weigh(theirs: Identity, ours: Identity, holders: Holders) -> tuple[Facts, tuple[Evidence, ...]]:
    """What the two records have in common and in contradiction."""
    found: list[Evidence] = []
    phone = _compare_phones(theirs, ours, holders, found) if theirs.phones and ours.phones else "unknown"
    if len(theirs.phones) > 1 and len(ours.phones) > 1:
        _note_second_phone(theirs, ours, found)
    email = _compare_emails(theirs, ours, holders, found) if theirs.emails and ours.emails else "unknown"
    who, company, common, rarity = _compare_names(theirs, ours, holders, found)
    address = _compare_addresses(theirs, ours, found)
    own, against = (phone == "own") + (email == "own"), (phone == "differs") + (email == "differs")
    shared, near = phone == "shared" or email == "shared", phone == "near" or email == "near"
    return Facts(who, own, shared, near, against, company, address, common, rarity), tuple(found)


def _note(found: list[Evidence], reason: str, text: str) -> None:
    found.append(_made((reason, text, POINTS[reason])))


MAYBE_COMPANY = "one word of the names agrees; one of them may be a company"
_made = Evidence._make
_SAID = {text: Evidence(reason, text, POINTS[reason]) for reason, text in (
    ("phone_second", "a second number is the same"), ("phone_differs", "phone differs"),
    ("email_differs", "e-mail differs"), ("name", "name is the same"),
    ("name_generation", "name is the same, but Jr. or Sr. stands on one side only"),
    ("name_partial", "name agrees in part"), ("name_relative", "family name agrees, the person may be another"),
    ("name_relative", MAYBE_COMPANY), ("name_differs", "name differs"),
    ("company", "company is the same"), ("company_differs", "company differs"),
    ("address", "address is the same"), ("address_far", "address is in another town"),
    ("address_differs", "address differs"),
)}  # fmt: skip
"""Most comparisons end in one of a few sentences that are always the same."""


def _compare_phones(theirs: Identity, ours: Identity, holders: Holders, found: list[Evidence]) -> str:
    """Grade "own", "shared", "near", "differs" or "unknown"; the rarest number in common counts, once."""
    mine, numbers = numbers_of(theirs), numbers_of(ours)
    if not numbers or not mine:
        return _compare_local(theirs, ours, found)
    common = [number for number in mine if number in numbers]
    if not common:
        local = _compare_local(theirs, ours, found)
        return local if local == "near" else _compare_other_phones(mine, numbers, found)
    rarest = common[0]
    if len(common) > 1:
        rarest = min(common, key=lambda number: (holders[phone_key(mine[number])], number))
    phone, other = mine[rarest], numbers[rarest].extension
    count, shown = holders[phone_key(phone)], shown_phone(rarest)
    shared = "phone_shared" if count <= CROWDED else "phone_crowded"
    if phone.extension and other and phone.extension != other:
        text = f"phone {shown} is the same, extensions {phone.extension} and {other} differ"
        _note(found, "phone_other_extension", text)
        return "shared"
    if bool(phone.extension) != bool(other):
        extension = phone.extension or other
        _note(found, shared, f"phone {shown} is the same, with extension {extension} on one side")
        return "shared"
    if phone.extension and phone.extension == other and holders[extension_key(phone)] <= OWN:
        _note(found, "phone_extension", f"phone {shown} extension {other} is the same")
        return "own"
    if count <= OWN:
        _note(found, "phone", f"phone {shown} is the same")
        return "own"
    _note(found, shared, f"phone {shown} is the same, but {count} records share it: counted weakly")
    return "shared"


def _note_second_phone(theirs: Identity, ours: Identity, found: list[Evidence]) -> None:
    """Tells father and son apart, who share the line of the house but not the mobile."""
    if len(numbers_of(theirs).keys() & numbers_of(ours).keys()) > 1:
        found.append(_SAID["a second number is the same"])


def _compare_local(theirs: Identity, ours: Identity, found: list[Evidence]) -> str:
    """Numbers without area code, which cannot be read alone, against the end of the other side's numbers."""
    for one, other in ((theirs, ours), (ours, theirs)):
        for phone in one.phones:
            local = phone.raw.replace("-", "").replace(" ", "").replace(".", "") if not phone.e164 else ""
            if len(local) == 7 and any((p.e164 or p.raw).replace("-", "").endswith(local) for p in other.phones):
                _note(found, "phone_local", f"phone {phone.raw} is the same as far as it goes")
                return "near"
    return "unknown"


def _compare_other_phones(mine: Iterable[str], numbers: Iterable[str], found: list[Evidence]) -> str:
    for one in mine:
        for number in numbers:
            if len(number) == len(one) and OSA.distance(number, one, score_cutoff=1) <= 1:
                _note(found, "phone_near", f"phone {shown_phone(one)} is one slip from {shown_phone(number)}")
                return "near"
    found.append(_SAID["phone differs"])
    return "differs"


def _compare_emails(theirs: Identity, ours: Identity, holders: Holders, found: list[Evidence]) -> str:
    common = [e for e in theirs.emails if e in ours.emails]
    if not common:
        for email in theirs.emails:
            for other in ours.emails:
                if _one_letter_off(email, other):
                    _note(found, "email_near", f"e-mail {email} is one letter from {other}")
                    return "near"
        found.append(_SAID["e-mail differs"])
        return "differs"
    email = common[0] if len(common) == 1 else min(common, key=lambda e: (holders[email_key(e)], e))
    count, role = holders[email_key(email)], email.partition("@")[0] in ROLES
    if count <= OWN and not (role and count > MOST_ON_ROLE):
        _note(found, "email", f"e-mail {email} is the same")
        return "own"
    reason = "email_shared" if count <= CROWDED else "email_crowded"
    _note(found, reason, f"e-mail {email} is the same, but {count} records share it: counted weakly")
    return "shared"


def _one_letter_off(email: str, other: str) -> bool:
    """Digits in an address tell people apart ("amy1@", "amy2@"), and so does one letter of very few."""
    if not -2 < len(email) - len(other) < 2 or len(email) < SHORTEST_NEAR_EMAIL:
        return False
    if OSA.distance(email, other, score_cutoff=1) > 1:
        return False
    return [c for c in email if c.isdigit()] == [c for c in other if c.isdigit()]


def _compare_names(theirs: Identity, ours: Identity, holders: Holders,
                   found: list[Evidence]) -> tuple[str, bool, bool, str]:
    """(who, whether both name the same company, whether the name is common, how rare it is)."""
    one, other = names_of(theirs), names_of(ours)
    person = compare_people(one.people, other.people)
    company = compare_companies(one.companies, other.companies)
    unsure = not (one.certain and other.certain)
    company_agrees = company is not None and company >= 0.9
    if unsure and person is not None and person < 0.9 and company is not None and company >= 0.97:
        person = None  # "Cool Cars", read as a person for want of a better sign, is the company of that name
    held = _held_name(theirs, ours, holders) if person is None or person >= GENERATION or company_agrees else 0
    common, rarity = held >= COMMON, _rarity(held)
    if person is not None:
        _note_person(person, common and person >= 0.97, found, unsure=unsure)
    if company is not None and not (unsure and person is not None):
        _note_company(company, found)
    if person is not None:
        who = _person_grade(person)
        if who in ("relative", "differs") and company_agrees:
            who = "colleague"
        return who, not unsure and company is not None and company >= 0.97, common and who == "same", rarity
    if company is None:
        return "unknown", False, False, "unknown"
    if not company_agrees:
        return "differs", False, False, "unknown"
    if (one.people or other.people) and not unsure:
        return "company", True, False, rarity
    return ("business" if company >= 0.97 else "alike"), company >= 0.97, common, rarity


def _held_name(theirs: Identity, ours: Identity, holders: Holders) -> int:
    """How many records can hold all name keys that both have: at most as many as hold the rarest. 0: they have none."""
    own = name_keys_of(ours)
    return min([holders[key] for key in name_keys_of(theirs) if key in own], default=0)


def _rarity(held: int) -> str:
    if not held:
        return "unknown"
    return "rare" if held <= RARE else "some" if held <= MANY else "many"


def _person_grade(score: float) -> str:
    if score >= 0.97:
        return "same"
    if score >= 0.9:
        return "alike"
    if score == GENERATION:
        return "generation"
    if score >= 0.6:
        return "partial"
    return "relative" if score >= RELATIVE * 0.86 else "differs"


def _note_person(score: float, common: bool, found: list[Evidence], *, unsure: bool) -> None:
    """`unsure`: one of the two may be a company, which has no family name."""
    grade = _person_grade(score)
    if score == 1 and not common:
        found.append(_SAID["name is the same"])
    elif grade == "same":
        text = "name is the same" if score == 1 else f"name {score:.2f} alike"
        _note(found, "name_common" if common else "name", text + (", but it is a common one" if common else ""))
    elif grade == "alike":
        _note(found, "name_alike", f"name {score:.2f} alike")
    elif grade == "generation":
        found.append(_SAID["name is the same, but Jr. or Sr. stands on one side only"])
    elif grade == "partial":
        found.append(_SAID["name agrees in part"])
    elif grade == "relative":
        found.append(_SAID[MAYBE_COMPANY if unsure else "family name agrees, the person may be another"])
    else:
        found.append(_SAID["name differs"])


def _note_company(score: float, found: list[Evidence]) -> None:
    if score >= 0.97:
        found.append(_SAID["company is the same"])
    elif score >= 0.9:
        _note(found, "company_alike", f"company {score:.2f} alike")
    else:
        found.append(_SAID["company differs"])


def _compare_addresses(theirs: Identity, ours: Identity, found: list[Evidence]) -> str:
    """Grade "same", "building", "differs", "far" or "unknown"."""
    one, other = theirs.address, ours.address
    if one is None or other is None:
        return "unknown"
    if one.number and other.number and one.street and other.street:
        place_agrees = (one.postal == other.postal if one.postal and other.postal else one.city == other.city)
        if one.number == other.number and streets_alike(one.street, other.street) and place_agrees:
            if one.unit and other.unit and one.unit != other.unit:
                _note(found, "address_building", f"same house, units {one.unit} and {other.unit}")
                return "building"
            found.append(_SAID["address is the same"])
            return "same"
    far = bool(one.postal and other.postal and one.postal[:3] != other.postal[:3]
               and one.city and other.city and one.city != other.city)
    if far:
        found.append(_SAID["address is in another town"])
        return "far"
    if one.number and other.number:
        found.append(_SAID["address differs"])
        return "differs"
    return "unknown"
