"""Consents: sending an admin to QuickBooks, and what may come of the answer.

`begin()` remembers a state, stored as a hash and bound to one browser session and person; `receive()` takes the
answer: each state works once and for half an hour. New tokens are stored before they are used. One company has one
connection: consenting again renews it and keeps every link. A reconnect that comes back with another company is
refused and its grant given back, unless the admin had said that it is another company; then that one gets a connection
of its own and the old one is disconnected, because ids of two companies are never mixed. Only one company is connected
at a time; a second one is refused.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from crm import config
from crm.db import changed, db, end_reading, transaction
from crm.domain.connections import CONNECTED, DISCONNECTED
from crm.domain.errors import NeedsReconnect, NotFound, ProviderError, Refused
from crm.models import Connection, OAuthState
from crm.providers.accounting.base import Tokens
from crm.services import audit, calls, connections, grants, notices, trouble
from crm.services.audit import Actor
from crm.services.grants import Clock

log = logging.getLogger(__name__)

PROVIDER = "quickbooks"
LIFE = timedelta(minutes=30)
"""Time for signing in at Intuit, second factor included."""
KEPT = timedelta(days=1)
"""Used states stay this long, to tell a repeated answer from a made-up one."""

WRONG_STATE = {
    "missing": "The answer came without the mark that Tradebook gave it, so nothing was connected. Start again here.",
    "unknown": "Tradebook does not know this consent, so nothing was connected. Start again here.",
    "foreign": "This consent was begun in another browser session or by another person, so nothing was connected. "
               "Start again here, in this browser.",
    "used": "This consent was used already; an answer counts once. If the company is not connected, start again here.",
    "expired": "This consent was begun more than half an hour ago, so nothing was connected. Start again here.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browser:
    """Who asks: the signed-in person and the secret of their browser session."""

    session_key: str
    user_id: int
    actor: Actor


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """The query of the callback; empty text where something is missing."""

    state: str = ""
    code: str = ""
    realm_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to tell the person, and which connection's page to show (None: the list)."""

    level: str
    text: str
    connection_id: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Consent:
    code_verifier: str
    connection_id: int | None
    other_company_allowed: bool


def begin(browser: Browser, *, connection_id: int | None, other_company_allowed: bool, clock: Clock) -> str:
    """Where to send the browser. Refused without keys; Unavailable when the sign-in service cannot be found."""
    if not config.current().quickbooks_ready:
        raise Refused("The QuickBooks keys are not set yet: see what to do on the QuickBooks page.")
    if connection_id is not None and db.session.get(Connection, connection_id) is None:
        raise NotFound("There is no such connection.")
    end_reading()
    authorization = grants.oauth(PROVIDER, clock=clock, on_call=calls.Tally()).authorize()
    now = clock()
    with transaction():
        db.session.execute(delete(OAuthState).where(OAuthState.created_at < now - KEPT))
        db.session.add(
            OAuthState(
                state_hash=_digest(authorization.state),
                provider=PROVIDER,
                session_hash=_digest(browser.session_key),
                user_id=browser.user_id,
                code_verifier=authorization.code_verifier,
                connection_id=connection_id,
                other_company_allowed=other_company_allowed,
                created_at=now,
            )
        )
    return authorization.url


def receive(answer: Answer, browser: Browser, *, clock: Clock) -> Outcome:
    """What becomes of an answer. Never raises for what QuickBooks or a forger may send: the outcome says it."""
    with transaction():
        consent = _claim(answer.state, browser, now=clock())
        if isinstance(consent, str):
            return _failed(browser, consent, WRONG_STATE[consent], now=clock())
        if answer.error or not answer.code or not answer.realm_id:
            return _not_given(answer, browser, consent, now=clock())
    tally = calls.Tally()
    try:
        oauth = grants.oauth(PROVIDER, clock=clock, on_call=tally)
        tokens = oauth.exchange(answer.code, code_verifier=consent.code_verifier)
    except ProviderError as error:
        text = str(error)
        if isinstance(error, NeedsReconnect):  # of a code it means something else than of a refresh token
            text = (
                "QuickBooks did not accept the answer of its own consent page: it had expired, or the redirect URI of "
                "the Intuit app differs from QUICKBOOKS_REDIRECT_URI. Nothing was connected; start again here."
            )
        with transaction():
            return _failed(browser, type(error).__name__, text, now=clock(), connection_id=consent.connection_id)
    try:
        connection_id, outcome = _stored(consent, answer.realm_id, tokens, browser, tally, clock=clock)
    except IntegrityError:  # another admin connected the same company in this very moment: it is known by now
        connection_id, outcome = _stored(consent, answer.realm_id, tokens, browser, tally, clock=clock)
    if connection_id is None:
        _give_back(tokens, clock=clock)
        return outcome
    if outcome.level == "error":
        return outcome
    described = _described(connection_id, outcome, clock=clock)
    if outcome.text == "connected":
        with transaction():
            _note_connected(connection_id, browser, now=clock())
    return described


def _claim(state: str, browser: Browser, *, now: datetime) -> _Consent | str:
    """The consent this state stands for, used up from now on; or why it does not count."""
    if not state:
        return "missing"
    row = db.session.get(OAuthState, _digest(state))
    if row is None:
        return "unknown"
    if row.session_hash != _digest(browser.session_key) or row.user_id != browser.user_id:
        return "foreign"
    claimed = changed(
        update(OAuthState)
        .where(OAuthState.state_hash == row.state_hash, OAuthState.used_at.is_(None))
        .values(used_at=now)
    )
    if not claimed:
        return "used"
    if now - row.created_at > LIFE:
        return "expired"
    return _Consent(row.code_verifier, row.connection_id, row.other_company_allowed)


def _failed(browser: Browser, reason: str, text: str, *, now: datetime, connection_id: int | None = None) -> Outcome:
    subject = f"connection:{connection_id}" if connection_id else ""
    audit.record(
        "consent_failed", actor=browser.actor, now=now, subject=subject, summary=text, details={"reason": reason}
    )
    return Outcome("error", text, connection_id)


def _not_given(answer: Answer, browser: Browser, consent: _Consent, *, now: datetime) -> Outcome:
    """The person said no, or QuickBooks answered with less than it takes."""
    if answer.error == "access_denied":
        text = "Nothing was connected: the consent was declined at QuickBooks. You can start again at any time."
        audit.record("consent_declined", actor=browser.actor, now=now, summary=text)
        return Outcome("info", text, consent.connection_id)
    if answer.error:
        code = re.sub(r"[^a-z_]", "", answer.error.lower())[:40] or "unknown"
        text = f"QuickBooks did not give a consent ({code}), so nothing was connected."
        if code == "invalid_scope":
            text += " The Intuit app of these keys lacks the accounting scope: add it in the developer portal."
        return _failed(browser, code, text, now=now, connection_id=consent.connection_id)
    missing = "realmId" if answer.code else "code"
    text = (
        f"QuickBooks' answer named no {'company' if answer.code else 'consent'}, so nothing was connected. Try again."
    )
    return _failed(browser, f"no {missing}", text, now=now, connection_id=consent.connection_id)


def _stored(
    consent: _Consent, realm_id: str, tokens: Tokens, browser: Browser, tally: calls.Tally, *, clock: Clock
) -> tuple[int | None, Outcome]:
    with transaction():
        connection_id, outcome = _settle(consent, realm_id, tokens, browser, now=clock())
        if connection_id is not None:
            calls.count(connection_id, tally, now=clock())
    return connection_id, outcome


def _settle(
    consent: _Consent, realm_id: str, tokens: Tokens, browser: Browser, *, now: datetime
) -> tuple[int | None, Outcome]:
    """Store the grant where it belongs; (None, ...) when it belongs nowhere and must be given back."""
    everyone = list(db.session.scalars(select(Connection).order_by(Connection.id).with_for_update()))
    # By the decrypted id, not by fingerprint: that one changes when SECRET_KEY does.
    known = next((one for one in everyone if one.provider == PROVIDER and one.realm_id == realm_id), None)
    target = next((one for one in everyone if one.id == consent.connection_id), None)
    if target is None or known is target or consent.other_company_allowed:
        rival = next((one for one in everyone if one not in (known, target) and one.state != DISCONNECTED), None)
        if rival is not None:
            return None, _failed(browser, "one_company", _one_at_a_time(rival), now=now, connection_id=rival.id)
        chosen = known or _new(realm_id)
        words = "renewed" if known else "connected"
        _keep(chosen, tokens, browser, now=now, action="reconnected" if known else "connected")
        if target is not None and target is not chosen and target.state != DISCONNECTED:
            connections.disconnect(target.id, actor=browser.actor, now=now)
        return chosen.id, Outcome("success", words, chosen.id)
    name = target.company_name or "the connected company"
    text = (
        f"You chose another company at QuickBooks than {name}, so nothing was changed. Reconnect and choose {name}; "
        "or, if you do want to connect the other company, say so with “It is a different company”."
    )
    if known is not None and known.state != DISCONNECTED:
        _keep(known, tokens, browser, now=now, action="reconnected")
        text = (
            f"You chose {known.company_name or 'a company'} at QuickBooks, which has its own connection here; that one "
            f"was renewed. {name} was not reconnected: try again and choose {name}."
        )
        return known.id, _failed(browser, "different_company", text, now=now, connection_id=target.id)
    return None, _failed(browser, "different_company", text, now=now, connection_id=target.id)


def _one_at_a_time(rival: Connection) -> str:
    """A contact's figures are of one company: a second one would overwrite them (`MoneyFacts`)."""
    name = rival.company_name or "Another company"
    return (
        f"{name} is connected, and Tradebook keeps the books of one company at a time, so nothing was connected. "
        f"To change over, choose “It is a different company” on this page, or disconnect {name} first."
    )


def _new(realm_id: str) -> Connection:
    connection = Connection(
        provider=PROVIDER,
        realm_id=realm_id,
        realm_fingerprint=grants.fingerprint(realm_id),
        read_only=True,
        grant_version=0,
    )
    db.session.add(connection)
    return connection


def _keep(connection: Connection, tokens: Tokens, browser: Browser, *, now: datetime, action: str) -> None:
    """Put the grant on the connection: well again, nothing about it pending."""
    for column, value in grants.values(tokens, now=now).items():
        setattr(connection, column, value)
    connection.grant_version += 1
    connection.realm_fingerprint = grants.fingerprint(connection.realm_id)
    connection.environment = connections.environment(config.current())
    connection.state, connection.state_reason, connection.last_error = CONNECTED, "", ""
    connection.connected_at, connection.connected_by_id = now, browser.user_id
    connection.disconnected_at = connection.check_asked_at = connection.warned_days = None
    db.session.flush()
    notices.settle(connection.id, *trouble.TOPICS, "grant_ends", now=now)
    details = {"environment": connection.environment, "scopes": list(tokens.scopes)}
    if action == "connected":  # who it is, is known when it has answered: `_note_connected` says so
        action, summary = "consent_given", "QuickBooks gave its consent for a company."
    else:
        summary = _in_words(connection, action)
    audit.record(
        action, actor=browser.actor, now=now, subject=f"connection:{connection.id}", summary=summary, details=details
    )


def _note_connected(connection_id: int, browser: Browser, *, now: datetime) -> None:
    connection = db.session.get_one(Connection, connection_id, populate_existing=True)
    audit.record(
        "connected", actor=browser.actor, now=now, subject=f"connection:{connection_id}",
        summary=_in_words(connection, "connected"), details={"environment": connection.environment},
    )  # fmt: skip


def _in_words(connection: Connection, action: str) -> str:
    """ "Bedrock Foundation Repair connected, read-only"."""
    name = connection.company_name or "A QuickBooks company that has not told its name yet"
    return f"{name} {action}{', read-only' if connection.read_only else ''}"


def _described(connection_id: int, outcome: Outcome, *, clock: Clock) -> Outcome:
    """The company's own words about itself, read at once so that the admin sees the right name."""
    try:
        name = connections.describe(connection_id, clock=clock)
    except ProviderError as error:
        return Outcome("warning", f"The consent was given, but the company does not answer yet. {error}", connection_id)
    if outcome.text == "renewed":
        return Outcome("success", f"{name} is connected again. Every link was kept.", connection_id)
    return Outcome("success", f"{name} is connected, read-only. Next: import its customers.", connection_id)


def _give_back(tokens: Tokens, *, clock: Clock) -> None:
    """A grant nobody wants must not live on at Intuit; where that fails it ends there by itself, unused."""
    try:
        grants.oauth(PROVIDER, clock=clock, on_call=calls.Tally()).revoke(tokens.refresh_token)
    except ProviderError as error:
        log.warning("a grant that was refused here could not be given back: %s", error)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
