"""Flask extensions, made once and bound to the application in create_app()."""

from __future__ import annotations

from flask_login import LoginManager
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

csrf = CSRFProtect()
htmx = Htmx()
login_manager = LoginManager()

SEARCH = ("contact_search", "ix_contacts_search_text")
"""What migration 0002 makes for searching, each on one of the two databases; no model describes it."""


def is_ours(_object: object, name: str | None, kind: str, reflected: bool, _model: object) -> bool:
    """Whether migrations compare it with the models: SQLite's search index keeps tables that no model describes."""
    return not (kind in ("table", "index") and reflected and (name or "").startswith(SEARCH))


migrate = Migrate(render_as_batch=True, compare_type=True, include_object=is_ours)
