"""Working with a connected company: reading its books, checking that it answers, letting it go.

`books()` is how runners and tasks reach a provider: it renews the grant in time, repeats a call once when a token is
refused, has every request admitted by `throttle`, counts calls and pauses the connection when the provider says so. No
database transaction is open during a remote call, and none may be open when `books()` is used. Consents are `consents`,
renewing is `grants`.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import or_, select, update

from crm import bell, config
from crm.config import Settings
from crm.db import changed, db, end_reading, refuse_open_transaction, transaction
from crm.domain.connections import CONNECTED, DISCONNECTED, NEEDS_RECONNECT, PAUSED
from crm.domain.errors import (
    AccessExpired,
    NeedsReconnect,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    WrongKeys,
)
from crm.domain.records import CompanyPreferences, CompanyRecord, Record
from crm.domain.throttle import REST
from crm.models import Connection
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Changes, Draft, Page, Pushed, Receivable
from crm.services import audit, calls, grants, notices, throttle, trouble
from crm.services.audit import Actor
from crm.services.grants import Access, Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

JUST_RENEWED = timedelta(seconds=2)
"""A token refused this soon opens nothing any more. Later it may have ended while the call waited for its place."""
RECHECK = timedelta(days=1)
"""How often a paused connection is tried by itself."""
OVERDUE = timedelta(minutes=2)
"""A check nobody has answered for this long is rung again."""


def environment(settings: Settings) -> str:
    """`simulated` when the books are on this machine, else what QUICKBOOKS_SANDBOX says."""
    host = urlsplit(settings.quickbooks_api_url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost" or host.endswith(".localhost")
    return "simulated" if here else "sandbox" if settings.quickbooks_sandbox else "production"


@contextmanager
def books(connection_id: int, *, clock: Clock, urgent: bool = False) -> Iterator[Accounting]:
    """The books of the company. Raises, at once or at any call, NeedsReconnect, PermissionLost, SubscriptionLapsed or
    WrongKeys when the connection is paused or becomes so (it is marked by then); NotFound without such a connection.
    A call may wait for its place for as long as `domain/throttle.PATIENCE` says; `urgent` calls, which a person waits
    for, have places of their own.
    """
    yield _open(connection_id, clock=clock, urgent=urgent)


def _open(connection_id: int, *, clock: Clock, urgent: bool, try_paused: bool = False) -> Books:
    end_reading()
    row = _get(connection_id)
    problem = trouble.of(row)
    if problem and not (try_paused and row.state in PAUSED):
        raise problem
    opened = Books(connection_id, row.provider, clock=clock, urgent=urgent)
    end_reading()
    return opened


class Books:
    """The `Accounting` port of one connection, with a grant that stays good."""

    def __init__(self, connection_id: int, provider: str, *, clock: Clock, urgent: bool = False) -> None:
        self._id = connection_id
        self._clock = clock
        self._urgent = urgent
        self.spec = registry.spec(provider)

    def company(self) -> CompanyRecord:
        return self._ask(lambda books: books.company())

    def preferences(self) -> CompanyPreferences:
        return self._ask(lambda books: books.preferences())

    def count(self, kind: str) -> int:
        return self._ask(lambda books: books.count(kind))

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        return self._ask(lambda books: books.scan(kind, cursor))

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        return self._ask(lambda books: books.fetch(kind, ids))

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        return self._ask(lambda books: books.changes(kinds, since))

    def find(self, kind: str, names: Sequence[str]) -> Page:
        return self._ask(lambda books: books.find(kind, names))

    def recent(self, kind: str, party_id: str, since: datetime) -> Page:
        return self._ask(lambda books: books.recent(kind, party_id, since))

    def send(self, kind: str, remote_id: str, *, to: str, key: str) -> Record:
        return self._ask(lambda books: books.send(kind, remote_id, to=to, key=key))

    def pdf(self, kind: str, remote_id: str) -> bytes:
        return self._ask(lambda books: books.pdf(kind, remote_id))

    def receivables(self, as_of: date) -> Sequence[Receivable]:
        return self._ask(lambda books: books.receivables(as_of))

    def push(self, drafts: Sequence[Draft], *, key: str) -> Sequence[Pushed]:
        return self._ask(lambda books: books.push(drafts, key=key))

    def _ask(self, question: Callable[[Accounting], T]) -> T:
        refuse_open_transaction()
        access, renewed_at = grants.access(self._id, clock=self._clock), None
        while True:
            try:
                return self._call(access, question)
            except AccessExpired as error:
                if renewed_at is not None and self._clock() - renewed_at < JUST_RENEWED:
                    raise self._shut_out(access, error) from error
            access = grants.renew(self._id, access.version, clock=self._clock)
            renewed_at = self._clock()

    def _shut_out(self, access: Access, error: AccessExpired) -> NeedsReconnect:
        """A token just renewed and refused again: the company no longer lets us in, whatever the token says."""
        refused = NeedsReconnect("QuickBooks refuses a sign-in it has just renewed.", cause=error.cause)
        with transaction():
            trouble.mark(self._id, access.version, refused, now=self._clock())
        return refused

    def _call(self, access: Access, question: Callable[[Accounting], T]) -> T:
        tally, gate = calls.Tally(), throttle.Gate(self._id, urgent=self._urgent, clock=self._clock)
        port = registry.open_books(
            access.provider,
            grants.provider_config(config.current()),
            realm_id=access.realm_id,
            access_token=access.token,
            on_call=tally,
            admit=gate,
        )
        error: ProviderError | None = None
        answered = False
        try:
            answer = question(port)
            answered = True
            return answer
        except ProviderError as failed:
            error = failed
            raise
        finally:
            self._settle(access, tally, gate, error=error, answered=answered)

    def _settle(
        self, access: Access, tally: calls.Tally, gate: throttle.Gate, *, error: ProviderError | None, answered: bool
    ) -> None:
        """Keep what the call says of the connection. Failing at that takes nothing from what the call itself said: a
        write that was done must be known as done."""
        try:
            self._keep(access, tally, gate, error=error, answered=answered)
        except Exception:
            log.exception("what a call said of connection %s could not be kept", self._id)

    def _keep(
        self, access: Access, tally: calls.Tally, gate: throttle.Gate, *, error: ProviderError | None, answered: bool
    ) -> None:
        now = self._clock()
        with transaction():
            gate.settle()
            calls.count(self._id, tally, now=now)
            if answered:
                _values(self._id, last_contact_at=now, last_error="")
                if access.state != CONNECTED:
                    trouble.recover(self._id, access.version, now=now)
            elif error is not None and not isinstance(error, AccessExpired | throttle.NoPlace):
                if isinstance(error, RateLimited):
                    throttle.hold(self._id, error.retry_after or REST, now=now)
                _values(self._id, last_error=str(error))
                trouble.mark(self._id, access.version, error, now=now)


def describe(connection_id: int, *, clock: Clock) -> str:
    """Read the company's name, country, currency, time zone and size and keep them; answers the name."""
    with books(connection_id, clock=clock) as company_books:
        company, preferences = company_books.company(), company_books.preferences()
        customers = company_books.count("customer")
    with transaction():
        save_company(connection_id, company, preferences)
        _values(connection_id, customers_there=customers)
    return company.name


def save_company(connection_id: int, company: CompanyRecord, preferences: CompanyPreferences) -> None:
    """Keep what the company says of itself."""
    said = {name: value for name, value in asdict(preferences).items() if name != "extra" and value not in (None, "")}
    _values(
        connection_id,
        company_name=company.name,
        country=company.country,
        currency=preferences.home_currency or company.currency,
        time_zone=company.time_zone,
        preferences={name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()},
    )


# --- does it answer? ------------------------------------------------------------------------------------------


def ask_check(connection_id: int, *, now: datetime) -> None:
    """Have a worker try the connection. Refused where only a new consent can help."""
    connection = _get(connection_id)
    if connection.state in (NEEDS_RECONNECT, DISCONNECTED):
        raise Refused("There is nothing to check: this company must be connected again first.")
    connection.check_asked_at = now
    bell.ring("crm.tasks.connections.check", connection_id)


def check(connection_id: int, *, clock: Clock) -> bool:
    """Ask the company for its name, and whether it answered. What went wrong stands on the connection."""
    try:
        company = _open(connection_id, clock=clock, urgent=True, try_paused=True).company()
        problem: ProviderError | None = None
    except ProviderError as error:
        problem = error
    with transaction():
        _values(connection_id, check_asked_at=None, checked_at=clock())
        if problem is None:
            _values(connection_id, company_name=company.name)
        else:
            _values(connection_id, last_error=str(problem))
    return problem is None


def due_checks(now: datetime) -> list[int]:
    """Connections whose check was not heard, and paused ones that were not tried for a day."""
    return list(
        db.session.scalars(
            select(Connection.id).where(
                or_(
                    Connection.check_asked_at <= now - OVERDUE,
                    Connection.state.in_(PAUSED)
                    & or_(Connection.checked_at.is_(None), Connection.checked_at <= now - RECHECK),
                )
            )
        )
    )


# --- letting go -----------------------------------------------------------------------------------------------


def disconnect(connection_id: int, *, actor: Actor, now: datetime) -> None:
    """Stop reading this company now; a worker gives the grant back. Contacts, links and imported rows stay."""
    connection = _get(connection_id)
    if connection.state == DISCONNECTED:
        raise Refused(f"{connection.company_name or 'This company'} is disconnected already.")
    connection.state, connection.state_reason, connection.last_error = DISCONNECTED, "", ""
    connection.disconnected_at = now
    connection.check_asked_at = None
    connection.access_token = None  # the refresh token stays until it is given back
    connection.grant_version += 1
    notices.settle(connection_id, *trouble.TOPICS, "grant_ends", now=now)
    audit.record(
        "disconnected",
        actor=actor,
        now=now,
        subject=f"connection:{connection_id}",
        summary=f"{connection.company_name or 'QuickBooks company'} was disconnected.",
    )
    bell.ring("crm.tasks.connections.give_back", connection_id)


def give_back(connection_id: int, *, clock: Clock) -> bool:
    """Revoke the grant of a disconnected company and forget it. False when it must be tried again later.

    Wrong keys cannot give anything back; the grant is forgotten here all the same, and the reason kept.
    """
    end_reading()
    connection = _get(connection_id)
    token, version, provider = connection.refresh_token, connection.grant_version, connection.provider
    if connection.state != DISCONNECTED or not token:
        return True
    end_reading()
    tally, reason, done = calls.Tally(), "", True
    try:
        grants.oauth(provider, clock=clock, on_call=tally).revoke(token)
    except WrongKeys as error:
        reason = str(error)
    except ProviderError as error:
        reason, done = str(error), False
    with transaction():
        calls.count(connection_id, tally, now=clock())
        forgotten: dict[str, Any] = {"refresh_token": None, "access_expires_at": None} if done else {}
        changed(
            update(Connection)
            .where(Connection.id == connection_id, Connection.grant_version == version)
            .values(last_error=reason, **forgotten)
        )
    return done


def to_give_back() -> list[int]:
    """Disconnected companies whose grant is still here: the bell was not heard, or Intuit did not answer."""
    return list(
        db.session.scalars(
            select(Connection.id).where(Connection.state == DISCONNECTED, Connection.refresh_token.is_not(None))
        )
    )


def _get(connection_id: int) -> Connection:
    connection = db.session.get(Connection, connection_id, populate_existing=True)
    if connection is None:
        raise NotFound("There is no such connection.")
    return connection


def _values(connection_id: int, **values: Any) -> None:
    """Set columns without reading the row: other processes write other columns of it at the same time."""
    changed(update(Connection).where(Connection.id == connection_id).values(**values))
