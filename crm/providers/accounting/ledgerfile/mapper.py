"""The folder's papers to records, and records to the bodies of its writes. Nothing is asked, decided or kept here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crm.domain.errors import InvalidValue
from crm.domain.records import (
    Address,
    Application,
    CompanyRecord,
    CustomerRecord,
    DocumentRecord,
    LineRecord,
    LinkedDocument,
    Origin,
    PaymentRecord,
    PhoneField,
    Record,
    Ref,
    Refusal,
)
from crm.providers.accounting.ledgerfile.ledger import DRAWERS

PUSH_KINDS = ("customer",)
OPERATIONS = ("create", "update", "deactivate", "reactivate", "delete")
#: How one is reached there -> our label of a phone; `mail` is the e-mail.
REACH = {"desk": "primary", "pocket": "mobile", "second": "alternate", "fax": "fax"}
PLACE = {"town": "city", "state": "region", "zip": "postal_code", "land": "country"}
STREET = ("line1", "line2", "line3", "line4", "line5")
#: Shared field of ours -> what is written for it; a dot leads into an object, whose other parts stay.
FIELDS = {
    "display_name": "label", "given_name": "person.first", "family_name": "person.last", "company_name": "firm",
    "website": "web", "address": "place", "phone": "reach.desk", "mobile": "reach.pocket", "other": "reach.second",
    "fax": "reach.fax", "email": "reach.mail",
}  # fmt: skip
KINDS_BY_BEGINNING = {beginning: kind for kind, (_, beginning) in DRAWERS.items()}


class Unreadable(ValueError):
    """The text names the field."""


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
        name=_text(paper, "name"),
        country=_text(paper, "country"),
        currency=_text(paper, "money"),
        time_zone=_text(paper, "zone"),
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
    if operation in ("create", "update"):
        assert isinstance(record, CustomerRecord)
        paper = _customer_paper(record)
        if not record.display_name.strip():
            raise InvalidValue("The name is empty, and a customer of the folder needs one. Give the contact a name.")
        made["set"] = paper if operation == "create" else {FIELDS[name]: _at(paper, FIELDS[name]) for name in fields}
    elif operation == "deactivate":
        made["set"] = {"archived": True}
    elif operation == "reactivate":
        said = record if isinstance(record, CustomerRecord) else current
        assert isinstance(said, CustomerRecord)
        made["set"] = {"archived": False, "label": said.display_name}
    return made


# --- reading --------------------------------------------------------------------------------------------------


def _read_customer(kind: str, paper: Mapping[str, Any], money: str) -> CustomerRecord:
    person, reach = paper.get("person") or {}, paper.get("reach") or {}
    return CustomerRecord(
        origin=_origin(paper),
        display_name=_text(paper, "label", needed=True),
        given_name=_text(person, "first"),
        family_name=_text(person, "last"),
        company_name=_text(paper, "firm"),
        full_path=_text(paper, "label"),
        active=paper.get("archived") is not True,
        parent_id=_text(paper, "under") or None,
        phones=tuple(PhoneField(ours, _text(reach, how)) for how, ours in REACH.items() if _text(reach, how)),
        email_text=_text(reach, "mail"),
        website=_text(paper, "web"),
        billing_address=_address(paper.get("place") or {}),
        notes=_text(paper, "remarks"),
        currency=money,
        balance=_sum(paper, "owes"),
        balance_with_jobs=_sum(paper, "owes_below"),
        extra={name: paper[name] for name in ("tags",) if name in paper},
    )


def _read_document(kind: str, paper: Mapping[str, Any], money: str) -> DocumentRecord:
    return DocumentRecord(
        kind=kind,
        origin=_origin(paper),
        customer=Ref(_text(paper, "for", needed=True)),
        number=_text(paper, "no"),
        date=_day(paper, "day"),
        due_date=_day(paper, "due"),
        status="void" if paper.get("cancelled") else "",
        currency=money,
        total=Decimal(0) if paper.get("cancelled") else _sum(paper, "sum"),
        balance=_sum(paper, "open"),
        private_note=_text(paper, "remarks"),
        void=paper.get("cancelled") is True,
        lines=tuple(
            LineRecord(None, "item", _text(row, "text"), _sum(row, "sum"), quantity=Decimal(1))
            for row in paper.get("rows") or ()
        ),
        linked=tuple(LinkedDocument(_kind_of(share["to"]), share["to"]) for share in paper.get("shares") or ()),
    )


def _read_payment(kind: str, paper: Mapping[str, Any], money: str) -> PaymentRecord:
    return PaymentRecord(
        origin=_origin(paper),
        customer=Ref(_text(paper, "from", needed=True)),
        date=_day(paper, "day"),
        total=Decimal(0) if paper.get("cancelled") else _sum(paper, "sum"),
        unapplied=_sum(paper, "open"),
        currency=money,
        reference=_text(paper, "no"),
        private_note=_text(paper, "remarks"),
        void=paper.get("cancelled") is True,
        applied=tuple(
            Application(_kind_of(share["to"]), share["to"], _sum(share, "sum")) for share in paper.get("shares") or ()
        ),
    )


_READERS: dict[str, Callable[[str, Mapping[str, Any], str], Record]] = {
    "customer": _read_customer, "invoice": _read_document, "credit_memo": _read_document, "payment": _read_payment,
}  # fmt: skip


def _origin(paper: Mapping[str, Any]) -> Origin:
    return Origin(paper["id"], paper["etag"], _moment(paper, "made"), _moment(paper, "touched"))


def _kind_of(remote_id: str) -> str:
    return KINDS_BY_BEGINNING.get(remote_id.partition("_")[0], "")


def _text(paper: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = paper.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise Unreadable(f"{name} is {value!r}, where a text belongs.")
    return value


def _sum(paper: Mapping[str, Any], name: str) -> Decimal:
    try:
        found = Decimal(_text(paper, name, needed=True))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Unreadable(f"{name} is {paper.get(name)!r}, where an amount belongs.")
    return found


def _day(paper: Mapping[str, Any], name: str) -> date | None:
    text = _text(paper, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Unreadable(f"{name} is {text!r}, which is not a day.") from None


def _moment(paper: Mapping[str, Any], name: str) -> datetime:
    text = _text(paper, name, needed=True)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Unreadable(f"{name} is {text!r}, which is not a moment.")
    return found.astimezone(UTC)


def _address(place: Mapping[str, Any]) -> Address | None:
    street = place.get("street") or []
    ours = {line: str(text) for line, text in zip(STREET, street, strict=False)}
    ours |= {ours_: _text(place, theirs) for theirs, ours_ in PLACE.items()}
    return Address(**ours) if any(ours.values()) else None


# --- writing --------------------------------------------------------------------------------------------------


def _customer_paper(record: CustomerRecord) -> dict[str, Any]:
    phones = {phone.label: phone.text for phone in record.phones}
    place = record.billing_address or Address()
    given = " ".join(part for part in (record.given_name, record.middle_name) if part)
    return {
        "label": record.display_name.strip(),
        "person": {"first": given, "last": record.family_name},
        "firm": record.company_name,
        "web": record.website,
        "reach": {**{how: phones.get(ours, "") for how, ours in REACH.items()}, "mail": record.email_text},
        "place": {
            "street": [text for line in STREET if (text := getattr(place, line))],
            **{theirs: getattr(place, ours) for theirs, ours in PLACE.items()},
        },
        "remarks": record.notes,
        "under": record.parent_id,
        "archived": not record.active,
    }


def _at(paper: Mapping[str, Any], path: str) -> Any:
    outer, _, inner = path.partition(".")
    return paper[outer][inner] if inner else paper[outer]
