"""The manners of our HTTP: what is sent again, what never is, and what must not be seen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

import pytest

from crm.domain.errors import OutcomeUnknown, Unavailable
from crm.providers import http
from tests.providers.listener import Reply, Request, listening

SERVICE = "test"


@pytest.fixture
def refused() -> str:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


def first(*replies: Reply) -> Iterator[Reply]:
    """These replies, then good ones."""
    yield from replies
    while True:
        yield Reply({"ok": True})


def test_calls_of_one_service_share_a_connection() -> None:
    with listening(lambda _: Reply()) as server:
        for _ in range(5):
            http.read(SERVICE, "GET", server.url)
        assert len({request.port for request in server.requests}) == 1


@pytest.mark.parametrize("reply", [Reply(status=503), Reply(status=500), Reply(drop=True), Reply(status=408)])
def test_a_read_is_sent_again_where_the_caller_asks(reply: Reply) -> None:
    replies, pauses = first(reply, reply), []
    with listening(lambda _: next(replies)) as server:
        answer = http.read(SERVICE, "GET", server.url, repeat=2, sleep=pauses.append)
        assert (answer.status, len(server.requests), len(pauses)) == (200, 3, 2)


def test_a_read_is_not_sent_again_unasked() -> None:
    replies = first(Reply(status=503))
    with listening(lambda _: next(replies)) as server:
        assert http.read(SERVICE, "GET", server.url).status == 503
        assert len(server.requests) == 1


def test_the_last_answer_is_returned_when_repeating_did_not_help() -> None:
    with listening(lambda _: Reply(status=502)) as server:
        assert http.read(SERVICE, "GET", server.url, repeat=1, sleep=lambda _: None).status == 502
        assert len(server.requests) == 2


def test_a_refusal_is_not_repeated() -> None:
    with listening(lambda _: Reply(status=400)) as server:
        http.read(SERVICE, "GET", server.url, repeat=3, sleep=lambda _: None)
        assert len(server.requests) == 1


@pytest.mark.parametrize(("wait", "sent"), [("1", 2), ("600", 1), ("", 1)])
def test_a_throttle_is_sat_out_only_when_it_says_a_short_time(wait: str, sent: int) -> None:
    headers = {"Retry-After": wait} if wait else {}
    replies, pauses = first(Reply(status=429, headers=headers)), []
    with listening(lambda _: next(replies)) as server:
        answer = http.read(SERVICE, "GET", server.url, repeat=1, sleep=pauses.append)
        assert len(server.requests) == sent
        assert answer.retry_after == (int(wait) if wait and sent == 1 else None)
        assert pauses == ([1] if sent == 2 else [])


def test_a_wait_may_be_named_as_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    answer = http.Answer(429, {"retry-after": format_datetime(moment, usegmt=True)}, b"", "")
    assert 85 <= (answer.retry_after or 0) <= 90
    assert http.Answer(429, {"retry-after": "soon"}, b"", "").retry_after is None


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(status=503)])
def test_a_write_is_sent_once(reply: Reply) -> None:
    with listening(lambda _: reply) as server:
        try:
            http.write(SERVICE, "POST", server.url)
        except OutcomeUnknown:
            assert reply.drop
        assert len(server.requests) == 1


def test_a_write_without_an_answer_has_an_unknown_outcome() -> None:
    with listening(lambda _: Reply(drop=True)) as server, pytest.raises(OutcomeUnknown, match="not known"):
        http.write(SERVICE, "POST", server.url)


def test_a_write_that_found_nobody_was_never_received(refused: str) -> None:
    with pytest.raises(Unavailable):
        http.write(SERVICE, "POST", refused)


def test_a_silent_server_is_given_up_on() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="did not answer in time"):
            http.read(SERVICE, "GET", address, timeout=(1, 0.1))
        with pytest.raises(OutcomeUnknown):
            http.write(SERVICE, "POST", address, timeout=(1, 0.1))


def test_a_timeout_cannot_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "requests.adapters.HTTPAdapter.send",
        lambda self, request, stream, timeout, *rest: seen.append(timeout) or (_ for _ in ()).throw(OSError()),
    )
    with pytest.raises(OSError):
        http.adapter(SERVICE).send(None, timeout=None)  # type: ignore[arg-type]
    assert seen == [http.TIMEOUT]


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    headers = {"Location": "/elsewhere", "Set-Cookie": "a=b"}
    with listening(lambda _: Reply(status=302, headers=headers)) as server:
        assert http.read(SERVICE, "GET", server.url).status == 302
        http.read(SERVICE, "GET", server.url)
        assert [request.path for request in server.requests] == ["/", "/"]
        assert "cookie" not in server.requests[1].headers


def test_every_sending_is_reported_with_its_trace_id() -> None:
    number = count(1)

    def answer(_: Request) -> Reply:
        at = next(number)
        return Reply(status=503 if at == 1 else 200, headers={"intuit_tid": f"tid-{at}"})

    heard: list[http.Attempt] = []
    with listening(answer) as server:
        http.read(SERVICE, "GET", server.url, repeat=1, sleep=lambda _: None, on_attempt=heard.append)
    assert [(attempt.status, attempt.trace_id) for attempt in heard] == [(503, "tid-1"), (200, "tid-2")]


def test_a_lost_connection_is_reported_by_its_name(refused: str) -> None:
    heard: list[http.Attempt] = []
    with pytest.raises(Unavailable):
        http.read(SERVICE, "GET", refused, on_attempt=heard.append)
    assert (heard[0].status, heard[0].error) == (None, "ConnectionError")


def test_no_secret_is_in_an_error_or_its_chain(refused: str) -> None:
    token = "AB" * 20
    with pytest.raises(Unavailable) as caught:
        http.read(SERVICE, "GET", refused, params={"t": token}, auth=http.Bearer(token), secrets=[token])
    error = caught.value
    assert token not in f"{error} {error.cause}"
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRETSECRETSECRET",
        "Basic SECRETSECRETSECRET==",
        '{"access_token": "SECRETSECRETSECRET", "x": 1}',
        "refresh_token=SECRETSECRETSECRET&x=1",
        "client_secret='SECRETSECRETSECRET'",
        "Token expired: SECRET",
        "eyJSECRETSECRET.eyJSECRET.SECRET",
    ],
)
def test_secrets_are_masked_in_any_of_their_usual_forms(text: str) -> None:
    assert "SECRET" not in http.scrub(text)
    assert "***" in http.scrub(text)


def test_ordinary_words_are_not_masked() -> None:
    text = "Malformed bearer token: too short; errorCode=003200; code: 6240"
    assert http.scrub(text) == text
