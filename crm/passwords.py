"""Passwords: argon2id digests, and what we ask of a new one."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 256

_hasher = PasswordHasher()


def set_up(memory_kib: int, rounds: int) -> None:
    """How much work a digest costs (create_app passes the settings)."""
    global _hasher
    _hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)


def digest(password: str) -> str:
    return _hasher.hash(password)


def is_right(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def needs_new_digest(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)


def complaint(password: str, *, email: str = "") -> str | None:
    """Why this password is not accepted, as a sentence; None when it is."""
    if len(password) < MIN_LENGTH:
        return f"Use at least {MIN_LENGTH} characters; a few words in a row do well."
    if len(password) > MAX_LENGTH:
        return f"Use at most {MAX_LENGTH} characters."
    if len(set(password)) < 5:
        return "Use more different characters."
    if email and password.lower() in (email.lower(), email.lower().split("@")[0]):
        return "The password must differ from the e-mail address."
    return None
