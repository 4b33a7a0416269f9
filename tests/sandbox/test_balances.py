"""Money: what customers owe is true after every payment, credit, change, void and deletion."""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import defaults, faults, rules
from sandbox.store import Store
from sandbox.times import utc_now
from tests.sandbox.conftest import Api

REALM = "9341450000000001"


def test_a_payment_lowers_the_invoice_and_the_customer_and_raises_only_the_invoices_token(api: Api):
    customer, item = api.customer("Pays in parts"), api.item("Paid")
    invoice = api.sale("Invoice", customer, item, "100.10")
    payment = api.pay(customer, "150", **{f"i{invoice['Id']}": "60.05"})
    paid, owner = api.read("Invoice", invoice["Id"]), api.read("Customer", customer["Id"])
    assert payment["UnappliedAmt"] == Decimal("89.95")
    assert (paid["Balance"], paid["SyncToken"]) == (Decimal("40.05"), "1")
    assert paid["LinkedTxn"] == [{"TxnId": payment["Id"], "TxnType": "Payment"}]
    assert (owner["Balance"], owner["SyncToken"]) == (Decimal("40.05") - Decimal("89.95"), "0")


def test_applying_more_than_is_open_or_anothers_invoice_is_refused(api: Api):
    customer, other, item = api.customer("Overpays"), api.customer("Other payer"), api.item("Overpaid")
    invoice = api.sale("Invoice", customer, item, "10")
    row = [{"Amount": 11, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}]
    body = {"CustomerRef": {"value": customer["Id"]}, "TotalAmt": 20, "Line": row}
    assert api.fault("Payment", body)["code"] == "6000"
    assert api.fault("Payment", {**body, "CustomerRef": {"value": other["Id"]}})["code"] == "620"
    row[0]["Amount"] = 10
    assert api.fault("Payment", {**body, "TotalAmt": 5})["code"] == "6000"


def test_a_credit_can_be_applied_by_a_payment_of_nothing(api: Api):
    customer, item = api.customer("Credited"), api.item("Credited")
    invoice, credit = api.sale("Invoice", customer, item, "80"), api.sale("CreditMemo", customer, item, "30")
    assert api.read("Customer", customer["Id"])["Balance"] == 50
    payment = api.pay(customer, "0", **{f"i{invoice['Id']}": "30", f"c{credit['Id']}": "30"})
    assert payment["UnappliedAmt"] == 0
    assert api.read("Invoice", invoice["Id"])["Balance"] == 50
    assert api.read("CreditMemo", credit["Id"])["RemainingCredit"] == 0
    assert api.read("Customer", customer["Id"])["Balance"] == 50


def test_a_paid_invoice_is_not_voided_through_the_api(api: Api):
    customer = api.customer("Paid already")
    invoice = api.sale("Invoice", customer, api.item("Paid already"), "70")
    payment = api.pay(customer, "70", **{f"i{invoice['Id']}": "70"})
    token = {"Id": invoice["Id"], "SyncToken": "1"}
    assert api.fault("Invoice", token, operation="void")["code"] == "6450"
    assert api.read("Invoice", invoice["Id"])["TotalAmt"] == 70
    api.write("Payment", {"Id": payment["Id"], "SyncToken": "0"}, operation="delete")
    assert api.write("Invoice", {**token, "SyncToken": "2"}, operation="void")["PrivateNote"] == "Voided"


def test_deleting_or_voiding_an_invoice_frees_its_payments(api: Api):
    item = api.item("Freed")
    for operation in ("delete", "void"):
        customer = api.customer(f"Freed by {operation}")
        invoice = api.sale("Invoice", customer, item, "70")
        payment = api.pay(customer, "70", **{f"i{invoice['Id']}": "70"})
        api.as_owner("Invoice", operation, {"Id": invoice["Id"]})
        freed = api.read("Payment", payment["Id"])
        assert (freed["UnappliedAmt"], freed["Line"]) == (70, [])
        assert api.read("Customer", customer["Id"])["Balance"] == -70


def test_voiding_a_payment_gives_the_invoice_its_balance_back(api: Api):
    customer = api.customer("Bounced")
    invoice = api.sale("Invoice", customer, api.item("Bounced"), "70")
    payment = api.pay(customer, "70", **{f"i{invoice['Id']}": "70"})
    body = {"Id": payment["Id"], "SyncToken": "0", "sparse": True}
    voided = api.write("Payment", body, operation="update", include="void")
    assert (voided["TotalAmt"], voided["UnappliedAmt"], voided["Line"]) == (0, 0, [])
    assert api.read("Invoice", invoice["Id"])["Balance"] == 70
    assert api.read("Invoice", invoice["Id"])["LinkedTxn"] == []


def test_a_parents_balance_excludes_and_its_balance_with_jobs_includes_children(api: Api):
    item, parent = api.item("Jobbed"), api.customer("Owner of jobs")
    job = api.customer("The job", Job=True, ParentRef={"value": parent["Id"]})
    api.sale("Invoice", parent, item, "10")
    api.sale("Invoice", job, item, "5.5")
    owner = api.read("Customer", parent["Id"])
    assert (owner["Balance"], owner["BalanceWithJobs"]) == (Decimal("10"), Decimal("15.5"))


# ---------------------------------------------------------------- any sequence of events keeps the books true

KINDS = ("invoice", "credit", "pay", "apply", "raise", "hand on", "void", "delete", "unpay", "move")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 7),
        st.integers(1, 99_999),
    ),
    min_size=1,
    max_size=14,
)


def pick(books, entity, number):
    found = list(books.all(entity))
    return found[number % len(found)] if found else None


def sold(cents):
    amount = Decimal(cents) / 100
    return [{"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}]


def pay(books, number, cents, *, apply):
    invoice, now = pick(books, "Invoice", number), utc_now()
    rows = []
    if apply and invoice and invoice["Balance"]:
        part = min(Decimal(cents) / 100, Decimal(invoice["Balance"]))
        rows = [{"Amount": part, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}]
    customer = invoice["CustomerRef"] if rows else {"value": str(1 + number % 3)}
    rules.create(books, "Payment", {"CustomerRef": customer, "TotalAmt": Decimal(cents) / 100, "Line": rows}, now=now)


def step(books, kind, number, cents):
    now = utc_now()
    if kind in ("invoice", "credit"):
        entity = "Invoice" if kind == "invoice" else "CreditMemo"
        body = {"CustomerRef": {"value": str(1 + number % 3)}, "Line": sold(cents)}
        rules.create(books, entity, body, now=now)
    elif kind in ("pay", "apply"):
        pay(books, number, cents, apply=kind == "apply")
    elif kind == "unpay":
        if payment := pick(books, "Payment", number):
            rules.delete(books, "Payment", payment, now=now)
    elif kind == "move":
        parent = {"Job": True, "ParentRef": {"value": "1"}} if cents % 2 else {"Job": False, "ParentRef": None}
        token = books.get("Customer", 3)["SyncToken"]
        rules.update(books, "Customer", {"Id": "3", "SyncToken": token, "sparse": True, **parent}, now=now)
    elif invoice := pick(books, "Invoice", number):
        body = {"Id": invoice["Id"], "SyncToken": invoice["SyncToken"], "sparse": True}
        if kind == "raise":
            rules.update(books, "Invoice", {**body, "Line": sold(cents)}, now=now)
        elif kind == "hand on":
            rules.update(books, "Invoice", {**body, "CustomerRef": {"value": str(1 + cents % 3)}}, now=now)
        else:
            if kind == "void":
                rules.void(books, "Invoice", body, now=now, by_owner=True)
            else:
                rules.delete(books, "Invoice", body, now=now)


def check(books):
    """Every figure derived again from the documents alone, a second way."""
    applied: dict = {}
    owed = dict.fromkeys(("1", "2", "3"), Decimal(0))
    for payment in books.all("Payment"):
        spent = sum((row["Amount"] for row in payment["Line"]), Decimal(0))
        assert payment["UnappliedAmt"] == payment["TotalAmt"] - spent >= 0
        owed[payment["CustomerRef"]["value"]] -= payment["UnappliedAmt"]
        for row in payment["Line"]:
            key = row["LinkedTxn"][0]["TxnId"]
            applied.setdefault(key, []).append((payment["Id"], row["Amount"]))
    for invoice in books.all("Invoice"):
        parts = applied.pop(invoice["Id"], [])
        assert invoice["Balance"] == invoice["TotalAmt"] - sum(amount for _, amount in parts) >= 0
        assert {link["TxnId"] for link in invoice["LinkedTxn"]} == {id for id, _ in parts}
        owed[invoice["CustomerRef"]["value"]] += invoice["Balance"]
    assert applied == {}, "a payment is applied to a document that is gone"
    for credit in books.all("CreditMemo"):
        owed[credit["CustomerRef"]["value"]] -= credit["RemainingCredit"]
    for customer in books.all("Customer"):
        jobs = owed["3"] if customer["Id"] == "1" and books.get("Customer", 3).get("ParentRef") else 0
        assert customer["Balance"] == owed[customer["Id"]]
        assert customer["BalanceWithJobs"] == owed[customer["Id"]] + jobs


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_balances_are_true(tmp_path_factory, steps):
    store = Store(tmp_path_factory.mktemp("books") / "sandbox.sqlite3")
    with store.writing(REALM) as books:
        defaults.load(books, name="Balances", now=utc_now())
        for name in ("One", "Two", "Three"):
            rules.create(books, "Customer", {"DisplayName": name}, now=utc_now())
        rules.create(books, "Item", {"Name": "Work", "IncomeAccountRef": {"value": "8"}}, now=utc_now())
        for kind, number, cents in steps:
            step(books, kind, number, cents)
            check(books)
        before = {kind: list(books.all(kind)) for kind in ("Customer", "Invoice", "Payment", "CreditMemo")}
        rules.settle_all(books)
        assert before == {kind: list(books.all(kind)) for kind in before}
    store.close()


def test_a_refused_write_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path / "sandbox.sqlite3")
    with store.writing(REALM) as books:
        defaults.load(books, name="Atomic", now=utc_now())
        rules.create(books, "Customer", {"DisplayName": "Taken"}, now=utc_now())
    try:
        with store.writing(REALM) as books:
            rules.create(books, "Customer", {"DisplayName": "Fine"}, now=utc_now())
            rules.create(books, "Customer", {"DisplayName": "Taken"}, now=utc_now())
    except faults.Fault as fault:
        assert fault.code == "6240"
    assert store.reading(REALM).count("Customer") == 1
    store.close()
