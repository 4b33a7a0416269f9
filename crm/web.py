"""What every page shares: page or fragment, error pages, formats.

`page()` is the only reader of HX-Request: it answers a whole page to a browser and a fragment to htmx
from the same template. Our `Refused` errors become their HTTP status here, in HTML for people and
problem+json for the API; nothing else in the house thinks about either.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from crm import formats
from crm.domain.errors import Changed, Forbidden, Invalid, Merged, NotFound, Refused, TooMany
from crm.navigation import insight_tabs, navigation, sync_tabs
from crm.security import ROLES, may

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")

STATUS: dict[type[Refused], int] = {
    Invalid: 422, NotFound: 404, Forbidden: 403, Changed: 409, Merged: 410, TooMany: 429,
}  # fmt: skip


def is_fragment() -> bool:
    """Whether htmx asks for a piece of the page (a restored history entry, a boosted link and a refusal want all)."""
    asked = request.headers.get("HX-Request") == "true"
    whole = "HX-History-Restore-Request" in request.headers or "HX-Boosted" in request.headers or "refusal" in g
    return asked and not whole


def page(template: str, /, *, fragment: str | None = None, status: int = 200, **values: Any) -> Response:
    """The template, or only its `fragment` template when htmx asks for a piece; `status` as given."""
    chosen = fragment if fragment and is_fragment() else template
    answer = make_response(render_template(chosen, **values), status)
    answer.vary.add("HX-Request")
    return answer


def filters_of(args: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """A list's filters as they stand in the address, the defaults where they don't."""
    return {name: args.get(name, default)[:200] for name, default in defaults.items()}


def page_number(args: Mapping[str, str]) -> int:
    """The page asked for, from 1; anything else is the first one."""
    text = args.get("page", "")
    return int(text) if text.isdigit() and 0 < int(text) < 10**7 else 1


def trigger(response: Response, event: str) -> Response:
    """Let the browser know that something happened (htmx fires `event` on the page)."""
    response.headers["HX-Trigger"] = event
    return response


def go(endpoint: str, **values: Any) -> Response:
    """Send the browser there after a change: a redirect, which htmx follows as a whole page."""
    target = url_for(endpoint, **values)
    if is_fragment():
        return make_response("", 204, {"HX-Redirect": target})
    return make_response("", 303, {"Location": target})


def init_web(app: Flask) -> None:
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.globals.update(formats.GLOBALS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def _shared() -> dict[str, Any]:
        signed_in = current_user.is_authenticated
        return {
            "nav_items": navigation() if signed_in else [],
            "sync_tabs": sync_tabs,
            "insight_tabs": insight_tabs,
            "may": lambda permission: may(current_user, permission),
            "role_name": ROLES.get(current_user.role, "") if signed_in else "",
            "theme": request.cookies.get("theme", ""),
            "settings": app.extensions["settings"],
        }

    app.before_request(_refuse_nul)
    app.url_defaults(_static_version)
    app.after_request(_cache_static)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(Exception, _unexpected)


def _static_version(endpoint: str, values: dict[str, Any]) -> None:
    """Give static addresses a digest of the file, so that browsers may keep them until they change."""
    # The style sheet names the font without a digest; with one, a page would load it twice.
    if endpoint == "static" and not values.get("filename", "").endswith(".woff2"):
        values["v"] = _digest(values["filename"])


@lru_cache
def _digest(filename: str) -> str:
    path = STATIC / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else "0"


def _cache_static(response: Response) -> Response:
    if request.endpoint == "static" and "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _refuse_nul() -> None:
    """No text anybody means holds a NUL, and PostgreSQL stores none: said here once instead of failing anywhere."""
    if request.blueprint == "webhooks":
        return  # signed over its raw bytes: looking for a form would read them away, whatever its type claims
    for name, text in (*request.args.items(), *request.form.items(), ("address", request.path)):
        if "\x00" in text:
            raise Invalid({name: f"{name} holds a character that cannot be stored (NUL). Remove it and send it again."})


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """An API error by RFC 9457 (application/problem+json)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    response = make_response(body, status)
    response.content_type = "application/problem+json"
    return response


def wants_json() -> bool:
    return request.path.startswith("/api/")


def _answer(status: int, title: str, text: str, **more: Any) -> Response:
    if wants_json():
        return problem(status, title, text, **more)
    template = f"errors/{status}.html" if status in (400, 403, 404, 409, 429, 500) else "errors/400.html"
    return make_response(render_template(template, title=title, text=text, status=status), status)


def _refused(error: Refused) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    more: dict[str, Any] = {"errors": error.fields} if isinstance(error, Invalid) else {}
    if isinstance(error, Merged):
        more["merged_into"] = error.into
    response = _answer(status, TITLES.get(status, "Not possible"), str(error), **more)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    return _answer(error.code, TITLES.get(error.code, error.name), SENTENCES.get(error.code, error.description or ""))


def _csrf(error: CSRFError) -> Response:
    response = _answer(
        400,
        "The form has expired",
        "This page was open for too long, or you signed in again in another tab. Go back, reload the page and send it"
        " again; what you typed is still there.",
    )
    response.headers["X-Form"] = "expired"  # the script keeps what was typed and says what to do
    return response


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error at %s %s", request.method, request.path)
    return _answer(
        500,
        "Something went wrong on our side",
        "Nothing was changed. Try again; if it stays, tell your admin what you did.",
    )


TITLES = {
    400: "Not possible",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Changed meanwhile",
    410: "Merged into another contact",
    413: "Too large",
    422: "Please check the form",
    429: "Too many tries",
}

SENTENCES = {
    404: "There is nothing at this address. It may have been archived, or the link is not complete.",
    405: "This address does not answer that kind of request.",
    413: "The file is larger than this server accepts.",
}
