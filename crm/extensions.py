"""Flask extensions, made once and bound to the application in create_app()."""

from __future__ import annotations

from flask_login import LoginManager
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

csrf = CSRFProtect()
htmx = Htmx()
login_manager = LoginManager()

SEARCH = (
    "contact_search", "sales_search", "product_search", "vendor_search", "bill_search",
    "customer_search", "ix_customers_search_text",
    "ix_contacts_search_text", "ix_sales_documents_search_text", "ix_products_search_text",
    "ix_vendors_search_text", "ix_bills_search_text",
)  # fmt: skip
"""What migrations 0002, 0004 and 0006 make for searching, on one of the two databases each; no model has it."""


def is_ours(_object: object, name: str | None, kind: str, reflected: bool, _model: object) -> bool:
    """Whether migrations compare it with the models: SQLite's search index keeps tables that no model describes."""
    return not (kind in ("table", "index") and reflected and (name or "").startswith(SEARCH))


migrate = Migrate(render_as_batch=True, compare_type=True, include_object=is_ours)
