"""The default of each question of `sales_settings`, found in the company, with the reason in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.domain import numbers
from crm.domain.sales_settings import (
    DEPOSIT_TYPES,
    FIELD,
    INCOME_TYPES,
    MOST_DAYS,
    NO,
    NO_TAX,
    OFF,
    PAYMENT,
    TOTAL,
    US_AUTOMATED,
    USUAL_DAYS,
    YES,
    Facts,
    offered,
    tax_mode,
)

FIRST_NUMBER = "1001"


@dataclass(frozen=True, slots=True)
class Default:
    value: str
    reason: str
    """A sentence: why it is the default."""


def defaults(facts: Facts) -> dict[str, Default]:
    """Field -> its default."""
    found = {
        "income_service": _income(facts, facts.services_by_account, "service", "ServiceFeeIncome"),
        "income_item": _income(facts, facts.items_by_account, "product", "SalesOfProductIncome"),
        "taxable": _taxable(facts),
        "tax_code": _tax_code(facts),
        "terms": _terms(facts),
        "quote_days": _quote_days(facts),
        "discounts": _discounts(facts),
        "deposits": _deposits(facts),
        "deposit_account": _deposit_account(facts),
    }
    return found | _numbers(facts)


def next_after(latest: Sequence[str]) -> tuple[str, str]:
    """Prefix and next counter after the latest numbers: "INV-0042", "INV-0041" -> ("INV-", "0043")."""
    read = [found for text in latest if (found := numbers.parse(text)) and len(found.prefix) <= 10]
    if not read:
        return "", FIRST_NUMBER
    first = read[0]
    highest = max(found.counter for found in read if found.prefix == first.prefix)
    return first.prefix, f"{highest + 1:0{first.digits}d}"


def reference(value: Any) -> str:
    """The id a preference refers to, whether it is kept as the id alone or as a reference with its name."""
    if isinstance(value, Mapping):
        value = value.get("remote_id")
    return str(value or "")


def _income(facts: Facts, used: Mapping[str, int], what: str, subtype: str) -> Default:
    accounts = offered(facts.accounts, INCOME_TYPES)
    known = {account.remote_id: account.name for account in accounts}
    total = sum(used.values())
    best = max((id_ for id_ in used if id_ in known), key=lambda id_: (used[id_], id_), default="")
    if best:
        return Default(best, f"{known[best]}: used by {used[best]:,} of your {_count(total, what)}.")
    for account in accounts:
        if account.subtype == subtype:
            return Default(account.remote_id, f"{account.name}: the account QuickBooks made for what {what}s earn.")
    if accounts:
        return Default(accounts[0].remote_id, f"{accounts[0].name}: the first income account of the company.")
    return Default("", "No income account is known yet: they come with the next import from QuickBooks.")


def _taxable(facts: Facts) -> Default:
    if tax_mode(facts.preferences, facts.country) == NO_TAX:
        return Default(NO, "Sales tax is switched off in QuickBooks.")
    if not facts.products:
        return Default(YES, "There are no products yet to learn it from; QuickBooks taxes a new line as well.")
    share = f"{facts.taxable:,} of your {_count(facts.products, 'product')} are taxable."
    return Default(YES if facts.taxable * 2 >= facts.products else NO, share)


def _tax_code(facts: Facts) -> Default:
    mode = tax_mode(facts.preferences, facts.country)
    if mode == NO_TAX:
        return Default("", "Sales tax is switched off in QuickBooks.")
    if mode == US_AUTOMATED:
        return Default("", "None: QuickBooks works the tax out itself and would replace a code.")
    codes = offered(facts.tax_codes)
    known = {code.remote_id: code.name for code in codes}
    said = reference(facts.preferences.get("default_tax_code"))
    if said in known:
        return Default(said, f"{known[said]}: the default of the company in QuickBooks.")
    if len(codes) == 1:
        return Default(codes[0].remote_id, f"{codes[0].name}: the only tax code there is.")
    return Default("", "None: QuickBooks names no default. Each document says its own.")


def _terms(facts: Facts) -> Default:
    terms = {term.remote_id: term.name for term in offered(facts.terms)}
    preferences = facts.preferences
    said = reference(preferences.get("default_terms")) or reference(preferences.get("default_terms_id"))
    if said in terms:
        return Default(said, f"{terms[said]}: the default of the company in QuickBooks.")
    return Default("", "None: QuickBooks names no default, so an invoice is due on its day.")


def _quote_days(facts: Facts) -> Default:
    days = sorted(days for days in facts.quote_days if 0 < days <= MOST_DAYS)
    if days:
        middle = days[len(days) // 2]
        return Default(str(middle), f"{_count(middle, 'day')}: so long your latest {_count(len(days), 'quote')} stood.")
    return Default(str(USUAL_DAYS), f"{USUAL_DAYS} days: usual, as no quote in QuickBooks says how long it stands.")


def _numbers(facts: Facts) -> dict[str, Default]:
    own = facts.preferences.get("own_document_numbers")
    if own is None:
        reason = "QuickBooks did not say who counts; it does so usually."
    elif own:
        reason = "“Custom transaction numbers” is on in QuickBooks: it then gives no number by itself."
    else:
        reason = "“Custom transaction numbers” is off in QuickBooks: it counts, and would count past a number of ours."
    found = {"numbers": Default(numbers.default(own), reason)}
    for kind, latest in (("quote", facts.quote_numbers), ("invoice", facts.invoice_numbers)):
        prefix, counter = next_after(latest)
        known = (prefix, counter) != ("", FIRST_NUMBER)
        after = f"Follows the highest of your latest {kind}s." if known else f"No {kind} has a number to follow yet."
        found[f"{kind}_prefix"] = Default(prefix, after)
        found[f"{kind}_next"] = Default(counter, after)
    return found


def _discounts(facts: Facts) -> Default:
    allowed = facts.preferences.get("allows_discount")
    if allowed is False:
        return Default(OFF, "Discounts are switched off in QuickBooks: it would refuse the document.")
    said = "are switched on in QuickBooks" if allowed else "were not spoken of by QuickBooks; it takes them usually"
    return Default(TOTAL, f"Discounts {said}.")


def _deposits(facts: Facts) -> Default:
    if facts.preferences.get("allows_deposit"):
        return Default(FIELD, "Deposits are switched on in QuickBooks.")
    return Default(PAYMENT, "Deposits in invoices are not switched on in QuickBooks; a payment is always taken.")


def _deposit_account(facts: Facts) -> Default:
    for account in offered(facts.accounts, DEPOSIT_TYPES):
        if account.subtype == "UndepositedFunds":
            return Default(account.remote_id, f"{account.name}: where QuickBooks itself puts payments until they are"
                                              " banked.")  # fmt: skip
    return Default("", "Left to QuickBooks, which uses its account of undeposited funds.")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
