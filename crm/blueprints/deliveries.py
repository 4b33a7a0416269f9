"""Webhook deliveries: the list, one with what each of its events caused, and reading one or a range again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, flash, g, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.errors import Invalid
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import deliveries as queries
from crm.queries.deliveries import DeliveryFilters
from crm.security import requires
from crm.services.sync.inbox import replaying, showing
from crm.web import filters_of, go, page, page_number

blueprint = Blueprint("deliveries", __name__, url_prefix="/sync/deliveries")

HEADER = ("Id", "Received (UTC)", "State", "Form", "Bytes", "Events", "New", "Told before", "Unknown company",
          "Unknown kind", "Read again (UTC)", "Error")  # fmt: skip
NOTHING: Mapping[str, str] = {}
COUNTS = ("events", "new", "repeated", "unknown_company", "unknown_kind")


@blueprint.get("")
@requires("connections.manage")
def index() -> Any:
    return _page(replay=request.form, wrong=g.refusal.fields if request.method == "POST" else NOTHING)


def _page(*, replay: Mapping[str, str] = NOTHING, wrong: Mapping[str, str] = NOTHING) -> Any:
    """The list. `replay` are days to read again as somebody typed them, `wrong` what is wrong with them."""
    filters, settings = (DeliveryFilters() if wrong else _filters()), current_app.extensions["settings"]
    kept = {name: getattr(filters, name) for name in ("q", "state", "since", "until", "sort")}
    found, errors = _read(filters)
    return page(
        "deliveries/index.html",
        page=found,
        errors=errors,
        replay=replay,
        wrong=wrong,
        status=422 if errors or wrong else 200,
        filters=filters,
        kept=kept,
        narrowed=any(value for name, value in kept.items() if name != "sort"),
        states=list(queries.STATES.items()),
        words=queries.STATES,
        silences=queries.silences(),
        address=f"{settings.app_url}/webhooks/quickbooks",
        token_set=bool(settings.quickbooks_webhook_verifier_token),
        today=clock.now().date().isoformat(),
    )


@blueprint.get("/export.csv")
@requires("connections.manage")
@answers_on("deliveries.index")
def export() -> Any:
    filters = _filters()
    queries.check(filters)
    return csv_response("deliveries.csv", HEADER, (
        (row.id, row.received_at.isoformat(), row.state, row.form, row.size, *(row.number(name) for name in COUNTS),
         row.replayed_at.isoformat() if row.replayed_at else "", row.error)
        for row in queries.each(filters)
    ))  # fmt: skip


@blueprint.get("/<int:delivery_id>")
@requires("connections.manage")
def show(delivery_id: int) -> Any:
    delivery = queries.one(delivery_id)
    body = showing.readable_body(delivery.provider, delivery.body) if delivery.body else ""
    events = queries.events(delivery_id)
    return render_template(
        "deliveries/show.html", delivery=delivery, body=body, events=events, words=queries.STATES
    )


@blueprint.get("/replay")
@requires("connections.manage")
def ask_replay() -> Any:
    since, until = request.args.get("since", ""), request.args.get("until", "")
    try:
        queries.between(since, until)
    except Invalid as problem:
        return _page(replay={"since": since, "until": until}, wrong=problem.fields)
    number = queries.number_between(since, until)
    return render_template("deliveries/replay.html", since=since, until=until, number=number)


@blueprint.post("/replay")
@requires("connections.manage")
@answers_on("deliveries.index")
def replay_range() -> Any:
    since, until = queries.between(request.form.get("since", ""), request.form.get("until", ""))
    with transaction():
        number = replaying.replay_between(since, until, actor=actor(), now=clock.now())
    flash(f"{plural(number, 'delivery', 'deliveries')} will be read again in a moment.", "success")
    return go("deliveries.index")


@blueprint.post("/<int:delivery_id>/replay")
@requires("connections.manage")
@answers_on("deliveries.show")
def replay(delivery_id: int) -> Any:
    with transaction():
        replaying.replay([delivery_id], actor(), now=clock.now())
    flash("It will be read again in a moment.", "success")
    return go("deliveries.show", delivery_id=delivery_id)


def _read(filters: DeliveryFilters) -> tuple[queries.DeliveryPage, Mapping[str, str]]:
    """What was found, and what is wrong with the filters."""
    try:
        return queries.page(filters, number=page_number(request.args)), NOTHING
    except Invalid as problem:
        return queries.NONE, problem.fields


def _filters() -> DeliveryFilters:
    return DeliveryFilters(**filters_of(request.args, {"q": "", "state": "", "since": "", "until": "", "sort": ""}))
