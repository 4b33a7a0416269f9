"""The picture of sales: places in the right states, circles by area, what is shown first, and what is left out."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from crm.domain import territory
from crm.domain.territory import HEIGHT, LARGEST, SMALLEST, WIDTH, Point

ROOT = Path(__file__).resolve().parents[2]
OUTLINES = territory.prepared(json.loads((ROOT / "crm/static/vendor/us-atlas/states.json").read_text("utf-8")))
PLACES = {
    "Wichita": (-97.34, 37.69, "KS"), "Omaha": (-96.0, 41.26, "NE"), "Miami": (-80.3, 25.8, "FL"),
    "Anchorage": (-149.9, 61.2, "AK"), "Honolulu": (-157.9, 21.4, "HI"), "San Juan": (-66.1, 18.35, "PR"),
    "Denver": (-104.99, 39.74, "CO"), "London": (-0.1, 51.5, ""), "Attu": (172.9, 52.9, "AK"),
}  # fmt: skip
D = Decimal


def point(name: str, amount: str) -> Point:
    longitude, latitude, _ = PLACES[name]
    return Point(name, longitude, latitude, D(amount), f"/{name}", name)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_lies_in_its_state(name: str) -> None:
    longitude, latitude, code = PLACES[name]
    assert territory.state_at(OUTLINES, longitude, latitude) == code


def test_all_states_are_there_and_none_is_without_a_border() -> None:
    assert len(OUTLINES) == 52 and all(state["rings"] for state in OUTLINES.values())
    assert all(ring[0] == ring[-1] for state in OUTLINES.values() for ring in state["rings"])


def test_the_picture_begins_around_the_places_that_hold_nearly_all() -> None:
    points = [point("Wichita", "900"), point("Omaha", "60"), point("Miami", "40"), point("London", "5")]
    sums = territory.states_of(OUTLINES, points)
    assert sums == {"KS": D(900), "NE": D(60), "FL": D(40)}
    bounds = territory.begins_with(OUTLINES, points, D(1000))
    assert bounds is not None
    drawn = territory.picture(OUTLINES, points, [], sums, bounds=bounds)
    assert [circle.point.label for circle in drawn.circles] == ["Wichita", "Omaha"]
    assert {one.label for one in drawn.left_out} == {"Miami", "London"}
    assert {state.code for state in drawn.states if state.works} >= {"KS", "NE"}


def test_areas_of_circles_are_to_each_other_as_amounts() -> None:
    assert territory.radius(D(400), D(400)) == LARGEST
    assert territory.radius(D(100), D(400)) == LARGEST / 2
    assert territory.radius(D("0.01"), D(400)) == territory.radius(D(-5), D(400)) == SMALLEST
    assert territory.radius(D(0), D(0)) == SMALLEST


def test_north_is_up_and_everything_shown_is_within_the_picture() -> None:
    names = ("Wichita", "Omaha", "Denver", "Miami")
    drawn = territory.picture(OUTLINES, [point(name, "10") for name in names], [], ())
    at = {circle.point.label: (circle.x, circle.y) for circle in drawn.circles}
    assert at["Omaha"][1] < at["Wichita"][1] < at["Miami"][1]
    assert at["Denver"][0] < at["Wichita"][0] < at["Miami"][0]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in at.values())
    assert "AK" not in {state.code for state in drawn.states}


def test_detached_states_are_shown_when_asked_for() -> None:
    drawn = territory.picture(OUTLINES, [point("Anchorage", "10"), point("Wichita", "5")], ["AK"], ["AK"])
    assert [circle.point.label for circle in drawn.circles] == ["Anchorage"]


def test_names_do_not_lie_on_each_other_and_no_more_than_ten_are_told() -> None:
    crowd = [Point(f"Town {at}", -97.3 + at / 50, 37.7 + at / 80, D(100 - at), "/", "") for at in range(30)]
    drawn = territory.picture(OUTLINES, crowd, ["KS"], ["KS"])
    assert 1 <= sum(circle.named for circle in drawn.circles) <= 10 < len(drawn.circles)
    assert drawn.circles[0].named
    assert [amount for _, amount in drawn.key] == [D("100.00"), D("20.00"), D("5.00")]


def test_one_town_alone_is_shown_with_the_country_around_it() -> None:
    bounds = territory.begins_with(OUTLINES, [point("London", "990"), point("Wichita", "900")], D(900))
    assert bounds is not None and bounds[3] - bounds[1] == pytest.approx(territory.LEAST * territory.ROOM)
    drawn = territory.picture(OUTLINES, [point("Wichita", "900"), point("Omaha", "1")], [], ["KS"], bounds=bounds)
    (circle,) = drawn.circles
    assert (circle.x, circle.y) == (pytest.approx(WIDTH / 2, abs=2), pytest.approx(HEIGHT / 2, abs=8))


def test_nothing_sold_is_a_picture_without_circles() -> None:
    assert territory.begins_with(OUTLINES, [], D(0)) is None
    drawn = territory.picture(OUTLINES, [], [], ())
    assert drawn.circles == () and drawn.key == () and len(drawn.states) == 49
