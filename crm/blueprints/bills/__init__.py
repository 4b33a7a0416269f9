"""Bills: the list, one bill's page, its forms. Every address begins /bills. They are paid in the books."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("bills", __name__, url_prefix="/bills")

from crm.blueprints.bills import editing, pages  # noqa: E402, F401 - they put their routes on the blueprint
