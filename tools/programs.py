"""The processes of an installation, as `make demo` and `make serve` start them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tools.supervisor import Program

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
NICE = ("nice", "-n", "10") if shutil.which("nice") else ()


def web(environment: dict[str, str], *, host: str, port: int, demo: bool) -> Program:
    """The web server: waitress for the demo, gunicorn with threads for a company.

    Its access log names the path without its query: consent codes and what people search for stay out of it. Its class
    masks the paths that are credentials themselves, those of customers.
    """
    if demo:
        command = [str(BIN / "waitress-serve"), "--threads=8", f"--listen={host}:{port}", "wsgi:app"]
    else:
        command = [
            str(BIN / "gunicorn"), "--worker-class=gthread", "--workers=2", "--threads=8", f"--bind={host}:{port}",
            "--access-logfile=-", "--access-logformat=%(h)s %(t)s %(m)s %(U)s %(s)s %(b)s %(M)sms",
            "--logger-class=crm.access_log.Logger", "--graceful-timeout=20", "wsgi:app",
        ]  # fmt: skip
    reached = "127.0.0.1" if host in ("0.0.0.0", "localhost") else host
    return Program("web", command, environment, ready_url=f"http://{reached}:{port}/readyz")


def worker(environment: dict[str, str]) -> Program:
    """Celery's worker. It gives way: whoever waits for a page, or QuickBooks for its answer, goes first."""
    command = [
        *NICE,
        str(BIN / "celery"), "--app=celery_worker", "worker", "--pool=threads", "--concurrency=4", "--loglevel=INFO",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    return Program("worker", command, environment)


def beat(environment: dict[str, str]) -> Program:
    # A process of its own: embedded in a worker it would outlive a killed one and ring twice.
    return Program(
        "beat", [str(BIN / "celery"), "--app=celery_worker", "beat", "--loglevel=INFO", "--pidfile="], environment
    )


def sandbox(
    environment: dict[str, str], *, port: int, app_port: int, data: Path, size: int, seed: int, throttle: bool = True
) -> Program:
    """The simulated QuickBooks company."""
    command = [
        str(BIN / "python"), "-m", "sandbox", "--port", str(port), "--data", str(data), "--size", str(size),
        "--seed", str(seed), "--app-url", f"http://127.0.0.1:{app_port}", *([] if throttle else ["--no-throttle"]),
    ]  # fmt: skip
    return Program("sandbox", command, environment, ready_url=f"http://127.0.0.1:{port}/")


def simulated(app_url: str, sandbox_port: int) -> dict[str, str]:
    """Settings that point an installation at the simulated company."""
    address = f"http://127.0.0.1:{sandbox_port}"
    return {
        "DEMO": "true",
        "APP_URL": app_url,
        "QUICKBOOKS_CLIENT_ID": "sandbox-client",
        "QUICKBOOKS_CLIENT_SECRET": "sandbox-secret",
        "QUICKBOOKS_REDIRECT_URI": f"{app_url}/auth/quickbooks/callback",
        "QUICKBOOKS_SANDBOX": "true",
        "QUICKBOOKS_WEBHOOK_VERIFIER_TOKEN": "sandbox-verifier",
        "QUICKBOOKS_DISCOVERY_URL": f"{address}/.well-known/openid_sandbox_configuration/",
        "QUICKBOOKS_API_URL": address,
    }


def python(*arguments: str, environment: dict[str, str]) -> None:
    """Run `python -m ...` of this project to its end; stops everything with its last line when it fails."""
    command = [str(BIN / "python"), "-m", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()
        sys.exit(f"{arguments[0]} failed: {said[-1]}")


def flask(*arguments: str, environment: dict[str, str], feed: str = "") -> str:
    """Run a `flask --app wsgi` command and return what it printed; ends with its last line when it fails."""
    result = subprocess.run(
        [str(BIN / "flask"), "--app", "wsgi", *arguments],
        cwd=ROOT, env=environment, input=feed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        said = (result.stderr or result.stdout).strip()
        sys.exit(
            said
            if "Tradebook cannot start" in said
            else f"flask {arguments[0]} failed: {said.splitlines()[-1] if said else 'it said nothing'}"
        )
    return result.stdout


def require_free(host: str, port: int, advice: str) -> None:
    """End with one clear line when something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            sys.exit(f"Port {port} is in use. {advice}")


def base_environment() -> dict[str, str]:
    return {**os.environ, "FLASK_SKIP_DOTENV": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
