"""Searching contacts: what lists, the search of all pages and the API ask. How it is answered: `text_search`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from crm.models import Contact
from crm.queries import text_search
from crm.queries.text_search import Search, Texts

CONTACTS = Texts(Contact.id, Contact.search_text, "contact_search")


def search(terms: Sequence[str]) -> Search:
    """Contacts that hold every term (see domain/contacts.search_terms).

    Three letters and more are found anywhere, fewer at the beginning of a word; one alone begins the name.
    """
    if not terms or any(len(term) > 1 for term in terms):
        return text_search.search(CONTACTS, terms)
    first, *rest = terms
    begins = Contact.sort_name.between(first, first + "\U0010ffff")
    return Search((begins, *text_search.holding(Contact.search_text, rest)))


def ids(terms: Sequence[str]) -> Select[Any]:
    """The same contacts as ids, for whoever looks them up in another table."""
    if not terms or any(len(term) > 1 for term in terms):
        return text_search.ids(CONTACTS, terms)
    found: Select[Any] = select(Contact.id.label("id")).where(*matching(terms))
    return found


def matching(terms: Sequence[str]) -> list[ColumnElement[bool]]:
    """The conditions alone, for lists in one fixed order."""
    return list(search(terms).conditions)
