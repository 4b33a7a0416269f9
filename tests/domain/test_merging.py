"""Base, ours, theirs: every decision of the table, and what holds for any three."""

from __future__ import annotations

import random

import pytest

from crm.domain.merging import merge

FIELDS = ("address", "email", "name", "phone")
TEXTS = ("", "a", "b", "c")


@pytest.mark.parametrize(("base", "ours", "theirs", "value", "where", "agreed"), [
    ("a", "a", "b", "b", "taken", "b"),
    ("a", "b", "a", "b", "kept", "a"),
    ("a", "b", "c", "b", "differing", "a"),
    ("a", "b", "b", "b", "", "b"),
    ("a", "a", "", "a", "differing", "a"),
    ("a", "", "a", "", "kept", "a"),
    ("a", "", "b", "", "differing", "a"),
    ("", "", "b", "b", "taken", "b"),
    ("", "a", "b", "a", "differing", ""),
    (None, "", "b", "b", "taken", "b"),
    (None, "a", "b", "a", "differing", None),
    (None, "a", "", "a", "differing", None),
    (None, "a", "a", "a", "", "a"),
])  # fmt: skip
def test_each_case_has_one_outcome(
    base: str | None, ours: str, theirs: str, value: str, where: str, agreed: str | None
) -> None:
    merged = merge({} if base is None else {"name": base}, {"name": ours}, {"name": theirs})
    assert merged.values == {"name": value}
    found = {"taken": merged.taken, "kept": merged.kept, "differing": merged.differing}
    assert found == {name: ("name",) if name == where else () for name in found}
    assert merged.base.get("name") == agreed


def threes() -> list[tuple[dict[str, str], dict[str, str], dict[str, str]]]:
    pick = random.Random(7)

    def side(missing: float) -> dict[str, str]:
        return {name: pick.choice(TEXTS) for name in FIELDS if pick.random() >= missing}

    return [(side(0.3), side(0), side(0)) for _ in range(2000)]


def test_a_local_edit_and_a_full_value_are_never_lost() -> None:
    for base, ours, theirs in threes():
        merged = merge(base, ours, theirs)
        for name in FIELDS:
            edited = name in base and ours[name] != base[name]
            if edited or not theirs[name] or (name not in base and ours[name]):
                assert merged.values[name] == ours[name], (base, ours, theirs)


def test_a_change_made_there_alone_is_always_taken() -> None:
    for base, ours, theirs in threes():
        merged = merge(base, ours, theirs)
        assert all(
            merged.values[n] == theirs[n] for n in FIELDS if n in base and ours[n] == base[n] and theirs[n]
        ), (base, ours, theirs)  # fmt: skip


def test_merging_twice_changes_nothing_the_second_time() -> None:
    for base, ours, theirs in threes():
        once = merge(base, ours, theirs)
        again = merge(once.base, once.values, theirs)
        assert (again.values, again.taken, again.base) == (once.values, (), once.base)
        assert (again.kept, again.differing) == (once.kept, once.differing)


def test_the_order_of_the_fields_does_not_matter() -> None:
    for base, ours, theirs in threes():
        turned = ({name: side[name] for name in reversed(side)} for side in (base, ours, theirs))
        assert merge(*turned) == merge(base, ours, theirs)
