"""The address under which a customer reads a quote or invoice without signing in: made, shown again, found, revoked.

The token is the whole authority: 256 random bits, kept encrypted, found by its SHA-256 alone. A link that is unknown,
revoked or past its time is nothing at all (`find` gives None), and nobody learns which of them it was. What a customer
does there is in `public_answers`. Called inside `transaction()` where it changes something.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import select

from crm import config
from crm.db import db
from crm.domain import quotes
from crm.domain.errors import Refused
from crm.models import PublicLink, SalesDocument
from crm.services import sales_documents
from crm.services.audit import Actor
from crm.services.quote_drafts import today

PREFIX = "/q/"
"""What public addresses begin with; logs say no more of them than this (`crm/logging`)."""
USUAL = timedelta(days=90)
AFTER_EXPIRY = timedelta(days=30)
"""For so long a customer can still read a quote that has expired."""
EVERY = timedelta(minutes=1)
"""Openings closer together than this count as one."""


def make(document_id: int, *, actor: Actor, now: datetime) -> str:
    """The path of the document's page. One that is good still is given again, and lasts at least as long as a new one.

    Raises NotFound, Refused for a template or a deleted document.
    """
    document = _locked(document_id)
    if document.template or document.gone_at is not None:
        raise Refused("A customer cannot be shown this: it is a template, or it was deleted.")
    expires, link = _end(document, now), live(document_id, now=now)
    if link is not None:
        link.expires_at = max(link.expires_at, expires)
        return path(link)
    token = secrets.token_urlsafe(32)
    link = PublicLink(document_id=document.id, token=token, token_hash=_hash(token), created_by=actor.label[:254],
                      created_at=now, expires_at=expires, opened=0)  # fmt: skip
    db.session.add(link)
    db.session.flush()
    sales_documents.tell(document, "linked", "link for the customer made", actor=actor, now=now)
    return path(link)


def live(document_id: int, *, now: datetime) -> PublicLink | None:
    """The document's link that is good now, the newest if there are several."""
    mine = (PublicLink.document_id == document_id, PublicLink.revoked_at.is_(None), PublicLink.expires_at > now)
    return db.session.scalars(select(PublicLink).where(*mine).order_by(PublicLink.id.desc()).limit(1)).first()


def path(link: PublicLink) -> str:
    return PREFIX + link.token


def revoke(document_id: int, *, actor: Actor, now: datetime) -> int:
    """No link of the document opens anything from now on; how many there were."""
    document = _locked(document_id)
    mine = (PublicLink.document_id == document_id, PublicLink.revoked_at.is_(None), PublicLink.expires_at > now)
    links = db.session.scalars(select(PublicLink).where(*mine).order_by(PublicLink.id)).all()
    for link in links:
        link.revoked_at = now
    if links:
        sales_documents.tell(document, "unlinked", "link for the customer revoked", actor=actor, now=now)
    return len(links)


def find(token: str, *, now: datetime) -> PublicLink | None:
    """The link this token opens; None for one that is unknown, revoked or past its time, or whose document is gone."""
    hashed = _hash(token)
    link = db.session.scalars(select(PublicLink).where(PublicLink.token_hash == hashed)).first()
    if link is None or not hmac.compare_digest(link.token_hash, hashed):
        return None
    if link.revoked_at is not None or link.expires_at <= now:
        return None
    document = db.session.get(SalesDocument, link.document_id)
    return None if document is None or document.gone_at is not None or document.template else link


def seen(link_id: int, *, actor: Actor, now: datetime) -> None:
    """Somebody who is not signed in here opened it: the first time, the document is viewed."""
    link = db.session.get_one(PublicLink, link_id)
    document = _locked(link.document_id)
    db.session.refresh(link)
    if link.opened_at is not None and now - link.opened_at < EVERY:
        return
    link.opened, link.opened_at = link.opened + 1, now
    was, first = document.state, document.viewed_at is None
    if document.kind == "estimate":
        day = today(now)
        state = quotes.state_now(was, expires_on=document.expires_on, today=day)
        if quotes.why_not("view", state, who=quotes.CUSTOMER):
            return
        document.state = quotes.move("view", was, who=quotes.CUSTOMER, expires_on=document.expires_on, today=day)
    document.viewed_at = document.viewed_at or now
    sales_documents.flush(document)
    if first or document.state != was:
        details = {"from": was, "to": document.state}
        sales_documents.tell(document, "view", "opened by the customer", actor=actor, now=now, details=details)


def form_key(link: PublicLink) -> str:
    """What every form of this link's page carries: it shows that the form came from that page."""
    secret = config.current().secret_key.encode()
    return hmac.new(secret, f"public form {link.token_hash}".encode(), hashlib.sha256).hexdigest()


def _end(document: SalesDocument, now: datetime) -> datetime:
    """Until when a new link lasts."""
    if document.kind != "estimate" or document.expires_on is None:
        return now + USUAL
    return max(datetime.combine(document.expires_on, time(23, 59), UTC), now) + AFTER_EXPIRY


def _locked(document_id: int) -> SalesDocument:
    query = select(SalesDocument).where(SalesDocument.id == document_id).with_for_update()
    found = db.session.scalars(query.execution_options(populate_existing=True)).first()
    return found if found is not None else sales_documents.find(document_id)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
