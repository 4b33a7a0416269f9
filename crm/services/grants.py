"""The grant of a connection: a token that is good for some minutes, renewed by one process at a time.

Everyone who calls the books asks `access()` first; `renew()` replaces a token that was refused or sat idle. A grant
is renewed AHEAD of its end, under a lease in the connection's row taken by compare-and-set, so that two workers and
the web make one refresh; the others wait and read what it stored. What comes back is stored before anyone uses it,
and the value it replaces counts as dead at once.

A refresher that dies between the call and the store leaves the old refresh token in place: the lease ends by itself
and the next one tries that token once. QuickBooks mostly still takes it (its value changes about once a day); where
it does not, the connection needs a reconnect, which loses no link and no waiting work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from crm import config, encryption
from crm.config import Settings
from crm.db import changed, db, end_reading, transaction
from crm.domain.errors import NeedsReconnect, NotFound, ProviderError, RateLimited, Unavailable
from crm.models import Connection
from crm.providers.accounting import registry
from crm.providers.accounting.base import Config, OAuth, OnCall, Tokens
from crm.services import calls, trouble

Clock = Callable[[], datetime]

AHEAD = timedelta(minutes=5)
USABLE = timedelta(seconds=30)
"""A token with less left than this is not worth sending."""
LEASE = timedelta(seconds=90)
"""Longer than the slowest refresh (two discoveries and the token call, each with its time-outs)."""
LOOK_AGAIN = 0.1
"""Seconds between two looks of those who wait."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What is needed to call one company now, and which version of the grant it is."""

    connection_id: int
    provider: str
    realm_id: str
    token: str
    version: int
    expires_at: datetime
    state: str


def provider_config(settings: Settings) -> Config:
    return Config(
        client_id=settings.quickbooks_client_id,
        client_secret=settings.quickbooks_client_secret,
        redirect_uri=settings.quickbooks_redirect_uri,
        sandbox=settings.quickbooks_sandbox,
        discovery_url=settings.quickbooks_discovery_url,
        api_url=settings.quickbooks_api_url,
    )


def oauth(provider: str, *, clock: Clock, on_call: OnCall) -> OAuth:
    return registry.oauth(provider, provider_config(config.current()), clock, on_call)


def access(connection_id: int, *, clock: Clock) -> Access:
    """A token with more than AHEAD left, renewed if need be.

    Raises NeedsReconnect or WrongKeys when the grant is not renewed for good, Unavailable or RateLimited when it is
    not renewed now and the old token is used up, NotFound without such a connection.
    """
    row = _read(connection_id)
    if _fresh(row, clock()):
        return _access(row)
    try:
        return renew(connection_id, row.grant_version, clock=clock)
    except (Unavailable, RateLimited):
        if row.access_expires_at and row.access_expires_at > clock() + USABLE:
            return _access(row)  # their sign-in service is down, but this token still opens the books
        raise


def renew(connection_id: int, version: int, *, clock: Clock) -> Access:
    """A grant newer than `version`: renewed here, or by whoever is at it already. Raises as `access` does."""
    patience = time.monotonic() + LEASE.total_seconds() + 10
    row = _read(connection_id)
    before = row.state
    while True:
        problem = trouble.of(row)
        if problem and (isinstance(problem, NeedsReconnect) or row.state != before):
            raise problem  # whoever renewed meanwhile has found out for all that the old token is of no use
        if row.grant_version > version:
            return _access(row)
        lease = clock() + LEASE
        if _take_lease(row, lease, clock()):
            return _refresh(row, lease, clock=clock)
        if time.monotonic() > patience:
            raise Unavailable("Another process has been renewing the sign-in for too long. It will be tried again.")
        time.sleep(LOOK_AGAIN)
        row = _read(connection_id)


def _refresh(row: Connection, lease: datetime, *, clock: Clock) -> Access:
    """The one refresh, with the lease in hand. The row is a detached copy; no transaction is open during the call."""
    tally = calls.Tally()
    try:
        tokens = oauth(row.provider, clock=clock, on_call=tally).refresh(row.refresh_token or "")
    except ProviderError as error:
        with transaction():  # mark and lease go together: nobody may try the dead token between the two
            trouble.mark(row.id, row.grant_version, error, now=clock())
            _give_up_lease(row, lease)
            calls.count(row.id, tally, now=clock())
        latest = _read(row.id)
        if isinstance(error, NeedsReconnect) and latest.grant_version != row.grant_version and latest.access_token:
            return _access(latest)  # somebody connected again meanwhile: theirs is the grant that counts
        raise
    with transaction():
        _store_renewed(row, tokens, now=clock())
        calls.count(row.id, tally, now=clock())
    return _access(_read(row.id))


def values(tokens: Tokens, *, now: datetime) -> dict[str, Any]:
    """The columns of a connection that hold a grant."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "access_expires_at": tokens.access_expires_at,
        "refresh_expires_at": tokens.refresh_expires_at,
        "hard_expires_at": tokens.hard_expires_at,
        "scopes": list(tokens.scopes),
        "refreshed_at": now,
        "refresh_leased_until": None,
    }


def fingerprint(realm_id: str) -> str:
    return encryption.fingerprint(config.current().secret_key, realm_id)


def _store_renewed(row: Connection, tokens: Tokens, *, now: datetime) -> None:
    """Only over the version that was renewed: a consent given meanwhile is newer than this and stays."""
    kept = values(tokens, now=now)
    if tokens.hard_expires_at is None:
        kept.pop("hard_expires_at")  # not said this time; the end that was said before still holds
    changed(
        update(Connection)
        .where(
            Connection.id == row.id,
            Connection.grant_version == row.grant_version,
            Connection.state != "disconnected",
        )
        .values(grant_version=row.grant_version + 1, **kept)
    )


def _take_lease(row: Connection, lease: datetime, now: datetime) -> bool:
    """Whether this process may renew this version now: one statement, the same on SQLite and PostgreSQL."""
    with transaction():
        taken = changed(
            update(Connection)
            .where(
                Connection.id == row.id,
                Connection.grant_version == row.grant_version,
                Connection.state == row.state,  # nobody has found out since that the token is dead
                or_(Connection.refresh_leased_until.is_(None), Connection.refresh_leased_until <= now),
            )
            .values(refresh_leased_until=lease)
        )
    return taken == 1


def _give_up_lease(row: Connection, lease: datetime) -> None:
    changed(
        update(Connection)
        .where(Connection.id == row.id, Connection.refresh_leased_until == lease)
        .values(refresh_leased_until=None)
    )


def _read(connection_id: int) -> Connection:
    """The row as it is stored now, detached: nothing stays open while somebody waits or calls."""
    end_reading()
    row = db.session.scalar(select(Connection).where(Connection.id == connection_id))
    if row is None:
        raise NotFound("There is no such connection.")
    end_reading()
    return row


def _fresh(row: Connection, now: datetime) -> bool:
    return bool(row.access_token and row.access_expires_at and row.access_expires_at > now + AHEAD)


def _access(row: Connection) -> Access:
    if not row.access_token or row.access_expires_at is None:
        raise NeedsReconnect("This connection has no sign-in any more. Connect the company again.")
    return Access(
        connection_id=row.id,
        provider=row.provider,
        realm_id=row.realm_id,
        token=row.access_token,
        version=row.grant_version,
        expires_at=row.access_expires_at,
        state=row.state,
    )
