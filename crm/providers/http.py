"""HTTP for every provider: one pooled session per service and process, and the manners that go with it.

A time-out is always set (connect, read). A write is sent once: a lost answer raises `OutcomeUnknown`. A read is
repeated only where the caller asks, for 408, 429, 5xx and broken connections. Redirects are not followed, cookies
are not kept, secrets are masked in whatever is raised. Answers of any status are returned: what they mean is for
the vendor's own `errors` table. Of vendors only the names of their trace headers are known here.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from crm.domain.errors import Cause, OutcomeUnknown, ProviderError, Unavailable

Timeout = tuple[float, float]
#: Seconds to connect, seconds between two bytes. Vendors give up on a call themselves after one or two minutes.
TIMEOUT: Timeout = (5.0, 60.0)
REPEATABLE = frozenset({408, 429, 500, 502, 503, 504})
#: The longest `Retry-After` (seconds) a repeated read sits out; a longer one is the caller's business.
PATIENCE = 5
POOL = 10

_MASK = "***"
_SECRETS = (
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]{16,}"),
    re.compile(r"(?i)((?:token|secret|code_verifier|assertion)[\"']?\s*[=:]\s*[\"']?)[\w.~+/=%-]{16,}"),
    re.compile(r"(?i)(token expired\s*:\s*)\S+"),
    re.compile(r"()\beyJ[\w-]{8,}(?:\.[\w-]*)+"),
)
_TRACE_HEADERS = ("intuit_tid", "intuit-tid", "x-request-id", "request-id", "x-correlation-id")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    trace_id: str

    @property
    def retry_after(self) -> int | None:
        """Seconds the server asked to wait, from either form of `Retry-After`."""
        return _seconds(self.headers.get("retry-after", ""))

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as it was sent: every repetition is an attempt of its own."""

    status: int | None
    trace_id: str
    duration_ms: int
    error: str = ""


OnAttempt = Callable[[Attempt], None]
Gate = Callable[[], AbstractContextManager[None]]
"""Entered before each attempt is sent, left when it is answered. Raises `RateLimited` to keep it from being sent."""


class Bearer(AuthBase):
    """Sets the header last, so that a `.netrc` of the machine cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Adapter(HTTPAdapter):
    """A connection pool that repeats nothing by itself and refuses to wait for ever."""

    def __init__(self) -> None:
        super().__init__(pool_connections=POOL, pool_maxsize=POOL, max_retries=0)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        return super().send(request, stream, timeout or TIMEOUT, verify, cert, dict(proxies or {}))


_pools: dict[tuple[int, str], tuple[Adapter, requests.Session]] = {}
_pools_lock = threading.Lock()


def _pool(service: str) -> tuple[Adapter, requests.Session]:
    key = (os.getpid(), service)  # a forked worker must not share its parent's sockets
    with _pools_lock:
        if key not in _pools:
            adapter = Adapter()
            _pools[key] = (adapter, equip(requests.Session(), adapter))
        return _pools[key]


def adapter(service: str) -> Adapter:
    """The pool of a service, for a library that brings a session of its own (see `equip`)."""
    return _pool(service)[0]


def equip(session: requests.Session, pool: Adapter) -> requests.Session:
    """Give a session our pool and manners: no cookies, nobody else's adapters."""
    session.adapters.clear()
    session.mount("https://", pool)
    session.mount("http://", pool)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def read(
    service: str, method: str, url: str, *, repeat: int = 0, sleep: Callable[[float], None] = time.sleep, **options: Any
) -> Answer:
    """A call that changes nothing there, sent up to `1 + repeat` times. Raises `Unavailable` when no answer came."""
    for left in range(repeat, -1, -1):
        try:
            answer = _send(service, method, url, **options)
        except Unavailable:
            if not left:
                raise
            sleep(_pause(repeat - left))
            continue
        wait = answer.retry_after
        if not left or answer.status not in REPEATABLE or (wait or 0) > PATIENCE:
            return answer
        if answer.status == 429 and (wait is None or "gate" in options):
            return answer  # not sat out inside a call: one that names no end, or that others must hear of
        sleep(wait if wait is not None else _pause(repeat - left))
    raise AssertionError("unreachable: the last round returns or raises")


def write(service: str, method: str, url: str, **options: Any) -> Answer:
    """A call that may change something there: sent once. Raises `Unavailable` when it cannot have been
    received, `OutcomeUnknown` when it may have been."""
    return _send(service, method, url, changes=True, **options)


def _send(
    service: str,
    method: str,
    url: str,
    *,
    changes: bool = False,
    timeout: Timeout = TIMEOUT,
    on_attempt: OnAttempt | None = None,
    gate: Gate = nullcontext,
    secrets: Iterable[str] = (),
    **options: Any,
) -> Answer:
    session = _pool(service)[1]
    attempt, failure = Attempt(None, "", 0), None
    with gate():
        started = time.monotonic()
        try:
            with session.request(method, url, timeout=timeout, allow_redirects=False, **options) as response:
                answer = answer_of(response)
            attempt = Attempt(answer.status, answer.trace_id, elapsed_ms(started))
        except requests.RequestException as error:
            failure = failed(error, url, changes=changes, secrets=secrets)
            attempt = Attempt(None, "", elapsed_ms(started), type(error).__name__)
    if on_attempt:
        on_attempt(attempt)
    if failure:
        raise failure  # outside the handler: the library's exception holds the request with its headers
    return answer


def answer_of(response: requests.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    trace_id = next((headers[name] for name in _TRACE_HEADERS if headers.get(name)), "")
    return Answer(response.status_code, headers, response.content, trace_id)


def failed(error: requests.RequestException, url: str, *, changes: bool, secrets: Iterable[str] = ()) -> ProviderError:
    """Our error for a call without an answer."""
    host = urlsplit(url).netloc
    cause = Cause(code=type(error).__name__, detail=scrub(str(error), secrets))
    if isinstance(error, requests.Timeout):
        what = f"{host} did not answer in time."
    else:
        what = f"The connection to {host} failed or broke off."
    if changes and not _never_sent(error):
        return OutcomeUnknown(f"{what} Whether the change arrived is not known.", cause=cause)
    return Unavailable(f"{what} It will be tried again later.", cause=cause)


def _never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with tokens, codes and these secrets masked: fit for a log or a page."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _MASK)
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{_MASK}", text)
    return text


def elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _pause(round_: int) -> float:
    return min(0.25 * 2**round_, 4.0) * random.uniform(0.5, 1.0)


def _seconds(text: str) -> int | None:
    text = text.strip()
    if text.isdigit():
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.now(UTC)).total_seconds()))
