"""People's accounts: signing in (throttled), passwords, roles, and ending sessions everywhere.

Every refusal to sign in says the same sentence, whether the address exists or not. Raising a person's
`session_epoch` makes every session and remembered device of theirs worthless at once.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, func, select

from crm import passwords
from crm.db import db
from crm.domain.errors import Invalid, NotFound, Refused, TooMany
from crm.models import SignInAttempt, User
from crm.security import ROLES
from crm.services import audit
from crm.services.audit import Actor

WINDOW = timedelta(minutes=15)
TRIES_PER_ACCOUNT = 8
TRIES_PER_ADDRESS = 40
WRONG = "That e-mail address and password do not go together."
# Checked when the account does not exist, so that the answer takes as long as for one that does.
_DUMMY: dict[str, str] = {}


def check_throttle(email: str, *, ip: str, now: datetime) -> None:
    """Raises TooMany when this account or this address has failed too often lately."""
    since = now - WINDOW
    for condition, limit in (
        (SignInAttempt.email == _clean(email), TRIES_PER_ACCOUNT),
        (SignInAttempt.ip == ip, TRIES_PER_ADDRESS),
    ):
        failed, last = db.session.execute(
            select(func.count(), func.max(SignInAttempt.at)).where(condition, SignInAttempt.at >= since)
        ).one()
        if failed >= limit:
            wait = max(1, int((last + WINDOW - now).total_seconds()))
            minutes = -(-wait // 60)
            raise TooMany(
                f"Too many failed tries. Wait {minutes} minute{'s' if minutes != 1 else ''},"
                " or ask an admin for a new password.",
                retry_after=wait,
            )


def authenticate(email: str, password: str, *, actor: Actor, now: datetime) -> User | None:
    """The person, or None when name and password do not go together; both outcomes are audited."""
    user = db.session.scalar(select(User).where(User.email == _clean(email)))
    stored = user.password_hash if user else _DUMMY.setdefault("hash", passwords.digest(secrets.token_hex()))
    if not passwords.is_right(password, stored) or user is None or user.disabled_at is not None:
        db.session.add(SignInAttempt(email=_clean(email)[:254], ip=actor.ip, at=now))
        db.session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - timedelta(days=1)))
        audit.record("sign_in_failed", actor=actor, now=now, subject=f"user:{user.id}" if user else "")
        return None
    if passwords.needs_new_digest(user.password_hash):
        user.password_hash = passwords.digest(password)
    user.last_sign_in_at = now
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.email == user.email))
    audit.record("signed_in", actor=Actor.of(user, actor.ip), now=now, subject=f"user:{user.id}")
    return user


def create(
    email: str, *, role: str, password: str, actor: Actor, now: datetime, name: str = "", temporary: bool = False
) -> User:
    """A new person. `temporary` makes them choose their own password at the first sign-in."""
    fields: dict[str, str] = {}
    clean = _clean(email)
    try:
        clean = validate_email(clean, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        fields["email"] = f"“{email}” is not an e-mail address."
    if role not in ROLES:
        fields["role"] = f"The role must be one of: {', '.join(ROLES)}."
    if problem := passwords.complaint(password, email=clean):
        fields["password"] = problem
    if not fields and db.session.scalar(select(User.id).where(User.email == clean)):
        fields["email"] = f"There is already an account for {clean}."
    if fields:
        raise Invalid(fields)
    user = User(
        email=clean, name=name.strip()[:120], role=role, password_hash=passwords.digest(password),
        must_change_password=temporary, created_at=now,
    )  # fmt: skip
    db.session.add(user)
    db.session.flush()
    audit.record("user_created", actor=actor, now=now, subject=f"user:{user.id}", summary=f"{clean} as {ROLES[role]}")
    return user


def change_password(user_id: int, *, current: str, new: str, actor: Actor, now: datetime) -> User:
    """The person's own change. Ends their other sessions and remembered devices."""
    user = _get(user_id)
    if not passwords.is_right(current, user.password_hash):
        raise Invalid({"current": "This is not your current password."})
    if problem := passwords.complaint(new, email=user.email):
        raise Invalid({"new": problem})
    if passwords.is_right(new, user.password_hash):
        raise Invalid({"new": "Choose a password that differs from the current one."})
    user.password_hash, user.must_change_password = passwords.digest(new), False
    user.session_epoch += 1
    audit.record("password_changed", actor=actor, now=now, subject=f"user:{user.id}")
    return user


def reset_password(user_id: int, *, actor: Actor, now: datetime) -> tuple[User, str]:
    """An admin's reset: a one-time password to hand over, to be changed at the next sign-in. Returned, never stored."""
    user = _get(user_id)
    temporary = "-".join(secrets.token_hex(2) for _ in range(4))
    user.password_hash, user.must_change_password = passwords.digest(temporary), True
    user.session_epoch += 1
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.email == user.email))
    audit.record("password_reset", actor=actor, now=now, subject=f"user:{user.id}", summary=user.email)
    return user, temporary


def note_sign_out(*, actor: Actor, now: datetime) -> None:
    audit.record("signed_out", actor=actor, now=now, subject=f"user:{actor.user_id}")


def sign_out_everywhere(user_id: int, *, actor: Actor, now: datetime) -> None:
    user = _get(user_id)
    user.session_epoch += 1
    audit.record("sessions_ended", actor=actor, now=now, subject=f"user:{user.id}", summary=user.email)


def change_role(user_id: int, role: str, *, actor: Actor, now: datetime) -> User:
    user = _get(user_id)
    if role not in ROLES:
        raise Invalid({"role": f"The role must be one of: {', '.join(ROLES)}."})
    if user.role == role:
        return user
    if user.role == "admin":
        _refuse_last_admin(user)
    audit.record(
        "role_changed", actor=actor, now=now, subject=f"user:{user.id}",
        summary=f"{user.email}: {ROLES[user.role]} → {ROLES[role]}", details={"from": user.role, "to": role},
    )  # fmt: skip
    user.role = role
    user.session_epoch += 1
    return user


def disable(user_id: int, *, actor: Actor, now: datetime) -> User:
    user = _get(user_id)
    if user.id == actor.user_id:
        raise Refused("You cannot disable your own account. Ask another admin.")
    if user.role == "admin":
        _refuse_last_admin(user)
    user.disabled_at = user.disabled_at or now
    user.session_epoch += 1
    audit.record("user_disabled", actor=actor, now=now, subject=f"user:{user.id}", summary=user.email)
    return user


def enable(user_id: int, *, actor: Actor, now: datetime) -> User:
    user = _get(user_id)
    user.disabled_at = None
    audit.record("user_enabled", actor=actor, now=now, subject=f"user:{user.id}", summary=user.email)
    return user


def _refuse_last_admin(user: User) -> None:
    others = db.session.scalar(
        select(func.count()).where(User.role == "admin", User.disabled_at.is_(None), User.id != user.id)
    )
    if not others:
        raise Refused(f"{user.email} is the only admin. Make somebody else an admin first.")


def _get(user_id: int) -> User:
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user


def _clean(email: str) -> str:
    return email.strip().lower()
