"""Scripted misfortune: rules that make chosen requests slow, refused, garbled or cut off.

A script is a JSON list of rules, set through POST /_sandbox/trouble. A rule matches by ``path`` (regular expression),
``method``, ``realm`` and ``entity`` (also the one a query names), lets ``skip`` matches pass, then strikes ``count``
times (default 1, null for ever), each time with its ``chance`` (default 1; the dice are seeded). Actions that strike
before anything is done: latency, throttle, status, html, drop_before, expire_tokens, revoke_tokens; after everything
is committed: drop_after, status_after, body.
"""

import random
import re
import threading
import time
from dataclasses import asdict, dataclass

BEFORE = frozenset({"latency", "throttle", "status", "html", "drop_before", "expire_tokens", "revoke_tokens"})
AFTER = frozenset({"drop_after", "status_after", "body"})


@dataclass
class Rule:
    """One misfortune. ``seconds`` is for latency, ``status`` for status and status_after, ``body`` for body."""

    action: str
    path: str = ""
    method: str = ""
    realm: str = ""
    entity: str = ""
    count: int | None = 1
    skip: int = 0
    chance: float = 1.0
    seconds: float = 1.0
    status: int = 503
    retry_after: int = 0
    """Of a throttle: seconds named in Retry-After; 0 names none, as recorded."""
    body: str = ""
    struck: int = 0

    def fits(self, method: str, path: str, realm: str, entity: str) -> bool:
        return (
            (not self.method or self.method.upper() == method)
            and (not self.realm or self.realm == realm)
            and (not self.entity or self.entity.lower() == entity.lower())
            and (not self.path or re.search(self.path, path) is not None)
        )


class Script:
    """The rules now in force. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._dice = random.Random(7)

    def seed(self, number: int) -> None:
        """The same seed and the same requests in the same order are struck alike."""
        with self._lock:
            self._dice.seed(number)

    def set(self, rules: list[dict]) -> None:
        """Replace the script. Raises ValueError with a sentence for a rule that cannot be read."""
        made = []
        for number, raw in enumerate(rules, start=1):
            try:
                rule = Rule(**raw)
                re.compile(rule.path)
            except (TypeError, re.error) as error:
                raise ValueError(f"rule {number} cannot be read: {error}") from error
            if rule.action not in BEFORE | AFTER:
                known = ", ".join(sorted(BEFORE | AFTER))
                raise ValueError(f"rule {number}: the action {rule.action!r} is unknown; known are {known}")
            made.append(rule)
        with self._lock:
            self._rules = made

    def clear(self) -> None:
        self.set([])

    def shown(self) -> list[dict]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def strike(self, method: str, path: str, realm: str, entity: str) -> list[Rule]:
        """The rules that hit this request, in order; each is used up by one."""
        hit = []
        with self._lock:
            for rule in self._rules:
                if not rule.fits(method, path, realm, entity) or rule.count == 0:
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.chance < 1 and self._dice.random() >= rule.chance:
                    continue
                rule.count = None if rule.count is None else rule.count - 1
                rule.struck += 1
                hit.append(rule)
        return hit


def wait(rule: Rule) -> None:
    time.sleep(rule.seconds)
