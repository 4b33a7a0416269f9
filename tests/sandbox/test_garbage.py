"""Whatever a client sends, it gets a refusal that names a code, never a crash, and the books stay true."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import defaults, faults, lookup, rules
from sandbox.store import Store
from sandbox.times import utc_now

REALM = "9341450000000001"


class TakenBack(Exception):
    """Ends a transaction without keeping it: the next example finds the same books."""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("garbage") / "sandbox.sqlite3")
    with made.writing(REALM) as books:
        defaults.load(books, name="Garbage", now=utc_now())
        rules.create(books, "Customer", {"DisplayName": "One"}, now=utc_now())
        rules.create(books, "Vendor", {"DisplayName": "Two"}, now=utc_now())
        rules.create(books, "Item", {"Name": "Work", "IncomeAccountRef": {"value": "8"}}, now=utc_now())
    yield made
    made.close()


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.text(max_size=8), st.sampled_from(["", "1", "TAX", "x:y"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=2), st.just([]), st.just({}), st.just([{}]),
    st.just(["x"]),
    st.fixed_dictionaries({"value": st.one_of(st.text(max_size=3), st.integers(0, 3), st.just({}))}),
)  # fmt: skip
LINE = {"Amount": Decimal(5), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
COST = {"Amount": Decimal(5), "DetailType": "AccountBasedExpenseLineDetail",
        "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "12"}}}  # fmt: skip
GOOD: dict[str, dict] = {
    "Customer": {"DisplayName": "Someone", "PrimaryEmailAddr": {"Address": "a@b.example"}, "Job": False, "Active": True,
                 "ParentRef": {"value": "1"}, "PrimaryPhone": {"FreeFormNumber": "1"}, "BillAddr": {"Line1": "x"}},
    "Vendor": {"DisplayName": "Some vendor", "TermRef": {"value": "1"}},
    "Item": {"Name": "Thing", "Type": "Service", "IncomeAccountRef": {"value": "8"}, "UnitPrice": 5, "SubItem": False},
    "Account": {"Name": "Till", "AccountType": "Bank", "SubAccount": False},
    "Term": {"Name": "Net 5", "DueDays": 5},
    "Invoice": {"CustomerRef": {"value": "1"}, "Line": [LINE], "TxnDate": "2026-01-01", "DocNumber": "7",
                "SalesTermRef": {"value": "2"}, "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "2"}}, "LinkedTxn": [],
                "BillEmail": {"Address": "a@b.example"}, "CustomerMemo": {"value": "x"}},
    "Payment": {"CustomerRef": {"value": "1"}, "TotalAmt": 5, "Line": [], "PaymentMethodRef": {"value": "1"}},
    "Estimate": {"CustomerRef": {"value": "1"}, "Line": [LINE], "TxnStatus": "Accepted", "AcceptedBy": "Jo",
                 "AcceptedDate": "2026-01-01", "ExpirationDate": "2026-02-01",
                 "CustomField": [{"DefinitionId": "1", "StringValue": "x"}]},
    "SalesReceipt": {"CustomerRef": {"value": "1"}, "Line": [LINE], "DepositToAccountRef": {"value": "1"},
                     "PaymentMethodRef": {"value": "1"}, "PaymentRefNum": "7"},
    "RefundReceipt": {"CustomerRef": {"value": "1"}, "Line": [LINE], "DepositToAccountRef": {"value": "1"}},
    "Bill": {"VendorRef": {"value": "2"}, "Line": [COST], "DueDate": "2026-01-01", "SalesTermRef": {"value": "1"},
             "APAccountRef": {"value": "5"}},
    "BillPayment": {"VendorRef": {"value": "2"}, "TotalAmt": 5, "PayType": "Check", "Line": [],
                    "CheckPayment": {"BankAccountRef": {"value": "1"}}},
    "Deposit": {"DepositToAccountRef": {"value": "1"}, "TxnDate": "2026-01-01", "Line": [
        {"Amount": 5, "DetailType": "DepositLineDetail", "DepositLineDetail": {"AccountRef": {"value": "8"}}}]},
    "Attachable": {"Note": "x", "AttachableRef": [{"EntityRef": {"type": "Customer", "value": "1"}}]},
}  # fmt: skip


@pytest.mark.parametrize("entity", sorted(GOOD))
def test_the_good_body_of_each_kind_is_good(store, entity):
    """Else the garbage below would only ever test the first refusal."""
    refused = {"Customer"}  # it names a parent and says that it is no job
    try:
        with store.writing(REALM) as books:
            rules.create(books, entity, GOOD[entity], now=utc_now())
            raise TakenBack
    except TakenBack:
        assert entity not in refused
    except faults.Fault as fault:
        assert entity in refused, (fault.code, fault.detail)


@pytest.mark.parametrize("entity", sorted(GOOD))
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_odd_value_anywhere_is_kept_or_refused_by_code(store, entity, data):
    body = dict(GOOD[entity])
    for prop in data.draw(st.lists(st.sampled_from(sorted(body)), min_size=1, max_size=3, unique=True)):
        body[prop] = data.draw(ODD)
    if "Line" in body and body["Line"] == [LINE] and data.draw(st.booleans()):
        inner = data.draw(st.sampled_from(["Amount", "DetailType", "SalesItemLineDetail", "Description", "Id"]))
        body["Line"] = [{**LINE, inner: data.draw(ODD)}]
    try:
        with store.writing(REALM) as books:
            made = rules.create(books, entity, body, now=utc_now())
            rules.update(books, entity, {**made, "sparse": False}, now=utc_now())
            raise TakenBack
    except TakenBack:
        return
    except faults.Fault as fault:
        assert fault.code.isdigit()
        assert fault.detail


@given(text=st.text(alphabet="select * from Customer where Id='1' and () , <>= orderby maxresults 5 %\\", max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_statement_is_answered_or_refused_by_code(store, text):
    try:
        statement = " ".join(["select * from Customer", text])
        assert lookup.answer(store.reading(REALM), statement).startswith("{")
    except faults.Fault as fault:
        assert fault.code in ("4000", "4001")
