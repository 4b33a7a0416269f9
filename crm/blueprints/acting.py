"""Who acts in this request, as services want to know it."""

from __future__ import annotations

from flask import request
from flask_login import current_user

from crm.services.audit import Actor


def actor() -> Actor:
    """The signed-in person, with the address the request came from."""
    return Actor.of(current_user, request.remote_addr or "")
