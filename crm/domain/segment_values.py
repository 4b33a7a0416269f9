"""The values of rules: read from what was typed, checked with a sentence, told in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from babel.numbers import format_currency

from crm.domain.amounts import read_number
from crm.domain.contacts import clean
from crm.domain.days import day_text
from crm.domain.distances import Point, chord
from crm.domain.names import fold
from crm.domain.segment_fields import DAYS_OPS, MANY, OPS, PLACE_PARTS, UNITS, Field
from crm.domain.segment_periods import KINDS, MOST_DAYS, Period

MOST_VALUES = 200
MOST_LETTERS = 200
MOST_AMOUNT = Decimal(100_000_000_000)
MOST_NUMBER = Decimal(1_000_000)
MOST_DISTANCE = Decimal(12_500)
LONGEST_ID = 9
_DECIMALS = {"money": 2, "number": 0, "percent": 1, "days": 1}
_INTEGER = re.compile(r"-?[0-9]{1,8}")


def read_values(about: Field, op: str, given: object, wrong: dict[str, str]) -> tuple[str, ...]:
    """Canonical values of a rule; with a sentence under `value` in `wrong` where they cannot be read."""
    needed = OPS[op].values
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(one, str) for one in given):
        given = ()
    texts = [text for one in given if (text := clean(one))]
    if about.type == "place" and needed:
        return _place(texts if len(texts) == len(given) else [clean(one) for one in given], wrong)
    if needed == 0:
        return ()
    if needed == MANY:
        texts = list(dict.fromkeys(texts))
    if not texts or (needed != MANY and len(texts) != needed):
        wrong["value"] = _missing(about, op)
        return ()
    if len(texts) > MOST_VALUES:
        wrong["value"] = f"{about.label}: {MOST_VALUES} values at most."
        return ()
    values = [_value(about, op, text, wrong) for text in texts]
    if "value" in wrong:
        return ()
    if needed == 2:
        return _in_order(about, values, wrong)
    return tuple(dict.fromkeys(values))


def read_period(given: object, wrong: dict[str, str]) -> Period:
    """The stretch of time of a rule, all time where none is given; a sentence under `period` in `wrong`."""
    if given is None:
        return Period()
    if not isinstance(given, Mapping) or given.get("kind", "all") not in KINDS:
        wrong["period"] = "Choose a period."
        return Period()
    kind = given.get("kind", "all")
    if kind == "days":
        days = str(given.get("days", "")).strip()
        if not (days.isascii() and days.isdigit() and len(days) < 6 and 0 < int(days) <= MOST_DAYS):
            wrong["period"] = f"Days must be a whole number from 1 to {MOST_DAYS}."
            return Period()
        return Period(kind, days=int(days))
    if kind != "dates":
        return Period(kind)
    texts = [str(given.get(name) or "").strip() for name in ("since", "until")]
    since, until = map(_day, texts)
    if (texts[0] and since is None) or (texts[1] and until is None):
        wrong["period"] = "A date of the period cannot be read. Write it like 2026-11-21."
    elif since is None and until is None:
        wrong["period"] = "Give the first or the last day of the period, or both."
    elif since is not None and until is not None and since > until:
        wrong["period"] = "The first day of the period is after its last."
    else:
        return Period(kind, since=since, until=until)
    return Period()


def value_words(
    about: Field, op: str, values: Sequence[str], names: Mapping[str, Mapping[str, str]], currency: str
) -> str:
    """The values as they stand in a sentence: "$500.00", "Kansas or Missouri", "25 miles of 66044 Lawrence, KS"."""
    if not values:
        return ""
    if about.type == "place":
        place = dict(zip(PLACE_PARTS, values, strict=True))
        return f"{place['distance']} {UNITS[place['unit']]} {'of' if op == 'within' else 'from'} {place['label']}"
    told = [_told(about, op, value, names, currency) for value in values]
    if OPS[op].values == 2:
        return f"{told[0]} and {told[1]}"
    last = " and " if op == "has_all" else " or "
    return told[0] if len(told) == 1 else ", ".join(told[:-1]) + last + told[-1]


def circle(values: Sequence[str]) -> tuple[Point, int]:
    """Of a rule about distance: the point (metres from the middle of the earth), and the straight line that a point on
    the rim is away from it."""
    place = dict(zip(PLACE_PARTS, values, strict=True))
    return (int(place["x"]), int(place["y"]), int(place["z"])), chord(Decimal(place["distance"]), place["unit"])


def _told(about: Field, op: str, value: str, names: Mapping[str, Mapping[str, str]], currency: str) -> str:
    if about.choices is not None:
        return about.choices.get(value, value)
    if about.options:
        if value == "none":
            return "nobody"
        return names.get(about.options, {}).get(value) or f"no. {value}, which is gone"
    if about.type == "date":
        return value if op in DAYS_OPS else day_text(date.fromisoformat(value))
    if about.type == "money":
        return format_currency(Decimal(value), currency or "USD", locale="en_US")
    if about.type == "percent":
        return f"{value}%"
    return f"{value} {counted(about, value == '1')}".rstrip()


def counted(about: Field, one: bool) -> str:
    """The field's unit of one or of many: "day", "days"."""
    return about.unit[:-1] if one and about.unit.endswith("s") else about.unit


def _value(about: Field, op: str, text: str, wrong: dict[str, str]) -> str:
    if about.choices is not None:
        if text not in about.choices:
            wrong["value"] = f"{about.label}: choose from the list."
        return text
    if about.options:
        is_id = text.isascii() and text.isdigit() and len(text) <= LONGEST_ID
        if not is_id and not (text == "none" and about.options == "owners"):
            wrong["value"] = f"{about.label}: choose from the list."
        return str(int(text)) if is_id else text
    if about.type == "text":
        if len(text) > MOST_LETTERS:
            wrong["value"] = f"{about.label}: {MOST_LETTERS} letters at most."
        elif not fold(text):
            wrong["value"] = f"{about.label}: write at least one letter or digit."
        return text
    if about.type == "date":
        return _date_value(about, op, text, wrong)
    return _number(about, text, wrong)


def _date_value(about: Field, op: str, text: str, wrong: dict[str, str]) -> str:
    if op in DAYS_OPS:
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= MOST_DAYS):
            wrong["value"] = f"{about.label}: days must be a whole number from 0 to {MOST_DAYS}."
            return text
        return str(int(text))
    day = _day(text)
    if day is None:
        wrong["value"] = f"{about.label}: write the date like 2026-11-21."
        return text
    return day.isoformat()


def _number(about: Field, text: str, wrong: dict[str, str]) -> str:
    most = MOST_AMOUNT if about.type == "money" else MOST_NUMBER
    places = _DECIMALS[about.type]
    try:
        number = read_number(text.strip().removesuffix("%"))
    except ValueError:
        number = None
    if number is None or abs(number) > most:
        wrong["value"] = f"{about.label}: “{text[:40]}” is not {'an amount' if about.type == 'money' else 'a number'}."
        return text
    if number != round(number, places):
        digits = {0: "whole numbers only", 1: "one decimal at most", 2: "two decimals at most"}[places]
        wrong["value"] = f"{about.label}: {digits}."
        return text
    return f"{number.normalize() + 0:f}"


def _in_order(about: Field, values: list[str], wrong: dict[str, str]) -> tuple[str, ...]:
    first, last = values
    later = first > last if about.type == "date" else Decimal(first) > Decimal(last)
    if later:
        wrong["value"] = f"{about.label}: the first value is beyond the second."
        return ()
    return first, last


def _place(given: Sequence[str], wrong: dict[str, str]) -> tuple[str, ...]:
    place = dict(zip(PLACE_PARTS, [*given, *[""] * len(PLACE_PARTS)], strict=False))
    try:
        distance = read_number(place["distance"])
    except ValueError:
        distance = None
    if distance is None or not 0 < distance <= MOST_DISTANCE or distance != round(distance, 1):
        wrong["value"] = f"Distance: write a number up to {MOST_DISTANCE:,}, with one decimal at most."
    elif place["unit"] not in UNITS:
        wrong["value"] = "Distance: choose miles or km."
    elif not place["typed"]:
        wrong["value"] = "Distance: write the postal code or city it is measured from."
    elif not place["label"] or not all(_INTEGER.fullmatch(place[axis]) for axis in "xyz"):
        wrong["value"] = (
            f"Distance: no place is known for “{place['typed'][:60]}”. Write a postal code, or a city with its state."
        )
    else:
        return tuple({**place, "distance": f"{distance.normalize():f}"}.values())[: len(PLACE_PARTS)]
    return ()


def _day(text: str) -> date | None:
    """None where it cannot be read, or is too far from now to be counted from."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 <= day.year <= 2199 else None


def _missing(about: Field, op: str) -> str:
    if OPS[op].values == 2:
        return f"{about.label}: give both values."
    if about.choices is not None or about.options:
        return f"{about.label}: choose at least one."
    return f"{about.label}: write a value."
