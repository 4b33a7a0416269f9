"""The application for a WSGI server and for `flask --app wsgi`."""

from __future__ import annotations

import sys

from crm import create_app
from crm.cli import app_without_settings
from crm.domain.errors import SettingsError

try:
    app = create_app()
except SettingsError as problem:
    if sys.argv[-2:] != ["keys", "generate"]:
        raise SystemExit(str(problem)) from None
    app = app_without_settings()
