"""The processes of an installation as `make serve` starts them, for as long as a measurement takes, and what they cost.

Each leads a group of its own; processor seconds and memory are those of the whole group, from /proc (Linux), else None.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.child import ROOT
from tools import programs
from tools.supervisor import Program, answers, end_with_parent, signal_group

READY_SECONDS = 60


@dataclass(slots=True)
class Servers:
    port: int
    programs: list[Program]

    def cost(self) -> dict[str, dict[str, Any]]:
        """Program -> processor seconds until now and the peak memory of its largest process in MB."""
        return {program.name: cost(program.process.pid) for program in self.programs if program.process}


@contextmanager
def running(environment: Mapping[str, str], logs: Path) -> Iterator[Servers]:
    """Gunicorn, one worker, beat; ended at the end of the block, whatever happens in it."""
    port = free_port()
    settings = {**programs.base_environment(), **environment}
    servers = Servers(port, [
        programs.web(settings, host="127.0.0.1", port=port, demo=False), programs.worker(settings),
        programs.beat(settings),
    ])  # fmt: skip
    logs.mkdir(parents=True, exist_ok=True)
    try:
        for program in servers.programs:
            with (logs / f"{program.name}.log").open("ab") as log:
                program.process = subprocess.Popen(
                    list(program.command), cwd=ROOT, env=program.environment, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, start_new_session=True, preexec_fn=end_with_parent,
                )  # fmt: skip
        for program in servers.programs:
            _await(program, logs)
        yield servers
    finally:
        for program in servers.programs:
            signal_group(program.process, signal.SIGKILL)  # nobody wants its data
            if program.process:
                program.process.wait()


def _await(program: Program, logs: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    log = logs / f"{program.name}.log"
    while not _ready(program, log):
        exited = program.process is not None and program.process.poll() is not None
        if exited or time.monotonic() > until:
            raise RuntimeError(f"{program.name} did not start:\n{_read(log)[-2000:]}")
        time.sleep(0.1)


def _ready(program: Program, log: Path) -> bool:
    """A worker has no address; it says when it listens. Beat need not be waited for."""
    if program.ready_url:
        return answers(program.ready_url)
    return program.name != "worker" or " ready." in _read(log)


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cost(group: int) -> dict[str, Any]:
    ticks, peak = 0, 0.0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) != group:
                continue
            ticks += int(fields[11]) + int(fields[12])
            status = (place / "status").read_text()
        except OSError:
            continue  # it ended this moment
        peak = max(peak, *(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if "VmHWM" in line))
    if not ticks:
        return {"cpu_seconds": None, "peak_mb": None}
    return {"cpu_seconds": round(ticks / os.sysconf("SC_CLK_TCK"), 2), "peak_mb": round(peak, 1)}
