"""Who belongs to whose customer: adding a member, known or new, making another one the bill-to, taking one out."""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.blueprints.contacts.pages import contact_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Invalid
from crm.queries import households as queries
from crm.security import requires
from crm.services import contacts, households, match_linking
from crm.web import go

NEW = {"display_name": "name", "phone": "phone", "email": "email"}


@blueprint.get("/<int:contact_id>/household")
@requires("contacts.write")
def household(contact_id: int) -> Any:
    contact, text = contact_of(contact_id), request.args.get("q", "")[:200]
    values = {
        "contact": contact, "house": queries.of_contact(contact_id), "q": text,
        "found": queries.search(contact_id, text),
    }  # fmt: skip
    return render_template("contacts/household.html", **values)


@blueprint.post("/<int:contact_id>/household")
@requires("contacts.write")
@answers_on("contacts.household")
def add_member(contact_id: int) -> Any:
    """A contact that is here (`member`), or a new one."""
    member = request.form.get("member", "")
    with transaction():
        id_ = int(member) if member.isascii() and member.isdigit() and len(member) < 10 else _made()
        pair = (contact_id, id_) if request.form.get("as") == "member" else (id_, contact_id)
        result = households.join(*pair, actor=actor(), now=clock.now())
    flash(result.text, "success")
    return go("contacts.household", contact_id=contact_id)


@blueprint.post("/<int:contact_id>/household/leave")
@requires("contacts.write")
@answers_on("contacts.household")
def leave_household(contact_id: int) -> Any:
    with transaction():
        result = households.leave(contact_id, actor=actor(), now=clock.now())
    flash(result.text, "success")
    return go("contacts.household", contact_id=result.bill_to_id)


@blueprint.get("/<int:contact_id>/household/bill-to")
@requires("contacts.write")
def bill_to(contact_id: int) -> Any:
    """What would move, before it does."""
    contact, house = contact_of(contact_id), queries.of_contact(contact_id)
    customers = households.customers_of(house.bill_to.id) if house.bill_to else []
    moves = [(one, *match_linking.change_of(contact_id, one.id)) for one in customers]
    return render_template("contacts/bill_to.html", contact=contact, house=house, moves=moves)


@blueprint.post("/<int:contact_id>/household/bill-to")
@requires("contacts.write")
@answers_on("contacts.bill_to")
def make_bill_to(contact_id: int) -> Any:
    with transaction():
        result = households.make_bill_to(contact_id, actor=actor(), now=clock.now())
    flash(result.text, "success")
    return go("contacts.household", contact_id=contact_id)


def _made() -> int:
    values = {name: request.form.get(field, "").strip() for name, field in NEW.items()}
    if not values["display_name"]:
        raise Invalid({"name": "Write the name of the new contact, or choose one that is here."})
    entries = tuple(Entry(kind, values[kind]) for kind in ("phone", "email") if values[kind])
    draft = Draft(values={"display_name": values["display_name"], "type": "customer"}, entries=entries)
    return contacts.create(draft, actor=actor(), now=clock.now()).id
