"""QuickBooks connections: what state each is in, checking, disconnecting, reconnecting. Drawn without a remote call.

Checking and revoking are asked for here and done by a worker; the page looks again by itself until the answer is in.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, render_template, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.consenting import other_company_mark
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.connections import WORDS
from crm.queries import connections as queries
from crm.queries import proofs
from crm.security import requires
from crm.services import connections
from crm.web import go, page

blueprint = Blueprint("integrations", __name__, url_prefix="/integrations")


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    settings = current_app.extensions["settings"]
    rows = queries.every()
    return render_template(
        "integrations/index.html",
        connections=rows,
        words=WORDS["never_connected" if settings.quickbooks_ready else "keys_not_set"],
        ready=settings.quickbooks_ready,
        callback=settings.quickbooks_redirect_uri,
        environment=connections.environment(settings),
        calls=queries.calls_this_month(clock.now().date()),
        budget=settings.quickbooks_monthly_calls,
    )


@blueprint.get("/<int:connection_id>")
@requires("connections.manage")
def show(connection_id: int) -> Any:
    settings = current_app.extensions["settings"]
    connection, now = queries.one(connection_id), clock.now()
    return page(
        "integrations/show.html",
        fragment="integrations/_health.html",
        connection=connection,
        notices=queries.open_notices(connection_id),
        calls=queries.calls_this_month(now.date(), connection_id),
        calls_of_all=queries.calls_this_month(now.date()),
        budget=settings.quickbooks_monthly_calls,
        ready=settings.quickbooks_ready,
        imported=queries.kept(connection_id).customers > 0,
        import_url=_import_url(connection_id),
        proof=proofs.last(connection_id),
        now=now,
    )


@blueprint.post("/<int:connection_id>/check")
@requires("connections.manage")
@answers_on("integrations.show")
def check(connection_id: int) -> Any:
    with transaction():
        connections.ask_check(connection_id, now=clock.now())
    return go("integrations.show", connection_id=connection_id)


@blueprint.get("/<int:connection_id>/disconnect")
@requires("connections.manage")
def ask_disconnect(connection_id: int) -> Any:
    return render_template(
        "integrations/disconnect.html", connection=queries.one(connection_id), kept=queries.kept(connection_id)
    )


@blueprint.post("/<int:connection_id>/disconnect")
@requires("connections.manage")
@answers_on("integrations.show")
def disconnect(connection_id: int) -> Any:
    with transaction():
        connections.disconnect(connection_id, actor=actor(), now=clock.now())
    flash("Disconnected. Nothing more is read; contacts and links stay.", "success")
    return go("integrations.show", connection_id=connection_id)


@blueprint.get("/<int:connection_id>/other-company")
@requires("connections.manage")
def other_company(connection_id: int) -> Any:
    return render_template(
        "integrations/other_company.html",
        connection=queries.one(connection_id),
        url=url_for("oauth.begin", connection=connection_id, other=other_company_mark(connection_id)),
    )


def _import_url(connection_id: int) -> str:
    """Where a POST starts the import; empty while this installation has none."""
    if "sync_runs.start" not in current_app.view_functions:
        return ""
    return url_for("sync_runs.start", connection_id=connection_id)
