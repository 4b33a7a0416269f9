"""Ready-made segments: a few numbers to set in place of rules, until somebody wants the rules themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from crm.blueprints.buying import company_day
from crm.blueprints.segments.rules import Built
from crm.domain import segment_forms, segment_templates, segments
from crm.domain.errors import Invalid
from crm.domain.segment_fields import MONTHS
from crm.domain.segment_templates import TEMPLATES

SET = "set-"


def beginning(key: str) -> Built:
    """The ready-made segment with the numbers it is usually used with; of the season, with the months that come."""
    template = TEMPLATES[key]
    ahead = segment_templates.months_around(company_day().today)
    numbers = {one.key: ahead if one.type == "months" else one.default for one in template.numbers}
    head = {"name": template.name, "description": template.help}
    return applied(Built(segment_forms.EMPTY, head, template=key, numbers=numbers, focus="f-name"))


def read(form: MultiDict[str, str], built: Built) -> Built:
    """With the numbers of the form, and the rules they make."""
    numbers = {
        one.key: ",".join(form.getlist(SET + one.key)) if one.type == "months" else form.get(SET + one.key, "")[:200]
        for one in TEMPLATES[built.template].numbers
    }
    return applied(replace(built, numbers=numbers))


def applied(built: Built) -> Built:
    """With the rules its numbers make; without any where a number cannot be read."""
    try:
        group = TEMPLATES[built.template].rules(built.numbers)
    except Invalid:
        return replace(built, tree=segment_forms.EMPTY)
    return replace(built, tree=segment_forms.tree(segments.write(group)))


def acted(built: Built, action: str) -> Built:
    """With the same numbers, or (`open`) with the rules themselves, to be changed like any others."""
    if action == "open" and not wrong(built):
        return replace(built, template="", numbers={}, focus="f-match-root")
    return built


def wrong(built: Built) -> dict[str, str]:
    """Field of the form -> what is wrong with its number, in a sentence."""
    if not built.template:
        return {}
    try:
        TEMPLATES[built.template].rules(built.numbers)
    except Invalid as problem:
        return {SET + name: str(words) for name, words in problem.fields.items()}
    return {}


def page_values(built: Built) -> Mapping[str, Any]:
    return {"ready": TEMPLATES[built.template], "number_errors": wrong(built), "months": MONTHS}
