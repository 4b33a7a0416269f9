"""The audit trail: read, searched, exported; never changed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from crm.exports import csv_response
from crm.formats import action_words
from crm.queries import people
from crm.security import requires
from crm.web import filters_of, page_number

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

FILTERS = {"q": "", "action": "", "sort": "-at"}


@blueprint.get("/")
@requires("audit.read")
def index() -> Any:
    filters = filters_of(request.args, FILTERS)
    page = people.page(people.audit(**filters), number=page_number(request.args))
    return render_template("audit/index.html", page=page, filters=filters, actions=_choices())


@blueprint.get("/export.csv")
@requires("audit.read")
def export() -> Any:
    header = ("At (UTC)", "Who", "Action", "Subject", "Summary", "Address")
    rows = people.each(people.audit(**filters_of(request.args, FILTERS)))
    return csv_response(
        "audit.csv",
        header,
        ((row.at.isoformat(), row.actor, row.action, row.subject, row.summary, row.ip) for row in rows),
    )


def _choices() -> list[tuple[str, str]]:
    return [(action, action_words(action)) for action in people.audit_actions()]
