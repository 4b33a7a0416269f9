"""Who may do what: roles, permissions, and the two marks every route carries.

A route is `@public` or `@requires("...")`; one that carries neither is refused at every request (and a
test finds it before). Reps work on contacts and see money; bookkeepers see money and proofs and change
no contact; admins may do everything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, redirect, request, url_for
from flask_login import current_user

from crm.domain.errors import Forbidden

View = TypeVar("View", bound=Callable[..., Any])

ROLES: dict[str, str] = {
    "admin": "Admin",
    "rep": "Sales rep",
    "bookkeeper": "Bookkeeper",
}

PERMISSIONS: dict[str, frozenset[str]] = {
    "signed_in": frozenset(ROLES),
    "contacts.read": frozenset(ROLES),
    "contacts.write": frozenset({"admin", "rep"}),
    "contacts.import": frozenset({"admin", "rep"}),
    "money.read": frozenset(ROLES),
    "sales.read": frozenset(ROLES),
    "sales.write": frozenset({"admin", "rep"}),
    "products.write": frozenset({"admin", "rep"}),
    "payments.write": frozenset({"admin", "rep", "bookkeeper"}),
    "purchases.write": frozenset({"admin", "bookkeeper"}),
    "proofs.read": frozenset({"admin", "bookkeeper"}),
    "matches.decide": frozenset({"admin", "rep"}),
    "conflicts.decide": frozenset({"admin", "rep"}),
    "segments.write": frozenset({"admin", "rep"}),
    "jobs.manage": frozenset({"admin"}),
    "connections.manage": frozenset({"admin"}),
    "users.manage": frozenset({"admin"}),
    "api_keys.manage": frozenset({"admin"}),
    "audit.read": frozenset({"admin"}),
}


#: Where somebody with a temporary password may go.
OWN_PASSWORD = ("auth.password", "auth.change_password")


def may(user: Any, permission: str) -> bool:
    return bool(getattr(user, "is_authenticated", False)) and user.role in PERMISSIONS[permission]


def public(view: View) -> View:
    """Anybody may call this route."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def requires(permission: str) -> Callable[[View], View]:
    """Only signed-in people whose role has the permission."""
    if permission not in PERMISSIONS:
        raise KeyError(permission)

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                return _to_sign_in()
            if current_user.must_change_password and request.endpoint not in OWN_PASSWORD:
                return redirect(url_for("auth.password"))
            if not may(current_user, permission):
                raise Forbidden("Your role does not allow this. Ask an admin if you need it.")
            return view(*args, **kwargs)

        guarded.access = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return mark


def _to_sign_in() -> Any:
    target = url_for("auth.sign_in", next=request.full_path.rstrip("?") if request.method == "GET" else None)
    if request.headers.get("HX-Request") and request.method != "GET":
        # Going anywhere would lose what was typed: the page says that somebody signed out (static/js/trouble.js).
        return "", 401, {"X-Form": "expired"}
    if request.headers.get("HX-Request"):
        # htmx would swap the sign-in page into a fragment; tell it to go there instead.
        return "", 401, {"HX-Redirect": url_for("auth.sign_in")}
    return redirect(target)


def safe_next(target: str | None) -> str | None:
    """The path to return to after sign-in, if it is one of ours (no open redirect)."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return None
    parts = urlsplit(target)
    return target if not parts.netloc and not parts.scheme else None


def init_security(app: Flask) -> None:
    """Close by default: an unmarked route answers nobody. Adds the headers every answer carries."""

    @app.before_request
    def _marked() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if view is not None and request.endpoint != "static" and not hasattr(view, "access"):
            raise RuntimeError(f"route {request.endpoint} is neither @public nor @requires")

    @app.after_request
    def _headers(response: Any) -> Any:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-cache, no-store, private")
        if app.config["SESSION_COOKIE_SECURE"]:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; font-src 'self';"
        " object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
