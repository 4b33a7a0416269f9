"""Vendors: the list, one vendor's page, its forms. Every address begins /vendors."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("vendors", __name__, url_prefix="/vendors")

from crm.blueprints.vendors import editing, pages  # noqa: E402, F401 - they put their routes on the blueprint
