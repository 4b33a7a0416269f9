"""The menu, and the tabs of the pages about the sync. What is shown is what exists and what the person may open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import current_app, request, url_for
from flask_login import current_user

from crm.security import PERMISSIONS, may

#: Endpoint, words, icon, permission, section. Entries whose endpoint does not exist are left out.
NAVIGATION = (
    ("home.index", "Home", "layout-dashboard", "signed_in", ""),
    ("contacts.index", "Contacts", "users", "contacts.read", ""),
    ("matches.index", "Matches", "git-compare", "matches.decide", ""),
    ("contact_imports.index", "File imports", "file-up", "contacts.import", ""),
    ("engine.index", "Sync", "activity", "connections.manage", "Admin"),
    ("integrations.index", "QuickBooks", "refresh-cw", "connections.manage", "Admin"),
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

#: Pages that belong to an entry of the menu without being of its blueprint.
WITHIN = {endpoint.split(".")[0]: "engine" for endpoint, _ in SYNC_TABS} | {
    "sync_runs": "integrations",
    "oauth": "integrations",
}


def navigation() -> list[dict[str, Any]]:
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
            items.append({"url": url_for(target), "label": label, "icon": icon, "active": active,
                          "section": section, "count": None})  # fmt: skip
    return items


def sync_tabs() -> list[tuple[str, str, bool, None]]:
    """(words, address, whether it is open, no figure) of each page about the sync, as `ui.tabs` takes them."""
    here = (request.endpoint or "").split(".")[0]
    return [(label, url_for(endpoint), endpoint.split(".")[0] == here, None) for endpoint, label in _open(SYNC_TABS)]


def _open(entries: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """Those of (endpoint, words) that exist and that the person may open."""
    for endpoint, label in entries:
        access = getattr(current_app.view_functions.get(endpoint), "access", "")
        if access in PERMISSIONS and may(current_user, access):
            yield endpoint, label
