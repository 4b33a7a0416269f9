"""What the sandbox knows about each kind of record, as one table: sort, lengths, references, what a query may ask.

``rules`` reads it to check requests, ``query`` to decide what is filterable, ``store`` for columns. Facts are from
FACTS 2.4 (filterable fields) and 5 (lengths, references); nothing here touches data.
"""

from dataclasses import dataclass, field

from sandbox.fields import PROPERTIES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMES = frozenset({"Customer", "Vendor", "Employee"})  # one name space for all three [FACTS 7 #12]
RECEIPTS = frozenset({"SalesReceipt", "RefundReceipt"})  # paid on the spot: they never owe anything
SALES = frozenset({"Estimate", "Invoice", "CreditMemo"}) | RECEIPTS
PURCHASES = frozenset({"Bill", "BillPayment"})
TRANSACTIONS = SALES | PURCHASES | {"Payment", "Deposit"}
VOIDABLE = frozenset({"Invoice", "CreditMemo", "Payment", "BillPayment"}) | RECEIPTS
SINGLES = frozenset({"CompanyInfo", "Preferences"})
READ_ONLY = frozenset({"CustomerType", "TaxCode", "TaxRate"})
WITHOUT_NOTICE = frozenset({"Attachable"})  # no webhook tells of these [FACTS 6.5]
NOT_IN_CDC = frozenset({"TaxCode", "TaxRate", "TaxAgency", "JournalCode"})
PRINTABLE = frozenset({"CreditMemo", "Estimate", "Invoice", "Payment"}) | RECEIPTS

# Answered as existing but empty lists: the company keeps no such records [recorded: query_transfer_empty].
EMPTY = _words(
    "Budget Class CompanyCurrency Department ExchangeRate InventoryAdjustment JournalCode JournalEntry Purchase "
    "PurchaseOrder RecurringTransaction TaxAgency TimeActivity Transfer VendorCredit"
)

# Assigned by the service: ignored when a client sends them back [FACTS 2.1].
COMPUTED = _words(
    "Id SyncToken MetaData domain status sparse FullyQualifiedName Level BalanceWithJobs IsProject V4IDPseudonym "
    "ClientEntityId HomeTotalAmt HomeBalance InvoiceLink DeliveryInfo RecurDataRef TaxExemptionRef UnappliedAmt "
    "RemainingCredit Classification CurrentBalance CurrentBalanceWithSubAccounts OnlineBankingEnabled FIName IntuitId"
)

_PERSON = {
    "DisplayName": 500, "Title": 16, "GivenName": 100, "MiddleName": 100, "FamilyName": 100, "Suffix": 16,
    "CompanyName": 100, "PrintOnCheckName": 110, "Notes": 2000, "ResaleNum": 16, "AcctNum": 100,
    "PrimaryPhone.FreeFormNumber": 30, "AlternatePhone.FreeFormNumber": 30, "Mobile.FreeFormNumber": 30,
    "Fax.FreeFormNumber": 30, "PrimaryEmailAddr.Address": 100, "WebAddr.URI": 1000,
}  # fmt: skip
_ADDRESS = {f"Line{n}": 500 for n in range(1, 6)} | {
    "City": 255, "Country": 255, "CountrySubDivisionCode": 255, "PostalCode": 30,
}  # fmt: skip
ADDRESSES = ("BillAddr", "ShipAddr", "PrimaryAddr")
_PERSON |= {f"{address}.{member}": limit for address in ADDRESSES for member, limit in _ADDRESS.items()}
_DOCUMENT = {"DocNumber": 21, "PrivateNote": 4000, "CustomerMemo.value": 1000, "PaymentRefNum": 21}

LENGTHS: dict[str, dict[str, int]] = {
    **dict.fromkeys(("Customer", "Vendor", "Employee"), _PERSON),
    **dict.fromkeys(TRANSACTIONS, _DOCUMENT),
    "Attachable": {"FileName": 1000, "Note": 2000, "Category": 100, "ContentType": 100},
    "Item": {"Name": 100, "Sku": 100, "Description": 4000, "PurchaseDesc": 1000},
    "Term": {"Name": 31},
    "PaymentMethod": {"Name": 31},
    "Account": {"Name": 100, "AcctNum": 7},
    "CompanyInfo": {"CompanyName": 1024, "LegalName": 1024},
}

# property -> entity it must point at; a missing record is 2500, an inactive one 610 [recorded].
REFERENCES: dict[str, dict[str, str]] = {
    "Customer": {
        "ParentRef": "Customer", "CustomerTypeRef": "CustomerType", "SalesTermRef": "Term",
        "PaymentMethodRef": "PaymentMethod", "DefaultTaxCodeRef": "TaxCode",
    },
    "Vendor": {"TermRef": "Term"},
    "Item": {
        "ParentRef": "Item", "IncomeAccountRef": "Account", "ExpenseAccountRef": "Account",
        "AssetAccountRef": "Account", "PrefVendorRef": "Vendor",
    },
    "Account": {"ParentRef": "Account"},
    **{sale: {"CustomerRef": "Customer", "SalesTermRef": "Term"} for sale in SALES - RECEIPTS},
    **{
        receipt: {"CustomerRef": "Customer", "PaymentMethodRef": "PaymentMethod", "DepositToAccountRef": "Account"}
        for receipt in RECEIPTS
    },
    "Bill": {"VendorRef": "Vendor", "SalesTermRef": "Term", "APAccountRef": "Account"},
    "BillPayment": {"VendorRef": "Vendor", "APAccountRef": "Account"},
    "Deposit": {"DepositToAccountRef": "Account"},
    "Payment": {
        "CustomerRef": "Customer", "PaymentMethodRef": "PaymentMethod", "DepositToAccountRef": "Account",
    },
}  # fmt: skip

_QUERYABLE = {
    "Customer": "DisplayName GivenName MiddleName FamilyName FullyQualifiedName CompanyName PrintOnCheckName Active "
    "Balance PrimaryEmailAddr",
    "Vendor": "DisplayName GivenName MiddleName FamilyName CompanyName PrintOnCheckName Active Balance",
    "Employee": "DisplayName GivenName MiddleName FamilyName PrintOnCheckName Active",
    "Item": "Name Sku Type UnitPrice PurchaseCost Taxable Active FullyQualifiedName SubItem",
    "Invoice": "CustomerRef DocNumber TxnDate DueDate SalesTermRef Balance TotalAmt ProjectRef",
    "Estimate": "CustomerRef DocNumber TxnDate DueDate ProjectRef TotalAmt",
    "Payment": "CustomerRef TotalAmt TxnDate PaymentMethodRef PaymentRefNum ProjectRef",
    "CreditMemo": "CustomerRef DocNumber TxnDate SalesTermRef TotalAmt Balance",
    "SalesReceipt": "CustomerRef DocNumber TxnDate TotalAmt PaymentMethodRef PaymentRefNum",
    "RefundReceipt": "CustomerRef DocNumber TxnDate TotalAmt PaymentMethodRef PaymentRefNum",
    "Bill": "VendorRef DocNumber TxnDate DueDate APAccountRef SalesTermRef TotalAmt Balance",
    "BillPayment": "VendorRef DocNumber TxnDate TotalAmt",
    "Deposit": "TxnDate TotalAmt DepositToAccountRef",
    "Attachable": "FileName Note AttachableRef.EntityRef.value AttachableRef.EntityRef.type",
    "Account": "Name FullyQualifiedName AccountType AccountSubType Classification Active CurrentBalance",
    "Term": "Name Active",
    "TaxCode": "Name Active Description",
    "TaxRate": "Name Active AgencyRef",
    "PaymentMethod": "Active Name",
    "CustomerType": "Name Active",
    "CompanyInfo": "CompanyName",
    "Preferences": "",
}
QUERYABLE: dict[str, frozenset[str]] = {
    name: frozenset(("Id", "MetaData.CreateTime", "MetaData.LastUpdatedTime", *fields.split()))
    for name, fields in _QUERYABLE.items()
}


@dataclass(frozen=True)
class Entity:
    """One kind of record."""

    name: str
    properties: frozenset[str]
    lengths: dict[str, int]
    references: dict[str, str]
    queryable: frozenset[str]
    has_active: bool
    name_field: str | None = field(default=None)

    @property
    def sequence(self) -> str:
        """Which counter gives its ids: names share one, transactions share one [FACTS 7 #48]."""
        return "name" if self.name in NAMES else "txn" if self.name in TRANSACTIONS else self.name

    @property
    def namespace(self) -> str:
        return "name" if self.name in NAMES else self.name


def _entity(name: str) -> Entity:
    listed = name not in TRANSACTIONS and name not in SINGLES and name != "Attachable"
    return Entity(
        name=name,
        properties=PROPERTIES[name],
        lengths=LENGTHS.get(name, {}),
        references=REFERENCES.get(name, {}),
        queryable=QUERYABLE[name],
        has_active=listed,
        name_field=("DisplayName" if name in NAMES else "Name") if listed else None,
    )


ENTITIES: dict[str, Entity] = {name: _entity(name) for name in PROPERTIES}
BY_PATH: dict[str, str] = {name.lower(): name for name in (*ENTITIES, *EMPTY)}
