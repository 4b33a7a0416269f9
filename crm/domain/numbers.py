"""Who numbers documents, and what the next number is. Pure.

Three rules. `books`: QuickBooks gives the number, so none is sent (SalesFormsPrefs.CustomTxnNumbers is off there).
`ours`: a prefix and a counter of ours. `auto`: the company keeps numbers of its own but QuickBooks is asked to count,
by the literal AUTO_GENERATE. QuickBooks keeps 21 characters; numbers may repeat there, so nothing is ever found by
number alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from crm.domain.errors import Invalid
from crm.domain.preflight import LONGEST_NUMBER

BOOKS, OURS, AUTO = "books", "ours", "auto"
RULES: dict[str, tuple[str, str]] = {
    BOOKS: ("QuickBooks numbers", "QuickBooks gives each document the number after its last one. The number shows here "
            "once the document has arrived there."),
    OURS: ("Our own numbers", "Tradebook counts, with a prefix of yours. QuickBooks takes the numbers if custom "
           "transaction numbers are switched on there."),
    AUTO: ("QuickBooks counts on request", "Custom transaction numbers are switched on in QuickBooks, and it is asked "
           "to give the next one all the same."),
}  # fmt: skip
"""Key -> title and sentence."""
AUTO_GENERATE = "AUTO_GENERATE"
LEAST_DIGITS, MOST_DIGITS = 1, 12
_NUMBER = re.compile(r"^(.*?)(\d{1,18})$", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How one kind of document is numbered at one company."""

    rule: str = BOOKS
    """A key of RULES."""
    prefix: str = ""
    """Before the counter: "Q-"."""
    next: int = 1001
    """The counter's next value."""
    digits: int = 4
    """Least width, with zeros in front."""


@dataclass(frozen=True, slots=True)
class Parsed:
    prefix: str
    counter: int
    digits: int


def default(custom_numbers: bool | None) -> str:
    """What fits the company: SalesFormsPrefs.CustomTxnNumbers; None: not known."""
    return OURS if custom_numbers else BOOKS


def fitting(custom_numbers: bool | None) -> tuple[str, ...]:
    """The rules a company may choose. Where QuickBooks numbers itself, numbers of ours would invite duplicates."""
    return (OURS, AUTO) if custom_numbers else (BOOKS,) if custom_numbers is not None else tuple(RULES)


def problems(rule: NumberRule, *, custom_numbers: bool | None) -> dict[str, str]:
    """Field -> sentence, for the settings."""
    found: dict[str, str] = {}
    if rule.rule not in RULES:
        found["rule"] = "Choose who numbers the documents."
    elif rule.rule not in fitting(custom_numbers):
        switched = "on" if custom_numbers else "off"
        found["rule"] = f"Custom transaction numbers are switched {switched} in QuickBooks, so this does not fit. " \
                        f"Choose “{RULES[default(custom_numbers)][0]}”, or change it there."  # fmt: skip
    if rule.rule != OURS:
        return found
    if rule.prefix != rule.prefix.strip() or not rule.prefix.isprintable():
        found["prefix"] = (
            "The prefix begins or ends with a space, or holds a character that is not printed. Correct it."
        )
    elif rule.prefix and rule.prefix[-1].isdigit():
        found["prefix"] = "The prefix ends with a digit, which would run into the counter. End it with a dash."
    if rule.next < 0:
        found["next"] = "The next number is 0 or more."
    if not LEAST_DIGITS <= rule.digits <= MOST_DIGITS:
        found["digits"] = f"Between {LEAST_DIGITS} and {MOST_DIGITS} digits."
    elif not found and len(_text(rule, rule.next)) > LONGEST_NUMBER:
        found["prefix"] = _too_long(_text(rule, rule.next))
    return found


def parse(text: str) -> Parsed | None:
    """The digits at the end and what stands before them: "INV-0042" is INV-, 42, four wide; None without digits."""
    match = _NUMBER.match(text.strip())
    return Parsed(match[1], int(match[2]), len(match[2])) if match else None


def following(texts: Collection[str], rule: NumberRule) -> int:
    """Where the counter goes on after numbers that stand already: after the highest with the rule's prefix."""
    counters = [found.counter for text in texts if (found := parse(text)) and found.prefix == rule.prefix]
    return max([rule.next, *(counter + 1 for counter in counters)])


def take(rule: NumberRule, *, taken: Collection[str] = ()) -> tuple[str, int]:
    """The number for a new document under `ours`, and the counter's next value. `taken`: numbers that stand already.

    Raises Invalid where it would be longer than QuickBooks keeps; ValueError under another rule, which gives none.
    """
    if rule.rule != OURS:
        raise ValueError("only a counter of ours gives numbers")
    used = {text.strip().casefold() for text in taken}
    counter = rule.next
    while _text(rule, counter).casefold() in used:
        counter += 1
    text = _text(rule, counter)
    if len(text) > LONGEST_NUMBER:
        raise Invalid({"number": _too_long(text)})
    return text, counter + 1


def to_send(rule: NumberRule, number: str) -> str | None:
    """DocNumber of a new document; None: leave it out. A number a person typed is sent, whoever counts."""
    if number.strip():
        return number.strip()
    return AUTO_GENERATE if rule.rule == AUTO else None


def collision(kind: str, number: str, *, other: str, suggestion: str) -> str:
    """What a person reads where QuickBooks refuses a number (6140). `kind`: "invoice"; `other`: whose has it."""
    whose = f" ({other})" if other else ""
    return (f"Another {kind} in QuickBooks has the number {number} already{whose}. Compare the two: if they are the "
            f"same document, link them; if not, take another number, for example {suggestion}.")  # fmt: skip


def _text(rule: NumberRule, counter: int) -> str:
    return f"{rule.prefix}{counter:0{rule.digits}d}"


def _too_long(text: str) -> str:
    return f"The number {text} has {len(text)} characters; QuickBooks keeps {LONGEST_NUMBER}. Shorten the prefix."
