"""The aged receivables as Intuit's reference shows them, columns in any order, and what must not be guessed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crm.domain.errors import UnexpectedAnswer
from crm.providers.accounting.base import Receivable
from crm.providers.accounting.quickbooks.reports import asked, receivables_in

TITLES = ("", "Current", "1 - 30", "31 - 60", "61 - 90", "91 and over", "Total")


def column(title: str, kind: str = "Money", key: str = "") -> dict[str, Any]:
    return {"ColTitle": title, "ColType": kind, **({"MetaData": [{"Name": "ColKey", "Value": key}]} if key else {})}


def cells(name: str, *values: str, id: str = "") -> list[dict[str, str]]:
    return [{"value": name, **({"id": id} if id else {})}, *({"value": value} for value in values)]


TOTAL = {"group": "GrandTotal", "type": "Section",
         "Summary": {"ColData": cells("TOTAL", "", "", "", "", "37.50", "37.50")}}  # fmt: skip
COLUMNS = [column("", "Customer"), *(column(title) for title in TITLES[1:])]


def report(rows: Sequence[Any], columns: Sequence[Any] = COLUMNS, **header: Any) -> dict[str, Any]:
    options = [{"Name": "NoReportData", "Value": "false"}]
    return {
        "Header": {"ReportName": "AgedReceivables", "Currency": "USD", "Option": options, **header},
        "Columns": {"Column": list(columns)}, "Rows": {"Row": list(rows)},
    }  # fmt: skip


def amounts(*values: str) -> dict[str, Decimal]:
    names = ("current", "1-30", "31-60", "61-90", "over-90", "total")
    return dict(zip(names, (Decimal(value or 0) for value in values), strict=True))


JANE = {"ColData": cells("Jane Litigious", "", "", "", "", "37.50", "37.50", id="4")}


def test_intuits_own_example() -> None:
    assert receivables_in(report([JANE, TOTAL])) == [
        Receivable("4", "Jane Litigious", amounts("", "", "", "", "37.50", "37.50"))
    ]


def test_columns_are_known_by_what_they_say_not_by_their_place() -> None:
    order = [5, 0, 6, 2, 1, 4, 3]
    columns = [*(COLUMNS[place] for place in order), column("Phone", "Text")]
    values = cells("Jane", "1.00", "2.00", "3.00", "4.00", "5.00", "15.00", id="4")
    row = {"ColData": [*(values[place] for place in order), {"value": "555"}]}
    assert receivables_in(report([row], columns)) == [Receivable("4", "Jane", amounts("1", "2", "3", "4", "5", "15"))]


@pytest.mark.parametrize("title", ["91 and over", "> 90", "90+", "91 or more", "Over 90"])
def test_the_last_span_by_any_of_its_names(title: str) -> None:
    columns = [column(title) if one["ColTitle"] == "91 and over" else one for one in COLUMNS]
    assert receivables_in(report([JANE], columns))[0].amounts["over-90"] == Decimal("37.50")


def test_keys_tell_where_titles_are_in_another_language() -> None:
    columns = [column("Aktuell", key="current") if one["ColTitle"] == "Current" else
               column("Summe", key="total") if one["ColTitle"] == "Total" else one for one in COLUMNS]  # fmt: skip
    assert len(receivables_in(report([JANE], columns))) == 1


def test_jobs_come_in_sections_whose_header_is_the_parent_and_whose_sum_is_nobody() -> None:
    section = {
        "type": "Section",
        "Header": {"ColData": cells("Freeman", "1.00", "", "", "", "", "1.00", id="1")},
        "Rows": {"Row": [{"ColData": cells("Oak St", "2.00", "", "", "", "", "2.00", id="2")},
                         {"type": "Section", "Header": {"ColData": cells("Empty", "", "", "", "", "", "0.00", id="3")},
                          "Rows": {"Row": [{"ColData": cells("Deep", "-4.00", "", "", "", "", "-4.00", id="5")}]},
                          "Summary": {"ColData": cells("Total Empty", "-4.00", "", "", "", "", "-4.00")}}]},
        "Summary": {"ColData": cells("Total Freeman", "-1.00", "", "", "", "", "-1.00")},
    }  # fmt: skip
    found = receivables_in(report([section, JANE, TOTAL]))
    assert {row.remote_id: row.amounts["total"] for row in found} == {
        "1": Decimal(1), "2": Decimal(2), "5": Decimal(-4), "4": Decimal("37.50"),
    }  # fmt: skip


def test_a_customer_in_two_lines_owes_both_and_one_whose_spans_cancel_out_stays() -> None:
    twice = [{"ColData": cells("A", "1.00", "", "", "", "", "1.00", id="1")}] * 2
    even = {"ColData": cells("B", "5.00", "-5.00", "", "", "", "0.00", id="2")}
    found = {row.remote_id: row.amounts for row in receivables_in(report([*twice, even]))}
    assert found["1"]["total"] == 2
    assert (found["2"]["current"], found["2"]["total"]) == (5, 0)


def test_no_data_is_nobody_whatever_else_stands_there() -> None:
    none = report([], Option=[{"Name": "NoReportData", "Value": "true"}])
    assert receivables_in(none | {"Columns": {}, "Rows": {}}) == []
    assert receivables_in(report([TOTAL])) == []


@pytest.mark.parametrize("broken", [
    {}, {"Header": {"ReportName": "AgedPayables"}}, report([JANE], COLUMNS[:-1]), report([JANE], []),
    report([JANE], [*COLUMNS, column("121 - 150")]), report([JANE]) | {"Columns": None},
    report([{"ColData": cells("A", "x", "", "", "", "", "0", id="1")}]),
    report([{"ColData": cells("A", "1.00", "", "", "", "", "2.00", id="1")}]),
    report([JANE], [column("1 - 45") if one["ColTitle"] == "1 - 30" else one for one in COLUMNS]),
])  # fmt: skip
def test_what_cannot_be_told_for_sure_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer):
        receivables_in(broken)


def test_large_amounts_with_thousands_marks_are_exact() -> None:
    row = {"ColData": cells("A", "1,234,567.89", "", "", "", "", "1,234,567.89", id="1")}
    assert receivables_in(report([row]))[0].amounts["current"] == Decimal("1234567.89")


def test_the_day_and_the_spans_are_said() -> None:
    assert asked(date(2026, 11, 21)) == {
        "report_date": "2026-11-21", "aging_method": "Report_Date", "aging_period": "30", "num_periods": "4",
    }  # fmt: skip
