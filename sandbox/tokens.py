"""Grants, codes and tokens of the simulated authorization server, kept in the store.

``sandbox.oauth`` speaks HTTP and calls this; the API asks ``realm_of`` for each request. Sources: FACTS 1.3-1.6: codes
are single use, a second exchange revokes what the first one gave; refresh tokens rotate; either token revokes all.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox import faults
from sandbox.settings import Settings
from sandbox.store import Store

ACCOUNTING = "com.intuit.quickbooks.accounting"
SCOPES = frozenset(
    {ACCOUNTING, "com.intuit.quickbooks.payment", "openid", "profile", "email", "phone", "address"}
)
CODE_SECONDS = 300
USER = {
    "sub": "f2a7c3d0-5b1e-4c1f-9a53-6a0f2f1c7e11", "email": "owner@sandbox.example", "emailVerified": True,
    "givenName": "Sandbox", "familyName": "Owner", "phoneNumber": "+1 913-555-0100", "phoneNumberVerified": False,
}  # fmt: skip


class Refused(Exception):
    """An OAuth refusal: error is the protocol's own word, e.g. invalid_grant."""

    def __init__(self, error: str, description: str | None = None):
        super().__init__(error)
        self.error, self.description = error, description


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str
    refresh_seconds: int
    hard_seconds: int
    scope: str
    realm: str


class Authority:
    """Gives and takes tokens. Safe between threads: every change is one store transaction."""

    def __init__(self, store: Store, settings: Settings):
        self.store, self.settings = store, settings
        self.refreshed: list[float] = []
        """When each refresh was granted (seconds since 1970), since the start."""

    def code(
        self, realm: str, scope: str, redirect_uri: str, *, challenge: str | None = None, method: str = "plain"
    ) -> str:
        """A single-use authorization code for one company."""
        data = {"realm": realm, "scope": scope, "redirect_uri": redirect_uri, "challenge": challenge, "method": method}
        value = "XAB" + secrets.token_urlsafe(36)
        self._keep(value, "code", "", CODE_SECONDS, data)
        return value

    def exchange(self, code: str, redirect_uri: str, verifier: str | None) -> Tokens:
        with self.store.exclusive() as connection:
            row = connection.execute("SELECT expires, data, grant_key FROM token WHERE value=? AND kind='code'",
                                     (code,)).fetchone()  # fmt: skip
            expires, data, used = (row[0], json.loads(row[1]), row[2]) if row else (0, {}, "")
            if used:
                connection.execute("UPDATE grant_ SET revoked=1 WHERE key=?", (used,))
            good = row and not used and expires > time.time() and data["redirect_uri"] == redirect_uri
            if good and _proves(data, verifier):
                key, now = secrets.token_hex(12), time.time()
                hard = now + self.settings.hard_expiry_seconds
                connection.execute(
                    "INSERT INTO grant_ VALUES (?,?,?,?,?,0)", (key, data["realm"], data["scope"], now, hard)
                )
                connection.execute("UPDATE token SET grant_key=? WHERE value=?", (key, code))
                return self._issue(key, data["realm"], data["scope"], hard, None)
        raise Refused("invalid_grant")  # outside: what a second exchange revokes must stay revoked

    def refresh(self, value: str) -> Tokens:
        """New access token; new refresh token when the old one is due to rotate. Raises Refused("invalid_grant")."""
        now = time.time()
        with self.store.exclusive() as connection:
            row = connection.execute(
                "SELECT t.grant_key, t.issued, t.expires, t.data, g.realm, g.scope, g.hard_expiry FROM token t"
                " JOIN grant_ g ON g.key=t.grant_key WHERE t.value=? AND t.kind='refresh' AND NOT g.revoked", (value,)
            ).fetchone()  # fmt: skip
            if row is None or row[2] <= now or row[6] <= now:
                raise Refused("invalid_grant", "Token invalid")
            key, issued, expires, data, realm, scope, hard = row
            replaced = json.loads(data).get("replaced")
            if replaced is not None:
                if now > replaced + self.settings.grace_seconds:
                    raise Refused("invalid_grant", "Token invalid")
                value, issued, expires = connection.execute(
                    "SELECT value, issued, expires FROM token WHERE grant_key=? AND kind='refresh' AND data='{}'",
                    (key,),
                ).fetchone()
            self.refreshed.append(now)
            if now - issued < self.settings.rotate_after_seconds:
                return self._issue(key, realm, scope, hard, (value, expires))
            connection.execute("UPDATE token SET data=? WHERE value=?", (json.dumps({"replaced": now}), value))
            return self._issue(key, realm, scope, hard, None)

    def _issue(self, key: str, realm: str, scope: str, hard: float, refresh: tuple[str, float] | None) -> Tokens:
        now = time.time()
        access = "eyJ" + secrets.token_urlsafe(180)
        self._keep(access, "access", key, self.settings.access_seconds, {})
        if refresh is None:
            refresh = "AB" + secrets.token_urlsafe(36), min(now + self.settings.refresh_seconds, hard)
            self._keep(refresh[0], "refresh", key, refresh[1] - now, {})
        return Tokens(access, refresh[0], int(refresh[1] - now + 0.5), int(hard - now + 0.5), scope, realm)

    def _keep(self, value: str, kind: str, key: str, seconds: float, data: dict) -> None:
        now = time.time()
        with self.store.exclusive() as connection:
            connection.execute(
                "INSERT INTO token VALUES (?,?,?,?,?,?)", (value, kind, key, now, now + seconds, json.dumps(data))
            )

    def revoke(self, value: str) -> None:
        """End the whole grant by either of its tokens. Raises Refused when it is unknown or ended already."""
        with self.store.exclusive() as connection:
            changed = connection.execute(
                "UPDATE grant_ SET revoked=1 WHERE NOT revoked AND key IN (SELECT grant_key FROM token WHERE value=?)",
                (value,),
            ).rowcount
        if not changed:
            raise Refused("invalid_grant", "Token invalid")

    def realm_of(self, value: str) -> tuple[str, frozenset[str]]:
        """(company, scopes) an access token opens. Raises the gateway's 401."""
        if not 20 <= len(value) <= 4096:
            raise faults.token_refused("Malformed bearer token: too short or too long")
        row = self.store.connection().execute(
            "SELECT t.expires, g.revoked, g.realm, g.scope FROM token t JOIN grant_ g ON g.key=t.grant_key"
            " WHERE t.value=? AND t.kind='access'", (value,)
        ).fetchone()  # fmt: skip
        if row is None:
            raise faults.token_refused(f"Malformed bearer token: {value}")
        if row[0] <= time.time():
            raise faults.token_refused(f"Token expired: {value}")
        if row[1]:
            raise faults.token_refused(f"Token revoked: {value}")
        return row[2], frozenset(row[3].split())

    def expire(self, realm: str | None = None) -> int:
        """Make all access tokens (of one company) expired at once; how many."""
        where = "grant_key IN (SELECT key FROM grant_ WHERE ? IN (realm, ''))"
        with self.store.exclusive() as connection:
            statement = f"UPDATE token SET expires=0 WHERE kind='access' AND expires>0 AND {where}"
            return connection.execute(statement, (realm or "",)).rowcount

    def revoke_all(self, realm: str | None = None) -> int:
        """End every grant (of one company), as its owner disconnecting the app would; how many."""
        with self.store.exclusive() as connection:
            statement = "UPDATE grant_ SET revoked=1 WHERE NOT revoked AND ? IN (realm, '')"
            return connection.execute(statement, (realm or "",)).rowcount

    # -- OpenID

    def _key(self) -> rsa.RSAPrivateKey:
        with self.store.exclusive() as connection:
            row = connection.execute("SELECT value FROM secret WHERE name='signing key'").fetchone()
            if row:
                return serialization.load_pem_private_key(row[0].encode(), None)  # type: ignore[return-value]
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            connection.execute("INSERT INTO secret VALUES ('signing key', ?)", (pem.decode(),))
            return key

    def jwks(self) -> dict:
        numbers = self._key().public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return {
            "keys": [
                {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "sandbox-1", "n": _b64(modulus), "e": "AQAB"}
            ]
        }

    def id_token(self, issuer: str, realm: str) -> str:
        """A signed statement of who consented, for the openid scope."""
        now = int(time.time())
        header = {"kid": "sandbox-1", "typ": "JWT", "alg": "RS256"}
        claims = {
            "sub": USER["sub"], "aud": [self.settings.client_id], "realmid": realm, "auth_time": now, "iss": issuer,
            "exp": now + self.settings.access_seconds, "iat": now,
        }  # fmt: skip
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_b64(signature)}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _proves(data: dict, verifier: str | None) -> bool:
    """PKCE: a challenge given at the start must be met; without one nothing is asked."""
    challenge = data["challenge"]
    if not challenge:
        return True
    if not verifier:
        return False
    made = _b64(hashlib.sha256(verifier.encode()).digest()) if data["method"] == "S256" else verifier
    return secrets.compare_digest(made, challenge)
