"""Small shapes that records share: where one came from, addresses, phones, references. See `records`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NO_EXTRA: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from and in which state: what a link needs to know about it."""

    remote_id: str
    version: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Address:
    line1: str = ""
    line2: str = ""
    line3: str = ""
    line4: str = ""
    line5: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class PhoneField:
    """A phone as typed, in the field it was typed into (`primary`, `mobile`, `alternate`, `fax`)."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    remote_id: str
    name: str = ""
