"""One segment: its members with their export, who came and left when, and its versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import company_day
from crm.blueprints.segments import blueprint
from crm.db import transaction
from crm.domain import segment_filters, segments
from crm.domain.errors import NotFound
from crm.domain.segment_filters import CAUSES, HISTORY_DAYS, MEMBER_SORTS, WAYS, HistoryFilters
from crm.exports import csv_response
from crm.queries import products, segment_course, segment_names
from crm.queries import segments as queries
from crm.security import requires
from crm.services import segments as service
from crm.web import is_fragment, page

MISSING = "There is no such segment. The link may be old or not complete."
EXPORT = ("Id", "Name", "Company", "Phone", "E-mail", "City", "Lifetime sales", "Balance", "Currency", "In since (UTC)")
HISTORY = ("When (UTC)", "Contact id", "Contact", "What", "Why", "Version of the rules")


@blueprint.get("/<int:segment_id>")
@requires("contacts.read")
def show(segment_id: int) -> Any:
    segment, filters = segment_of(segment_id), segment_filters.member_filters(request.args)
    found = queries.members(segment_id, filters, now=clock.now())
    applied = [(f"“{filters.q}”", _address("show", segment_id, filters.without("q").query()))] if filters.q else []
    values: dict[str, Any] = {"page": found, "filters": filters, "orders": MEMBER_SORTS, "applied": applied}
    answer = page("segments/show.html", fragment="segments/_members.html", **head_of(segment, "members"), **values)
    return _pushed(answer, "show", segment_id, filters.query(), found.number)


@blueprint.get("/<int:segment_id>/members.csv")
@requires("contacts.read")
def export_members(segment_id: int) -> Response:
    segment, filters, now = segment_of(segment_id), segment_filters.member_filters(request.args), clock.now()
    number = queries.members(segment_id, filters, now=now).total
    narrowed = f"members of {segment.name}" + (f" with “{filters.q}”" if filters.q else "")
    with transaction() as session:
        service.record_export(session, number, narrowed, actor=actor(), now=now)
    rows = (
        (one.id, one.name, one.company, one.phone, one.email, one.city, one.total_sales, one.balance, one.currency,
         one.since.isoformat())
        for one in queries.each_member(segment_id, filters, now=now)
    )  # fmt: skip
    return csv_response(f"segment-{segment_id}-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.get("/<int:segment_id>/history")
@requires("contacts.read")
def history(segment_id: int) -> Any:
    segment, filters = segment_of(segment_id), segment_filters.history_filters(request.args)
    found = queries.history(segment_id, filters)
    applied = [(words, _address("history", segment_id, rest.query())) for words, rest in _applied(filters)]
    values: dict[str, Any] = {
        "page": found, "filters": filters, "ways": list(WAYS.items()), "causes": list(CAUSES.items()),
        "applied": applied, "kept_days": HISTORY_DAYS,
    }  # fmt: skip
    answer = page("segments/history.html", fragment="segments/_history.html", **head_of(segment, "history"), **values)
    return _pushed(answer, "history", segment_id, filters.query(), found.number)


@blueprint.get("/<int:segment_id>/history.csv")
@requires("contacts.read")
def export_history(segment_id: int) -> Response:
    segment, filters, now = segment_of(segment_id), segment_filters.history_filters(request.args), clock.now()
    number = queries.history(segment_id, filters).total
    with transaction() as session:
        service.record_export(session, number, f"history of {segment.name}", actor=actor(), now=now)
    rows = (
        (one.at.isoformat(), one.contact_id, one.contact, WAYS["in" if one.entered else "out"], CAUSES[one.cause],
         one.version)
        for one in queries.each_change(segment_id, filters)
    )  # fmt: skip
    return csv_response(f"segment-{segment_id}-history-{now:%Y-%m-%d}.csv", HISTORY, rows)


@blueprint.get("/<int:segment_id>/versions")
@requires("contacts.read")
def versions(segment_id: int) -> Any:
    """What was changed in the rules when and by whom, and two versions side by side."""
    segment = segment_of(segment_id)
    found = queries.versions(segment_id)
    numbers = [one.version for one in found]
    new = _number(request.args, "new", numbers, numbers[0] if numbers else 0)
    old = _number(request.args, "old", numbers, next((one for one in numbers if one < new), new))
    trees = {one.version: segments.read(one.rules) for one in found}
    names = segment_names.names(*trees.values())
    told = {number: _lines(tree, names) for number, tree in trees.items()}
    gone = [line for line in told.get(old, []) if line not in told.get(new, [])]
    added = [line for line in told.get(new, []) if line not in told.get(old, [])]
    words = {number: segments.words(tree, names, products.home_currency()) for number, tree in trees.items()}
    return render_template(
        "segments/versions.html", **head_of(segment, "versions"), versions=found, words_of=words, old=old, new=new,
        gone=gone, added=added, numbers=[(one, f"Version {one}") for one in numbers],
    )  # fmt: skip


def head_of(segment: Any, tab: str) -> dict[str, Any]:
    """What stands above every tab of a segment: its rules in words, its figures, its course over time, its tabs."""
    group = segments.read(segment.rules) if segment.rules else segments.Group()
    names, day = segment_names.names(group), company_day()
    tabs = [("Members", "segments.show", "members"), ("History", "segments.history", "history")]
    tabs += [("Versions", "segments.versions", "versions")] if segment.kind == "live" else []
    return {
        "segment": segment, "words": segments.words(group, names, products.home_currency()),
        "sums": queries.sums(segment.id), "currency": products.home_currency(), "zone": day.zone,
        "today": day.today, "course": segment_course.of(segment, now=clock.now()),
        "tabs": [(words, url_for(to, segment_id=segment.id), key == tab, None) for words, to, key in tabs],
    }  # fmt: skip


def segment_of(segment_id: int) -> Any:
    """Raises NotFound."""
    found = queries.one(segment_id)
    if found is None:
        raise NotFound(MISSING)
    return found


def _lines(group: segments.Group, names: segment_names.Names) -> list[str]:
    currency = products.home_currency()
    return [segments.rule_words(rule, names, currency) for _, rule in segments.leaves(group)]


def _number(args: Mapping[str, str], name: str, known: list[int], otherwise: int) -> int:
    text = args.get(name, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else otherwise
    return number if number in known else otherwise


def _pushed(answer: Response, endpoint: str, segment_id: int, query: Mapping[str, str], number: int) -> Response:
    if is_fragment():
        more: dict[str, Any] = {"page": number} if number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for(f"segments.{endpoint}", segment_id=segment_id, **{**query, **more})
    return answer


def _address(endpoint: str, segment_id: int, query: Mapping[str, str]) -> str:
    return url_for(f"segments.{endpoint}", segment_id=segment_id, **dict[str, Any](query))


def _applied(filters: HistoryFilters) -> list[tuple[str, HistoryFilters]]:
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    out += [(WAYS[filters.way], filters.without("way"))] if filters.way else []
    out += [(CAUSES[filters.cause], filters.without("cause"))] if filters.cause else []
    out += [(f"From {filters.since}", filters.without("since"))] if filters.since else []
    return out + ([(f"Until {filters.until}", filters.without("until"))] if filters.until else [])
