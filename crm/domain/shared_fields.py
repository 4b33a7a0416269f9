"""The fields a contact shares with a customer of the books, read from both sides and made comparable.

The import asks it what to put into a contact, the contact page what QuickBooks says otherwise. An address is one field;
phones are one field per label of the books, e-mails are one. A line of ours belongs to the field whose value it was
when both sides last agreed, whatever a person calls it here. Pure; `domain/merging` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from crm.domain import policies as rules
from crm.domain.contacts import Line, read_lines
from crm.domain.merging import Merged, merge
from crm.domain.names import fold, without_deleted

FILLED = ("given_name", "family_name", "company_name", "street", "city", "region", "postal_code", "country", "website")
LIMITS = {
    "given_name": 100, "family_name": 100, "company_name": 500, "street": 500, "city": 255, "region": 255,
    "postal_code": 30, "country": 255, "website": 1000,
}  # fmt: skip
ADDRESS = ("street", "city", "region", "postal_code", "country")
TEXTS = ("display_name", "given_name", "family_name", "company_name", "website")
LABELS = {"primary": "", "mobile": "mobile", "alternate": "other", "fax": "fax"}
LINE_FIELDS = {"phone": "", "mobile": "mobile", "other": "other", "fax": "fax", "email": None}
"""Field -> the label its phones get here; None for e-mails."""
TITLES = {field.name: field.title for field in rules.shared("customer")}
"""Field -> what it is called inside a sentence."""
MAX_POINTS = 20


class Point(Protocol):
    """A line of a contact: a row of the database, its object, or a `Line`."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def normal(self) -> str: ...
    @property
    def extension(self) -> str: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Theirs:
    """A stored customer, read."""

    values: dict[str, str]
    """display_name and FILLED, as they would stand in a contact."""
    lines: dict[str, list[Line]]
    """Field of LINE_FIELDS -> its lines."""

    def shown(self, field: str) -> str:
        if field in LINE_FIELDS:
            return ", ".join(line.value for line in self.lines[field])
        return address_text(self.values) if field == "address" else self.values[field]

    def keys(self) -> dict[str, str]:
        """Every field in the form it is compared in: the base of a contact that is made from the customer."""
        lines = {field: _joined(map(line_key, lines)) for field, lines in self.lines.items()}
        return text_keys(self.values) | lines


def read(record: Mapping[str, Any], region: str) -> Theirs:
    name = without_deleted(record["display_name"])[:500] or record["display_name"][:500]
    lines: dict[str, list[Line]] = {field: [] for field in LINE_FIELDS}
    for phone in record.get("phones", ()):
        label = LABELS.get(phone["label"], "")
        lines[label or "phone"] += read_lines("phone", phone["text"], label=label, region=region)
    lines["email"] += read_lines("email", record.get("email_text", ""))
    return Theirs({"display_name": name, **fields_of(record)}, lines)


def fields_of(record: Mapping[str, Any]) -> dict[str, str]:
    """A stored customer's values for the fields of a contact; empty ones included."""
    address = record.get("billing_address") or record.get("shipping_address") or {}
    lines = [address.get(f"line{number}", "") for number in range(1, 6)]
    values = {
        "given_name": " ".join(part for part in (record.get("given_name"), record.get("middle_name")) if part),
        "family_name": record.get("family_name", ""),
        "company_name": record.get("company_name", ""),
        "street": ", ".join(line for line in lines if line),
        "website": record.get("website", ""),
        **{name: address.get(name, "") for name in ADDRESS[1:]},
    }
    return {name: values[name][: LIMITS[name]] for name in FILLED}


def unique_lines(theirs: Theirs) -> list[Line]:
    """All lines of the customer, each number once, in the order of the books; the fax comes last."""
    unique: dict[tuple[str, str, str], Line] = {}
    for lines in theirs.lines.values():
        for line in lines:
            unique.setdefault((line.kind, line.normal or line.value, line.extension), line)
    return list(unique.values())[:MAX_POINTS]


def lines_here(contact: Any, points: Sequence[Point], region: str) -> list[Any]:
    """The contact's lines; those of a contact from before they were split are read from its two fields."""
    if points:
        return list(points)
    return [*read_lines("phone", contact.phone, region=region), *read_lines("email", contact.email)]


def compare(
    base: Mapping[str, str],
    contact: Any,
    lines: Sequence[Point],
    theirs: Theirs,
    *,
    policies: Mapping[str, str] | None = None,
    edited: Mapping[str, datetime | None] | None = None,
    theirs_at: datetime | None = None,
) -> Merged:
    """The decision for every shared field. `contact` has the columns of one, `lines` are from `lines_here`."""
    there = theirs.keys()
    here = text_keys({name: getattr(contact, name) for name in ("display_name", *FILLED)})
    bare = not (contact.street or contact.city or contact.postal_code)
    if "address" not in base and bare and here["address"] != there["address"] and there["address"]:
        here["address"] = ""  # a mere state or country is no address; the books' one may be taken
    claimed = {field: {*_split(base.get(field, "")), *_split(there[field])} for field in LINE_FIELDS}
    edited = dict(edited or {})
    for field in LINE_FIELDS:
        others: set[str] = set().union(*(keys for name, keys in claimed.items() if name != field))
        here[field] = _line_keys(field, base.get(field), there[field], lines, others, touched=field in edited)
        if field not in base and not here[field]:
            edited.pop(field, None)  # an edit of another line empties nothing there that was never here
    return merge(base, here, there, policies=policies, edited=edited, theirs_at=theirs_at)


def _line_keys(
    field: str, agreed: str | None, there: str, lines: Sequence[Point], others: set[str], *, touched: bool
) -> str:
    """What stands here in a field of lines. What was agreed and is still here has not changed, wherever it stands."""
    kind = "email" if field == "email" else "phone"
    mine = {line_key(line): line for line in lines if line.kind == kind}
    if agreed and _split(agreed) <= set(mine):
        return agreed
    if there and _split(there) <= set(mine):
        return there
    if agreed is None and there and not touched:
        # Never agreed: lines we do not have are added. The same number with another extension is not a new line.
        bare = {(line.normal or line.value): key for key, line in mine.items()}
        near = [bare[key.split(" x")[0]] for key in _split(there) if key.split(" x")[0] in bare]
        return _joined(near) if len(near) == len(_split(there)) else ""
    own = [key for key, line in mine.items() if _field_of(line) == field and key not in others]
    return _joined(own)


def _field_of(line: Point) -> str:
    if line.kind == "email":
        return "email"
    return line.label if line.label in ("mobile", "other", "fax") else "phone"


def line_key(line: Point) -> str:
    """A line as it is compared: E.164 with its extension, or the lower-cased address."""
    key = line.normal or line.value.casefold()
    return f"{key} x{line.extension}" if line.extension else key


def text_keys(values: Mapping[str, str]) -> dict[str, str]:
    keys = {name: _folded(without_deleted(values[name])) for name in TEXTS[:-1]}
    website = values["website"].strip().casefold().removeprefix("https://").removeprefix("http://").rstrip("/")
    return {**keys, "website": website, "address": _folded(address_text(values))}


def own_keys(contact: Any, lines: Sequence[Point]) -> dict[str, str]:
    """Every shared field of a contact in the form it is compared in, whatever the books say."""
    keys = text_keys({name: getattr(contact, name) for name in ("display_name", *FILLED)})
    for field in LINE_FIELDS:
        keys[field] = _joined(line_key(line) for line in lines if _field_of(line) == field)
    return keys


def changed_fields(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The shared fields that differ between two `own_keys`; another notation of the same is no change."""
    return [name for name in TITLES if before.get(name, "") != after.get(name, "")]


def shown_here(field: str, key: str, contact: Any, lines: Sequence[Point]) -> str:
    """What stands here in a field, as people read it; `key` as `compare` found it (`Merged.here`)."""
    if field in LINE_FIELDS:
        kind, keys = "email" if field == "email" else "phone", _split(key)
        return ", ".join(line.value for line in lines if line.kind == kind and line_key(line) in keys)
    if field == "address":
        return address_text({part: getattr(contact, part) for part in ADDRESS})
    return str(getattr(contact, field))


def shown_key(field: str, key: str) -> str:
    """A value of which only the compared form is known, as people read it."""
    return ", ".join(sorted(_split(key))) if field in LINE_FIELDS else key


def address_text(values: Mapping[str, str]) -> str:
    return ", ".join(values[part] for part in ADDRESS if values[part])


def line_keys_of(text: str) -> set[str]:
    """The single lines of a compared field of lines."""
    return _split(text)


def _folded(text: str) -> str:
    return fold(text) or text.strip().casefold()


def _joined(keys: Iterable[str]) -> str:
    return "\n".join(sorted(set(keys)))


def _split(text: str) -> set[str]:
    return set(text.split("\n")) if text else set()
