"""What one may set on a simulated company beside its Preferences, and short ways to set Preferences for a test.

Kept with the company's books: ``side_events`` (kinds that also tell `updated` when another document's change moves
them), ``default_tax`` (GlobalTaxCalculation of a sale that names none), ``closed_with_password``. ``set_tax`` turns a
company into one without tax, with US codes by hand, with Automated Sales Tax, or with value added tax. Used by
``sandbox.admin`` and tests; the real service has no such door.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.store import Books, envelope
from sandbox.times import stamp

KNOWN = ("side_events", "default_tax", "closed_with_password")
TAX_MODES = ("none", "manual", "automated", "exclusive", "inclusive")
AUTOMATED = "Automated "  # leads the names of the tax codes that Automated Sales Tax keeps for itself, by state
REGIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "MO": (("Missouri", "4.225"), ("Jackson County", "1.375"), ("Kansas City, MO", "3.25")),
    "KS": (("Kansas", "6.5"), ("Johnson County, KS", "1.475"), ("Overland Park, KS", "1.25")),
    "NE": (("Nebraska", "5.5"), ("Omaha", "1.5")),
}
VALUE_ADDED = (("20.0% S", "20"), ("5.0% R", "5"), ("0.0% Z", "0"))


def setting(books: Books, name: str, default: Any = None) -> Any:
    """One setting of this company."""
    row = books.connection.execute("SELECT value FROM setting WHERE realm=? AND name=?", (books.realm, name)).fetchone()
    return json.loads(row[0]) if row else default


def put(books: Books, name: str, value: Any) -> None:
    """Change a setting. Raises ValueError for one that is not known."""
    if name not in KNOWN:
        raise ValueError(f"known settings are {', '.join(KNOWN)}")
    books.connection.execute("INSERT OR REPLACE INTO setting VALUES (?,?,?)", (books.realm, name, json.dumps(value)))


def side_event(books: Books, entity: str, id: str, now: datetime) -> None:
    """A record moved because another did: tell of it if the company is set to; by default it stays silent."""
    if entity in (setting(books, "side_events") or ()):
        books.notify(entity, id, "updated", now)


def set_preferences(books: Books, values: dict[str, Any], now: datetime) -> dict:
    """Set members by path, e.g. {"SalesFormsPrefs.AllowDeposit": true}; null takes one away. The Preferences."""
    record = books.get("Preferences", 1) or {}
    for path, value in values.items():
        section, _, member = path.partition(".")
        if value is None:
            record.get(section, {}).pop(member, None)
        else:
            record.setdefault(section, {})[member] = value
    return _kept(books, "Preferences", record, now)


def _kept(books: Books, entity: str, record: dict, now: datetime) -> dict:
    record["SyncToken"] = str(int(record["SyncToken"]) + 1)
    record["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put(entity, record)
    books.notify(entity, "1", "updated", now)
    return record


def custom_fields(books: Books, names: list[str], now: datetime) -> dict:
    """Define up to three custom fields of sales forms, in the shape recorded in read_preferences_2017."""
    used = [
        {"Name": f"SalesFormsPrefs.UseSalesCustom{n}", "Type": "BooleanType", "BooleanValue": n <= len(names)}
        for n in (3, 2, 1)
    ]
    named = [
        {"Name": f"SalesFormsPrefs.SalesCustomName{n}", "Type": "StringType", "StringValue": name}
        for n, name in enumerate(names[:3], start=1)
    ]
    return set_preferences(
        books, {"SalesFormsPrefs.CustomField": [{"CustomField": used}, {"CustomField": named}]}, now
    )


def set_tax(books: Books, mode: str, now: datetime) -> None:
    """Make the company tax in one of ``TAX_MODES``. Raises ValueError for another. Documents stay as they are."""
    if mode not in TAX_MODES:
        raise ValueError(f"tax must be one of {', '.join(TAX_MODES)}")
    abroad = mode in ("exclusive", "inclusive")
    if mode == "automated":
        for region, rates in REGIONS.items():
            add_code(books, AUTOMATED + region, rates, now, config="SYSTEM_GENERATED")
        add_code(books, AUTOMATED + "elsewhere", (), now, config="SYSTEM_GENERATED")
    if abroad:
        for name, percent in VALUE_ADDED:
            add_code(books, name, ((name, percent),), now)
        put(books, "default_tax", "TaxInclusive" if mode == "inclusive" else "TaxExcluded")
    company = books.get("CompanyInfo", 1) or {}
    company["Country"] = "GB" if abroad else "US"
    _kept(books, "CompanyInfo", company, now)
    prefs = {"TaxPrefs.UsingSalesTax": mode != "none", "TaxPrefs.PartnerTaxEnabled": mode == "automated"}
    set_preferences(books, prefs, now)


def add_code(
    books: Books, name: str, rates: tuple[tuple[str, str], ...], now: datetime, *, config: str = "USER_DEFINED"
) -> str:
    """A tax code with its rates (name, percent), unless there is one of this name. Its Id."""
    found = books.named("TaxCode", name)
    if found:
        return found[1]
    details = []
    for order, (rate, percent) in enumerate(rates):
        body = {
            "Name": rate, "Description": rate, "Active": True, "RateValue": Decimal(percent),
            "AgencyRef": {"value": "1"}, "SpecialTaxType": "NONE", "DisplayType": "ReadOnly",
        }  # fmt: skip
        id = books.next_id("TaxRate")
        books.put("TaxRate", envelope(body, id=id, created=now))
        ref = {"value": id, "name": rate}
        details.append({"TaxRateRef": ref, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": order})
    code = {
        "Name": name, "Description": name, "Active": True, "Hidden": False, "Taxable": True, "TaxGroup": True,
        "SalesTaxRateList": {"TaxRateDetail": details}, "PurchaseTaxRateList": {"TaxRateDetail": []},
        "TaxCodeConfigType": config,
    }  # fmt: skip
    id = books.next_id("TaxCode")
    books.put("TaxCode", envelope(code, id=id, created=now))
    return id
