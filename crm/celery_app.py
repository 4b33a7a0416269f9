"""Celery: hands for work whose truth is in the database.

Tasks carry ids only and run inside the application context. The broker is REDIS_URL, or a folder on disk
when there is none (embedded mode); losing either loses nothing, since schedules re-ring what is due.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Flask

from crm import broker
from crm.config import Settings

celery_app = Celery("tradebook", set_as_default=True)


def init_celery(app: Flask, settings: Settings) -> None:
    """Bind the one Celery application to this Flask application and its settings."""

    class AppTask(Task):
        abstract = True

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    broker.install()
    celery_app.Task = AppTask
    celery_app.conf.update(
        broker_url=settings.redis_url or broker.URL,
        broker_transport_options=_transport(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_max_tasks_per_child=500,
        task_default_queue="tradebook",
        timezone="UTC",
        beat_max_loop_interval=5,
        beat_schedule_filename=str(settings.instance_dir / "beat-schedule"),
        imports=("crm.tasks",),
    )
    from crm.tasks.schedule import SCHEDULE, rung

    celery_app.conf.beat_schedule = rung()
    app.extensions["celery"] = celery_app
    app.extensions["schedule"] = SCHEDULE


def _transport(settings: Settings) -> dict[str, Any]:
    if settings.redis_url:
        # A killed worker's tasks come back within seconds of the time-out; our own leases are what counts.
        return {"visibility_timeout": 3600, "unacked_restore_interval": 10, "unacked_restore_throttle": 1}
    for name in ("queue", "processed", "control"):
        (settings.broker_dir / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(settings.broker_dir / "queue"),
        "data_folder_out": str(settings.broker_dir / "queue"),
        "processed_folder": str(settings.broker_dir / "processed"),
        "control_folder": str(settings.broker_dir / "control"),
        "store_processed": False,
        "polling_interval": 0.1,
    }
