"""The map of sales as a picture: places projected onto a flat page, circles with an area that tells the amount. Pure.

Longitudes and latitudes are in degrees, amounts are Decimal, coordinates of the picture are floats: nothing of money is
worked out from them. The projection is Albers' equal-area conic, with parallels that fit what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

WIDTH, HEIGHT, MARGIN = 960, 560, 28
LARGEST = 34.0
"""Radius of the circle of the highest sum."""
SMALLEST = 3.5
LABELS = 10
ENOUGH = Decimal("0.95")
"""The picture begins with as many places as hold this share of sales."""
LEAST, ROOM = 0.8, 1.3
"""Degrees: it begins no closer than this, however near to each other the places lie; and how much wider than they."""
MOST_CIRCLES = 400
Bounds = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""
DETACHED = ("AK", "HI", "PR")
"""Shown when asked for, or when sales are there; else they would make the rest small."""


class Point(NamedTuple):
    """Where sums come from."""

    label: str
    longitude: float
    latitude: float
    amount: Decimal
    url: str
    detail: str


class Circle(NamedTuple):
    x: float
    y: float
    radius: float
    point: Point
    named: bool


class Outline(NamedTuple):
    code: str
    name: str
    path: str
    """Of an SVG."""
    x: float
    y: float
    """Where its name stands."""
    works: bool
    """Sales come from there."""


@dataclass(frozen=True, slots=True)
class Picture:
    states: tuple[Outline, ...]
    circles: tuple[Circle, ...]
    """The largest first, so that small ones lie on top."""
    key: tuple[tuple[float, Decimal], ...]
    """(radius, round amount) of circles to compare with."""
    left_out: tuple[Point, ...]
    """Not within the part that is shown."""


def prepared(outlines: Mapping[str, Any]) -> dict[str, Any]:
    """Outlines as `tools/vendor_map.py` wrote them, with the box around each ring: most questions end there."""
    return {code: {**state, "boxes": [_box(ring) for ring in state["rings"]]} for code, state in outlines.items()}


def _box(ring: Sequence[Sequence[int]]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return min(xs), min(ys), max(xs), max(ys)


def state_at(outlines: Mapping[str, Any], longitude: float, latitude: float) -> str:
    """The code of the state a point lies in; empty where it is in none (at sea, abroad)."""
    x, y = _west(longitude) * 100, latitude * 100
    for code, state in outlines.items():
        for ring, (west, south, east, north) in zip(state["rings"], state["boxes"], strict=True):
            if west <= x <= east and south <= y <= north and _inside(ring, x, y):
                return code
    return ""


def states_of(outlines: Mapping[str, Any], points: Sequence[Point]) -> dict[str, Decimal]:
    """State -> what comes from there, the highest first; what lies in none is left out."""
    found: dict[str, Decimal] = {}
    for point in points:
        code = state_at(outlines, point.longitude, point.latitude)
        if code:
            found[code] = found.get(code, Decimal(0)) + max(point.amount, Decimal(0))
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def begins_with(outlines: Mapping[str, Any], points: Sequence[Point], whole: Decimal) -> Bounds | None:
    """The part that the picture shows first: around the places in the states that hold ENOUGH of `whole`, the largest
    first, with some room; never closer than LEAST. None without any."""
    sums = sorted(points, key=lambda one: (-one.amount, one.label))
    seen = Decimal(0)
    xs: list[float] = []
    ys: list[float] = []
    for point in sums:
        if seen >= whole * ENOUGH:
            break
        if not state_at(outlines, point.longitude, point.latitude):
            continue
        xs.append(_west(point.longitude))
        ys.append(point.latitude)
        seen += point.amount
    if not xs:
        return None
    wide, high = (max(max(one) - min(one), LEAST) * ROOM / 2 for one in (xs, ys))
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    return x - wide, y - high, x + wide, y + high


def picture(
    outlines: Mapping[str, Any], points: Sequence[Point], shown: Sequence[str], works: Collection[str], *,
    bounds: Bounds | None = None,
) -> Picture:  # fmt: skip
    """The part of the map within `bounds`, else that which holds the states `shown` (all but the detached ones where
    none is). `works`: those that sales come from."""
    codes = [code for code in shown if code in outlines] or [one for one in outlines if one not in DETACHED]
    project = _Projection(bounds or _bounds(outlines, codes))
    states = []
    for code, state in outlines.items():
        if code in DETACHED and code not in codes and not bounds:
            continue
        rings = [[project.at(x / 100, y / 100) for x, y in ring] for ring in state["rings"]]
        if any(_near(ring) for ring in rings):
            path = "".join("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in ring) + "Z" for ring in rings if _near(ring))
            states.append(Outline(code, state["name"], path, *_place(rings[0]), code in works))
    inside: list[tuple[float, float, Point]] = []
    outside: list[tuple[float, float, Point]] = []
    for point in points:
        x, y = project.at(point.longitude, point.latitude)
        (inside if 0 <= x <= WIDTH and 0 <= y <= HEIGHT else outside).append((x, y, point))
    inside.sort(key=lambda one: (-one[2].amount, one[2].label))
    top = inside[0][2].amount if inside else Decimal(0)
    return Picture(tuple(states), _circles(inside[:MOST_CIRCLES], top), _key(top), tuple(one[2] for one in outside))


def radius(amount: Decimal, top: Decimal) -> float:
    """Areas are to each other as amounts; nothing is too small to be seen."""
    if top <= 0 or amount <= 0:
        return SMALLEST
    return max(SMALLEST, LARGEST * math.sqrt(float(amount / top)))


def _circles(inside: Sequence[tuple[float, float, Point]], top: Decimal) -> tuple[Circle, ...]:
    taken: list[tuple[float, float, float, float]] = []
    found: list[Circle] = []
    for x, y, point in inside:
        size = radius(point.amount, top)
        width = len(point.label) * 6.6 + 8
        box = (x - width / 2, y + size, x + width / 2, y + size + 16)
        free = box[0] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT and not any(_overlap(box, one) for one in taken)
        named = free and sum(one.named for one in found) < LABELS
        if named:
            taken.append(box)
        found.append(Circle(round(x, 1), round(y, 1), round(size, 1), point, named))
    return tuple(found)


def _key(top: Decimal) -> tuple[tuple[float, Decimal], ...]:
    if top <= 0:
        return ()
    amounts = [_round(top), _round(top / 4), _round(top / 20)]
    return tuple((round(radius(one, top), 1), one) for one in dict.fromkeys(amounts) if one > 0)


def _round(amount: Decimal) -> Decimal:
    """One, two or five of a power of ten, at most the amount."""
    power = Decimal(10) ** amount.adjusted() if amount > 0 else Decimal(1)
    return next((power * step for step in (5, 2, 1) if power * step <= amount), power).quantize(Decimal("0.01"))


class _Projection:
    """Albers' equal-area conic of these bounds, fitted into the picture."""

    def __init__(self, bounds: tuple[float, float, float, float]) -> None:
        west, south, east, north = bounds
        sixth = (north - south) / 6
        first, second = math.radians(south + sixth), math.radians(north - sixth)
        self.n = (math.sin(first) + math.sin(second)) / 2
        self.c = math.cos(first) ** 2 + 2 * self.n * math.sin(first)
        self.middle = math.radians((west + east) / 2)
        edge = [
            self._plain(west + (east - west) * a / 12, south + (north - south) * b / 12)
            for a in range(13) for b in range(13)
        ]  # fmt: skip
        xs, ys = [x for x, _ in edge], [y for _, y in edge]
        self.scale = min((WIDTH - 2 * MARGIN) / (max(xs) - min(xs)), (HEIGHT - 2 * MARGIN) / (max(ys) - min(ys)))
        self.left = (WIDTH - (max(xs) + min(xs)) * self.scale) / 2
        self.top = (HEIGHT + (max(ys) + min(ys)) * self.scale) / 2

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        x, y = self._plain(_west(longitude), latitude)
        return self.left + x * self.scale, self.top - y * self.scale

    def _plain(self, longitude: float, latitude: float) -> tuple[float, float]:
        reach = math.sqrt(max(self.c - 2 * self.n * math.sin(math.radians(latitude)), 0)) / self.n
        angle = self.n * (math.radians(longitude) - self.middle)
        return reach * math.sin(angle), -reach * math.cos(angle)


def _bounds(outlines: Mapping[str, Any], codes: Sequence[str]) -> Bounds:
    xs = [x for code in codes for ring in outlines[code]["rings"] for x, _ in ring]
    ys = [y for code in codes for ring in outlines[code]["rings"] for _, y in ring]
    return min(xs) / 100, min(ys) / 100, max(xs) / 100, max(ys) / 100


def _west(longitude: float) -> float:
    """Beyond the date line it goes on: the islands there are drawn beside their state."""
    return longitude - 360 if longitude > 0 else longitude


def _near(ring: Sequence[tuple[float, float]]) -> bool:
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return max(xs) >= 0 and min(xs) <= WIDTH and max(ys) >= 0 and min(ys) <= HEIGHT


def _middle(ring: Sequence[tuple[float, float]]) -> tuple[float, float]:
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return round((min(xs) + max(xs)) / 2, 1), round((min(ys) + max(ys)) / 2, 1)


def _place(ring: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where the name of a state stands: in the middle of what is seen of it, where that lies within it."""
    seen = _middle([(min(max(x, 0), WIDTH), min(max(y, 0), HEIGHT)) for x, y in ring])
    return seen if _inside(ring, *seen) else _middle(ring)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(ring: Sequence[Sequence[float]], x: float, y: float) -> bool:
    inside = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
