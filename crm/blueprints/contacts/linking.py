"""A contact and QuickBooks: linked to a customer by hand, let go, kept apart from one, or created there.

Each deed has a page before it that says what would change; all of it is drawn from the mirror.
"""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint
from crm.blueprints.contacts.pages import contact_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.errors import Refused
from crm.security import requires
from crm.services import creating_customers as creating
from crm.services import customer_candidates, match_linking, matches
from crm.web import go

NO_COMPANY = "No company is connected. Ask an admin to connect QuickBooks first."


@blueprint.get("/<int:contact_id>/link")
@requires("matches.decide")
def link_with(contact_id: int) -> Any:
    contact, text = contact_of(contact_id), request.args.get("q", "").strip()[:200]
    company = _company()
    values = {
        "contact": contact, "company": company, "q": text, "found": match_linking.search(text, company.id),
        "suggestions": customer_candidates.candidates([contact_id], company.id).get(contact_id, []),
    }  # fmt: skip
    return render_template("contacts/link_with.html", **values)


@blueprint.get("/<int:contact_id>/link/<int:customer_id>")
@requires("matches.decide")
def link(contact_id: int, customer_id: int) -> Any:
    contact, customer = contact_of(contact_id), match_linking.customer_of(customer_id)
    changes, standing = match_linking.change_of(contact_id, customer_id)
    values = {
        "contact": contact, "customer": customer, "changes": changes, "standing": standing,
        "scored": customer_candidates.judged(contact_id, customer),
    }  # fmt: skip
    return render_template("contacts/link.html", **values)


@blueprint.post("/<int:contact_id>/link/<int:customer_id>")
@requires("matches.decide")
@answers_on("contacts.link")
def do_link(contact_id: int, customer_id: int) -> Any:
    with transaction():
        result = match_linking.link(contact_id, customer_id, actor=actor(), now=clock.now())
    flash(result.text, "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.post("/<int:contact_id>/link/<int:customer_id>/apart")
@requires("matches.decide")
@answers_on("contacts.link_with")
def keep_apart(contact_id: int, customer_id: int) -> Any:
    with transaction():
        result = match_linking.keep_apart(contact_id, customer_id, actor=actor(), now=clock.now())
    flash(result.text, "success")
    place = "contacts.create_there" if request.form.get("from") == "create" else "contacts.link_with"
    return go(place, contact_id=contact_id)


@blueprint.get("/<int:contact_id>/unlink")
@requires("matches.decide")
def unlink(contact_id: int) -> Any:
    customers, standing, money = match_linking.leaving_of(contact_id)
    values = {"contact": contact_of(contact_id), "customers": customers, "standing": standing, "money": money}
    return render_template("contacts/unlink.html", **values)


@blueprint.post("/<int:contact_id>/unlink")
@requires("matches.decide")
@answers_on("contacts.unlink")
def do_unlink(contact_id: int) -> Any:
    with transaction():
        result = matches.unlink(contact_id, actor=actor(), now=clock.now())
    flash(result.text, "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.get("/<int:contact_id>/create-in-quickbooks")
@requires("connections.manage")
def create_there(contact_id: int) -> Any:
    contact, company = contact_of(contact_id), _company()
    name = request.values.get("name", "").strip() or contact.display_name
    return render_template(
        "contacts/create_there.html", contact=contact, company=company,
        offer=creating.offer(contact_id, company.id, name=name, now=clock.now()),
    )  # fmt: skip


@blueprint.post("/<int:contact_id>/create-in-quickbooks")
@requires("connections.manage")
@answers_on("contacts.create_there")
def do_create_there(contact_id: int) -> Any:
    company, name = _company(), request.form.get("name", "")
    with transaction():
        text = creating.create(contact_id, company.id, name=name, actor=actor(), now=clock.now())
    flash(text, "success")
    return go("contacts.show", contact_id=contact_id)


def _company() -> Any:
    found = match_linking.company()
    if found is None:
        raise Refused(NO_COMPANY)
    return found
