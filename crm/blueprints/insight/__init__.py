"""Figures: the dashboard, each of its tables alone, the lines behind sales by product, and the map. Begins /insight.

`viewing` reads what an address asks for, `figures` and `tables` put together what is shown, the rest are the pages.
"""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("insight", __name__, url_prefix="/insight")

from crm.blueprints.insight import lines, pages, territory  # noqa: E402, F401 - they put their routes on it
