"""Two records side by side: both read into the same few lines, and compared by meaning.

Numbers are compared by E.164, e-mails in lower case, names and postal addresses in their folded form; only values that
really contradict are marked. Used by the cards of the match desk (`match_cards`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.domain.addresses import AddressKey, read_address
from crm.domain.identity import read_emails, read_phones, streets_alike
from crm.domain.names import fold_words
from crm.models import Contact

LINES = (
    ("Name", "names"), ("Person", "people"), ("Company", "companies"), ("Phones", "phones"), ("E-mail", "emails"),
    ("Address", "addresses"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """`key` is what it is compared by."""

    text: str
    key: Any
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, in the same few lines."""

    names: Sequence[Value] = ()
    people: Sequence[Value] = ()
    """Given and family name, where the name itself does not say them: a company's customer in the books often has some,
    and they are compared too."""
    companies: Sequence[Value] = ()
    phones: Sequence[Value] = ()
    emails: Sequence[Value] = ()
    addresses: Sequence[Value] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One field on both sides; `state` is `same`, `differs`, or empty where one side says nothing."""

    label: str
    theirs: Sequence[Value]
    """Those of the first."""
    ours: Sequence[Value]
    """Those of the second."""
    state: str
    common: frozenset[Any]


def compare(theirs: Side, ours: Side) -> list[Line]:
    """Field by field; a field that is empty on both sides is left out."""
    lines = []
    for label, name in LINES:
        one, other = getattr(theirs, name), getattr(ours, name)
        if not one and not other:
            continue
        common = frozenset(value.key for value in one) & frozenset(value.key for value in other)
        if name == "addresses" and one and other and _addresses_alike(one[0].key, other[0].key):
            common = frozenset((one[0].key, other[0].key))
        state = "" if not one or not other else "same" if common else "differs"
        lines.append(Line(label, one, other, state, common))
    return lines


def of_customer(record: Mapping[str, Any], region: str) -> Side:
    address = record.get("billing_address") or record.get("shipping_address") or {}
    street = [address.get(f"line{number}") for number in range(1, 6)]
    return Side(
        names=_named(record.get("display_name", "")),
        people=_person(record.get("display_name", ""), record.get("given_name", ""), record.get("family_name", "")),
        companies=_named(record.get("company_name", "")),
        phones=[
            Value(phone.e164 or phone.raw, phone.e164 or phone.raw, phone.extension or "")
            for field in record.get("phones", ())
            if field.get("label") != "fax"
            for phone in read_phones(field.get("text"), region)
        ],
        emails=_emails(record.get("email_text", "")),
        addresses=_address(street, address.get("city"), address.get("region"), address.get("postal_code")),
    )


def of_contact(contact: Contact) -> Side:
    phones = [point for point in contact.points if point.kind == "phone" and point.label != "fax"]
    return Side(
        names=_named(contact.display_name),
        people=_person(contact.display_name, contact.given_name, contact.family_name),
        companies=_named(contact.company_name),
        phones=[Value(p.normal or p.value, p.normal or p.value, p.extension) for p in phones],
        emails=[
            value for point in contact.points if point.kind == "email" for value in _emails(point.normal or point.value)
        ],
        addresses=_address([contact.street], contact.city, contact.region, contact.postal_code),
    )


def _named(text: str) -> list[Value]:
    return [Value(text, tuple(sorted(fold_words(text))) or text)] if text else []


def _person(name: str, given: str, family: str) -> list[Value]:
    said = _named(" ".join(part for part in (given, family) if part))
    return [] if not said or set(fold_words(said[0].text)) <= set(fold_words(name)) else said


def _emails(text: str) -> list[Value]:
    return [Value(email, email) for email in read_emails(text) or ((text,) if text else ())]


def _address(street: Sequence[str | None], city: str | None, region: str | None, postal: str | None) -> list[Value]:
    text = ", ".join(part for part in (*street, city, f"{region or ''} {postal or ''}".strip()) if part)
    return [Value(text, read_address(*street, city=city, postal=postal) or text)] if text else []


def _addresses_alike(one: Any, other: Any) -> bool:
    """The same door: "Street" and "St." are alike, and a town or a postal code may be missing on one side."""
    if not isinstance(one, AddressKey) or not isinstance(other, AddressKey):
        return bool(one == other)
    place = one.postal == other.postal if one.postal and other.postal else one.city == other.city
    return (
        one.number == other.number
        and one.unit == other.unit
        and place
        and (
            one.street == other.street or bool(one.street and other.street and streets_alike(one.street, other.street))
        )
    )
