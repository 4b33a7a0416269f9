"""The map of sales: circles over the outlines of the states, and the same as a table. Nothing is asked for outside."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import current_app, request

from crm.blueprints.insight import blueprint, tables
from crm.blueprints.insight.pages import common
from crm.blueprints.insight.viewing import View, asked
from crm.domain import territory as maps
from crm.domain.errors import Invalid
from crm.domain.territory import Point
from crm.formats import money, plural
from crm.queries import insight_places
from crm.queries.insight_places import CITY, POSTAL, Place
from crm.security import requires
from crm.web import page

LEVELS = {CITY: "Cities", POSTAL: "Postal codes"}
IN_TABLE = 25
MILLION = 1_000_000


@blueprint.get("/map")
@requires("money.read")
def territory() -> Any:
    view = asked()
    values, drawn = common(view), outlines(current_app.static_folder or "")
    level, part = request.args.get("by", CITY), request.args.get("part", "").upper()
    try:
        _check(level, part, drawn)
    except Invalid as refusal:
        view.errors.update(refusal.fields)
    if not view.errors and not values["empty"]:
        values |= _shown(view, level, part, drawn)
    values |= {"level": level, "part": part, "levels": list(LEVELS.items())}
    values["parts_of_map"] = [("ALL", "All states"), *((code, state["name"]) for code, state in drawn.items())]
    return page("insight/map.html", status=422 if view.errors else 200, **values)


def _shown(view: View, level: str, part: str, drawn: dict[str, Any]) -> dict[str, Any]:
    places = insight_places.by_place(view.span, level, located=True)
    points = [_point(view, place, level) for place in places if place.located]
    states = maps.states_of(drawn, points)
    bounds = None if part else maps.begins_with(drawn, points, sum(states.values(), Decimal(0)))
    picture = maps.picture(drawn, points, [part], states, bounds=bounds)
    unlocated = [place for place in places if place.key is None or place.unlocated or place.located < place.customers]
    return {
        "picture": picture,
        "places": [
            (place, tables.place_words(place, level), tables.place_address(view, place)) for place in places[:IN_TABLE]
        ],
        "more": max(0, len(places) - IN_TABLE),
        "whole": sum((place.amount for place in places), Decimal(0)),
        "missing": sum((place.amount if place.key is None else place.unlocated for place in unlocated), Decimal(0)),
        "missing_places": [
            (tables.place_words(place, level), tables.place_address(view, place), _missing(view, place))
            for place in unlocated
        ],
        "states": [(code, drawn[code]["name"], amount) for code, amount in states.items()],
    }


def _missing(view: View, place: Place) -> str:
    if place.key is None:
        return money(place.amount, view.home)
    return f"{money(place.unlocated, view.home)} of {plural(place.customers - place.located, 'customer')}"


def _point(view: View, place: Place, level: str) -> Point:
    words = tables.place_words(place, level)
    detail = f"{words}: {money(place.amount, view.home)}, {plural(place.invoices, 'invoice')}"
    return Point(
        words.rsplit(", ", 1)[0] if level == CITY else words.split(" ", 1)[0],
        place.longitude / place.located / MILLION, place.latitude / place.located / MILLION, place.amount,
        tables.place_address(view, place), detail,
    )  # fmt: skip


def _check(level: str, part: str, drawn: dict[str, Any]) -> None:
    wrong = {}
    if level not in LEVELS:
        wrong["by"] = f"Circles: “{level[:40]}” is not known. Choose cities or postal codes."
    if part not in ("", "ALL", *drawn):
        wrong["part"] = f"Part of the map: “{part[:40]}” is no state. Choose one of the list."
    if wrong:
        raise Invalid(wrong)


@lru_cache(maxsize=2)
def outlines(static: str) -> dict[str, Any]:
    """State -> its name and its borders, as `tools/vendor_map.py` wrote them."""
    return maps.prepared(json.loads((Path(static) / "vendor" / "us-atlas" / "states.json").read_text("utf-8")))
