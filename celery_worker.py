"""The application for Celery: `celery --app celery_worker worker` and `... beat`."""

from crm import create_app
from crm.domain.errors import SettingsError

try:
    celery_app = create_app().extensions["celery"]
except SettingsError as problem:
    raise SystemExit(str(problem)) from None
