"""The application for Celery: `celery --app celery_worker worker` and `... beat`."""

from crm import create_app
from crm.domain.errors import SettingsError
from crm.garbage import collect_seldom

try:
    celery_app = create_app().extensions["celery"]
    collect_seldom()
except SettingsError as problem:
    raise SystemExit(str(problem)) from None
