"""A lead that accepted a quote or got an invoice is a customer from then on, and its timeline says so.

The one place for it: called when a quote is accepted or invoiced and an invoice finished here, and for what comes in
from the books. Other sorts of contacts (vendors, partners) stay what people made them; so does a customer for good.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Contact, SalesDocument, TimelineEntry
from crm.services import timeline
from crm.services.audit import Actor
from crm.services.identity_keys import chunks

LEAD, CUSTOMER = "lead", "customer"
WON = ("accepted", "invoiced")


def of_documents(session: Session, document_ids: Collection[int], *, actor: Actor, now: datetime) -> None:
    """The leads these are for, as far as they are invoices that stand or quotes that were taken."""
    for part in chunks(sorted(document_ids), 500):
        d = SalesDocument
        taken = ((d.kind == "invoice") & (d.state == "open")) | ((d.kind == "estimate") & d.state.in_(WON))
        whose = select(d.contact_id).where(d.id.in_(part), d.gone_at.is_(None), d.template.is_(False), taken)
        leads = select(Contact).where(Contact.id.in_(whose), Contact.type == LEAD).order_by(Contact.id)
        found = session.scalars(leads.with_for_update().execution_options(populate_existing=True)).all()
        for contact in found:
            contact.type, contact.updated_at = CUSTOMER, now
        session.flush()
        if found:
            session.execute(insert(table_of(TimelineEntry)), [_said(one, actor=actor, now=now) for one in found])


def _said(contact: Contact, *, actor: Actor, now: datetime) -> dict[str, Any]:
    changes = {"type": [LEAD, CUSTOMER]}
    return timeline.row(contact.id, verb="became_customer", summary="is a customer now", actor=actor, now=now,
                        changes=changes)  # fmt: skip
