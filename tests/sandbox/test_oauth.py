"""Consent, tokens and the official OAuth client, unmodified."""

import base64
import hashlib
import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError

from sandbox import serving
from sandbox.tokens import ACCOUNTING

BACK = "http://localhost:9/callback"
AUTH = ("sandbox-client", "sandbox-secret")


def decide(url: str, decision: str, realm: str = "") -> dict[str, str]:
    """Press a button on the consent page; what the browser carries back to the app."""
    page = requests.get(url, timeout=5)
    assert page.status_code == 200
    assert "Connect" in page.text
    asked = {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
    answer = requests.post(
        url.split("?")[0], data={**asked, "decision": decision, "realm": realm}, allow_redirects=False, timeout=5
    )
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == BACK
    return {key: value[0] for key, value in parse_qs(target.query).items()}


def authorize_url(served, **more: str) -> str:
    asked = {"client_id": AUTH[0], "response_type": "code", "scope": ACCOUNTING, "redirect_uri": BACK, "state": "s1"}
    return requests.Request("GET", served.url + "/connect/oauth2", params=asked | more).prepare().url or ""


def token(served, **form: str) -> requests.Response:
    return requests.post(served.url + "/oauth2/v1/tokens/bearer", data=form, auth=AUTH, timeout=5)


def exchange(served, code: str, **more: str) -> requests.Response:
    return token(served, grant_type="authorization_code", code=code, redirect_uri=BACK, **more)


def test_the_discovery_document_has_the_recorded_members_in_every_spelling(served, recorded):
    expected = recorded("oauth_discovery_document")["response"]["body"]
    for name in ("openid_configuration", "openid_sandbox_configuration", "openid-sandbox-configuration"):
        for slash in ("", "/"):
            found = requests.get(f"{served.url}/.well-known/{name}{slash}", timeout=5)
            assert found.status_code == 200
            assert found.json().keys() == expected.keys()
    assert found.json()["claims_supported"] == expected["claims_supported"]


def test_the_official_client_connects_refreshes_reads_the_user_and_revokes(served):
    client = AuthClient(*AUTH, BACK, served.discovery_url)
    url = client.get_authorization_url([Scopes.ACCOUNTING, Scopes.OPENID, Scopes.EMAIL])
    back = decide(url, "connect", served.realm)
    assert back["state"] == client.state_token
    client.get_bearer_token(back["code"], realm_id=back["realmId"])
    assert client.id_token, "the client checked issuer, audience, expiry and signature"
    assert (client.expires_in, client.x_refresh_token_expires_in) == (3600, 8_726_400)
    assert client.get_user_info().json()["emailVerified"] is True
    first = client.refresh_token
    client.refresh()
    assert client.refresh_token != first
    assert client.revoke() is True
    with pytest.raises(AuthClientError) as refused:
        client.refresh()
    assert refused.value.status_code == 400


def test_the_token_answers_have_the_recorded_members(served, recorded):
    for name, scope in (("oauth_token_response", f"{ACCOUNTING} openid"), ("oauth_refresh_response", ACCOUNTING)):
        back = decide(authorize_url(served, scope=scope), "connect", served.realm)
        body = exchange(served, back["code"]).json()
        if name == "oauth_refresh_response":
            body = token(served, grant_type="refresh_token", refresh_token=body["refresh_token"]).json()
        assert set(recorded(name)["response"]["body"]) - set(body) <= {"id_token"}
        assert set(body) <= set(recorded(name)["response"]["body"])


def test_refusing_sends_access_denied_and_the_state_back(served):
    assert decide(authorize_url(served), "cancel") == {"error": "access_denied", "state": "s1"}


def test_an_unknown_scope_goes_back_as_invalid_scope(served):
    answer = requests.get(authorize_url(served, scope="all.of.it"), allow_redirects=False, timeout=5)
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["error"] == ["invalid_scope"]


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": "other"}, {"redirect_uri": "https://evil.example/"}, {"response_type": "token"}, {"state": ""}],
)
def test_a_request_that_cannot_be_trusted_is_shown_not_redirected(served, wrong):
    answer = requests.get(authorize_url(served, **wrong), allow_redirects=False, timeout=5)
    assert answer.status_code == 400


def test_a_code_works_once_and_a_second_use_ends_what_the_first_gave(served, recorded):
    code = decide(authorize_url(served), "connect", served.realm)["code"]
    first = exchange(served, code).json()
    second = exchange(served, code)
    assert second.status_code == recorded("oauth_fault_invalid_grant")["response"]["status"]
    assert second.json() == recorded("oauth_fault_invalid_grant")["response"]["body"]
    assert token(served, grant_type="refresh_token", refresh_token=first["refresh_token"]).status_code == 400


def test_pkce_is_checked_when_a_challenge_was_sent(served):
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    url = authorize_url(served, code_challenge=challenge, code_challenge_method="S256")
    assert exchange(served, decide(url, "connect", served.realm)["code"], code_verifier="other").status_code == 400
    assert exchange(served, decide(url, "connect", served.realm)["code"]).status_code == 400
    assert exchange(served, decide(url, "connect", served.realm)["code"], code_verifier=verifier).status_code == 200


def test_an_old_refresh_token_dies_when_a_new_one_is_given(served, recorded):
    old = served.connect().refresh
    new = token(served, grant_type="refresh_token", refresh_token=old).json()["refresh_token"]
    refused = token(served, grant_type="refresh_token", refresh_token=old)
    assert refused.json() == recorded("oauth_fault_token_invalid")["response"]["body"]
    assert token(served, grant_type="refresh_token", refresh_token=new).status_code == 200


def test_a_grace_lets_the_old_refresh_token_live_a_little_and_rotation_can_wait():
    with serving(grace_seconds=60) as lenient:
        old = lenient.connect().refresh
        for _ in range(2):
            assert token(lenient, grant_type="refresh_token", refresh_token=old).status_code == 200
    with serving(rotate_after_seconds=86_400) as daily:
        old = daily.connect().refresh
        assert token(daily, grant_type="refresh_token", refresh_token=old).json()["refresh_token"] == old


def test_the_hard_expiry_is_told_only_when_asked_for(served):
    url, form = served.url + "/oauth2/v1/tokens/bearer", {"grant_type": "refresh_token"}
    silent = requests.post(url, data=form | {"refresh_token": served.connect().refresh}, auth=AUTH, timeout=5).json()
    headers = {"x-include-refresh-token-hard-expires-in": "true"}
    asked = {**form, "refresh_token": served.connect().refresh}
    told = requests.post(url, data=asked, auth=AUTH, headers=headers, timeout=5).json()
    assert "x_refresh_token_hard_expires_in" not in silent
    assert told["x_refresh_token_hard_expires_in"] == 157_680_000


def test_the_client_may_identify_itself_in_the_form_and_a_wrong_secret_is_refused(served):
    url, form = served.url + "/oauth2/v1/tokens/bearer", {"grant_type": "refresh_token"}
    form["refresh_token"] = served.connect().refresh
    wrong = requests.post(url, data=form, auth=(AUTH[0], "guess"), timeout=5)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    posted = requests.post(url, data=form | {"client_id": AUTH[0], "client_secret": AUTH[1]}, timeout=5)
    assert posted.status_code == 200


def test_unknown_grants_are_refused_by_name(served):
    assert token(served, grant_type="password").json() == {"error": "unsupported_grant_type"}
    assert token(served, grant_type="refresh_token").json() == {"error": "invalid_request"}


def test_access_tokens_end_with_their_seconds_and_grants_with_their_owner(monkeypatch):
    with serving(access_seconds=60) as brief:
        tokens = brief.connect()
        headers = {"Authorization": f"Bearer {tokens.access}", "Accept": "application/json"}
        url = f"{brief.url}/v3/company/{brief.realm}/preferences"
        assert requests.get(url, headers=headers, timeout=5).status_code == 200
        monkeypatch.setattr("sandbox.tokens.time", SimpleNamespace(time=lambda: time.time() + 61))
        assert requests.get(url, headers=headers, timeout=5).status_code == 401
        assert requests.post(brief.url + "/_sandbox/tokens/revoke", timeout=5).json() == {"revoked": 1}
        assert token(brief, grant_type="refresh_token", refresh_token=tokens.refresh).status_code == 400
