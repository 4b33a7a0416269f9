"""Searching texts: from terms to conditions that a database answers fast, for contacts, products, quotes,
invoices, vendors and bills.

Terms that few rows hold are looked up in an index of trigrams (migrations 0002 and 0004). Terms that thousands hold are
faster found by walking the list in its order, so SQLite is asked first which they are: one short statement; PostgreSQL
decides by itself, unless such a search is one of several ways to find a row. Where the index is missing, searching is
slower and finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, column, func, literal_column, select, table, text, type_coerce
from sqlalchemy.engine import Engine

from crm.db import db

COMMON = 10_000


@dataclass(frozen=True, slots=True)
class Texts:
    """What is searched: rows by `id`, and their `text`, which begins with a blank."""

    id: Any
    text: Any
    index: str
    """SQLite's table of trigrams, whose column of the text is called `search_text`."""
    only: str = ""
    """What those rows hold besides, as FTS5 is asked for it, where the index has others too."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a row must fulfil. `leads`: few do, and they are found before any order or filter is looked at."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    leads: bool = False


def search(texts: Texts, terms: Sequence[str]) -> Search:
    """Rows that hold every term: three letters and more anywhere, fewer at the beginning of a word."""
    indexed = [term for term in terms if len(term) > 1]  # with the blank before it, two letters are a trigram
    if not indexed or not _has_index(texts.index):
        return Search(holding(texts.text, terms))
    hits = _hits(texts, indexed)
    if not few(hits):
        return Search(holding(texts.text, terms))
    rest = holding(texts.text, [term for term in terms if len(term) < 2])
    return Search((texts.id.in_(hits), *rest), leads=True)


def ids(texts: Texts, terms: Sequence[str]) -> Select[Any]:
    """The same rows as ids, common or not, for whoever looks them up in another table: never walked in an order."""
    indexed = [term for term in terms if len(term) > 1]
    if not indexed or not _has_index(texts.index):
        return select(texts.id.label("id")).where(*holding(texts.text, terms))
    hits = _hits(texts, indexed)
    rest = holding(texts.text, [term for term in terms if len(term) < 2])
    if not rest:
        return hits
    return select(texts.id.label("id")).where(texts.id.in_(hits), *rest)


def passed_over(column_: Any) -> Any:
    """The column; on SQLite, whose planner knows no figures, written so that it takes no index of it."""
    if db.engine.dialect.name != "sqlite":
        return column_
    return type_coerce(literal_column(f"+{column_.table.name}.{column_.key}", column_.type), column_.type)


def few(rows: Select[Any]) -> bool:
    """Whether there are fewer than COMMON of these."""
    return (db.session.scalar(select(func.count()).select_from(rows.limit(COMMON).subquery())) or 0) < COMMON


def holding(text_: Any, terms: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    """The same, read in each row's text."""
    return tuple(holds(text_, _wanted(term)) for term in terms)


def _wanted(term: str) -> str:
    return term if len(term) > 2 else f" {term}"


def holds(text_: Any, wanted: str) -> ColumnElement[bool]:
    """Whether exactly this stands anywhere in it."""
    if db.engine.dialect.name == "sqlite":
        return func.instr(text_, wanted) > 0  # LIKE costs twice as much there
    found: ColumnElement[bool] = text_.contains(wanted, autoescape=True)
    return found


def _hits(texts: Texts, terms: Iterable[str]) -> Select[Any]:
    phrases = " AND ".join('"' + _wanted(term).replace('"', '""') + '"' for term in terms)
    asked = f"search_text : ({phrases})" + (f" AND {texts.only}" if texts.only else "")
    index: Any = table(texts.index, column("rowid"))
    return select(index.c.rowid.label("id")).where(literal_column(texts.index).op("MATCH")(asked))


def _has_index(name: str) -> bool:
    """Whether this database keeps this table of trigrams; asked once per engine."""
    engine: Engine = db.engine
    if engine.dialect.name != "sqlite":
        return False
    known: dict[str, bool] = engine.__dict__.setdefault("_tradebook_search", {})
    if name not in known:
        query = text("SELECT 1 FROM sqlite_master WHERE name = :name").bindparams(name=name)
        known[name] = db.session.scalar(query) is not None
    return known[name]
