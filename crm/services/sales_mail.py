"""Quotes and invoices that QuickBooks e-mails for us: each asked for once, tried once, and never blindly repeated.

What was asked for is a row before any call is made (`sales_events`), and its event says how far it got:

| event | means | what comes next |
|---|---|---|
| `mail_asked` | it waits; what changed of the document goes to the books first | `send_due` calls |
| `mail_calling` | the call is under way | after LOST it counts as unknown: whoever called has died |
| `mail_sent` | QuickBooks has sent it | |
| `mail_refused` | QuickBooks would not, or could not be asked: nothing was sent | ask again once it is mended |
| `mail_unknown` | no answer came: it may have gone out | a person looks there before asking again |

Asked again to the same address after no answer, the same key goes along, so that QuickBooks sends nothing twice. The
call is made outside of any transaction, by the task `crm.tasks.sales.send_mail`.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from crm import clock as system_clock
from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.errors import Invalid, OutcomeUnknown, ProviderError, RateLimited, Refused, Unavailable, Unreadable
from crm.models import Connection, Link, OutboxEntry, SalesDocument, SalesEvent
from crm.providers.accounting.base import Accounting
from crm.services import sales_documents
from crm.services.audit import Actor
from crm.services.sync.imports.fetch import Names
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.outbox.outbox import OPEN
from crm.services.sync.work import Batch, books_of

log = logging.getLogger(__name__)

TASK = "crm.tasks.sales.send_mail"
ASKED, CALLING, SENT, REFUSED, UNKNOWN = "mail_asked", "mail_calling", "mail_sent", "mail_refused", "mail_unknown"
MAILS = (ASKED, CALLING, SENT, REFUSED, UNKNOWN)
UNDER_WAY = (ASKED, CALLING)
LOST = timedelta(minutes=10)
"""Longer than any call takes."""
LOOK_FIRST = (
    "QuickBooks did not answer the last time: it may have been sent. Look there before sending again, then tick that"
    " you did."
)
NO_ANSWER = "QuickBooks did not answer: it may have been sent. Look there before sending again."
LOST_HANDS = "Sending was interrupted: it may have been sent. Look in QuickBooks before sending again."
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")

OpenBooks = Callable[..., AbstractContextManager[Accounting]]


@dataclass(frozen=True, slots=True)
class Call:
    """What one call needs, read before it is made."""

    event_id: int
    document_id: int
    connection_id: int
    kind: str
    remote_id: str
    to: str
    key: str


# --- asked for ------------------------------------------------------------------------------------------------


def ask(document: SalesDocument, *, to: str, looked: bool, actor: Actor, now: datetime) -> SalesEvent:
    """QuickBooks is to e-mail this document, which the caller has locked, to this address. `looked`: the person says
    that they looked there after a try without an answer. Raises Invalid, Refused."""
    address = to.strip() or document.email
    if not address or not all(_EMAIL.fullmatch(one.strip()) for one in address.split(",")):
        raise Invalid({"to": "Write the address it goes to, as ann@example.com; a comma parts several."})
    if not sales_documents.is_linked(document):
        raise Refused("This is not in QuickBooks yet. It can be sent from there as soon as it has arrived.")
    before = last(document.id)
    if before is not None and before.event in UNDER_WAY:
        raise Refused("It is being sent already.")
    unsure = before is not None and before.event == UNKNOWN
    if unsure and not looked:
        raise Refused(LOOK_FIRST)
    same = unsure and before is not None and before.details.get("to") == address
    key = str(before.details["key"]) if same and before is not None else uuid.uuid4().hex
    sales_documents.tell(document, ASKED, f"to be e-mailed by QuickBooks to {address}", actor=actor, now=now,
                         details={"to": address, "key": key})  # fmt: skip
    db.session.flush()
    made = last(document.id)
    assert made is not None
    ring(TASK, made.id)
    return made


def last(document_id: int) -> SalesEvent | None:
    """The latest mail of this document, whatever came of it."""
    mine = (SalesEvent.document_id == document_id, SalesEvent.event.in_(MAILS))
    query = select(SalesEvent).where(*mine).order_by(SalesEvent.id.desc()).limit(1)
    return db.session.scalars(query.execution_options(populate_existing=True)).first()


# --- sent -----------------------------------------------------------------------------------------------------


def tend(*, now: datetime) -> Sequence[int]:
    """Ring for mails that wait, whose bell was lost; those whose caller has died are unknown from now on."""
    old = select(SalesEvent).where(SalesEvent.event == CALLING).order_by(SalesEvent.id).with_for_update()
    for event in db.session.scalars(old).all():
        if datetime.fromisoformat(event.details["called_at"]) < now - LOST:
            event.event, event.text = UNKNOWN, LOST_HANDS
    waiting = db.session.scalars(select(SalesEvent.id).where(SalesEvent.event == ASKED).order_by(SalesEvent.id)).all()
    for event_id in waiting:
        ring(TASK, event_id)
    return waiting


def send_due(
    event_id: int, *, clock: Callable[[], datetime] = system_clock.now, open_books: OpenBooks | None = None
) -> str:
    """Make the one call of this mail, if it is due; answers its event then. Never raises what the books say."""
    with transaction():
        call = _claim(event_id, now=clock())
    if call is None:
        return ""
    end_reading()
    try:
        with (open_books or _books())(call.connection_id, clock=clock) as books:
            record = books.send(call.kind, call.remote_id, to=call.to, key=call.key)
    except ProviderError as error:
        return _failed(call, error, now=clock())
    except Exception:
        log.exception("mail %s failed", event_id)
        return _settle(call, UNKNOWN, NO_ANSWER, now=clock())
    return _settle(call, SENT, f"E-mailed by QuickBooks to {call.to}", now=clock(), record=record)


def _books() -> OpenBooks:
    from crm.services import connections  # it starts imports itself, so it may import the sync

    return connections.books


def _claim(event_id: int, *, now: datetime) -> Call | None:
    """The call, marked as under way; None where it is not due: sent already, or what changed has not arrived yet."""
    event = db.session.scalars(select(SalesEvent).where(SalesEvent.id == event_id).with_for_update()).first()
    if event is None or event.event != ASKED:
        return None
    document = db.session.get_one(SalesDocument, event.document_id, populate_existing=True)
    link = db.session.scalars(
        select(Link).where(Link.kind == document.kind, Link.local_id == document.id, Link.state != "gone")
        .order_by(Link.id).limit(1)
    ).first()  # fmt: skip
    if link is None or document.gone_at is not None:
        event.event, event.text = REFUSED, "It is not in QuickBooks any more; nothing was sent."
        return None
    waits = (OutboxEntry.kind == document.kind, OutboxEntry.local_id == document.id, OutboxEntry.state.in_(OPEN))
    if db.session.scalar(select(OutboxEntry.id).where(*waits).limit(1)) is not None:
        return None  # the customer is to get what stands here now
    taken = update(SalesEvent).where(SalesEvent.id == event_id, SalesEvent.event == ASKED)
    details = {**event.details, "called_at": now.isoformat()}
    if not changed(taken.values(event=CALLING, details=details)):
        return None
    return Call(event_id, document.id, link.connection_id, document.kind, link.remote_id, str(event.details["to"]),
                str(event.details["key"]))  # fmt: skip


def _failed(call: Call, error: ProviderError, *, now: datetime) -> str:
    if isinstance(error, OutcomeUnknown):
        return _settle(call, UNKNOWN, NO_ANSWER, now=now)
    if isinstance(error, Unreadable):
        return _settle(call, SENT, f"E-mailed by QuickBooks to {call.to}; its answer cannot be read", now=now)
    if isinstance(error, (RateLimited, Unavailable)):
        text = f"QuickBooks could not be asked, nothing was sent: {error}"
    else:
        text = f"QuickBooks did not send it: {error}"
    return _settle(call, REFUSED, text, now=now)


def _settle(call: Call, event_name: str, text: str, *, now: datetime, record: Any = None) -> str:
    """Keep what came of it; what QuickBooks answered is taken in like any change of theirs."""
    with transaction() as session:
        event = session.get_one(SalesEvent, call.event_id, populate_existing=True, with_for_update=True)
        event.event, event.text = event_name, text
        if event_name == SENT:
            moment = {"sent_at": now, "updated_at": now}
            changed(update(SalesDocument).where(SalesDocument.id == call.document_id).values(**moment))
        if record is not None:
            books = books_of(session.get_one(Connection, call.connection_id))
            incoming.take(Batch(session, books, now, trigger="mail"), call.kind, [record], Names(known={}))
    return event_name
