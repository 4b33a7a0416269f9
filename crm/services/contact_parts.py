"""What everybody who writes contacts needs alike: the columns made from others, tags by name, contacts in bulk.

Used by the services that change contacts by hand and from files; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from crm.db import db
from crm.domain import contacts as rules
from crm.domain.contacts import FIELDS, Line
from crm.models import Contact, ContactPoint, Tag


def text_columns(values: Mapping[str, str], lines: Sequence[Line | ContactPoint]) -> dict[str, str]:
    """What lists sort by, search in and show first, made from the fields and lines of a contact."""
    phones = [line for line in lines if line.kind == "phone"]
    emails = [line for line in lines if line.kind == "email"]
    return {
        "sort_name": rules.sort_name(values["display_name"]),
        "phone": phones[0].value[: rules.MAX_SHOWN_PHONE] if phones else "",
        "email": (emails[0].normal or emails[0].value) if emails else "",
        "search_text": rules.search_text(
            names=[values[name] for name in ("display_name", "given_name", "family_name", "company_name")],
            phones=[line.normal or line.value for line in phones],
            emails=[line.normal or line.value for line in emails],
            address=[values[name] for name in rules.ADDRESS],
        ),
    }


def settle_texts(contact: Contact) -> None:
    """Make those columns true again after a change."""
    values = {name: getattr(contact, name) for name in FIELDS}
    for name, text in text_columns(values, contact.points).items():
        setattr(contact, name, text)


def tags_named(names: Sequence[str]) -> dict[str, Tag]:
    """Lower-case name -> tag, in the order of the names; missing ones are made."""
    wanted = {name.lower(): name for name in names}
    if not wanted:
        return {}
    found = {tag.name.lower(): tag for tag in db.session.scalars(select(Tag).where(func.lower(Tag.name).in_(wanted)))}
    for key, name in wanted.items():
        if key not in found:
            found[key] = Tag(name=name)
            db.session.add(found[key])
    db.session.flush()
    return {key: found[key] for key in wanted}


def loaded(contact_ids: Sequence[int]) -> dict[int, Contact]:
    """Id -> contact, with lines and tags."""
    with_all = (selectinload(Contact.points), selectinload(Contact.tags))
    query = select(Contact).where(Contact.id.in_(contact_ids)).options(*with_all)
    return {contact.id: contact for contact in db.session.scalars(query)}
