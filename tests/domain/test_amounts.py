"""Numbers a person types: what is read, and what is refused because it could be meant in two ways."""

from __future__ import annotations

import pytest

from crm.domain.amounts import read_number
from crm.domain.contact_filters import read_amount


@pytest.mark.parametrize(("typed", "read"), [
    ("1234.50", "1234.50"), (" $1,234.50 ", "1234.50"), ("1,234,567", "1234567"), ("12.", "12"), (".5", "0.5"),
    ("-5", "-5"), ("-$5", "-5"), ("$-5", "-5"), ("+5", "5"), ("€ 20", "20"), ("0", "0"), ("12,500", "12500"),
])  # fmt: skip
def test_a_usual_number_is_read(typed: str, read: str) -> None:
    assert str(read_number(typed)) == read


@pytest.mark.parametrize("typed", ["", "  ", "$"])
def test_nothing_is_nothing(typed: str) -> None:
    assert read_number(typed) is None


@pytest.mark.parametrize("typed", [
    "1,5", "12,5", "1.234,56", "1,23,456", "1234,567", ",5", "1,", "1 234", "1_000", "1e9", "1E+2", "nan", "Infinity",
    "-", "--5", ".", "½", "٣", "five", "1.2.3", "5-",
])  # fmt: skip
def test_what_could_be_meant_otherwise_is_refused_and_never_guessed(typed: str) -> None:
    with pytest.raises(ValueError):
        read_number(typed)
    assert read_amount(typed) is None
