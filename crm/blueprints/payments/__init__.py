"""Payments: the list, one payment's page, and recording one. Every address begins /payments.

`lists` shows many, `pages` shows one and takes it back, `recording` is the form, `changing` changes one in place.
"""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("payments", __name__, url_prefix="/payments")

from crm.blueprints.payments import changing, lists, pages, recording  # noqa: E402, F401 - they put their routes on it
