"""The installation under test: its processes, which can be killed and come back, and the faults that strike it."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import redis
import requests
from sqlalchemy import create_engine, text

from crm.encryption import new_key
from tools.chaos.postgres import OwnServer
from tools.programs import ROOT, base_environment, beat, python, sandbox, simulated, web, worker
from tools.supervisor import Program, answers, end_with_parent, signal_group

READY_SECONDS = 60
#: What strikes calls of the accounting API, with its chance: one call in four meets something, of writes one in three.
MISFORTUNE: tuple[dict[str, Any], ...] = (
    {"action": "drop_before", "chance": 0.05}, {"action": "drop_after", "chance": 0.05},
    {"action": "throttle", "chance": 0.03, "retry_after": 3}, {"action": "status", "status": 503, "chance": 0.03},
    {"action": "status_after", "status": 500, "chance": 0.02}, {"action": "html", "status": 502, "chance": 0.02},
    {"action": "latency", "seconds": 0.4, "chance": 0.05}, {"action": "drop_after", "path": "/batch", "chance": 0.1},
)  # fmt: skip
MISCONDUCT = {"lose": 0.1, "repeat": 0.1, "shuffle": 0.3}
"""Of webhooks."""


@dataclass
class World:
    """A running installation. `close()` leaves nothing behind but `<home>/logs`."""

    home: Path
    dice: random.Random
    size: int
    seed: int
    database_url: str = ""
    redis_url: str = ""
    server: OwnServer | None = None
    """The database server, where it is one's own: then it is restarted."""
    did: Counter[str] = field(default_factory=Counter)
    renewals: list[float] = field(default_factory=list)
    """Moments (seconds since 1970) after which one more refresh is in order: a token ended, or whoever was renewing it
    may have been ended before the new one was stored."""
    programs: dict[str, Program] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    company_url: str = ""

    def open(self, ports: tuple[int, ...]) -> None:
        port, company_port = ports
        self.url, self.company_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{company_port}"
        (self.home / "logs").mkdir(parents=True)
        self.environment = {
            **base_environment(), "ENV_FILE": os.devnull, "SECRET_KEY": secrets.token_urlsafe(32),
            "TOKEN_ENCRYPTION_KEYS": new_key(), "INSTANCE_DIR": str(self.home), "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url, "PORT": str(port), "ARGON2_MEMORY_KIB": "8", "ARGON2_ROUNDS": "1",
            "LOG_LEVEL": "INFO", **simulated(self.url, company_port),
        }  # fmt: skip
        company = sandbox(self.environment, port=company_port, app_port=port, data=self.home / "company",
                          size=self.size, seed=self.seed)  # fmt: skip
        # A worker killed between a refresh and storing it must not end the grant: the real value lives about a day.
        company.command = [*company.command, "--companies", "1", "--grace-seconds", "86400"]
        self.programs = {
            "company": company,
            "web": web(self.environment, host="127.0.0.1", port=port, demo=True),
            "worker-1": worker(self.environment), "worker-2": worker(self.environment), "beat": beat(self.environment),
        }  # fmt: skip
        python("flask", "--app", "wsgi", "db", "upgrade", environment=self.environment)
        self.launch("company")
        self.wait("company")

    def start(self) -> None:
        """Everything but the company, which runs from the beginning."""
        for name in ("web", "worker-1", "worker-2", "beat"):
            self.launch(name)
        self.wait("web")

    def launch(self, name: str) -> None:
        program = self.programs[name]
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            program.process = subprocess.Popen(
                list(program.command), cwd=ROOT, env=program.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip

    def wait(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not answers(self.programs[name].ready_url):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start; see {self.home / 'logs' / (name + '.log')}")
            time.sleep(0.1)

    def close(self) -> None:
        for program in self.programs.values():
            signal_group(program.process, signal.SIGKILL)
            if program.process:
                program.process.wait()

    # --- faults -----------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """kill -9, the whole group, and start it again at once."""
        self.renewals.append(time.time())
        signal_group(self.programs[name].process, signal.SIGKILL)
        process = self.programs[name].process
        if process:
            process.wait()
        self.did[f"kill -9 of {name.split('-')[0]}"] += 1
        self.launch(name)

    def empty_broker(self) -> None:
        if self.redis_url:
            redis.Redis.from_url(self.redis_url).flushdb()
        else:
            for folder in ("queue", "processed", "control"):
                for message in (self.home / "broker" / folder).glob("*.msg"):
                    message.unlink(missing_ok=True)
        self.did["broker emptied"] += 1

    def strike_database(self) -> None:
        """One's own server is restarted; of a foreign one every connection is cut, which is what clients see of it."""
        self.renewals.append(time.time())
        if self.server:
            self.server.restart()
            self.did["database restarted"] += 1
        elif self.database_url:
            self._cut_connections()

    def _cut_connections(self) -> None:
        base, _, name = self.database_url.rpartition("/")
        engine = create_engine(base.replace("postgresql://", "postgresql+psycopg://") + "/postgres")
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                               {"name": name})  # fmt: skip
        engine.dispose()
        self.did["database connections cut"] += 1

    def revoke_tokens(self) -> None:
        """As the owner disconnects the app in QuickBooks."""
        self.renewals.append(time.time())
        self.ask("POST", "/tokens/revoke")
        self.did["grants revoked"] += 1

    def expire_tokens(self) -> None:
        self.renewals.append(time.time())
        self.ask("POST", "/tokens/expire")
        self.did["access tokens expired"] += 1

    def begin_trouble(self) -> None:
        rules = [{"path": "^/v3/", "count": None} | rule for rule in MISFORTUNE]
        self.ask("POST", "/trouble", json={"seed": self.seed, "rules": rules})
        self.ask("POST", "/webhooks", json=MISCONDUCT)

    def end_trouble(self) -> dict[str, int]:
        """Answers how often each misfortune struck, and how many webhook events were lost."""
        struck: Counter[str] = Counter()
        for rule in self.ask("GET", "/trouble"):
            struck[rule["action"]] += rule["struck"]
        self.ask("DELETE", "/trouble")
        hooks = self.ask("POST", "/webhooks", json=dict.fromkeys(MISCONDUCT, 0))
        return {**struck, "webhook events lost": hooks["lost"]}

    # --- the company's side -----------------------------------------------------------------------------------

    def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = requests.request(method, f"{self.company_url}/_sandbox{path}", timeout=30, **more)
        answer.raise_for_status()
        return answer.json()

    def perform(self, entity: str, operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """As the owner in QuickBooks; None where QuickBooks refuses it."""
        given = {"entity": entity, "operation": operation, "body": body}
        text = json.dumps(given, default=str)  # amounts as text: the company reads both
        answer = requests.post(f"{self.company_url}/_sandbox/perform", data=text, timeout=30,
                               headers={"Content-Type": "application/json"})  # fmt: skip
        return answer.json() if answer.status_code == 200 else None

    def state(self, entity: str) -> list[dict[str, Any]]:
        """Every record of a kind, as the company itself holds it; amounts exact."""
        answer = requests.get(f"{self.company_url}/_sandbox/state?entity={entity}", timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = json.loads(answer.content, parse_float=Decimal)
        return found


def remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
