"""The menu, and the tabs of the pages about the sync. What is shown is what exists and what the person may open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import current_app, request, url_for
from flask_login import current_user

from crm import clock
from crm.queries import jobs, menu
from crm.security import PERMISSIONS, may

#: Endpoint, words, icon, permission, section. Entries whose endpoint does not exist are left out.
NAVIGATION = (
    ("home.index", "Home", "layout-dashboard", "signed_in", ""),
    ("insight.index", "Insight", "chart-column", "money.read", ""),
    ("contacts.index", "Contacts", "users", "contacts.read", ""),
    ("segments.index", "Segments", "filter", "contacts.read", ""),
    ("quotes.index", "Quotes", "file-text", "sales.read", ""),
    ("invoices.index", "Invoices", "receipt-text", "sales.read", ""),
    ("payments.index", "Payments", "banknote", "money.read", ""),
    ("products.index", "Products", "package", "sales.read", ""),
    ("vendors.index", "Vendors", "building-2", "sales.read", ""),
    ("bills.index", "Bills", "scroll-text", "sales.read", ""),
    ("matches.index", "Matches", "git-compare", "matches.decide", ""),
    ("contact_imports.index", "File imports", "file-up", "contacts.import", ""),
    ("engine.index", "Sync", "activity", "connections.manage", "Admin"),
    ("jobs.index", "Jobs", "clock", "jobs.manage", "Admin"),
    ("integrations.index", "QuickBooks", "refresh-cw", "connections.manage", "Admin"),
    ("sales_settings.index", "Sales settings", "sliders-horizontal", "connections.manage", "Admin"),
    ("users.index", "People", "user-cog", "users.manage", "Admin"),
    ("api_keys.index", "API keys", "key-round", "api_keys.manage", "Admin"),
    ("audit.index", "Audit trail", "scroll-text", "audit.read", "Admin"),
)

#: Endpoint and words of the pages about the sync. Who may open one is what its route requires.
SYNC_TABS = (
    ("engine.index", "Dashboard"),
    ("outbox.index", "Outbox"),
    ("conflicts.index", "Conflicts"),
    ("plans.index", "Plans"),
    ("proofs.index", "Proofs"),
    ("deliveries.index", "Deliveries"),
    ("sync_log.index", "Log"),
    ("sync_settings.index", "Settings"),
)

#: The same of the pages of figures.
INSIGHT_TABS = (
    ("insight.index", "Overview"),
    ("insight.territory", "Map"),
    ("forecasts.forecast", "Forecast"),
    ("forecasts.customers", "Customer values"),
)

#: Pages that belong to an entry of the menu without being of its blueprint.
WITHIN = {endpoint.split(".")[0]: "engine" for endpoint, _ in SYNC_TABS} | {
    "sync_runs": "integrations",
    "match_settings": "matches",
    "match_figures": "matches",
    "oauth": "integrations",
    "forecasts": "insight",
}


@dataclass
class NavItem:
    """An entry of the menu. What waits behind it is counted when a page draws it, once: fragments draw no menu."""

    url: str
    label: str
    icon: str
    active: bool
    section: str
    counted: Callable[[], int] | None = None

    @cached_property
    def count(self) -> int | None:
        """None where nothing waits, or nothing is counted."""
        return (self.counted() or None) if self.counted else None


def _sync_waiting() -> int:
    return menu.sync_waiting(
        conflicts=may(current_user, "conflicts.decide"), parked=may(current_user, "connections.manage")
    )


def _jobs_waiting() -> int:
    return jobs.waiting(current_app.extensions["schedule"], now=clock.now())


#: Endpoint -> what of it waits for a person.
COUNTED: dict[str, Callable[[], int]] = {
    "matches.index": menu.matches_waiting,
    "engine.index": _sync_waiting,
    "jobs.index": _jobs_waiting,
}


def navigation() -> list[NavItem]:
    """The entries of the menu for the person signed in, in order."""
    at = (request.endpoint or "").split(".")[0]
    here = WITHIN.get(at, at)
    items = []
    for endpoint, label, icon, permission, section in NAVIGATION:
        target = endpoint
        if endpoint == "engine.index" and not may(current_user, permission):
            # Who may not open the dashboard still reaches what is theirs: a bookkeeper the proofs.
            target = next(_open(SYNC_TABS), ("", ""))[0]
            section = ""
        elif endpoint not in current_app.view_functions or not may(current_user, permission):
            continue
        if target and target in current_app.view_functions:
            active = here == endpoint.split(".")[0]
            items.append(NavItem(url_for(target), label, icon, active, section, COUNTED.get(endpoint)))
    return items


def sync_tabs() -> list[tuple[str, str, bool, None]]:
    """(words, address, whether it is open, no figure) of each page about the sync, as `ui.tabs` takes them."""
    here = (request.endpoint or "").split(".")[0]
    return [(label, url_for(endpoint), endpoint.split(".")[0] == here, None) for endpoint, label in _open(SYNC_TABS)]


def insight_tabs() -> list[tuple[str, str, bool, None]]:
    """The same of the pages of figures; the period asked for stays."""
    kept = {name: request.args[name] for name in ("period", "compare", "since", "until") if request.args.get(name)}
    return [
        (label, url_for(endpoint, **dict[str, Any](kept)), endpoint == request.endpoint, None)
        for endpoint, label in _open(INSIGHT_TABS)
    ]


def _open(entries: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """Those of (endpoint, words) that exist and that the person may open."""
    for endpoint, label in entries:
        access = getattr(current_app.view_functions.get(endpoint), "access", "")
        if access in PERMISSIONS and may(current_user, access):
            yield endpoint, label
