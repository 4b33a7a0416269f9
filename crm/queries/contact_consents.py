"""Whether a contact may be reached in each way, as people noted it."""

from __future__ import annotations

from sqlalchemy import select

from crm.db import db
from crm.models import ContactConsent


def of_contact(contact_id: int) -> dict[str, ContactConsent]:
    """Channel -> what was noted; a channel nobody asked about is missing."""
    query = select(ContactConsent).where(ContactConsent.contact_id == contact_id).order_by(ContactConsent.channel)
    return {row.channel: row for row in db.session.scalars(query)}
