"""The form of a segment's rules: from what a person typed to a tree of texts and back, and what its buttons do.

A form is flat: `node` (key, depth, kind) for each group and rule in reading order, and what belongs to a node as
`field-<key>`, `op-<key>`, `value-<key>` (one or several) and so on. Buttons (`segment_moves`) work on texts, so that
nothing has to be right before a rule is moved. What the texts mean is `domain/segments.read`'s to say. Pure.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crm.domain.segment_fields import FIELDS, MANY, OPS, PLACE_PARTS, Field

GROUP, RULE = "group", "rule"
MATCHES = ("all", "any", "none")
PERIOD = ("kind", "days", "since", "until")
ROOT = "root"
DEEPEST, MOST = 4, 40
"""Groups within groups, the outermost counted; rules of a segment."""
LONGEST = 200
"""Characters of a value that are read."""
MOST_VALUES = 60
LISTED = ("state", "postal_code", "country")
"""Fields whose values may be typed in one box, parted by commas: none of them holds a comma."""
_NODE = re.compile(r"([A-Za-z0-9]{1,20}) (\d) (group|rule)", re.ASCII)

Texts = Mapping[str, Sequence[str]]
"""A form: every name with all its texts."""


@dataclass(frozen=True, slots=True)
class Node:
    """A group with its parts, or a rule as typed."""

    key: str
    kind: str = RULE
    match: str = "all"
    field: str = ""
    op: str = ""
    values: tuple[str, ...] = ()
    period: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """A text for each of PERIOD, where the form has them."""
    q: str = ""
    """What was typed to find a value (a product)."""
    was: str = ""
    """The field its controls were drawn for: another one means that they say nothing about this one."""
    parts: tuple[Node, ...] = ()


EMPTY = Node(ROOT, GROUP)


# --- reading --------------------------------------------------------------------------------------------------


def read(form: Texts) -> Node:
    """The tree of a form, the outermost group; nodes nobody can place are left out."""
    nodes: list[tuple[int, Node]] = []
    keys: set[str] = set()
    for text in form.get("node", ()):
        found = _NODE.fullmatch(text)
        if found is None or found[1] in keys or len(nodes) > 2 * MOST:
            continue
        keys.add(found[1])
        nodes.append((int(found[2]), _node(form, found[1], found[3])))
    if not nodes or nodes[0][0] != 0 or nodes[0][1].kind != GROUP:
        return EMPTY
    return _built(nodes)


def tree(data: Mapping[str, Any]) -> Node:
    """The form of rules that are kept (`domain/segments.write`); keys are their places."""
    counted = iter(range(1, 10_000))
    return replace(_tree(data, counted), key=ROOT)


def data(node: Node) -> dict[str, Any]:
    """What `domain/segments.read` takes: groups as match and parts, rules as field, op, values, period."""
    if node.kind == GROUP:
        return {"match": node.match, "parts": [data(part) for part in node.parts]}
    period = {name: text.strip() for name, text in node.period.items() if text.strip()}
    asks = FIELDS[node.field].period if node.field in FIELDS else False
    return {"field": node.field, "op": node.op, "values": _values(node), **({"period": period} if asks else {})}


def fitted(node: Node) -> Node:
    """The tree with operators, values and periods that suit the fields that were chosen meanwhile."""
    if node.kind == GROUP:
        return replace(node, parts=tuple(fitted(part) for part in node.parts))
    field = FIELDS.get(node.field)
    if field is None:
        return replace(node, op="", values=(), period={}, q="", was=node.field)
    op = node.op if node.op in field.ops else field.ops[0]
    before = FIELDS.get(node.was)
    kept = node.values if before is None or _alike(before, field) else ()
    period = {"kind": "all", **{name: text for name, text in node.period.items() if text}} if field.period else {}
    return replace(node, op=op, values=kept, period=period, was=node.field, q=node.q if field.type == "product" else "")


def boxes(node: Node) -> int:
    """How many boxes its values need: of texts without end one more than there are, so that another can be typed."""
    op = OPS.get(node.op)
    if op is None:
        return 0
    return len(texts(node)) + 1 if op.values == MANY else op.values


def texts(node: Node) -> list[str]:
    """The values that say something."""
    return [text for text in node.values if text.strip()]


def place(node: Node) -> dict[str, str]:
    """The values of a rule about distance, by their names (PLACE_PARTS)."""
    return dict(zip(PLACE_PARTS, (*node.values, *[""] * len(PLACE_PARTS)), strict=False)) | (
        {} if len(node.values) > 1 and node.values[1] else {"unit": "mi"}
    )


def keys_by_path(node: Node, path: str = "") -> dict[str, str]:
    """Path as errors and explanations name it ("0.1") -> key of the node; the outermost group is ""."""
    found = {path: node.key}
    for at, part in enumerate(node.parts):
        found |= keys_by_path(part, f"{path}.{at}" if path else str(at))
    return found


def walk(node: Node, depth: int = 0) -> Iterator[tuple[Node, int]]:
    """Every node in reading order with its depth, the outermost group 0."""
    yield node, depth
    for part in node.parts:
        yield from walk(part, depth + 1)


def find(node: Node, key: str) -> Node | None:
    return next((one for one, _ in walk(node) if one.key == key), None)


def rules(node: Node) -> list[Node]:
    return [one for one, _ in walk(node) if one.kind == RULE]


def deepest(node: Node) -> int:
    """How many groups stand within each other, the node itself counted; 0 of a rule."""
    return 1 + max((deepest(part) for part in node.parts), default=0) if node.kind == GROUP else 0


def changed(node: Node, key: str, **values: Any) -> Node:
    """The tree with a node that is otherwise."""
    if node.key == key:
        return replace(node, **values)
    return replace(node, parts=tuple(changed(part, key, **values) for part in node.parts))


# --- within ---------------------------------------------------------------------------------------------------


def _node(form: Texts, key: str, kind: str) -> Node:
    def text(name: str) -> str:
        return next(iter(form.get(f"{name}-{key}", ())), "")[:LONGEST]

    if kind == GROUP:
        return Node(key, GROUP, match=text("match") if text("match") in MATCHES else "all")
    values = tuple(one[:LONGEST] for one in form.get(f"value-{key}", ())[:MOST_VALUES])
    period = {name: text(f"period_{name}") for name in PERIOD if f"period_{name}-{key}" in form}
    return Node(key, RULE, field=text("field"), op=text("op"), values=values, period=period, q=text("q"),
                was=text("was"))  # fmt: skip


def _values(node: Node) -> list[str]:
    """As many as the operator takes; of a list those that say something."""
    op, field = OPS.get(node.op), FIELDS.get(node.field)
    if op is None or field is None:
        return list(node.values)
    if field.type == "place":
        return [place(node)[name].strip() for name in PLACE_PARTS] if op.values else []
    if op.values != MANY:
        return [text.strip() for text in node.values[: op.values]]
    parts = ",;\n" if field.key in LISTED else "\n"
    found = [one.strip() for text in node.values for one in re.split(f"[{parts}]", text)]
    return list(dict.fromkeys(one for one in found if one))


def _alike(one: Field, other: Field) -> bool:
    """Whether a value of the one says something about the other."""
    numbers = ("money", "number", "percent", "days")
    if one.type in numbers and other.type in numbers:
        return True
    return one.type == other.type and one.options == other.options and one.choices == other.choices


def _built(nodes: Sequence[tuple[int, Node]]) -> Node:
    """The tree of nodes in reading order. A depth that no open group has counts as that of the innermost one."""
    stack: list[tuple[Node, list[Any]]] = [(nodes[0][1], [])]
    for depth, node in nodes[1:]:
        while len(stack) > max(1, depth):
            _close(stack)
        if node.kind == GROUP and len(stack) < DEEPEST:
            stack.append((node, []))
        elif node.kind == RULE:
            stack[-1][1].append(node)
    while len(stack) > 1:
        _close(stack)
    return replace(stack[0][0], key=ROOT, parts=tuple(stack[0][1]))


def _close(stack: list[tuple[Node, list[Any]]]) -> None:
    node, parts = stack.pop()
    stack[-1][1].append(replace(node, parts=tuple(parts)))


def _tree(data: Mapping[str, Any], counted: Iterator[int]) -> Node:
    key = f"n{next(counted)}"
    if "match" in data:
        parts = tuple(_tree(part, counted) for part in data.get("parts", ()))
        return Node(key, GROUP, match=str(data["match"]), parts=parts)
    period = {name: str(text) for name, text in (data.get("period") or {}).items() if name in PERIOD and text}
    values = tuple(str(text) for text in data.get("values", ()))
    field = str(data.get("field", ""))
    return Node(key, RULE, field=field, op=str(data.get("op", "")), values=values, period=period, was=field)
