"""About where an address is, and what a person types as a point."""

from __future__ import annotations

import pytest

from crm.domain import places
from crm.domain.errors import Invalid


def test_an_address_is_found_by_its_postal_code_and_else_by_its_town() -> None:
    by_code = places.find("66061-1234", "Olathe", "Kansas", "USA")
    assert by_code is not None and (by_code.precision, by_code.label) == ("postal", "66061 Olathe, KS")
    assert (round(by_code.latitude, -5), round(by_code.longitude, -5)) == (38_900_000, -94_800_000)
    by_town = places.find("", "  OLATHE ", "ks", "")
    assert by_town is not None and (by_town.precision, by_town.label) == ("city", "Olathe, KS")
    assert abs(by_town.latitude - by_code.latitude) < 100_000


@pytest.mark.parametrize(
    "address",
    [
        ("66061", "Olathe", "KS", "Germany"),  # five digits, but of another country
        ("10115", "Berlin", "Berlin", ""),
        ("20095", "Hamburg", "", ""),  # no Hamburg in the state of that code
        ("", "Springfield", "", ""),  # there are many
        ("K1A 0B6", "Ottawa", "ON", "Canada"),
        ("", "", "KS", ""),
        ("", "", "", ""),
        ("00000", "Nowhere", "KS", "US"),
    ],
)
def test_what_cannot_be_told_is_not_guessed(address: tuple[str, str, str, str]) -> None:
    assert places.find(*address) is None


def test_a_code_of_another_state_does_not_count() -> None:
    found = places.find("66061", "Kansas City", "MO", "")
    assert found is not None and found.label == "Kansas City, MO"


def test_a_key_says_whether_an_address_must_be_looked_up_again() -> None:
    same = places.key("66061", "Olathe", "KS", "US")
    assert same == places.key(" 66061 ", "OLATHE", "ks", "us") != places.key("66062", "Olathe", "KS", "US")
    assert places.key("", "", "KS", "US") == "" and len(places.key("", "x" * 300, "y" * 300, "")) == 255


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("66061", "66061 Olathe, KS"),
        (" 66061-1234 ", "66061 Olathe, KS"),
        ("Olathe, KS", "Olathe, KS"),
        ("olathe kansas", "Olathe, KS"),
        ("Olathe, KS 66061", "66061 Olathe, KS"),
        ("St. Louis, Missouri", "Saint Louis, MO"),
        ("Charleston, West Virginia", "Charleston, WV"),
        ("Albuquerque", "Albuquerque, NM"),
    ],
)
def test_a_point_is_read_as_people_write_it(typed: str, label: str) -> None:
    assert places.resolve(typed).label == label


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Type a postal code or a town"),
        ("   ", "Type a postal code or a town"),
        ("Springfield", "There is more than one “Springfield”: in"),
        ("Nowhereville, KS", "No town “Nowhereville, KS” is known"),
        ("00000", "The postal code 00000 is not known"),
        ("1234", "those have five digits"),
        ("x" * 500, "at most 120 characters"),
    ],
)
def test_what_is_no_point_is_answered_with_a_sentence(typed: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        places.resolve(typed)
    assert words in refused.value.fields["place"]


def test_points_lie_on_the_ball() -> None:
    for latitude, longitude in ((0, 0), (38_886_500, -94_820_400), (-90_000_000, 0), (90_000_000, 180_000_000)):
        x, y, z = places.at(latitude, longitude)
        assert abs((x * x + y * y + z * z) ** 0.5 - places.RADIUS) < 2
