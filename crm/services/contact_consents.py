"""Whether a contact may be reached by e-mail, text message or call, as people noted it.

Called by the contact's page inside `transaction()`. A row says granted or denied, how that was learned, who noted it
and when; no row means that nobody asked. Every change is told on the timeline.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Invalid, Refused
from crm.models import Contact, ContactConsent
from crm.services import contacts, timeline
from crm.services.audit import Actor

CHANNELS = {"email": "E-mail", "sms": "Text messages", "call": "Calls"}
STATES = {"granted": "Granted", "denied": "Denied"}
UNASKED = ""
"""The state of no row: what was noted is taken back."""
LONGEST_HOW = 200


def note(contact_id: int, channel: str, state: str, *, how: str = "", actor: Actor, now: datetime) -> bool:
    """Keep it; answers whether anything changed. `state`: a key of STATES, or UNASKED.

    Raises Invalid (`channel`, `state`, `how`), NotFound, Merged, Refused for an archived contact.
    """
    session, how = db.session(), " ".join(how.replace("\x00", "").split())
    _refuse(channel, state, how)
    contact = _locked(session, contact_id)
    row = session.get(ContactConsent, (contact_id, channel), populate_existing=True)
    before = row.state if row is not None else UNASKED
    if (before, row.how if row is not None else "") == (state, how if state else ""):
        return False
    if state == UNASKED:
        session.delete(row)
    elif row is None:
        session.add(ContactConsent(contact_id=contact_id, channel=channel, state=state, how=how,
                                   noted_by=actor.label[:254], noted_at=now))  # fmt: skip
    else:
        row.state, row.how, row.noted_by, row.noted_at = state, how, actor.label[:254], now
    session.flush()
    words = STATES.get(state, "Never asked")
    told = f"{CHANNELS[channel]}: consent {words.lower()}{f' ({how})' if how and state else ''}"
    timeline.add(contact.id, verb="consent_noted", summary=told, actor=actor, now=now,
                 changes={CHANNELS[channel]: (STATES.get(before, "Never asked"), words)})  # fmt: skip
    return True


def _locked(session: Session, contact_id: int) -> Contact:
    """Two people who note at once wait for each other here."""
    contact = contacts.find(contact_id)
    session.execute(select(Contact.id).where(Contact.id == contact_id).with_for_update())
    if contact.archived_at is not None:
        raise Refused(f"{contact.display_name} is archived. Restore the contact first.")
    return contact


def _refuse(channel: str, state: str, how: str) -> None:
    wrong = {}
    if channel not in CHANNELS:
        wrong["channel"] = "Choose e-mail, text messages or calls."
    if state not in (*STATES, UNASKED):
        wrong["state"] = "Choose granted, denied or never asked."
    if len(how) > LONGEST_HOW:
        wrong["how"] = f"How it was learned is too long: shorten it to {LONGEST_HOW} characters."
    if wrong:
        raise Invalid(wrong)
