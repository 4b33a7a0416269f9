"""What binds a consent to the browser it was begun in: a secret of the session, and marks signed for that session."""

from __future__ import annotations

import secrets

from flask import current_app, session
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeTimedSerializer

from crm.blueprints.acting import actor
from crm.domain.errors import Refused
from crm.services import consents

MARK_SECONDS = 1800


def browser() -> consents.Browser:
    """The signed-in person and their browser session."""
    return consents.Browser(session_key=_session_key(), user_id=current_user.id, actor=actor())


def other_company_mark(connection_id: int) -> str:
    """What the address of a consent must carry for this session to connect another company in place of this one."""
    return _signer().dumps([connection_id, _session_key()])


def other_company_allowed(connection_id: int | None, mark: str) -> bool:
    """Whether our own page said so to this session, less than half an hour ago. Refused for a mark that is not ours."""
    if not mark:
        return False
    try:
        if _signer().loads(mark, max_age=MARK_SECONDS) == [connection_id, _session_key()]:
            return True
    except BadSignature:
        pass  # said below, as for a mark of another session
    raise Refused("This link has expired or belongs to another session. Say again that it is a different company.")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="other company")


def _session_key() -> str:
    if "consent_key" not in session:
        session["consent_key"] = secrets.token_urlsafe(24)
    return str(session["consent_key"])
