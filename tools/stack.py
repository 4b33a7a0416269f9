"""A whole installation that is thrown away afterwards: simulated company, web, worker, on free ports.

Used by the tests in a real browser and by `make screenshots`. Everything runs as it does for a person: separate
processes, the embedded SQLite and broker unless the settings given name servers. `running()` promises that nothing
is left running, whatever happens inside it; what the processes said stays in `<home>/logs`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crm.encryption import new_key
from tools.programs import ROOT, base_environment, python, sandbox, simulated, web, worker
from tools.supervisor import Program, answers, end_with_parent, signal_group

READY_SECONDS = 60

Person = tuple[str, str, str]
"""E-mail, role, name."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs: where to reach it, and the environment for commands against it."""

    url: str
    sandbox_url: str
    environment: dict[str, str]
    home: Path


@contextmanager
def running(
    home: Path, *, people: Sequence[Person], password: str, size: int, seed: int = 7,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:  # fmt: skip
    """A started installation with these people and the contact list of the simulated company; ended on the way out."""
    port, sandbox_port = _free_ports(2)
    stack = Stack(
        url=f"http://127.0.0.1:{port}",
        sandbox_url=f"http://127.0.0.1:{sandbox_port}",
        environment={**base_environment(), **_settings(home, port, sandbox_port), **(settings or {})},
        home=home,
    )
    (home / "logs").mkdir(parents=True, exist_ok=True)
    programs = [
        sandbox(stack.environment, port=sandbox_port, app_port=port, data=home / "company", size=size, seed=seed,
                throttle=False),
        web(stack.environment, host="127.0.0.1", port=port, demo=True),
        worker(stack.environment),
    ]  # fmt: skip
    try:
        for program in programs:
            _launch(program, home)
        _fill(stack, people, password, size, seed)
        for program in programs:
            _wait(program, home)
        yield stack
    finally:
        for program in programs:
            signal_group(program.process, signal.SIGKILL)  # nobody wants its data: no time for good-byes
            if program.process:
                program.process.wait()


def _settings(home: Path, port: int, sandbox_port: int) -> dict[str, str]:
    return {
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "TOKEN_ENCRYPTION_KEYS": new_key(),
        "INSTANCE_DIR": str(home),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "PORT": str(port),
        "ARGON2_MEMORY_KIB": "8",
        "ARGON2_ROUNDS": "1",
        **simulated(f"http://127.0.0.1:{port}", sandbox_port),
    }


def _fill(stack: Stack, people: Sequence[Person], password: str, size: int, seed: int) -> None:
    whom, contacts = stack.home / "people.json", stack.home / "contacts.csv"
    whom.write_text(json.dumps({"password": password, "people": people}))
    of = ("--size", str(size), "--seed", str(seed))
    python("sandbox", "contacts", *of, "--out", str(contacts), environment=stack.environment)
    python("tools.prepare", str(whom), str(contacts), environment=stack.environment)


def _launch(program: Program, home: Path) -> None:
    with (home / "logs" / f"{program.name}.log").open("ab") as log:
        program.process = subprocess.Popen(
            list(program.command), cwd=ROOT, env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip


def _wait(program: Program, home: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while program.ready_url and not answers(program.ready_url):
        exited = program.process is not None and program.process.poll() is not None
        if exited or time.monotonic() > deadline:
            said = (home / "logs" / f"{program.name}.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{program.name} did not start:\n{said}")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on; held open together so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
