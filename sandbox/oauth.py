"""The authorization server over HTTP: discovery, consent page, token, revoke, user info, keys.

Paths are the real ones, all on this host [recorded: oauth_discovery_document]. The consent page shows the app and
the companies and sends code, state and realmId back, or error=access_denied. Decisions about tokens: sandbox.tokens.
"""

import base64
import binascii
import secrets
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request

from sandbox.tokens import SCOPES, USER, Authority, Refused, Tokens

blueprint = Blueprint("oauth", __name__)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _authority() -> Authority:
    return current_app.extensions["sandbox"].authority


def _issuer() -> str:
    return request.host_url.rstrip("/") + "/op/v1"


@blueprint.get("/.well-known/<any(openid_configuration, openid_sandbox_configuration):name>", strict_slashes=False)
@blueprint.get(
    "/.well-known/<any('openid-configuration', 'openid-sandbox-configuration'):name>", strict_slashes=False
)
def discovery(name: str) -> Response:
    host = request.host_url.rstrip("/")
    return jsonify(
        issuer=_issuer(),
        authorization_endpoint=f"{host}/connect/oauth2",
        token_endpoint=f"{host}/oauth2/v1/tokens/bearer",
        userinfo_endpoint=f"{host}/v1/openid_connect/userinfo",
        revocation_endpoint=f"{host}/v2/oauth2/tokens/revoke",
        jwks_uri=f"{host}/op/v1/jwks",
        response_types_supported=["code"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
        scopes_supported=["openid", "email", "profile", "address", "phone"],
        token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"],
        claims_supported=["aud", "exp", "iat", "iss", "realmid", "sub"],
    )


@blueprint.get("/connect/oauth2")
def consent() -> Response | tuple[str, int]:
    """Show what is asked for and by whom; a request that cannot be trusted is not sent anywhere."""
    asked = request.args
    sandbox = current_app.extensions["sandbox"]
    wrong = _wrong(asked.to_dict())
    if wrong:
        return render_template("consent_refused.html", reason=wrong), 400
    if not set(asked["scope"].split()) <= SCOPES:
        return _back(asked["redirect_uri"], error="invalid_scope", state=asked["state"])
    return render_template(
        "consent.html", companies=sandbox.store.companies(), asked=asked, scopes=asked["scope"].split()
    ), 200


def _wrong(asked: dict) -> str | None:
    """Why an authorization request cannot be shown, in a sentence."""
    settings = current_app.extensions["sandbox"].settings
    if asked.get("client_id") != settings.client_id:
        return "The client_id is unknown. This sandbox knows the app as " + settings.client_id + "."
    if asked.get("response_type") != "code":
        return "response_type must be code."
    if urlsplit(asked.get("redirect_uri", "")).hostname not in LOOPBACK:
        return "The redirect_uri must be an address of this machine (localhost, 127.0.0.1)."
    if not asked.get("state"):
        return "A state parameter is required."
    return None if asked.get("scope") else "A scope parameter is required."


@blueprint.post("/connect/oauth2")
def decide() -> Response | tuple[str, int]:
    form = request.form
    wrong = _wrong(form.to_dict())
    if wrong:
        return render_template("consent_refused.html", reason=wrong), 400
    if form.get("decision") != "connect":
        return _back(form["redirect_uri"], error="access_denied", state=form["state"])
    sandbox = current_app.extensions["sandbox"]
    realm = form.get("realm", "")
    if realm not in dict(sandbox.store.companies()):
        return render_template("consent_refused.html", reason="Choose a company first."), 400
    code = _authority().code(
        realm, form["scope"], form["redirect_uri"], challenge=form.get("code_challenge") or None,
        method=form.get("code_challenge_method") or "plain",
    )  # fmt: skip
    return _back(form["redirect_uri"], code=code, state=form["state"], realmId=realm)


def _back(redirect_uri: str, **answer: str) -> Response:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return redirect(f"{redirect_uri}{joint}{urlencode(answer)}", 302)  # type: ignore[return-value]


@blueprint.post("/oauth2/v1/tokens/bearer")
def token() -> tuple[Response, int]:
    form = request.form
    kind = form.get("grant_type")
    try:
        _client(form.to_dict())
        if kind == "authorization_code":
            if not form.get("code") or not form.get("redirect_uri"):
                raise Refused("invalid_request")
            given = _authority().exchange(form["code"], form["redirect_uri"], form.get("code_verifier"))
        elif kind == "refresh_token":
            if not form.get("refresh_token"):
                raise Refused("invalid_request")
            given = _authority().refresh(form["refresh_token"])
            current_app.extensions["sandbox"].counters.add(given.realm, "refresh")
        else:
            raise Refused("unsupported_grant_type")
    except Refused as refused:
        return _refusal(refused)
    return _tokens(given, fresh=kind == "authorization_code"), 200


def _tokens(given: Tokens, *, fresh: bool) -> Response:
    settings = current_app.extensions["sandbox"].settings
    body = {
        "token_type": "bearer",
        "access_token": given.access,
        "expires_in": settings.access_seconds,
        "refresh_token": given.refresh,
        "x_refresh_token_expires_in": given.refresh_seconds,
    }
    if request.headers.get("x-include-refresh-token-hard-expires-in", "").lower() == "true":
        body["x_refresh_token_hard_expires_in"] = given.hard_seconds
    if "openid" in given.scope.split() and fresh:
        body["id_token"] = _authority().id_token(_issuer(), given.realm)
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-cache, no-store"
    return response


def _refusal(refused: Refused) -> tuple[Response, int]:
    body = {"error": refused.error}
    if refused.description:
        body["error_description"] = refused.description
    return jsonify(body), 401 if refused.error == "invalid_client" else 400


def _client(form: dict) -> None:
    """Check client id and secret, sent by Basic header or in the form. Raises Refused("invalid_client")."""
    settings = current_app.extensions["sandbox"].settings
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("invalid_client") from None
    else:
        id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not (
        secrets.compare_digest(id.encode(), settings.client_id.encode())
        and secrets.compare_digest(secret.encode(), settings.client_secret.encode())
    ):
        raise Refused("invalid_client")


@blueprint.post("/v2/oauth2/tokens/revoke")
def revoke() -> tuple[Response, int] | tuple[str, int]:
    body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    try:
        _client({})
        value = (body or {}).get("token")
        if not value:
            raise Refused("invalid_request")
        _authority().revoke(value)
    except Refused as refused:
        return _refusal(refused)
    return "", 200


@blueprint.get("/v1/openid_connect/userinfo")
def userinfo() -> tuple[Response, int]:
    _, _, value = request.headers.get("Authorization", "").partition(" ")
    _, scopes = _authority().realm_of(value)
    if "openid" not in scopes:
        return jsonify(error="insufficient_scope"), 403
    shown = {"sub": USER["sub"]}
    shown |= {key: USER[key] for key in ("email", "emailVerified") if "email" in scopes}
    shown |= {key: USER[key] for key in ("givenName", "familyName") if "profile" in scopes}
    shown |= {key: USER[key] for key in ("phoneNumber", "phoneNumberVerified") if "phone" in scopes}
    return jsonify(shown), 200


@blueprint.get("/op/v1/jwks")
def jwks() -> Response:
    return jsonify(_authority().jwks())
