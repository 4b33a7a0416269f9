"""Thin client of QuickBooks' REST API: one company, one access token, one answer per call.

The provider calls it; it returns parsed bodies with every number exact (`int` or `Decimal`, never float) and raises
our errors only. Reads are repeated twice on 5xx, broken connections and short throttles; writes go out as batches,
each once, under a key by which QuickBooks knows a repetition. Queries go out by POST, so that names and ids stay out
of addresses and long `IN` lists fit. It knows no records and refreshes no token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from crm.domain.errors import ProviderError, UnexpectedAnswer
from crm.providers import http
from crm.providers.accounting.base import Admit, CallInfo, OnCall, unlimited
from crm.providers.accounting.quickbooks.errors import error_from, faults_in, write_error

SERVICE = "quickbooks-api"
API = "https://quickbooks.api.intuit.com"
API_SANDBOX = "https://sandbox-quickbooks.api.intuit.com"
MINOR_VERSION = "75"
"""The only one in force since August 2025; said explicitly."""
TIMEOUT: http.Timeout = (5.0, 125.0)
"""QuickBooks itself gives up on a call after 120 seconds."""
REPEAT = 2


class Client:
    """Calls to one company. `on_call` hears of every request sent, repetitions included; `admit` is asked before."""

    def __init__(
        self, api_url: str, *, realm_id: str, access_token: str, on_call: OnCall, admit: Admit = unlimited
    ) -> None:
        self._base = f"{api_url.rstrip('/')}/v3/company/{quote(realm_id, safe='')}"
        self._token = access_token
        self._secrets = secrets_of(realm_id, access_token)
        self._on_call = on_call
        self._admit = admit

    def read(self, entity: str, remote_id: str = "") -> Mapping[str, Any]:
        """One object by id; Preferences have none. Raises `Gone` for a deleted transaction."""
        path = _path(entity, remote_id) if remote_id else entity.lower()
        body = self._call("read", "GET", path)
        found = body.get(entity)
        if not isinstance(found, Mapping):
            raise UnexpectedAnswer(f"QuickBooks answered a read of {entity} without one.")
        return found

    def query(self, entity: str, statement: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a query. An empty result has no member of the entity's name at all."""
        rows = self._query(statement).get(entity, [])
        if not isinstance(rows, list):
            raise UnexpectedAnswer(f"QuickBooks answered a query of {entity} without a list.")
        return rows

    def count(self, statement: str) -> int:
        total = self._query(statement).get("totalCount")
        if not isinstance(total, int):
            raise UnexpectedAnswer("QuickBooks answered a count without a number.")
        return total

    def changes(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        return self._call("changes", "GET", "cdc", params=params)

    def report(self, name: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        return self._call("report", "GET", f"reports/{name}", params=params)

    def batch(self, content: bytes, *, key: str) -> http.Answer:
        """The answer to a batch of writes, sent once. Raises `OutcomeUnknown` when it may have been carried out."""
        return self._write("batch", "batch", {"requestid": key}, content, "application/json", "BatchItemResponse")

    def send(self, entity: str, remote_id: str, *, to: str, key: str) -> Mapping[str, Any]:
        """E-mail a document, once; the document. Raises `OutcomeUnknown` when it may have gone out."""
        params = {"requestid": key, **({"sendTo": to} if to else {})}
        answer = self._write(
            "send", f"{_path(entity, remote_id)}/send", params, b"", "application/octet-stream", entity
        )
        found: Mapping[str, Any] = parsed(answer.content)[entity]
        return found

    def pdf(self, entity: str, remote_id: str) -> bytes:
        """A document as it is printed. Raises what the answer says where it is no PDF."""
        attempts: list[http.Attempt] = []
        error: ProviderError | None = None
        options = self._options("pdf", {}, None, "", attempts)
        options["headers"] = {"Accept": "application/pdf"}
        try:
            answer = http.read(SERVICE, "GET", f"{self._base}/{_path(entity, remote_id)}/pdf", repeat=REPEAT, **options)
            if answer.status != 200 or not answer.content.startswith(b"%PDF"):
                error = error_from(answer, secrets=self._secrets)
        except ProviderError as failed:
            error = failed
        self._report("pdf", attempts, error, metered=True)
        if error:
            raise error
        return answer.content

    def _query(self, statement: str) -> Mapping[str, Any]:
        answer = self._call("query", "POST", "query", data=statement.encode(), content_type="application/text")
        found = answer.get("QueryResponse")
        if not isinstance(found, Mapping):
            raise UnexpectedAnswer("QuickBooks answered a query without a result.")
        return found

    def _write(
        self, operation: str, path: str, params: Mapping[str, str], content: bytes, content_type: str, holds: str
    ) -> http.Answer:
        """One write, sent once; its answer holds a member of that name."""
        attempts: list[http.Attempt] = []
        error: ProviderError | None = None
        try:
            options = self._options(operation, params, content, content_type, attempts)
            answer = http.write(SERVICE, "POST", f"{self._base}/{path}", **options)
            if answer.status != 200 or not _holds(parsed(answer.content), holds):
                error = write_error(answer, secrets=self._secrets)
        except ProviderError as failed:
            error = failed
        self._report(operation, attempts, error, metered=False)
        if error:
            raise error
        return answer

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        content_type: str = "",
    ) -> Mapping[str, Any]:
        attempts: list[http.Attempt] = []
        error: ProviderError | None = None
        body: Mapping[str, Any] = {}
        try:
            answer = http.read(
                SERVICE,
                method,
                f"{self._base}/{path}",
                repeat=REPEAT,
                **self._options(operation, params or {}, data, content_type, attempts),
            )
            body = self._understand(answer)
        except ProviderError as failed:
            error = failed
        self._report(operation, attempts, error, metered=True)
        if error:
            raise error
        return body

    def _options(
        self,
        operation: str,
        params: Mapping[str, str],
        data: bytes | None,
        content_type: str,
        attempts: list[http.Attempt],
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        return {
            "params": {"minorversion": MINOR_VERSION, **params},
            "data": data,
            "headers": headers,
            "auth": http.Bearer(self._token),
            "timeout": TIMEOUT,
            "secrets": self._secrets,
            "on_attempt": attempts.append,
            "gate": partial(self._admit, operation),
        }

    def _understand(self, answer: http.Answer) -> Mapping[str, Any]:
        """The body of a success; HTTP 200 may hold a fault, or a page of a proxy."""
        body = parsed(answer.content)
        if answer.status != 200 or not isinstance(body, Mapping) or faults_in(body):
            raise error_from(answer, secrets=self._secrets)
        return body

    def _report(
        self, operation: str, attempts: list[http.Attempt], error: ProviderError | None, *, metered: bool
    ) -> None:
        """Intuit meters reads that succeed (CorePlus), writes never (Core)."""
        for number, attempt in enumerate(attempts, start=1):
            last = number == len(attempts)
            failure = attempt.error or (type(error).__name__ if error and last else "")
            if not failure and attempt.status != 200:
                failure = f"HTTP {attempt.status}"
            counts = metered and attempt.status == 200 and not failure
            self._on_call(CallInfo(operation, counts, attempt.status, attempt.trace_id, attempt.duration_ms, failure))


def _holds(body: Any, name: str) -> bool:
    kind = list if name == "BatchItemResponse" else Mapping
    return isinstance(body, Mapping) and isinstance(body.get(name), kind)


def _path(entity: str, remote_id: str) -> str:
    return f"{entity.lower()}/{quote(remote_id, safe='')}"


def secrets_of(realm_id: str, access_token: str) -> tuple[str, ...]:
    """What no error may repeat: the token, and the company's id, which stands in every address."""
    return access_token, realm_id, quote(realm_id, safe="")


def exact(content: bytes | str) -> Any:
    """Parsed JSON with exact numbers. Raises ValueError for anything else, NaN and infinities included."""
    return json.loads(content, parse_float=Decimal, parse_constant=_no_number)


def parsed(content: bytes) -> Any:
    """None for what is not JSON. The parser's exception, which holds the whole text, ends here."""
    try:
        return exact(content)
    except ValueError:
        return None


def literal(text: str) -> str:
    """A text as a literal of the query language (`Amy's` is `'Amy\\'s'`)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")
