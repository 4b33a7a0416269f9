"""Custom fields that a company made up for its sales forms: what fills each of them on quotes and invoices. Pure.

QuickBooks keeps up to three of text on sales forms, told apart by a definition id; contacts have none. A field is typed
on each document, or filled from a field of ours whenever the document is sent; then nobody types it, and what stands
there is taken over by what stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crm.domain.errors import Invalid

KINDS = ("estimate", "invoice")
"""Kinds whose forms have them."""
TYPED = ""
SOURCES: Mapping[str, tuple[str, str]] = {
    TYPED: ("Typed on each document", "People fill it in the form; what is changed on either side goes to the other."),
    "title": ("Title", "The title of the quote or invoice."),
    "owner": ("Owner", "The name of the person the document belongs to."),
    "quote": ("Number of the quote", "Of an invoice: the quote it was made from."),
}
"""Key -> words, and what it means."""
LONGEST = 31
"""Characters of a value; the limit is not documented, this one is safe [FACTS 5]."""
FILLED_BY = {"title": "title", "owner_id": "owner", "quote_id": "quote"}
"""Field of a document -> the source it is."""


def check(sources: Mapping[str, str], definitions: Collection[str]) -> dict[str, str]:
    """Definition -> source, without those that are typed. Raises Invalid for a field or source there is not."""
    wrong = {
        f"custom-{id_}": "This custom field is not switched on in QuickBooks (any more)."
        for id_ in sources
        if id_ not in definitions
    }
    wrong |= {f"custom-{id_}": "Choose one of the list." for id_, source in sources.items() if source not in SOURCES}
    if wrong:
        raise Invalid(wrong)
    return {id_: source for id_, source in sources.items() if source != TYPED}


def filled(typed: Mapping[str, str], sources: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """What a document's custom fields say: what was typed, and for those with a source (a key of SOURCES) its value."""
    given = {id_: values.get(source, "")[:LONGEST] for id_, source in sources.items()}
    return {id_: text for id_, text in {**typed, **given}.items() if text}


def affected(fields: Collection[str], sources: Mapping[str, str]) -> bool:
    """Whether a change of these fields of a document changes a custom field."""
    return any(FILLED_BY.get(name) in sources.values() for name in fields)


def in_words(source: str) -> str:
    return SOURCES[source][0] if source in SOURCES else SOURCES[TYPED][0]
