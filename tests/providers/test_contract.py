"""QuickBooks Online keeps the contract of every accounting adapter, against the look-alike over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

import sandbox
from crm.domain.errors import DuplicateName
from crm.domain.records import CustomerRecord, Origin, PartyRecord
from crm.providers import http
from crm.providers.accounting.base import Authorization, Config
from crm.providers.accounting.quickbooks import mapper, provider, webhooks
from crm.providers.accounting.quickbooks.oauth import forget_endpoints
from sandbox.webhooks import cloudevents, legacy, sign
from tests.providers.contract import AccountingContract, World
from tests.providers.writing import draft, key, made

TROUBLE = {
    "down": {"action": "status", "status": 503},
    "page": {"action": "html", "status": 502},
    "dropped": {"action": "drop_before"},
    "throttled": {"action": "throttle"},
    "lost": {"action": "drop_after"},
    "late": {"action": "status_after", "status": 500},
    "garbled": {"action": "body", "body": '{"QueryResponse": {"Cust'},
}
#: Where things go wrong: at the books and where tokens are given; not at the discovery document.
PLACES = "^/(v3|oauth2)/"


class QuickBooksWorld(World):
    name = "quickbooks"
    page_size = 7
    secret = "sandbox-verifier"

    def __init__(self, served: sandbox.Served) -> None:
        super().__init__()
        self._served = served
        self.touched = False
        """Whether the test changed the company."""
        self.realm_id = served.realm
        self.config = Config(
            "sandbox-client",
            "sandbox-secret",
            "http://localhost/auth/quickbooks/callback",
            sandbox=True,
            discovery_url=served.discovery_url,
            api_url=served.url,
        )

    def consent(self, authorization: Authorization, *, agree: bool = True) -> dict[str, str]:
        assert requests.get(authorization.url, timeout=5).status_code == 200
        form = dict(parse_qsl(urlsplit(authorization.url).query))
        form |= {"realm": self.realm_id, "decision": "connect" if agree else "cancel"}
        answer = requests.post(self._served.url + "/connect/oauth2", form, allow_redirects=False, timeout=5)
        assert answer.status_code == 302
        back = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        assert not agree or back["realmId"] == self.realm_id
        return back

    def ids(self, kind: str) -> set[str]:
        return {body["Id"] for body in self._served.store.reading(self.realm_id).all(mapper.ENTITIES[kind])}

    def deactivate(self, customer_id: str) -> None:
        body = self._served.store.reading(self.realm_id).get("Customer", customer_id)
        assert body is not None
        self._write("customer", {"Id": customer_id, "SyncToken": body["SyncToken"], "sparse": True, "Active": False})

    def rename(self, customer_id: str, name: str) -> None:
        body = self._served.store.reading(self.realm_id).get("Customer", customer_id)
        assert body is not None
        change = {"Id": customer_id, "SyncToken": body["SyncToken"], "sparse": True, "DisplayName": name}
        self._write("customer", change)

    def remove(self, kind: str, remote_id: str) -> None:
        entity = mapper.ENTITIES[kind]
        body = self._served.store.reading(self.realm_id).get(entity, remote_id)
        assert body is not None
        self._write(entity.lower(), {"Id": remote_id, "SyncToken": body["SyncToken"]}, params={"operation": "delete"})

    def merge(self, survivor: str, loser: str) -> None:
        address, body = f"{self._served.url}/_sandbox/merge", {"survivor": survivor, "loser": loser}
        assert requests.post(address, json=body, timeout=5).status_code == 200

    def spoil(self, kind: str, remote_id: str) -> None:
        self.touched = True
        with self._served.store.writing(self.realm_id) as books:
            body = books.get(mapper.ENTITIES[kind], remote_id)
            assert body is not None
            books.put(mapper.ENTITIES[kind], {**body, "MetaData": {**body["MetaData"], "CreateTime": "yesterday"}})

    def trouble(self, what: str, *, times: int | None = 1) -> None:
        self._served.sandbox.script.set([{**TROUBLE[what], "path": PLACES, "count": times}])

    def posted(self) -> list[tuple[bytes, dict[str, str]]]:
        postman, found = self._served.sandbox.postman, []
        notices = postman._due(everything=True)
        postman._settle(notices, "")
        for form in (cloudevents, legacy) if notices else ():
            body = json.dumps(form(notices)).encode()
            found.append((body, {"content-type": "text/plain", "intuit-signature": sign(body, self.secret)}))
        return found

    def expire(self) -> None:
        assert self._served.sandbox.authority.expire(self.realm_id)

    def disconnect(self) -> None:
        assert self._served.sandbox.authority.revoke_all(self.realm_id)

    def _write(self, path: str, body: dict, params: dict[str, str] | None = None) -> None:
        self.touched = True
        answer = requests.post(
            f"{self._served.url}/v3/company/{self.realm_id}/{path}",
            json=body,
            params=params,
            headers={"Authorization": f"Bearer {self._served.connect().access}", "Accept": "application/json"},
            timeout=5,
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sandbox.Served]:
    with sandbox.serving(Path(tmp_path_factory.mktemp("sandbox"))) as served:
        yield served


class TestQuickBooks(AccountingContract):
    @pytest.fixture
    def world(self, served: sandbox.Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuickBooksWorld]:
        forget_endpoints()
        served.sandbox.script.clear()
        monkeypatch.setattr(provider, "PAGE_SIZE", QuickBooksWorld.page_size)
        monkeypatch.setattr(http, "_pause", lambda _: 0.0)
        world = QuickBooksWorld(served)
        yield world
        served.sandbox.script.clear()
        if world.touched or any(call.operation == "batch" for call in world.calls):
            served.sandbox.fill(afresh=True)

    def test_a_merge_is_posted_with_both_ids_and_the_loser_is_told_gone(self, world: QuickBooksWorld) -> None:
        books, since = world.granted(), datetime.now(UTC) - timedelta(seconds=2)
        survivor, loser = made(world, books, "Survivor"), made(world, books, "Loser")
        world.posted()
        world.merge(survivor.origin.remote_id, loser.origin.remote_id)
        for body, _ in world.posted():
            (event,) = webhooks.parse(body).notifications
            assert (event.kind, event.verb) == ("customer", "merged")
            assert (event.remote_id, event.other_remote_id) == (survivor.origin.remote_id, loser.origin.remote_id)
        told = books.changes(["customer"], since)
        assert [gone.remote_id for gone in told.gone] == [loser.origin.remote_id]
        assert books.fetch("customer", [loser.origin.remote_id]).records == ()

    @pytest.mark.parametrize("kind", ["vendor", "employee"])
    def test_a_name_may_be_held_by_another_kind(self, world: QuickBooksWorld, kind: str) -> None:
        books = world.granted()
        holder = next(iter(books.scan(kind).records))
        assert isinstance(holder, PartyRecord)
        twin = draft(world, "create", CustomerRecord(Origin(""), holder.display_name))
        (refused,) = books.push([twin], key=key())
        assert isinstance(refused.error, DuplicateName)
        assert refused.error.remote_id == holder.origin.remote_id
        assert books.find(kind, [holder.display_name]).records == (holder,)

    def test_a_thousand_customers_come_in_two_calls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """ceil(N/1000) and one more, at QuickBooks' own page size."""
        with sandbox.serving(tmp_path, size=1000, companies=1) as served:
            world = QuickBooksWorld(served)
            books, found, cursor = world.granted(), [], None
            while True:
                page = books.scan("customer", cursor)
                found += [record.origin.remote_id for record in page.records]
                cursor = page.cursor
                if cursor is None:
                    break
            total = len(world.ids("customer"))
            assert len(found) == len(set(found)) == total >= 1000
            assert len(world.calls) <= -(-total // 1000) + 1
            assert served.sandbox.counters.snapshot()[served.realm]["coreplus"] == len(world.calls)
