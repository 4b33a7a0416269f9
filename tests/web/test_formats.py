"""How values are written for people: the notation of money, time, phones and names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from werkzeug.datastructures import MultiDict

from crm import formats

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (Decimal("1234.5"), "USD", "$1,234.50"),
        (Decimal("-460.4"), "USD", "-$460.40"),
        (Decimal("1500"), "JPY", "¥1,500"),
        (Decimal("0"), "", "$0.00"),
        (None, "USD", "–"),
    ],
)
def test_money_has_the_decimals_of_its_currency(value: Decimal | None, currency: str, text: str) -> None:
    assert formats.money(value, currency) == text


def test_a_float_is_refused_as_money() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        formats.money(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=50), "1 min ago"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=12), "12 days ago"),
        (timedelta(days=-3), "in 3 days"),
        (timedelta(days=60), "Sep 22, 2026"),
    ],
)
def test_distance_in_time_is_told_in_one_unit(gone: timedelta, text: str) -> None:
    assert f">{text}</time>" in formats.ago(NOON - gone, now=NOON)


def test_a_time_is_written_in_the_readers_zone_and_carries_the_instant() -> None:
    shown = formats.datetime_local(NOON, "America/New_York")
    assert "EST</time>" in shown and "7:00" in shown and 'datetime="2026-11-21T12:00:00+00:00"' in shown


def test_a_zone_nobody_knows_falls_back_to_utc() -> None:
    assert "UTC</time>" in formats.datetime_local(NOON)
    assert "12:00" in formats.datetime_local(NOON, "Mars/Olympus")


def test_a_naive_time_is_taken_as_utc() -> None:
    assert "+00:00" in formats.datetime_local(NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("seconds", "text"), [(48, "48 s"), (200, "3 min 20 s"), (120, "2 min"), (7500, "2 h 5 min"), (None, "–")]
)
def test_duration_takes_two_units_at_most(seconds: int | None, text: str) -> None:
    assert formats.duration(seconds) == text


def test_phones_are_short_at_home_and_whole_abroad() -> None:
    assert formats.phone("+16505553311") == "(650) 555-3311"
    assert formats.phone("+16505553311", "GB") == "+1 650-555-3311"
    assert formats.phone("+442079460958") == "+44 20 7946 0958"
    assert formats.phone("+16505553311", extension="12") == "(650) 555-3311 ext. 12"
    assert formats.phone("call Bob") == "call Bob" and formats.phone(None) == "–"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Amy Lauterbach", "AL"), ("Bob & Amy Smith", "BS"), ("cher", "C"), ("24/7 Towing", "T"), ("", "?"),
     ("Aaron Stanton II", "AS"), ("Ben Hur, Jr.", "BH"), ("Stanton, Judith", "JS"), ("Stanton, Judith A., Sr.", "JS"),
     ("Smith, Jones & Co", "SC"), ("Jr", "J")],
)
def test_initials_pass_over_signs_and_digits(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


def test_an_avatar_keeps_its_colour_whatever_the_case() -> None:
    assert formats.avatar_hue("Amy ") == formats.avatar_hue("amy") and 0 <= formats.avatar_hue("Amy") < 12


def test_a_changed_link_keeps_repeated_arguments_and_drops_what_is_none() -> None:
    args = MultiDict([("tag", "a"), ("tag", "b c"), ("page", "3")])
    assert formats.link_with("/contacts", args, page=None, sort="-name") == "/contacts?tag=a&tag=b+c&sort=-name"
    assert formats.link_with("/contacts", {}) == "/contacts"


def test_every_page_gets_a_key_of_its_own() -> None:
    assert formats.go_keys(["Home", "Contacts", "API keys", "Audit trail", "Aa"]) == ["h", "c", "a", "u", ""]


def test_a_stacked_bar_fills_its_width_and_ignores_credits() -> None:
    assert formats.shares([Decimal(1), Decimal(-5), Decimal(3)]) == [(0.0, 25.0), (25.0, 0.0), (25.0, 75.0)]
    assert formats.shares([Decimal(0)]) == [(0.0, 0.0)]


def test_a_sparkline_needs_two_points_and_survives_a_flat_line() -> None:
    assert formats.sparkline_points([1]) == ""
    assert formats.sparkline_points([2, 2], width=10, height=10) == "0.0,8.0 10.0,8.0"


def test_counted_words_take_their_plural() -> None:
    assert formats.plural(1, "entry") == "1 entry" and formats.plural(3, "entry") == "3 entries"
    assert formats.plural(2, "day") == "2 days" and formats.plural(1284, "contact") == "1,284 contacts"
    assert formats.plural(0, "person", "people") == "0 people"
