"""The sync dashboard: is each company in step, what waits and for whom, and the few buttons that set things going."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.directions import EVERYTHING
from crm.queries import engine as queries
from crm.security import requires
from crm.services.sync import settings
from crm.services.sync.proof import proof
from crm.services.sync.sweep import asking as sweep_asking
from crm.web import go, page

blueprint = Blueprint("engine", __name__, url_prefix="/sync")

#: Where a reason is mended or seen: key of `domain/health` -> endpoint, arguments, words.
PLACES: dict[str, tuple[str, dict[str, Any], str]] = {
    "connection": ("integrations.index", {}, "Open the connection"),
    "outbox": ("outbox.index", {}, "See what waits"),
    "parked": ("outbox.index", {"tab": "parked"}, "Look at them"),
    "conflicts": ("conflicts.index", {}, "Decide"),
    "plans": ("plans.index", {}, "Open the plans"),
    "proofs": ("proofs.index", {}, "Open the proof"),
    "deliveries": ("deliveries.index", {}, "See the deliveries"),
    "log": ("sync_log.index", {"level": "error"}, "See the errors"),
    "settings": ("sync_settings.index", {}, "Open the settings"),
}

#: Topic of a notice -> the place where it is mended.
NOTICE_PLACES = {
    "parked": "parked", "webhooks_silent": "deliveries", "budget_short": "settings", "import_failed": "connection",
    "proof_different": "proofs", "proof_failed": "proofs", "sweep_failing": "log",
}  # fmt: skip


@blueprint.app_context_processor
def _places() -> dict[str, Any]:
    return {
        "place_of": place_of,
        "notice_key": lambda topic: topic if ":" in topic else NOTICE_PLACES.get(topic, "connection"),
    }


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    now, budget = clock.now(), current_app.extensions["settings"].quickbooks_monthly_calls
    companies = queries.standings(now=now, budget=budget)
    return page(
        "engine/index.html",
        fragment="engine/_companies.html",
        companies=[(company, queries.kinds(company)) for company in companies],
        budget=budget,
        now=now,
    )


@blueprint.post("/<int:connection_id>/sweep")
@requires("connections.manage")
@answers_on("engine.index")
def sweep(connection_id: int) -> Any:
    with transaction():
        sweep_asking.ask(connection_id, actor=actor(), now=clock.now())
    flash("QuickBooks is being asked for its changes.", "success")
    return go("engine.index")


@blueprint.post("/<int:connection_id>/prove")
@requires("connections.manage")
@answers_on("engine.index")
def prove(connection_id: int) -> Any:
    with transaction():
        started = proof.start(connection_id, trigger="person", actor=actor(), now=clock.now())
        proof_id = started.id
    flash(f"Proof {proof_id} is under way: both sides are counted and added up.", "success")
    return go("engine.index")


@blueprint.post("/<int:connection_id>/pause")
@requires("connections.manage")
@answers_on("engine.index")
def pause(connection_id: int) -> Any:
    with transaction() as session:
        settings.pause(session, connection_id, EVERYTHING, actor=actor(), now=clock.now())
    flash("Paused. What is under way is finished; what comes up meanwhile waits and is not lost.", "success")
    return go("engine.index")


@blueprint.post("/<int:connection_id>/resume")
@requires("connections.manage")
@answers_on("engine.index")
def resume(connection_id: int) -> Any:
    with transaction() as session:
        settings.resume(session, connection_id, EVERYTHING, actor=actor(), now=clock.now())
    flash("Resumed. What waited goes on now.", "success")
    return go("engine.index")


def place_of(key: str) -> tuple[str, str]:
    """(address, words) of a place; of `quote_answer:7`, a topic about one quote, that quote."""
    if key.startswith("quote_answer:"):
        return url_for("quotes.show", document_id=int(key.partition(":")[2])), "Open the quote"
    endpoint, values, words = PLACES[key]
    return url_for(endpoint, **values), words
