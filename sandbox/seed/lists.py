"""The fixed lists of the made-up company: who it is, its accounts, terms, taxes, items, staff and suppliers.

Everything a foundation-repair firm would have set up before its first customer, in the shape QuickBooks answers with
[recorded: query_account_page, query_item_page, query_term_page, query_taxcode_page, read_companyinfo,
read_preferences_2017]. Yields (entity name, dict) through the `stamped` helper; no documents, no customers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.seed import catalogue, dirt
from sandbox.seed.households import street_of
from sandbox.seed.people import make_person, plain, stream_for

Record = dict[str, Any]
Stamp = Callable[[str], Record]  # Id -> the members every record has, dated when the company was set up
COMPANY_NAMES = ("Bedrock Foundation Repair", "Heartland Basement Systems", "Prairie Pier & Foundation",
                 "Limestone Waterproofing", "True Level Foundations")  # fmt: skip
USD = {"value": "USD", "name": "United States Dollar"}
TAX_PERCENT = Decimal("8.85")
KANSAS_RATES = (("Kansas State", "6.5"), ("Johnson County", "1.475"), ("City of Overland Park", "1.25"))
EMPLOYEES, VENDORS = 12, 48  # their ids are 1-12 and 13-60, customers follow

# name, type, sub-type, classification, balance is kept by QBO and shown as 0 here except for receivables
ACCOUNTS: tuple[tuple[str, str, str, str], ...] = (
    ("Checking", "Bank", "Checking", "Asset"),
    ("Savings", "Bank", "Savings", "Asset"),
    ("Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable", "Asset"),
    ("Undeposited Funds", "Other Current Asset", "UndepositedFunds", "Asset"),
    ("Inventory Asset", "Other Current Asset", "Inventory", "Asset"),
    ("Trucks and Equipment", "Fixed Asset", "Vehicles", "Asset"),
    ("Accounts Payable (A/P)", "Accounts Payable", "AccountsPayable", "Liability"),
    ("Sales Tax Payable", "Other Current Liability", "SalesTaxPayable", "Liability"),
    ("Customer Deposits", "Other Current Liability", "OtherCurrentLiabilities", "Liability"),
    ("Company Visa", "Credit Card", "CreditCard", "Liability"),
    ("Retained Earnings", "Equity", "RetainedEarnings", "Equity"),
    ("Repair Income", "Income", "ServiceFeeIncome", "Revenue"),
    ("Waterproofing Income", "Income", "ServiceFeeIncome", "Revenue"),
    ("Inspection Income", "Income", "ServiceFeeIncome", "Revenue"),
    ("Sales of Product Income", "Income", "SalesOfProductIncome", "Revenue"),
    ("Discounts given", "Income", "DiscountsRefundsGiven", "Revenue"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs", "Expense"),
    ("Subcontractors", "Cost of Goods Sold", "CostOfLaborCos", "Expense"),
    ("Fuel", "Expense", "Auto", "Expense"),
    ("Insurance", "Expense", "Insurance", "Expense"),
    ("Advertising", "Expense", "AdvertisingPromotional", "Expense"),
    ("Job Materials", "Cost of Goods Sold", "SuppliesMaterialsCogs", "Expense"),
    ("Office Expenses", "Expense", "OfficeGeneralAdministrativeExpenses", "Expense"),
)
ACCOUNT_ID = {row[0]: str(number) for number, row in enumerate(ACCOUNTS, start=1)}

TERMS: tuple[tuple[str, int], ...] = (
    ("Due on receipt", 0), ("Net 10", 10), ("Net 15", 15), ("Net 30", 30), ("Net 60", 60),
)  # fmt: skip
PAYMENT_METHODS: tuple[tuple[str, str], ...] = (
    ("Cash", "NON_CREDIT_CARD"), ("Check", "NON_CREDIT_CARD"), ("Visa", "CREDIT_CARD"), ("MasterCard", "CREDIT_CARD"),
    ("ACH", "NON_CREDIT_CARD"),
)  # fmt: skip
SUPPLIES = ("Concrete Supply", "Equipment Rental", "Lumber", "Steel & Pier", "Pump Wholesale", "Dump Service",
            "Fuel Stop", "Safety Outfitters", "Excavating", "Engineering PC", "Printing",
            "Insurance Brokers")  # fmt: skip
CUSTOMER_TYPES = ("Homeowner", "Property manager", "Commercial", "Builder")


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    name: str
    description: str
    price: int  # cents
    taxable: bool
    account: str
    kind: str = "Service"


PRODUCTS: tuple[Product, ...] = tuple(
    Product(str(number), *row)
    for number, row in enumerate(
        (
            ("Foundation inspection", "On-site inspection with written report", 17500, False, "Inspection Income"),
            ("Structural engineer letter", "Stamped letter by licensed engineer", 65000, False, "Inspection Income"),
            ("Crack injection - epoxy", "Structural epoxy injection, per foot", 7850, False, "Repair Income"),
            ("Crack injection - polyurethane", "Flexible injection of an active leak, per foot", 6425, False,
             "Repair Income"),
            ("Steel push pier", "Push pier driven to load-bearing strata, each", 148500, False, "Repair Income"),
            ("Helical pier", "Helical pier, installed, each", 162500, False, "Repair Income"),
            ("Carbon fiber strap", "Bowing wall strap, each", 58900, False, "Repair Income"),
            ("Wall anchor", "Plate anchor set, each", 72500, False, "Repair Income"),
            ("Interior drain tile", "Perimeter drain, per linear foot", 5875, False, "Waterproofing Income"),
            ("Exterior waterproofing membrane", "Excavate, seal and backfill, per linear foot", 14250, False,
             "Waterproofing Income"),
            ("Crawl space vapor barrier", "20 mil liner, per square foot", 415, False, "Waterproofing Income"),
            ("Mudjacking", "Slab lifting, per square foot", 795, False, "Repair Income"),
            ("Labor", "Crew labor, per hour", 9250, False, "Repair Income"),
            ("Sump pump 1/2 HP", "Cast iron sump pump", 38999, True, "Sales of Product Income", "NonInventory"),
            ("Battery backup pump", "Backup pump with battery and alarm", 79950, True, "Sales of Product Income",
             "NonInventory"),
            ("Dehumidifier", "70 pint crawl space dehumidifier", 124900, True, "Sales of Product Income",
             "NonInventory"),
            ("Downspout extension kit", "Buried extension, 10 ft", 4595, True, "Sales of Product Income",
             "NonInventory"),
            ("Annual maintenance visit", "Pump test and drain flush", 14900, False, "Repair Income"),
        ),
        start=1,
    )
)  # fmt: skip


def listed(name: str, stamp: Stamp) -> Iterator[tuple[str, Record]]:
    """Everything but customers and documents, in an order in which each record only refers to earlier ones."""
    yield "CompanyInfo", company_info(name, stamp("1"))
    yield "Preferences", preferences(name, stamp("1"))
    for number, (account, kind, sub_type, classification) in enumerate(ACCOUNTS, start=1):
        yield "Account", {
            "Name": account, "SubAccount": False, "FullyQualifiedName": account, "Active": True,
            "Classification": classification, "AccountType": kind, "AccountSubType": sub_type, "CurrentBalance": 0,
            "CurrentBalanceWithSubAccounts": 0, "CurrencyRef": USD, **stamp(str(number)),
        }  # fmt: skip
    for number, (term, days) in enumerate(TERMS, start=1):
        yield "Term", {"Name": term, "Active": True, "Type": "STANDARD", "DueDays": days, "DiscountDays": 0,
                       **stamp(str(number))}  # fmt: skip
    for number, (method, kind) in enumerate(PAYMENT_METHODS, start=1):
        yield "PaymentMethod", {"Name": method, "Active": True, "Type": kind, **stamp(str(number))}
    for number, customer_type in enumerate(CUSTOMER_TYPES, start=1):
        yield "CustomerType", {"Name": customer_type, "Active": True, **stamp(str(number))}
    yield from taxes(stamp)
    for product in PRODUCTS:
        yield "Item", item(product, stamp)
    for number, listed_item in enumerate(catalogue.items(ACCOUNT_ID, stamp), start=len(PRODUCTS) + 1):
        yield "Item", {**listed_item, **stamp(str(number))}
    yield from staff_and_suppliers(stamp)


def taxes(stamp: Stamp) -> Iterator[tuple[str, Record]]:
    """The city's sales tax in one rate, and across the state line three rates in one code.

    TAX and NON on lines are pseudo codes: QBO does not list them [query_taxcode_page]."""
    yield "TaxRate", {
        "Name": "Kansas City", "Description": "Sales Tax", "Active": True, "RateValue": TAX_PERCENT,
        "AgencyRef": {"value": "1"}, "SpecialTaxType": "NONE", "DisplayType": "ReadOnly", **stamp("1"),
    }  # fmt: skip
    detail = {"TaxRateRef": {"value": "1", "name": "Kansas City"}, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0}
    yield "TaxCode", {
        "Name": "Kansas City", "Description": "Kansas City", "Active": True, "Taxable": True, "TaxGroup": True,
        "SalesTaxRateList": {"TaxRateDetail": [detail]}, "PurchaseTaxRateList": {"TaxRateDetail": []}, **stamp("2"),
    }  # fmt: skip
    details = []
    for number, (name, percent) in enumerate(KANSAS_RATES, start=2):
        yield "TaxRate", {
            "Name": name, "Description": "Sales Tax", "Active": True, "RateValue": Decimal(percent),
            "AgencyRef": {"value": "2"}, "SpecialTaxType": "NONE", "DisplayType": "ReadOnly", **stamp(str(number)),
        }  # fmt: skip
        ref = {"value": str(number), "name": name}
        details.append({"TaxRateRef": ref, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0})
    yield "TaxCode", {
        "Name": "Overland Park", "Description": "Overland Park", "Active": True, "Taxable": True, "TaxGroup": True,
        "SalesTaxRateList": {"TaxRateDetail": details}, "PurchaseTaxRateList": {"TaxRateDetail": []}, **stamp("3"),
    }  # fmt: skip


def item(product: Product, stamp: Stamp) -> Record:
    bought: Record = {"PurchaseCost": 0}
    if product.id in catalogue.COSTS:
        cost, account = catalogue.COSTS[product.id]
        bought = {"PurchaseCost": Decimal(cost) / 100, "PurchaseDesc": product.name,
                  "ExpenseAccountRef": {"value": ACCOUNT_ID[account], "name": account}}  # fmt: skip
    if product.id in catalogue.SKUS:
        bought["Sku"] = catalogue.SKUS[product.id]
    return {
        "Name": product.name, "Description": product.description, "Active": True, "FullyQualifiedName": product.name,
        "Taxable": product.taxable, "UnitPrice": Decimal(product.price) / 100, "Type": product.kind,
        "IncomeAccountRef": {"value": ACCOUNT_ID[product.account], "name": product.account}, **bought,
        "TrackQtyOnHand": False, "DeferredRevenue": False, **stamp(product.id),
    }  # fmt: skip


def staff_and_suppliers(stamp: Stamp) -> Iterator[tuple[str, Record]]:
    """Twelve employees and 48 vendors; always the same ones, so that customer ids never move."""
    for number in range(1, EMPLOYEES + 1):
        who = make_person(number, stream_for(0, "staff", number), mobile_slot=3)
        name = f"{who.given} {who.middle}. {who.family}"
        gone = number % 6 == 0
        yield "Employee", {
            "BillableTime": False, "HiredDate": f"20{14 + number % 9:02d}-0{1 + number % 9}-15", "GivenName": who.given,
            "FamilyName": who.family, "DisplayName": name + (" (deleted)" if gone else ""), "PrintOnCheckName": name,
            "Active": not gone, "PrimaryPhone": {"FreeFormNumber": f"816-555-{9000 + number}"}, **stamp(str(number)),
        }  # fmt: skip
    for number in range(EMPLOYEES + 1, EMPLOYEES + VENDORS + 1):
        stream = stream_for(0, "suppliers", number)
        who = make_person(number, stream)
        name = f"{who.family} {SUPPLIES[number % len(SUPPLIES)]}"
        active = number % 11 != 0
        shown = name if active else f"{name} (deleted)"
        yield "Vendor", {
            "BillAddr": {"Id": str(number), "Line1": street_of(who, stream), "City": who.place.city,
                         "CountrySubDivisionCode": who.place.state, "PostalCode": who.place.zip},
            "Balance": 0, "BillRate": 0, "CostRate": 0, "AcctNum": str(7000 + number * 13),
            "Vendor1099": number % 5 == 0, "CurrencyRef": USD,
            "GivenName": who.given, "FamilyName": who.family, "CompanyName": name, "DisplayName": shown,
            "PrintOnCheckName": name, "Active": active,
            "PrimaryPhone": {"FreeFormNumber": dirt.written_phone(f"816555{9000 + number}", stream)},
            "PrimaryEmailAddr": {"Address": f"orders@{plain(name)[:20]}.example"}, **stamp(str(number)),
        }  # fmt: skip


def names_taken() -> list[str]:
    """Names the staff and suppliers hold: customers share one name space with them [FACTS 7 #12]."""
    return [record["DisplayName"] for _, record in staff_and_suppliers(lambda _: {})]


def address(number: str) -> Record:
    return {"Id": number, "Line1": "2100 Quarry Street", "City": "Kansas City", "Country": "USA",
            "CountrySubDivisionCode": "MO", "PostalCode": "64111"}  # fmt: skip


def company_info(name: str, base: Record) -> Record:
    return {
        "CompanyName": name, "LegalName": f"{name} LLC", "CompanyAddr": address("1"), "LegalAddr": address("1"),
        "CustomerCommunicationAddr": address("1"), "PrimaryPhone": {"FreeFormNumber": "(816) 555-9000"},
        "CompanyStartDate": "2014-03-03", "FiscalYearStartMonth": "January", "Country": "US",
        "Email": {"Address": "office@bedrock-foundation.example"},
        "WebAddr": {"URI": "https://bedrock-foundation.example"},
        "SupportedLanguages": "en", "DefaultTimeZone": "America/Chicago",
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"},
                      {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
                      {"Name": "SubscriptionStatus", "Value": "PAID"}, {"Name": "IsQbdtMigrated", "Value": "true"}],
        **base,
    }  # fmt: skip


def preferences(name: str, base: Record) -> Record:
    return {
        "AccountingInfoPrefs": {"FirstMonthOfFiscalYear": "January", "UseAccountNumbers": False,
                                "TaxYearMonth": "January", "ClassTrackingPerTxn": False,
                                "ClassTrackingPerTxnLine": False, "TrackDepartments": False,
                                "CustomerTerminology": "Customers"},
        "ProductAndServicesPrefs": {"ForSales": True, "ForPurchase": True, "QuantityWithPriceAndRate": True,
                                    "QuantityOnHand": True},
        "SalesFormsPrefs": {"CustomTxnNumbers": False, "AllowDeposit": False, "AllowDiscount": True,
                            "DefaultDiscountAccount": ACCOUNT_ID["Discounts given"], "AllowEstimates": True,
                            "AllowServiceDate": False, "AllowShipping": False, "DefaultTerms": {"value": "4"},
                            "AutoApplyCredit": False, "AutoApplyPayments": False, "UsingProgressInvoicing": False,
                            "ETransactionPaymentEnabled": False, "ETransactionEnabledStatus": "NotApplicable",
                            "DefaultCustomerMessage": "Thank you for trusting us with your foundation."},
        "EmailMessagesPrefs": {"InvoiceMessage": {"Subject": f"Invoice from {name}",
                                                  "Message": "Your invoice is attached."},
                               "EstimateMessage": {"Subject": f"Estimate from {name}",
                                                   "Message": "Please review the estimate below."}},
        "VendorAndPurchasesPrefs": {"TrackingByCustomer": True, "BillableExpenseTracking": True},
        "TimeTrackingPrefs": {"UseServices": True, "BillCustomers": True, "ShowBillRateToAll": False,
                              "WorkWeekStartDate": "Monday", "MarkTimeEntriesBillable": True},
        "TaxPrefs": {"UsingSalesTax": True, "TaxGroupCodeRef": {"value": "2"}},
        "CurrencyPrefs": {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "USD"}},
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "OtherPrefs": {"NameValue": [{"Name": "SalesFormsPrefs.DefaultItem", "Value": "1"},
                                     {"Name": "ProjectsEnabled", "Value": "true"}]},
        **base,
    }  # fmt: skip
