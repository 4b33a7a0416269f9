"""Errors the house speaks of, whatever vendor or library raised them first.

Providers translate every vendor failure into one of the `ProviderError` classes; services decide by
class alone and never look at vendor codes. `Refused` and its kin are for people: their text is a
sentence that names the field and the way out, safe to show. Nothing here carries a token or a body.
"""

from __future__ import annotations

from dataclasses import dataclass


class TradebookError(Exception):
    """Root of everything we raise on purpose."""


# --- for people -----------------------------------------------------------------------------------------------


class Refused(TradebookError):
    """What was asked is not allowed or not possible now; `str(error)` is a sentence for the person (HTTP 4xx)."""


class Invalid(Refused):
    """Input that must change. `fields` maps a field's name to the sentence shown beside it (HTTP 422)."""

    def __init__(self, fields: dict[str, str], message: str = "") -> None:
        super().__init__(message or " ".join(fields.values()))
        self.fields = fields


class NotFound(Refused):
    """The thing asked for does not exist or is not visible to the person (HTTP 404)."""


class Forbidden(Refused):
    """The person is known but may not do this (HTTP 403)."""


class Changed(Refused):
    """Somebody or something changed the record meanwhile (HTTP 409). `current` is what it holds now."""

    def __init__(self, message: str, current: object = None) -> None:
        super().__init__(message)
        self.current = current


class Merged(Refused):
    """A contact that went into another one (HTTP 410 for programs; pages lead there). `into` is the other's id."""

    def __init__(self, message: str, into: int) -> None:
        super().__init__(message)
        self.into = into


class TooMany(Refused):
    """Too many tries; `retry_after` is in seconds (HTTP 429)."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SettingsError(TradebookError):
    """The environment is incomplete or contradictory; the text says which setting and how to mend it."""


# --- from providers -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cause:
    """What a provider said: its own code and words (scrubbed of secrets) and the id its support can trace."""

    code: str = ""
    message: str = ""
    detail: str = ""
    field: str = ""
    trace_id: str = ""
    http_status: int | None = None


class ProviderError(TradebookError):
    """Any failure at a provider. `cause` is evidence for logs and people; subclasses steer what happens next."""

    def __init__(self, message: str, *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause or Cause()


class RateLimited(ProviderError):
    """Too many calls: slow the connection. `retry_after` in seconds, or None when the provider did not say."""

    def __init__(self, message: str, *, retry_after: int | None = None, cause: Cause | None = None) -> None:
        super().__init__(message, cause=cause)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The provider is down, slow or answering nonsense: try again later."""


class OutcomeUnknown(ProviderError):
    """A write was sent and its answer was lost: repeat it with the same idempotency key."""


class AccessExpired(ProviderError):
    """The access token is no longer accepted: refresh once and repeat the call once."""


class NeedsReconnect(ProviderError):
    """The grant is gone (revoked, expired, rotated away): a person must connect again."""


class PermissionLost(ProviderError):
    """The grant lives but may not do this: the connecting user lost the role, or a scope is missing."""


class SubscriptionLapsed(ProviderError):
    """The company's subscription at the provider ended or is suspended."""


class WrongKeys(ProviderError):
    """The provider does not accept our client id and secret, or they belong to the other environment."""


class Stale(ProviderError):
    """The record was changed there since we read it."""


class Gone(ProviderError):
    """The record does not exist there (any more)."""


class Rejected(ProviderError):
    """The data must change before the provider takes it."""


class DuplicateName(Rejected):
    """The name is taken there. `remote_id` when the provider told which record holds it."""

    def __init__(self, message: str, *, remote_id: str | None = None, cause: Cause | None = None) -> None:
        super().__init__(message, cause=cause)
        self.remote_id = remote_id


class DuplicateNumber(Rejected):
    """The document number is taken there."""


class ClosedPeriod(Rejected):
    """The books are closed for the document's date."""


class MissingReference(Rejected):
    """The record names another one that is missing or inactive there."""


class InvalidValue(Rejected):
    """A value is missing, malformed or out of range."""


class UnexpectedAnswer(ProviderError):
    """Our fault or theirs, but nothing of the above: never swallowed, kept with its evidence."""


class Unreadable(UnexpectedAnswer):
    """A write was done, but what came back of it cannot be read: it must never be sent again as new."""
