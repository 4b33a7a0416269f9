"""The first page after sign-in, and the command palette."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from flask_login import current_user

from crm import clock
from crm.navigation import navigation
from crm.queries import engine, home
from crm.security import may, requires
from crm.web import page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@requires("signed_in")
def index() -> Any:
    standing = home.standing()
    admin = may(current_user, "connections.manage")
    rep = current_user.role == "rep"
    return render_template(
        "home/index.html",
        standing=standing,
        totals=home.totals(),
        late=home.most_overdue(current_user.id if rep and home.owned(current_user.id) else None),
        proposals=home.best_proposals() if may(current_user, "matches.decide") else [],
        changes=home.recent_changes(),
        notices=home.notices() if admin else [],
        steps=_steps(standing) if admin else [],
        companies=_companies() if admin else [],
    )


def _companies() -> list[engine.Standing]:
    """Whether each company is in step; the first steps speak for one that was never read."""
    budget = current_app.extensions["settings"].quickbooks_monthly_calls
    return [one for one in engine.standings(now=clock.now(), budget=budget) if "customer" in one.read_at]


def _steps(standing: home.Standing) -> list[dict[str, Any]]:
    """The admin's path from empty to the first approved plan; empty once customers are in and nothing is to go out."""
    connection = standing.connection
    connected = connection is not None and connection.state != "disconnected"
    if standing.imported and not (connected and standing.awaits_plan):
        return []  # what is left to decide has a card of its own
    done = [standing.imported or standing.contacts > 0, connected, standing.imported,
            standing.imported and not standing.to_review, False]  # fmt: skip
    now = done.index(False)
    return [
        {**step, "state": "done" if done[place] else ("now" if place == now else "next")}
        for place, step in enumerate(STEPS)
    ]


STEPS: tuple[dict[str, Any], ...] = (
    {
        "title": "Bring your contacts",
        "text": "Import the list you have as a CSV file. You can also skip this: customers in QuickBooks without"
        " a contact become contacts.",
        "endpoint": "contact_imports.index",
        "button": "Import a file",
        "skip": True,
    },
    {
        "title": "Connect QuickBooks",
        "text": "Your books are safe: nothing is written until you approve a plan.",
        "endpoint": "integrations.index",
        "button": "Connect QuickBooks",
    },
    {
        "title": "Import customers",
        "text": "They are matched with your contacts by phone, e-mail and name; every match explains itself.",
        "endpoint": "integrations.index",
        "button": "Go to the connection",
    },
    {
        "title": "Decide the doubtful matches",
        "text": "A few look alike without being certain. Only a person can tell.",
        "endpoint": "matches.index",
        "button": "Decide",
    },
    {
        "title": "Approve a first plan",
        "text": "It lists what would be written to QuickBooks, line by line. Only what you approve is written.",
        "endpoint": "plans.index",
        "button": "Open the plans",
    },
)


@blueprint.get("/palette")
@requires("signed_in")
def palette() -> Any:
    q = request.args.get("q", "").strip()
    words = q.lower().split()
    pages = [(item["url"], item["label"], "", item["icon"]) for item in navigation() if _found(words, item["label"])]
    actions = [
        (url_for(endpoint), label, "", icon)
        for endpoint, label, icon, permission in ACTIONS
        if endpoint in current_app.view_functions and may(current_user, permission) and _found(words, label)
    ]
    contacts = []
    if q and may(current_user, "contacts.read"):
        contacts = [
            (
                url_for("contacts.show", contact_id=contact.id),
                contact.display_name,
                contact.phone or contact.email,
                "user",
            )
            for contact in home.palette_contacts(q)
        ]
    groups = [("Contacts", contacts), ("Pages", pages), ("Actions", actions)]
    return page("shared/palette.html", fragment="shared/_palette.html", groups=groups, q=q)


def _found(words: list[str], label: str) -> bool:
    return all(word in label.lower() for word in words)


ACTIONS = (
    ("contacts.new", "New contact", "user-plus", "contacts.write"),
    ("contact_imports.index", "Import contacts from a file", "file-up", "contacts.import"),
    ("contacts.export", "Export contacts as CSV", "download", "contacts.read"),
    ("integrations.index", "Connect QuickBooks", "refresh-cw", "connections.manage"),
    ("users.index", "Add a person", "user-plus", "users.manage"),
    ("auth.password", "Your account and password", "circle-user", "signed_in"),
)
