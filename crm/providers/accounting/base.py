"""The port every accounting provider fills: what the rest of the house may ask of the books.

Lists in, lists out; one is a list of one. Implementations raise only `domain.errors.ProviderError`
subclasses, never retry a write, and hold no state but what their constructor gave them. `tests/providers/contract.py`
says what every provider keeps to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from crm.domain.errors import ProviderError
from crm.domain.records import CompanyPreferences, CompanyRecord, Record, Refusal


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
    push_size: int = 1
    """Drafts that one `push` takes."""
    push_kinds: tuple[str, ...] = ()
    """Kinds that can be written."""
    change_kinds: tuple[str, ...] = ()
    """Kinds that `changes` tells of; the others must be scanned."""
    changes_days: int = 30
    """How far back `changes` looks; beyond it only a full scan tells."""
    name_kinds: tuple[str, ...] = ()
    """Kinds that share one namespace of display names."""
    find_kinds: tuple[str, ...] = ()
    """Kinds that `find` looks up by name or number: those of `name_kinds` and others."""
    recent_kinds: tuple[str, ...] = ()
    """Kinds that `recent` looks up."""
    send_kinds: tuple[str, ...] = ()
    """Kinds that the provider e-mails."""
    pdf_kinds: tuple[str, ...] = ()
    """Kinds that the provider prints."""


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
Admit = Callable[[str], AbstractContextManager[None]]
"""(operation) -> entered before each request to the books is sent (`batch` for one of many writes), repetitions
included, and left when its answer is here. Raises `RateLimited` to keep it from being sent."""


def unlimited(_: str) -> AbstractContextManager[None]:
    """For callers that keep no count."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Draft:
    """One write, ready to be sent and repeated word for word."""

    item: str
    """Tells the drafts of one push apart, in the answer too; at most ten characters."""
    kind: str
    operation: str
    """`create`, `update`, `deactivate`, `reactivate`, `delete` or `void`."""
    body: Mapping[str, Any]
    """As `body()` made it."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one draft: a record, or an error. Each draft of a push succeeds or fails on its own."""

    item: str
    record: Record | None = None
    """The object as the books hold it now. None after a deletion, which leaves nothing."""
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The provider says that this object was deleted."""

    kind: str
    remote_id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a moment."""

    records: tuple[Record, ...]
    gone: tuple[Tombstone, ...]
    refusals: tuple[Refusal, ...]
    until: datetime
    """The provider's own clock when it answered: where the next question may begin, less an overlap."""
    complete: bool
    """False: there was more than one answer holds. Ask for a narrower window, or scan."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One event of a webhook: a hint that an object should be read. Never the truth about it."""

    event_id: str
    """The provider's own id of the event; where it gives none, a digest of what makes the event unique."""
    realm_id: str
    kind: str
    """In our words; empty where we have none."""
    entity: str
    """The provider's word for the kind."""
    remote_id: str
    verb: str
    """`created`, `updated`, `deleted`, `merged`, `void`, `emailed`; the provider's own word where we have none."""
    other_remote_id: str = ""
    """Of a merge: the id that went into `remote_id`."""
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A webhook body, read."""

    form: str
    notifications: tuple[Notification, ...]
    problems: tuple[str, ...] = ()
    """Sentences about events that could not be read; the rest stands."""


@dataclass(frozen=True, slots=True)
class Receivable:
    """One customer's row of the books' own aged receivables report: amounts by days past due."""

    remote_id: str
    name: str
    amounts: Mapping[str, Decimal]
    """`current`, `1-30`, `31-60`, `61-90`, `over-90`, `total`."""


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

    def preferences(self) -> CompanyPreferences: ...

    def count(self, kind: str) -> int: ...

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        """One page of all records of a kind, inactive ones included, in a stable order. `cursor` None starts."""
        ...

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        """These records; ids that do not exist are simply missing from the page."""
        ...

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        """All changes of these kinds (of `spec.change_kinds`) since the moment, in one call."""
        ...

    def find(self, kind: str, names: Sequence[str]) -> Page:
        """Records that bear one of these names, in any case, inactive ones included (also under the name they had
        before); items by their SKU as well, documents by their number, payments by their reference. Items are found by
        the name within their category. `kind` is one of `spec.find_kinds`."""
        ...

    def recent(self, kind: str, party_id: str, since: datetime) -> Page:
        """Documents of one customer (bills: of one vendor) that were created since the moment. Whoever lost the answer
        to a create finds here by its content whether it is there. `kind` is one of `spec.recent_kinds`."""
        ...

    def send(self, kind: str, remote_id: str, *, to: str, key: str) -> Record:
        """Have the provider e-mail a document, and the document as it stands then. `to` empty: to its own address.

        Sent once. `OutcomeUnknown` when it may have gone out: the same again with the same `key` mails nothing twice
        where the provider remembers keys; a person should look before that. `kind` is one of `spec.send_kinds`.
        """
        ...

    def pdf(self, kind: str, remote_id: str) -> bytes:
        """The document as the provider prints it. `kind` is one of `spec.pdf_kinds`."""
        ...

    def receivables(self, as_of: date) -> Sequence[Receivable]:
        """The books' own aged receivables on that day, one row per customer that owes or is owed."""
        ...

    def push(self, drafts: Sequence[Draft], *, key: str) -> Sequence[Pushed]:
        """Write these, at most `spec.push_size`; the outcome of each, in any order.

        The same drafts with the same `key` again do nothing twice: what was done is answered again. Raises only what
        concerns the whole call; `OutcomeUnknown` when it may have arrived: repeat it with the same key and the same
        drafts (fewer are allowed, others are not).
        """
        ...


Body = Callable[..., dict[str, Any]]
"""(kind, operation, record, *, fields, current) -> the vendor's body of a write, as plain JSON.

Pure. `record` is the object as it should be; `fields` names what an update changes (all else is left alone there, and
what is empty is cleared): of a customer the shared fields, of other kinds the fields of the record. Of those kinds no
`fields` means all that the record says; nothing is cleared then. Lines are always the complete list; a line with the
id of one that stands there keeps what is not ours of it. `current` is the record as it stands there, None for a create:
its id and version go into the body. Raises `InvalidValue` for what cannot be said in the vendor's words.
"""


class Webhooks(Protocol):
    """Reading what a provider posts. Pure."""

    headers: tuple[str, ...]
    """Names of headers worth keeping beside a delivery (lower case); the signature is not among them."""

    def verify(self, body: bytes, headers: Mapping[str, str], *, secret: str) -> bool:
        """Whether the signature fits these raw bytes, in constant time. Header names are lower case."""
        ...

    def parse(self, body: bytes) -> Parsed:
        """Every event of the body. Raises ValueError with a sentence when it is nothing we can read at all."""
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
