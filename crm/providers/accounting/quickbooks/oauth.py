"""Getting, renewing and giving back a QuickBooks grant: OAuth 2.0 authorization code through Authlib.

Endpoints come from the discovery document, kept per process for a day, with Intuit's published ones where Intuit's
own document cannot be read. Expiry times are computed here from the caller's clock, before the request went out, so
that they err on the early side. Every failure becomes one of our errors; no token leaves in one. Locking and
storing are the caller's: Intuit rotates refresh tokens and may take two refreshes at once for theft.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from crm.domain.errors import (
    Cause,
    NeedsReconnect,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Unavailable,
    UnexpectedAnswer,
    WrongKeys,
)
from crm.providers import http
from crm.providers.accounting.base import Authorization, CallInfo, Config, OnCall, Tokens

SERVICE = "quickbooks-oauth"
SCOPE = "com.intuit.quickbooks.accounting"
TIMEOUT: http.Timeout = (5.0, 20.0)
#: Asks the token endpoint for the absolute end of the grant as well (Intuit, November 2025).
HARD_EXPIRY = {"x-include-refresh-token-hard-expires-in": "true"}
DISCOVERY = "https://developer.intuit.com/.well-known/openid_configuration/"
DISCOVERY_SANDBOX = "https://developer.intuit.com/.well-known/openid_sandbox_configuration/"
ACCESS_LIFE = 3600
"""Seconds, where an answer does not say."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    authorization: str
    token: str
    revocation: str


#: The same in production and sandbox.
PUBLISHED = Endpoints(
    authorization="https://appcenter.intuit.com/connect/oauth2",
    token="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",  # noqa: S106 (an address)
    revocation="https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
)
INTUIT = ".intuit.com"
KEEP = timedelta(days=1)
KEEP_FALLBACK = timedelta(minutes=1)

_known: dict[str, tuple[datetime, Endpoints]] = {}
_known_lock = threading.Lock()


def forget_endpoints() -> None:
    """Read the discovery documents anew at the next use."""
    with _known_lock:
        _known.clear()


class QuickBooksOAuth:
    """The OAuth port. `now` gives aware UTC; `on_call` hears of every call to Intuit."""

    def __init__(self, config: Config, *, now: Callable[[], datetime], on_call: OnCall) -> None:
        self._config = config
        self._now = now
        self._on_call = on_call

    def authorize(self) -> Authorization:
        """A fresh consent. PKCE is sent although Intuit documents nothing on it; `state` is the protection."""
        verifier = generate_token(64)
        url, state = self._session(scope=SCOPE).create_authorization_url(
            self._endpoints().authorization, state=generate_token(43), code_verifier=verifier
        )
        return Authorization(url=url, state=state, code_verifier=verifier)

    def exchange(self, code: str, *, code_verifier: str) -> Tokens:
        return self._tokens(
            "exchange",
            lambda session, url, options: session.fetch_token(
                url, grant_type="authorization_code", code=code, code_verifier=code_verifier, **options
            ),
            secrets=(code, code_verifier),
        )

    def refresh(self, refresh_token: str) -> Tokens:
        return self._tokens(
            "refresh",
            lambda session, url, options: session.refresh_token(url, refresh_token=refresh_token, **options),
            secrets=(refresh_token,),
        )

    def revoke(self, token: str) -> None:
        """Intuit wants JSON here, where RFC 7009 has a form; 400 says that the token is dead already."""
        try:
            answer = http.write(
                SERVICE,
                "POST",
                self._endpoints().revocation,
                json={"token": token},
                headers={"Accept": "application/json"},
                auth=(self._config.client_id, self._config.client_secret),
                timeout=TIMEOUT,
                secrets=(token, self._config.client_secret),
                on_attempt=lambda attempt: self._heard("revoke", attempt),
            )
        except OutcomeUnknown as error:  # giving back twice does no harm: the caller may simply try again
            raise Unavailable(str(error), cause=error.cause) from None
        if answer.status in (200, 204):
            return
        if answer.status == 400 and "invalid_client" not in answer.text:
            return
        raise _refused(answer, secrets=(token, self._config.client_secret))

    def _tokens(self, operation: str, ask: Callable[..., Mapping[str, Any]], *, secrets: tuple[str, ...]) -> Tokens:
        url = self._endpoints().token
        secrets = (*secrets, self._config.client_secret)
        session = self._session()
        started, before = time.monotonic(), self._now()
        answers: list[http.Answer] = []

        def look(response: requests.Response) -> requests.Response:
            answer = http.answer_of(response)
            answers.append(answer)
            if answer.status != 200:
                raise _refused(answer, secrets=secrets)
            return response

        session.register_compliance_hook("access_token_response", look)
        session.register_compliance_hook("refresh_token_response", look)
        options = {
            "headers": {"Accept": "application/json", **HARD_EXPIRY},
            "timeout": TIMEOUT,
            "allow_redirects": False,
        }
        failure: ProviderError | None = None
        try:
            return _read_tokens(ask(session, url, options), before)
        except ProviderError as error:
            failure = error
        except requests.exceptions.JSONDecodeError as error:
            failure = _nonsense(answers, error)
        except requests.RequestException as error:
            failure = http.failed(error, url, changes=False, secrets=secrets)
        except OAuthError as error:
            failure = _refusal(error.error or "", error.description or "", answers[-1] if answers else None, secrets)
        except (ValueError, KeyError, TypeError) as error:
            failure = _nonsense(answers, error)
        finally:
            seen = answers[-1] if answers else None
            self._on_call(
                CallInfo(
                    operation=operation,
                    metered=False,
                    status=seen.status if seen else None,
                    trace_id=seen.trace_id if seen else "",
                    duration_ms=http.elapsed_ms(started),
                    error=type(failure).__name__ if failure else "",
                )
            )
        raise failure  # outside the handlers: a library's exception may hold the request with its secrets

    def _session(self, **options: Any) -> OAuth2Session:
        session = OAuth2Session(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret,
            redirect_uri=self._config.redirect_uri,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 (a method)
            code_challenge_method="S256",
            **options,
        )
        return http.equip(session, http.adapter(SERVICE))

    def _endpoints(self) -> Endpoints:
        url = self._config.discovery_url or (DISCOVERY_SANDBOX if self._config.sandbox else DISCOVERY)
        now = self._now()
        with _known_lock:
            kept = _known.get(url)
        if kept and now < kept[0]:
            return kept[1]
        try:
            endpoints, until = self._discover(url), now + KEEP
        except ProviderError:
            if kept:
                endpoints = kept[1]
            elif _is_intuit(url):
                endpoints = PUBLISHED
            else:  # another server's keys are not to be sent to Intuit
                raise
            until = now + KEEP_FALLBACK
        with _known_lock:
            _known[url] = (until, endpoints)
        return endpoints

    def _discover(self, url: str) -> Endpoints:
        answer = http.read(
            SERVICE,
            "GET",
            url,
            headers={"Accept": "application/json"},
            timeout=(3.0, 8.0),
            repeat=1,
            on_attempt=lambda attempt: self._heard("discovery", attempt),
        )
        try:
            body = json.loads(answer.text)
            found = Endpoints(
                authorization=body["authorization_endpoint"],
                token=body["token_endpoint"],
                revocation=body["revocation_endpoint"],
            )
        except (ValueError, KeyError, TypeError):
            found = None
        if answer.status != 200 or found is None or not _safe(found, url):
            raise Unavailable(
                f"{url} does not answer with QuickBooks' sign-in addresses. Check QUICKBOOKS_DISCOVERY_URL.",
                cause=Cause(http_status=answer.status, trace_id=answer.trace_id),
            )
        return found

    def _heard(self, operation: str, attempt: http.Attempt) -> None:
        self._on_call(CallInfo(operation, False, attempt.status, attempt.trace_id, attempt.duration_ms, attempt.error))


def _read_tokens(answer: Mapping[str, Any], now: datetime) -> Tokens:
    access, refresh = answer["access_token"], answer["refresh_token"]
    if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh):
        raise ValueError("empty token")

    def after(field: str) -> datetime | None:
        seconds = answer.get(field)
        return None if seconds is None else now + timedelta(seconds=int(seconds))

    return Tokens(
        access_token=access,
        refresh_token=refresh,
        access_expires_at=after("expires_in") or now + timedelta(seconds=ACCESS_LIFE),
        refresh_expires_at=after("x_refresh_token_expires_in"),
        hard_expires_at=after("x_refresh_token_hard_expires_in"),
        scopes=tuple(str(answer.get("scope") or SCOPE).split()),
    )


def _refused(answer: http.Answer, *, secrets: tuple[str, ...]) -> ProviderError:
    """Our error for an OAuth answer other than 200."""
    cause = Cause(trace_id=answer.trace_id, http_status=answer.status, detail=http.scrub(answer.text[:300], secrets))
    if answer.status == 429:
        return RateLimited(
            "Intuit's sign-in service asks for fewer calls. It will be tried again later.",
            retry_after=answer.retry_after,
            cause=cause,
        )
    if answer.status >= 500 or answer.status == 408:
        return Unavailable("Intuit's sign-in service is down. It will be tried again later.", cause=cause)
    try:
        body = json.loads(answer.text)
        code, description = str(body["error"]), str(body.get("error_description") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        code, description = ("invalid_client", "") if answer.status == 401 else ("", "")
    return _refusal(code, description, answer, secrets)


def _refusal(code: str, description: str, answer: http.Answer | None, secrets: tuple[str, ...]) -> ProviderError:
    cause = Cause(
        code=http.scrub(code[:60], secrets),
        detail=http.scrub(description[:300], secrets),
        trace_id=answer.trace_id if answer else "",
        http_status=answer.status if answer else None,
    )
    if code == "invalid_grant":
        return NeedsReconnect(
            "QuickBooks no longer accepts this connection: it was ended there, ran out, or was replaced. "
            "Connect the company again.",
            cause=cause,
        )
    if code in ("invalid_client", "unauthorized_client"):
        return WrongKeys(
            "Intuit does not accept the client id and secret. Check QUICKBOOKS_CLIENT_ID, QUICKBOOKS_CLIENT_SECRET "
            "and QUICKBOOKS_SANDBOX: development and production keys differ.",
            cause=cause,
        )
    said = f" ({cause.code})" if cause.code else ""
    return UnexpectedAnswer(f"Intuit's sign-in service refused the request{said}.", cause=cause)


def _nonsense(answers: list[http.Answer], error: Exception) -> ProviderError:
    seen = answers[-1] if answers else None
    return Unavailable(
        "Intuit's sign-in service gave an answer that cannot be read. It will be tried again later.",
        cause=Cause(
            code=type(error).__name__,
            trace_id=seen.trace_id if seen else "",
            http_status=seen.status if seen else None,
        ),
    )


def _is_intuit(url: str) -> bool:
    return f".{urlsplit(url).hostname}".endswith(INTUIT)


def _safe(found: Endpoints, discovery: str) -> bool:
    """Secrets go to https addresses only, or to the plain http host that the settings themselves name."""
    own = urlsplit(discovery).hostname
    for address in (found.authorization, found.token, found.revocation):
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname == own):
            return False
    return True
