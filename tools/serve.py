"""`make serve`: what a company runs. Settings come from `.env` and the environment; no secret has a default."""

from __future__ import annotations

import os
import sys

from crm import config
from crm.domain.errors import SettingsError
from tools.programs import ROOT, base_environment, beat, flask, require_free, web, worker
from tools.supervisor import Supervisor


def main() -> None:
    try:
        settings = config.read(config.environment())
    except SettingsError as problem:
        sys.exit(str(problem))
    require_free(settings.host, settings.port, "Set another PORT in .env, or stop what uses it.")
    environment = {**base_environment(), "ENV_FILE": os.environ.get("ENV_FILE", str(ROOT / ".env"))}
    flask("db", "upgrade", environment=environment)
    supervisor = Supervisor(settings.instance_dir / "logs")
    supervisor.start(
        web(environment, host=settings.host, port=settings.port, demo=False), worker(environment), beat(environment)
    )
    print(f"Tradebook is at {settings.app_url} (listening on {settings.host}:{settings.port}). Ctrl-C stops it.")
    print(f"Logs: {settings.instance_dir / 'logs'}", flush=True)
    supervisor.run()


if __name__ == "__main__":
    main()
