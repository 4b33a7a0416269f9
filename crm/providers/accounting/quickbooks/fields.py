"""Reading and writing the fields of QuickBooks' JSON, one by one, without losing any.

A `Reader` takes what is ours out of a copy of the body; what remains in `rest` is the record's `extra`. Empty values
and the parts of an object that we do not own (an address's `Lat`) stay there. A `Writer` starts from the extra and
puts ours over it. Only the mapper uses them. A value of the wrong type raises `Unreadable` with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from crm.domain.records import Address, Origin, Ref

ADDRESS = {
    "Line1": "line1", "Line2": "line2", "Line3": "line3", "Line4": "line4", "Line5": "line5", "City": "city",
    "CountrySubDivisionCode": "region", "PostalCode": "postal_code", "Country": "country",
}  # fmt: skip


class Unreadable(ValueError):
    """The body is not what QuickBooks documents; the text names the field."""


class Reader:
    __slots__ = ("rest",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.rest = dict(body)
        self.rest.pop("domain", None)  # always "QBO"; with `sparse` it describes the answer, not the record
        self.rest.pop("sparse", None)

    def text(self, name: str) -> str:
        if name not in self.rest:
            return ""
        return _take(self.rest, name, str, "text") or ""

    def flag(self, name: str) -> bool | None:
        return _take(self.rest, name, bool, "true or false")

    def number(self, name: str) -> Decimal | None:
        return _number(self.rest, name)

    def whole(self, name: str) -> int | None:
        value = _number(self.rest, name)
        if value is None:
            return None
        if value != value.to_integral_value():
            raise Unreadable(f"{name} is {value}, where a whole number belongs.")
        return int(value)

    def day(self, name: str) -> date | None:
        value = _take(self.rest, name, str, "a date")
        if not value:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise Unreadable(f"{name} is {value!r}, which is not a date like 2026-11-21.") from None

    def ref(self, name: str) -> Ref | None:
        inner = self._open(name)
        if inner is None:
            return None
        value, label = _take(inner, "value", str, "text", name), _take(inner, "name", str, "text", name)
        if not value and label:
            inner["name"] = label  # a name alone points to nothing: kept, not mapped
        self._close(name, inner)
        return Ref(value, label or "") if value else None

    def inside(self, name: str, part: str) -> str:
        """The text at `name.part`, as in `PrimaryPhone.FreeFormNumber`."""
        inner = self._open(name)
        if inner is None:
            return ""
        value = _take(inner, part, str, "text", name)
        self._close(name, inner)
        return value or ""

    def number_inside(self, name: str, part: str) -> Decimal | None:
        inner = self._open(name)
        if inner is None:
            return None
        value = _number(inner, part, name)
        self._close(name, inner)
        return value

    def address(self, name: str) -> Address | None:
        inner = self._open(name)
        if inner is None:
            return None
        ours = {ADDRESS[part]: _take(inner, part, str, "text", name) or "" for part in inner.keys() & ADDRESS.keys()}
        self._close(name, inner)
        return Address(**ours) if any(ours.values()) else None

    def moment_inside(self, name: str, part: str) -> datetime | None:
        inner = self._open(name)
        if inner is None:
            return None
        value = _moment(inner, part, name)
        self._close(name, inner)
        return value

    def taken(self, name: str) -> Reader | None:
        """A reader of the object at `name`; what it leaves goes back by `put_back`."""
        inner = self._open(name)
        return None if inner is None else Reader(inner)

    def put_back(self, name: str, inner: Reader) -> None:
        self._close(name, inner.rest)

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """A list of objects; an empty one stays in the rest, so that it is still told from none."""
        value = self.rest.get(name)
        if not value:
            return []
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise Unreadable(f"{name} is not a list of objects.")
        return self.rest.pop(name)

    def origin(self) -> Origin:
        remote_id = self.text("Id")
        if not remote_id:
            raise Unreadable("The record has no Id.")
        inner = self._open("MetaData")
        if inner is None:
            return Origin(remote_id, self.text("SyncToken"))
        created, updated = (_moment(inner, part, "MetaData") for part in ("CreateTime", "LastUpdatedTime"))
        self._close("MetaData", inner)
        return Origin(remote_id, self.text("SyncToken"), created, updated)

    def _open(self, name: str) -> dict[str, Any] | None:
        value = self.rest.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Unreadable(f"{name} is not an object.")
        return value.copy()

    def _close(self, name: str, inner: dict[str, Any]) -> None:
        if inner or not self.rest[name]:
            self.rest[name] = inner
        else:
            del self.rest[name]


class Writer:
    __slots__ = ("body",)

    def __init__(self, extra: Mapping[str, Any], origin: Origin | None = None) -> None:
        self.body: dict[str, Any] = deepcopy(dict(extra))
        if origin is not None:
            self.put("Id", origin.remote_id)
            self.put("SyncToken", origin.version)
            self.put_moment("MetaData", "CreateTime", origin.created_at)
            self.put_moment("MetaData", "LastUpdatedTime", origin.updated_at)

    def put(self, name: str, value: Any) -> None:
        """An empty text or None leaves the field out."""
        if value is not None and value != "":
            self.body[name] = value.isoformat() if isinstance(value, date) else value

    def put_inside(self, name: str, part: str, value: Any) -> None:
        if value is not None and value != "":
            self.body.setdefault(name, {})[part] = value

    def put_ref(self, name: str, ref: Ref | None) -> None:
        if ref is not None:
            self.put_inside(name, "value", ref.remote_id)
            self.put_inside(name, "name", ref.name)

    def put_address(self, name: str, address: Address | None) -> None:
        if address is not None:
            for part, ours in ADDRESS.items():
                self.put_inside(name, part, getattr(address, ours))

    def put_moment(self, name: str, part: str, moment: datetime | None) -> None:
        if moment is not None:
            self.put_inside(name, part, moment.isoformat())


Field = tuple[str, str, str]
"""Ours, theirs, and how it is read: the name of a method of `Reader`; `inside` and `moment_inside` have theirs as
`BillEmail.Address`."""


def read_fields(body: Reader, table: Sequence[Field]) -> dict[str, Any]:
    """What the body says of these; what it does not say is left to the record's own defaults."""
    read = {}
    for ours, theirs, how in table:
        name, _, part = theirs.partition(".")
        if name in body.rest:
            value = getattr(body, how)(name, part) if part else getattr(body, how)(name)
            if value is not None:
                read[ours] = value
    return read


def write_fields(body: Writer, record: Any, table: Sequence[Field]) -> None:
    for ours, theirs, how in table:
        name, _, part = theirs.partition(".")
        value = getattr(record, ours)
        if part and how == "moment_inside":
            body.put_moment(name, part, value)
        elif part:
            body.put_inside(name, part, value)
        else:
            _PUT.get(how, Writer.put)(body, name, value)


_PUT: dict[str, Callable[[Writer, str, Any], None]] = {"ref": Writer.put_ref, "address": Writer.put_address}


def _take(body: dict[str, Any], name: str, kind: type, what: str, within: str = "") -> Any:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, kind):
        raise Unreadable(f"{_path(within, name)} is {value!r}, where {what} belongs.")
    del body[name]
    return value


def _number(body: dict[str, Any], name: str, within: str = "") -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Unreadable(f"{_path(within, name)} is {value!r}, where an exact number belongs.")
    del body[name]
    return Decimal(value)


def _moment(body: dict[str, Any], name: str, within: str) -> datetime | None:
    value = _take(body, name, str, "a time", within)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Unreadable(f"{_path(within, name)} is {value!r}, which is not a time with its offset.")
    return moment.astimezone(UTC)


def _path(within: str, name: str) -> str:
    return f"{within}.{name}" if within else name
