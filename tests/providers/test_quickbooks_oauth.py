"""Getting, renewing and giving back a QuickBooks grant: what we send, what we make of each answer."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crm.domain import errors
from crm.providers.accounting import registry
from crm.providers.accounting.base import CallInfo, Config, OAuth
from crm.providers.accounting.quickbooks import oauth as module
from tests.providers.listener import Listener, Reply, Request, listening
from tests.providers.recordings import RECORDED, load, needs_recordings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GRANT = {
    "access_token": "access-1",
    "refresh_token": "refresh-1",
    "token_type": "bearer",
    "expires_in": 3600,
    "x_refresh_token_expires_in": 8726400,
    "x_refresh_token_hard_expires_in": 157494248,
}


class Intuit:
    """A server with a discovery document whose other answers are scripted by path."""

    def __init__(self) -> None:
        self.token, self.revoke, self.discovery = Reply(GRANT), Reply(), Reply()
        self.calls: list[CallInfo] = []
        self.now = NOW
        self.server = Listener("")

    def __call__(self, request: Request) -> Reply:
        path = urlsplit(request.path).path
        if path == "/discovery":
            document = {f"{name}_endpoint": f"{self.server.url}/{name}"
                        for name in ("authorization", "token", "revocation")}  # fmt: skip
            return Reply(self.discovery.body or document, self.discovery.status, drop=self.discovery.drop)
        return {"/token": self.token, "/revocation": self.revoke}[path]

    def config(self, **other: Any) -> Config:
        given = {"discovery_url": f"{self.server.url}/discovery", "redirect_uri": "https://crm.test/back", **other}
        return Config(client_id="the-id", client_secret="the-secret", **given)

    def oauth(self) -> OAuth:
        return registry.oauth("quickbooks", self.config(), lambda: self.now, self.calls.append)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.server.requests if urlsplit(request.path).path == path]


@pytest.fixture
def intuit() -> Iterator[Intuit]:
    module.forget_endpoints()
    intuit = Intuit()
    with listening(intuit) as server:
        intuit.server = server
        yield intuit
    module.forget_endpoints()


def test_the_browser_is_sent_with_state_and_a_pkce_challenge(intuit: Intuit) -> None:
    consent = intuit.oauth().authorize()
    address, sent = urlsplit(consent.url), parse_qs(urlsplit(consent.url).query)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{intuit.server.url}/authorization"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(consent.code_verifier.encode()).digest()).rstrip(b"=")
    assert sent == {
        "response_type": ["code"],
        "client_id": ["the-id"],
        "redirect_uri": ["https://crm.test/back"],
        "scope": ["com.intuit.quickbooks.accounting"],
        "state": [consent.state],
        "code_challenge": [challenge.decode()],
        "code_challenge_method": ["S256"],
    }
    assert len(consent.state) >= 40
    assert consent.code_verifier not in consent.url


def test_every_consent_has_a_state_and_verifier_of_its_own(intuit: Intuit) -> None:
    one, other = intuit.oauth().authorize(), intuit.oauth().authorize()
    assert one.state != other.state
    assert one.code_verifier != other.code_verifier


def test_an_exchange_sends_what_intuit_wants_and_reads_all_three_expiries(intuit: Intuit) -> None:
    tokens = intuit.oauth().exchange("the-code", code_verifier="the-verifier")
    assert (tokens.access_token, tokens.refresh_token) == ("access-1", "refresh-1")
    assert tokens.access_expires_at == NOW + timedelta(seconds=3600)
    assert tokens.refresh_expires_at == NOW + timedelta(seconds=8726400)
    assert tokens.hard_expires_at == NOW + timedelta(seconds=157494248)
    assert tokens.scopes == ("com.intuit.quickbooks.accounting",)
    (request,) = intuit.asked("/token")
    assert parse_qs(request.body) == {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": ["https://crm.test/back"],
        "code_verifier": ["the-verifier"],
    }
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"the-id:the-secret").decode()
    assert request.headers["x-include-refresh-token-hard-expires-in"] == "true"
    assert request.headers["accept"] == "application/json"


def test_a_refresh_replaces_both_tokens_and_asks_for_the_hard_end_again(intuit: Intuit) -> None:
    intuit.token = Reply({**GRANT, "access_token": "access-2", "refresh_token": "refresh-2"})
    tokens = intuit.oauth().refresh("refresh-1")
    assert (tokens.access_token, tokens.refresh_token) == ("access-2", "refresh-2")
    (request,) = intuit.asked("/token")
    assert parse_qs(request.body) == {"grant_type": ["refresh_token"], "refresh_token": ["refresh-1"]}
    assert request.headers["x-include-refresh-token-hard-expires-in"] == "true"


def test_a_grant_that_says_no_hard_end_has_none(intuit: Intuit) -> None:
    intuit.token = Reply({"access_token": "a", "refresh_token": "r", "expires_in": 60})
    tokens = intuit.oauth().refresh("refresh-1")
    assert (tokens.refresh_expires_at, tokens.hard_expires_at) == (None, None)


def test_a_refresh_that_brings_no_new_refresh_token_keeps_the_old_one(intuit: Intuit) -> None:
    intuit.token = Reply({"access_token": "access-2", "expires_in": 3600})
    assert intuit.oauth().refresh("refresh-1").refresh_token == "refresh-1"


def test_an_exchange_that_brings_no_refresh_token_is_no_grant(intuit: Intuit) -> None:
    intuit.token = Reply({"access_token": "access-2", "expires_in": 3600})
    with pytest.raises(errors.Unavailable):
        intuit.oauth().exchange("code", code_verifier="verifier")


def test_tokens_are_not_printed(intuit: Intuit) -> None:
    assert "access-1" not in f"{intuit.oauth().refresh('refresh-1')!r}"


@needs_recordings
@pytest.mark.parametrize("name", ["oauth_token_response.json", "oauth_refresh_response.json"])
def test_a_recorded_grant_is_read(intuit: Intuit, name: str) -> None:
    intuit.token = Reply(load(RECORDED / name)["response"]["body"])
    tokens = intuit.oauth().refresh("refresh-1")
    assert (tokens.access_token, tokens.refresh_token) == ("sample_access_token", "sample_refresh_token")
    assert tokens.refresh_expires_at == NOW + timedelta(days=101)


@needs_recordings
@pytest.mark.parametrize("name", ["oauth_fault_invalid_grant.json", "oauth_fault_token_invalid.json"])
def test_a_recorded_dead_grant_needs_a_reconnect(intuit: Intuit, name: str) -> None:
    recorded = load(RECORDED / name)["response"]
    intuit.token = Reply(recorded["body"], recorded["status"], {"intuit_tid": "tid-9"})
    with pytest.raises(errors.NeedsReconnect, match="Connect the company again") as caught:
        intuit.oauth().refresh("refresh-1")
    assert (caught.value.cause.code, caught.value.cause.trace_id) == ("invalid_grant", "tid-9")


@needs_recordings
def test_the_recorded_discovery_document_is_what_we_fall_back_to() -> None:
    document = load(RECORDED / "oauth_discovery_document.json")["response"]["body"]
    assert (
        module.Endpoints(
            document["authorization_endpoint"], document["token_endpoint"], document["revocation_endpoint"]
        )
        == module.PUBLISHED
    )


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"error": "invalid_grant"}, 400), errors.NeedsReconnect),
        (Reply({"error": "invalid_client"}, 401), errors.WrongKeys),
        (Reply({"error": "invalid_client"}, 400), errors.WrongKeys),
        (Reply("", 401), errors.WrongKeys),
        (Reply({"error": "unsupported_grant_type"}, 400), errors.UnexpectedAnswer),
        (Reply({"error": "invalid_grant"}, 200), errors.NeedsReconnect),
        (Reply({}, 404), errors.UnexpectedAnswer),
        (Reply({}, 429, {"Retry-After": "9"}), errors.RateLimited),
        (Reply("<html>down</html>", 503), errors.Unavailable),
        (Reply("<html>fine?</html>", 200), errors.Unavailable),
        (Reply([], 200), errors.Unavailable),
        (Reply({"refresh_token": "r"}, 200), errors.Unavailable),
        (Reply({"access_token": None, "refresh_token": "r"}, 200), errors.Unavailable),
        (Reply({**GRANT, "expires_in": "soon"}, 200), errors.Unavailable),
        (Reply({}, 302, {"Location": "/elsewhere"}), errors.UnexpectedAnswer),
        (Reply(drop=True), errors.Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status}-{value.body}"[:40],
)
@pytest.mark.parametrize("ask", ["exchange", "refresh"])
def test_every_bad_answer_becomes_one_of_our_errors_after_one_call(
    intuit: Intuit, reply: Reply, kind: type[errors.ProviderError], ask: str
) -> None:
    intuit.token = reply
    calls: dict[str, Callable[[OAuth], object]] = {
        "exchange": lambda oauth: oauth.exchange("secret-code", code_verifier="secret-verifier"),
        "refresh": lambda oauth: oauth.refresh("secret-refresh"),
    }
    with pytest.raises(errors.ProviderError) as caught:
        calls[ask](intuit.oauth())
    error = caught.value
    assert type(error) is kind
    assert len(intuit.asked("/token")) == 1
    assert "secret" not in f"{error.cause}"
    assert error.__context__ is None
    assert (intuit.calls[-1].operation, intuit.calls[-1].error) == (ask, kind.__name__)


def test_a_server_that_repeats_the_token_in_its_refusal_does_not_get_it_into_our_logs(intuit: Intuit) -> None:
    intuit.token = Reply({"error": "invalid_grant", "error_description": "bad token my-refresh the-secret"}, 400)
    with pytest.raises(errors.NeedsReconnect) as caught:
        intuit.oauth().refresh("my-refresh")
    assert caught.value.cause.detail == "bad token *** ***"


@pytest.mark.parametrize("reply", [Reply(), Reply(status=400), Reply({"error": "invalid_token"}, 400)])
def test_giving_back_is_done_when_given_back_or_gone_already(intuit: Intuit, reply: Reply) -> None:
    intuit.revoke = reply
    intuit.oauth().revoke("refresh-1")
    (request,) = intuit.asked("/revocation")
    assert json.loads(request.body) == {"token": "refresh-1"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=503), errors.Unavailable),
        (Reply({"error": "invalid_client"}, 401), errors.WrongKeys),
        (Reply({"error": "invalid_client"}, 400), errors.WrongKeys),
        (Reply(drop=True), errors.Unavailable),
    ],
)
def test_giving_back_fails_aloud_when_it_did_not_happen(
    intuit: Intuit, reply: Reply, kind: type[errors.ProviderError]
) -> None:
    intuit.revoke = reply
    with pytest.raises(kind):
        intuit.oauth().revoke("refresh-1")


def test_the_discovery_document_is_read_once_a_day(intuit: Intuit) -> None:
    oauth = intuit.oauth()
    oauth.authorize()
    oauth.refresh("refresh-1")
    intuit.oauth().authorize()
    assert len(intuit.asked("/discovery")) == 1
    intuit.now += timedelta(days=1)
    oauth.authorize()
    assert len(intuit.asked("/discovery")) == 2


def test_addresses_once_known_outlive_a_failing_discovery(intuit: Intuit) -> None:
    oauth = intuit.oauth()
    oauth.authorize()
    intuit.now += timedelta(days=2)
    intuit.discovery = Reply(drop=True)
    assert oauth.refresh("refresh-1").access_token == "access-1"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply("<html></html>", 200),
        Reply({"token_endpoint": "https://x"}, 200),
        Reply({f"{n}_endpoint": "http://evil.test/" for n in ("authorization", "token", "revocation")}, 200),
    ],
)
def test_another_servers_keys_never_go_to_intuit_when_its_discovery_fails(intuit: Intuit, reply: Reply) -> None:
    intuit.discovery = reply
    with pytest.raises(errors.Unavailable):
        intuit.oauth().authorize()


def test_intuits_published_addresses_serve_where_its_own_discovery_fails(
    intuit: Intuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTUIT", ".127.0.0.1")
    intuit.discovery = Reply(status=503)
    assert intuit.oauth().authorize().url.startswith("https://appcenter.intuit.com/connect/oauth2?")


@pytest.mark.parametrize(
    ("url", "own"),
    [(module.DISCOVERY, True), ("https://intuit.com.evil.test/x", False), ("https://evilintuit.com/x", False)],
)
def test_only_addresses_of_intuit_count_as_intuits(url: str, own: bool) -> None:
    assert module._is_intuit(url) is own


def test_every_call_is_heard_of_with_its_trace_id_and_none_is_metered(intuit: Intuit) -> None:
    intuit.token = Reply(GRANT, headers={"intuit_tid": "tid-1"})
    oauth = intuit.oauth()
    oauth.exchange("c", code_verifier="v")
    oauth.refresh("r")
    oauth.revoke("r")
    assert [(call.operation, call.status, call.metered) for call in intuit.calls] == [
        ("discovery", 200, False),
        ("exchange", 200, False),
        ("refresh", 200, False),
        ("revoke", 200, False),
    ]
    assert intuit.calls[1].trace_id == "tid-1"
