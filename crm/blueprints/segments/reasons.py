"""Why a contact is in a segment or not: rule by rule with what the contact has; and asking it for anybody by name."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from crm import clock
from crm.blueprints.buying import company_day
from crm.blueprints.segments import blueprint
from crm.blueprints.segments.pages import segment_of
from crm.domain import segment_evaluation, segment_reasons, segments
from crm.domain.contact_filters import Filters
from crm.domain.errors import NotFound, Refused
from crm.queries import contact_page, contacts, products, segment_names, segment_person
from crm.queries import segments as queries
from crm.security import requires
from crm.services.contact_merge_checks import refuse_merged

NOBODY = "There is no such contact. The link may be old or not complete."
STATIC = "A static segment has no rules that decide: somebody put each member into it."
FOUND = 12


@blueprint.get("/<int:segment_id>/why")
@requires("contacts.read")
def ask(segment_id: int) -> Any:
    """Any contact by name, whether it is in or not."""
    segment, text = segment_of(segment_id), " ".join(request.args.get("q", "").split())[:200]
    found = contacts.page(Filters(q=text), now=clock.now(), size=FOUND).rows if text else []
    inside = queries.members_of(segment_id, [row.id for row in found])
    return render_template("segments/ask.html", segment=segment, q=text, found=found, inside=inside)


@blueprint.get("/<int:segment_id>/why/<int:contact_id>")
@requires("contacts.read")
def why(segment_id: int, contact_id: int) -> Any:
    segment, contact = segment_of(segment_id), contact_page.contact(contact_id)
    if contact is None:
        raise NotFound(NOBODY)
    refuse_merged(contact)
    if segment.kind != "live":
        raise Refused(STATIC)
    group, day = segments.read(segment.rules), company_day()
    outcome = segment_evaluation.evaluate(group, segment_person.person(contact_id, day.today), day.today)
    told = segment_reasons.reason(outcome, segment_names.names(group), products.home_currency())
    return render_template(
        "segments/why.html", segment=segment, contact=contact, outcome=outcome, reason=told, zone=day.zone,
        turning=[one for one in told.rules() if one.turns], member=queries.membership(segment_id, contact_id),
        past=queries.past(segment_id, contact_id),
    )  # fmt: skip
