"""The first page after sign-in, and the command palette."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from flask_login import current_user

from crm import clock
from crm.formats import date as day_words
from crm.formats import money
from crm.navigation import navigation
from crm.queries import engine, home, jobs, products
from crm.queries import palette as palette_queries
from crm.security import may, requires
from crm.web import page

blueprint = Blueprint("home", __name__)
Item = tuple[str, str, str, str]
"""Of the palette: address, words, hint, icon."""
Group = tuple[str, list[Item]]


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
        notices=home.notices() if admin else home.notices_of(current_user.id),
        steps=_steps(standing) if admin else [],
        companies=_companies() if admin else [],
        watch=jobs.watch(current_app.extensions["schedule"], now=clock.now())
        if may(current_user, "jobs.manage")
        else None,
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
            standing.imported and not standing.to_decide, False]  # fmt: skip
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
    pages = [(item.url, item.label, "", item.icon) for item in navigation() if _found(words, item.label)]
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
    sold: list[Group] = []
    if q and may(current_user, "sales.read"):
        home_currency = products.home_currency()
        sold = [(title, [_item(endpoint, icon, hit, home_currency) for hit in found(q)])
                for title, endpoint, icon, found in palette_queries.KINDS]  # fmt: skip
    groups: list[Group] = [("Contacts", contacts), *sold, ("Pages", pages), ("Actions", actions)]
    return page("shared/palette.html", fragment="shared/_palette.html", groups=groups, q=q)


def _found(words: list[str], label: str) -> bool:
    return all(word in label.lower() for word in words)


def _item(endpoint: str, icon: str, hit: palette_queries.Hit, currency: str) -> Item:
    if hit.waits:
        endpoint = "payments.recorded"
    rule = next(current_app.url_map.iter_rules(endpoint))
    said = [hit.hint, day_words(hit.day) if hit.day else "",
            money(hit.amount, hit.currency or currency) if hit.amount is not None else ""]  # fmt: skip
    values: dict[str, Any] = dict.fromkeys(rule.arguments, hit.id)
    return url_for(endpoint, **values), hit.name, ", ".join(one for one in said if one), icon


#: Endpoint, words, icon, permission. What does not exist is left out.
ACTIONS = (
    ("contacts.new", "New contact", "user-plus", "contacts.write"),
    ("quotes.new", "New quote", "file-plus", "sales.write"),
    ("invoices.new", "New invoice", "receipt-text", "sales.write"),
    ("payments.new", "Record payment", "banknote", "payments.write"),
    ("vendors.new", "New vendor", "building-2", "purchases.write"),
    ("bills.new", "New bill", "scroll-text", "purchases.write"),
    ("invoices.overdue", "Overdue: who is late", "clock", "sales.read"),
    ("quotes.board", "Board of quotes", "columns-3", "sales.read"),
    ("products.new", "New product", "package", "products.write"),
    ("products.export", "Export products as CSV", "download", "sales.read"),
    (
        "sales_settings.index",
        "Sales settings: accounts, tax, terms, numbers",
        "sliders-horizontal",
        "connections.manage",
    ),
    ("contact_imports.index", "Import contacts from a file", "file-up", "contacts.import"),
    ("contacts.export", "Export contacts as CSV", "download", "contacts.read"),
    ("integrations.index", "Connect QuickBooks", "refresh-cw", "connections.manage"),
    ("users.index", "Add a person", "user-plus", "users.manage"),
    ("auth.password", "Your account and password", "circle-user", "signed_in"),
)
