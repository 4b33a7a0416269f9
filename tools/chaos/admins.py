"""What admins do meanwhile: pause and resume, plan and approve, replay, import, prove, and connect again.

By the same services as the pages. Whatever an admin left open is looked after in a later round, and `put_right` ends
all of it before everything comes to rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Invalid, NotFound, Refused
from crm.domain.plans import WRITES
from crm.models import Connection, Plan, PlanLine
from crm.queries import sync_settings
from crm.services import consents, sync
from crm.services.audit import Actor
from crm.services.consents import Answer, Browser
from crm.services.sync import settings
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from crm.services.sync.proof import proof
from tools.chaos.edits import Deed, People, persist
from tools.chaos.world import World

ADMIN = Actor(name="Chaos admin", source="person")
PAUSED = ("*", "customer", "invoice", "payment")
RANGE = timedelta(seconds=20)
"""Of deliveries that are replayed together."""

T = TypeVar("T")


@dataclass(slots=True)
class Admins:
    """They have dice of their own: what they find to do depends on how far the work is, which no seed decides."""

    people: People
    world: World
    connection_id: int
    user_id: int
    dice: random.Random
    revoked: bool = False

    def deeds(self) -> list[Deed]:
        return [(4, self.pause), (6, self.plan), (3, self.plan_first), (4, self.replay), (2, self.revoke),
                (3, self.import_all), (1, self.prove)]  # fmt: skip

    def look_after(self) -> None:
        """Once a round: what was paused is resumed sooner or later, plans are decided on, a lost grant is renewed."""
        for kind in self._paused():
            if self.dice.random() < 0.3:
                self.resume(kind)
        if self.revoked and self.dice.random() < 0.5:
            self.reconnect()
        for plan_id in self._ready():
            if self.dice.random() < 0.6:
                self.decide(plan_id)

    def put_right(self) -> list[str]:
        """One step towards nothing being paused, read-only, disconnected or undecided; answers what still is."""
        for kind in self._paused():
            self.resume(kind)
        if self.revoked:
            self.reconnect()
        for plan_id in self._ready():
            self.decide(plan_id)
        if self._read_only():
            self._first_plan()
        return ["the connection is read-only: its first plan is not ready"] if self._read_only() else []

    # --- settings ---------------------------------------------------------------------------------------------

    def pause(self) -> None:
        kind = self.dice.choice(PAUSED)
        whole = (self.connection_id, kind)
        self._write(f"{_named(kind)} paused", lambda now: settings.pause(db.session(), *whole, actor=ADMIN, now=now))

    def resume(self, kind: str) -> None:
        whole = (self.connection_id, kind)
        self._write(f"{_named(kind)} resumed", lambda now: settings.resume(db.session(), *whole, actor=ADMIN, now=now))

    # --- plans ------------------------------------------------------------------------------------------------

    def _first_plan(self) -> None:
        """Ask for one, unless one is being made."""
        live = select(Plan.id).where(Plan.state.in_(("making", "ready")), Plan.purpose == "first")
        if self._read(lambda: db.session.scalar(live)) is None:
            self.plan()

    def plan(self) -> None:
        self._write("plans asked for", lambda now: plans.ask(self.connection_id, actor=ADMIN, now=now))

    def plan_first(self) -> None:
        """Back to read-only, and open again by a first plan, while everybody goes on editing."""
        self._write("writing paused", lambda now: plans.pause_writing(self.connection_id, actor=ADMIN, now=now))
        self.plan()

    def decide(self, plan_id: int) -> None:
        """All of it, some lines, some fields, or none."""
        how = self.dice.choice(("in whole", "in part", "by field", "without a line"))
        choice = {"in whole": Choice("all"), "by field": Choice("all", fields=("phone", "email")),
                  "without a line": Choice("none")}.get(how) or self._some(plan_id)  # fmt: skip
        self._write(f"plans approved {how}", lambda now: plans.approve(plan_id, choice, actor=ADMIN, now=now))

    def _some(self, plan_id: int) -> Choice:
        lines = (PlanLine.plan_id == plan_id, PlanLine.action.in_(WRITES))
        ids = self._read(lambda: list(db.session.scalars(select(PlanLine.id).where(*lines).order_by(PlanLine.id))))
        some = tuple(id_ for id_ in ids if self.dice.random() < 0.5)
        return Choice("some", ids=some) if some else Choice("none")

    # --- reading again ----------------------------------------------------------------------------------------

    def replay(self) -> None:
        self._write("ranges of deliveries replayed",
                    lambda now: sync.replay_between(now - RANGE, now, actor=ADMIN, now=now))  # fmt: skip

    def import_all(self) -> None:
        self._write("imports", lambda now: sync.start_run(self.connection_id, resources=None, trigger="manual",
                                                          actor=ADMIN, now=now))  # fmt: skip

    def prove(self) -> None:
        self._write("proofs", lambda now: proof.start(self.connection_id, trigger="person", actor=ADMIN, now=now))

    # --- the grant --------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        """The owner disconnects the app in QuickBooks; somebody here connects it again some rounds later."""
        if not self.revoked:
            self.world.revoke_tokens()
            self.revoked = True

    def reconnect(self) -> None:
        """By the consent page, as a person does."""
        browser = Browser("chaos", self.user_id, ADMIN)

        def consent() -> None:
            mine = self.connection_id
            url = consents.begin(browser, connection_id=mine, other_company_allowed=False, clock=clock.now)
            given = self._agreed(url)
            answer = Answer(given["state"], given["code"], given["realmId"])
            outcome = consents.receive(answer, browser, clock=clock.now)
            if outcome.level == "error":
                raise RuntimeError(f"the reconnect failed: {outcome.text}")

        persist(consent)
        self.revoked = False

    def _agreed(self, url: str) -> dict[str, str]:
        """The query of the callback, after the owner pressed Connect on the consent page."""
        asked = urlsplit(url)
        realm = self.world.ask("GET", "/")["companies"][0]["realm_id"]
        form = {**dict(parse_qsl(asked.query)), "decision": "connect", "realm": realm}
        answer = requests.post(f"{self.world.company_url}{asked.path}", data=form, allow_redirects=False, timeout=30)
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    # ----------------------------------------------------------------------------------------------------------

    def _paused(self) -> list[str]:
        kept = self._read(lambda: sync_settings.of_connection(db.session(), self.connection_id))
        return [kind for kind in PAUSED if kept[kind].paused]

    def _ready(self) -> list[int]:
        ready = select(Plan.id).where(Plan.state == "ready").order_by(Plan.id)
        return self._read(lambda: list(db.session.scalars(ready)))

    def _read_only(self) -> bool:
        return self._read(lambda: db.session.get_one(Connection, self.connection_id).read_only)

    def _read(self, question: Callable[[], T]) -> T:
        found: list[T] = []
        persist(lambda: found.append(question()))
        return found[-1]

    def _write(self, what: str, deed: Callable[[datetime], object]) -> None:
        """What is refused at this moment (nothing to replay, not connected, another plan first) is simply not done."""

        def write() -> None:
            with transaction():
                deed(clock.now())

        try:
            persist(write)
        except (Refused, NotFound, Invalid) as refusal:
            self.world.did[f"refused: {type(refusal).__name__}"] += 1
        else:
            self.world.did[what] += 1


def _named(kind: str) -> str:
    return "the company" if kind == "*" else kind
