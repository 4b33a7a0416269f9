"""Is a company in step? The traffic light of the dashboard: what was counted goes in, a light with sentences comes out.

Asked by the dashboard, the home page and the API. Pure; the rules are the table `RULES`, one row a reason. Every rule
that applies is told; the first in the table gives the light and its words, the gravest ones stand in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

GREEN, AMBER, RED = "green", "amber", "red"
TONES = {GREEN: "ok", AMBER: "warn", RED: "bad"}
"""Light -> the tone that components give it."""

IN_STEP, CATCHING_UP, WAITS, STOPPED = "In step", "Catching up", "Something waits for you", "Stopped"

MOMENT = timedelta(minutes=1)
"""What is younger is simply on its way."""
LONG = timedelta(hours=1)
"""What should have gone or come in and stands for so long will not do so by itself."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was counted of one connection. Moments are None where there is nothing of the kind."""

    state: str
    """Of the connection: `connected` or another."""
    reason: str = ""
    """Why it is in this state, in a sentence."""
    trouble: str = ""
    """What the company last answered badly, in a sentence; empty once it answered well."""
    read_only: bool = False
    paused: bool = False
    imported: bool = True
    """Whether its books were read completely at least once."""
    run_live: bool = False
    waiting: int = 0
    """Changes of ours that are not in the books yet and that nothing but time keeps."""
    oldest_waiting: datetime | None = None
    incoming: int = 0
    """Changes of theirs that are known but not read yet."""
    oldest_incoming: datetime | None = None
    parked: int = 0
    conflicts: int = 0
    plans: int = 0
    """Plans that are ready to be approved and would write something."""
    swept_at: datetime | None = None
    """When the last change sweep that succeeded began."""
    sweep_minutes: int = 15
    sweep_error: str = ""
    silent_since: datetime | None = None
    proof: str = ""
    """`equal`, `different`, `failed`, or empty when there is none."""
    calls: str = ""
    """Of this month's metered reads: `short` when they will not last, `used_up`, else empty."""


@dataclass(frozen=True, slots=True)
class Reason:
    light: str
    words: str
    sentence: str
    page: str
    """Where it is mended or seen: a key of the pages' own table; empty where waiting is all."""


@dataclass(frozen=True, slots=True)
class Health:
    light: str
    words: str
    sentence: str
    reasons: Sequence[Reason]

    @property
    def tone(self) -> str:
        return TONES[self.light]


Test = Callable[[Signs, datetime], bool]
Tell = Callable[[Signs], str]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _older(moment: datetime | None, now: datetime, than: timedelta) -> bool:
    return moment is not None and now - moment > than


def _flows(signs: Signs) -> bool:
    """Whether changes of ours may leave at all."""
    return signs.state == "connected" and not signs.paused and not signs.read_only


def _why_late(signs: Signs) -> str:
    return signs.trouble or "Look whether the background workers run."


def sweep_late(signs: Signs, now: datetime) -> bool:
    """Whether the sweep missed several of its turns: a time that does not depend on how often it is due."""
    if signs.paused or not signs.imported or signs.swept_at is None:
        return False
    return now - signs.swept_at > max(LONG, timedelta(minutes=3 * signs.sweep_minutes))


#: Light, words, when, sentence, page; the gravest first. Of those that apply the first speaks.
RULES: tuple[tuple[str, str, Test, Tell, str], ...] = (
    (RED, STOPPED, lambda s, now: s.state != "connected",
     lambda s: s.reason or "The connection needs an admin before anything can go on. Nothing is lost meanwhile.",
     "connection"),
    (RED, STOPPED, lambda s, now: _flows(s) and s.waiting > 0 and _older(s.oldest_waiting, now, LONG),
     lambda s: f"{_count(s.waiting, 'change', 'changes')} should have gone to QuickBooks over an hour ago. "
               + _why_late(s), "outbox"),
    (RED, STOPPED, lambda s, now: s.state == "connected" and not s.paused
     and _older(s.oldest_incoming, now, LONG),
     lambda s: f"{_count(s.incoming, 'change', 'changes')} in QuickBooks should have been read over an hour ago. "
               + _why_late(s), "deliveries"),
    (RED, STOPPED, lambda s, now: s.state == "connected" and sweep_late(s, now),
     lambda s: "QuickBooks has not been asked for its changes for too long."
               + (f" {s.sweep_error}" if s.sweep_error else ""), "log"),
    (RED, STOPPED, lambda s, now: s.calls == "used_up",
     lambda s: "This month's reads from QuickBooks are used up. It refuses more until the next month begins.",
     "settings"),
    (AMBER, WAITS, lambda s, now: s.paused,
     lambda s: "The sync is paused. Changes are kept on both sides and go on when you resume.", "settings"),
    (AMBER, WAITS, lambda s, now: s.parked > 0,
     lambda s: f"{_count(s.parked, 'change', 'changes')} could not be sent and "
               f"{'needs' if s.parked == 1 else 'need'} a decision.", "parked"),
    (AMBER, WAITS, lambda s, now: s.conflicts > 0,
     lambda s: f"{_count(s.conflicts, 'field was', 'fields were')} changed on both sides. Choose which counts.",
     "conflicts"),
    (AMBER, WAITS, lambda s, now: s.plans > 0,
     lambda s: f"{_count(s.plans, 'plan is', 'plans are')} ready to be looked at and approved.", "plans"),
    (AMBER, WAITS, lambda s, now: s.read_only and s.waiting > 0,
     lambda s: f"{_count(s.waiting, 'change', 'changes')} of yours {'waits' if s.waiting == 1 else 'wait'}: nothing is "
               "written to QuickBooks before you approved a first plan.", "plans"),
    (AMBER, WAITS, lambda s, now: s.proof == "different",
     lambda s: "The last proof found differences between Tradebook and QuickBooks.", "proofs"),
    (AMBER, WAITS, lambda s, now: s.calls == "short",
     lambda s: "At this pace this month's reads from QuickBooks will not last.", "settings"),
    (AMBER, WAITS, lambda s, now: s.state == "connected" and not s.imported and not s.run_live,
     lambda s: "Customers and invoices have not been imported yet.", "connection"),
    (AMBER, CATCHING_UP, lambda s, now: s.run_live, lambda s: "An import is under way.", "connection"),
    (AMBER, CATCHING_UP, lambda s, now: _flows(s) and _older(s.oldest_waiting, now, MOMENT),
     lambda s: f"{_count(s.waiting, 'change is', 'changes are')} on the way to QuickBooks.", "outbox"),
    (AMBER, CATCHING_UP, lambda s, now: not s.paused and _older(s.oldest_incoming, now, MOMENT),
     lambda s: f"{_count(s.incoming, 'change', 'changes')} from QuickBooks {'is' if s.incoming == 1 else 'are'} "
               "being read.", "deliveries"),
    (GREEN, IN_STEP, lambda s, now: s.proof == "failed",
     lambda s: "The last proof could not be finished; it says nothing about your figures.", "proofs"),
    (GREEN, IN_STEP, lambda s, now: s.silent_since is not None,
     lambda s: "QuickBooks' webhooks are silent. Nothing is missed, since the sweep finds every change, only later.",
     "deliveries"),
    (GREEN, IN_STEP, lambda s, now: s.read_only and s.waiting == 0,
     lambda s: "Your books are safe: nothing is written to QuickBooks before you approved a first plan.", "plans"),
)  # fmt: skip

ORDER = (RED, AMBER, GREEN)


def judge(signs: Signs, *, now: datetime) -> Health:
    """The light of one connection, with every reason there is, the gravest first."""
    found = [
        Reason(light, words, tell(signs), page) for light, words, test, tell, page in RULES if test(signs, now)
    ]
    if not found or found[0].light == GREEN:
        return Health(GREEN, IN_STEP, _in_step(signs), found)
    return Health(found[0].light, found[0].words, found[0].sentence, found)


def _in_step(signs: Signs) -> str:
    settled = "Every change on either side has reached the other"
    if signs.read_only:
        settled = ("What changed in QuickBooks is here; nothing is written there until an admin approves the first "
                   "plan")  # fmt: skip
    moving = signs.incoming + (signs.waiting if _flows(signs) else 0)
    if moving:
        return f"{settled}; {_count(moving, 'is', 'are')} just going through."
    return f"{settled}."
