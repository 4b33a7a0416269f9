"""Text as names are compared by: without capitals, accents and marks, and without what the books put behind a name.

Used wherever two spellings of one text are to meet: names, addresses, searches, names of products. Pure; never raises
on any text.
"""

import re
import unicodedata
from functools import lru_cache

_KEEP = "abcdefghijklmnopqrstuvwxyz0123456789"
_FOLD_ASCII = {i: (chr(i).lower() if chr(i).lower() in _KEEP else None if chr(i) in "'`" else " ") for i in range(128)}
_FOLD_OTHER = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
                             "ı": "i", "’": None, "‘": None, "ʼ": None, "ʻ": None, "'": None, "`": None})
_DELETED = re.compile(r"\s*\(deleted(?:[ -]?\d+)?\)\s*$", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case, accents and apostrophes gone, every other mark a space: "O'Brien-Núñez" -> "obrien nunez"."""
    return " ".join(fold_words(text))


def fold_words(text: str) -> list[str]:
    if text.isascii():
        return text.translate(_FOLD_ASCII).split()
    return [found for word in text.split() for found in _fold_other(word)]


@lru_cache(maxsize=8192)
def _fold_other(word: str) -> tuple[str, ...]:
    spread = unicodedata.normalize("NFKD", word.casefold().translate(_FOLD_OTHER))
    return tuple("".join([c if c.isalnum() else " " for c in spread if not unicodedata.combining(c)]).split())


def without_deleted(text: str) -> str:
    """The name without the " (deleted)" which QuickBooks puts behind the name of an inactive customer."""
    return _DELETED.sub("", text) if ")" in text else text
