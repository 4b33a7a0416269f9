"""For supervisors and load balancers: is the process up, and could it do its work?"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from crm.queries import health
from crm.security import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@blueprint.get("/readyz")
@public
def readyz() -> tuple[dict[str, Any], int]:
    checks = health.checks(current_app.extensions["celery"])
    ready = all(check == "ok" for check in checks.values())
    return {"status": "ok" if ready else "not ready", "checks": checks}, 200 if ready else 503
