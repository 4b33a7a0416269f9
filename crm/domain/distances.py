"""Distances as the crow flies, compared with whole numbers: the square of the chord between two points, in metres.

Points are metres from the middle of a round earth, as `contact_places` holds them. Pure.
"""

from __future__ import annotations

import math
from decimal import Decimal

RADIUS = 6_371_009
"""Metres: the mean radius of the earth."""
METRES = {"mi": Decimal("1609.344"), "km": Decimal(1000)}

Point = tuple[int, int, int]


def chord(distance: Decimal, unit: str) -> int:
    """The straight line, in whole metres rounded up, under a distance over the ground; `unit` is a key of METRES.

    Beyond half the way around the earth it is the whole diameter: everything is nearer.
    """
    angle = min(float(distance * METRES[unit]) / RADIUS, math.pi)  # an angle, no amount
    return math.ceil(2 * RADIUS * math.sin(angle / 2))


def over_ground(one: Point, other: Point, unit: str) -> Decimal:
    """How far apart two points are over the ground, to a tenth of the unit: to be shown, never compared."""
    half = min(1.0, math.sqrt(squared(one, other)) / 2 / RADIUS)
    metres = Decimal(round(2 * RADIUS * math.asin(half)))
    return (metres / METRES[unit]).quantize(Decimal("0.1"))


def squared(one: Point, other: Point) -> int:
    """The square of the straight line between two points."""
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
