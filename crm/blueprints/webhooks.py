"""What providers post to us. Signed instead of signed in: the signature over the raw bytes is the only key.

Stored and answered, nothing more: what it means is found out by workers, so that nothing that is slow or broken here
makes a provider wait or post it again. No answer says anything about what was sent.
"""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from crm import clock
from crm.db import transaction
from crm.extensions import csrf
from crm.security import public
from crm.services.sync.inbox import inbox

log = logging.getLogger(__name__)

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")
csrf.exempt(blueprint)  # a provider has no form of ours; its signature proves who sent it


@blueprint.post("/quickbooks")
@public
def quickbooks() -> Response:
    return Response(status=_answer("quickbooks"))


def _answer(provider: str) -> int:
    """The status; nothing but a signed body reaches a table."""
    request.max_content_length = inbox.MOST_BYTES
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        return 413
    if not inbox.verifier_token(provider):
        log.error("a webhook of %s was not taken: its verifier token is not set (see .env.example)", provider)
        return 503
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not inbox.is_authentic(provider, body, headers):
        log.warning("a webhook of %s was refused: its signature is missing or wrong", provider)
        return 401
    with transaction():
        inbox.receive(provider, body, headers, now=clock.now())
    return 200
