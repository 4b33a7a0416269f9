"""The way to QuickBooks' consent page and back. Both routes answer with redirects only.

A GET begins a consent, because a form of ours may not be redirected to another site (Content-Security-Policy), and it
changes nothing by itself: the state it makes is good once, for this browser session and person. Allowing another
company needs a signed mark that only our own page gives to this session.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user

from crm import clock
from crm.blueprints.consenting import browser, other_company_allowed
from crm.domain.errors import ProviderError, Refused
from crm.security import may, public, requires
from crm.services import consents

blueprint = Blueprint("oauth", __name__, url_prefix="/auth/quickbooks")


@blueprint.get("")
@requires("connections.manage")
def begin() -> Any:
    connection_id = request.args.get("connection", type=int)
    try:
        url = consents.begin(
            browser(),
            connection_id=connection_id,
            other_company_allowed=other_company_allowed(connection_id, request.args.get("other", "")),
            clock=clock.now,
        )
    except (ProviderError, Refused) as problem:
        flash(str(problem), "error")
        return redirect(url_for("integrations.index"))
    return redirect(url)


@blueprint.get("/callback")
@public
def callback() -> Any:
    """Public only so that a lost session is answered without repeating the code in an address (`?next=`)."""
    if not current_user.is_authenticated:
        flash("You were signed out meanwhile, so nothing was connected. Sign in and start again.", "error")
        return redirect(url_for("auth.sign_in", next=url_for("integrations.index")))
    if not may(current_user, "connections.manage"):
        flash("Only an admin can connect QuickBooks. Nothing was connected.", "error")
        return redirect("/")
    outcome = consents.receive(
        consents.Answer(
            state=request.args.get("state", ""),
            code=request.args.get("code", ""),
            realm_id=request.args.get("realmId", ""),
            error=request.args.get("error", ""),
        ),
        browser(),
        clock=clock.now,
    )
    flash(outcome.text, outcome.level)
    if outcome.connection_id is None:
        return redirect(url_for("integrations.index"))
    return redirect(url_for("integrations.show", connection_id=outcome.connection_id))
