"""For supervisors and load balancers: is the process up, and could it do its work?"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from crm import clock
from crm.queries import health, jobs
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


@blueprint.get("/health")
@public
def in_words() -> tuple[dict[str, Any], int]:
    """Readiness, and whether scheduled work runs in its time; asked by whoever watches from outside. 503 while not."""
    answer, status = readyz()
    if answer["checks"]["database"] != "ok" or answer["checks"]["migrations"] != "ok":
        return {**answer, "scheduled_work": ["Nothing can be said while the database is not ready."]}, 503
    watch = jobs.watch(current_app.extensions["schedule"], now=clock.now())
    paused = [f"“{one.entry.title}” is paused. {one.loud}" for one in watch.paused]
    said = [*watch.sentences, *paused] or ["Everything runs in its time."]
    ready = status == 200 and watch.well
    return {**answer, "status": "ok" if ready else "not well", "scheduled_work": said}, 200 if ready else 503
