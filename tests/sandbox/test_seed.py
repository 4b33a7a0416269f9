"""The made-up company: same input same bytes, money true to the cent, QuickBooks' shapes, dirt really there."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox import checking, exact, rules, seed
from sandbox import contacts as command
from sandbox.seed.people import line_of
from sandbox.store import Store
from sandbox.times import parse

TODAY = date(2026, 11, 21)
SCHEMA = Path(__file__).resolve().parents[3] / "shared" / "qbo" / "schema" / "entities.json"
SALES = ("Estimate", "Invoice", "CreditMemo")
RECEIPTS = ("SalesReceipt", "RefundReceipt")
NUMBERED = ("Invoice", "CreditMemo", *RECEIPTS)
EVERYTHING = (*SALES, "Payment", *RECEIPTS, "Deposit", "Bill", "BillPayment")


@pytest.fixture(scope="module")
def company() -> dict[str, dict[str, dict]]:
    """A company of 1,500 customers: more than one block. Entity -> id -> record."""
    records: dict[str, dict[str, dict]] = defaultdict(dict)
    for entity, record in seed.company(1500, 7, TODAY):
        assert record["Id"] not in records[entity], f"{entity} {record['Id']} comes twice"
        records[entity][record["Id"]] = record
    return records


def digest(size: int, number: int, today: date = TODAY) -> str:
    lines = (entity + exact.dumps(record) for entity, record in seed.company(size, number, today))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_same_size_seed_and_day_give_the_same_bytes_and_another_seed_does_not():
    assert digest(120, 7) == digest(120, 7)
    assert digest(120, 7) != digest(120, 8)
    assert digest(120, 7) != digest(120, 7, date(2026, 11, 22))


def test_another_process_with_another_hash_seed_gives_the_same_bytes():
    code = "from tests.sandbox.test_seed import digest; print(digest(80, 7))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, check=True)
    assert answer.stdout.decode().strip() == digest(80, 7)


def test_a_customer_is_the_same_in_a_small_and_in_a_large_company(company):
    small = {record["Id"]: record for entity, record in seed.company(200, 7, TODAY) if entity == "Customer"}
    whole = list(small)[:-8]  # the last group may be cut short, which changes its parent's total
    assert len(small) == 200
    assert [small[id] for id in whole] == [company["Customer"][id] for id in whole]


def test_a_size_out_of_range_is_refused_with_the_range():
    with pytest.raises(ValueError, match="1 to 100,000"):
        list(seed.company(100_001, 7, TODAY))
    with pytest.raises(ValueError, match="1 to 100,000"):
        list(seed.contacts(0, 7))


# -- money: worked out again from the documents' lines, by other code


def line_amounts(document: dict) -> Decimal:
    total = Decimal(0)
    for line in document["Line"]:
        if line["DetailType"] == "SalesItemLineDetail":
            total += line["Amount"]
        elif line["DetailType"] == "DiscountLineDetail":
            total -= line["Amount"]
    return total + document["TxnTaxDetail"]["TotalTax"]


def test_totals_are_the_sum_of_their_lines_discount_and_tax(company):
    for entity in (*SALES, *RECEIPTS):
        for document in company[entity].values():
            assert document["TotalAmt"] == line_amounts(document), document["Id"]
            for line in document["Line"]:
                detail = line.get("SalesItemLineDetail", {})
                if "Qty" in detail:
                    assert checking.rounded(detail["Qty"] * detail["UnitPrice"]) == line["Amount"]
            for tax in document["TxnTaxDetail"].get("TaxLine", []):
                basis = tax["TaxLineDetail"]["NetAmountTaxable"] * tax["TaxLineDetail"]["TaxPercent"] / 100
                assert tax["Amount"] == checking.rounded(basis)


def test_every_balance_equals_what_a_slow_recount_finds(company):
    applied: Counter[tuple[str, str]] = Counter()
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for payment in company["Payment"].values():
        left = payment["TotalAmt"]
        for line in payment["Line"]:
            link = line["LinkedTxn"][0]
            target = company[link["TxnType"]][link["TxnId"]]
            assert target["CustomerRef"] == payment["CustomerRef"]
            assert target["TxnDate"] <= payment["TxnDate"]
            applied[link["TxnType"], link["TxnId"]] += line["Amount"]
            left += line["Amount"] if link["TxnType"] == "CreditMemo" else -line["Amount"]
        assert payment["UnappliedAmt"] == left >= 0
        owed[payment["CustomerRef"]["value"]] -= left
    for id, invoice in company["Invoice"].items():
        assert invoice["Balance"] == invoice["TotalAmt"] - applied["Invoice", id] >= 0
        owed[invoice["CustomerRef"]["value"]] += invoice["Balance"]
    for id, memo in company["CreditMemo"].items():
        assert memo["RemainingCredit"] == memo["Balance"] == memo["TotalAmt"] - applied["CreditMemo", id] >= 0
        owed[memo["CustomerRef"]["value"]] -= memo["RemainingCredit"]
    below: dict[str, Decimal] = defaultdict(Decimal)
    for id, customer in company["Customer"].items():
        assert customer["Balance"] == owed[id], customer["DisplayName"]
        if "ParentRef" in customer:
            below[customer["ParentRef"]["value"]] += owed[id]
    for id, customer in company["Customer"].items():
        assert customer["BalanceWithJobs"] == owed[id] + below[id], customer["DisplayName"]


def test_what_was_bought_and_sold_on_the_spot_is_true_to_the_cent(company):
    owed: dict[str, Decimal] = defaultdict(Decimal)
    paid = {line["LinkedTxn"][0]["TxnId"]: payment for payment in company["BillPayment"].values()
            for line in payment["Line"]}  # fmt: skip
    for id, bill in company["Bill"].items():
        assert bill["TotalAmt"] == sum(line["Amount"] for line in bill["Line"])
        assert bill["Balance"] == (0 if id in paid else bill["TotalAmt"])
        assert bill["LinkedTxn"] == ([{"TxnId": paid[id]["Id"], "TxnType": "BillPaymentCheck"}] if id in paid else [])
        assert id not in paid or paid[id]["TotalAmt"] == bill["TotalAmt"]
        owed[bill["VendorRef"]["value"]] += bill["Balance"]
    assert paid and any(owed.values())
    for id, vendor in company["Vendor"].items():
        assert vendor["Balance"] == owed[id] and (vendor["Active"] or not owed[id])
    (deposit,) = company["Deposit"].values()
    held = {line["LinkedTxn"][0]["TxnId"] for line in deposit["Line"]}
    linked = {id for id, receipt in company["SalesReceipt"].items() if receipt["LinkedTxn"]}
    assert held == linked and 0 < len(linked) < len(company["SalesReceipt"]) and company["RefundReceipt"]
    assert deposit["TotalAmt"] == sum(company["SalesReceipt"][id]["TotalAmt"] for id in held)


def test_the_price_list_has_stock_categories_and_bundles_that_hang_together(company):
    items = company["Item"]
    kinds = Counter(item["Type"] for item in items.values())
    assert set(kinds) == {"Service", "NonInventory", "Inventory", "Category", "Group"}
    for item in items.values():
        if "ParentRef" in item:
            parent = items[item["ParentRef"]["value"]]
            assert parent["Type"] == "Category"
            assert item["FullyQualifiedName"] == f"{parent['FullyQualifiedName']}:{item['Name']}"
        for row in item.get("ItemGroupDetail", {}).get("ItemGroupLine", []):
            member = items[row["ItemRef"]["value"]]
            assert (member["FullyQualifiedName"], member["Type"]) == (row["ItemRef"]["name"], row["ItemRef"]["type"])
        for prop in ("IncomeAccountRef", "ExpenseAccountRef", "AssetAccountRef"):
            if prop in item:
                assert company["Account"][item[prop]["value"]]["Name"] == item[prop]["name"]
    numbers = Counter(item["Sku"] for item in items.values() if "Sku" in item)
    assert max(numbers.values()) == 2 and len(numbers) < len(items)
    stock = [item for item in items.values() if item["Type"] == "Inventory"]
    assert any(item["QtyOnHand"] < item["ReorderPoint"] for item in stock)
    assert all(item["PurchaseCost"] < item["UnitPrice"] for item in stock)


def test_items_vendors_and_bills_can_be_saved_back_as_they_are(tmp_path):
    store = Store(tmp_path / "books.sqlite")
    seed.load(store, "77", size=60, seed=3, today=TODAY)
    now = parse("2026-11-21T10:00:00-08:00")
    with store.writing("77") as books:
        for kind in ("Item", "Vendor", "Bill"):
            for record in list(books.all(kind))[:40]:
                after = rules.update(books, kind, {**record, "sparse": True}, now=now)
                changed = {prop for prop in record.keys() | after.keys() if record.get(prop) != after.get(prop)}
                assert changed == set(), (kind, record["Id"], changed)
    store.close()


def test_links_are_held_by_both_sides(company):
    for id, invoice in company["Invoice"].items():
        paying = {p["Id"] for p in company["Payment"].values() for line in p["Line"]
                  if line["LinkedTxn"][0] == {"TxnId": id, "TxnType": "Invoice"}}  # fmt: skip
        this = {"TxnId": id, "TxnType": "Invoice"}
        quoting = {e["Id"] for e in company["Estimate"].values() if this in e["LinkedTxn"]}
        assert {link["TxnId"] for link in invoice["LinkedTxn"]} == paying | quoting
        if len(company["Invoice"]) > 300 and int(id) > 900:
            break


def test_the_rules_of_the_sandbox_find_nothing_to_mend_in_a_loaded_company(tmp_path):
    store = Store(tmp_path / "books.sqlite")
    counts = seed.load(store, "77", size=300, seed=3, today=TODAY, company_name="Bedrock of Testville")
    assert store.companies() == [("77", "Bedrock of Testville")] and counts["Customer"] == 300
    query = "SELECT entity, id, body FROM record ORDER BY entity, id"
    loaded = [(entity, id, json.loads(body)) for entity, id, body in store.connection().execute(query)]
    with store.writing("77") as books:
        rules.settle_all(books)
    mended = [(entity, id, json.loads(body)) for entity, id, body in store.connection().execute(query)]
    assert loaded == mended and len(loaded) == sum(counts.values())
    store.close()


def test_new_records_follow_on_after_a_load(tmp_path):
    store = Store(tmp_path / "books.sqlite")
    seed.load(store, "77", size=60, seed=3, today=TODAY)
    now = parse("2026-11-21T10:00:00-08:00")
    with store.writing("77") as books:
        numbers = {int(d["DocNumber"]) for kind in NUMBERED for d in books.all(kind)}
        highest = max(int(d["Id"]) for kind in EVERYTHING for d in books.all(kind))
        customer = rules.create(books, "Customer", {"DisplayName": "Somebody New"}, now=now)
        detail = {"ItemRef": {"value": "1"}, "Qty": 2, "UnitPrice": 175}
        line = {"Amount": 350, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
        invoice = rules.create(books, "Invoice", {"CustomerRef": {"value": customer["Id"]}, "Line": [line]}, now=now)
        assert customer["Id"] == str(61 + 60)
        assert int(invoice["Id"]) == highest + 1 and int(invoice["DocNumber"]) == max(numbers) + 1
    store.close()


# -- shapes


def test_every_record_has_only_properties_the_sandbox_and_the_public_schema_know(company):
    for entity, records in company.items():
        for record in records.values():
            checking.properties(entity, record)
            checking.lengths(entity, record)
            if "PrimaryEmailAddr" in record:
                checking.emails(record, "PrimaryEmailAddr")
    if not SCHEMA.exists():
        pytest.skip("the public schema is not beside this checkout; only the sandbox's own table was asked")
    schema = json.loads(SCHEMA.read_text())
    for entity, records in company.items():
        for record in records.values():
            check_members(record, schema["entities"][entity]["fields"], schema, entity)


def check_members(record: dict, fields: dict, schema: dict, path: str) -> None:
    for name, value in record.items():
        assert name in fields, f"{path}.{name} is not in the schema"
        fact = fields[name]
        values = value if isinstance(value, list) else [value]
        assert isinstance(value, list) == bool(fact.get("list")), f"{path}.{name}: list or not"
        for part in values:
            if isinstance(part, dict) and "fields" in schema["types"].get(fact["type"], {}):
                check_members(part, schema["types"][fact["type"]]["fields"], schema, f"{path}.{name}")
            elif fact["type"] in ("string", "id", "date", "datetime"):
                assert isinstance(part, str), f"{path}.{name}"
            elif fact["type"] == "decimal":
                assert isinstance(part, Decimal | int) and not isinstance(part, bool), f"{path}.{name}"
            elif fact["type"] == "boolean":
                assert isinstance(part, bool), f"{path}.{name}"


def test_names_are_unique_across_customers_vendors_and_employees(company):
    people = [record for kind in ("Customer", "Vendor", "Employee") for record in company[kind].values()]
    names = [record["DisplayName"].casefold() for record in people]
    assert len(names) == len(set(names))
    assert not any(sign in name for name in names for sign in ":\t\n")


def test_ids_are_shared_as_in_quickbooks_and_times_are_pacific_and_past(company):
    for kinds in (("Customer", "Vendor", "Employee"), (*SALES, "Payment"), EVERYTHING):
        ids = sorted(int(id) for kind in kinds for id in company[kind])
        assert ids == list(range(1, len(ids) + 1))
    for records in company.values():
        for record in records.values():
            created, updated = record["MetaData"]["CreateTime"], record["MetaData"]["LastUpdatedTime"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[78]:00", created)
            assert parse(created) <= parse(updated) < parse("2026-11-21")


# -- dirt


def test_the_books_are_as_dirty_as_real_ones(company):
    customers = list(company["Customer"].values())
    phones = [c[f]["FreeFormNumber"] for c in customers for f in ("PrimaryPhone", "Mobile") if f in c]
    shapes = {re.sub(r"\d", "9", phone) for phone in phones}
    assert len(shapes) > 30 and {"(999) 999-9999", "999.999.9999", "9999999999", "+9 999 999 9999"} <= shapes
    assert any(re.search(r"(x|ext|#)\W*\d+$", phone, re.I) for phone in phones)
    emails = [c["PrimaryEmailAddr"]["Address"] for c in customers if "PrimaryEmailAddr" in c]
    assert any(re.search(r"@.*[,;].*@", email) for email in emails) and all(".example" in e.lower() for e in emails)
    names = [c["DisplayName"] for c in customers]
    assert any(re.search(r" & | and ", name) for name in names) and any(re.match(r"\w+, \w+$", name) for name in names)
    assert any(not name.isascii() for name in names) and any(name.isupper() for name in names)
    inactive = [c for c in customers if not c["Active"]]
    assert any(c["DisplayName"].endswith(" (deleted)") for c in inactive)
    assert any(not c["DisplayName"].endswith(" (deleted)") for c in inactive)
    assert all(c["Balance"] == 0 for c in inactive)
    assert any(c["IsProject"] for c in customers) and any(c["Job"] and not c["IsProject"] for c in customers)
    digits = Counter(re.sub(r"\D", "", phone)[-10:] for phone in phones)
    assert any(count > 1 for count in digits.values())
    assert any("PrimaryPhone" not in c and "Mobile" not in c for c in customers)
    assert any("BillAddr" not in c for c in customers) and any("GivenName" not in c for c in customers)
    assert any(c.get("CompanyName") and c["CompanyName"] != c["DisplayName"] for c in customers)


def test_telephones_are_fictional_and_only_shared_on_purpose():
    lines: dict[str, int] = {}
    for group in (*range(0, 30_000, 7), *range(99_000, 100_000)):
        for slot in range(4):
            number = line_of(group, slot)
            assert number[3:6] == "555" and len(number) == 10
            assert lines.setdefault(number, group) == group, f"{number} belongs to {lines[number]} and {group}"


def test_documents_are_in_every_state(company):
    invoices = company["Invoice"].values()
    overdue = [(TODAY - date.fromisoformat(i["DueDate"])).days for i in invoices if i["Balance"] > 0]
    for low, high in ((-60, 0), (1, 30), (31, 60), (61, 90), (91, 2000)):
        assert any(low <= late <= high for late in overdue), f"no open invoice {low} to {high} days late"
    assert any(i["Balance"] == 0 < i["TotalAmt"] for i in invoices)
    assert any(0 < i["Balance"] < i["TotalAmt"] for i in invoices)
    voided = [i for i in invoices if i.get("PrivateNote") == "Voided"]
    assert voided and all(i["TotalAmt"] == 0 == i["Balance"] and i["LinkedTxn"] == [] for i in voided)
    payments = company["Payment"].values()
    assert any(len(p["Line"]) > 1 and p["TotalAmt"] > 0 for p in payments)
    assert any(p["UnappliedAmt"] > 0 for p in payments) and any(p["TotalAmt"] == 0 for p in payments)
    assert {e["TxnStatus"] for e in company["Estimate"].values()} == {"Pending", "Accepted", "Closed", "Rejected"}
    assert any(m["RemainingCredit"] > 0 for m in company["CreditMemo"].values())


def test_no_documents_at_all_can_be_asked_for():
    kinds = Counter(entity for entity, _ in seed.company(40, 7, TODAY, documents_per_customer=0))
    assert kinds["Customer"] == 40 and not kinds["Invoice"] and not kinds["Payment"]


# -- the firm's own list


def test_contacts_and_their_labels_are_files_of_the_same_length_and_the_list_holds_no_truth(tmp_path):
    out, labels = tmp_path / "contacts.csv", tmp_path / "labels.csv"
    assert seed.write_contacts(out, 300, 7, labels) == 300
    first, again = out.read_bytes(), tmp_path / "again.csv"
    seed.write_contacts(again, 300, 7)
    assert first == again.read_bytes()
    assert first.decode().splitlines()[0] == ",".join(seed.COLUMNS)
    assert b"customer_id" not in first and len(labels.read_text().splitlines()) == 301


def test_the_list_is_written_from_the_command_line_and_a_wrong_size_is_a_sentence(tmp_path, capsys):
    out, labels = tmp_path / "contacts.csv", tmp_path / "labels.csv"
    assert command.main(["--size", "40", "--seed", "7", "--out", str(out), "--labels", str(labels)]) == 0
    assert len(out.read_text().splitlines()) == len(labels.read_text().splitlines()) == 41
    assert command.main(["--size", "0", "--out", str(out)]) == 1
    assert "ask for a company of 1 to 100,000 customers" in capsys.readouterr().err


def test_father_and_son_of_one_house_differ_by_a_suffix_on_both_sides(company):
    pairs = [c for c in company["Customer"].values() if c.get("Suffix", "").startswith("Jr")]
    rows = {label.customer_id: row for row, label in seed.contacts(1500, 7)}
    assert pairs and all("Jr" in rows[c["Id"]]["Name"] for c in pairs if c["Id"] in rows)


def test_labels_name_customers_that_exist_and_cover_every_kind_of_case(company):
    cases: Counter[str] = Counter()
    for row, label in seed.contacts(1500, 7):
        cases[label.case] += 1
        assert row["Name"] and set(row) == set(seed.COLUMNS)
        if label.customer_id:
            customer = company["Customer"][label.customer_id]
            assert all(company["Customer"][other] for other in label.also)
            assert customer.get("CompanyName", "") == row["Company"]
    assert set(cases) == {
        "plain", "nickname", "typo", "moved", "spouse", "new_mail", "new_mobile", "couple", "lead", "tenant",
        "relative_same_line", "namesake", "colleague_shared_line", "line_reused",
    }  # fmt: skip
    written_otherwise = sum(cases[case] for case in ("plain", "nickname", "typo", "moved", "couple"))
    assert 0.4 < written_otherwise / 1500 < 0.8
