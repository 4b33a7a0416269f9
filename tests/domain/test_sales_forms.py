"""The form of a quote or invoice: everything typed is kept, what cannot be read is told, buttons move lines about."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from crm.domain import sales_forms
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.domain.sales_forms import Row, acted, new_row, read, row_of, rows_of, typed

WHOLE = Content(
    contact_id=7, title="North wall", number="Q-1", date=date(2026, 11, 20), expires_on=date(2026, 12, 20), terms="3",
    discount_kind="percent", discount_value=Decimal("8.5"), deposit_kind="amount", deposit_value=Decimal("50.00"),
    customer_memo="Thank you\nAda", internal_note="margin is thin", email="ada@example.com, bo@example.com",
    custom_fields={"1": "PO 77"}, owner_id=2, billing_address={"line1": "1 Main St"},
    lines=(
        Line(kind="section", key="1", description="Wall"),
        Line(key="2", item="9", name="Strap", description="each", quantity=Decimal("3"), unit_price=Decimal("33.335")),
        Line(kind="group", key="3", item="4", name="Kit", quantity=Decimal(1)),
        Line(key="4", name="Resin", unit_price=Decimal("10"), within="3", taxable=False),
        Line(key="5", name="Paint", unit_price=Decimal("99"), optional=True, chosen=True, tax_code="5"),
        Line(key="6", description="As agreed", amount=Decimal("12.00")),
    ),
)  # fmt: skip


def form_of(content: Content) -> dict[str, str]:
    """As a browser sends it: unticked boxes are not sent."""
    shown = typed(content)
    sent = dict(shown.texts)
    for at, row in enumerate(shown.rows, 1):
        sent |= {f"lines-{at}-{name}": text for name, text in row.items() if text or name not in sales_forms.TICKS}
    return sent


def keys(rows: list[Row]) -> str:
    return "".join(row["key"] for row in rows)


def test_a_form_that_is_sent_back_as_it_was_shown_changes_nothing() -> None:
    found = read(form_of(WHOLE), base=WHOLE)
    assert found.wrong == {}
    assert found.content == WHOLE


def test_what_the_form_does_not_have_keeps_what_it_was() -> None:
    found = read({"title": "South wall"}, base=WHOLE)
    assert (found.content.title, found.content.billing_address, found.content.number) == (
        "South wall", {"line1": "1 Main St"}, "Q-1"
    )  # fmt: skip
    assert found.content.custom_fields == {"1": "PO 77"}
    assert found.content.lines == (), "a form without lines has none: all were removed"


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("date", "soon", "no date"),
        ("expires_on", "2026-13-01", "no date"),
        ("discount_value", "ten", "no number"),
        ("deposit_value", "NaN", "no number"),
        ("email", "ada at home", "no address"),
        ("number", "Q" * 22, "21 characters"),
        ("customer_memo", "x" * 1001, "1,000 characters"),
        ("custom-1", "x" * 32, "31 characters"),
        ("date", "0026-11-21", "Date: “0026-11-21” is no date from 1990 to 2100. Write it as 2026-11-30"),
        ("expires_on", "9999-12-31", "Valid until: “9999-12-31” is no date from 1990 to 2100"),
        ("lines-2-quantity", "three", "Line 2: the quantity “three” is no number"),
        ("lines-2-unit_price", "9" * 15, "Line 2: the price"),
        ("lines-2-quantity", "1,5", "Line 2: the quantity “1,5” is no number. Write it as 1234.50"),
    ],
)
def test_what_cannot_be_read_is_told_beside_its_field_and_kept_as_typed(field: str, text: str, words: str) -> None:
    form = form_of(WHOLE) | {field: text}
    found = read(form, base=WHOLE)
    if field == "lines-2-unit_price":  # a number, though one that no table holds: told by sales_checks
        assert found.content.lines[1].unit_price is not None
        return
    assert list(found.wrong) == [field] and words in found.wrong[field]
    kept = found.rows[1][field.removeprefix("lines-2-")] if field.startswith("lines") else found.texts[field]
    assert kept == text


def test_a_discount_of_which_nobody_said_what_it_is_is_asked_about_and_not_dropped() -> None:
    found = read(form_of(WHOLE) | {"discount_kind": "", "discount_value": "10"}, base=WHOLE)
    assert "percent or an amount" in found.wrong["discount_value"]


def test_an_emptied_discount_is_none_whatever_kind_is_chosen_beside_it() -> None:
    found = read(form_of(WHOLE) | {"discount_value": " "}, base=WHOLE)
    assert (found.content.discount_kind, found.content.discount_value, found.wrong) == ("", None, {})


def test_figures_are_read_as_people_write_them() -> None:
    found = read(form_of(WHOLE) | {"lines-2-unit_price": " $1,234.50 ", "discount_value": "8.5 %"}, base=WHOLE)
    assert found.content.lines[1].unit_price == Decimal("1234.50")
    assert found.content.discount_value == Decimal("8.5")


def test_a_price_takes_the_place_of_an_amount_without_one() -> None:
    found = read(form_of(WHOLE) | {"lines-6-unit_price": "4"}, base=WHOLE)
    assert (found.content.lines[5].unit_price, found.content.lines[5].amount) == (Decimal("4"), None)


def test_empty_lines_stay_while_building_and_are_left_out_when_saving() -> None:
    form = form_of(WHOLE)
    form |= {f"lines-7-{name}": text for name, text in new_row(rows_of(form)).items()}
    assert len(read(form, base=WHOLE).rows) == 7
    assert read(form, base=WHOLE, blanks=False).content.lines == WHOLE.lines


def test_lines_are_told_apart_even_if_the_browser_sends_the_same_key_twice_or_none() -> None:
    rows = rows_of({"lines-1-key": "2", "lines-2-key": "2", "lines-9-description": "x", "lines-10-key": "<b>"})
    assert len({row["key"] for row in rows}) == 4
    assert rows[0]["key"] == "2" and rows[2]["description"] == "x"


def test_lines_stand_in_the_order_of_their_places_not_of_their_names() -> None:
    rows = rows_of({f"lines-{at}-key": f"k{at}" for at in (10, 9, 1, 100)})
    assert [row["key"] for row in rows] == ["k1", "k9", "k10", "k100"]


def rows() -> list[Row]:
    """1, 2, bundle 3 with 4 and 5, 6."""
    lines = [
        Line(key=key, within="3" if key in "45" else "", kind="group" if key == "3" else "item") for key in "123456"
    ]
    return [row_of(line) for line in lines]


@pytest.mark.parametrize(
    ("deed", "key", "order"),
    [
        ("up", "2", "213456"),
        ("down", "2", "134526"),
        ("up", "6", "126345"),
        ("down", "3", "126345"),
        ("up", "1", "123456"),
        ("down", "6", "123456"),
        ("down", "4", "123546"),
        ("up", "4", "123456"),
        ("down", "5", "123546"[:3] + "456"),
        ("remove", "2", "13456"),
        ("remove", "3", "126"),
        ("remove", "4", "12356"),
        ("open", "3", "12456"),
        ("open", "2", "123456"),
        ("remove", "nothing", "123456"),
        ("explode", "2", "123456"),
    ],
)
def test_buttons_move_lines_and_bundles_keep_their_members(deed: str, key: str, order: str) -> None:
    assert keys(acted(rows(), deed, key)) == order


def test_the_members_of_an_opened_bundle_stand_for_themselves() -> None:
    assert [row["within"] for row in acted(rows(), "open", "3")] == [""] * 5


def test_a_new_line_has_a_key_of_its_own_and_the_usual_tax() -> None:
    first = new_row(rows(), taxable=True, tax_code="5")
    assert first["key"] not in "123456" and (first["taxable"], first["tax_code"], first["quantity"]) == ("1", "5", "1")
    second = new_row([*rows(), first], "section", taxable=True)
    assert second["key"] != first["key"] and (second["kind"], second["taxable"]) == ("section", "")


def test_numbers_are_shown_as_people_write_them() -> None:
    line = Line(key="1", quantity=Decimal("3.0000"), unit_price=Decimal("1700.0"))
    shown = row_of(line)
    assert (shown["quantity"], shown["unit_price"], shown["amount"]) == ("3", "1700.00", "")
    assert row_of(Line(quantity=Decimal("2E+2"), unit_price=Decimal("0.12500")))["quantity"] == "200"
    assert row_of(Line(unit_price=Decimal("0.12500")))["unit_price"] == "0.125"
    percent = typed(Content(currency="USD", discount_kind="percent", discount_value=Decimal("10.0")))
    amount = typed(Content(currency="USD", deposit_kind="amount", deposit_value=Decimal("250.0")))
    assert (percent.texts["discount_value"], amount.texts["deposit_value"]) == ("10", "250.00")
