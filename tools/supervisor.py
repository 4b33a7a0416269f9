"""Starts a handful of processes, restarts what dies, and leaves nothing running.

Used by `make demo` and `make serve`. Each process leads a group of its own; on Linux the kernel also
ends it when the supervisor itself is killed. A process that dies is restarted with a growing pause,
after its whole group was ended (a half-dead one must not work on beside its successor). What the
processes print goes to a file each, so that the terminal shows only what a person needs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

GRACE_SECONDS = 10
LONGEST_PAUSE = 30
STEADY_SECONDS = 60
"""A process that ran this long is taken as healthy: its next failure starts with a short pause again."""


@dataclass(slots=True)
class Program:
    """One process to keep running. `ready_url` answers 200 once it may be relied on."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    ready_url: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0
    failures: int = 0
    due: float = 0


class Supervisor:
    """`start()` what is needed, `run()` until Ctrl-C or SIGTERM, then everything has ended."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.programs: list[Program] = []
        self.stopping = False
        logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def start(self, *programs: Program, wait_seconds: float = 60) -> None:
        """Start them side by side and wait until each is ready; ends everything with one line when one is not."""
        for program in programs:
            self.programs.append(program)
            self._launch(program)
        for program in programs:
            self._await(program, time.monotonic() + wait_seconds)

    def _await(self, program: Program, deadline: float) -> None:
        while program.ready_url and not answers(program.ready_url):
            exited = program.process is not None and program.process.poll() is not None
            asked_to_stop = self.stopping
            if asked_to_stop or exited or time.monotonic() > deadline:
                self.stop()
                if asked_to_stop:
                    sys.exit(0)
                sys.exit(f"{program.name} did not start: {self._last_words(program)} (all of it: {self._log(program)})")
            time.sleep(0.1)

    def run(self) -> None:
        """Watch until told to stop; restart what dies."""
        while not self.stopping:
            now = time.monotonic()
            for program in self.programs:
                self._watch(program, now)
            time.sleep(0.3)
        self.stop()

    def stop(self) -> None:
        """End every group: politely, then for certain."""
        self.stopping = True
        for program in reversed(self.programs):
            signal_group(program.process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(p.process and p.process.poll() is None for p in self.programs):
            time.sleep(0.05)
        for program in self.programs:
            signal_group(program.process, signal.SIGKILL)
            if program.process:
                program.process.wait()

    def _watch(self, program: Program, now: float) -> None:
        process = program.process
        if process is not None and process.poll() is None:
            return
        if process is not None:
            signal_group(process, signal.SIGKILL)  # children it may have left
            program.process = None
            program.failures = 1 if now - program.started > STEADY_SECONDS else program.failures + 1
            pause = min(2.0 ** (program.failures - 1), LONGEST_PAUSE)
            program.due = now + pause
            print(f"{program.name} stopped (exit {process.returncode}); starting it again in {pause:.0f} s", flush=True)
        if now >= program.due:
            self._launch(program)

    def _launch(self, program: Program) -> None:
        with self._log(program).open("ab") as log:
            program.process = subprocess.Popen(
                list(program.command), env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip
        program.started = time.monotonic()

    def _log(self, program: Program) -> Path:
        return self.logs / f"{program.name}.log"

    def _last_words(self, program: Program) -> str:
        lines = self._log(program).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


def end_with_parent() -> None:
    """In the child: ask Linux to end it when the supervisor is gone, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def signal_group(process: subprocess.Popen[bytes] | None, number: int) -> None:
    if process is None:
        return
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the group has ended already


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
