"""Searching contacts: from what a person typed to conditions that a database answers fast.

Read by the list, the search of all pages and the API. Terms that few contacts hold are looked up in the index of
trigrams (migration 0002). Terms that thousands hold are faster found by walking the list in its order, so it is asked
first which they are: one short statement. Where the index is missing, searching is slower and finds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, column, func, select, table, text
from sqlalchemy.engine import Engine

from crm.db import db
from crm.models import Contact

COMMON = 10_000
_search_table = table("contact_search", column("rowid"))


@dataclass(frozen=True, slots=True)
class Search:
    """What a contact must fulfil. `leads`: few do, and they are found before any order or filter is looked at."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    leads: bool = False


def search(terms: Sequence[str]) -> Search:
    """Contacts that hold every term (see domain/contacts.search_terms).

    Three letters and more are found anywhere, fewer at the beginning of a word; one alone begins the name.
    """
    wanted = [term if len(term) > 2 else f" {term}" for term in terms if len(term) > 1]
    single = [term for term in terms if len(term) == 1]
    conditions: list[ColumnElement[bool]] = []
    if single and not wanted:
        first = single.pop(0)
        conditions.append(Contact.sort_name.between(first, first + "\U0010ffff"))
    leads = False
    if wanted and _has_search_table():
        phrase = " ".join('"' + term.replace('"', '""') + '"' for term in wanted)
        hits = select(_search_table.c.rowid).where(text("contact_search MATCH :phrase").bindparams(phrase=phrase))
        leads = (db.session.scalar(select(func.count()).select_from(hits.limit(COMMON).subquery())) or 0) < COMMON
        if leads:
            conditions.append(Contact.id.in_(hits))
            wanted = []
    conditions += [_holds(term) for term in [*wanted, *(f" {term}" for term in single)]]
    return Search(tuple(conditions), leads)


def matching(terms: Sequence[str]) -> list[ColumnElement[bool]]:
    """The conditions alone, for lists in one fixed order."""
    return list(search(terms).conditions)


def _holds(term: str) -> ColumnElement[bool]:
    if db.engine.dialect.name == "sqlite":
        return func.instr(Contact.search_text, term) > 0  # LIKE costs twice as much there
    return Contact.search_text.contains(term, autoescape=True)


def _has_search_table() -> bool:
    """Whether this database keeps the table of trigrams (migration 0002); asked once per engine."""
    engine: Engine = db.engine
    if engine.dialect.name != "sqlite":
        return False
    known = engine.__dict__.get("_tradebook_search")
    if known is None:
        query = text("SELECT 1 FROM sqlite_master WHERE name = 'contact_search'")
        known = db.session.scalar(query) is not None
        engine.__dict__["_tradebook_search"] = known
    return bool(known)
