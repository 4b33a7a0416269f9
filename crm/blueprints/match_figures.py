"""What matching decided: figures for people who want to know how far to trust it, and the list of all decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain import match_log_filters as filtering
from crm.domain.errors import Invalid
from crm.domain.matching import RULE_TEXTS
from crm.exports import csv_response
from crm.queries import match_log, match_rows
from crm.queries import match_statistics as queries
from crm.security import requires, safe_next
from crm.services import match_undo
from crm.web import go, page, page_number

blueprint = Blueprint("match_figures", __name__, url_prefix="/matches")

HEADER = ("Id", "At (UTC)", "About", "Customer id or first id", "Contact id or second id", "Names", "Outcome",
          "Made by", "Who", "Points", "Rule", "Reasons", "Milliseconds", "Takes back", "Stands")  # fmt: skip
FIGURES = ("Table", "Line", "Automatic decisions or decisions", "Corrected or put off", "Not corrected",
           "Median milliseconds")  # fmt: skip


@blueprint.get("/statistics")
@requires("matches.decide")
def statistics() -> Any:
    return page("match_figures/statistics.html", found=queries.statistics(db.session()))


@blueprint.get("/statistics.csv")
@requires("matches.decide")
def statistics_csv() -> Any:
    return csv_response("matching-figures.csv", FIGURES, _figures(queries.statistics(db.session())))


@blueprint.get("/decisions")
@requires("matches.decide")
def decisions() -> Any:
    filters, session = filtering.read(request.args), db.session()
    errors: Mapping[str, str] = {}
    people = [(name, name) for name in match_log.people(session)]
    try:
        filtering.check(filters)
        found = match_log.page(session, filters, number=page_number(request.args))
    except Invalid as problem:
        found, errors = match_log.DecisionPage((), 1, 0), problem.fields
    return page(
        "match_figures/decisions.html", page=found, filters=filters, errors=errors, words=filtering,
        rule_texts=RULE_TEXTS, people=people, counts=match_rows.counts(), status=422 if errors else 200,
    )  # fmt: skip


@blueprint.post("/decisions/<int:decision_id>/undo")
@requires("matches.decide")
@answers_on("match_figures.decisions")
def undo(decision_id: int) -> Any:
    with transaction():
        text = match_undo.undo(decision_id, actor=actor(), now=clock.now())[1]
    flash(text, "success")
    target = safe_next(request.form.get("next"))
    return redirect(target, 303) if target else go("match_figures.decisions")


@blueprint.get("/decisions.csv")
@requires("matches.decide")
@answers_on("match_figures.decisions")
def decisions_csv() -> Any:
    filters = filtering.read(request.args)
    filtering.check(filters)
    return csv_response("match-decisions.csv", HEADER, map(_cells, match_log.each(db.session(), filters)))


def _cells(row: match_log.Row) -> tuple[Any, ...]:
    one = row.decision
    return (
        one.id, one.at.isoformat(), filtering.SORTS.get(one.sort, one.sort), one.one_id, one.other_id or "", one.names,
        filtering.OUTCOMES.get(one.outcome, one.outcome), "rule" if one.automatic else "person", one.decided_by,
        one.score, RULE_TEXTS.get(one.rule, one.rule), ", ".join(one.reasons), one.took_ms, one.corrects_id,
        "no" if row.corrected else "yes",
    )  # fmt: skip


def _figures(found: queries.Statistics) -> Iterator[tuple[Any, ...]]:
    tables = (("All", [found.overall]), ("Rule", found.by_rule), ("Month", found.by_month))
    for table, lines in tables:
        yield from ((table, one.label, one.made, one.corrected, one.share, "") for one in lines)
    for person in (*found.people, found.everybody):
        yield "Person", person.name, person.decided, person.put_off, "", person.median_ms
    yield from (("Remains", one.label, one.number, "", "", "") for one in found.remaining)
