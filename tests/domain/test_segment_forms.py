"""The form of a segment's rules: read back as it was shown, moved step by step, never more than can be overseen."""

from __future__ import annotations

import pytest

from crm.domain import segment_forms as forms
from crm.domain import segment_moves as moves
from crm.domain.segment_forms import GROUP, Node

DATA = {"match": "all", "parts": [
    {"field": "balance", "op": "more", "values": ["500"]},
    {"match": "any", "parts": [
        {"field": "sales", "op": "between", "values": ["1", "2"], "period": {"kind": "days", "days": "30"}},
        {"field": "state", "op": "one_of", "values": ["KS", "MO"]},
    ]},
]}  # fmt: skip


def shown(tree: Node) -> list[tuple[str, int]]:
    return [(node.key, depth) for node, depth in forms.walk(tree)]


def test_rules_that_are_kept_come_back_the_same() -> None:
    assert forms.data(forms.tree(DATA)) == DATA


def test_a_form_is_read_as_it_was_shown() -> None:
    form = {"node": ["root 0 group", "a 1 rule", "b 1 group", "c 2 rule"], "match-root": ["none"], "match-b": ["odd"],
            "field-a": ["balance"], "op-a": ["between"], "value-a": ["", "9"], "field-c": ["x" * 300]}  # fmt: skip
    tree = forms.read(form)
    assert shown(tree) == [("root", 0), ("a", 1), ("b", 1), ("c", 2)] and tree.match == "none"
    assert tree.parts[0].values == ("", "9") and tree.parts[1].match == "all"
    assert len(tree.parts[1].parts[0].field) == forms.LONGEST
    assert forms.data(tree)["parts"][0]["values"] == ["", "9"], "which of the two is missing is seen"


@pytest.mark.parametrize("nodes", [[], ["a 1 rule"], ["root 0 rule"], ["root 0 group", "root 1 rule"], ["a b c"]])
def test_a_form_that_makes_no_tree_is_an_empty_group(nodes: list[str]) -> None:
    assert forms.read({"node": nodes}).parts == ()


def test_paths_of_errors_lead_to_nodes() -> None:
    assert forms.keys_by_path(forms.tree(DATA)) == {"": "root", "0": "n2", "1": "n3", "1.0": "n4", "1.1": "n5"}


def test_a_rule_walks_through_the_tree_and_back() -> None:
    start = tree = forms.tree(DATA)
    seen = []
    for _ in range(4):
        tree = moves.acted(tree, "down", "n2").tree
        seen.append([key for key, _ in shown(tree)].index("n2"))
    assert seen == [2, 3, 4, 4] and shown(tree)[-1] == ("n2", 1)
    for _ in range(4):
        tree = moves.acted(tree, "up", "n2").tree
    assert tree == start


def test_a_group_never_gets_deeper_than_is_allowed() -> None:
    nest = Node("d", GROUP, parts=(Node("e", GROUP, parts=(Node("f"),)),))
    tree = Node("root", GROUP, parts=(nest, Node("b", GROUP, parts=(Node("c", GROUP),))))
    down = moves.acted(tree, "down", "d").tree
    assert forms.deepest(down) == 4 and shown(down)[1:3] == [("b", 1), ("d", 2)]
    again = moves.acted(moves.acted(down, "down", "d").tree, "down", "d").tree
    assert forms.deepest(again) <= forms.DEEPEST


def test_what_is_taken_out_hands_the_focus_on() -> None:
    tree = forms.tree(DATA)
    done = moves.acted(tree, "remove", "n4")
    assert done.focus == "f-field-n5" and moves.acted(done.tree, "remove", "n5").focus == "add-n3"
    assert moves.acted(tree, "remove", "root").tree == tree and moves.acted(tree, "remove", "zz").tree == tree


def test_several_values_in_one_box_are_parted_where_no_value_holds_a_comma() -> None:
    state = Node("a", field="state", op="one_of", values=("KS, MO; NE", "", "KS"))
    name = Node("b", field="name", op="one_of", values=("Fox, Amy",))
    assert forms.data(state)["values"] == ["KS", "MO", "NE"] and forms.data(name)["values"] == ["Fox, Amy"]
    assert forms.boxes(state) == 3, "one more than there are"
