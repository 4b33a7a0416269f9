"""The folder's papers to records, and records to the bodies of its writes. Nothing is asked, decided or kept here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from crm.domain.errors import InvalidValue
from crm.domain.records import (
    CompanyRecord,
    CustomerRecord,
    DocumentRecord,
    ItemRecord,
    Origin,
    PaymentRecord,
    PhoneField,
    Record,
    Refusal,
)
from crm.providers.accounting.ledgerfile import sales
from crm.providers.accounting.ledgerfile.papers import Unreadable, address_of, amount_of, origin_of, place_of, text_of

NAME_KINDS = ("customer", "item")
DOCUMENT_KINDS = ("estimate", "invoice", "payment")
PUSH_KINDS = (*NAME_KINDS, *DOCUMENT_KINDS)
OPERATIONS = ("create", "update", "deactivate", "reactivate", "delete", "void")
#: How one is reached there -> our label of a phone; `mail` is the e-mail.
REACH = {"desk": "primary", "pocket": "mobile", "second": "alternate", "fax": "fax"}
#: Shared field of ours -> what is written for it; a dot leads into an object, whose other parts stay.
FIELDS = {
    "display_name": "label", "given_name": "person.first", "family_name": "person.last", "company_name": "firm",
    "website": "web", "address": "place", "phone": "reach.desk", "mobile": "reach.pocket", "other": "reach.second",
    "fax": "reach.fax", "email": "reach.mail",
}  # fmt: skip


def to_record(kind: str, paper: Mapping[str, Any], *, money: str) -> Record | Refusal:
    """`money` is the company's currency: the folder has but one."""
    try:
        if paper.get("torn"):
            raise Unreadable("The file is not JSON.")
        return _READERS[kind](kind, paper, money)
    except (Unreadable, AttributeError, TypeError) as error:
        return Refusal(
            kind, str(paper.get("id", "")), f"The paper cannot be read: {error}".rstrip(".") + ".", dict(paper)
        )


def to_company(paper: Mapping[str, Any]) -> CompanyRecord:
    return CompanyRecord(
        origin=Origin(paper["id"], paper["etag"]),
        name=text_of(paper, "name"),
        country=text_of(paper, "country"),
        currency=text_of(paper, "money"),
        time_zone=text_of(paper, "zone"),
    )


def body(
    kind: str,
    operation: str,
    record: Record | None,
    *,
    fields: Collection[str] = (),
    current: Record | None = None,
) -> dict[str, Any]:
    """See `base.Body`: `{"id", "etag", "set"}`; a name in `set` may lead into an object (`reach.desk`)."""
    if kind not in PUSH_KINDS or operation not in OPERATIONS:
        raise ValueError(f"a ledger takes no {operation!r} of {kind!r}")
    if operation != "create" and current is None:
        raise ValueError(f"{operation} needs the record as it stands there")
    made: dict[str, Any] = {"id": current.origin.remote_id, "etag": current.origin.version} if current else {}
    if operation in ("create", "update") and kind != "customer":
        made["set"] = _said(record, fields, current)
    elif operation in ("create", "update"):
        assert isinstance(record, CustomerRecord)
        paper = _customer_paper(record)
        if not record.display_name.strip():
            raise InvalidValue("The name is empty, and a customer of the folder needs one. Give the contact a name.")
        made["set"] = paper if operation == "create" else {FIELDS[name]: _at(paper, FIELDS[name]) for name in fields}
    elif operation == "deactivate":
        made["set"] = {"archived": True}
    elif operation == "reactivate":
        said: Any = record or current
        made["set"] = {"archived": False, "label": said.name if kind == "item" else said.display_name}
    elif operation == "void":
        made["set"] = {"cancelled": True, "shares": []}
    return made


def _said(record: Any, wanted: Collection[str], current: Any) -> dict[str, Any]:
    if isinstance(record, ItemRecord) and not record.name.strip():
        raise InvalidValue("The item has no name, and the folder needs one. Give it a name.")
    if isinstance(record, DocumentRecord | PaymentRecord) and not record.customer.remote_id:
        raise InvalidValue("The document names no customer that the folder knows. Send the customer first.")
    if isinstance(record, DocumentRecord) and not (record.lines or current):
        raise InvalidValue("The document has no lines. Add at least one.")
    if isinstance(record, PaymentRecord) and sum(part.amount for part in record.applied) > record.total:
        raise InvalidValue("More is applied than was paid. Apply less, or correct the amount.")
    return sales.paper_of(record, wanted, current)


# --- reading --------------------------------------------------------------------------------------------------


def _read_customer(kind: str, paper: Mapping[str, Any], money: str) -> CustomerRecord:
    person, reach = paper.get("person") or {}, paper.get("reach") or {}
    return CustomerRecord(
        origin=origin_of(paper),
        display_name=text_of(paper, "label", needed=True),
        given_name=text_of(person, "first"),
        family_name=text_of(person, "last"),
        company_name=text_of(paper, "firm"),
        full_path=text_of(paper, "label"),
        active=paper.get("archived") is not True,
        parent_id=text_of(paper, "under") or None,
        phones=tuple(PhoneField(ours, text_of(reach, how)) for how, ours in REACH.items() if text_of(reach, how)),
        email_text=text_of(reach, "mail"),
        website=text_of(paper, "web"),
        billing_address=address_of(paper.get("place") or {}),
        notes=text_of(paper, "remarks"),
        currency=money,
        balance=amount_of(paper, "owes"),
        balance_with_jobs=amount_of(paper, "owes_below"),
        extra={name: paper[name] for name in ("tags",) if name in paper},
    )


_READERS: dict[str, Callable[[str, Mapping[str, Any], str], Record]] = {
    "customer": _read_customer, "item": sales.read_item, "payment": sales.read_payment,
    **dict.fromkeys(("estimate", "invoice", "credit_memo"), sales.read_document),
}  # fmt: skip


# --- writing --------------------------------------------------------------------------------------------------


def _customer_paper(record: CustomerRecord) -> dict[str, Any]:
    phones = {phone.label: phone.text for phone in record.phones}
    given = " ".join(part for part in (record.given_name, record.middle_name) if part)
    return {
        "label": record.display_name.strip(),
        "person": {"first": given, "last": record.family_name},
        "firm": record.company_name,
        "web": record.website,
        "reach": {**{how: phones.get(ours, "") for how, ours in REACH.items()}, "mail": record.email_text},
        "place": place_of(record.billing_address),
        "remarks": record.notes,
        "under": record.parent_id,
        "archived": not record.active,
    }


def _at(paper: Mapping[str, Any], path: str) -> Any:
    outer, _, inner = path.partition(".")
    return paper[outer][inner] if inner else paper[outer]
