"""Webhooks: gathers queued notices, signs them and delivers them to the app, in either format.

One background thread per sandbox takes the notices that the rules queued in the store, at most 100 of one company per
delivery, posts them with ``intuit-signature`` (HMAC-SHA256 of the raw bytes, base64) and tries again on anything but
a 2xx within 3 seconds, with a quick version of Intuit's schedule. Sources: FACTS 6; the webhook_ recordings.
"""

import base64
import hashlib
import hmac
import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sandbox.settings import Settings
from sandbox.store import Store

MOST = 100
PATIENCE = 3.0  # seconds the receiver has [FACTS 6.4]
LEGACY = {"created": "Create", "updated": "Update", "deleted": "Delete", "merged": "Merge", "void": "Void",
          "emailed": "Emailed"}  # fmt: skip


def sign(body: bytes, verifier_token: str) -> str:
    """The intuit-signature of a body."""
    return base64.b64encode(hmac.new(verifier_token.encode(), body, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Notice:
    number: int
    realm: str
    entity: str
    id: str
    verb: str
    at: str
    other_id: str | None
    attempts: int


def cloudevents(notices: list[Notice]) -> list[dict]:
    """The format in force since 2026: a JSON array of CloudEvents."""
    return [
        {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{notice.realm}/{notice.number}/{notice.at}")),
            "source": "intuit.c2FuZGJveA==",
            "type": f"qbo.{notice.entity.lower()}.{notice.verb}.v1",
            "datacontenttype": "application/json",
            "time": datetime.fromisoformat(notice.at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
            "intuitentityid": notice.id,
            "intuitaccountid": notice.realm,
            "data": {"deletedid": notice.other_id} if notice.other_id else {},
        }
        for notice in notices
    ]


def legacy(notices: list[Notice]) -> dict:
    """The retired format."""
    entities = []
    for notice in notices:
        moment = datetime.fromisoformat(notice.at).astimezone(UTC)
        entity = {
            "name": notice.entity,
            "id": notice.id,
            "operation": LEGACY[notice.verb],
            "lastUpdated": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        entities.append(entity | ({"deletedId": notice.other_id} if notice.other_id else {}))
    return {"eventNotifications": [{"realmId": notices[0].realm, "dataChangeEvent": {"entities": entities}}]}


@dataclass
class Postman:
    """Delivers what is queued. ``url`` None keeps everything queued; ``paused`` does so for a while."""

    store: Store
    settings: Settings
    url: str | None = None
    format: str = "cloudevents"
    paused: bool = False
    lose: float = 0.0
    """Chance that a delivery is never made, though it counts as delivered: webhooks do get lost."""
    repeat: float = 0.0
    """Chance that a delivery is made twice."""
    shuffle: float = 0.0
    """Chance that the events of a delivery stand in another order."""
    lost: int = 0
    delivered: int = 0
    failed: int = 0
    last_error: str = ""
    _wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _dice: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.format = self.settings.webhook_format
        if self.settings.app_url:
            self.url = self.settings.app_url.rstrip("/") + "/webhooks/quickbooks"

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=PATIENCE + 2)

    def wake(self) -> None:
        """Something changed: gather for a moment, then deliver."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            woken = self._wake.wait(timeout=0.5)
            self._wake.clear()
            if woken:
                self._stop.wait(self.settings.webhook_delay)
            if not self._stop.is_set() and self.url and not self.paused:
                self.deliver()

    def queued(self) -> int:
        return self.store.connection().execute("SELECT COUNT(*) FROM notice").fetchone()[0]

    def deliver(self, *, everything: bool = False) -> int:
        """Post what is due (or all that is queued), one company per post; how many notices arrived."""
        arrived = 0
        with self._turn:
            while self.url and (notices := self._due(everything)):
                error = self._post(notices)
                self._settle(notices, error)
                if error:
                    break
                arrived += len(notices)
        return arrived

    def _due(self, everything: bool) -> list[Notice]:
        connection = self.store.connection()
        due = float("inf") if everything else time.time()
        first = connection.execute("SELECT realm FROM notice WHERE due<=? ORDER BY number LIMIT 1", (due,)).fetchone()
        if first is None:
            return []
        rows = connection.execute(
            "SELECT number, realm, entity, id, verb, at, other_id, attempts FROM notice WHERE realm=? AND due<=?"
            " ORDER BY number LIMIT ?",
            (first[0], due, MOST),
        )
        return [Notice(*row) for row in rows]

    def _settle(self, notices: list[Notice], error: str) -> None:
        numbers = [notice.number for notice in notices]
        marks = ",".join("?" * len(numbers))
        schedule = self.settings.webhook_retries
        with self.store.exclusive() as connection:
            if not error:
                self.delivered += len(numbers)
                connection.execute(f"DELETE FROM notice WHERE number IN ({marks})", numbers)
                return
            self.failed += 1
            self.last_error = error
            attempts = notices[0].attempts
            pause = schedule[min(attempts, len(schedule) - 1)] if schedule else 1.0
            connection.execute(
                f"UPDATE notice SET attempts=attempts+1, due=? WHERE number IN ({marks})",
                (time.time() + pause, *numbers),
            )

    def _post(self, notices: list[Notice]) -> str:
        """Deliver one body; an empty text when the app took it, else what went wrong."""
        if self._dice.random() < self.lose:
            self.lost += len(notices)
            return ""
        if self._dice.random() < self.shuffle:
            notices = self._dice.sample(notices, len(notices))
        if self._dice.random() < self.repeat:
            self._send(notices)
        return self._send(notices)

    def _send(self, notices: list[Notice]) -> str:
        as_events = self.format == "cloudevents"
        body = json.dumps(cloudevents(notices) if as_events else legacy(notices), separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/cloudevents+json" if as_events else "application/json",
            "intuit-signature": sign(body, self.settings.verifier_token),
            "intuit-created-time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "intuit-t-id": str(uuid.uuid4()),
            "intuit-notification-schema-version": "1.0",
            "User-Agent": "intuit_notification_server/1.0",
        }
        target = urlsplit(self.url or "")
        make = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = make(target.hostname or "", target.port, timeout=PATIENCE)
        try:
            connection.request("POST", target.path or "/", body, headers)
            status = connection.getresponse().status
            return "" if 200 <= status < 300 else f"the app answered {status}"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()
