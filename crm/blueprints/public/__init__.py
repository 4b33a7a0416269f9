"""The customer's page of a quote or invoice: /q/<token>. Nobody signs in; the token is the authority.

`pages` shows, `answers` takes what the customer decides. Everything works without scripting. No answer here may be
kept by anybody in between, found by a search engine, or lead on with the address in it; an address that opens nothing
says the same calm sentence whatever the reason.
"""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask_login import current_user

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Forbidden, NotFound, Refused, TooMany
from crm.extensions import csrf
from crm.services import public_links, public_throttle
from crm.web import STATUS, TITLES

blueprint = Blueprint("public", __name__, url_prefix=public_links.PREFIX.rstrip("/"))
csrf.exempt(blueprint)  # there is no session: its forms carry a key that is bound to the link (`checked_form`)

NOTHING = "This link does not open anything any more. Ask whoever sent it for a new one."


class Closed(NotFound):
    """The address opens nothing."""


def link_of(token: str) -> Any:
    """The link. Raises Closed, and TooMany for who tries many addresses."""
    link = public_links.find(token, now=clock.now())
    if link is not None:
        return link
    with transaction():
        public_throttle.admit("unknown", link_id=0, ip=address(), now=clock.now())
    raise Closed(NOTHING)


def checked_form(link: Any) -> None:
    """A form of this link's own page. Raises Forbidden for one from elsewhere, and for colleagues."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site" or not hmac.compare_digest(
        request.form.get("key", "").encode(), public_links.form_key(link).encode()
    ):
        raise Forbidden("This form does not belong to this page. Open the link again, then send it once more.")
    if current_user.is_authenticated:
        raise Forbidden("You are signed in, and only the customer answers here. Use the quote’s own page instead.")


def admit(what: str, link: Any) -> None:
    """Counted by itself, so that a try that comes to nothing counts too. Raises TooMany."""
    with transaction():
        public_throttle.admit(what, link_id=link.id, ip=address(), now=clock.now())


def address() -> str:
    return request.remote_addr or ""


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    """What this page cannot show, without a frame that leads into the house."""
    db.session.rollback()
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    title = "Nothing to see here" if isinstance(error, NotFound) else TITLES.get(status, "Not possible")
    answer = make_response(render_template("public/nothing.html", title=title, text=str(error)), status)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


@blueprint.after_request
def _private(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store, private"
    return response


from crm.blueprints.public import answers, pages  # noqa: E402, F401 - they put their routes on the blueprint
