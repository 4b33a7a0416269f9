"""The match desk: who is one and who is not. One blueprint, a module for each; every address begins /matches.

`lists` shows what waits, what is certain and what was decided, and does many at once; `desk` asks one question at a
time.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.queries import households, match_rows, unmatched

blueprint = Blueprint("matches", __name__, url_prefix="/matches")


@blueprint.app_context_processor
def _for_other_pages() -> dict[str, Any]:
    """For documents: how the books call those customers that have no contact here. For a contact: who it may be."""
    return {
        "unmatched_documents": unmatched.of_documents, "unmatched_payments": unmatched.of_payments,
        "unmatched_mirrored": unmatched.of_mirrored, "billed_for": households.billed_for,
        "may_be_the_same": match_rows.of_contact, "question_sorts": match_rows.SORT_WORDS,
    }  # fmt: skip


from crm.blueprints.matches import desk, lists  # noqa: E402, F401 - they put their routes on the blueprint
