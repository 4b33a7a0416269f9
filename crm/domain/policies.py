"""Who wins when a field was changed on both sides, which way each field travels, and how that is said to people.

`domain/merging` asks it, sync settings change it: `defaults` are ours, a connection's overrides lie over them. A kind
that follows brings one row per field in FIELDS. docs/sync.md holds `markdown` of it, kept so by a test. Pure tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm.domain.errors import Invalid

QUICKBOOKS, OURS, NEWEST, ASK = "quickbooks", "ours", "newest", "ask"


@dataclass(frozen=True, slots=True)
class Policy:
    title: str
    sentence: str
    """What happens when both sides changed the field."""


POLICIES: dict[str, Policy] = {
    QUICKBOOKS: Policy(
        "QuickBooks wins",
        "QuickBooks' value is taken; what stood here stays readable in the timeline.",
    ),
    OURS: Policy("Tradebook wins", "The value here is sent to QuickBooks."),
    NEWEST: Policy(
        "Newest wins",
        "The later of the two changes wins; a person is asked where nobody can tell which that is.",
    ),
    ASK: Policy("Ask", "Nothing is changed on either side before a person has decided."),
}

EMPTIED = "emptied"
"""A field emptied in QuickBooks asks, whatever its policy, unless a rule of its own says `quickbooks` or `ours`."""
EMPTIED_RULES: dict[str, str] = {QUICKBOOKS: "Empty it here too", OURS: "Send ours again"}
"""What a person chooses, and reads in the history."""


@dataclass(frozen=True, slots=True)
class Travel:
    """Which way a field goes."""

    word: str
    sentence: str


TRAVELS: dict[str, Travel] = {
    "both": Travel("both ways", "Changed on either side, it is brought to the other."),
    "in": Travel("in only", "QuickBooks' own; shown here, never changed here."),
    "none": Travel("stays here", "Ours alone; QuickBooks never gets it."),
}


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    title: str
    """As it stands inside a sentence ("mobile phone")."""
    theirs: str
    """What QuickBooks calls it; empty for what it never gets."""
    travels: str = "both"
    """A key of TRAVELS."""
    policy: str = NEWEST
    """A key of POLICIES; of no meaning for what stays here."""

    @property
    def label(self) -> str:
        """As it stands alone ("Mobile phone")."""
        return self.title[:1].upper() + self.title[1:]


_SALES = (
    Field("customer", "customer", "CustomerRef", policy=QUICKBOOKS),
    Field("number", "number", "DocNumber", policy=QUICKBOOKS),
    Field("date", "date", "TxnDate", policy=QUICKBOOKS),
    Field("lines", "lines and amounts", "Line, ApplyTaxAfterDiscount", policy=ASK),
    Field("email", "e-mail", "BillEmail"),
    Field("customer_memo", "note to the customer", "CustomerMemo"),
    Field("private_note", "private note", "PrivateNote"),
    Field("billing_address", "billing address", "BillAddr", policy=QUICKBOOKS),
    Field("shipping_address", "service address", "ShipAddr"),
    Field("custom_fields", "custom fields", "CustomField"),
)
"""What quotes and invoices share; identity, then texts."""
_MONEY = (
    Field("tax_code", "tax code", "TxnTaxDetail.TxnTaxCodeRef", policy=QUICKBOOKS),
    Field("tax", "tax", "TxnTaxDetail.TotalTax", "in", QUICKBOOKS),
    Field("total", "total", "TotalAmt", "in", QUICKBOOKS),
)

FIELDS: dict[str, tuple[Field, ...]] = {
    "customer": (
        Field("display_name", "name", "DisplayName"),
        Field("given_name", "first name", "GivenName, MiddleName"),
        Field("family_name", "last name", "FamilyName"),
        Field("company_name", "company", "CompanyName"),
        Field("website", "website", "WebAddr"),
        Field("address", "address", "BillAddr, where it is missing ShipAddr"),
        Field("phone", "phone", "PrimaryPhone"),
        Field("mobile", "mobile phone", "Mobile"),
        Field("other", "other phone", "AlternatePhone"),
        Field("fax", "fax", "Fax"),
        Field("email", "e-mail", "PrimaryEmailAddr"),
        Field("active", "active or inactive", "Active", "in", QUICKBOOKS),
        Field("balance", "balance", "Balance, BalanceWithJobs", "in", QUICKBOOKS),
        Field("currency", "currency", "CurrencyRef", "in", QUICKBOOKS),
        Field("terms", "terms", "SalesTermRef", "in", QUICKBOOKS),
        Field("tax", "tax", "Taxable, ResaleNum, TaxExemptionReasonId", "in", QUICKBOOKS),
        Field("customer_type", "customer type", "CustomerTypeRef", "in", QUICKBOOKS),
        Field("owner", "owner", "", "none"),
        Field("tags", "tags", "", "none"),
        Field("notes", "notes", "", "none"),
        Field("type", "type (lead, customer ...)", "", "none"),
        Field("source", "source", "", "none"),
    ),
    "item": (
        Field("name", "name", "Name"),
        Field("sku", "SKU", "Sku"),
        Field("description", "description", "Description"),
        Field("purchase_description", "purchase description", "PurchaseDesc"),
        Field("price", "price", "UnitPrice"),
        Field("cost", "cost", "PurchaseCost"),
        Field("taxable", "taxable", "Taxable"),
        Field("income_account", "income account", "IncomeAccountRef", policy=QUICKBOOKS),
        Field("expense_account", "expense account", "ExpenseAccountRef", policy=QUICKBOOKS),
        Field("asset_account", "inventory asset account", "AssetAccountRef", policy=QUICKBOOKS),
        Field("reorder_point", "reorder point", "ReorderPoint"),
        Field("active", "active or inactive", "Active"),
        Field("type", "type", "Type", "in", QUICKBOOKS),
        Field("category", "category", "ParentRef", "in", QUICKBOOKS),
        Field("quantity_on_hand", "quantity on hand", "QtyOnHand", "in", QUICKBOOKS),
        Field("members", "what a bundle holds", "ItemGroupDetail", "in", QUICKBOOKS),
    ),
    "estimate": (
        *_SALES[:4],
        Field("expires_on", "expiry date", "ExpirationDate"),
        *_SALES[4:],
        Field("status", "status", "TxnStatus"),
        Field("accepted_by", "accepted by", "AcceptedBy"),
        Field("accepted_on", "accepted on", "AcceptedDate"),
        *_MONEY,
        Field("title", "title", "", "none"),
        Field("deposit", "deposit asked for", "", "none"),
        Field("options", "options nobody chose", "", "none"),
        Field("internal_note", "internal note", "", "none"),
    ),
    "invoice": (
        *_SALES[:4],
        Field("due_date", "due date", "DueDate"),
        Field("terms", "terms", "SalesTermRef"),
        *_SALES[4:],
        Field("deposit", "deposit", "Deposit", policy=QUICKBOOKS),
        *_MONEY,
        Field("balance", "balance", "Balance", "in", QUICKBOOKS),
        Field("title", "title", "", "none"),
        Field("promised_on", "promised on", "", "none"),
        Field("internal_note", "internal note", "", "none"),
    ),
    "vendor": (
        Field("display_name", "name", "DisplayName"),
        Field("company_name", "company", "CompanyName"),
        Field("phone", "phone", "PrimaryPhone"),
        Field("email", "e-mail", "PrimaryEmailAddr"),
        Field("address", "address", "BillAddr"),
        Field("account_number", "account number", "AcctNum"),
        Field("terms", "terms", "TermRef"),
        Field("active", "active or inactive", "Active", "in", QUICKBOOKS),
        Field("balance", "what is owed", "Balance", "in", QUICKBOOKS),
        Field("currency", "currency", "CurrencyRef", "in", QUICKBOOKS),
    ),
    "bill": (
        Field("vendor", "vendor", "VendorRef", policy=QUICKBOOKS),
        Field("number", "number", "DocNumber"),
        Field("date", "date", "TxnDate", policy=QUICKBOOKS),
        Field("due_date", "due date", "DueDate"),
        Field("private_note", "note", "PrivateNote"),
        Field("lines", "lines and amounts", "Line", policy=ASK),
        Field("tax", "tax", "TxnTaxDetail.TotalTax", "in", QUICKBOOKS),
        Field("total", "total", "TotalAmt", "in", QUICKBOOKS),
        Field("balance", "unpaid", "Balance", "in", QUICKBOOKS),
    ),
}


def shared(kind: str) -> tuple[Field, ...]:
    """The fields that go both ways; a kind without a table has none."""
    return tuple(field for field in FIELDS.get(kind, ()) if field.travels == "both")


def defaults(kind: str) -> dict[str, str]:
    """Shared field -> policy, where nobody changed anything."""
    return {field.name: field.policy for field in shared(kind)}


def resolve(kind: str, overrides: Mapping[str, str]) -> dict[str, str]:
    """What `merging.merge` takes: the defaults, a connection's overrides over them; what is no rule is passed over."""
    known = {name: rule for name, rule in overrides.items() if _is_rule(kind, name, rule)}
    return {**defaults(kind), **known}


def check(kind: str, overrides: Mapping[str, str]) -> None:
    """Raises Invalid with a sentence for each override that cannot be kept."""
    wrong = {name: _refusal(kind, name) for name, rule in overrides.items() if not _is_rule(kind, name, rule)}
    if wrong:
        raise Invalid(wrong)


def emptied(field: str) -> str:
    """The name under which overrides keep what happens when a field is emptied in QuickBooks."""
    return f"{field}.{EMPTIED}"


def rule_text(kind: str, name: str, rule: str) -> str:
    """A rule as people choose it: "Phone: QuickBooks wins"; `name` is a shared field or `emptied` of one."""
    field, _, special = name.partition(".")
    label = next((known.label for known in shared(kind) if known.name == field), field)
    if special:
        return f"{label}, emptied in QuickBooks: {EMPTIED_RULES[rule]}"
    return f"{label}: {POLICIES[rule].title}"


def _is_rule(kind: str, name: str, rule: str) -> bool:
    field, dot, special = name.partition(".")
    if field not in defaults(kind) or (dot and special != EMPTIED):
        return False
    return rule in (EMPTIED_RULES if dot else POLICIES)


def _refusal(kind: str, name: str) -> str:
    field, _, special = name.partition(".")
    if field not in defaults(kind):
        return f"“{name}” is no field that both sides share; there is nothing to decide."
    return f"Choose one of: {', '.join(EMPTIED_RULES if special else POLICIES)}."


def markdown(kind: str) -> str:
    """The table of docs/sync.md."""
    rows = ["| field | in QuickBooks | travels | changed on both sides |", "|---|---|---|---|"]
    for field in FIELDS[kind]:
        policy = "–" if field.travels == "none" else POLICIES[field.policy].title
        rows.append(f"| {field.title} | {field.theirs or '–'} | {TRAVELS[field.travels].word} | {policy} |")
    return "\n".join(rows)
