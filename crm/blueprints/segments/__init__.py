"""Segments: the list, the rule builder, one segment's page, why somebody is in it, and the grid of RFM.

`rules` reads the builder's form and gathers what it shows, `ready` that of a ready-made one; `lists`, `editing`,
`pages`, `deeds`, `reasons` and `rfm` are its addresses. Every address begins /segments.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.domain.segment_filters import CAUSES, KINDS

blueprint = Blueprint("segments", __name__, url_prefix="/segments")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"segment_kinds": KINDS, "segment_causes": CAUSES}


from crm.blueprints.segments import deeds, editing, lists, pages, reasons, rfm  # noqa: E402, F401 - they add routes
