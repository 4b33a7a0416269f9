"""`make demo` and `make serve` keep their programs running, and leave nothing behind, however they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SUPERVISE = """
import json, sys
from pathlib import Path
from tools import supervisor
supervisor.GRACE_SECONDS = 0.5
home, programs, wait = Path(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3])
keeper = supervisor.Supervisor(home / "logs")
for name, code, ready in programs:
    program = supervisor.Program(name, [sys.executable, "-c", code], {}, ready_url=ready)
    keeper.start(program, wait_seconds=wait)
print("all started", flush=True)
keeper.run()
"""

STEADY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open({path!r}, "a") as file:
    file.write("%d %d\\n" % (os.getpid(), child.pid))
time.sleep(60)
"""
"""Writes its own and its child's id at every start, then works for a minute."""

STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STEADY


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def _until(true: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        time.sleep(0.05)


class Keeper:
    """A supervisor in a process of its own, and the ids its programs wrote down."""

    def __init__(self, home: Path, *programs: tuple[str, str, str], wait: float = 10) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, str(home), json.dumps(programs), str(wait)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def starts(self, name: str) -> list[tuple[int, int]]:
        """(own id, child's id) of each time that the program started."""
        path = self.home / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(own), int(child)) for own, child in (line.split() for line in lines if " " in line)]

    def first(self, *names: str) -> list[int]:
        """Every id of the first start of these programs, once they are all there."""
        _until(lambda: all(self.starts(name) for name in names), "the programs to start")
        return [pid for name in names for pid in self.starts(name)[0]]


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    kept: list[Keeper] = []

    def start(*programs: tuple[str, str, str], wait: float = 10) -> Keeper:
        kept.append(Keeper(tmp_path, *programs, wait=wait))
        return kept[-1]

    yield start
    for keeper in kept:
        keeper.process.kill()
        keeper.process.communicate()
        for path in tmp_path.iterdir():
            for pair in keeper.starts(path.name) if path.is_file() else []:
                for pid in filter(_alive, pair):
                    os.kill(pid, signal.SIGKILL)


def _program(home: Path, name: str, code: str = STEADY) -> tuple[str, str, str]:
    return name, code.format(path=str(home / name)), ""


def test_a_killed_program_is_started_again_and_its_children_do_not_stay(
    keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    keeper = keep(_program(tmp_path, "one"), _program(tmp_path, "two"))
    own, child, *other = keeper.first("one", "two")
    os.kill(own, signal.SIGKILL)
    _until(lambda: len(keeper.starts("one")) == 2, "the killed program to come back")
    assert not _alive(child)
    assert all(map(_alive, [*other, *keeper.starts("one")[1]]))
    keeper.process.send_signal(signal.SIGINT)
    said, _ = keeper.process.communicate(timeout=20)
    assert "one stopped (exit -9); starting it again in 1 s" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_asked_to_stop_it_leaves_nothing_running(
    keep: Callable[..., Keeper], tmp_path: Path, number: signal.Signals
) -> None:
    keeper = keep(_program(tmp_path, "one"), _program(tmp_path, "stubborn", STUBBORN))
    pids = keeper.first("one", "stubborn")
    keeper.process.send_signal(number)
    keeper.process.communicate(timeout=20)
    assert keeper.process.returncode == 0
    assert not list(filter(_alive, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a process killed for certain")
def test_killed_for_certain_it_leaves_no_program_running(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    keeper = keep(_program(tmp_path, "one"), _program(tmp_path, "stubborn", STUBBORN))
    keeper.first("one", "stubborn")
    programs = [keeper.starts(name)[0][0] for name in ("one", "stubborn")]
    keeper.process.kill()
    _until(lambda: not any(map(_alive, programs)), "the programs to end with their supervisor")


def test_a_program_that_does_not_start_ends_all_of_it_in_one_line(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    broken = "import sys; sys.exit('first line\\nthe cellar is flooded')"
    keeper = keep(_program(tmp_path, "one"), ("two", broken, "http://127.0.0.1:1/readyz"))
    said, complained = keeper.process.communicate(timeout=20)
    assert keeper.process.returncode == 1 and said == ""
    log = tmp_path / "logs" / "two.log"
    assert complained == f"two did not start: the cellar is flooded (all of it: {log})\n"
    assert not any(_alive(pid) for pair in keeper.starts("one") for pid in pair)


def test_a_program_that_is_never_ready_is_given_up(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    name, code, _ = _program(tmp_path, "one")
    keeper = keep((name, code, "http://127.0.0.1:1/readyz"), wait=1)
    _, complained = keeper.process.communicate(timeout=20)
    assert keeper.process.returncode == 1
    assert complained.startswith("one did not start: it said nothing") and len(complained.splitlines()) == 1
    assert not any(_alive(pid) for pair in keeper.starts("one") for pid in pair)


@pytest.mark.parametrize("setting", ["PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_one_line_that_names_another(setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert _demo({setting: str(port)}) == f"Port {port} is in use. Choose another: make demo {setting}=" + (
            "8001" if setting == "PORT" else "8701"
        )


def test_a_port_that_is_no_port_is_one_line() -> None:
    assert _demo({"PORT": "http"}) == "PORT must be a port number, not 'http'."


def _demo(settings: dict[str, str]) -> str:
    """What `make demo` complains of; it ends before it touches its data."""
    with socket.socket() as spare, socket.socket() as other:
        for probe in (spare, other):
            probe.bind(("127.0.0.1", 0))
        free = {"PORT": str(spare.getsockname()[1]), "SANDBOX_PORT": str(other.getsockname()[1])}
    result = subprocess.run(
        [sys.executable, "-m", "tools.demo"], cwd=ROOT, env={**os.environ, **free, **settings},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert result.returncode == 1 and result.stdout == ""
    return result.stderr.strip()
