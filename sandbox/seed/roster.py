"""The customers of a company, group by group, with names QuickBooks would accept.

`groups(seed)` is an endless stream of families, firms and landlords; `entries(size, seed)` cuts it to N customers.
Group g depends on seed and g alone, so customer k is the same in a company of 30 and of 100,000 (only a landlord cut
in two by the end of the list has fewer units). Pure: no clock, no store. Documents are made in `jobs` and `books`.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import count

from sandbox.seed.households import BUILDERS
from sandbox.seed.lists import names_taken
from sandbox.seed.people import LARGEST, Entry, stream_for

KINDS: dict[str, int] = {
    "person": 45, "couple": 16, "company": 12, "manager": 5, "duplicate": 5, "father_and_son": 4, "shared_office": 4,
    "family_line": 4, "projects": 3, "namesakes": 2,
}  # fmt: skip
# The smallest company already holds one of each kind.
SHOWCASE = ("couple", "manager", "person", "duplicate", "father_and_son", "company", "shared_office", "projects",
            "family_line", "namesakes")  # fmt: skip
KIND_NAMES, KIND_WEIGHTS = tuple(KINDS), tuple(KINDS.values())


def groups(seed: int) -> Iterator[list[Entry]]:
    """Endless: the families, firms and landlords of the books, each a list of entries in the order of their ids."""
    position = 0
    taken = {fingerprint(name) for name in names_taken()}
    for group in count():
        stream = stream_for(seed, "people", group)
        kind = SHOWCASE[group] if group < len(SHOWCASE) else stream.choices(KIND_NAMES, KIND_WEIGHTS)[0]
        entries = BUILDERS[kind](group, stream)
        for entry in entries:
            entry.position += position
            entry.parent = None if entry.parent is None else entry.parent + position
            entry.same_as = tuple(other + position for other in entry.same_as)
            entry.display = unused(entry, taken)
        position += len(entries)
        yield entries


def entries(size: int, seed: int) -> Iterator[list[Entry]]:
    """The first `size` customers, group by group; the last group may be cut."""
    if not 1 <= size <= LARGEST:
        raise ValueError(f"size is {size}: ask for a company of 1 to {LARGEST:,} customers")
    left = size
    for group in groups(seed):
        yield group[:left]
        left -= len(group)
        if left <= 0:
            return


def fingerprint(name: str) -> int:
    """A name as 64 bits, whatever its case: 100,000 of them stay small in memory."""
    return int.from_bytes(blake2b(name.casefold().encode(), digest_size=8).digest(), "big")


def unused(entry: Entry, taken: set[int]) -> str:
    """QBO refuses a name twice; people then add a town, a street or a number, and so does this.

    An entry marked inactive carries the suffix QBO gives to names taken out of use, except one in three, as in books
    converted from the desktop product.
    """
    place = entry.person.place
    name = entry.display.replace(":", " ").strip()
    tails = ("", f" - {place.city}", f" ({place.street})", f" - {place.number}")
    for attempt in count():
        shown = name + (tails[attempt] if attempt < len(tails) else f" {attempt}")
        if not entry.active and entry.position % 3:
            shown += " (deleted)"
        key = fingerprint(shown)
        if key not in taken:
            taken.add(key)
            return shown
    raise AssertionError("count() does not end")
