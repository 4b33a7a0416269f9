"""The queue of the match desk: each order whole and without gaps both ways, its table kept by triggers, its indexes."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, event, func, insert, select, text, update

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, Duplicate, Match, OpenMatch
from crm.queries import match_queue, match_rows, text_search
from crm.queries.match_parts import Filters, Key
from tests.services.test_sync_matching import connection  # noqa: F401

ORDERS = ("stake", "score", "newest", "name")
NAMES = ("Anna Berg", "Bea Kelerman", "Cora O'Neil", "Dan Fox", "Eva Kelerman", "100% Oak")


@pytest.fixture
def open_ones(connection: Connection) -> None:  # noqa: F811
    """Some of each sort; many are alike in money, points or name, and some balances were never read."""
    chance, now = random.Random(4), clock.now()
    common = {"search_text": "", "created_at": now, "updated_at": now}
    people, books, proposals, twins = [], [], [], []
    for n in range(1, 41):
        name = f"{chance.choice(NAMES)} {n}" if n % 3 else chance.choice(NAMES)
        people.append({"id": n, "display_name": name, "sort_name": name.lower(), **common,
                       "search_text": f" {name.lower()}"})  # fmt: skip
        owed = chance.choice([None, Decimal(0), Decimal(0), Decimal("7.5"), Decimal(n)])
        books.append({"id": n, "connection_id": connection.id, "remote_id": str(n), "display_name": name[::-1],
                      "balance_with_jobs": owed, "seen_at": now, "record": {},
                      "match_state": "review" if n <= 30 else "linked"})  # fmt: skip
    for n in range(1, 31):
        for rank in range(chance.choice([1, 2])):
            proposals.append({"connection_id": connection.id, "customer_id": n, "contact_id": (n + rank) % 40 + 1,
                              "state": "proposed", "rank": rank, "score": chance.choice([40, 60, 60]) - rank,
                              "rule": "name_only", "decided_at": now - timedelta(days=n % 4)})  # fmt: skip
        for sort in ("contact", "customer"):
            twins.append({"sort": sort, "one_id": n, "other_id": n + 10, "stake": Decimal(chance.choice([0, 0, 7])),
                          "score": chance.choice([40, 60]), "found_at": now - timedelta(days=n % 4), "evidence": [],
                          "rule": "name_only", "outcome": "same" if n % 10 == 0 else "doubtful",
                          "connection_id": connection.id if sort == "customer" else None})  # fmt: skip
    with transaction() as session:
        for table, rows in ((Contact, people), (Customer, books), (Match, proposals), (Duplicate, twins)):
            session.execute(insert(table), rows)


def whole(filters: Filters, *, certain: bool = False) -> list[Key]:
    return match_queue.keys(filters, certain=certain, limit=1000)


def values(key: Key, sort: str) -> tuple[Any, ...]:
    """What the question is ordered by, read from where it really stands."""
    if key.sort == "match":
        customer = db.session.get_one(Customer, key.id)
        proposed = select(Match).where(Match.customer_id == key.id, Match.state == "proposed")
        best = db.session.scalars(proposed.order_by(Match.rank, Match.id)).first()
        assert best is not None
        stake = customer.balance_with_jobs if customer.balance_with_jobs is not None else Decimal(-(10**9))
        found: dict[str, Any] = {"stake": stake, "score": best.score, "found_at": best.decided_at,
                                 "name": customer.display_name.lower()}  # fmt: skip
    else:
        pair = db.session.get_one(Duplicate, key.id)
        model: Any = Contact if key.sort == "contact" else Customer
        found = {"stake": pair.stake, "score": pair.score, "found_at": pair.found_at,
                 "name": db.session.get_one(model, pair.one_id).display_name.lower()}  # fmt: skip
    return tuple(found[name] for name in match_queue.ORDERS[sort][0])


def assert_kept(expected: int) -> None:
    """The table says of each customer that waits what its rows say, and of nobody else anything."""
    db.session.remove()
    proposed = select(Match.customer_id).where(Match.state == "proposed")
    waits = select(Customer.id).where(Customer.match_state == "review", Customer.id.in_(proposed))
    rows = {row.customer_id: row for row in db.session.scalars(select(OpenMatch))}
    assert set(rows) == set(db.session.scalars(waits)) and len(rows) == expected
    for id_, row in rows.items():
        key = Key("match", id_)
        assert (row.stake, row.score) == values(key, "stake") and (row.found_at,) == values(key, "newest"), id_
        assert (row.name,) == values(key, "name")


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.usefixtures("open_ones")
def test_every_order_is_kept_over_pages_and_from_question_to_question_both_ways(sort: str) -> None:
    filters = Filters(sort=sort)
    found = whole(filters)
    assert len(found) == len(set(found)) == 30 + 27 + 27 == match_queue.count(filters, certain=False)
    ordered = [values(key, sort) for key in found]
    if sort != "name":  # how texts are ordered is the database's own affair
        assert ordered == sorted(ordered, reverse=True)
    assert [key for page in match_queue.every(filters, certain=False, size=7) for key in page] == found
    pages = [match_queue.keys(filters, certain=False, limit=10, offset=n) for n in range(0, 90, 10)]
    assert [key for page in pages for key in page] == found
    assert match_queue.first(filters) == found[0]
    for one, after in zip(found, [*found[1:], None], strict=True):
        assert match_queue.neighbour(one, filters) == after
        if after is not None:
            assert match_queue.neighbour(after, filters, back=True) == one


@pytest.mark.usefixtures("open_ones")
def test_what_waits_is_known_at_once_whoever_changed_it() -> None:
    assert_kept(30)
    best = select(Match.id).where(Match.customer_id == 5, Match.state == "proposed")
    with transaction() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(display_name="Zoe", balance_with_jobs=None))
        session.execute(update(Customer).where(Customer.id == 2).values(match_state="linked"))
        session.execute(update(Customer).where(Customer.id == 3).values(match_state="new"))
        session.execute(update(Match).where(Match.customer_id == 4).values(state="rejected"))
        session.execute(update(Match).where(Match.customer_id == 5, Match.rank == 0).values(state="rejected"))
        session.execute(update(Match).where(Match.customer_id == 6).values(score=99, rule="generation"))
        session.execute(delete(Match).where(Match.customer_id == 7))
    left = 30 - 4 - (0 if db.session.scalar(best.limit(1)) else 1)
    assert_kept(left)
    with transaction() as session:
        session.execute(update(Customer).where(Customer.id.in_((2, 3))).values(match_state="review"))
        session.execute(update(Match).where(Match.customer_id == 4).values(state="proposed"))
    assert_kept(left + 3)
    with transaction() as session:
        session.execute(delete(Customer).where(Customer.id == 1))
    assert_kept(left + 2)


@pytest.mark.usefixtures("open_ones")
def test_a_pair_is_listed_by_the_name_its_first_one_has_by_now() -> None:
    with transaction() as session:
        session.execute(update(Contact).where(Contact.id == 1).values(display_name="AAA Tiles"))
        session.execute(update(Customer).where(Customer.id == 2).values(display_name="Aaa Wood"))
    names = select(Duplicate.name).where(Duplicate.name.startswith("aaa")).order_by(Duplicate.name)
    assert db.session.scalars(names).all() == ["aaa tiles", "aaa wood"]
    assert not db.session.scalar(select(func.count()).select_from(Duplicate).where(Duplicate.name == ""))


@pytest.mark.parametrize("many", [1, 10**6], ids=["looked up", "gone through"])
@pytest.mark.parametrize("q", ["kelerman", "namrelek", "berg anna", "be", "a", "100%", "cora", "nobody"])
@pytest.mark.usefixtures("open_ones")
def test_a_search_finds_the_same_by_the_index_and_without(monkeypatch: pytest.MonkeyPatch, q: str, many: int) -> None:
    filters = Filters(q=q)
    by_index = [whole(filters), whole(filters, certain=True), match_queue.count(filters, certain=False)]
    assert by_index[2] == len(by_index[0]) and bool(by_index[0]) is (q != "nobody")
    monkeypatch.setattr("crm.queries.match_parts.MANY", many)
    monkeypatch.setattr(text_search, "_has_index", lambda name: False)
    assert [whole(filters), whole(filters, certain=True), match_queue.count(filters, certain=False)] == by_index


@pytest.mark.usefixtures("open_ones")
def test_pairs_kept_apart_are_paged_newest_first_whatever_sort_they_are_of() -> None:
    with transaction() as session:
        now = clock.now()
        session.execute(update(Match).where(Match.customer_id <= 9).values(state="rejected"))
        for n, id_ in enumerate(session.scalars(select(Duplicate.id).order_by(Duplicate.id)).all()):
            session.execute(update(Duplicate).where(Duplicate.id == id_).values(
                state="apart", decided_at=now - timedelta(hours=n)))  # fmt: skip
    first = match_rows.decided_page("rejected", Filters())
    rows = [*first.rows, *match_rows.decided_page("rejected", Filters(), number=2).rows]
    assert first.total == len(rows) == len({(row.key, row.match_id) for row in rows}) > match_rows.SIZE
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)
    found = match_rows.decided_page("rejected", Filters(q="kelerman"))
    assert 0 < found.total < first.total and {row.key.sort for row in found.rows} >= {"match", "contact"}


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.usefixtures("open_ones")
def test_each_order_is_answered_by_its_index(app: Flask, sort: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_link: Any, _cursor: Any, said: str, given: Any, *_: Any) -> None:
        asked.append((said, given))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        match_queue.keys(Filters(sort=sort), certain=False, limit=5)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    said, given = asked[-1]
    link = db.session.connection()
    if link.dialect.name == "postgresql":
        link.execute(text("SET LOCAL enable_seqscan = off"))
        link.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = str(link.exec_driver_sql(f"EXPLAIN {said}", given).all())
    else:
        plan = str(link.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", given).all())
    assert f"ix_open_matches_{sort}" in plan and f"ix_duplicates_{sort}" in plan, plan
