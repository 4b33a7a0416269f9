"""The accounting API over HTTP: /v3/company/<realm>/...

Reads the request, checks token and throttle, lets rules, query or cdc do the work, and dresses the answer: envelope,
intuit_tid, Pacific time, JSON or (for faults, when JSON is not accepted) XML. A write, its request id and its notices
are one transaction. Sources: FACTS 2, 4.1 and the recordings.
"""

import secrets
import time
from typing import Any

from flask import Blueprint, Response, current_app, g, request

from sandbox import batch, cdc, checking, exact, faults, lookup, pdf, reports, rules, uploads
from sandbox.entities import BY_PATH, EMPTY, PRINTABLE
from sandbox.store import Books
from sandbox.times import envelope_time, utc_now
from sandbox.tokens import ACCOUNTING

blueprint = Blueprint("api", __name__)
LONGEST_REQUEST_ID = 50


def sandbox() -> Any:
    return current_app.extensions["sandbox"]


@blueprint.route("/v3/company/<realm>/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
def company(realm: str, rest: str) -> Response:
    g.realm = realm
    _authorise(realm)
    parts = rest.rstrip("/").split("/")
    if not sandbox().gate.admit(realm, batch=parts[0] == "batch"):
        g.kind = "throttled"
        raise faults.throttled()
    return _route(realm, parts)


def _authorise(realm: str) -> None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise faults.token_refused("Token missing from the Authorization header")
    owner, scopes = sandbox().authority.realm_of(value.strip())
    if ACCOUNTING not in scopes:
        raise faults.not_authorised("The access token does not have sufficient scope")
    if owner != realm:
        raise faults.not_authorised()


def _route(realm: str, parts: list[str]) -> Response:
    head, rest = parts[0].lower(), parts[1:]
    special = {"query": _query, "batch": _batch, "cdc": _cdc}.get(head)
    if special and not rest:
        return special(realm)
    if head == "upload" and not rest and request.method == "POST":
        return _upload(realm)
    if head == "reports" and len(rest) == 1 and request.method == "GET":
        return _report(realm, rest[0])
    entity = BY_PATH.get(head)
    if entity is None or entity in EMPTY or request.method not in ("GET", "POST"):
        raise _no_resource(realm, parts)
    if request.method == "POST" and not rest:
        return _write(realm, entity)
    if request.method == "POST" and len(rest) == 2 and rest[1] == "send" and entity in PRINTABLE:
        return _send(realm, entity, rest[0])
    if request.method == "GET" and entity == "Preferences" and not rest:
        return _read(realm, entity, "1")
    if request.method == "GET" and len(rest) == 1:
        return _read(realm, entity, "1" if entity == "CompanyInfo" else rest[0])
    if request.method == "GET" and len(rest) == 2 and rest[1] == "pdf" and entity in PRINTABLE:
        return _pdf(realm, entity, rest[0])
    raise _no_resource(realm, parts)


def _no_resource(realm: str, parts: list[str]) -> faults.Fault:
    path = f"/v3/company/{realm}/{'/'.join(parts)}"
    return faults.unsupported(f"Could not find resource for relative : {path} of full path: {request.base_url}")


# ---------------------------------------------------------------- operations


def _read(realm: str, entity: str, id: str) -> Response:
    g.kind = "read"
    return enveloped(entity, rules.read(sandbox().store.reading(realm), entity, id))


def _query(realm: str) -> Response:
    g.kind = "query"
    statement = request.args.get("query") if request.method == "GET" else _text()
    if not statement:  # HTTP 200 with a fault [FACTS 2.4]
        detail = "System Failure Error: the query statement is missing"
        fault = faults.Fault("10000", "An application error has occurred", detail, type="SystemFault", status=200)
        raise fault
    return enveloped("QueryResponse", lookup.answer(sandbox().store.reading(realm), statement))


def _cdc(realm: str) -> Response:
    g.kind = "cdc"
    since = request.args.get("changedSince")
    if not since:
        raise faults.required("changedSince")
    books = sandbox().store.reading(realm)
    return enveloped("CDCResponse", cdc.answer(books, request.args.get("entities", ""), since))


def _report(realm: str, name: str) -> Response:
    g.kind = "report"
    books = sandbox().store.reading(realm)
    return answered(reports.answer(books, name, request.args.to_dict(), utc_now()))


def _write(realm: str, entity: str) -> Response:
    body = _json()
    operation = _operation(body)
    g.kind = operation
    include = frozenset(filter(None, request.args.get("include", "").split(",")))
    request_id = _request_id()
    with sandbox().store.writing(realm) as books:
        text = books.answer_to(request_id) if request_id else None
        if text is None:
            record = perform(books, entity, operation, body, include)
            text = f'{{"{entity}":{exact.dumps(record)},"time":"{envelope_time(utc_now())}"}}'
            if request_id:
                books.remember(request_id, text)
    sandbox().postman.wake()
    return answered(text)


def _operation(body: dict) -> str:
    asked = request.args.get("operation", "").lower()
    if "void" in request.args.get("include", "").split(",") or asked == "void":
        return "void"
    if asked == "delete":
        return "delete"
    return "update" if body.get("Id") or asked == "update" else "create"


def perform(
    books: Books, entity: str, operation: str, body: dict, include: frozenset[str], *, by_owner: bool = False
) -> dict:
    """Carry out one write; used for single requests, batch items and what the owner does alike."""
    now = utc_now()
    if operation == "create":
        return rules.create(books, entity, body, now=now, include=include, by_owner=by_owner)
    if operation == "update":
        return rules.update(books, entity, body, now=now, include=include)
    if operation == "delete":
        return rules.delete(books, entity, body, now=now)
    if operation == "void":
        return rules.void(books, entity, body, now=now, by_owner=by_owner)
    raise faults.unsupported(operation)


def _send(realm: str, entity: str, id: str) -> Response:
    g.kind = "send"
    request_id = _request_id()
    with sandbox().store.writing(realm) as books:
        text = books.answer_to(request_id) if request_id else None
        if text is None:
            record = rules.send(books, entity, id, now=utc_now(), send_to=request.args.get("sendTo"))
            text = f'{{"{entity}":{exact.dumps(record)},"time":"{envelope_time(utc_now())}"}}'
            if request_id:
                books.remember(request_id, text)
    sandbox().postman.wake()
    return answered(text)


def _pdf(realm: str, entity: str, id: str) -> Response:
    g.kind = "pdf"
    books = sandbox().store.reading(realm)
    record = exact.loads(rules.read(books, entity, id))
    return dressed(Response(pdf.page(pdf.lines_of(entity, record)), mimetype="application/pdf"))


def _upload(realm: str) -> Response:
    g.kind = "upload"
    sent, names = request.files, sorted({*request.files, *request.form})
    numbers = dict.fromkeys(name.rpartition("_")[2] for name in names if name.startswith("file_"))

    def part(number: str) -> uploads.Part:
        metadata, file = sent.get(f"file_metadata_{number}"), sent.get(f"file_content_{number}")
        text = metadata.read().decode(errors="replace") if metadata else request.form.get(f"file_metadata_{number}")
        plain = request.form.get(f"file_content_{number}")
        content = file.read() if file else uploads.from_text(plain) if plain is not None else None
        return text, (file.filename or "" if file else ""), content

    def keep(one: uploads.Part) -> dict:
        body, content = uploads.read(one)
        checking.properties("Attachable", body)
        with sandbox().store.writing(realm) as books:
            return uploads.kept(books, checking.clean(body)[0], content, request.host_url.rstrip("/"), utc_now())

    text = uploads.receive((part(number) for number in numbers), keep)
    return answered(f'{{"AttachableResponse":{text},"time":"{envelope_time(utc_now())}"}}')


def _batch(realm: str) -> Response:
    g.kind = "batch"
    text = batch.run(sandbox(), realm, _json(), _request_id(), perform)
    sandbox().postman.wake()
    return answered(f'{{"BatchItemResponse":{text},"time":"{envelope_time(utc_now())}"}}')


# ---------------------------------------------------------------- reading requests


def _text() -> str:
    try:
        return request.get_data().decode()
    except UnicodeDecodeError:
        raise faults.unsupported("The payload is not valid UTF-8, which") from None


def _json() -> dict:
    try:
        body = exact.loads(_text())
    except ValueError as error:
        raise faults.malformed("2010", "body", f"the request is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise faults.malformed("2010", "body", "the request must be a JSON object")
    return body


def _request_id() -> str:
    request_id = request.args.get("requestid", "")
    if len(request_id) > LONGEST_REQUEST_ID:
        raise faults.malformed("2130", "requestid", f"longer than {LONGEST_REQUEST_ID} characters")
    return request_id


# ---------------------------------------------------------------- answers


def enveloped(name: str, text: str) -> Response:
    return answered(f'{{"{name}":{text},"time":"{envelope_time(utc_now())}"}}')


def answered(text: str, status: int = 200) -> Response:
    return dressed(Response(text, status, mimetype="application/json"))


def dressed(response: Response) -> Response:
    """The headers every answer carries [recorded]."""
    started = getattr(g, "started", time.monotonic())
    spent = int((time.monotonic() - started) * 1000)
    response.headers["intuit_tid"] = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    response.headers["QBO-Version"] = "sandbox"
    response.headers["Service-Time"] = f"total={spent}, db={spent}"
    response.headers["Cache-Control"] = "max-age=0, no-cache, no-store, must-revalidate, private"
    return response


def refused(fault: faults.Fault) -> Response:
    """A fault as an answer, JSON if the client accepts it, else XML."""
    now = utc_now()
    if "json" in request.headers.get("Accept", ""):
        response = answered(exact.dumps(fault.body(now)), fault.status)
    else:
        response = dressed(Response(fault.xml(now), fault.status, mimetype="application/xml"))
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Intuit", error="invalid_token"'
    return response


@blueprint.after_request
def _count(response: Response) -> Response:
    """Successful calls count by kind, everything refused counts as refused (or throttled) [FACTS 3.2]."""
    kind = getattr(g, "kind", "")
    if hasattr(g, "realm") and (kind or response.status_code != 200):
        sandbox().counters.add(g.realm, kind if response.status_code == 200 or kind == "throttled" else "refused")
    return response
