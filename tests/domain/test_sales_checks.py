"""What is wrong with a document as typed, told by line and field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from crm.domain.errors import Invalid
from crm.domain.sales import Deposit, Discount, Line, Rate, Tax
from crm.domain.sales_checks import problems, refuse
from tests.domain.sales_values import documents, examples

D = Decimal
GOOD = Line(unit_price=D("10.1234567"), quantity=D("1.12345"))


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        (Line(unit_price=D("1.12345678")), "unit_price", "the price has more than 7 decimals (1.12345678)"),
        (Line(unit_price=D(1), quantity=D("1.123456")), "quantity", "the quantity has more than 5 decimals"),
        (Line(amount=D("1.234")), "amount", "the amount has more than 2 decimals"),
        (Line(unit_price=D("NaN")), "unit_price", "the price is no number"),
        (Line(unit_price=D(100_000_000_000)), "unit_price", "the price is over 99,999,999,999"),
        (Line(unit_price=D(99_999_999), quantity=D(99_999)), "amount", "the amount is over 99,999,999,999"),
        (Line(), "unit_price", "the price is missing"),
        (Line(unit_price=D(2), amount=D(3)), "amount", "quantity times price is 2.00 USD"),
        (Line(unit_price=D(2), description="x" * 4001), "description", "4,001 characters"),
        (Line(kind="song"), "kind", "no kind of line called “song”"),
        (Line(unit_price=D(2), within="nowhere"), "within", "a bundle that does not stand above it"),
    ],
)
def test_the_line_and_the_field_are_named(line: Line, field: str, words: str) -> None:
    found = problems([GOOD, GOOD, line])
    assert [(one.line, one.field) for one in found if "more than the lines" not in one.sentence] == [(3, field)]
    assert found[0].sentence.startswith("Line 3: ") and words in found[0].sentence
    assert found[0].name == f"lines-3-{field}"


def test_a_document_without_fault_has_no_problem() -> None:
    bundle = [Line(kind="group", key="g", optional=True), Line(unit_price=D(1), within="g")]
    assert not problems([GOOD, Line(kind="text"), *bundle], discount=Discount(percent=D(100)))
    refuse(())


def test_texts_alone_are_no_document_and_neither_are_options_nobody_chose() -> None:
    for lines in ([], [Line(kind="text")], [Line(unit_price=D(1), optional=True)]):
        assert [one.field for one in problems(lines)] == ["lines"]


def test_a_member_cannot_be_an_option_by_itself() -> None:
    lines = [Line(kind="group", key="g"), Line(unit_price=D(1), within="g", optional=True, chosen=True)]
    assert [(one.line, one.field) for one in problems(lines)] == [(2, "optional")]


def test_each_line_needs_a_tax_code_where_lines_have_them() -> None:
    tax = Tax("exclusive", codes={"A": (Rate("1", "VAT", D(20)),)})
    found = problems([Line(unit_price=D(1), tax_code="A"), Line(unit_price=D(1)), Line(unit_price=D(1), tax_code="Z")],
                     tax=tax)  # fmt: skip
    assert [(one.line, one.field) for one in found] == [(2, "tax_code"), (3, "tax_code")]
    assert "“Z” does not exist" in found[1].sentence and "has no tax code" in found[0].sentence


@pytest.mark.parametrize(
    ("share", "words"),
    [({"percent": D(101)}, "between 0 and 100"), ({"percent": D("NaN")}, "between 0 and 100"),
     ({"percent": D("1.123456")}, "more than 5 decimals"), ({"amount": D(-1)}, "0 or more"),
     ({"amount": D("1.234")}, "more than 2 decimals"), ({"amount": D("10.01")}, "10.01 USD is more than")],
)  # fmt: skip
@pytest.mark.parametrize("field", ["discount", "deposit"])
def test_discounts_and_deposits_are_checked_alike(field: str, share: dict[str, Any], words: str) -> None:
    kind = {"discount": Discount, "deposit": Deposit}[field]
    (found,) = problems([Line(unit_price=D(10))], **{field: kind(**share)})
    assert (found.line, found.field, found.name) == (None, field, field)
    assert words in found.sentence


def test_credits_beyond_the_lines_are_told() -> None:
    assert [one.field for one in problems([Line(unit_price=D(-1))])] == ["total"]
    assert not problems([Line(unit_price=D(-1)), Line(unit_price=D(1))])


def test_all_sentences_stand_beside_their_fields() -> None:
    with pytest.raises(Invalid) as refused:
        refuse(problems([Line(unit_price=D("1.123456789"))], discount=Discount(percent=D(200))))
    assert set(refused.value.fields) == {"lines-1-unit_price", "discount"}


@examples(100)
@given(documents())
def test_whatever_is_typed_can_be_checked(document: dict[str, Any]) -> None:
    for problem in problems(**document):
        assert problem.sentence.endswith(".") and (problem.line is None or 1 <= problem.line <= len(document["lines"]))
