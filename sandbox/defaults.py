"""The least a company needs to do business: its identity, preferences, accounts, terms, payment methods, tax codes.

``load`` writes them into an empty company; the generator of large companies builds on them, and a sandbox without
the generator has just these. Invented data only.
"""

from datetime import datetime
from decimal import Decimal

from sandbox.naming import CLASSIFICATION, USD
from sandbox.store import Books, envelope

ACCOUNTS = (  # name, type, subtype
    ("Checking", "Bank", "Checking"),
    ("Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable"),
    ("Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
    ("Inventory Asset", "Other Current Asset", "Inventory"),
    ("Accounts Payable (A/P)", "Accounts Payable", "AccountsPayable"),
    ("Sales Tax Payable", "Other Current Liability", "GlobalTaxPayable"),
    ("Opening Balance Equity", "Equity", "OpeningBalanceEquity"),
    ("Services", "Income", "ServiceFeeIncome"),
    ("Sales of Product Income", "Income", "SalesOfProductIncome"),
    ("Discounts given", "Income", "DiscountsRefundsGiven"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
    ("Job Materials", "Expense", "SuppliesMaterials"),
    ("Office Expenses", "Expense", "OfficeGeneralAdministrativeExpenses"),
)
TERMS = (("Due on receipt", 0), ("Net 15", 15), ("Net 30", 30), ("Net 60", 60))
METHODS = (
    ("Cash", "NON_CREDIT_CARD"), ("Check", "NON_CREDIT_CARD"), ("Visa", "CREDIT_CARD"),
    ("MasterCard", "CREDIT_CARD"), ("ACH", "NON_CREDIT_CARD"),
)  # fmt: skip
CUSTOMER_TYPES = ("Residential", "Commercial", "Property manager")


def load(books: Books, *, name: str, now: datetime) -> None:
    """Write the basics of a company called ``name`` into empty books."""
    for entity, bodies in basics(name).items():
        rows = [envelope(body, id=str(number), created=now) for number, body in enumerate(bodies, start=1)]
        books.put_many(entity, rows)
    books.set_counter("address", 1)


def basics(name: str) -> dict[str, list[dict]]:
    """Entity -> bodies without Id and MetaData, in the order of their ids."""
    return {
        "CompanyInfo": [_company(name)],
        "Preferences": [_preferences()],
        "Account": [_account(*account) for account in ACCOUNTS],
        "Term": [
            {"Name": term, "Active": True, "Type": "STANDARD", "DueDays": days, "DiscountDays": 0}
            for term, days in TERMS
        ],
        "PaymentMethod": [{"Name": method, "Active": True, "Type": kind} for method, kind in METHODS],
        "CustomerType": [{"Name": kind, "Active": True} for kind in CUSTOMER_TYPES],
        "TaxRate": [_rate("Kansas State", "6.5"), _rate("Johnson County", "1.475"), _rate("Overland Park", "1.25")],
        "TaxCode": [_code("Kansas", "1"), _code("Overland Park", "1", "2", "3")],
    }


def _company(name: str) -> dict:
    address = {
        "Id": "1", "Line1": "8500 Santa Fe Drive", "City": "Overland Park", "Country": "USA",
        "CountrySubDivisionCode": "KS", "PostalCode": "66212",
    }  # fmt: skip
    return {
        "CompanyName": name, "LegalName": name, "CompanyAddr": address, "LegalAddr": address,
        "CustomerCommunicationAddr": address, "PrimaryPhone": {"FreeFormNumber": "(913) 555-0100"},
        "CompanyStartDate": "2015-06-05", "FiscalYearStartMonth": "January", "Country": "US",
        "Email": {"Address": "office@sandbox.example"}, "WebAddr": {}, "SupportedLanguages": "en",
        "DefaultTimeZone": "America/Chicago",
        "NameValue": [
            {"Name": "NeoEnabled", "Value": "true"},
            {"Name": "SubscriptionStatus", "Value": "PAID"},
            {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
            {"Name": "PayrollFeature", "Value": "false"},
        ],
    }  # fmt: skip


def _preferences() -> dict:
    return {
        "AccountingInfoPrefs": {
            "TrackDepartments": False, "ClassTrackingPerTxn": False, "ClassTrackingPerTxnLine": False,
            "CustomerTerminology": "Customers", "FirstMonthOfFiscalYear": "January", "UseAccountNumbers": False,
        },
        "ProductAndServicesPrefs": {
            "ForSales": True, "ForPurchase": True, "QuantityWithPriceAndRate": True, "QuantityOnHand": False,
        },
        "SalesFormsPrefs": {
            "CustomTxnNumbers": False, "AllowDeposit": False, "AllowDiscount": True, "AllowEstimates": True,
            "ETransactionPaymentEnabled": False, "AllowServiceDate": True, "AllowShipping": False,
            "DefaultTerms": {"value": "3"}, "UsingProgressInvoicing": False, "AutoApplyCredit": False,
            "AutoApplyPayments": False, "DefaultCustomerMessage": "Thank you for your business!",
        },
        "EmailMessagesPrefs": {}, "VendorAndPurchasesPrefs": {"TrackingByCustomer": True},
        "TimeTrackingPrefs": {"UseServices": True, "WorkWeekStartDate": "Monday"},
        "TaxPrefs": {"UsingSalesTax": True, "PartnerTaxEnabled": False, "TaxGroupCodeRef": {"value": "2"}},
        "CurrencyPrefs": {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "USD"}},
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "OtherPrefs": {
            "NameValue": [
                {"Name": "WarnDuplicateInvoiceNumber", "Value": "true"},
                {"Name": "SalesFormsPrefs.DefaultItem", "Value": "1"},
            ]
        },
    }  # fmt: skip


def _account(name: str, kind: str, subtype: str) -> dict:
    return {
        "Name": name, "SubAccount": False, "FullyQualifiedName": name, "Active": True,
        "Classification": CLASSIFICATION[kind], "AccountType": kind, "AccountSubType": subtype, "CurrentBalance": 0,
        "CurrentBalanceWithSubAccounts": 0, "CurrencyRef": USD,
    }  # fmt: skip


def _rate(name: str, percent: str) -> dict:
    return {
        "Name": name, "Description": "Sales Tax", "Active": True, "RateValue": Decimal(percent),
        "AgencyRef": {"value": "1"}, "SpecialTaxType": "NONE", "DisplayType": "ReadOnly",
    }  # fmt: skip


def _code(name: str, *rates: str) -> dict:
    detail = [
        {"TaxRateRef": {"value": rate}, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0} for rate in rates
    ]
    return {
        "Name": name, "Description": name, "Active": True, "Taxable": True, "TaxGroup": True,
        "SalesTaxRateList": {"TaxRateDetail": detail}, "PurchaseTaxRateList": {"TaxRateDetail": []},
    }  # fmt: skip
