"""Brings the outlines of the United States into `crm/static/vendor/us-atlas/`, simplified for a small picture.

Run by a developer, only to change the version: `python tools/vendor_map.py`. It needs `npm` on the path and the
network; the product, its tests and its set-up need neither. The outlines are the Census Bureau's cartographic
boundaries (public domain) as the package `us-atlas` (ISC) brings them. Borders that two states share are simplified
once, so that they stay shared; coordinates become hundredths of a degree, islands too small to see are left out.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from vendor_frontend import VENDOR, unpack, write_sums

PACKAGE, VERSION = "us-atlas", "3.0.1"
NUMBERED = """
01AL 02AK 04AZ 05AR 06CA 08CO 09CT 10DE 11DC 12FL 13GA 15HI 16ID 17IL 18IN 19IA 20KS 21KY 22LA 23ME 24MD 25MA
26MI 27MN 28MS 29MO 30MT 31NE 32NV 33NH 34NJ 35NM 36NY 37NC 38ND 39OH 40OK 41OR 42PA 44RI 45SC 46SD 47TN 48TX
49UT 50VT 51VA 53WA 54WV 55WI 56WY 72PR
"""
CODES = {one[:2]: one[2:] for one in NUMBERED.split()}
"""FIPS number -> postal code of the states that are kept."""
TOLERANCE = 0.03
"""Degrees that a simplified border may be off."""
SMALLEST = 0.02
"""Square degrees: an island below it is left out, unless it is all there is of a state."""
Point = tuple[float, float]


def arcs_of(topology: dict[str, Any]) -> list[list[Point]]:
    """The borders in degrees, each simplified."""
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        points: list[Point] = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * scale_x + shift_x, y * scale_y + shift_y))
        found.append(simplified(points))
    return found


def simplified(points: list[Point]) -> list[Point]:
    """Douglas and Peucker's way; a closed border keeps the point farthest from its beginning."""
    if len(points) < 3:
        return points
    first, last = points[0], points[-1]
    reach, at = max((_distance(one, first, last), place) for place, one in enumerate(points[1:-1], 1))
    if reach <= TOLERANCE and first != last:
        return [first, last]
    if first == last and reach <= TOLERANCE:
        return [first, points[at], last]
    return simplified(points[: at + 1])[:-1] + simplified(points[at:])


def _distance(point: Point, first: Point, last: Point) -> float:
    (x, y), (x1, y1), (x2, y2) = point, first, last
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    if not length:
        return ((x - x1) ** 2 + (y - y1) ** 2) ** 0.5
    return abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length


def rings_of(geometry: dict[str, Any], arcs: list[list[Point]]) -> list[list[list[int]]]:
    """Outer borders, the largest first, in hundredths of a degree."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    rings = []
    for polygon in polygons:
        ring: list[Point] = []
        for number in polygon[0]:
            part = arcs[number] if number >= 0 else arcs[~number][::-1]
            ring += part[1:] if ring else part
        rings.append((_area(ring), ring))
    rings.sort(key=lambda one: -one[0])
    kept = [ring for size, ring in rings if size >= SMALLEST] or [rings[0][1]]
    return [_rounded(ring) for ring in kept]


def _area(ring: list[Point]) -> float:
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))) / 2


def _rounded(ring: list[Point]) -> list[list[int]]:
    """East of the date line counts on: the Aleutians stay one chain."""
    found: list[list[int]] = []
    for longitude, latitude in ring:
        point = [round((longitude - 360 if longitude > 0 else longitude) * 100), round(latitude * 100)]
        if not found or found[-1] != point:
            found.append(point)
    return found


def main() -> None:
    if shutil.which("npm") is None:
        sys.exit("npm was not found. It is needed only to renew the outlines; the product runs without it.")
    folder = VENDOR / PACKAGE
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source: Path = unpack(PACKAGE, VERSION, Path(scratch))
        topology = json.loads((source / "states-10m.json").read_text("utf-8"))
        for name in ("LICENSE", "LICENSE.md"):
            if (source / name).exists():
                shutil.copyfile(source / name, folder / "LICENSE")
    arcs = arcs_of(topology)
    states = {
        CODES[one["id"]]: {"name": one["properties"]["name"], "rings": rings_of(one, arcs)}
        for one in topology["objects"]["states"]["geometries"]
        if one["id"] in CODES
    }
    (folder / "states.json").write_text(json.dumps(dict(sorted(states.items())), separators=(",", ":")) + "\n", "utf-8")
    (folder / "VERSION").write_text(f"{PACKAGE} {VERSION} (states-10m.json, simplified)\n", "utf-8")
    write_sums()


if __name__ == "__main__":
    main()
