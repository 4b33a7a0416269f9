"""Who is in a segment: the database, the plain evaluation and the explanation agree, on random worlds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm.db import db
from crm.domain.segment_evaluation import evaluate, one_change_away
from crm.domain.segment_fields import FIELDS
from crm.domain.segment_person import Person
from crm.domain.segments import Group, Rule, leaves
from crm.models import Contact
from crm.queries import segment_conditions, segment_person, segment_preview, segment_sql
from crm.queries.segment_measures import MEASURES
from tests.queries.segment_edges import EDGES, edge_rules
from tests.queries.segment_worlds import TODAY, examples, rules, store, trees, worlds


def ids(group: Group, scope: object = None) -> set[int]:
    return set(db.session.scalars(segment_sql.members(group, today=TODAY, scope=scope)))  # type: ignore[arg-type]


def in_plain(group: Group, people: tuple[Person, ...]) -> set[int]:
    return {one.id for one in people if evaluate(group, one, TODAY).passed}


@st.composite
def one_of_each(draw: st.DrawFn) -> list[Rule]:
    """A rule about every field there is."""
    return [draw(rules((field,))) for field in FIELDS]


@examples(4)
@given(drawn=worlds, each=one_of_each())
def test_every_field_alone_gives_what_the_plain_evaluation_gives(
    app: Flask, drawn: list[Person], each: list[Rule]
) -> None:
    people = store(drawn)
    for rule in each:
        group = Group("all", (rule,))
        assert ids(group) == in_plain(group, people), rule


def test_at_every_edge_the_database_says_what_the_plain_evaluation_says(app: Flask) -> None:
    """Figures are asked of everybody and, as after a change, of some by number: the two are not worked out alike."""
    people, everybody = store(EDGES), select(Contact.id).where(Contact.id > 0)
    for rule in edge_rules():
        group = Group("all", (rule,))
        assert ids(group) == in_plain(group, people), rule
        assert rule.field not in MEASURES or ids(group, everybody) == in_plain(group, people), rule


@examples(15)
@given(drawn=worlds, wanted=st.lists(trees, min_size=4, max_size=4), some=st.frozensets(st.integers(1, 6)))
def test_trees_of_rules_and_a_scope_that_narrows_them(
    app: Flask, drawn: list[Person], wanted: list[Group], some: frozenset[int]
) -> None:
    people = store(drawn)
    scope = select(Contact.id).where(Contact.id.in_(some))
    for group in wanted:
        found = ids(group)
        assert found == in_plain(group, people)
        shown = segment_preview.preview(group, TODAY, sample=3)
        books = {one.id: one.books for one in people if one.id in found and one.books is not None}
        assert (shown.count, shown.total_sales, shown.balance) == (
            len(found), sum(one.total_sales for one in books.values()), sum(one.balance or 0 for one in books.values())
        )  # fmt: skip
        highest = sorted(found, key=lambda id_: (id_ not in books, -books[id_].total_sales if id_ in books else 0, id_))
        assert [row.id for row in shown.sample] == highest[:3]
        assert ids(group, scope) == found & some


@examples(15)
@given(drawn=worlds, group=trees)
def test_a_contact_is_read_as_it_is_stored_so_the_explanation_agrees(
    app: Flask, drawn: list[Person], group: Group
) -> None:
    people = store(drawn)
    found, all_read = ids(group), segment_person.people([one.id for one in people])
    for one in people:
        read = all_read[one.id]
        assert replace(read, invoices=by_id(read.invoices), quotes=by_id(read.quotes)) == one
        explained = evaluate(group, read, TODAY)
        assert explained.passed == (one.id in found)
        assert [outcome.path for outcome in explained.rules()] == [path for path, _ in leaves(group)]
        assert all(outcome.value for outcome in explained.rules())


@examples(15)
@given(drawn=worlds, group=trees)
def test_one_change_away_is_who_would_be_in_with_one_answer_turned_over(
    app: Flask, drawn: list[Person], group: Group
) -> None:
    people = store(drawn)
    paths = [path for path, _ in leaves(group)]
    near = segment_preview.one_change_away(group, TODAY, limit=10)
    if len(paths) < 2:
        assert not any(near.counts.values())
        return
    away = {one.id: one_change_away(group, one, TODAY) for one in people}
    assert near.counts == {path: sum(path in found for found in away.values()) for path in paths}
    assert {row.id for row, _ in near.rows} == {id_ for id_, found in away.items() if found}
    assert all(path in away[row.id] for row, path in near.rows)


def test_the_count_while_building_is_the_one_that_is_saved_also_of_groups_without_rules(app: Flask) -> None:
    store([Person(id=0, name="Amy")])
    for group in (Group("all", (Group("none", (Group("any"),)),)), Group("none", (Group("all"),)), Group("none")):
        assert segment_preview.preview(group, TODAY).count == len(ids(group)), group


def test_the_count_is_of_all_however_few_are_shown(app: Flask) -> None:
    store([Person(id=0, name="Amy"), Person(id=1, name="Ben")])
    everybody = Group("none", (Rule("name", "one_of", ("Cy",)),))
    for sample in (0, 1, 8):
        shown = segment_preview.preview(everybody, TODAY, sample=sample)
        assert (shown.count, len(shown.sample)) == (2, min(sample, 2))


def by_id(documents: Any) -> Any:
    return tuple(sorted(documents, key=lambda one: one.id))


def test_many_texts_are_found_as_few_are(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    people = store(
        [Person(id=0, name=f"n{at}", company=text) for at, text in enumerate(('Łódź "A"', "lodz b", "x", ""))]
    )
    monkeypatch.setattr(segment_conditions, "MOST_LISTED", 0)
    for op in ("contains", "not_contains", "one_of", "none_of", "begins"):
        group = Group("all", (Rule("company", op, ("ŁODZ",)),))
        assert ids(group) == in_plain(group, people)
    assert ids(Group("all", (Rule("company", "contains", ("lodz",)),))) == {1, 2}
