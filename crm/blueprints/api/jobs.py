"""The API's operation about scheduled work: what ran, what did not, and what is paused."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask import current_app
from pydantic import Field

from crm import clock
from crm.blueprints.api import blueprint
from crm.blueprints.api.contract import operation
from crm.blueprints.api.engine_schemas import one_of
from crm.blueprints.api.schemas import Shape
from crm.domain import jobs as rules
from crm.queries import jobs as queries


class Job(Shape):
    key: str
    title: str
    reason: str
    every_seconds: float
    state: str = Field(pattern=one_of(rules.STATES))
    words: str
    trouble: str = Field(description="What admins must know, in a sentence; empty where all is well.")
    started_at: datetime | None
    finished_at: datetime | None
    good_at: datetime | None = Field(description="When it last ended well.")
    next_at: datetime | None
    outcome: Literal["", "done", "failed", "lost"]
    took_ms: int | None
    error: str
    failures: int = Field(description="In a row, since it last ended well.")
    paused_at: datetime | None
    paused_by: str


class Jobs(Shape):
    well: bool
    sentences: list[str] = Field(description="What is wrong; one alone where nothing runs at all.")
    data: list[Job]


@operation(
    blueprint, "GET", "/jobs", summary="Scheduled work: what ran, what is late, failing or paused", scope="read",
    answer=Jobs,
)  # fmt: skip
def list_jobs() -> Jobs:
    watch = queries.watch(current_app.extensions["schedule"], now=clock.now())
    return Jobs(well=watch.well, sentences=watch.sentences, data=[_job(one) for one in watch.judged])


FACTS = ("started_at", "finished_at", "good_at", "outcome", "took_ms", "error", "failures", "paused_at", "paused_by")


def _job(one: rules.Judged) -> Job:
    return Job(
        key=one.key, title=one.entry.title, reason=one.entry.reason, every_seconds=one.entry.every.total_seconds(),
        state=one.state, words=one.words, trouble=one.trouble, next_at=one.next_at,
        **{name: getattr(one.facts, name) for name in FACTS},
    )  # fmt: skip
