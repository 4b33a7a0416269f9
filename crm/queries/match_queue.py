"""The queue of the match desk: three sorts of questions in one order, counted, and which comes next.

Each sort (`match_parts`) is asked for by itself with the page's limit, and only what is found is put in one order, so
that a page costs about the same however many are open. What a row shows is read by `match_rows`, what a card shows by
`match_cards`. Reads only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all

from crm.db import db
from crm.models import Customer, Duplicate, Match, OpenMatch
from crm.queries.match_parts import SORTS, Filters, Key, Part, parts_of, skipped_match, skipped_pair, whole

ORDERS: dict[str, tuple[tuple[str, ...], bool]] = {
    "stake": (("stake", "score"), True),
    "score": (("score", "stake"), True),
    "newest": (("found_at",), True),
    "name": (("name",), False),
}
"""An order: its columns, and whether the largest comes first. Questions that are alike in them come sort by sort, and
in each by number in the same direction, so that an index of a part answers in its own order."""


def keys(filters: Filters, *, certain: bool, limit: int, offset: int = 0) -> list[Key]:
    """The questions of this part of the list, in its order."""
    parts = [_ordered(part, filters, limit=offset + limit) for part in parts_of(filters, certain=certain)]
    return _found(parts, filters, limit=limit, offset=offset)


def every(filters: Filters, *, certain: bool, size: int = 500) -> Iterator[list[Key]]:
    """The whole list in pages, for a download."""
    found = keys(filters, certain=certain, limit=size)
    while found:
        yield found
        last = _place(found[-1], filters)
        found = _beyond(filters, found[-1], last, certain=certain, back=False, limit=size) if last else []


def count(filters: Filters, *, certain: bool) -> int:
    parts = [select(func.count(part.id)).where(*part.where).scalar_subquery()
             for part in parts_of(filters, certain=certain)]  # fmt: skip
    return sum(db.session.execute(select(*parts)).one()) if parts else 0


def rules(*, certain: bool) -> list[tuple[str, int]]:
    """(rule, how many), the most frequent first."""
    mine = (Duplicate.state == "proposed", Duplicate.outcome == ("same" if certain else "doubtful"))
    asked = [select(Duplicate.rule, func.count()).where(*mine).group_by(Duplicate.rule)]
    if not certain:
        asked.append(select(OpenMatch.rule, func.count()).group_by(OpenMatch.rule))
    counted: Counter[str] = Counter()
    for query in asked:
        counted.update({rule: number for rule, number in db.session.execute(query)})
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def neighbour(key: Key, filters: Filters, *, back: bool = False) -> Key | None:
    """The doubtful question after this one (or before it), whether this one is still open or not.

    What somebody skipped comes at the end, after everything else.
    """
    place = _place(key, filters)
    late = is_skipped(key)
    if place is not None and (found := _beyond(filters, key, place, back=back, skipped=late, limit=1)):
        return found[0]
    return None if late != back else _end(filters, skipped=not late, back=back)


def first(filters: Filters) -> Key | None:
    """Where the desk begins."""
    return _end(filters, skipped=False) or _end(filters, skipped=True)


def is_open(key: Key) -> bool:
    if key.sort == "match":
        waits = (Customer.id == key.id, Customer.match_state == "review", Match.state == "proposed")
        return db.session.scalar(select(Match.id).join(Customer, Customer.id == Match.customer_id)
                                 .where(*waits).limit(1)) is not None  # fmt: skip
    mine = (Duplicate.id == key.id, Duplicate.sort == key.sort, Duplicate.state == "proposed")
    return db.session.scalar(select(Duplicate.id).where(*mine)) is not None


def is_skipped(key: Key) -> bool:
    """Whether anybody has put it off."""
    part = whole(key.sort)
    skipped = skipped_match() if key.sort == "match" else skipped_pair()
    return db.session.scalar(select(part.id).where(part.id == key.id, skipped)) is not None


# --- order ----------------------------------------------------------------------------------------------------


def _columns(filters: Filters) -> tuple[tuple[str, ...], bool]:
    return ORDERS.get(filters.sort, ORDERS["stake"])


def _ordered(part: Part, filters: Filters, *, limit: int, back: bool = False, where: Sequence[Any] = ()) -> Select[Any]:
    """The first of a part; `back`: the last, the last one first."""
    names, largest = _columns(filters)
    columns = [getattr(part.columns, name) for name in names]
    falling = largest != back
    order = [column.desc() if falling else column.asc() for column in (*columns, part.id)]
    labelled = [literal(part.place).label("place"), part.id.label("id")]
    labelled += [column.label(name) for name, column in zip(names, columns, strict=True)]
    return select(*labelled).where(*part.where, *where).order_by(*order).limit(limit)


def _found(
    parts: Sequence[Select[Any]], filters: Filters, *, limit: int, offset: int = 0, back: bool = False
) -> list[Key]:
    """The parts, each in its order and cut off already, as one list."""
    if not parts:
        return []
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    names, largest = _columns(filters)
    falling = largest != back
    order = [rows.c[name].desc() if falling else rows.c[name].asc() for name in names]
    order += [rows.c.place.desc() if back else rows.c.place.asc(), rows.c.id.desc() if falling else rows.c.id.asc()]
    query = select(rows.c.place, rows.c.id).order_by(*order).limit(limit).offset(offset)
    return [Key(SORTS[place], id_) for place, id_ in db.session.execute(query)]


def _end(filters: Filters, *, skipped: bool, back: bool = False) -> Key | None:
    """The first doubtful question of those skipped or of the others; `back`: the last."""
    parts = parts_of(filters, certain=False, skipped=skipped)
    found = _found([_ordered(part, filters, limit=1, back=back) for part in parts], filters, limit=1, back=back)
    return next(iter(found), None)


def _place(key: Key, filters: Filters) -> Sequence[Any] | None:
    """The values by which the question is ordered; None where it is not there any more."""
    part = whole(key.sort)
    columns = [getattr(part.columns, name) for name in _columns(filters)[0]]
    return db.session.execute(select(*columns).where(part.id == key.id)).first()


def _beyond(
    filters: Filters,
    key: Key,
    place: Sequence[Any],
    *,
    back: bool,
    limit: int,
    certain: bool = False,
    skipped: bool | None = None,
) -> list[Key]:
    """What comes after that question (`back`: before it), the nearest first."""
    parts = [
        _ordered(part, filters, limit=limit, back=back, where=(_farther(part, filters, key, place, back=back),))
        for part in parts_of(filters, certain=certain, skipped=skipped)
    ]
    return _found(parts, filters, limit=limit, back=back)


def _farther(part: Part, filters: Filters, key: Key, place: Sequence[Any], *, back: bool) -> ColumnElement[bool]:
    """Farther in the columns of the order; alike in them, a later sort comes later, and in the same one its number."""
    names, largest = _columns(filters)
    columns = [getattr(part.columns, name) for name in names]
    values = [literal(value, column.type) for value, column in zip(place, columns, strict=True)]
    at = SORTS.index(key.sort)
    if part.place == at:
        columns, values = [*columns, part.id], [*values, literal(key.id)]
    falling = largest != back
    here, there = tuple_(*columns), tuple_(*values)
    if (part.place > at and not back) or (part.place < at and back):
        return here <= there if falling else here >= there
    return here < there if falling else here > there
