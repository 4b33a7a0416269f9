"""Two versions of a quote side by side."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crm.domain.quote_versions import Change, Version, compare
from crm.domain.sales import Discount, Line
from tests.domain.sales_values import documents, examples

D = Decimal
LINES = tuple(Line(key=key, name=key.upper(), unit_price=D(price)) for key, price in (("a", 10), ("b", 20), ("c", 30)))
FIRST = Version(1, LINES, fields={"Terms": "Net 30"})


def test_a_version_compared_with_itself_is_the_same() -> None:
    assert compare(FIRST, FIRST).same


def test_added_removed_and_changed_lines_are_told_with_both_values() -> None:
    lines = (replace(LINES[0], unit_price=D(12)), LINES[2], Line(key="d", unit_price=D(5)))
    found = compare(FIRST, Version(2, lines, fields={"Terms": "Net 30"}))
    assert [(one.place, one.line.key, one.amount) for one in found.added] == [(3, "d", 5)]
    assert [(one.place, one.line.key, one.amount) for one in found.removed] == [(2, "b", 20)]
    (change,) = found.changed
    assert change.changes == (Change("Price", D(10), D(12)), Change("Amount", D(10), D(12)))
    assert found.figures == (Change("Subtotal", D(60), D(47)), Change("Total", D(60), D(47)))
    assert not found.moved and not found.fields and not found.same


def test_a_line_that_moved_is_told_and_the_others_are_not() -> None:
    found = compare(FIRST, Version(2, (LINES[1], LINES[2], LINES[0]), fields=FIRST.fields))
    assert [(one.old.place, one.new.place) for one in found.moved] == [(1, 3)]
    assert not found.changed and not found.figures


def test_fields_and_discount_are_told() -> None:
    found = compare(FIRST, Version(2, LINES, Discount(percent=D(10)), fields={"Terms": "Net 15", "Note": "Hello"}))
    assert found.fields == (Change("Terms", "Net 30", "Net 15"), Change("Note", "", "Hello"),
                            Change("Discount in percent", None, D(10)))  # fmt: skip
    assert Change("Discount", D(0), D(6)) in found.figures


def test_lines_without_a_key_are_known_by_what_they_say() -> None:
    old = Version(1, (Line(name="A", unit_price=D(1)), Line(name="A", unit_price=D(2))))
    new = Version(2, (Line(name="A", unit_price=D(1)), Line(name="A", unit_price=D(3)), Line(name="B")))
    found = compare(old, new)
    assert [one.line.name for one in found.added] == ["B"] and not found.removed
    assert [one.changes[0] for one in found.changed] == [Change("Price", D(2), D(3))]


@examples(60)
@given(documents(), documents())
def test_the_comparison_turned_round_says_the_opposite(one: dict[str, Any], other: dict[str, Any]) -> None:
    old, new = (Version(number, tuple(doc["lines"]), doc["discount"], doc["tax"], doc["deposit"], doc["currency"])
                for number, doc in ((1, one), (2, other)))  # fmt: skip
    there, back = compare(old, new), compare(new, old)
    assert there.added == back.removed and there.removed == back.added
    assert {(c.old.line.key, len(c.changes)) for c in there.changed} == {
        (c.new.line.key, len(c.changes)) for c in back.changed
    }
    assert [(c.old, c.new) for c in there.figures] == [(c.new, c.old) for c in back.figures]
    assert len(there.moved) == len(back.moved)


@examples(60)
@given(st.permutations(range(6)))
def test_as_few_lines_as_possible_are_said_to_have_moved(order: list[int]) -> None:
    lines = [Line(key=str(at)) for at in range(6)]
    found = compare(Version(1, tuple(lines)), Version(2, tuple(lines[at] for at in order)))
    stay = {int(line.key) for line in lines} - {int(change.new.line.key) for change in found.moved}
    assert [at for at in order if at in stay] == sorted(stay)
    longest = max(bin(mask).count("1") for mask in range(64)
                  if (kept := [at for at in order if mask >> at & 1]) == sorted(kept))  # fmt: skip
    assert len(stay) == longest
