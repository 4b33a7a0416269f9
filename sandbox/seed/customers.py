"""Writes roster entries as QuickBooks customers, with balances summed from their planned documents.

Balance is the customer's own (open invoices less unapplied payments and unused credits), BalanceWithJobs adds the
sub-customers [recorded: query_customer_page, Freeman Sporting Goods]. A change of balance moves LastUpdatedTime but not
the SyncToken, as recorded there.
"""

from collections.abc import Iterator

from sandbox.seed.jobs import Document
from sandbox.seed.lists import CUSTOMER_TYPES, TERMS, USD, Record
from sandbox.seed.people import Entry
from sandbox.seed.shape import Calendar, base, money

TYPE_OF_KIND = {"manager": 1, "unit": 1, "company": 2, "shared_office": 2}
SUB_KINDS = ("unit", "project")
FIRST_ADDRESS = 1_000


def customers(
    block: list[Entry], documents: dict[int, list[Document]], calendar: Calendar
) -> Iterator[tuple[int, Record]]:
    """(position, customer) for every entry of the block; parents stand in the same block as their sub-customers."""
    own = {entry.position: own_balance(documents[entry.position]) for entry in block}
    with_jobs = dict(own)
    shown: dict[int, str] = {}
    for entry in block:
        shown[entry.position] = entry.display
        if entry.parent is not None:
            with_jobs[entry.parent] += own[entry.position]
    for entry in block:
        made = {**identity(entry, shown), **reach(entry), **terms(entry)}
        made["Balance"], made["BalanceWithJobs"] = money(own[entry.position]), money(with_jobs[entry.position])
        made.update(stamped(entry, documents[entry.position], calendar))
        yield entry.position, made


def own_balance(documents: list[Document]) -> int:
    """In cents: what is open less what is still to the customer's credit."""
    signs = {"Invoice": 1, "Payment": -1, "CreditMemo": -1, "Estimate": 0}
    return sum(signs[document.entity] * document.balance for document in documents)


def identity(entry: Entry, shown: dict[int, str]) -> Record:
    person, sub = entry.person, entry.kind in SUB_KINDS
    made: Record = {"Job": sub, "BillWithParent": entry.kind == "unit", "IsProject": entry.kind == "project"}
    full = entry.display
    if entry.parent is not None:
        made["ParentRef"] = {"value": str(int(entry.id) - entry.position + entry.parent)}
        made["Level"] = 1
        full = f"{shown[entry.parent]}:{full}"
    if entry.names_filled:
        made["GivenName"] = f"{person.given} & {person.spouse}" if person.spouse else person.given
        made["FamilyName"] = person.family
        if person.suffix:
            made["Suffix"] = person.suffix
        if entry.position % 4 == 0 and not person.spouse:
            made["MiddleName"] = person.middle
    if person.company:
        made["CompanyName"] = person.company
    made |= {"FullyQualifiedName": full, "DisplayName": entry.display, "Active": entry.active,
             "PrintOnCheckName": (person.company or entry.display.removesuffix(" (deleted)"))[:110]}  # fmt: skip
    return made


def reach(entry: Entry) -> Record:
    """Telephones, mail, address and notes; what the office left empty is left out, as QBO does."""
    phones = {"PrimaryPhone": entry.phone, "AlternatePhone": entry.alternate, "Mobile": entry.mobile, "Fax": entry.fax}
    made: Record = {name: {"FreeFormNumber": text} for name, text in phones.items() if text}
    if entry.email:
        made["PrimaryEmailAddr"] = {"Address": entry.email}
    if entry.street:
        place, number = entry.person.place, FIRST_ADDRESS + 2 * int(entry.id)
        address = {"Id": str(number), "Line1": entry.street, "City": place.city,
                   "CountrySubDivisionCode": place.state, "PostalCode": place.zip}  # fmt: skip
        if entry.unit:
            address["Line2"] = entry.unit
        made["BillAddr"] = address
        if entry.position % 3 == 0:
            made["ShipAddr"] = {**address, "Id": str(number + 1)}
    if entry.notes:
        made["Notes"] = entry.notes
    return made


def terms(entry: Entry) -> Record:
    kind = TYPE_OF_KIND.get(entry.kind, 0)
    made: Record = {
        "Taxable": entry.taxable, "CurrencyRef": USD,
        "PreferredDeliveryMethod": ("Print", "Email", "None")[entry.position % 3], "ClientEntityId": "0",
    }  # fmt: skip
    if entry.taxable:
        made["DefaultTaxCodeRef"] = {"value": "2"}
    else:
        made["ResaleNum"] = f"MO-{10_000 + entry.position}"
    if entry.position % 5:
        made["CustomerTypeRef"] = {"value": str(kind + 1), "name": CUSTOMER_TYPES[kind]}
    if kind:
        made["SalesTermRef"] = {"value": "4", "name": TERMS[3][0]}
    return made


def stamped(entry: Entry, documents: list[Document], calendar: Calendar) -> Record:
    """Entered a few days before the first document; last touched with the last change of the balance."""
    if documents:
        age = max(document.age for document in documents) + 1 + entry.position % 9
    else:
        age = 4 + entry.position * 37 % 900
    created = calendar.stamp(age, 30_000 + entry.position % 3_000)
    posting = [document for document in documents if document.entity != "Estimate"]
    if posting:
        last = max(posting, key=lambda document: document.moment)
        return base(entry.id, str(entry.position * 7 % 5), created, calendar.stamp(last.age, last.second))
    return base(entry.id, str(entry.position * 7 % 5), created, created)
