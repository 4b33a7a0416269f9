"""A value written by hand for one shared field, as the contact takes it: a text, the parts of an address, or lines.

Used by `services/conflicts`. What may stand in a contact decides `domain/contacts`, as for any other edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from crm.domain.contacts import Entry, clean
from crm.domain.errors import Invalid
from crm.domain.shared_fields import ADDRESS, LINE_FIELDS, address_text, line_key, line_keys_of
from crm.services.sync.merge.comparing import Compared

Typed: TypeAlias = str | Mapping[str, str]
"""A text; for fields of lines one phone or e-mail per line; for the address its parts."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `services/contacts.change` takes, and how the value reads."""

    shown: str
    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, Sequence[Entry]] | None = None


def read(compared: Compared, name: str, typed: Typed | None) -> Written:
    """Raises Invalid where the value has not the shape of the field."""
    if name == "address":
        if not isinstance(typed, Mapping):
            raise Invalid({"value": f"Give the address in its parts: {', '.join(ADDRESS)}."})
        values = {part: clean(typed.get(part, "")) for part in ADDRESS}
        return Written(address_text(values), values)
    if not isinstance(typed, str):
        raise Invalid({"value": "Write the value to keep; an empty one empties the field on both sides."})
    if name not in LINE_FIELDS:
        return Written(clean(typed), {name: clean(typed)})
    texts = [text for text in map(clean, typed.splitlines()) if text]
    kind = "email" if name == "email" else "phone"
    return Written(", ".join(texts), lines={kind: _entries(compared, name, kind, texts)})


def _entries(compared: Compared, name: str, kind: str, texts: Sequence[str]) -> list[Entry]:
    """All lines of the kind: the texts in the place of those that stand in the field now, the others as they are."""
    own = line_keys_of(compared.merged.here[name])
    left, entries = list(texts), []
    for line in (line for line in compared.lines if line.kind == kind):
        if line_key(line) not in own:
            entries.append(Entry(kind, line.value, line.label))
        elif left:
            entries.append(Entry(kind, left.pop(0), line.label))
    return entries + [Entry(kind, text, LINE_FIELDS[name] or "") for text in left]
