"""How values are written for people: money, numbers, dates, phones, names.

Pure functions that templates reach as filters (`FILTERS`) and globals (`GLOBALS`); `crm/web.py` registers both.
They never raise on a missing value: None is shown as a dash. They decide no meaning, only notation; the
time zone, the currency and the reader's region are arguments, with UTC, USD and US where the caller knows none.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from datetime import date as Date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup

LOCALE = "en_US"
MINUTES = "MMM d, y, h:mm a z"
"""With the zone it is told in: pages show times of the company beside UTC."""
DASH = "–"
AVATAR_COLOURS = 12


def money(value: Decimal | int | None, currency: str = "USD") -> str:
    """`Decimal("1234.5")` -> `$1,234.50`. The currency decides the decimals; a float is refused, money never is one."""
    if value is None:
        return DASH
    if isinstance(value, float):
        raise TypeError("Money must be a Decimal, not a float.")
    return format_currency(value, currency or "USD", locale=LOCALE)


def number(value: Decimal | float | None, decimals: int | None = None) -> str:
    """`12840` -> `12,840`. With `decimals`, exactly so many places."""
    if value is None:
        return DASH
    pattern = None if decimals is None else "#,##0" + ("." + "0" * decimals if decimals else "")
    return format_decimal(value, format=pattern, locale=LOCALE)


def short_number(value: Decimal | int | None) -> str:
    """What has little room, with three digits at most: `1234567` -> `1.2M`, `48210` -> `48K`."""
    if value is None:
        return DASH
    size = abs(Decimal(value))
    for limit, unit in ((Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(1000), "K")):
        if size >= limit * Decimal("0.9995"):
            return number(Decimal(value) / limit, 1 if size < limit * 10 else 0) + unit
    return number(Decimal(value), 0)


def percent(value: Decimal | float | None, decimals: int = 0) -> str:
    """A share of one as a percentage: `0.42` -> `42%`."""
    return DASH if value is None else number(value * 100, decimals) + "%"


def date(value: Date | datetime | None, style: str = "medium") -> str:
    """`Nov 21, 2026`; `style` is one of Babel's: short, medium, long, full."""
    return DASH if value is None else format_date(value, format=style, locale=LOCALE)


def datetime_local(value: datetime | None, tz: str = "UTC") -> Markup:
    """A `<time>` element in the reader's zone, with the exact UTC instant for machines."""
    if value is None:
        return Markup(DASH)
    text = format_datetime(_utc(value), MINUTES, tzinfo=_zone(tz), locale=LOCALE)
    return Markup('<time datetime="{}">{}</time>').format(_utc(value).isoformat(), text)


def ago(value: datetime | None, tz: str = "UTC", now: datetime | None = None) -> Markup:
    """`just now`, `4 min ago`, `in 3 days`, and the plain date beyond thirty days; the full time is its tooltip."""
    if value is None:
        return Markup("never")
    instant = _utc(value)
    seconds = int(((now or datetime.now(UTC)) - instant).total_seconds())
    full = format_datetime(instant, MINUTES, tzinfo=_zone(tz), locale=LOCALE)
    text = _distance(seconds) or format_date(instant.astimezone(_zone(tz)), locale=LOCALE)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(instant.isoformat(), full, text)


def duration(seconds: float | None) -> str:
    """A length of time in two units at most: `48 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return DASH
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


@lru_cache(maxsize=8192)
def phone(e164: str | None, region: str = "US", extension: str | None = None) -> str:
    """`+16505553311` -> `(650) 555-3311` at home, `+1 650-555-3311` elsewhere; unreadable text as it came.

    Text as somebody typed it is read as a number of `region`.
    """
    if not e164:
        return DASH
    try:
        parsed = phonenumbers.parse(e164, region)
    except phonenumbers.NumberParseException:
        shown = e164
    else:
        home = parsed.country_code == phonenumbers.country_code_for_region(region)
        style = phonenumbers.PhoneNumberFormat.NATIONAL if home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
        shown = phonenumbers.format_number(parsed, style)
    return f"{shown} ext. {extension}" if extension else shown


SUFFIXES = frozenset(["jr", "sr", "i", "ii", "iii", "iv", "v", "esq", "phd", "md", "dds", "cpa", "pe"])
"""What follows a name and is no part of it."""


def initials(name: str | None) -> str:
    """Up to two letters: the first of the first word and the first of the last, a family name in front put back.

    Digits, signs and what follows a name ("II", "Jr.") are passed over.
    """
    text = name or ""
    parts = [part for part in (_named_words(part) for part in text.split(",")) if part]
    if len(parts) == 2 and "&" not in text:
        parts.reverse()
    words = [word for part in parts for word in part]
    if not words:
        return (name or "").strip()[:1].upper() or "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def _named_words(text: str) -> list[str]:
    words = [word for word in text.replace("&", " ").split() if word[0].isalpha()]
    return [word for word in words if word.replace(".", "").lower() not in SUFFIXES]


def avatar_hue(name: str | None) -> int:
    """0 to 11, always the same for the same name; the stylesheet has a tested colour for each."""
    return zlib.crc32((name or "").strip().casefold().encode()) % AVATAR_COLOURS


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 contact`, `1,284 contacts`, `3 entries`; `many` where the plural is irregular."""
    if count != 1 and many is None:
        ies = one.endswith("y") and one[-2:-1] not in "aeiou"
        many = one[:-1] + "ies" if ies else one + "s"
    return f"{number(count)} {one if count == 1 else many}"


def action_words(action: str) -> str:
    """An audit action as people read it: `api_key_created` -> `API key created`."""
    return action.replace("_", " ").capitalize().replace("Api ", "API ")


def link_with(path: str, args: Mapping[str, Any], **changes: Any) -> str:
    """The same page with other query arguments; None removes one. `args` may hold lists (request.args does)."""
    getlist = getattr(args, "getlist", None)
    pairs: dict[str, Any] = {key: getlist(key) if getlist else args[key] for key in args}
    pairs |= changes
    query = urlencode({key: value for key, value in pairs.items() if value not in (None, "", [])}, doseq=True)
    return f"{path}?{query}" if query else path


def go_keys(labels: list[str]) -> list[str]:
    """For each navigation label the letter that follows `g`: its first one that no earlier label took, or none."""
    taken: list[str] = []
    for label in labels:
        taken.append(next((c for c in label.lower() if "a" <= c <= "z" and c not in taken), ""))
    return taken


def sparkline_points(values: list[Decimal], width: int = 120, height: int = 28) -> str:
    """The `points` of an SVG polyline through `values`, with two units of air above and below."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = width / (len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{height - 2 - float((value - low) / span) * (height - 4):.1f}"
        for index, value in enumerate(values)
    )


def shares(values: list[Decimal | float], width: int = 100) -> list[tuple[float, float]]:
    """For a stacked bar `width` wide: (start, length) of each value; negative ones count as nothing."""
    sizes = [max(0.0, float(value)) for value in values]
    total = sum(sizes) or 1.0
    out: list[tuple[float, float]] = []
    start = 0.0
    for size in sizes:
        length = size / total * width
        out.append((round(start, 2), round(length, 2)))
        start += length
    return out


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        # A zone the machine does not know must not take a page down; UTC is what the database holds.
        return ZoneInfo("UTC")


STEPS = ((3600, 60, " min"), (86400, 3600, " h"), (30 * 86400, 86400, " day"))


def _distance(seconds: int) -> str | None:
    size = abs(seconds)
    if size < 45:
        return "just now"
    for limit, unit, word in STEPS:
        if size < limit:
            count = max(1, size // unit)
            word += "s" if word == " day" and count != 1 else ""
            return f"{count}{word} ago" if seconds > 0 else f"in {count}{word}"
    return None


FILTERS = {
    "action_words": action_words,
    "money": money,
    "number": number,
    "percent": percent,
    "short_number": short_number,
    "date": date,
    "datetime_local": datetime_local,
    "ago": ago,
    "duration": duration,
    "phone": phone,
    "initials": initials,
    "avatar_hue": avatar_hue,
    "plural": plural,
}
GLOBALS = {
    "link_with": link_with,
    "plural": plural,
    "go_keys": go_keys,
    "sparkline_points": sparkline_points,
    "shares": shares,
}
