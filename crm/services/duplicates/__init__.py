"""Pairs of contacts, or of customers of one company, that may be one: found, kept as rows, decided by people.

| module | does |
|---|---|
| subjects | the two sorts of records as they are compared: who they are, what they are called, what is at stake |
| looking | which records come together by a key, and what the rules say of each pair |
| keeping | rows of what was found; a row a person decided about is never touched |
| noting | records that were made or changed: their pairs at once, in a fixed number of statements |
| deciding | keep apart, know, reopen; what became of a pair that was merged |
| runs | a search over everything: claimed by lease, page by page, resumable |

The rows are those a run over everything would leave, whatever came first. Nothing is merged here.
"""

from crm.services.duplicates.deciding import (
    DECIDED,
    Result,
    hold_apart,
    keep_apart,
    kept_apart_by,
    know,
    reopen,
    settle_merged,
    settle_parted,
)
from crm.services.duplicates.noting import forget_contacts, look_again, note, note_contact, note_contacts
from crm.services.duplicates.runs import advance, cancel, ring_due, standing, start, start_anew, start_due

__all__ = [
    "DECIDED", "Result", "advance", "cancel", "forget_contacts", "hold_apart", "keep_apart", "kept_apart_by", "know",
    "look_again", "note", "note_contact", "note_contacts", "reopen", "ring_due", "settle_merged", "settle_parted",
    "standing", "start", "start_anew", "start_due",
]  # fmt: skip
