"""Contacts: the list, one contact's page, its forms. One blueprint, a module for each; every address begins /contacts.

`lists` shows many, `bulk` changes many, `pages` shows one, `editing` changes one by forms, `merging` makes one of two,
`linking` ties one to QuickBooks, `households` says who pays for whom, `holding` releases what imports made, `reaching`
notes whether it may be reached.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.domain.contacts import LINK_STATES, TYPES
from crm.queries import automation, sync_badges
from crm.services import contacts as service

blueprint = Blueprint("contacts", __name__, url_prefix="/contacts")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {
        "contact_types": TYPES, "link_states": LINK_STATES, "contact_labels": service.LABELS,
        "sync_badge_of": sync_badges.one, "automation_held": automation.held_of,
    }  # fmt: skip


from crm.blueprints.contacts import (  # noqa: E402 - they put their routes on the blueprint
    bulk,  # noqa: F401
    editing,  # noqa: F401
    holding,  # noqa: F401
    households,  # noqa: F401
    linking,  # noqa: F401
    lists,  # noqa: F401
    merging,  # noqa: F401
    pages,  # noqa: F401
    reaching,  # noqa: F401
)
