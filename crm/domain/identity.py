"""Who a record speaks of: its names, phones, e-mails and address in a form that two books can be compared by.

Services build an `Identity` from a contact or a customer, store its `identity_keys` in a table, and look up the few
records which share a key; `matching` then decides. Everything here is pure and takes any text without raising. Phones
are read by `phones`, addresses by `addresses`, names by `names`; their entry points are given on here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from crm.domain.addresses import AddressKey, read_address
from crm.domain.name_tables import TRADE_WORDS
from crm.domain.names import Names, fold, given_roots, read_names, without_deleted
from crm.domain.phones import Phone, read_phones, shown_phone

__all__ = [
    "AddressKey", "Identity", "Phone", "bad_emails", "finds", "fold", "identity_keys", "names_of", "read_address",
    "read_emails", "read_phones", "shown_phone", "telling", "without_deleted",
]  # fmt: skip

KEYS_FORM = 2
"""Raised whenever `identity_keys` makes other keys of the same record: the next search then writes all of them anew."""
MAX_KEY = 80
MOST_ON_ONE_LINE = 50
MOST_NAMESAKES = 10
MAX_FIELD = 1000

_PLAIN_EMAIL = re.compile(r"[a-z0-9_+][a-z0-9._+%'\-]{0,63}@(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_EMAIL_BREAK = re.compile(r"[\s,;|/<>()\[\]\"]+")
_VOWELS = str.maketrans("", "", "aeiouy")


@dataclass(frozen=True, slots=True)
class Identity:
    """One record as matching sees it. `key` is the caller's own id, never looked into."""

    key: str
    display_name: str
    given_name: str = ""
    family_name: str = ""
    company_name: str = ""
    phones: tuple[Phone, ...] = ()
    emails: tuple[str, ...] = ()
    address: AddressKey | None = None
    _names: Names | None = field(default=None, init=False, compare=False, repr=False)
    _name_keys: tuple[str, ...] | None = field(default=None, init=False, compare=False, repr=False)
    _numbers: dict[str, Phone] | None = field(default=None, init=False, compare=False, repr=False)


def names_of(identity: Identity) -> Names:
    """Its names as read; kept with it, for it is asked once for its keys and again by every record it is beside."""
    names = identity._names
    if names is None:
        names = read_names(identity.display_name, identity.given_name, identity.family_name, identity.company_name)
        object.__setattr__(identity, "_names", names)
    return names


def name_keys_of(identity: Identity) -> tuple[str, ...]:
    """`name_keys` of its names, kept with it."""
    keys = identity._name_keys
    if keys is None:
        keys = tuple(name_keys(names_of(identity)))
        object.__setattr__(identity, "_name_keys", keys)
    return keys


def numbers_of(identity: Identity) -> Mapping[str, Phone]:
    """Its numbers that could be read, with the phone of each, kept with it."""
    numbers = identity._numbers
    if numbers is None:
        numbers = {phone.e164: phone for phone in identity.phones if phone.e164}
        object.__setattr__(identity, "_numbers", numbers)
    return numbers


def read_emails(text: str | None) -> tuple[str, ...]:
    """Every valid address in one field, lower case, as ordered there: "Amy <A@x.com>; b@x.com" -> a@x.com, b@x.com."""
    if not text:
        return ()
    alone = text.lower()
    if _PLAIN_EMAIL.fullmatch(alone) and _is_plain_local(alone):
        return (alone,)
    return tuple(dict.fromkeys(good for _, good in _emails_in(text) if good))


def bad_emails(text: str | None) -> tuple[str, ...]:
    """What stands in an e-mail field and is no address, to be shown to the person who can correct it."""
    if not text or not text.strip():
        return ()
    found = list(_emails_in(text))
    if not found:
        return (text.strip()[:MAX_FIELD],)
    return tuple(dict.fromkeys(part for part, good in found if not good))


def _emails_in(text: str) -> Iterator[tuple[str, str | None]]:
    for part in _EMAIL_BREAK.split(text[:MAX_FIELD]):
        if "@" in part:
            yield part, _checked_email(part.strip(".:'").lower().removeprefix("mailto:"))


def _is_plain_local(email: str) -> bool:
    local = email.partition("@")[0]
    return ".." not in local and local[-1] != "."


@lru_cache(maxsize=4096)
def _checked_email(email: str) -> str | None:
    if _PLAIN_EMAIL.fullmatch(email) and _is_plain_local(email):
        return email
    if "." not in email.rpartition("@")[2]:
        return None
    try:
        found = validate_email(email, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def identity_keys(identity: Identity) -> frozenset[str]:
    """The keys under which this record is found by one that may be the same.

    "p:+15551234567" phone, "p:+15551234567x12" phone with extension, "e:a@b.c" e-mail, "n:..." name, "c:..." company,
    "a:..." address. A name key is tolerant of word order, nicknames and vowels. Usually three to eight, at most 40,
    each at most 80 characters. How many records hold a key is the `frequency` which `matching.decide` asks for.
    """
    keys = set(name_keys_of(identity))
    for phone in identity.phones[:8]:
        if phone.e164:
            keys.add(phone_key(phone))
            if phone.extension:
                keys.add(extension_key(phone)[:MAX_KEY])
    for email in identity.emails[:6]:
        keys.add(email_key(email))
    keys.update(address_keys(identity.address))
    return frozenset(keys)


def finds(key: str, holders: int) -> bool:
    """Whether a key held by so many of our records is worth looking them up by.

    Beyond the limit it would gather strangers; it still counts, weakly, for records found by another key.
    """
    return holders <= (MOST_NAMESAKES if key[0] in "nc" else MOST_ON_ONE_LINE)


def telling(holders: int) -> int:
    """How much sharing a key with so many says, for putting candidates in order: 25 for one, 1 for a crowd."""
    return 1 + 24 // holders


def phone_key(phone: Phone) -> str:
    return f"p:{phone.e164}"


def extension_key(phone: Phone) -> str:
    return f"p:{phone.e164}x{phone.extension}"


def email_key(email: str) -> str:
    return f"e:{email}"[:MAX_KEY]


def address_keys(address: AddressKey | None) -> tuple[str, ...]:
    """By postal code and by town, so that an address without one of them meets one that has both.

    Needs a street with number, and a postal code or town, or else it would gather strangers.
    """
    if not address:
        return ()
    number, street, unit, postal, city = address
    if not number or not street:
        return ()
    door = f"a:{number}|{_skeleton(street)}|"
    return tuple([f"{door}{place}|{unit}"[:MAX_KEY] for place in (postal, city) if place])


def streets_alike(one: str, other: str) -> bool:
    return one == other or _skeleton(one) == _skeleton(other)


def name_keys(names: Names) -> set[str]:
    keys: set[str] = set()
    for person in names.people:
        given, family = person.given, person.family
        if len(given) > 1 and family:
            bones = _skeleton(family.replace(" ", ""))
            for root in _root_skeletons(given):
                keys.add(f"n:{bones} {root}" if bones < root else f"n:{root} {bones}")  # 27 characters at most
        elif family and not given:
            keys.add("n:" + _skeleton(family.replace(" ", "")))
    for words in names.companies:
        keys.add(company_key(words))
    return keys


@lru_cache(maxsize=8192)
def _root_skeletons(given: str) -> tuple[str, ...]:
    return tuple(map(_skeleton, sorted(given_roots(given))[:4]))


def company_key(words: tuple[str, ...]) -> str:
    telling = [word for word in words if word not in TRADE_WORDS] or list(words)
    return ("c:" + " ".join(_skeleton(word) for word in sorted(telling)[:3]))[:MAX_KEY]


@lru_cache(maxsize=32768)
def _skeleton(text: str) -> str:
    """First letter and the consonants after it, no doubles: one key for "Petersen", "Peterson" and "Pettersen"."""
    if not text or text[0].isdigit():
        return text[:24]
    bones = text[0]
    for letter in text[1:].translate(_VOWELS):
        if letter != bones[-1]:
            bones += letter
    return bones[:12] if len(bones) > 1 else text[:12]
