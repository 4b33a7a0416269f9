"""The grant of a folder: a permission that its owner writes into `grants.json`, with codes and passes like any other.

The OAuth port. Nothing leaves the machine: the address a person is sent to is for `desk.answer`, by which the owner
agrees. Passes are kept as digests. A renewal replaces both passes, and the old ones are worth nothing at once.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from crm.domain.errors import OutcomeUnknown, ProviderError, Unavailable
from crm.providers.accounting.base import Authorization, CallInfo, Config, OnCall, Tokens
from crm.providers.accounting.ledgerfile import files
from crm.providers.accounting.ledgerfile.errors import Says, error_from
from crm.providers.accounting.ledgerfile.ledger import parse, root_of, stamp

T = TypeVar("T")

ACCESS_LIFE = timedelta(minutes=80)
REFRESH_LIFE = timedelta(days=30)
CODE_LIFE = timedelta(minutes=5)


class LedgerfileOAuth:
    def __init__(self, config: Config, *, now: Callable[[], datetime], on_call: OnCall) -> None:
        self._config = config
        self._now = now
        self._on_call = on_call

    def authorize(self) -> Authorization:
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        asked = {
            "client": self._config.client_id,
            "back": self._config.redirect_uri,
            "state": state,
            "challenge": challenge(verifier),
        }
        return Authorization(f"{self._config.api_url.rstrip('/')}/agree?{urlencode(asked)}", state, verifier)

    def exchange(self, code: str, *, code_verifier: str) -> Tokens:
        def use(grants: dict[str, Any]) -> Tokens:
            asked = grants["codes"].pop(hashed(code), None)
            if asked is None or asked["until"] < stamp(self._now()) or asked["challenge"] != challenge(code_verifier):
                raise Says("grant-over")
            return self._give(grants, secrets.token_hex(8), asked["company"])

        return self._change("exchange", use)

    def refresh(self, refresh_token: str) -> Tokens:
        def renew(grants: dict[str, Any]) -> Tokens:
            name = _holder(grants, "refresh", refresh_token)
            if name is None or grants["grants"][name]["refresh_until"] < stamp(self._now()):
                raise Says("grant-over")
            return self._give(grants, name, grants["grants"][name]["company"])

        return self._change("refresh", renew)

    def revoke(self, token: str) -> None:
        def end(grants: dict[str, Any]) -> None:
            for which in ("refresh", "access"):
                grants["grants"].pop(_holder(grants, which, token), None)

        try:
            self._change("revoke", end)
        except OutcomeUnknown as error:  # giving back twice does no harm
            raise Unavailable(str(error), cause=error.cause) from None

    def _give(self, grants: dict[str, Any], name: str, company: str) -> Tokens:
        now = self._now()
        tokens = Tokens(
            access_token=f"pass-{secrets.token_urlsafe(24)}",
            refresh_token=f"renew-{secrets.token_urlsafe(24)}",
            access_expires_at=now + ACCESS_LIFE,
            refresh_expires_at=now + REFRESH_LIFE,
            scopes=("ledger",),
        )
        grants["grants"][name] = {
            "company": company,
            "access": hashed(tokens.access_token),
            "access_until": stamp(now + ACCESS_LIFE),
            "refresh": hashed(tokens.refresh_token),
            "refresh_until": stamp(now + REFRESH_LIFE),
        }
        return tokens

    def _change(self, operation: str, change: Callable[[dict[str, Any]], T]) -> T:
        """A change of the grants by one who knows the keys; heard of as one call."""
        started, trace_id = time.monotonic(), uuid4().hex
        failure: ProviderError | None = None
        answer: T | None = None
        try:
            root = root_of(self._config.api_url)
            self._check_keys(root)
            with open_grants(root) as grants:
                answer = change(grants)
        except (Says, OSError) as said:
            failure = error_from(said, trace_id)
        spent = round((time.monotonic() - started) * 1000)
        self._on_call(CallInfo(operation, False, None, trace_id, spent, type(failure).__name__ if failure else ""))
        if failure:
            raise failure
        return answer  # type: ignore[return-value]

    def _check_keys(self, root: Path) -> None:
        known = parse(files.read(root / "keys.json")).get(self._config.client_id)
        if not isinstance(known, str) or not compare_digest(known, hashed(self._config.client_secret)):
            raise Says("who-are-you")


@contextmanager
def open_grants(root: Path) -> Iterator[dict[str, Any]]:
    """The grants, alone with them; written back when they were changed and nothing was raised but a refusal."""
    path = root / "grants.json"
    with files.locked(root):
        found = parse(files.read(path)) if path.exists() else {"codes": {}, "grants": {}}
        before = json.dumps(found)
        refused: Says | None = None
        try:
            yield found
        except Says as said:  # a code that was tried is used up, whatever came of it
            refused = said
        if json.dumps(found) != before:
            files.write(path, json.dumps(found, indent=1).encode())
    if refused:
        raise refused


def check_pass(root: Path, company: str, access_token: str) -> None:
    """Raises Says where this pass does not open this company's books."""
    path = root / "grants.json"
    grants = parse(files.read(path)) if path.exists() else {"grants": {}}
    name = _holder(grants, "access", access_token)
    if name is None or grants["grants"][name]["access_until"] < stamp(datetime.now(UTC)):
        raise Says("pass-over")
    if grants["grants"][name]["company"] != company:
        raise Says("other-book")


def challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _holder(grants: dict[str, Any], which: str, token: str) -> str | None:
    wanted = hashed(token)
    return next((name for name, grant in grants["grants"].items() if compare_digest(grant[which], wanted)), None)
