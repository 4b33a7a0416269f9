"""The hands of the contract: a vendor's look-alike that holds one company, and ways to move things there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

from crm.domain.records import CustomerRecord
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Authorization, CallInfo, Config, OAuth, Page, Tokens


class World(ABC):
    """One vendor's look-alike holding one company, and the hands to move things there."""

    name: str
    config: Config
    realm_id: str
    page_size: int
    """Small for the test: a few pages make a scan."""
    secret: str
    """What posts are signed with."""
    metered: bool = True
    """Whether the vendor counts reads against a quota."""
    status: int | None = 200
    """Of a call that succeeded; None where there is no HTTP."""

    def __init__(self) -> None:
        self.calls: list[CallInfo] = []
        self.now = datetime.now(UTC)

    def oauth(self, config: Config | None = None) -> OAuth:
        return registry.oauth(self.name, config or self.config, lambda: self.now, self.calls.append)

    def books(self, access_token: str) -> Accounting:
        return registry.open_books(
            self.name, self.config, realm_id=self.realm_id, access_token=access_token, on_call=self.calls.append
        )

    def granted(self) -> Accounting:
        """The books, by a fresh grant; the calls so far are forgotten."""
        consent = self.oauth().authorize()
        tokens = self.oauth().exchange(self.consent(consent)["code"], code_verifier=consent.code_verifier)
        self.calls.clear()
        return self.books(tokens.access_token)

    @abstractmethod
    def consent(self, authorization: Authorization, *, agree: bool = True) -> dict[str, str]:
        """Answer the consent page as a person would; the parameters the browser brings back."""

    @abstractmethod
    def ids(self, kind: str) -> set[str]:
        """The ids that the look-alike holds of a kind, inactive ones included."""

    @abstractmethod
    def deactivate(self, customer_id: str) -> None: ...

    @abstractmethod
    def remove(self, kind: str, remote_id: str) -> None: ...

    @abstractmethod
    def rename(self, customer_id: str, name: str) -> None:
        """Give a customer another name, as a person does there."""

    @abstractmethod
    def spoil(self, kind: str, remote_id: str) -> None:
        """Make one record unreadable."""

    @abstractmethod
    def trouble(self, what: str, *, times: int | None = 1) -> None:
        """down, page (of HTML), dropped, throttled, garbled: before anything is done. lost (no answer), late (an error
        for one): after the work was done. `times` None for ever."""

    @abstractmethod
    def posted(self) -> list[tuple[bytes, dict[str, str]]]:
        """Bodies and headers (lower-case names) that tell what happened since this was last asked: all of it in each
        form the vendor posts in."""

    @abstractmethod
    def expire(self) -> None:
        """Let the access tokens run out."""

    @abstractmethod
    def disconnect(self) -> None:
        """End the grant there, as the company's owner can."""


def pages(books: Accounting, kind: str) -> list[Page]:
    """A whole scan."""
    found, cursor = [], None
    while True:
        found.append(books.scan(kind, cursor))
        cursor = found[-1].cursor
        if cursor is None:
            return found


def read_ids(found: Sequence[Page]) -> list[str]:
    return [record.origin.remote_id for page in found for record in page.records]


def grant(world: World) -> Tokens:
    consent = world.oauth().authorize()
    return world.oauth().exchange(world.consent(consent)["code"], code_verifier=consent.code_verifier)


def customers(books: Accounting) -> dict[str, CustomerRecord]:
    return {
        record.origin.remote_id: record
        for page in pages(books, "customer")
        for record in page.records
        if isinstance(record, CustomerRecord)
    }
