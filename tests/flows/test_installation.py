"""The demo and a company's installation as people start them: real processes, one terminal, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from crm.encryption import new_key

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *arguments: str, **settings: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "QUICKBOOKS_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env={**clean, **settings}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.said: list[str] = []

    def until(self, words: str) -> None:
        for line in self.process.stdout or ():
            self.said.append(line)
            if words in line:
                return
        raise AssertionError(f"ended before it said {words!r}: {''.join(self.said)}")

    def interrupt(self) -> str:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return rest


@pytest.fixture
def terminal() -> Callable[..., Terminal]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str, **settings: str) -> Terminal:
        opened.append(Terminal(*arguments, **settings))
        return opened[-1]

    yield open_terminal
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def mentions(text: str) -> list[str]:
    """Command lines of running processes that hold the text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if text in line:
            found.append(line)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes in /proc")
def test_the_demo_starts_stops_and_keeps_its_data(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    settings = {"INSTANCE_DIR": str(tmp_path), "PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    demo = terminal("tools.demo", **settings)
    demo.until("Ctrl-C stops everything")
    banner = "".join(demo.said)
    assert f"http://localhost:{settings['PORT']}" in banner and "(admin)" in banner and "(rep)" in banner
    assert '"status":"ok"' in get(f"http://127.0.0.1:{settings['PORT']}/readyz").replace(" ", "")
    assert "Bedrock Foundation Repair" in get(f"http://127.0.0.1:{settings['SANDBOX_PORT']}/")
    assert (tmp_path / "demo" / "demo.env").stat().st_mode & 0o077 == 0, "secrets are for their owner only"
    assert "Everything is kept" in demo.interrupt()
    ports = (settings["PORT"], settings["SANDBOX_PORT"])
    assert not [line for port in ports for line in mentions(f":{port}") + mentions(f"--port {port} ")]

    before = (tmp_path / "demo" / "demo.env").read_text()
    again = terminal("tools.demo", **settings)
    again.until("Ctrl-C stops everything")
    assert "Making the demo business" not in "".join(again.said)
    again.interrupt()
    assert (tmp_path / "demo" / "demo.env").read_text() == before
    reset = subprocess.run(
        [sys.executable, "-m", "tools.demo", "--reset"], cwd=ROOT, env={**os.environ, **settings}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "empty again" in reset.stdout and not (tmp_path / "demo").exists()


def test_a_company_is_served_and_its_log_holds_no_query(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    port = free_port()
    env_file = tmp_path / "settings.env"
    env_file.write_text(
        f"SECRET_KEY={'k' * 40}\nTOKEN_ENCRYPTION_KEYS={new_key()}\nINSTANCE_DIR={tmp_path}\nPORT={port}\n"
        f"HOST=127.0.0.1\nDATABASE_URL=\nREDIS_URL=\n"
    )
    served = terminal("tools.serve", ENV_FILE=str(env_file))
    served.until("Logs:")
    get(f"http://127.0.0.1:{port}/auth/quickbooks/callback?code=very-secret-code&state=s3cr3t&realmId=4620816365")
    get(f"http://127.0.0.1:{port}/sign-in")
    log = tmp_path / "logs" / "web.log"
    deadline = time.monotonic() + 30
    while "/sign-in" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    written = log.read_text()
    assert "/auth/quickbooks/callback" in written
    assert not [secret for secret in ("very-secret-code", "s3cr3t", "4620816365") if secret in written]
    served.interrupt()


def test_a_company_without_secrets_is_not_served(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tools.serve"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
        env={"PATH": os.environ["PATH"], "ENV_FILE": str(tmp_path / "none.env")},
    )  # fmt: skip
    assert result.returncode == 1 and "SECRET_KEY is missing" in result.stderr and "Traceback" not in result.stderr
