"""The desk: one doubtful question at a time, with both sides and the evidence; a key and a button for each answer.

Where one stands is in the address (`at`, with the filters of the list), so that it can be sent, reloaded and gone back
to. All answers are one form. Where somebody decided meanwhile, the same card is shown as it is now, with 409.
"""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.matches import blueprint, reading
from crm.db import db, transaction
from crm.domain.contact_merging import Proposal
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.queries import contacts, households, match_cards, match_log, match_queue
from crm.queries.contact_merges import keeper
from crm.queries.match_parts import Filters, Key, read_key
from crm.security import requires
from crm.services import contact_merges, match_desk, match_undo
from crm.services.contact_merge_checks import TwoCustomers, know_customers
from crm.web import go


@blueprint.get("/desk")
@requires("matches.decide")
def desk() -> Any:
    filters = reading.filters()
    asked = request.args.get("at", "")
    key = read_key(asked) if asked else match_queue.first(filters)
    if asked and key is None:
        raise NotFound("There is no such question. The link may be old or not complete.")
    return _shown(key, filters, match_id=request.args.get("candidate", type=int))


@blueprint.post("/desk")
@requires("matches.decide")
def decide() -> Any:
    filters, form = reading.filters(), request.form
    if form.get("act") == "undo":
        return _undo(filters)
    key, match_id = read_key(form.get("at", "")), form.get("match", type=int)
    if key is None:
        raise Invalid({"at": "Say which question it is about: begin at the desk."})
    after = match_queue.neighbour(key, filters)
    try:
        with transaction():
            text = match_desk.decide(
                key,
                form.get("act", ""),
                match_id=match_id,
                bill_to_id=form.get("bill_to", type=int),
                actor=actor(),
                now=clock.now(),
                took_ms=reading.took_ms(key),
            )
    except NotFound:
        raise
    except Refused as problem:
        return _refused(key, filters, problem)
    flash(text, "success")
    return _go_on(key, after, filters)


def _undo(filters: Filters) -> Any:
    """The last decision of this person, wherever it was made."""
    key = read_key(request.form.get("at", ""))
    try:
        with transaction():
            last = match_log.last_by(db.session(), actor().label)
            if last is None:
                raise Refused("There is no decision of yours to take back.")
            reopened, text = match_undo.undo(last.id, actor=actor(), now=clock.now())
    except Refused as problem:
        return _refused(key, filters, problem)
    flash(text, "success")
    return go("matches.desk", at=str(reopened) if reopened else None, **filters.query())


def _refused(key: Key | None, filters: Filters, problem: Refused) -> Any:
    """The card as it is now, with the sentence."""
    if isinstance(problem, TwoCustomers):
        with transaction():
            know_customers(problem.pairs, actor=actor(), now=clock.now())
    status = 422 if isinstance(problem, Invalid) else 409
    return _shown(key or match_queue.first(filters), filters, problem=problem, status=status)


def _go_on(key: Key, after: Key | None, filters: Filters) -> Any:
    """To the next question; a customer of whom another contact is in question stays. At the end, what was put off."""
    stays = request.form.get("act") == "apart" and key.sort == "match" and match_queue.is_open(key)
    there = key if stays else after or match_queue.first(filters)
    return go("matches.desk", at=str(there) if there else None, **filters.query())


def _shown(
    key: Key | None,
    filters: Filters,
    *,
    match_id: int | None = None,
    problem: Refused | None = None,
    status: int = 200,
) -> Any:
    card = match_cards.card(key, match_id=match_id) if key else None
    if key and card is None:
        raise NotFound("There is no such question (any more). The list shows what is left.")
    offered = None
    if card and card.open and "merge" in request.args and key and key.sort == "contact":
        offered, problem = _offered(card.row.ids, problem)
    values = {
        "card": card, "key": key, "filters": filters, "problem": problem, "stale": isinstance(problem, Changed),
        "left": match_queue.count(filters, certain=False), "offered": offered,
        "last": match_log.last_by(db.session(), actor().label),
        "before": match_queue.neighbour(key, filters, back=True) if key else None,
        "after": match_queue.neighbour(key, filters) if key else None,
        "shown": reading.shown_mark(key) if key else "", "stays": keeper(card.row.ids) if offered and card else None,
        "owners": dict(contacts.owners()) if offered else {},
        "bill_to": households.bill_to_among(card.row.ids) if card and card.row.key.sort == "contact" else None,
    }  # fmt: skip
    return render_template("matches/desk.html", **values), status


def _offered(ids: tuple[int, int], problem: Refused | None) -> tuple[Proposal | None, Refused | None]:
    """What the two would become; what speaks against it where they cannot be merged."""
    kept = keeper(ids)
    try:
        return contact_merges.proposal(kept, next(id_ for id_ in ids if id_ != kept)), problem
    except Refused as refusal:
        return None, problem or refusal
