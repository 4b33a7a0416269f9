"""Keys for programs: made once, shown once, kept as a digest. `write` includes `read`."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update

from crm.db import db
from crm.domain.errors import Invalid, NotFound
from crm.models import ApiKey
from crm.services import audit
from crm.services.audit import Actor

SCOPES = {"read": "Read", "write": "Read and write"}
PREFIX = "tb_"
SHOWN = 11
"""How many characters of a key are kept in the clear, to tell keys apart."""
USED_EVERY = timedelta(minutes=1)


def create(name: str, *, scope: str, actor: Actor, now: datetime) -> tuple[ApiKey, str]:
    """The row and the key itself, which is not stored and cannot be shown again."""
    fields = {}
    if not name.strip():
        fields["name"] = "Give the key a name that says which program uses it."
    if scope not in SCOPES:
        fields["scope"] = f"The scope must be one of: {', '.join(SCOPES)}."
    if fields:
        raise Invalid(fields)
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        name=name.strip()[:120], prefix=key[:SHOWN], key_hash=_digest(key), scope=scope, created_at=now,
        created_by_id=actor.user_id,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    audit.record("api_key_created", actor=actor, now=now, subject=f"api_key:{row.id}", summary=f"{row.name} ({scope})")
    return row, key


def revoke(key_id: int, *, actor: Actor, now: datetime) -> None:
    row = db.session.get(ApiKey, key_id)
    if row is None:
        raise NotFound("There is no such API key.")
    if row.revoked_at is None:
        row.revoked_at = now
        audit.record("api_key_revoked", actor=actor, now=now, subject=f"api_key:{row.id}", summary=row.name)


def find(key: str) -> ApiKey | None:
    """The live key that this text is, or None."""
    return db.session.scalar(select(ApiKey).where(ApiKey.key_hash == _digest(key), ApiKey.revoked_at.is_(None)))


def is_stale(row: ApiKey, *, now: datetime) -> bool:
    """Whether `last_used_at` should be written again; once a minute is enough and spares a write per call."""
    return row.last_used_at is None or now - row.last_used_at > USED_EVERY


def note_use(key_id: int, *, now: datetime) -> None:
    db.session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now))


def _digest(key: str) -> str:
    # A key has 256 random bits: a plain digest cannot be guessed back, and it can be looked up by index.
    return hashlib.sha256(key.encode()).hexdigest()
