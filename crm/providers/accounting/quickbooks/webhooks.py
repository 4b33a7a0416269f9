"""QuickBooks' webhooks, read: the signature, and the events of both forms in which it posts them.

CloudEvents (an array, in force since 2026) and event notifications (an object, retired, several companies in one) are
told apart by their shape, whatever the content type says. Only a body of neither form is refused as a whole. An event
without company or object is of no use: it becomes a problem's sentence. One that nobody here knows is kept without a
kind. Exact numbers do not matter here, speed does. Pure; see `base.Webhooks`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from crm.providers.accounting.base import Notification, Parsed
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.changes import moment

SIGNATURE = "intuit-signature"
headers: tuple[str, ...] = (
    "intuit-t-id", "intuit-created-time", "intuit-notification-schema-version", "content-type", "user-agent",
)  # fmt: skip

#: The company is no record that is read by id: its events are kept without a kind.
KINDS = {entity.lower(): kind for kind, entity in mapper.ENTITIES.items() if kind != "company"}
ENTITIES = {entity.lower(): entity for entity in mapper.ENTITIES.values()}
VERBS = {
    "create": "created", "created": "created", "update": "updated", "updated": "updated", "delete": "deleted",
    "deleted": "deleted", "merge": "merged", "merged": "merged", "void": "void", "voided": "void",
    "emailed": "emailed",
}  # fmt: skip
VERSION = "v1"
LONGEST_EVENT_ID = 120
LONGEST_ID = 40
LONGEST_ENTITY, LONGEST_VERB = 60, 20
MOST_PROBLEMS = 20


class _Unusable(ValueError):
    """Nothing can be made of the event; the text says why."""


def verify(body: bytes, headers: Mapping[str, str], *, secret: str) -> bool:
    given = headers.get(SIGNATURE, "").strip()
    if not given or not secret:
        return False
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(expected, given.encode("utf-8", "surrogateescape"))


def parse(body: bytes) -> Parsed:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("The body is not JSON.") from None
    if isinstance(content, dict) and isinstance(content.get("eventNotifications"), list):
        return _parsed("notifications", _notified(content["eventNotifications"]), _notification)
    if isinstance(content, dict) and "specversion" in content:
        content = [content]
    if isinstance(content, list):
        return _parsed("cloudevents", ((event, None) for event in content), _cloud_event)
    raise ValueError("The body is neither a list of CloudEvents nor an object with eventNotifications.")


_Read = Callable[[Any, Any, list[str]], Notification]


def _parsed(form: str, events: Iterator[tuple[Any, Any]], read: _Read) -> Parsed:
    found: list[Notification] = []
    problems: list[str] = []
    for number, (event, realm_id) in enumerate(events, start=1):
        said: list[str] = []
        try:
            found.append(read(event, realm_id, said))
        except _Unusable as error:
            said.append(str(error))
        problems += [f"Event {number}: {sentence}" for sentence in said]
    if len(problems) > MOST_PROBLEMS:
        problems[MOST_PROBLEMS:] = [f"And {len(problems) - MOST_PROBLEMS} more."]
    return Parsed(form, tuple(found), tuple(problems))


# --- CloudEvents ----------------------------------------------------------------------------------------------


def _cloud_event(event: Any, _: Any, said: list[str]) -> Notification:
    if not isinstance(event, dict):
        raise _Unusable("it is not an object.")
    entity, verb, known = _type(event.get("type"), said)
    data = event.get("data")
    other = (data.get("deletedid") or data.get("deletedId")) if isinstance(data, dict) else None
    return _made(
        event.get("id"), event.get("intuitaccountid"), event.get("intuitentityid"), entity=entity, verb=verb,
        other=other, time=event.get("time"), known=known, said=said,
    )  # fmt: skip


def _type(value: Any, said: list[str]) -> tuple[str, str, bool]:
    """(entity, verb, whether we know what it means) of `qbo.customer.created.v1`, in any case."""
    text = value.lower() if isinstance(value, str) else ""
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != "qbo":
        said.append("its type is not one of QuickBooks' accounting events.")
        return text, "", False
    if parts[3] != VERSION:
        said.append(f"its version is {parts[3][:20]}, not {VERSION}; it is kept and not acted on.")
        return parts[1], parts[2], False
    return parts[1], parts[2], True


# --- event notifications --------------------------------------------------------------------------------------


def _notified(notifications: list[Any]) -> Iterator[tuple[Any, Any]]:
    """(entity's event, realm id); what has no such shape comes as an event that cannot be read."""
    for notification in notifications:
        change = notification.get("dataChangeEvent") if isinstance(notification, dict) else None
        events = change.get("entities") if isinstance(change, dict) else None
        if not isinstance(events, list):
            yield None, None
            continue
        for event in events:
            yield event, notification.get("realmId")


def _notification(event: Any, realm_id: Any, said: list[str]) -> Notification:
    if not isinstance(event, dict):
        raise _Unusable("it is not an object.")
    entity, verb = (value if isinstance(value, str) else "" for value in (event.get("name"), event.get("operation")))
    other = event.get("deletedId") or event.get("deletedid")
    return _made(
        None, realm_id, event.get("id"), entity=entity.lower(), verb=verb.lower(), other=other,
        time=event.get("lastUpdated"), known=True, said=said,
    )  # fmt: skip


# --- both -----------------------------------------------------------------------------------------------------


def _made(
    event_id: Any, realm: Any, remote: Any, *, entity: str, verb: str, other: Any, time: Any, known: bool,
    said: list[str],
) -> Notification:  # fmt: skip
    realm_id, remote_id = _id(realm, "the company's id"), _id(remote, "the object's id")
    other_id = _id(other, "the id of what was merged away") if other not in (None, "") else ""
    occurred_at = moment(time)
    if occurred_at is None:
        said.append("it has no time that can be read.")
    verb = VERBS.get(verb, verb)[:LONGEST_VERB]
    unique = (realm_id, entity, remote_id, verb, other_id, str(time))
    return Notification(
        event_id=_event_id(event_id, unique),
        realm_id=realm_id,
        kind=KINDS.get(entity, "") if known else "",
        entity=ENTITIES.get(entity, entity[:LONGEST_ENTITY]),
        remote_id=remote_id,
        verb=verb,
        other_remote_id=other_id,
        occurred_at=occurred_at,
    )


def _id(value: Any, what: str) -> str:
    """Ids are texts; a number is taken too. Nothing unprintable or endless goes on from here."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text:
        raise _Unusable(f"{what} is missing.")
    if len(text) > LONGEST_ID or not text.isprintable():
        raise _Unusable(f"{what} is not one.")
    return text


def _event_id(value: Any, unique: tuple[str, ...]) -> str:
    """Opaque. A digest where there is none, or one that is too long or unprintable."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_EVENT_ID and value.isprintable():
        return value
    told = value if isinstance(value, str) and value else "\x1f".join(unique)
    return "sha256:" + hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
