"""Products: the list, one product's page, its forms, and finding one by typing. Every address begins /products.

`lists` shows many, `pages` shows one, `editing` changes one by forms.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.domain.product_values import LABELS
from crm.domain.products import TYPES, margin

blueprint = Blueprint("products", __name__, url_prefix="/products")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"product_types": TYPES, "product_labels": LABELS, "margin_of": margin}


from crm.blueprints.products import editing, lists, pages  # noqa: E402, F401 - they put their routes on the blueprint
