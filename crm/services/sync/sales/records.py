"""A quote or invoice of ours as the record that the books shall hold.

Of a linked one the record starts from what stands there, so that nothing of theirs is lost: a line keeps what we do not
know of it. Options nobody chose are left out, headings become lines of text. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from crm.domain import quotes
from crm.domain.record_documents import CustomField, DocumentRecord, LineRecord, LinkedDocument
from crm.domain.record_parts import Address, Origin, Ref
from crm.models import SalesDocument, SalesLine


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known of the books to say it in their words."""

    customer: str
    """Remote id of the customer."""
    items: Mapping[int, str] = field(default_factory=dict)
    """Product -> remote id of its item."""
    free_item: str = ""
    """Item of a priced line without a product: QuickBooks ignores the amount of a line without any [FACTS 7.24]."""
    taxed: bool = True
    """False: the company has no sales tax; no line says anything about it."""
    codes: bool = False
    """Lines have tax codes of their own (outside the US)."""
    estimate: str = ""
    """Of an invoice: the estimate there that it is made from."""
    writes_deposit: bool = False
    custom: Mapping[str, str] = field(default_factory=dict)
    """Custom fields that are filled from ours: definition -> value."""


def record_of(document: SalesDocument, known: Known, current: DocumentRecord | None) -> DocumentRecord:
    """What the books shall hold. `current`: what stands there, None for one that is new."""
    base = current or DocumentRecord(document.kind, Origin(""), Ref(known.customer))
    customer = base.customer if base.customer.remote_id == known.customer else Ref(known.customer)
    made = replace(
        base,
        customer=customer,
        number=document.number,
        date=document.date,
        currency=document.currency,
        email=document.email,
        customer_memo=document.customer_memo,
        private_note=document.private_note,
        billing_address=_address(document.billing_address),
        shipping_address=_address(document.shipping_address),
        custom_fields=_custom({**document.custom_fields, **known.custom}, base),
        tax_code=_ref(document.tax_code, base.tax_code),
        discount_before_tax=_before_tax(document, base),
        lines=_lines(document, known, base),
        total=document.total,
    )
    if not known.taxed:
        made = replace(made, tax_code=base.tax_code)
    return _quote(made, document) if document.kind == "estimate" else _invoice(made, document, known, base)


def _quote(made: DocumentRecord, document: SalesDocument) -> DocumentRecord:
    status = quotes.to_books(document.state)
    if document.state == quotes.INVOICED:
        # They close it themselves once the invoice is linked, and link only one that is open [FACTS 5.3].
        answered = "accepted" if document.accepted_by else "pending"
        status = made.status if made.status in ("accepted", "closed") else answered
    accepted = document.decided_at.date() if document.decided_at and status == "accepted" else None
    return replace(
        made, expires_on=document.expires_on, status=status, accepted_by=document.accepted_by,
        accepted_on=made.accepted_on or accepted if document.accepted_by else made.accepted_on,
    )  # fmt: skip


def _invoice(made: DocumentRecord, document: SalesDocument, known: Known, base: DocumentRecord) -> DocumentRecord:
    linked = base.linked
    if known.estimate and not any(one.kind == "estimate" for one in linked):
        linked = (*linked, LinkedDocument("estimate", known.estimate))
    says = known.writes_deposit and bool(document.deposit or base.deposit)  # one taken out here is sent as nothing
    deposit = document.deposit if says else base.deposit
    return replace(
        made, due_date=document.due_date, terms=_ref(document.terms, base.terms), linked=linked, deposit=deposit
    )


def _lines(document: SalesDocument, known: Known, base: DocumentRecord) -> tuple[LineRecord, ...]:
    there = {line.remote_id: line for line in _flat(base.lines) if line.remote_id}
    left_out = {line.position for line in document.lines if line.optional and not line.chosen}
    found: list[LineRecord] = []
    members: dict[int, list[LineRecord]] = {}
    heads: dict[int, int] = {}
    for line in document.lines:
        if line.position in left_out or line.within in left_out:
            continue
        made = _line(line, known, there.get(line.remote_id))
        if line.within is not None:
            members.setdefault(line.within, []).append(made)
            continue
        heads[line.position] = len(found)
        found.append(made)
    for position, mine in members.items():
        at = heads[position]
        found[at] = replace(found[at], members=tuple(mine), amount=None)
    discount = _discount(document, base)
    return (*found, discount) if discount else tuple(found)


def _flat(lines: tuple[LineRecord, ...]) -> list[LineRecord]:
    return [one for line in lines for one in (line, *line.members)]


def _line(line: SalesLine, known: Known, there: LineRecord | None) -> LineRecord:
    base = there or LineRecord(None)
    if line.kind == "other":
        return base
    if line.kind in ("text", "section"):
        return replace(base, kind="text", description=line.description or line.name, amount=base.amount)
    item = line.item_remote_id or known.items.get(line.product_id or 0, "")
    made = replace(
        base,
        kind=line.kind,
        description=line.description or (line.name if not line.product_id else ""),
        quantity=line.quantity,
        unit_price=line.unit_price,
        amount=line.amount,
        item=_ref(item or ("" if line.kind == "group" else known.free_item), base.item),
    )
    if line.kind == "group":
        return replace(made, quantity=line.quantity or Decimal(1), unit_price=None, members=())
    if line.unit_price is not None and line.quantity is None:
        made = replace(made, quantity=Decimal(1))
    if not known.taxed:
        return replace(made, taxable=base.taxable, tax_code=base.tax_code)
    return replace(made, tax_code=line.tax_code) if known.codes else replace(made, taxable=line.taxable)


def _discount(document: SalesDocument, base: DocumentRecord) -> LineRecord | None:
    """One line for the whole document, on its own account there; what is off by itself goes with it."""
    if not document.discount_kind or not document.discount_value:
        return None
    line = base.discount_line or LineRecord(None, kind="discount")
    percent = document.discount_value if document.discount_kind == "percent" else None
    return replace(line, discount_percent=percent, amount=document.discount)


def _before_tax(document: SalesDocument, base: DocumentRecord) -> bool | None:
    return document.discount_before_tax if document.discount_kind else base.discount_before_tax


def _custom(given: Mapping[str, str], base: DocumentRecord) -> tuple[CustomField, ...]:
    """Those there are keep their place; a value that was taken out is sent empty."""
    known = {one.definition_id: one for one in base.custom_fields}
    kept = [replace(one, value=given.get(id_, "")) for id_, one in known.items()]
    return (*kept, *(CustomField(id_, value=text) for id_, text in given.items() if id_ not in known and text))


def _address(parts: Mapping[str, str]) -> Address | None:
    return Address(**parts) if parts else None


def _ref(remote_id: str, there: Ref | None) -> Ref | None:
    if there is not None and there.remote_id == remote_id:
        return there
    return Ref(remote_id) if remote_id else None
