"""Contacts: the list, one contact's page, its forms. One blueprint, a module for each; every address begins /contacts.

`lists` shows many, `bulk` changes many, `pages` shows one, `editing` changes one by forms.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.domain.contacts import LINK_STATES, TYPES
from crm.queries import sync_badges
from crm.services import contacts as service

blueprint = Blueprint("contacts", __name__, url_prefix="/contacts")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {
        "contact_types": TYPES, "link_states": LINK_STATES, "contact_labels": service.LABELS,
        "sync_badge_of": sync_badges.one,
    }  # fmt: skip


from crm.blueprints.contacts import bulk, editing, lists, pages  # noqa: E402, F401 - they put their routes on the blueprint
