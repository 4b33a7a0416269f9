"""The port every accounting provider fills: what the rest of the house may ask of the books.

Lists in, lists out; one is a list of one. Implementations raise only `domain.errors.ProviderError`
subclasses, never retry a write, and hold no state but what their constructor gave them. Reading is all
that the house asks for so far; pushing joins when the outbox does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from crm.domain.records import CompanyRecord, Record, Refusal


@dataclass(frozen=True, slots=True)
class Spec:
    """What a provider is and can do: shown on the connections page and asked by services."""

    name: str
    """Machine name, as stored on a connection ("quickbooks")."""
    title: str
    """What people call it ("QuickBooks Online")."""
    kinds: tuple[str, ...]
    """Kinds that `scan` can deliver."""
    page_size: int


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """A grant. Times are aware UTC; `None` where the provider did not say. Never printed: repr is masked."""

    access_token: str
    refresh_token: str
    access_expires_at: datetime
    refresh_expires_at: datetime | None = None
    hard_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Tokens(***)"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a scan. `cursor` continues after it; None means that this was the last."""

    records: tuple[Record, ...]
    refusals: tuple[Refusal, ...] = ()
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CallInfo:
    """One remote call as it happened, for counting and the sync log. No body, no token."""

    operation: str
    """query, read, create, token, revoke ..."""
    metered: bool
    """Whether the vendor counts it against a quota (QuickBooks: CorePlus)."""
    status: int | None
    trace_id: str
    duration_ms: int
    error: str = ""


OnCall = Callable[[CallInfo], None]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A consent about to be asked for: where to send the browser, and what to remember until it comes back."""

    url: str
    state: str
    code_verifier: str


class OAuth(Protocol):
    """Getting, renewing and giving back a grant."""

    def authorize(self) -> Authorization:
        """A fresh consent: new state, new verifier. Nothing is remembered here."""
        ...

    def exchange(self, code: str, *, code_verifier: str) -> Tokens:
        """The grant for a code. A code works once: after any failure the person must consent again."""
        ...

    def refresh(self, refresh_token: str) -> Tokens:
        """A renewed grant. What comes back replaces both tokens; callers allow one refresh at a time."""
        ...

    def revoke(self, token: str) -> None:
        """Give the grant back. A grant that is already gone counts as given back."""
        ...


class Accounting(Protocol):
    """The books of one company, reachable with one access token."""

    spec: Spec

    def company(self) -> CompanyRecord: ...

    def preferences(self) -> Mapping[str, Any]: ...

    def count(self, kind: str) -> int: ...

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        """One page of all records of a kind, inactive ones included, in a stable order. `cursor` None starts."""
        ...

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        """These records; ids that do not exist are simply missing from the page."""
        ...


@dataclass(frozen=True, slots=True)
class Config:
    """What a provider needs from the settings."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""
    sandbox: bool = False
    discovery_url: str = ""
    api_url: str = ""
