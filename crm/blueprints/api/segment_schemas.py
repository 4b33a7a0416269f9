"""What the API takes and gives about segments. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from crm.blueprints.api.schemas import PageQuery, Shape


class Segment(Shape):
    id: int
    name: str
    description: str
    kind: Literal["live", "static"] = Field(description="`live` follows its rules, `static` keeps who was put into it.")
    rules: dict[str, Any] = Field(description="Groups: `match`, `parts`. Rules: `field`, `op`, `values`, `period`.")
    words: str = Field(description="The rules in a sentence.")
    version: int = Field(description="Of the rules.")
    members: int = Field(description="How many there were at `refreshed_at`, and by changes since.")
    owner: str | None = Field(description="E-mail of who looks after it.")
    refreshed_at: datetime | None = Field(description="When all contacts were last looked at.")
    error: str = Field(description="Why the last refresh failed; empty when it did not.")
    archived: bool
    created_at: datetime
    updated_at: datetime


class SegmentPage(Shape):
    data: list[Segment]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class SegmentQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Part of the name.")
    kind: Literal["", "live", "static"] = ""
    archived: bool = Field(default=False, description="The archived ones in place of the others.")


class Member(Shape):
    contact_id: int
    name: str
    since: datetime


class MemberPage(Shape):
    data: list[Member]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class Reason(Shape):
    """A rule, or a group of rules with its parts."""

    path: str = Field(description="Place in the tree: `0.1` is the second part of the first; empty for the whole.")
    words: str
    passed: bool
    has: str = Field(description="Of a rule: what the contact has, in words.")
    decides_alone: bool = Field(description="With the opposite answer to this rule alone, the whole would be opposite.")
    parts: list[Reason]


class Why(Shape):
    segment_id: int
    contact_id: int
    fits: bool = Field(description="Whether the contact fits the rules now.")
    member_since: datetime | None = Field(description="Null where it is no member as of the last refresh.")
    note: str = Field(description="Why nothing else counts, as of an archived contact; mostly empty.")
    reason: Reason
