"""The rule builder: reads its form, does what its buttons ask, and gathers what its page shows.

The form posts to one address whatever button is pressed, so that all of it works without scripting; htmx swaps the same
form in place. Templates: `segments/_form.html` (the form), `segments/_rules.html` (its tree), `segments/_preview.html`
(what the rules come to, asked for again while somebody types).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from babel.numbers import get_currency_symbol
from werkzeug.datastructures import MultiDict

from crm.blueprints.buying import company_day
from crm.db import db
from crm.domain import places, segment_evaluation, segment_forms, segment_moves, segments
from crm.domain.errors import Invalid
from crm.domain.segment_fields import FIELDS, OPS, PLACE_PARTS, SECTIONS, UNITS
from crm.domain.segment_forms import Node
from crm.domain.segment_periods import KINDS
from crm.domain.segment_person import Person
from crm.domain.segment_templates import TEMPLATES
from crm.domain.segments import Group
from crm.queries import products, segment_names, segment_person, segment_preview

SAVE, ENTER = "save", "enter"
FOUND = 12
SAMPLE = 8
LOOKED_AT, EACH, NAMED = 40, 3, 9
"""Of those who are one change away: looked at for names, named for each rule and in all. Whoever is named is read
whole, to say what the contact has."""
HEAD = ("name", "description", "kind")
NOTHING = "Nobody is in it yet: add a rule, and the contacts it fits are counted here."
UNRULED = "Add a rule first: a segment without rules fits nobody."


@dataclass(frozen=True, slots=True)
class Built:
    """The builder as it stands after a button was pressed."""

    tree: Node
    head: Mapping[str, str]
    """Name and description as typed."""
    template: str = ""
    """A ready-made segment whose numbers are being set; its rules follow from them."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    focus: str = ""
    """Id of the field or button that takes the focus."""
    note: str = ""
    found: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Key of a rule -> the products found for what was typed there."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What the rules say, as far as they can be read."""

    group: Group
    tree: Node
    """The nodes of `group`: those that cannot be read are left out."""
    wrong: Mapping[str, tuple[str, ...]]
    """Key of a node -> what is wrong with it, in sentences."""

    @property
    def left_out(self) -> int:
        return len(self.wrong)


def read(form: MultiDict[str, str]) -> Built:
    """The form as typed."""
    texts = form.to_dict(flat=False)
    tree = segment_forms.fitted(segment_forms.read(texts))
    head = {name: form.get(name, "")[:2000] for name in HEAD}
    return Built(tree, head, template=form["template"] if form.get("template") in TEMPLATES else "")


def asks(form: Mapping[str, str]) -> bool:
    """Whether a button was pressed that saves nothing; a choice that redraws the form presses none at all."""
    return form.get("action", "") != SAVE


def acted(form: MultiDict[str, str]) -> Built:
    """What the pressed button makes of the form."""
    built = read(form)
    deed, _, key = form.get("action", "").partition(":")
    if "pick" in form:
        key, _, product = form["pick"].partition(":")
        return _picked(built, key, product)
    if deed == "drop":
        key, _, product = key.partition(":")
        node = segment_forms.find(built.tree, key)
        values = tuple(one for one in node.values if one != product) if node else ()
        return replace(built, tree=segment_forms.changed(built.tree, key, values=values), focus=f"f-q-{key}")
    if deed == ENTER:
        key = next((one.key for one in segment_forms.rules(built.tree) if one.q.strip()), "")
        deed = "find" if key else ""
    if deed == "find":
        return _found(built, key)
    done = segment_moves.acted(built.tree, deed, key)
    return replace(built, tree=done.tree, focus=done.focus, note=done.note)


def meant(tree: Node) -> Meant:
    """What the tree says. A rule that cannot be read is left out, and so is a group with no other."""
    placed, wrong = _placed(tree)
    kept, paths = placed, segment_forms.keys_by_path(placed)
    for _ in range(2):
        try:
            return Meant(segments.read(segment_forms.data(kept)), kept, wrong)
        except Invalid as problem:
            for path, words in problem.fields.items():
                key = paths.get(path) or paths.get(path.rpartition(".")[0], segment_forms.ROOT)
                said = wrong.get(key, ())
                wrong[key] = said if key in wrong and path.endswith("value") else (*said, str(words))
            kept = _without(placed, wrong)
            paths = segment_forms.keys_by_path(kept)
    return Meant(Group(), segment_forms.EMPTY, wrong)


def preview_values(tree: Node) -> dict[str, Any]:
    """Everything `segments/_preview.html` needs: how many, their money, some of them, and who is one change away."""
    said, day = meant(tree), company_day()
    names, currency = segment_names.names(said.group), products.home_currency()
    values: dict[str, Any] = {
        "words": segments.words(said.group, names, currency) if said.group.parts else "", "currency": currency,
        "left_out": said.left_out, "nothing": NOTHING, "preview": None, "away": [],
    }  # fmt: skip
    if segments.leaves(said.group):
        values["preview"] = segment_preview.preview(said.group, day.today)
        values["away"] = _away(said.group, names, day.today)
    return values


def _away(group: Group, names: Mapping[str, Mapping[str, str]], today: Any) -> list[dict[str, Any]]:
    """What each rule alone keeps out, the most first, with some of the contacts and what each has instead."""
    near = segment_preview.one_change_away(group, today, LOOKED_AT)
    told = {path: segments.rule_words(rule, names, products.home_currency()) for path, rule in segments.leaves(group)}
    named: dict[str, list[Any]] = {}
    for row, path in near.rows:
        if len(named.get(path, ())) < EACH and sum(map(len, named.values())) < NAMED:
            named.setdefault(path, []).append(row)
    people = segment_person.people([row.id for rows in named.values() for row in rows])
    some = {
        path: [(row, _has(group, people[row.id], path, today)) for row in rows if row.id in people]
        for path, rows in named.items()
    }
    found = [
        {"words": told[path], "count": count, "path": path, "some": some.get(path, [])}
        for path, count in near.counts.items() if count
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one["count"])


def _has(group: Group, person: Person, path: str, today: Any) -> str:
    """What the person has where the rule asks for something else."""
    outcome = segment_evaluation.evaluate(group, person, today)
    return next(one.value for one in outcome.rules() if one.path == path)


def page_values(built: Built, *, errors: Mapping[str, str]) -> dict[str, Any]:
    """Everything `segments/_form.html` needs but its addresses. `errors`: what to say on top; where there are
    any, rules say theirs too."""
    said = meant(built.tree)
    ids = [one for node in segment_forms.rules(built.tree) for one in node.values if _is_product(node)]
    return {
        "built": built, "tree": built.tree, "focus": built.focus, "errors": dict(errors),
        "build": {
            "sections": [(name, [one for one in FIELDS.values() if one.section == name]) for name in SECTIONS],
            "fields": FIELDS, "ops": OPS, "periods": KINDS, "units": UNITS, "wrong": said.wrong if errors else {},
            "options": segment_names.options(), "products": segment_names.products(ids), "found": built.found,
            "place": segment_forms.place, "boxes": segment_forms.boxes, "currency": products.home_currency(),
            "deepest": segment_forms.DEEPEST, "sign": get_currency_symbol(products.home_currency(), locale="en_US"),
        },
        **preview_values(built.tree),
    }  # fmt: skip


def wrong_of(said: Meant, tree: Node) -> dict[str, str]:
    """The sentences for the top of the form: name of a control -> what is wrong with it."""
    found = {} if segment_forms.rules(tree) else {"match-root": UNRULED}
    for node, _ in segment_forms.walk(tree):
        for number, words in enumerate(said.wrong.get(node.key, ())):
            anchor = f"field-{node.key}" if node.kind == segment_forms.RULE else f"match-{node.key}"
            found[anchor if not number else f"{anchor}-{number}"] = words
    return found


def _placed(tree: Node) -> tuple[Node, dict[str, tuple[str, ...]]]:
    """The tree with every place that was typed found, and the sentences where it was not."""
    wrong: dict[str, tuple[str, ...]] = {}
    for node in segment_forms.rules(tree):
        about = FIELDS.get(node.field)
        if about is None or about.type != "place" or not OPS[node.op].values:
            continue
        parts = segment_forms.place(node)
        try:
            found = places.resolve(parts["typed"])
        except Invalid as problem:
            wrong[node.key] = (str(problem),)
            continue
        parts |= {"label": found.label, "x": str(found.x), "y": str(found.y), "z": str(found.z)}
        tree = segment_forms.changed(tree, node.key, values=tuple(parts[name] for name in PLACE_PARTS))
    return tree, wrong


def _without(tree: Node, keys: Mapping[str, Any]) -> Node:
    parts = []
    for part in tree.parts:
        if part.key in keys:
            continue
        left = _without(part, keys) if part.kind == segment_forms.GROUP else part
        if left.kind == segment_forms.RULE or left.parts or not part.parts:
            parts.append(left)
    return replace(tree, parts=tuple(parts))


def _picked(built: Built, key: str, product: str) -> Built:
    node = segment_forms.find(built.tree, key)
    known = product.isascii() and product.isdigit() and len(product) < 10
    if node is None or not known:
        return built
    values = tuple(dict.fromkeys((*node.values, product)))
    return replace(built, tree=segment_forms.changed(built.tree, key, values=values, q=""), focus=f"f-q-{key}")


def _found(built: Built, key: str) -> Built:
    """The product that is meant, or a choice."""
    node = segment_forms.find(built.tree, key)
    if node is None or not node.q.strip():
        return built
    found = products.pick(db.session(), node.q.strip(), FOUND)
    if len(found) == 1:
        return _picked(built, key, str(found[0].id))
    return replace(built, found={key: found}, focus=f"f-q-{key}")


def _is_product(node: Node) -> bool:
    return node.field in FIELDS and FIELDS[node.field].type == "product"
