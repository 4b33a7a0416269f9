"""QuickBooks' items and vendors to records and back. The mapper uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.domain.records import BundleMember, ItemRecord, PhoneField, VendorRecord
from crm.providers.accounting.quickbooks.fields import Field, Reader, Writer, read_fields, write_fields
from crm.providers.accounting.quickbooks.words import name_of, put_name, required, word, word_back

ITEM_TYPES = {
    "Service": "service", "Inventory": "inventory", "NonInventory": "non_inventory", "Category": "category",
    "Group": "group",
}  # fmt: skip
ITEM: tuple[Field, ...] = (
    ("sku", "Sku", "text"), ("description", "Description", "text"), ("price", "UnitPrice", "number"),
    ("cost", "PurchaseCost", "number"), ("taxable", "Taxable", "flag"), ("income_account", "IncomeAccountRef", "ref"),
    ("expense_account", "ExpenseAccountRef", "ref"), ("quantity_on_hand", "QtyOnHand", "number"),
    ("parent", "ParentRef", "ref"), ("purchase_description", "PurchaseDesc", "text"),
    ("asset_account", "AssetAccountRef", "ref"), ("tracks_quantity", "TrackQtyOnHand", "flag"),
    ("inventory_start", "InvStartDate", "day"), ("reorder_point", "ReorderPoint", "number"),
    ("sales_tax_code", "SalesTaxCodeRef", "ref"), ("purchase_tax_code", "PurchaseTaxCodeRef", "ref"),
    ("price_includes_tax", "SalesTaxIncluded", "flag"), ("preferred_vendor", "PrefVendorRef", "ref"),
    ("unit", "UQCDisplayText", "text"), ("print_members", "PrintGroupedItems", "flag"),
)  # fmt: skip
VENDOR: tuple[Field, ...] = (
    ("given_name", "GivenName", "text"), ("middle_name", "MiddleName", "text"), ("family_name", "FamilyName", "text"),
    ("title", "Title", "text"), ("suffix", "Suffix", "text"), ("company_name", "CompanyName", "text"),
    ("print_name", "PrintOnCheckName", "text"), ("email_text", "PrimaryEmailAddr.Address", "inside"),
    ("website", "WebAddr.URI", "inside"), ("address", "BillAddr", "address"), ("notes", "Notes", "text"),
    ("account_number", "AcctNum", "text"), ("terms", "TermRef", "ref"), ("currency", "CurrencyRef.value", "inside"),
    ("reported", "Vendor1099", "flag"), ("balance", "Balance", "number"),
)  # fmt: skip
PHONES = {"PrimaryPhone": "primary", "Mobile": "mobile", "AlternatePhone": "alternate", "Fax": "fax"}
_MEMBERS = ("ItemGroupDetail", "ItemGroupLine")
_MEMBER: tuple[Field, ...] = (("item", "ItemRef", "ref"), ("quantity", "Qty", "number"))


def read_item(kind: str, body: Reader) -> ItemRecord:
    active = body.flag("Active") is not False
    fields = read_fields(body, ITEM)
    if body.rest.get("SubItem") is True and fields.get("parent"):
        del body.rest["SubItem"]  # said by the parent
    return ItemRecord(
        origin=body.origin(),
        name=required(name_of(body, "Name", active), "Name"),
        full_path=name_of(body, "FullyQualifiedName", active),
        type=word(ITEM_TYPES, body, "Type"),
        active=active,
        members=_read_members(body),
        **fields,
        extra=body.rest,
    )


def write_item(record: ItemRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    put_name(body, "Name", record.name, record.active)
    put_name(body, "FullyQualifiedName", record.full_path, record.active)
    body.put("Type", word_back(ITEM_TYPES, record.type, body, "Type"))
    body.put("Active", record.active)
    write_fields(body, record, ITEM)
    if record.parent:
        body.body.setdefault("SubItem", True)
    if record.members:
        outer, inner = _MEMBERS
        body.put_inside(outer, inner, [_write_member(one) for one in record.members])
    return body.body


def _read_members(body: Reader) -> tuple[BundleMember, ...]:
    outer, inner = _MEMBERS
    group = body.taken(outer)
    if group is None:
        return ()
    members = tuple(_read_member(row) for row in group.rows(inner))
    body.put_back(outer, group)
    return members


def _read_member(row: Mapping[str, Any]) -> BundleMember:
    body = Reader(row)
    fields = read_fields(body, _MEMBER)
    required(fields.get("item"), "ItemGroupLine.ItemRef")
    return BundleMember(**fields, extra=body.rest)


def _write_member(member: BundleMember) -> dict[str, Any]:
    body = Writer(member.extra)
    write_fields(body, member, _MEMBER)
    return body.body


def read_phones(body: Reader) -> tuple[PhoneField, ...]:
    read = ((ours, body.inside(name, "FreeFormNumber")) for name, ours in PHONES.items())
    return tuple(PhoneField(ours, text) for ours, text in read if text)


def write_phones(body: Writer, phones: tuple[PhoneField, ...]) -> None:
    for name, ours in PHONES.items():
        body.put_inside(name, "FreeFormNumber", next((phone.text for phone in phones if phone.label == ours), ""))


def read_vendor(kind: str, body: Reader) -> VendorRecord:
    active = body.flag("Active") is not False
    return VendorRecord(
        kind=kind,
        origin=body.origin(),
        display_name=required(name_of(body, "DisplayName", active), "DisplayName"),
        active=active,
        phones=read_phones(body),
        **read_fields(body, VENDOR),
        extra=body.rest,
    )


def write_vendor(record: VendorRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    put_name(body, "DisplayName", record.display_name, record.active)
    body.put("Active", record.active)
    write_phones(body, record.phones)
    write_fields(body, record, VENDOR)
    return body.body
