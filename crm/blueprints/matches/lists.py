"""Lists of the match desk: questions, certain pairs accepted in one go, pairs decided, and lots taken back.

The list of all decisions is `match_figures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.matches import blueprint, reading
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.duplicates import RULE_TEXTS
from crm.domain.errors import Invalid, Refused
from crm.exports import csv_response
from crm.formats import plural
from crm.queries import match_queue, match_rows
from crm.queries.match_parts import Filters
from crm.security import requires, safe_next
from crm.services import duplicates, match_desk, match_undo, matches
from crm.web import go, page, page_number

HEADER = ("Question", "One", "One id", "Other", "Other id", "Score", "Strength", "Rule", "At stake", "Currency",
          "Evidence", "State", "Decided by", "Since (UTC)")  # fmt: skip
SHOWN = ("certain", "rejected", "known")


@blueprint.get("")
@requires("matches.decide")
def index() -> Any:
    filters, show = reading.filters(), _show()
    found = _page(show, filters, page_number(request.args))
    return page(
        "matches/index.html", fragment="matches/_list.html", page=found, filters=filters, show=show,
        counts=match_rows.counts(), rules=_rules(show), most=match_desk.MOST,
        claimed=match_rows.contact_name(filters.contact),
    )  # fmt: skip


@blueprint.get("/matches.csv")
@requires("matches.decide")
def export() -> Any:
    filters, show = reading.filters(), _show()
    name = {"": "matches", "rejected": "kept-apart"}.get(show, f"matches-{show}")
    return csv_response(f"{name}.csv", HEADER, (
        (match_rows.SORT_WORDS[row.key.sort], row.one, row.ids[0], row.other, row.ids[1], row.score, row.strength,
         row.rule, row.stake, row.currency, "; ".join(reason["text"] for reason in row.evidence), row.state,
         row.decided_by, row.at.isoformat())
        for rows in _pages(show, filters) for row in rows
    ))  # fmt: skip


@blueprint.post("/accept")
@requires("matches.decide")
@answers_on(lambda: ("matches.index", {}))
def accept() -> Any:
    with transaction():
        done = match_desk.accept(reading.keys(), actor=actor(), now=clock.now())
    return render_template("matches/accepted.html", done=done)


@blueprint.post("/decisions/undo")
@requires("matches.decide")
def undo() -> Any:
    """One decision, or all of a lot: the latest first, each for itself."""
    chosen, texts = sorted(set(reading.ids()), reverse=True)[: match_desk.MOST], []
    if not chosen:
        raise Invalid({"ids": "No decision is chosen."})
    for decision_id in chosen:
        try:
            with transaction():
                texts.append(match_undo.undo(decision_id, actor=actor(), now=clock.now())[1])
        except Refused as problem:
            flash(str(problem), "warning")
    if texts:
        flash(texts[0] if len(texts) == 1 else f"{plural(len(texts), 'decision')} taken back.", "success")
    return go("match_figures.decisions")


@blueprint.post("/<int:match_id>/reconsider")
@requires("matches.decide")
def reconsider(match_id: int) -> Any:
    with transaction():
        result = matches.reconsider(match_id, actor=actor(), now=clock.now())
    return _back(result.text)


@blueprint.post("/pairs/<int:duplicate_id>/reopen")
@requires("matches.decide")
def reopen(duplicate_id: int) -> Any:
    with transaction():
        result = duplicates.reopen(duplicate_id, actor=actor(), now=clock.now())
    return _back(result.text)


@blueprint.post("/contacts/<int:contact_id>/unlink")
@requires("matches.decide")
def unlink(contact_id: int) -> Any:
    with transaction():
        result = matches.unlink(contact_id, actor=actor(), now=clock.now())
    return _back(result.text)


def _show() -> str:
    """Which list is meant; empty for what waits."""
    show = request.args.get("show", "")
    return show if show in SHOWN else ""


def _page(show: str, filters: Filters, number: int) -> match_rows.Page:
    if show in ("", "certain"):
        return match_rows.open_page(filters, certain=show == "certain", number=number)
    return match_rows.decided_page(show, filters, number=number)


def _rules(show: str) -> list[tuple[str, str]]:
    if show not in ("", "certain"):
        return []
    found = match_queue.rules(certain=show == "certain")
    return [(rule, f"{RULE_TEXTS.get(rule, rule)} ({number:,})") for rule, number in found]


def _pages(show: str, filters: Filters) -> Iterator[Sequence[match_rows.Row]]:
    if show in ("", "certain"):
        yield from (match_rows.rows(keys) for keys in match_queue.every(filters, certain=show == "certain"))
        return
    number, total = 1, 1
    while (number - 1) * match_rows.SIZE < total:
        found = match_rows.decided_page(show, filters, number=number)
        number, total = number + 1, found.total
        yield found.rows


def _back(text: str) -> Any:
    """To where the decision was made, with what came of it."""
    flash(text, "success")
    target = safe_next(request.form.get("next"))
    return redirect(target, 303) if target else redirect(url_for("matches.index"), 303)
