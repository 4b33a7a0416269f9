"""How matching decides: reasons with their points, rules with their outcomes, a preview before anything is saved."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain import match_learning as learning
from crm.domain import match_settings as rules
from crm.domain.errors import Invalid
from crm.domain.evidence import BEST
from crm.domain.matching import MARGIN, RULES, USUAL_OUTCOMES
from crm.formats import plural
from crm.queries import match_learning, match_preview
from crm.queries import match_settings as queries
from crm.security import requires
from crm.services import match_learning as learn_service
from crm.services import match_settings as service
from crm.web import go, page

blueprint = Blueprint("match_settings", __name__, url_prefix="/matches/settings")
SAVED = "Saved. It counts from now on; links that stand were not changed."


@blueprint.get("")
@requires("matches.decide")
def index() -> Any:
    return _page()


@blueprint.post("")
@requires("connections.manage")
@answers_on("match_settings.index")
def save() -> Any:
    """The button `preview` shows what would change, and saves nothing."""
    chosen = rules.read(request.form)
    if request.form.get("action") == "preview":
        return _page(preview=chosen)
    with transaction():
        again = service.save(chosen, version=_version(), actor=actor(), now=clock.now())
    return _done(again)


@blueprint.post("/learn")
@requires("connections.manage")
@answers_on("match_settings.index")
def learn() -> Any:
    with transaction():
        changes = learn_service.learn(version=_version(), actor=actor(), now=clock.now())
    flash(f"Learned: {'; '.join(changes)}." if changes else "Nothing new was learned: all points stay.", "success")
    return go("match_settings.index")


@blueprint.post("/versions/<int:version>/restore")
@requires("connections.manage")
@answers_on("match_settings.index")
def restore(version: int) -> Any:
    with transaction():
        again = service.restore(version, version=_version(), actor=actor(), now=clock.now())
    return _done(again)


def _done(again: int) -> Any:
    flash(SAVED + (f" {plural(again, 'waiting customer')} will be decided about again." if again else ""), "success")
    return go("match_settings.index")


def _page(*, preview: rules.Chosen | None = None) -> Any:
    session = db.session()
    standing, decided = queries.standing(session), match_learning.decided(session)
    chosen = standing.chosen
    groups = None
    if preview is not None:
        groups = match_preview.preview(session, standing.settings, preview.settings(standing.weights))
    return page(
        "match_settings/index.html",
        standing=standing, values=_values(chosen), rule_list=[rule for rule in RULES if rule.name in rules.RULE_NAMES],
        choices={name: [(str(one), rules.OUTCOME_WORDS[one]) for one in rules.choices(name)]
                 for name in rules.RULE_NAMES},
        usual=USUAL_OUTCOMES, words=rules.OUTCOME_WORDS,
        reasons=learning.explained(decided.counts, decided.total, standing.settings.weights),
        decided=decided.total, learning=learning, bounds=(MARGIN, rules.LEAST_MARGIN, rules.MOST_MARGIN, BEST),
        history=queries.history(session), groups=groups, limits=match_preview.LIMITS,
        changes=rules.told(chosen, preview) if preview is not None else (),
        errors=g.refusal.fields if "refusal" in g else {},
    )  # fmt: skip


def _values(chosen: rules.Chosen) -> dict[str, str]:
    """What the form shows: what was typed, else what stands."""
    if request.method == "POST" and "margin" in request.form:
        return {"learning": "", **request.form.to_dict()}
    outcomes = {f"rule-{name}": str(chosen.outcomes.get(name, USUAL_OUTCOMES[name])) for name in rules.RULE_NAMES}
    least = "" if chosen.least_score is None else str(chosen.least_score)
    return {**outcomes, "margin": str(chosen.margin), "least_score": least, "learning": "1" if chosen.learning else ""}


def _version() -> int:
    text = request.form.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise Invalid({"version": "The form does not say which version it shows. Load the page again."})
    return int(text)
