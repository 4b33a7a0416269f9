"""The sandbox's own controls under /_sandbox: trouble, tokens, calls, throttle, webhooks, state, reset.

For tests, benches and people at the keyboard; the real service has none of this. All answers are JSON.
"""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from sandbox import api, exact, faults, merging, rules, switches, uploads
from sandbox.entities import ENTITIES
from sandbox.settings import Throttle
from sandbox.times import utc_now

blueprint = Blueprint("admin", __name__, url_prefix="/_sandbox")


def _sandbox() -> Any:
    return current_app.extensions["sandbox"]


@blueprint.get("/")
def overview() -> Response:
    companies = [{"realm_id": realm, "name": name} for realm, name in _sandbox().store.companies()]
    return jsonify(companies=companies, webhooks=_webhooks(), throttle=asdict(_sandbox().gate.limits))


@blueprint.get("/trouble")
def shown_trouble() -> Response:
    return jsonify(_sandbox().script.shown())


@blueprint.post("/trouble")
def set_trouble() -> tuple[Response, int]:
    try:
        asked = request.get_json()
        if isinstance(asked, dict):  # {"seed": 7, "rules": [...]}
            _sandbox().script.seed(int(asked.get("seed", 7)))
            asked = asked.get("rules", [])
        _sandbox().script.set(asked)
    except ValueError as error:
        return jsonify(error=str(error)), 400
    return jsonify(_sandbox().script.shown()), 200


@blueprint.delete("/trouble")
def clear_trouble() -> Response:
    _sandbox().script.clear()
    return jsonify([])


@blueprint.post("/tokens/expire")
def expire() -> Response:
    """Make access tokens expired, of ?realm= or all companies."""
    return jsonify(expired=_sandbox().authority.expire(request.args.get("realm")))


@blueprint.post("/tokens/revoke")
def revoke() -> Response:
    """Disconnect the app, as the owner of ?realm= or all companies would in QuickBooks."""
    return jsonify(revoked=_sandbox().authority.revoke_all(request.args.get("realm")))


@blueprint.get("/tokens/refreshes")
def refreshes() -> Response:
    """When access tokens were refreshed, seconds since 1970, of all companies since the start."""
    return jsonify(_sandbox().authority.refreshed)


@blueprint.post("/tokens/issue")
def issue() -> tuple[Response, int]:
    """Tokens without the consent page, for benches: body {"realm": ..., "scope": ...}."""
    body = request.get_json(silent=True) or {}
    realms = [realm for realm, _ in _sandbox().store.companies()]
    realm = str(body.get("realm") or (realms[0] if realms else ""))
    if realm not in realms:
        return jsonify(error=f"there is no company {realm!r}"), 400
    authority = _sandbox().authority
    scope = body.get("scope") or "com.intuit.quickbooks.accounting"
    tokens = authority.exchange(authority.code(realm, scope, "http://localhost/"), "http://localhost/", None)
    return jsonify(realm_id=realm, access_token=tokens.access, refresh_token=tokens.refresh), 200


@blueprint.get("/calls")
def calls() -> Response:
    return jsonify(_sandbox().counters.snapshot())


@blueprint.get("/writes")
def writes() -> Response:
    """Every write of ?realm= (default the first company) that was carried out under a request id: once each, however
    often it was sent. Of each request id and batch item the record it left, as it stood then."""
    realm = request.args.get("realm") or _sandbox().store.companies()[0][0]
    return jsonify([
        {"request_id": key, "item": item, "entity": entity, "id": record["Id"], "version": record.get("SyncToken")}
        for key, item, entity, record in _sandbox().store.reading(realm).answers()
    ])  # fmt: skip


@blueprint.delete("/calls")
def forget_calls() -> Response:
    _sandbox().counters.reset()
    return jsonify({})


@blueprint.route("/throttle", methods=["GET", "POST"])
def throttle() -> tuple[Response, int]:
    """Limits in force; POST any of per_minute, per_second, batches_per_minute (0 switches one off)."""
    gate = _sandbox().gate
    if request.method == "POST":
        try:
            gate.limits = Throttle(**{**asdict(gate.limits), **request.get_json()})
        except TypeError:
            return jsonify(error=f"known limits are {', '.join(asdict(gate.limits))}"), 400
        gate.reset()
    return jsonify(asdict(gate.limits)), 200


def _webhooks() -> dict:
    postman = _sandbox().postman
    return {
        "url": postman.url,
        "format": postman.format,
        "paused": postman.paused,
        "queued": postman.queued(),
        "delivered": postman.delivered,
        "failed": postman.failed,
        "last_error": postman.last_error,
        "lost": postman.lost,
    }


@blueprint.route("/webhooks", methods=["GET", "POST"])
def webhooks() -> tuple[Response, int]:
    """State of delivery; POST any of url, format (cloudevents or legacy), paused, and the chances of misconduct: lose,
    repeat, shuffle (0 to 1)."""
    if request.method == "POST":
        asked = request.get_json()
        if asked.get("format", "legacy") not in ("cloudevents", "legacy"):
            return jsonify(error="format must be cloudevents or legacy"), 400
        for name in ("url", "format", "paused", "lose", "repeat", "shuffle"):
            if name in asked:
                setattr(_sandbox().postman, name, asked[name])
        _sandbox().postman.wake()
    return jsonify(_webhooks()), 200


@blueprint.post("/webhooks/flush")
def flush() -> Response:
    """Deliver all that is queued now, retries included."""
    return jsonify(arrived=_sandbox().postman.deliver(everything=True), **_webhooks())


@blueprint.post("/perform")
def perform() -> tuple[Response, int]:
    """One write as the owner makes it in QuickBooks itself: no token, no trouble, no throttle, but the same rules.

    Body {"entity", "operation", "body", "realm"}; an update without Id's SyncToken takes the one that is in force.
    """
    asked = exact.loads(request.get_data())
    realm = str(asked.get("realm") or _sandbox().store.companies()[0][0])
    entity, operation, body = asked["entity"], asked.get("operation", "update"), dict(asked["body"])
    try:
        with _sandbox().store.writing(realm) as books:
            if body.get("Id") and "SyncToken" not in body:
                body["SyncToken"] = exact.loads(rules.read(books, entity, body["Id"]))["SyncToken"]
            record = api.perform(books, entity, operation, body, frozenset(), by_owner=True)
    except faults.Fault as fault:
        return jsonify(error=fault.error()), 400
    _sandbox().postman.wake()
    return Response(exact.dumps(record), mimetype="application/json"), 200


@blueprint.post("/company")
def company() -> tuple[Response, int]:
    """Change a company: any of "tax" (see switches.TAX_MODES), "preferences" (by path, SalesFormsPrefs.AllowDeposit),
    "custom_fields" (names) and the settings "side_events", "default_tax", "closed_with_password"."""
    asked = dict(request.get_json())
    realm = str(asked.pop("realm", None) or _sandbox().store.companies()[0][0])
    now = utc_now()
    try:
        with _sandbox().store.writing(realm) as books:
            if "tax" in asked:
                switches.set_tax(books, asked.pop("tax"), now)
            if "preferences" in asked:
                switches.set_preferences(books, asked.pop("preferences"), now)
            if "custom_fields" in asked:
                switches.custom_fields(books, asked.pop("custom_fields"), now)
            for name, value in asked.items():
                switches.put(books, name, value)
            found = {name: switches.setting(books, name) for name in switches.KNOWN}
            found["preferences"] = books.get("Preferences", 1)
    except ValueError as error:
        return jsonify(error=str(error)), 400
    _sandbox().postman.wake()
    return Response(exact.dumps(found), mimetype="application/json"), 200


@blueprint.get("/sent")
def sent() -> Response:
    """Every mail of ?realm=, oldest first: entity, id, address, at."""
    realm = request.args.get("realm") or _sandbox().store.companies()[0][0]
    return jsonify(_sandbox().store.reading(realm).mails())


@blueprint.get("/file/<realm>/<int:id>")
def file(realm: str, id: int) -> tuple[Response, int]:
    """An uploaded file, as TempDownloadUri names it."""
    found = uploads.content(_sandbox().store.reading(realm), str(id))
    if found is None:
        return jsonify(error="there is no such file"), 404
    return Response(found, mimetype="application/octet-stream"), 200


@blueprint.get("/state")
def state() -> tuple[Response, int]:
    """Everything of one ?entity= of ?realm= (default the first company), inactive records included."""
    entity = request.args.get("entity", "")
    realms = [realm for realm, _ in _sandbox().store.companies()]
    realm = request.args.get("realm") or (realms[0] if realms else "")
    if entity not in ENTITIES:
        return jsonify(error=f"entity must be one of {', '.join(ENTITIES)}"), 400
    rows = list(_sandbox().store.reading(realm).all(entity))
    return Response(exact.dumps(rows), mimetype="application/json"), 200


@blueprint.post("/merge")
def merge() -> tuple[Response, int]:
    """Merge two customers as a person does in QuickBooks itself. Body {"survivor": id, "loser": id, "realm": ...}."""
    asked = request.get_json()
    realm = str(asked.get("realm") or _sandbox().store.companies()[0][0])
    try:
        with _sandbox().store.writing(realm) as books:
            record = merging.merge(books, str(asked.get("survivor")), str(asked.get("loser")), now=utc_now())
    except faults.Fault as fault:
        return jsonify(error=fault.error()), 400
    _sandbox().postman.wake()
    return Response(exact.dumps(record), mimetype="application/json"), 200


@blueprint.post("/reset")
def reset() -> Response:
    """Start over: companies as generated, no tokens, no trouble, no counts."""
    sandbox = _sandbox()
    sandbox.script.clear()
    sandbox.counters.reset()
    sandbox.gate.reset()
    sandbox.fill(afresh=True)
    return overview()
