"""Merging two contacts: choosing the other, both side by side with what would become of them, undo, and the list.

An address of a contact that was merged leads to the one that stands for both.
"""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint, forms
from crm.blueprints.contacts.pages import contact_of
from crm.db import transaction
from crm.domain.contact_merging import MERGED_FIELDS, line_key
from crm.domain.errors import Changed, Invalid, Merged, Refused
from crm.queries import contact_merges as queries
from crm.queries import contacts
from crm.security import requires, safe_next
from crm.services import contact_merges as service
from crm.services.contact_merge_checks import TwoCustomers, know_customers
from crm.web import go


@blueprint.errorhandler(Merged)
def _leads_on(problem: Merged) -> Any:
    flash(str(problem) if request.method == "GET" else f"{problem} Nothing was changed.", "info")
    return go("contacts.show", contact_id=problem.into)


@blueprint.get("/<int:contact_id>/merge")
@requires("contacts.write")
def merge_with(contact_id: int) -> Any:
    contact, text = contact_of(contact_id), request.args.get("q", "")[:200]
    values = {
        "contact": contact, "q": text, "found": queries.search(contact_id, text),
        "suggestions": queries.suggestions(contact_id),
    }  # fmt: skip
    return render_template("contacts/merge_with.html", **values)


@blueprint.get("/<int:contact_id>/merge/<int:other_id>")
@requires("contacts.write")
def merge(contact_id: int, other_id: int) -> Any:
    return _side_by_side(contact_id, other_id)


@blueprint.post("/<int:contact_id>/merge/<int:other_id>")
@requires("contacts.write")
def do_merge(contact_id: int, other_id: int) -> Any:
    form = request.form
    versions = (forms.version({"version": form.get(name, "")}) for name in ("version", "other_version"))
    try:
        with transaction():
            done = service.merge(
                contact_id, other_id, chosen=_chosen(), without=_without(), versions=(next(versions), next(versions)),
                actor=actor(), now=clock.now(),
            )  # fmt: skip
    except TwoCustomers as problem:
        with transaction():
            know_customers(problem.pairs, actor=actor(), now=clock.now())
        return _side_by_side(contact_id, other_id, problem, 409)
    except Invalid as problem:
        return _side_by_side(contact_id, other_id, problem, 422)
    except Merged:
        raise
    except Refused as problem:
        return _side_by_side(contact_id, other_id, problem, 409)
    back = _back()
    if back:
        flash(f"{done.absorbed.display_name} was merged into {done.survivor.display_name}.", "success")
        return redirect(back, 303)
    return go("contacts.show", contact_id=contact_id, merged=done.id)


@blueprint.get("/<int:contact_id>/merges")
@requires("contacts.read")
def merges(contact_id: int) -> Any:
    newest = queries.newest_live(contact_id)
    values = {"contact": contact_of(contact_id), "merges": queries.of_contact(contact_id), "newest": newest}
    return render_template("contacts/merges.html", **values)


@blueprint.post("/merges/<int:merge_id>/undo")
@requires("contacts.write")
def undo_merge(merge_id: int) -> Any:
    with transaction():
        parting = service.unmerge(merge_id, actor=actor(), now=clock.now())
    flash(f"{parting.text} Everything that came with it went back.", "success")
    return go("contacts.show", contact_id=parting.survivor_id)


def to_merge(ids: list[int]) -> Any:
    """The page for two ticked contacts; any other number is refused in words."""
    if len(set(ids)) != 2:
        raise Invalid({"ids": "Tick exactly two contacts to merge them. More are merged two by two."})
    kept = queries.keeper(ids)
    return go("contacts.merge", contact_id=kept, other_id=next(id_ for id_ in ids if id_ != kept))


def _side_by_side(contact_id: int, other_id: int, problem: Refused | None = None, status: int = 200) -> Any:
    one, other = contact_of(contact_id), contact_of(other_id)
    offered = None
    try:
        offered = service.proposal(contact_id, other_id)
    except Merged:
        raise
    except Refused as refusal:
        problem = problem or refusal
    values = {
        "one": one, "other": other, "offered": offered, "problem": problem, "line_key": line_key, "form": request.form,
        "errors": problem.fields if isinstance(problem, Invalid) else {}, "owners": dict(contacts.owners()),
        "stale": isinstance(problem, Changed), "twice": isinstance(problem, TwoCustomers),
        "back": _back(),
        "swapped": url_for("contacts.merge", contact_id=other_id, other_id=contact_id, next=_back() or None),
    }  # fmt: skip
    return render_template("contacts/merge.html", **values), status


def _back() -> str:
    """Where somebody came from who is to go on there afterwards: the match desk; empty for the contact's page."""
    return safe_next(request.values.get("next")) or ""


def _chosen() -> dict[str, str]:
    """Field -> value: what was written beside it, or the side that was marked. The values of both travel along."""
    chosen = {}
    for name in MERGED_FIELDS:
        written, side = request.form.get(f"own-{name}", "").strip(), request.form.get(f"pick-{name}", "")
        if written:
            chosen[name] = written
        elif side in ("one", "other"):
            chosen[name] = request.form.get(f"{side}-{name}", "")
        elif side == "empty":
            chosen[name] = ""
    return chosen


def _without() -> list[str]:
    """Lines that were shown and are not ticked any more."""
    kept = set(request.form.getlist("line"))
    return [key for key in request.form.getlist("shown-line") if key not in kept]
