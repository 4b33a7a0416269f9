"""CSV downloads: what a spreadsheet makes of them."""

from __future__ import annotations

import pytest

from crm.domain.contact_files import without_guard
from crm.exports import csv_lines, safe_cell


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1+1", "'=1+1"), ("+1 (404) 555-0143", "+1 (404) 555-0143"), ("-12.50", "-12.50"), ("@SUM(A1)", "'@SUM(A1)"),
     ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("\tx", "'\tx"), ("Anna", "Anna"), ("", "")],
)  # fmt: skip
def test_no_cell_is_taken_for_a_formula_and_the_guard_comes_off(text: str, safe: str) -> None:
    assert safe_cell(text) == safe
    assert without_guard(safe) == text


def test_headings_are_guarded_like_cells_and_long_files_come_in_pieces() -> None:
    pieces = list(csv_lines(("=cmd", "Name"), ((n, "Anna") for n in range(1200))))
    assert len(pieces) == 3 and pieces[0].startswith("\ufeff'=cmd,Name")
    assert "".join(pieces).count("Anna") == 1200
