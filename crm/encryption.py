"""Encryption at rest: AES-256-GCM under a ring of keys.

The first key of the ring encrypts, every key decrypts, so keys are changed without downtime: put the new
one first, run `flask --app wsgi keys rotate`, then drop the old one. A ciphertext names its key
(`v1.<key id>.<nonce+ciphertext>`) and is bound to its place (`table.column`), so a value copied
into another column does not decrypt. Nothing here logs or shows plaintext.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crm.domain.errors import SettingsError, TradebookError

KEY_BYTES = 32
NONCE_BYTES = 12


class CannotDecrypt(TradebookError):
    """No key of the ring opens this value: a key was dropped too early, or the value was tampered with."""


def new_key() -> str:
    """A fresh key as it goes into TOKEN_ENCRYPTION_KEYS (URL-safe base64 of 32 random bytes)."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class Keyring:
    """Encrypts with its first key, decrypts with any."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        if not keys:
            raise SettingsError("TOKEN_ENCRYPTION_KEYS is empty. Make a key with: flask --app wsgi keys generate")
        raw = [_decode(key, position) for position, key in enumerate(keys, 1)]
        self._ciphers = {key_id(key): AESGCM(key) for key in raw}
        self.primary_id = key_id(raw[0])

    def encrypt(self, text: str, *, place: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.primary_id].encrypt(nonce, text.encode(), place.encode())
        return f"v1.{self.primary_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, token: str, *, place: str) -> str:
        """Raises CannotDecrypt when no key fits or the value does not belong to `place`."""
        try:
            mark, used, body = token.split(".", 2)
            if mark != "v1":
                raise ValueError(mark)
            cipher = self._ciphers[used]
            raw = base64.urlsafe_b64decode(body)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
        except KeyError as missing:
            raise CannotDecrypt(
                f"A stored secret ({place}) was encrypted with key {missing}, which is not in TOKEN_ENCRYPTION_KEYS."
                " Add that key again (after the first) and run: flask --app wsgi keys rotate"
            ) from None
        except (ValueError, InvalidTag, binascii.Error):
            raise CannotDecrypt(f"A stored secret ({place}) is damaged or belongs to another column.") from None

    def is_current(self, token: str) -> bool:
        """Whether the value is already under the first key."""
        return token.startswith(f"v1.{self.primary_id}.")


def key_id(key: bytes) -> str:
    """A short public name of a key; tells nothing about it."""
    return hashlib.sha256(b"tradebook key id" + key).hexdigest()[:8]


def fingerprint(secret_key: str, text: str) -> str:
    """A keyed digest for finding an encrypted value again (which connection has this company?) without storing it."""
    return hmac.new(f"fingerprint:{secret_key}".encode(), text.encode(), hashlib.sha256).hexdigest()


def _decode(key: str, position: int) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key.strip() + "=" * (-len(key.strip()) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise SettingsError(
            f"Key number {position} in TOKEN_ENCRYPTION_KEYS is not 32 bytes in base64."
            " Make one with: flask --app wsgi keys generate"
        )
    return raw


_installed: Keyring | None = None


def install(keyring: Keyring) -> None:
    """Make this ring the one that encrypted columns use in this process (create_app does it)."""
    global _installed
    _installed = keyring


def keyring() -> Keyring:
    if _installed is None:
        raise SettingsError("No encryption keys are installed: create the application first.")
    return _installed
