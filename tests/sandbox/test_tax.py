"""Tax in each kind of company: none, US codes by hand, Automated Sales Tax, value added tax on top and inside."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import serving
from tests.sandbox.conftest import Api, connected, line

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def tax_company() -> Iterator[Api]:
    with serving(size=30, companies=1) as served:
        yield connected(served)


@pytest.fixture
def taxed(tax_company: Api) -> Iterator[Api]:
    yield tax_company
    tax_company.set_company(tax="manual")


def code_named(api: Api, name: str) -> dict:
    return next(code for code in api.select("TaxCode") if code["Name"] == name)


def bill(api: Api, *rows: dict, **fields) -> dict:
    """An invoice for a new taxable customer."""
    number = api.query("select count(*) from Customer")["totalCount"]
    customer = api.customer(f"Taxed customer {number}")
    return api.write("Invoice", {"CustomerRef": {"value": customer["Id"]}, "Line": list(rows), **fields})


@pytest.fixture
def pump(taxed: Api) -> dict:
    number = taxed.query("select count(*) from Item")["totalCount"]
    return taxed.item(f"Taxable pump {number}", taxable=True)


def test_a_company_without_sales_tax_answers_none(taxed: Api, pump):
    taxed.set_company(tax="none")
    made = bill(taxed, line(pump, "100"), TxnTaxDetail={"TxnTaxCodeRef": {"value": "2"}, "TotalTax": 9})
    assert "TxnTaxDetail" not in made and made["TotalAmt"] == 100


def test_a_code_of_several_rates_gives_one_line_per_rate_each_rounded_half_up(taxed: Api, pump):
    from sandbox import switches  # the control a person would use has no form for new codes
    from sandbox.times import utc_now

    with taxed.served.store.writing(taxed.realm) as books:
        rates = (("State", "6.5"), ("County", "1.475"), ("City", "1.25"))
        id = switches.add_code(books, "Overland Park by hand", rates, utc_now())
    made = bill(taxed, line(pump, "10.60"), TxnTaxDetail={"TxnTaxCodeRef": {"value": id}})
    rows = made["TxnTaxDetail"]["TaxLine"]
    assert [row["Amount"] for row in rows] == [Decimal("0.69"), Decimal("0.16"), Decimal("0.13")]
    assert all(row["TaxLineDetail"]["NetAmountTaxable"] == Decimal("10.6") for row in rows)
    assert made["TotalAmt"] == Decimal("11.58")
    assert taxed.fault("Invoice", {"CustomerRef": made["CustomerRef"], "Line": [
        line(pump, "1", TaxCodeRef={"value": id})]})["code"] == "6100"  # fmt: skip


def test_automated_tax_goes_by_the_state_shipped_to_and_replaces_the_code_sent(taxed: Api, pump):
    taxed.set_company(tax="automated")
    places = {"MO": Decimal("8.86"), "KS": Decimal("9.23"), "TX": Decimal(0)}
    for state, expected in places.items():
        sent = {"TxnTaxCodeRef": {"value": "2"}}
        made = bill(taxed, line(pump, "100"), TxnTaxDetail=sent, ShipAddr={"CountrySubDivisionCode": state})
        assert made["TxnTaxDetail"]["TotalTax"] == expected, state
        assert made["TxnTaxDetail"]["TxnTaxCodeRef"]["value"] != "2"
    free_form = bill(taxed, line(pump, "100"), BillAddr={"Line1": "1 Oak", "Line2": "Omaha, NE  68102"})
    assert free_form["TxnTaxDetail"]["TotalTax"] == 7
    at_home = bill(taxed, line(pump, "100"))
    assert at_home["TxnTaxDetail"]["TotalTax"] == places["MO"]


def test_automated_tax_gives_way_to_an_imposed_total_but_not_to_its_own_echo(taxed: Api, pump):
    taxed.set_company(tax="automated")
    made = bill(taxed, line(pump, "100"))
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True}
    echo = {"Line": [{**line(pump, "200"), "Id": "1"}], "TxnTaxDetail": made["TxnTaxDetail"]}
    doubled = taxed.write("Invoice", {**change, **echo})
    assert doubled["TxnTaxDetail"]["TotalTax"] == Decimal("17.7")
    imposed = taxed.write("Invoice", {**change, "SyncToken": "1", "TxnTaxDetail": {"TotalTax": Decimal("5.55")}})
    assert (imposed["TotalAmt"], imposed["TxnTaxDetail"]["TaxReviewStatus"]) == (Decimal("205.55"), "AST_TAX_OVERRIDE")
    assert sum(row["Amount"] for row in imposed["TxnTaxDetail"]["TaxLine"]) == Decimal("5.55")


def test_an_exempt_customer_pays_no_tax(taxed: Api, pump):
    taxed.set_company(tax="automated")
    customer = taxed.customer("Exempt", Taxable=False)
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [line(pump, "100", TaxCodeRef={"value": "TAX"})]}
    assert taxed.write("Invoice", body)["TotalAmt"] == 100


def test_tax_is_taken_before_or_after_a_discount_as_the_document_says(taxed: Api, pump):
    discount = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}
    code = {"TxnTaxCodeRef": {"value": code_named(taxed, "Kansas City")["Id"]}}
    before = bill(taxed, line(pump, "100"), discount, TxnTaxDetail=code)
    after = bill(taxed, line(pump, "100"), discount, TxnTaxDetail=code, ApplyTaxAfterDiscount=True)
    assert (before["TxnTaxDetail"]["TotalTax"], before["TotalAmt"]) == (Decimal("8.85"), Decimal("98.85"))
    assert (after["TxnTaxDetail"]["TotalTax"], after["TotalAmt"]) == (Decimal("7.97"), Decimal("97.97"))


def test_abroad_every_line_needs_a_code_and_tax_comes_on_top(taxed: Api, pump, recorded):
    taxed.set_company(tax="exclusive")
    expected = recorded("fault_6000_business_validation_tax")["response"]["body"]["Fault"]["Error"][0]
    customer = taxed.customer("Abroad")
    fault = taxed.fault("Invoice", {"CustomerRef": {"value": customer["Id"]}, "Line": [line(pump, "1")]})
    assert fault["Detail"] == expected["Detail"].replace("GST/HST", "VAT") and fault["code"] == expected["code"]
    full, low = (code_named(taxed, name)["Id"] for name in ("20.0% S", "5.0% R"))
    rows = [line(pump, "10.03", TaxCodeRef={"value": full}), line(pump, "10.04", TaxCodeRef={"value": full}),
            line(pump, "9.99", TaxCodeRef={"value": low})]  # fmt: skip
    made = bill(taxed, *rows)
    assert made["GlobalTaxCalculation"] == "TaxExcluded"
    parts = [(row["TaxLineDetail"]["NetAmountTaxable"], row["Amount"]) for row in made["TxnTaxDetail"]["TaxLine"]]
    assert sorted(parts) == [(Decimal("9.99"), Decimal("0.5")), (Decimal("20.07"), Decimal("4.01"))]
    assert made["TotalAmt"] == Decimal("34.57")


def test_not_applicable_means_no_tax_and_refuses_one(taxed: Api, pump):
    taxed.set_company(tax="exclusive")
    made = bill(taxed, line(pump, "50"), GlobalTaxCalculation="NotApplicable")
    assert (made["TotalAmt"], made["TxnTaxDetail"]) == (50, {"TotalTax": 0})
    body = {"CustomerRef": made["CustomerRef"], "Line": [line(pump, "50")], "GlobalTaxCalculation": "NotApplicable",
            "TxnTaxDetail": {"TotalTax": 10}}  # fmt: skip
    assert taxed.fault("Invoice", body)["code"] == "6170"


def test_with_tax_inside_the_total_is_what_was_asked_and_lines_show_the_net(taxed: Api, pump):
    taxed.set_company(tax="inclusive")
    full = code_named(taxed, "20.0% S")["Id"]
    made = bill(taxed, line(pump, "120", Qty=2, UnitPrice=60, TaxCodeRef={"value": full}))
    row, subtotal = made["Line"]
    detail = row["SalesItemLineDetail"]
    assert (row["Amount"], detail["UnitPrice"], detail["TaxInclusiveAmt"]) == (100, 50, 120)
    assert (subtotal["Amount"], made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (100, 20, 120)
    echo = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Line": made["Line"]}
    assert taxed.write("Invoice", echo) == made


@settings(max_examples=40, deadline=None)
@given(amounts=st.lists(st.integers(1, 99_999), min_size=1, max_size=6), names=st.data())
def test_whatever_the_lines_tax_inside_adds_up_to_what_was_asked(amounts, names):
    """Against a slow second calculation: gross is kept to the cent, each code's tax is half up on its sum."""
    from sandbox import value_added

    percents = {"1": Decimal(20), "2": Decimal(5), "3": Decimal("17.5")}
    codes = [names.draw(st.sampled_from(sorted(percents))) for _ in amounts]

    class Books:
        def get(self, entity, id):
            if entity == "TaxRate":
                return {"RateValue": percents[id]}
            return {"Id": id, "SalesTaxRateList": {"TaxRateDetail": [{"TaxRateRef": {"value": id}}]}}

    rows = [{"Id": str(n), "DetailType": "SalesItemLineDetail", "Amount": Decimal(cents) / 100,
             "SalesItemLineDetail": {"TaxCodeRef": {"value": code}}}
            for n, (cents, code) in enumerate(zip(amounts, codes, strict=True))]  # fmt: skip
    record = {"GlobalTaxCalculation": "TaxInclusive", "Line": rows}
    value_added.split(Books(), record)
    tax = value_added.tax(Books(), record, {}, share=Decimal(1))
    assert sum(row["Amount"] for row in rows) + tax == Decimal(sum(amounts)) / 100
    by_rate = {row["TaxLineDetail"]["TaxRateRef"]["value"]: row["Amount"] for row in record["TxnTaxDetail"]["TaxLine"]}
    for code, percent in percents.items():
        gross = Decimal(sum(cents for cents, own in zip(amounts, codes, strict=True) if own == code)) / 100
        expected = (gross * percent / (100 + percent)).quantize(CENT, ROUND_HALF_UP)
        assert by_rate.get(code, 0) == expected
