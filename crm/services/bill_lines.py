"""What was typed into a line of a bill, as it is kept: the account, product and customer that were meant.

Called by `services/bills`. A product or customer is meant by its whole name (a product also by its SKU); a line that is
there already keeps what it names as long as that still reads the same. Who belongs to a household is billed with its
bill-to, which the line then names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm.domain import purchases
from crm.domain.purchase_fields import number
from crm.domain.purchases import BillLine
from crm.models import Bill, Contact, Customer, Item, Link, Product
from crm.queries import bills as queries
from crm.queries import households
from crm.services import sales_settings


def read(session: Session, line: BillLine, bill: Bill | None, usual: str, currency: str) -> tuple[dict[str, Any], str]:
    """The line as it is kept, and what is wrong with it."""
    before = _before(bill, line.remote_id)
    if line.fixed and before is not None:
        return dict(before), ""
    found = purchases.figures(line, currency)
    made: dict[str, Any] = {
        "remote_id": line.remote_id if before is not None else "", "kind": "account", "account": "", "item": "",
        "description": line.description.replace("\r\n", "\n").strip(), "amount": number(found.amount),
        "quantity": number(found.quantity), "unit_price": number(found.unit_price), "customer": "", "billable": "",
    }  # fmt: skip
    problem = ""
    if line.product.strip():
        made["kind"] = "item"
        problem = _give_product(session, made, line.product, before, bill)
    else:
        made["account"] = line.account or usual
        if not made["account"]:
            problem = "choose the account it is booked to, or the product that was bought."
    if line.customer.strip() and not problem:
        problem = _give_customer(session, made, line.customer, before, bill)
    if made["customer"] or made.get("contact_id"):
        was = before["billable"] if before else ""
        made["billable"] = was if was == "billed" else "billable" if line.billable else "not_billable"
    elif before is not None:
        made["billable"] = before["billable"] if before["billable"] != "billable" else "not_billable"
    return made, problem


def _give_product(
    session: Session, made: dict[str, Any], text: str, before: Mapping[str, Any] | None, bill: Bill | None
) -> str:
    text = " ".join(text.split())
    if before is not None and before["item"] and text == queries.line_names(session, bill, [before])[0].product:
        made["item"] = before["item"]
        return ""
    wanted = (func.lower(Product.name) == text.lower(), func.lower(Product.sku) == text.lower())
    found = session.execute(
        select(Product.id, Item.remote_id)
        .outerjoin(Link, (Link.kind == "item") & (Link.local_id == Product.id) & (Link.state != "gone"))
        .outerjoin(Item, (Item.connection_id == Link.connection_id) & (Item.remote_id == Link.remote_id))
        .where(or_(*wanted), Product.active.is_(True), Product.type.not_in(("category", "group")))
        .order_by(Product.id)
        .limit(2)
    ).all()  # fmt: skip
    if len(found) != 1:
        if found:
            return f"several products are called “{text[:60]}”. Write the SKU."
        return f"no product is called “{text[:60]}”. Write its name or SKU, or book the line to an account."
    made["product_id"], made["item"] = found[0].id, found[0].remote_id or ""
    return ""


def _give_customer(
    session: Session, made: dict[str, Any], text: str, before: Mapping[str, Any] | None, bill: Bill | None
) -> str:
    text = " ".join(text.split())
    if before is not None and before["customer"] and text == queries.line_names(session, bill, [before])[0].customer:
        made["customer"] = before["customer"]
        return ""
    company = bill.connection_id if bill is not None else sales_settings.company_in_use(session)
    there = session.scalars(
        select(Customer.remote_id)
        .where(Customer.connection_id == company, Customer.gone_at.is_(None), Customer.active.is_(True),
               func.lower(Customer.display_name) == text.lower())
        .limit(2)
    ).all()  # fmt: skip
    if len(there) == 1:
        made["customer"] = there[0]
        return ""
    contacts = session.scalars(
        select(Contact.id)
        .where(func.lower(Contact.display_name) == text.lower(), Contact.archived_at.is_(None))
        .limit(2)
    ).all()
    if len(contacts) == 1:
        made["contact_id"] = households.payer(contacts[0])  # a member has no customer of its own
        return ""
    return (f"several customers are called “{text[:60]}”. Book it without one, or rename one." if contacts or there
            else f"no customer is called “{text[:60]}”. Write the name as it stands in Contacts.")  # fmt: skip


def _before(bill: Bill | None, remote_id: str) -> Mapping[str, Any] | None:
    if bill is None or not remote_id:
        return None
    return next((line for line in bill.lines if line["remote_id"] == remote_id), None)
