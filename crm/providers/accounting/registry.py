"""The accounting providers by name: the one place where services get an adapter without naming a vendor.

`oauth` gives the port that gets and renews a grant, `open_books` the port that reads and writes one company's books,
`body` makes what is written, `webhooks` reads what is posted. Another provider joins by a line in `PROVIDERS`. An
unknown name is a `ValueError`: names come from our own tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crm.providers.accounting.base import (
    Accounting,
    Admit,
    Body,
    CallInfo,
    Config,
    OAuth,
    OnCall,
    Spec,
    Webhooks,
    unlimited,
)
from crm.providers.accounting.ledgerfile import mapper as ledgerfile_mapper
from crm.providers.accounting.ledgerfile import webhooks as ledgerfile_webhooks
from crm.providers.accounting.ledgerfile.oauth import LedgerfileOAuth
from crm.providers.accounting.ledgerfile.provider import SPEC as LEDGERFILE
from crm.providers.accounting.ledgerfile.provider import Ledgerfile
from crm.providers.accounting.quickbooks import bodies as quickbooks_bodies
from crm.providers.accounting.quickbooks import webhooks as quickbooks_webhooks
from crm.providers.accounting.quickbooks.oauth import QuickBooksOAuth
from crm.providers.accounting.quickbooks.provider import SPEC as QUICKBOOKS
from crm.providers.accounting.quickbooks.provider import QuickBooks


@dataclass(frozen=True, slots=True)
class Provider:
    spec: Spec
    oauth: Callable[..., OAuth]
    """(config, *, now, on_call)"""
    books: Callable[..., Accounting]
    """(config, *, realm_id, access_token, on_call, admit)"""
    body: Body
    webhooks: Webhooks


PROVIDERS: dict[str, Provider] = {
    QUICKBOOKS.name: Provider(QUICKBOOKS, QuickBooksOAuth, QuickBooks, quickbooks_bodies.body, quickbooks_webhooks),
    # A folder on this machine: for developers and tests, on no page.
    LEDGERFILE.name: Provider(LEDGERFILE, LedgerfileOAuth, Ledgerfile, ledgerfile_mapper.body, ledgerfile_webhooks),
}


def _unheard(_: CallInfo) -> None:
    """For callers that do not count calls."""


def spec(name: str) -> Spec:
    return _provider(name).spec


def oauth(name: str, config: Config, now: Callable[[], datetime], on_call: OnCall = _unheard) -> OAuth:
    return _provider(name).oauth(config, now=now, on_call=on_call)


def open_books(
    name: str,
    config: Config,
    *,
    realm_id: str,
    access_token: str,
    on_call: OnCall = _unheard,
    admit: Admit = unlimited,
) -> Accounting:
    return _provider(name).books(config, realm_id=realm_id, access_token=access_token, on_call=on_call, admit=admit)


def body(name: str) -> Body:
    return _provider(name).body


def webhooks(name: str) -> Webhooks:
    return _provider(name).webhooks


def _provider(name: str) -> Provider:
    if name not in PROVIDERS:
        raise ValueError(f"There is no accounting provider {name!r}; there are: {', '.join(PROVIDERS)}")
    return PROVIDERS[name]
