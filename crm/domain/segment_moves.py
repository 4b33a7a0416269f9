"""What the buttons of the rule builder do: rules and groups are added, taken out, moved. Works on texts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crm.domain.segment_forms import DEEPEST, GROUP, MOST, ROOT, RULE, Node, changed, deepest, find, rules, walk


@dataclass(frozen=True, slots=True)
class Acted:
    """The tree after a button was pressed, and the id of what takes the focus."""

    tree: Node
    focus: str = ""
    note: str = ""
    """Why nothing was done, in a sentence."""


def acted(node: Node, deed: str, key: str) -> Acted:
    """What `add`, `group`, `remove`, `up`, `down` at a node make of the tree; unknown ones leave it as it is."""
    at = find(node, key)
    if at is None:
        return Acted(node)
    if deed in ("add", "group") and at.kind == GROUP:
        return _added(node, at, deed)
    if key == ROOT:
        return Acted(node)
    if deed == "remove":
        return _removed(node, key)
    if deed in ("up", "down"):
        return Acted(_moved(node, at, 1 if deed == "down" else -1), f"{deed}-{key}")
    return Acted(node)


def fresh_key(node: Node) -> str:
    taken = {one.key for one, _ in walk(node)}
    return next(key for number in range(1, 10_000) if (key := f"n{number}") not in taken)


def _added(node: Node, into: Node, deed: str) -> Acted:
    if len(rules(node)) >= MOST:
        return Acted(node, note=f"A segment has up to {MOST} rules. Split this one into two segments.")
    new = fresh_key(node)
    rule = Node(new)
    if deed == "group":
        if depth_of(node, into.key) + 2 > DEEPEST:
            return Acted(node, note=f"Groups stand up to {DEEPEST} deep within each other. Add a rule here instead.")
        group = Node(new, GROUP, match="any" if into.match == "all" else "all")
        rule = Node(fresh_key(changed(node, into.key, parts=(*into.parts, group))))
        return Acted(changed(node, into.key, parts=(*into.parts, replace(group, parts=(rule,)))), f"f-field-{rule.key}")
    return Acted(changed(node, into.key, parts=(*into.parts, rule)), f"f-field-{new}")


def _removed(node: Node, key: str) -> Acted:
    """Without the node; the focus goes to what comes next beside it, or to its group's button."""
    parent = parent_of(node, key)
    place = [part.key for part in parent.parts].index(key)
    rest = tuple(part for part in parent.parts if part.key != key)
    focus = f"add-{parent.key}"
    if rest:
        beside = rest[min(place, len(rest) - 1)]
        focus = f"f-field-{beside.key}" if beside.kind == RULE else f"f-match-{beside.key}"
    return Acted(changed(node, parent.key, parts=rest), focus)


def _moved(node: Node, at: Node, by: int) -> Node:
    """One step in reading order: past a rule, into a group beside it, out of its own group at the end of that."""
    parent = parent_of(node, at.key)
    parts = list(parent.parts)
    place = next(number for number, part in enumerate(parts) if part.key == at.key)
    parts.pop(place)
    without = changed(node, parent.key, parts=tuple(parts))
    beside = parts[place + by if by < 0 else place] if 0 <= place + by <= len(parts) else None
    if beside is None:
        return _out(node, without, parent, at, by)
    if beside.kind == GROUP and depth_of(node, beside.key) + 1 + deepest(at) <= DEEPEST:
        inner = (at, *beside.parts) if by > 0 else (*beside.parts, at)
        return changed(without, beside.key, parts=inner)
    parts.insert(place + by, at)
    return changed(node, parent.key, parts=tuple(parts))


def _out(node: Node, without: Node, parent: Node, at: Node, by: int) -> Node:
    if parent.key == ROOT:
        return node
    grand = parent_of(without, parent.key)
    parts = list(grand.parts)
    place = next(number for number, part in enumerate(parts) if part.key == parent.key)
    parts.insert(place + (by > 0), at)
    return changed(without, grand.key, parts=tuple(parts))


def parent_of(node: Node, key: str) -> Node:
    """The group a node stands in. Raises KeyError for the outermost group and for what is not there."""
    for one, _ in walk(node):
        if any(part.key == key for part in one.parts):
            return one
    raise KeyError(key)


def depth_of(node: Node, key: str) -> int:
    return next(depth for one, depth in walk(node) if one.key == key)
