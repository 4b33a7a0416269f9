"""`make demo`: everything in one terminal, against a simulated QuickBooks company.

Keeps its data under instance/demo; the first start makes secrets, two sign-ins and the demo business's
contact list, later ones take seconds. Ctrl-C stops all of it. `--reset` starts over.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from pathlib import Path

from crm.encryption import new_key
from tools.programs import ROOT, base_environment, beat, python, require_free, sandbox, simulated, web, worker
from tools.supervisor import Supervisor

HOME = Path(os.environ.get("INSTANCE_DIR") or ROOT / "instance") / "demo"
FILE = HOME / "demo.env"
PASSWORD = "tradebook-demo"  # noqa: S105  printed on the screen: the demo listens on loopback only
FIRM = "bedrock-foundation.example"
"""The simulated company's own domain: its contact list names these people as owners."""
PEOPLE = (
    (f"alex@{FIRM}", "admin", "Alex Moreno"),
    (f"dana@{FIRM}", "rep", "Dana Whitfield"),
    (f"blake@{FIRM}", "bookkeeper", "Blake Ito"),
)
COLLEAGUES = ((f"luis@{FIRM}", "rep", "Luis Ortega"), (f"kim@{FIRM}", "rep", "Kim Sorensen"))
SIZE = 300
SEED = 7


def main(arguments: list[str]) -> None:
    if "--reset" in arguments:
        shutil.rmtree(HOME, ignore_errors=True)
        print("The demo is empty again. Start it with: make demo")
        return
    port, sandbox_port = _port("PORT", 8000), _port("SANDBOX_PORT", 8700)
    require_free("127.0.0.1", port, "Choose another: make demo PORT=8001")
    require_free("127.0.0.1", sandbox_port, "Choose another: make demo SANDBOX_PORT=8701")
    environment = {**base_environment(), "ENV_FILE": str(FILE), **_settings(port, sandbox_port)}
    print("Starting the demo ...", flush=True)
    _prepare(environment)
    supervisor = Supervisor(HOME / "logs")
    supervisor.start(
        sandbox(environment, port=sandbox_port, app_port=port, data=HOME / "company", size=SIZE, seed=SEED),
        web(environment, host="127.0.0.1", port=port, demo=True),
        worker(environment),
        beat(environment),
    )
    _banner(port, sandbox_port)
    supervisor.run()
    print("\nStopped. Everything is kept; make demo goes on where you left it.")


def _settings(port: int, sandbox_port: int) -> dict[str, str]:
    """Written to demo.env, so that `ENV_FILE=instance/demo/demo.env flask --app wsgi ...` reaches the demo too."""
    HOME.mkdir(parents=True, exist_ok=True)
    kept = dict(line.split("=", 1) for line in FILE.read_text().splitlines() if "=" in line) if FILE.exists() else {}
    settings = {
        "SECRET_KEY": kept.get("SECRET_KEY") or secrets.token_urlsafe(32),
        "TOKEN_ENCRYPTION_KEYS": kept.get("TOKEN_ENCRYPTION_KEYS") or new_key(),
        "INSTANCE_DIR": str(HOME),
        "DATABASE_URL": f"sqlite:///{HOME / 'tradebook.db'}",
        "REDIS_URL": "",
        "PORT": str(port),
        "DEMO_NOTES": "|".join((*(f"{role}: {email}" for email, role, _ in PEOPLE), f"password: {PASSWORD}")),
        **simulated(f"http://localhost:{port}", sandbox_port),
    }
    FILE.touch(mode=0o600)
    FILE.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return settings


def _prepare(environment: dict[str, str]) -> None:
    """Tables, and on the first start the demo business: people who sign in and the contact list it already had."""
    people, contacts = HOME / "people.json", HOME / "contacts.csv"
    if not contacts.exists():
        print("Making the demo business (once) ...", flush=True)
        people.write_text(json.dumps({"password": PASSWORD, "people": [*PEOPLE, *COLLEAGUES]}))
        size = ("--size", str(SIZE), "--seed", str(SEED), "--out", str(contacts))
        python("sandbox", "contacts", *size, environment=environment)
    python("tools.prepare", str(people), str(contacts), environment=environment)


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"{name} must be a port number, not {text!r}.")
    return int(text)


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _banner(port: int, sandbox_port: int) -> None:
    lines = [
        "",
        f"  Tradebook      http://localhost:{port}",
        *(f"    sign in as   {email:<34} {PASSWORD}   ({role})" for email, role, _ in PEOPLE),
        f"  QuickBooks     http://localhost:{sandbox_port}   (simulated: change a customer there, watch it here)",
        "",
        f"  Logs are under {_shown(HOME / 'logs')}. Ctrl-C stops everything.",
        "",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("Stopped before it was up. Start again with: make demo")
