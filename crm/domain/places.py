"""About where a place of the United States lies, from its postal code or its town and state; nothing is sent anywhere.

The middle of each postal code comes with the package `zipcodes` (MIT; the data is bundled and made anew monthly), a
town is the middle of its postal codes. Places of other countries are not known, and are never guessed from a code that
looks alike. Used for what is stored at contacts and for points that people type. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import zipcodes

from crm.domain.errors import Invalid
from crm.domain.name_tables import words
from crm.domain.names import fold
from crm.domain.regions import country_key, state_key

RADIUS = 6_371_009
"""Metres from the middle of the earth, taken as a ball, to its surface."""
LONGEST_KEY = 255
LONGEST_TYPED = 120
STATES = words(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR"
    " PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI"
)
"""Those whose postal codes are known."""
_WRITTEN_OUT = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount"}
_CODE = re.compile(r"(\d{5})(?:[-\s]?\d{4})?", re.ASCII)
_TYPED_CODE = re.compile(r"(?:^|[\s,])(\d{5})(?:-\d{4})?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the ball: `x`, `y`, `z` in metres from its middle, and the same in millionths of a degree."""

    x: int
    y: int
    z: int
    latitude: int
    longitude: int
    precision: str
    """`postal` or `city`."""
    label: str
    """"66061 Olathe, KS" or "Olathe, KS"."""


@dataclass(frozen=True, slots=True)
class _Spot:
    latitude: int
    longitude: int
    city: str
    state: str


def key(postal: str, city: str, region: str, country: str) -> str:
    """What a place is found by, as text: another key is looked up anew. Empty where there is nothing to go by."""
    parts = (re.sub(r"\s+", "", postal), fold(city), fold(region), fold(country))
    return "|".join(parts)[:LONGEST_KEY] if postal.strip() or city.strip() else ""


def find(postal: str, city: str, region: str, country: str) -> Place | None:
    """Where an address is: by its postal code, else by town and state. None where that cannot be told.

    A code of another state than the one that is written does not count, and where neither country nor state is written
    its state must have a town of that name. Without a state a town counts only where there is no other of its name.
    """
    if country_key(country) not in ("", "us"):
        return None
    state = _state(region)
    if region.strip() and state is None:
        return None  # a region of another country, whose postal codes may look like ours
    code = _CODE.fullmatch(postal.strip())
    spot, town = _codes().get(code[1]) if code else None, _town(city)
    if code and spot is not None and _fits(spot, town, state, told=bool(country.strip())):
        return _place(spot, "postal", f"{code[1]} {spot.city}, {spot.state}")
    if state is None:
        states = _states_of(town)
        if len(states) != 1 or code:
            return None
        [state] = states
    found = _towns().get((town, state))
    return _place(found, "city", f"{found.city}, {found.state}") if found is not None else None


def resolve(text: str) -> Place:
    """The point somebody typed: "66061", "Olathe, KS" or both. Raises Invalid (`place`) with a sentence."""
    typed = " ".join(text[: LONGEST_TYPED + 1].split())
    if not typed:
        raise _wrong("Type a postal code or a town with its state, for example 66061 or Olathe, KS.")
    if len(typed) > LONGEST_TYPED:
        raise _wrong(f"A place is written in at most {LONGEST_TYPED} characters, for example 66061 or Olathe, KS.")
    code = _TYPED_CODE.search(typed)
    if code:
        spot = _codes().get(code[1])
        if spot is None:
            raise _wrong(f"The postal code {code[1]} is not known. Check it, or type a town with its state.")
        return _place(spot, "postal", f"{code[1]} {spot.city}, {spot.state}")
    if typed.replace("-", "").replace(" ", "").isdigit():
        raise _wrong(f"“{typed}” is no postal code of the United States: those have five digits.")
    town, state = _town_and_state(typed)
    if state is None:
        town = _town(typed)
        states = sorted(_states_of(town))
        if len(states) > 1:
            few = ", ".join(states[:6]) + (" and others" if len(states) > 6 else "")
            raise _wrong(
                f"There is more than one “{typed}”: in {few}. Add the state, for example {typed}, {states[0]}."
            )
        state = states[0] if states else None
    found = _towns().get((town, state)) if state else None
    if found is None:
        raise _wrong(f"No town “{typed}” is known in the United States. Check it, or type a postal code.")
    return _place(found, "city", f"{found.city}, {found.state}")


def at(latitude: int, longitude: int) -> tuple[int, int, int]:
    """x, y and z of a point given in millionths of a degree."""
    north, east = math.radians(latitude / 1_000_000), math.radians(longitude / 1_000_000)
    flat = RADIUS * math.cos(north)
    return round(flat * math.cos(east)), round(flat * math.sin(east)), round(RADIUS * math.sin(north))


# --- the bundled data -----------------------------------------------------------------------------------------


@cache
def _codes() -> Mapping[str, _Spot]:
    """Postal code -> its middle, read once in a process: about two seconds and twenty megabytes."""
    found = {}
    for state in sorted(STATES):
        for row in zipcodes.filter_by(state=state):
            spot = _Spot(_millionths(row["lat"]), _millionths(row["long"]), row["city"], state)
            if row["zip_code_type"] != "MILITARY" and (spot.latitude or spot.longitude):
                found[row["zip_code"]] = spot
    return found


@cache
def _towns() -> Mapping[tuple[str, str], _Spot]:
    """(town folded, state) -> the middle of its postal codes."""
    groups: dict[tuple[str, str], list[_Spot]] = {}
    for _, spot in sorted(_codes().items()):
        groups.setdefault((_town(spot.city), spot.state), []).append(spot)
    return {name: _middle(spots) for name, spots in groups.items()}


@cache
def _states_by_town() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for town, state in _towns():
        found.setdefault(town, set()).add(state)
    return {town: frozenset(states) for town, states in found.items()}


def _states_of(town: str) -> frozenset[str]:
    return _states_by_town().get(town, frozenset())


def _town(text: str) -> str:
    """Folded, with the usual short forms written out: "St. Louis" and "Saint Louis" are one."""
    return " ".join(_WRITTEN_OUT.get(word, word) for word in fold(text).split())


def _state(text: str) -> str | None:
    code = state_key(text).upper()
    return code if code in STATES else None


def _fits(spot: _Spot, town: str, state: str | None, *, told: bool) -> bool:
    if state is not None:
        return state == spot.state
    return told or not town or spot.state in _states_of(town)


def _middle(spots: Iterable[_Spot]) -> _Spot:
    spots = list(spots)
    north, east = sum(one.latitude for one in spots), sum(one.longitude for one in spots)
    return _Spot(north // len(spots), east // len(spots), spots[0].city, spots[0].state)


def _millionths(degrees: str) -> int:
    return int(Decimal(degrees) * 1_000_000)


def _place(spot: _Spot, precision: str, label: str) -> Place:
    x, y, z = at(spot.latitude, spot.longitude)
    return Place(x, y, z, spot.latitude, spot.longitude, precision, label)


def _town_and_state(typed: str) -> tuple[str, str | None]:
    """ "Olathe, KS", "Olathe Kansas": the last words that name a state are the state."""
    said = fold(typed).split()
    for count in (4, 3, 2, 1):
        if len(said) > count and (state := _state(" ".join(said[-count:]))):
            return _town(" ".join(said[:-count])), state
    return _town(typed), None


def _wrong(sentence: str) -> Invalid:
    return Invalid({"place": sentence})
