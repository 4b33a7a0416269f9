"""Name lists: customers, vendors, employees, items, accounts, terms and the like.

``prepare`` turns a requested record into one QuickBooks would keep: composed display names, unique names, the path of
sub-records, the " (deleted)" suffix of inactive ones. ``follow`` carries a new name to what shows it. Called by
``sandbox.rules``; sources: FACTS 5.1, 5.2, 5.9, 7 #9-#13, #49 and the create_/update_/deactivate_ recordings.
"""

from datetime import datetime

from sandbox import checking, faults, items
from sandbox.entities import ADDRESSES, NAMES, TRANSACTIONS
from sandbox.store import Books

DELETED = " (deleted)"
DEEPEST = 4  # levels below the top one: five in all [FACTS 4.3, code 6180]
USD = {"value": "USD", "name": "United States Dollar"}
PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")

DEFAULTS: dict[str, dict] = {
    "Customer": {
        "Taxable": True, "Job": False, "BillWithParent": False, "Balance": 0, "BalanceWithJobs": 0,
        "CurrencyRef": USD, "PreferredDeliveryMethod": "Print", "IsProject": False,
    },
    "Vendor": {"Balance": 0, "BillRate": 0, "Vendor1099": False, "CurrencyRef": USD, "CostRate": 0},
    "Employee": {"BillableTime": False},
    "Item": items.DEFAULTS,
    "Account": {
        "SubAccount": False, "CurrentBalance": 0, "CurrentBalanceWithSubAccounts": 0, "CurrencyRef": USD,
    },
    "Term": {"Type": "STANDARD"},
    "PaymentMethod": {"Type": "NON_CREDIT_CARD"},
}  # fmt: skip

CLASSIFICATION = {
    "Bank": "Asset", "Accounts Receivable": "Asset", "Other Current Asset": "Asset", "Fixed Asset": "Asset",
    "Other Asset": "Asset", "Accounts Payable": "Liability", "Credit Card": "Liability",
    "Other Current Liability": "Liability", "Long Term Liability": "Liability", "Equity": "Equity",
    "Income": "Revenue", "Other Income": "Revenue", "Cost of Goods Sold": "Expense", "Expense": "Expense",
    "Other Expense": "Expense",
}  # fmt: skip


def prepare(books: Books, entity: str, record: dict, before: dict | None) -> dict:
    """The record as it will be kept. Raises the Fault QuickBooks would answer."""
    if entity == "CompanyInfo" or entity == "Preferences":
        checking.lengths(entity, record)
        return record
    record = {**DEFAULTS.get(entity, {}), "Active": True, **record}
    field = "DisplayName" if entity in NAMES else "Name"
    if entity in NAMES:
        _compose(record, before)
    elif not record.get("Name"):
        raise faults.required("Name")
    _legible(record, field)
    _activity(books, entity, record, before, field)
    checking.lengths(entity, record)
    checking.references(books, entity, record, before)
    _OWN_RULES.get(entity, lambda *_: None)(books, record, before)
    _place(books, entity, record, field)
    _unique(books, entity, record, before, field)
    return record


def _compose(record: dict, before: dict | None) -> None:
    """DisplayName from the name's parts, PrintOnCheckName from company, parts or DisplayName [recorded]."""
    spoken = " ".join(record[part] for part in PARTS if record.get(part))
    if not record.get("DisplayName"):
        record["DisplayName"] = before["DisplayName"] if before else spoken
    if not record["DisplayName"]:
        raise faults.Fault(
            "6080", "Name required", "At least one of DisplayName, Title, GivenName, MiddleName, FamilyName, Suffix "
            "is required.",
        )  # fmt: skip
    record["DisplayName"] = record["DisplayName"].strip()
    if not record.get("PrintOnCheckName") or (before and record["PrintOnCheckName"] == _on_check(before)):
        record["PrintOnCheckName"] = _on_check(record)[:110]


def _on_check(record: dict) -> str:
    parts = " ".join(record[part] for part in PARTS[1:4] if record.get(part))
    return record.get("CompanyName") or parts or record["DisplayName"]


def _legible(record: dict, field: str) -> None:
    for prop in (field, *PARTS):
        value = record.get(prop)
        if value is not None and (not isinstance(value, str) or any(sign in value for sign in ":\t\n")):
            raise faults.invalid_string(prop, f"{prop} must be text without colon, tab or newline.")


def _activity(books: Books, entity: str, record: dict, before: dict | None, field: str) -> None:
    """Mark the name of a record made inactive, free it when the record comes back."""
    was = before.get("Active", True) if before else True
    if was and not record["Active"]:
        if entity == "Customer" and before and before.get("Balance"):
            raise faults.Fault("6220", "Delete not allowed", "The customer has an open balance. Settle it first.")
        if not record[field].endswith(DELETED):
            record[field] = _free(books, entity, record, record[field] + DELETED, field)
    elif not was and record["Active"] and before and record[field] == before[field]:
        record[field] = record[field].partition(DELETED)[0]


def _free(books: Books, entity: str, record: dict, name: str, field: str) -> str:
    """A second "X (deleted)" gets a number [inferred]."""
    candidate, turn = name, 0
    while books.named(entity, _path(books, entity, {**record, field: candidate}, field)):
        turn += 1
        candidate = f"{name} {turn}"
    return candidate


def _place(books: Books, entity: str, record: dict, field: str) -> None:
    """Level and path of a sub-record."""
    if entity not in ("Customer", "Item", "Account"):
        return
    flag = {"Customer": "Job", "Item": "SubItem", "Account": "SubAccount"}[entity]
    parent_ref = record.get("ParentRef")
    if bool(record.get(flag)) != bool(parent_ref):
        raise faults.Fault("6150", "ParentRef required or not allowed", f"{flag} and ParentRef must go together.")
    record.pop("Level", None)
    if parent_ref:
        parent = books.get(entity, parent_ref["value"]) or {}
        level, above = 1, parent
        while above.get("ParentRef"):
            if above.get("Id") == record.get("Id"):
                raise faults.Fault("900", "Invalid parent", "A record cannot be its own parent.")
            level, above = level + 1, books.get(entity, above["ParentRef"]["value"]) or {}
        if above.get("Id") == record.get("Id"):
            raise faults.Fault("900", "Invalid parent", "A record cannot be its own parent.")
        if level > DEEPEST:
            raise faults.Fault("6180", "Hierarchy too deep", "Only five levels are supported.")
        if entity != "Account":
            record["Level"] = level
    record["FullyQualifiedName"] = _path(books, entity, record, field)


def _path(books: Books, entity: str, record: dict, field: str) -> str:
    """Parent:Child for items and accounts' uniqueness and everyone's FullyQualifiedName."""
    parent = record.get("ParentRef") and books.get(entity, record["ParentRef"]["value"])
    return f"{parent['FullyQualifiedName']}:{record[field]}" if parent else record[field]


def _unique(books: Books, entity: str, record: dict, before: dict | None, field: str) -> None:
    name = record["FullyQualifiedName"] if entity in ("Item", "Account") else record[field]
    other = books.named(entity, name)
    if other and other != (entity, before["Id"] if before else None):
        raise faults.duplicate_name(other[1])


def _customer(books: Books, record: dict, before: dict | None) -> None:
    checking.emails(record, "PrimaryEmailAddr")
    if before:
        record["CurrencyRef"], record["Balance"] = before["CurrencyRef"], before["Balance"]
    else:
        record["Balance"] = 0
    preferences = books.get("Preferences", 1) or {}
    tax = preferences.get("TaxPrefs", {}).get("TaxGroupCodeRef")
    if record["Taxable"] and tax and "DefaultTaxCodeRef" not in record:
        record["DefaultTaxCodeRef"] = {"value": tax["value"]}
    if record["PreferredDeliveryMethod"] not in ("Print", "Email", "None"):
        raise faults.Fault("2170", "Invalid Enumeration", "PreferredDeliveryMethod must be Print, Email or None.")


def _vendor(books: Books, record: dict, before: dict | None) -> None:
    checking.emails(record, "PrimaryEmailAddr")
    record["Balance"] = before["Balance"] if before else 0


def _account(books: Books, record: dict, before: dict | None) -> None:
    if '"' in record["Name"]:
        raise faults.invalid_string("Name", "Name must not contain a double quote.")
    kind = record.get("AccountType")
    if kind not in CLASSIFICATION:
        raise faults.Fault("6010", "Invalid account type", "AccountType or AccountSubType is missing or invalid.")
    record["Classification"] = CLASSIFICATION[kind]


def _employee(books: Books, record: dict, before: dict | None) -> None:
    if not record.get("GivenName") and not record.get("FamilyName"):
        raise faults.required("GivenName or FamilyName")


_OWN_RULES = {
    "Customer": _customer, "Vendor": _vendor, "Item": items.prepare, "Account": _account, "Employee": _employee,
}  # fmt: skip


def with_address_ids(books: Books, record: dict) -> None:
    """Addresses carry ids of their own [recorded: create_customer_response]."""
    for prop in ADDRESSES:
        if isinstance(record.get(prop), dict) and "Id" not in record[prop]:
            record[prop] = {"Id": books.next_id("address"), **record[prop]}


def follow(books: Books, entity: str, before: dict, after: dict, now: datetime) -> None:
    """Carry a new name to sub-records' paths and to the documents of who was renamed; no SyncToken moves."""
    field = "DisplayName" if entity in NAMES else "Name"
    if all(before.get(prop) == after.get(prop) for prop in (field, "FullyQualifiedName")):
        return
    for child in books.children(entity, after["Id"]):
        old = dict(child)
        child["FullyQualifiedName"] = f"{after['FullyQualifiedName']}:{child[field]}"
        books.put(entity, child)
        follow(books, entity, old, child, now)
    ref = {"Customer": "CustomerRef", "Vendor": "VendorRef"}.get(entity)
    for kind in sorted(TRANSACTIONS) if ref else ():
        documents = books.of_customer(kind, after["Id"])
        for document in documents:
            document[ref] = {"value": after["Id"], "name": after[field]}
        books.put_many(kind, documents)
