"""Doubtful matches: both sides with the evidence, and a person's decision about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain.errors import Refused
from crm.exports import csv_response
from crm.queries import matches as queries
from crm.security import requires, safe_next
from crm.services import matches
from crm.web import go, is_fragment, page

blueprint = Blueprint("matches", __name__, url_prefix="/matches")


@blueprint.get("")
@requires("matches.decide")
def index() -> Any:
    filters, number, rejected = _filters(), max(1, request.args.get("page", 1, type=int)), _rejected()
    return page(
        "matches/index.html",
        fragment="matches/_list.html",
        page=queries.rejected_page(filters, number=number) if rejected else queries.open_page(filters, number=number),
        filters=filters,
        rejected=rejected,
        counts=queries.counts(),
        rules=queries.rules(rejected=rejected),
        sorts=queries.REJECTED_SORTS if rejected else queries.SORTS,
        claimed=queries.contact_name(filters.contact) if filters.contact else "",
    )


@blueprint.get("/matches.csv")
@requires("matches.decide")
def export() -> Any:
    header = ("QuickBooks customer", "QuickBooks id", "Contact", "Contact id", "Score", "Rule", "Evidence")
    rejected = _rejected()
    rows = queries.rejected_rows(_filters()) if rejected else queries.open_rows(_filters())
    return csv_response("kept-apart.csv" if rejected else "matches.csv", header, (
        (row.customer.display_name, row.customer.remote_id, row.contact.display_name, row.contact_id, row.score,
         queries.RULE_TEXTS.get(row.rule, row.rule), "; ".join(reason["text"] for reason in row.evidence))
        for row in rows
    ))  # fmt: skip


@blueprint.post("/<int:match_id>/confirm")
@requires("matches.decide")
def confirm(match_id: int) -> Any:
    return _decide(matches.confirm, match_id, queries.customer_of(match_id))


@blueprint.post("/<int:match_id>/reject")
@requires("matches.decide")
def reject(match_id: int) -> Any:
    return _decide(matches.reject, match_id, queries.customer_of(match_id))


@blueprint.post("/<int:match_id>/reconsider")
@requires("matches.decide")
def reconsider(match_id: int) -> Any:
    with transaction():
        result = matches.reconsider(match_id, actor=actor(), now=clock.now())
    return _back(result.text)


@blueprint.post("/customers/<int:customer_id>/new-contact")
@requires("matches.decide")
def make_new(customer_id: int) -> Any:
    return _decide(matches.make_new, customer_id, customer_id)


@blueprint.post("/contacts/<int:contact_id>/unlink")
@requires("matches.decide")
def unlink(contact_id: int) -> Any:
    with transaction():
        result = matches.unlink(contact_id, actor=actor(), now=clock.now())
    return _back(result.text)


def _rejected() -> bool:
    """Whether the list of pairs kept apart is meant."""
    return request.args.get("show") == "rejected"


def _filters() -> queries.Filters:
    return queries.Filters(
        q=request.args.get("q", "").strip()[:200],
        rule=request.args.get("rule", ""),
        sort=request.args.get("sort", "newest" if _rejected() else "score"),
        contact=request.args.get("contact", type=int),
    )


def _decide(deed: Callable[..., matches.Result], id_: int, customer_id: int | None) -> Any:
    """Do it and go back to the list; htmx gets the customer's card as it is now, and those of its rivals."""
    if not is_fragment() or customer_id is None:
        with transaction():
            result = deed(id_, actor=actor(), now=clock.now())
        return _back(result.text)
    rivals = queries.rivals(customer_id)
    try:
        with transaction():
            flash(deed(id_, actor=actor(), now=clock.now()).text, "success")
    except Refused as refused:
        flash(str(refused), "warning")
    return page(
        "matches/_decided.html",
        cards=queries.cards([customer_id]),
        rivals=queries.cards(rivals),
        counts=queries.counts(),
        rejected=False,
        here=safe_next(request.form.get("next")) or url_for("matches.index"),
    )


def _back(text: str) -> Any:
    """To where the decision was made, with what came of it."""
    flash(text, "success")
    target = safe_next(request.form.get("next"))
    return redirect(target, 303) if target else go("matches.index")
