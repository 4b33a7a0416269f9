"""Scheduled work: what an entry of the schedule is, when it is late, its state in words, and when it comes next.

Asked whenever a page, the API or a health check looks, never by the work itself: so that admins hear of schedules that
stand still even where nothing runs any more that could tell. Pure; `tasks/schedule.py` holds the entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SELDOM = timedelta(hours=1)
"""What rings this seldom, or more so, keeps a line of every run."""
AT_LEAST = timedelta(minutes=5)
MISSED = 3
"""So many intervals may go by before admins are told."""
LONGEST = timedelta(hours=6)
"""After its turn an entry is waited for no longer than this, however seldom it rings."""
LONG_RUN = timedelta(hours=2)
"""A run that goes on for longer than this, and longer than the entry's patience, is told."""
AGAIN = timedelta(minutes=10)
TRIES = 3
"""What rings seldom is tried again so soon after a bad end, and so often, before it waits for its turn."""
UNHEARD = timedelta(minutes=2)
"""A run a person asked for begins within seconds; after this long no worker has heard."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the schedule."""

    task: str
    """The Celery task that does it, also by its bell."""
    every: timedelta
    title: str
    """What it does, in a few words."""
    reason: str
    """Why it exists and why this often, in sentences people read."""
    meanwhile: str = ""
    """What does not happen while it is paused; empty where nobody would miss it for days: such a pause is quiet."""

    @property
    def seldom(self) -> bool:
        return self.every >= SELDOM

    @property
    def patience(self) -> timedelta:
        """How long after the last good run admins are told: three intervals, five minutes at least; of what rings
        seldom, one interval and six hours."""
        return max(AT_LEAST, min(MISSED * self.every, self.every + LONGEST))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored of one entry. `known_since` is None where nothing is."""

    known_since: datetime | None = None
    paused_at: datetime | None = None
    paused_by: str = ""
    asked_at: datetime | None = None
    asked_by: str = ""
    lease_until: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    good_at: datetime | None = None
    outcome: str = ""
    took_ms: int | None = None
    error: str = ""
    runs: int = 0
    failures: int = 0


NOTHING = Facts()


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry as it stands. `trouble` is a sentence for admins, empty where there is none."""

    key: str
    entry: Entry
    facts: Facts
    state: str
    """A key of `STATES`."""
    trouble: str = ""
    next_at: datetime | None = None
    """When it should ring next; None while it is paused or nothing is known."""
    due: bool = False
    """Whether that may be at any moment."""

    @property
    def words(self) -> str:
        return STATES[self.state][0]

    @property
    def tone(self) -> str:
        return STATES[self.state][1]

    @property
    def loud(self) -> str:
        """What is said about a pause that matters; empty where none does."""
        return self.entry.meanwhile if self.state == "paused" else ""


#: State -> words, tone of its badge.
STATES: Mapping[str, tuple[str, str]] = {
    "paused": ("Paused", "warn"),
    "running": ("Running", "info"),
    "asked": ("Waits for a worker", "info"),
    "late": ("Late", "bad"),
    "failing": ("Failing", "bad"),
    "failed": ("Failed", "warn"),
    "lost": ("Worker died", "warn"),
    "good": ("On time", "ok"),
    "new": ("Not yet", "off"),
}

OUTCOMES: Mapping[str, str] = {"done": "Done", "failed": "Failed", "lost": "Lost"}
"""Of a run that ended."""


def is_running(facts: Facts, now: datetime) -> bool:
    return facts.lease_until is not None and facts.lease_until > now


def is_lost(facts: Facts, now: datetime) -> bool:
    """Its worker has not been heard of since the lease ended."""
    return facts.lease_until is not None and facts.lease_until <= now


def too_soon(entry: Entry, facts: Facts, now: datetime) -> bool:
    """Whether this ring is one of a heap: beat rings on while no worker listens, and one run answers them all."""
    if facts.started_at is None or facts.lease_until is not None or facts.asked_at is not None:
        return False
    apart = entry.every / 2 if facts.outcome == "done" else min(entry.every, AGAIN) / 2
    return timedelta(0) <= now - facts.started_at < apart


def again_at(entry: Entry, facts: Facts) -> datetime | None:
    """When an entry that rings seldom is tried again after a bad end; None where it waits for its turn."""
    ended_badly = facts.outcome in ("failed", "lost") and facts.lease_until is None
    if not (ended_badly and entry.seldom and facts.failures <= TRIES and facts.finished_at is not None):
        return None
    return facts.finished_at + AGAIN


def judge(key: str, entry: Entry, facts: Facts, *, now: datetime) -> Judged:
    """The state of one entry, with the sentence admins read where it is in trouble."""
    if facts.paused_at is not None:
        return Judged(key, entry, facts, "paused")
    state, trouble = _state(entry, facts, now)
    then = next_at(entry, facts, now)
    return Judged(key, entry, facts, state, trouble, then, due=then == now)


def next_at(entry: Entry, facts: Facts, now: datetime) -> datetime | None:
    """An interval after the last start; where that has gone by, it may come at any moment: now."""
    since = facts.started_at or facts.known_since
    if since is None:
        return None
    return max(min(again_at(entry, facts) or since + entry.every, since + entry.every), now)


def _state(entry: Entry, facts: Facts, now: datetime) -> tuple[str, str]:
    since = facts.good_at or facts.known_since
    overdue = since is not None and now - since > entry.patience
    if is_running(facts, now):
        began = facts.started_at or now
        slow = now - began > max(LONG_RUN, entry.patience)
        return "running", f"has been running for {span(now - began)}." if slow else ""
    if facts.asked_at is not None:
        waits = now - facts.asked_at
        return "asked", f"was asked for {span(waits)} ago, and no worker has begun." if waits > UNHEARD else ""
    if overdue and facts.failures and facts.started_at is not None and now - facts.started_at <= entry.patience:
        last = "lost its worker" if facts.outcome == "lost" else f"ended with: {facts.error}"
        often = "once" if facts.failures == 1 else f"{facts.failures:,} times in a row"
        return "failing", f"has not ended well for {span(now - (since or now))}: it failed {often}, the last {last}"
    if overdue:
        assert since is not None
        gone = f"last ran well {span(now - since)} ago" if facts.good_at else f"has not run in {span(now - since)}"
        return "late", f"{gone}; it should every {span(entry.every)}."
    if is_lost(facts, now) or facts.outcome == "lost":
        return "lost", ""
    if facts.outcome == "failed":
        return "failed", ""
    return ("good", "") if facts.good_at is not None else ("new", "")


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything at one glance: what admins must know, and each entry."""

    judged: Sequence[Judged]
    down: str = ""
    """A sentence where nothing runs at all; then no entry is told about on its own."""
    started: bool = True
    """Whether any entry ever ran."""
    troubles: Sequence[Judged] = field(default=())
    paused: Sequence[Judged] = field(default=())
    """Those whose pause matters."""

    @property
    def well(self) -> bool:
        return not self.down and not self.troubles

    @property
    def sentences(self) -> list[str]:
        """What is wrong, without words of errors: safe to show to anybody."""
        if self.down:
            return [self.down]
        return [f"“{one.entry.title}” {SHORT.get(one.state, 'needs a look')}." for one in self.troubles]

    @property
    def waiting(self) -> int:
        """What an admin should look at: one where nothing runs, else what is in trouble or paused and matters."""
        return 1 if self.down else len(self.troubles) + len(self.paused)


SHORT: Mapping[str, str] = {
    "late": "did not run in its time",
    "failing": "has failed for some time",
    "running": "has been running for very long",
    "asked": "was asked for and has not begun",
}


def watch(entries: Mapping[str, Entry], stored: Mapping[str, Facts], *, since: datetime | None, now: datetime) -> Watch:
    """Judge all entries. `since`: from when on this installation is in use, None where nobody does yet."""
    judged = [judge(key, entry, stored.get(key, NOTHING), now=now) for key, entry in entries.items()]
    starts = [facts.started_at for key, facts in stored.items() if key in entries and facts.started_at is not None]
    troubles = [one for one in judged if one.trouble]
    return Watch(
        judged,
        down=_down(entries, stored, max(starts, default=None), since, now),
        started=bool(starts),
        troubles=troubles,
        paused=[one for one in judged if one.loud],
    )


def _down(
    entries: Mapping[str, Entry],
    stored: Mapping[str, Facts],
    newest: datetime | None,
    since: datetime | None,
    now: datetime,
) -> str:
    """The one sentence for a scheduler or workers that do not run: nothing began although something should have."""
    waking = [entry for key, entry in entries.items() if stored.get(key, NOTHING).paused_at is None]
    if not waking:
        return ""
    last = newest or min((facts.known_since for facts in stored.values() if facts.known_since), default=since)
    if last is None or now - last <= max(AT_LEAST, min(entry.patience for entry in waking)):
        return ""
    if any(is_running(facts, now) and key in entries for key, facts in stored.items()):
        return ""
    if newest is None:
        return "No scheduled work has ever run here. Start a worker and beat; until then nothing happens by itself."
    return (f"No scheduled work has begun for {span(now - newest)}. Look whether beat and a worker run, and whether"
            " they reach the broker; until then nothing happens by itself.")  # fmt: skip


def span(time: timedelta) -> str:
    """A length of time in words, as exact as matters: 45 seconds, 5 minutes, 3 hours, 2 days."""
    seconds = int(time.total_seconds())
    for size, word, least in ((86_400, "day", 2), (3_600, "hour", 1), (60, "minute", 1)):
        if seconds >= size * least:
            number = seconds // size
            return f"{number:,} {word}{'' if number == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
