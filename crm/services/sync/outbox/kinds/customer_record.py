"""A contact said as a customer of the books: the record that is sent, and how its fields read to people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.domain import shared_fields
from crm.domain.preflight import LONGEST_EMAIL, LONGEST_PHONE, PHONES
from crm.domain.records import Address, CustomerRecord, Origin, PhoneField
from crm.domain.shared_fields import ADDRESS, LINE_FIELDS, line_key, line_keys_of

Lines = Mapping[str, Sequence[Any]]
"""Field of LINE_FIELDS -> the contact's lines that stand in it."""
LABELLED = {"mobile": "mobile", "other": "other", "fax": "fax"}


def lines_by_label(lines: Sequence[Any]) -> dict[str, list[Any]]:
    """Which line goes where in a customer that is new there: by label; a second plain number is the other phone."""
    found: dict[str, list[Any]] = {field: [] for field in LINE_FIELDS}
    plain = []
    for line in lines:
        if line.kind == "email":
            found["email"].append(line)
        elif line.label in LABELLED:
            found[LABELLED[line.label]].append(line)
        else:
            plain.append(line)
    found["phone"] = plain[:1]
    found["other"] = found["other"] or plain[1:2]
    return found


def lines_by_keys(lines: Sequence[Any], keys: Mapping[str, str]) -> dict[str, list[Any]]:
    """The same for a customer that is linked: as the comparison found them."""
    found: dict[str, list[Any]] = {}
    for field in LINE_FIELDS:
        kind, wanted = ("email" if field == "email" else "phone"), line_keys_of(keys.get(field, ""))
        found[field] = [line for line in lines if line.kind == kind and line_key(line) in wanted]
    return found


def record_of(contact: Any, lines: Lines, *, name: str = "") -> CustomerRecord:
    """Everything of the contact that a customer shares. `name` is used instead of its own where given."""
    phones = [(label, lines.get(field, ())) for field, label in PHONES.items()]
    return CustomerRecord(
        origin=Origin(""),
        display_name=name or contact.display_name,
        given_name=contact.given_name,
        family_name=contact.family_name,
        company_name=contact.company_name,
        phones=tuple(PhoneField(label, phone_text(own[0])) for label, own in phones if own),
        email_text=email_text(lines.get("email", ())),
        website=website(contact.website),
        billing_address=_address(contact),
    )


def phone_text(line: Any) -> str:
    """As it was typed; where the books cannot keep that, the plain number."""
    if len(line.value) <= LONGEST_PHONE or not line.normal:
        return str(line.value)
    return f"{line.normal} x{line.extension}" if line.extension else str(line.normal)


def email_text(lines: Sequence[Any]) -> str:
    """As many addresses as fit, separated by commas."""
    text = ""
    for line in lines:
        longer = f"{text}, {line.value}" if text else str(line.value)
        if text and len(longer) > LONGEST_EMAIL:
            break
        text = longer
    return text


def website(text: str) -> str:
    """With its scheme: without one it is no address to the books."""
    text = text.strip()
    return f"https://{text}" if text and "://" not in text else text


def _address(contact: Any) -> Address | None:
    parts = {part: getattr(contact, part) for part in ADDRESS}
    if not any(parts.values()):
        return None
    return Address(line1=parts.pop("street"), **parts)


def shown(record: CustomerRecord, contact: Any, field: str) -> str:
    """What is sent in a field, as people read it."""
    if field in PHONES:
        return next((phone.text for phone in record.phones if phone.label == PHONES[field]), "")
    if field == "email":
        return record.email_text
    if field == "address":
        return shared_fields.address_text({part: getattr(contact, part) for part in ADDRESS})
    return str(getattr(record, field))


def filled(record: CustomerRecord, contact: Any) -> dict[str, list[str]]:
    """The fields of a customer that is new there, with what will stand in them."""
    values = {field: shown(record, contact, field) for field in shared_fields.TITLES}
    return {field: ["", value] for field, value in values.items() if value}
