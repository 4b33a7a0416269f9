"""What the folder's refusals and the disk's mean: tables from its words and the system's numbers to our errors.

`ledger` raises `Says` with one word of `TABLE`; `error_from` makes our error of it, or of an OSError. Closed by
default: an unknown word is `Rejected`, an unknown number `Unavailable`.
"""

from __future__ import annotations

import errno

from crm.domain.errors import (
    AccessExpired,
    Cause,
    DuplicateName,
    DuplicateNumber,
    Gone,
    InvalidValue,
    MissingReference,
    NeedsReconnect,
    OutcomeUnknown,
    PermissionLost,
    ProviderError,
    RateLimited,
    Rejected,
    Stale,
    Unavailable,
    UnexpectedAnswer,
    WrongKeys,
)

_AGAIN = "Connect the folder again."
#: Word -> (our error, sentence).
TABLE: dict[str, tuple[type[ProviderError], str]] = {
    "pass-over": (AccessExpired, "The folder no longer takes this pass."),
    "other-book": (PermissionLost, f"This pass is for another company of the folder. {_AGAIN}"),
    "grant-over": (NeedsReconnect, f"The folder's owner ended the permission, it ran out, or it was used up. {_AGAIN}"),
    "who-are-you": (WrongKeys, "The folder does not know these keys. Check the client id and secret in its keys.json."),
    "torn": (Unavailable, "A file of the folder cannot be read just now. It will be tried again later."),
    "name-taken": (DuplicateName, "The name is already used in the folder. Link to that record, or choose another "
                                  "name."),
    "outdated": (Stale, "The record was changed in the folder meanwhile."),
    "not-here": (Gone, "The record is not in the folder (any more)."),
    "no-parent": (MissingReference, "The parent of this customer is not in the folder."),
    "no-customer": (MissingReference, "The customer of this document is not in the folder."),
    "number-taken": (DuplicateNumber, "The document number is already used in the folder. Choose another number."),
    "bad-value": (InvalidValue, "The folder does not accept a value."),
    "in-use": (Rejected, "Documents of the folder name this record, so it is not deleted. Archive it instead."),
    "key-reused": (UnexpectedAnswer, "The same key came with another draft. This is a fault of Tradebook."),
}  # fmt: skip
#: What the system says -> our error. Anything else it says may pass.
BUSY = frozenset({errno.EAGAIN, errno.EBUSY})


class Says(Exception):
    """A refusal in the folder's own words. `about` is the id it concerns."""

    def __init__(self, word: str, detail: str = "", about: str = "") -> None:
        super().__init__(word)
        self.word, self.detail, self.about = word, detail, about


def error_from(said: Says | OSError, trace_id: str, *, writing: bool = False) -> ProviderError:
    """Our error; `writing`: something may have been written before the disk failed."""
    if isinstance(said, OSError):
        cause = Cause(code=errno.errorcode.get(said.errno or 0, "OSError"), trace_id=trace_id)
        if said.errno in BUSY:
            return RateLimited("The folder is busy. Work goes on in a moment.", retry_after=2, cause=cause)
        if writing:
            return OutcomeUnknown(
                "The disk failed while writing. Whether the change arrived is not known.", cause=cause
            )
        return Unavailable("The folder cannot be reached. It will be tried again later.", cause=cause)
    kind, sentence = TABLE.get(said.word, (Rejected, "The folder refused this."))
    text = f"{sentence} {said.detail}".strip()
    cause = Cause(code=said.word, detail=said.detail, field=said.about, trace_id=trace_id)
    if kind is DuplicateName:
        return DuplicateName(text, remote_id=said.about or None, cause=cause)
    return kind(text, cause=cause)
