"""The words that tell a company from another: no legal form, no "the", abbreviations spelled out, no plural.

Asked by `names`, which decides whether a text is a company at all. Pure.
"""

from functools import lru_cache

from crm.domain.folding import fold_words
from crm.domain.name_tables import ABBREVIATIONS, FILLERS, LEGAL_FORMS


def singular(word: str) -> str:
    if word in ABBREVIATIONS:
        return ABBREVIATIONS[word]
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "su":
        return word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word


def company_words(text: str) -> tuple[str, ...]:
    """The words that tell a company: no legal form, no "the", abbreviations spelled out, "A.B.C." joined to "abc"."""
    words = fold_words(text)
    joined = _joined(words) if 1 in map(len, words) else words
    core = [found for word in joined if (found := _core(word))]
    return tuple(core[:12] or joined[:12])


def _joined(words: list[str]) -> list[str]:
    """Single letters one after the other as one word."""
    joined: list[str] = []
    run = ""
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            joined.append(run)
            run = ""
        if word:
            joined.append(word)
    return joined


@lru_cache(maxsize=8192)
def _core(word: str) -> str:
    """The word as it tells a company, empty where it does not."""
    return "" if word in LEGAL_FORMS or word in FILLERS else singular(word)
