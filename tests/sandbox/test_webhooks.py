"""Notices: signed, gathered, in both formats, delivered again after a failure."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox import serving
from sandbox.webhooks import Notice, cloudevents, legacy, sign
from tests.sandbox.conftest import connected


@dataclass
class App:
    """What the receiving side saw."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    deliveries: list[tuple[dict, bytes]] = field(default_factory=list)

    def events(self) -> list[tuple[str, str]]:
        return [(event["type"], event["intuitentityid"]) for _, raw in self.deliveries for event in json.loads(raw)]

    def wait_for(self, count: int) -> None:
        limit = time.monotonic() + 30
        while len(self.deliveries) < count and time.monotonic() < limit:
            time.sleep(0.02)
        assert len(self.deliveries) >= count


@pytest.fixture
def app() -> Iterator[App]:
    seen = App()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            seen.deliveries.append((dict(self.headers) | {"path": self.path}, raw))
            self.send_response(seen.answers.pop(0) if seen.answers else 200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield seen
    server.shutdown()
    server.server_close()


def test_our_signature_equals_the_recorded_one(recorded):
    delivery = recorded("webhook_legacy_customer_create_signed")
    raw = delivery["request"]["raw_body"].encode()
    for token in (delivery["source"].get("verifier_token"), delivery["request"].get("verifier_token")):
        if token:
            assert sign(raw, token) == delivery["request"]["headers"]["intuit-signature"]
    assert sign(raw, "t") == base64.b64encode(hmac.new(b"t", raw, hashlib.sha256).digest()).decode()


def test_both_formats_have_the_recorded_members(recorded):
    notice = Notice(1, "310687", "Customer", "1234", "created", "2025-09-10T21:31:25.179851+00:00", None, 0)
    expected = recorded("webhook_cloudevents_doc_sample")["request"]["body"][0]
    made = cloudevents([notice])[0]
    assert made.keys() == expected.keys()
    assert (made["type"], made["intuitentityid"], made["intuitaccountid"]) == (
        expected["type"], expected["intuitentityid"], expected["intuitaccountid"],
    )  # fmt: skip
    assert len(made["time"]) == len(expected["time"])
    old = recorded("webhook_legacy_customer_create_signed")["request"]["body"]["eventNotifications"][0]
    mine = legacy([notice])["eventNotifications"][0]
    assert mine.keys() == old.keys()
    assert mine["dataChangeEvent"]["entities"][0].keys() == old["dataChangeEvent"]["entities"][0].keys()


def test_changes_arrive_signed_and_gathered(app: App):
    with serving(app_url=app.url, webhook_delay=0.15) as served:
        api = connected(served)
        made = api.customer("Told")
        api.write("Customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "x"})
        app.wait_for(1)
        headers, raw = app.deliveries[0]
        assert headers["path"] == "/webhooks/quickbooks"
        assert headers["intuit-signature"] == sign(raw, "sandbox-verifier")
        assert app.events() == [("qbo.customer.created.v1", made["Id"]), ("qbo.customer.updated.v1", made["Id"])]
        assert len(app.deliveries) == 1


def test_a_refused_delivery_comes_again_with_the_same_event_ids(app: App):
    app.answers = [500]
    with serving(app_url=app.url, webhook_delay=0.01, webhook_retries=(0.05,)) as served:
        connected(served).customer("Told twice")
        app.wait_for(2)
        first, second = (json.loads(raw) for _, raw in app.deliveries[:2])
        assert [event["id"] for event in first] == [event["id"] for event in second]


def test_what_changes_nothing_tells_nothing_and_every_verb_is_told(app: App):
    with serving(app_url=app.url, webhook_delay=0.01) as served:
        served.sandbox.postman.paused = True
        api = connected(served)
        customer, item = api.customer("Verbs"), api.item("Verbs")
        api.write("Customer", {"Id": customer["Id"], "SyncToken": "0", "sparse": True, "DisplayName": "Verbs"})
        first, second = (api.sale("Invoice", customer, item, "1") for _ in range(2))
        api.call("POST", f"invoice/{first['Id']}/send", params={"sendTo": "a@b.example"})
        api.write("Invoice", {"Id": first["Id"], "SyncToken": "0"}, operation="void")
        api.write("Invoice", {"Id": second["Id"], "SyncToken": "0"}, operation="delete")
        assert app.deliveries == []
        served.sandbox.postman.paused = False
        assert served.sandbox.postman.deliver(everything=True) + len(app.events()) >= 7
        kinds = [kind.removeprefix("qbo.").removesuffix(".v1") for kind, _ in app.events()]
        assert kinds == ["customer.created", "item.created", "invoice.created", "invoice.created", "invoice.emailed",
                         "invoice.void", "invoice.deleted"]  # fmt: skip


def test_the_legacy_format_can_be_chosen(app: App):
    with serving(app_url=app.url, webhook_delay=0.01, webhook_format="legacy") as served:
        made = connected(served).customer("Old style")
        app.wait_for(1)
        entity = json.loads(app.deliveries[0][1])["eventNotifications"][0]["dataChangeEvent"]["entities"][0]
        assert (entity["name"], entity["id"], entity["operation"]) == ("Customer", made["Id"], "Create")
