"""A PostgreSQL of its own, thrown away afterwards: only one's own server may be restarted in the middle of work.

Made with the server's own programs (`initdb`, `postgres`), found on the PATH or where Debian keeps them, with
PostgreSQL's own defaults (fsync included), on a free port of the loopback with a random password. PostgreSQL refuses to
run as root, so root hands it to an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from tools.supervisor import end_with_parent

NEEDED = ("initdb", "postgres")
UNPRIVILEGED = ("postgres", "nobody")
READY_SECONDS = 60
ROLE = "chaos"


class CannotMake(RuntimeError):
    """Why there can be no server of one's own here."""


def programs() -> dict[str, Path]:
    """Name -> path of what is needed. Raises CannotMake with what to install."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in folders:
        found = {name: folder / name for name in NEEDED}
        if all(os.access(path, os.X_OK) for path in found.values()):
            return found
    raise CannotMake(
        f"PostgreSQL's own programs ({', '.join(NEEDED)}) are neither on the PATH nor in /usr/lib/postgresql/*/bin, so "
        "no server of its own can be made. Install PostgreSQL's server (Debian: apt-get install postgresql), or leave "
        "--own-postgres out and give --database-url: there connections are cut, and the server is not restarted."
    )


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def user() -> str | None:
    """Whom the server runs as: nobody else (None), or for root an unprivileged user."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return name
    raise CannotMake(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)} to run it as.")


class OwnServer:
    """A running server. `close()` leaves nothing behind; it also ends when this process is killed."""

    def __init__(self, port: int) -> None:
        self._programs, self._user, self._port = programs(), user(), port
        self._home = Path(tempfile.mkdtemp(prefix="tradebook-chaos-postgres-"))
        self._password = secrets.token_urlsafe(18)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._make()
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self._port}"

    def restart(self) -> None:
        """As `pg_ctl restart -m immediate`: every process of it ends at once, the next start recovers from its log."""
        self._stop()
        self._start()

    def close(self) -> None:
        self._stop()
        shutil.rmtree(self._home, ignore_errors=True)

    # ----------------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        secret = self._home / "password"
        secret.write_text(self._password)
        if self._user:
            for path in (self._home, secret):
                shutil.chown(path, self._user)
        made = subprocess.run(
            [self._programs["initdb"], "--pgdata", self._data, "--username", ROLE, "--pwfile", secret, "--auth",
             "scram-sha-256", "--encoding", "UTF8", "--no-locale"],
            cwd="/", capture_output=True, text=True, check=False, user=self._user, extra_groups=self._groups,
        )  # fmt: skip
        secret.unlink()
        if made.returncode:
            raise CannotMake(f"initdb failed: {(made.stderr.strip() or made.stdout.strip())[-500:]}")

    def _start(self) -> None:
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs["postgres"], "-D", self._data, "-p", str(self._port), "-c",
                 "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent, user=self._user, extra_groups=self._groups,
            )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._home / "log").read_text(errors="replace").strip().splitlines()
                raise CannotMake(f"PostgreSQL did not start: {said[-1] if said else 'it said nothing'}")
            time.sleep(0.05)

    def _stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # what `pg_ctl -m immediate` sends
            self._process.wait(timeout=30)

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"{self.url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _groups(self) -> list[str] | None:
        """No group of root's goes along."""
        return [] if self._user else None
