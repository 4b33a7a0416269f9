"""``python -m sandbox``: run simulated QuickBooks companies on this machine until Ctrl-C.

``python -m sandbox contacts``: write the contact list the same firm kept by itself, see sandbox.contacts.
"""

import argparse
import shutil
import signal
import sys
import threading
from pathlib import Path

from sandbox import contacts
from sandbox.app import run, stop
from sandbox.settings import OFF, Settings, Throttle


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Simulated QuickBooks Online companies.")
    parser.add_argument("--port", type=int, default=8700, help="port on 127.0.0.1 (default 8700)")
    parser.add_argument("--data", type=Path, default=Path("instance/sandbox"), help="directory of its database")
    parser.add_argument("--size", type=int, default=300, help="customers per generated company (30 to 100000)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same companies")
    parser.add_argument("--companies", type=int, default=2)
    parser.add_argument("--app-url", help="where webhooks go: <app-url>/webhooks/quickbooks")
    parser.add_argument("--webhook-format", choices=("cloudevents", "legacy"), default="cloudevents")
    parser.add_argument("--client-id", default="sandbox-client")
    parser.add_argument("--client-secret", default="sandbox-secret")
    parser.add_argument("--verifier-token", default="sandbox-verifier")
    parser.add_argument("--access-seconds", type=int, default=3600, help="life of an access token")
    parser.add_argument("--grace-seconds", type=int, default=0, help="how long a replaced refresh token still works")
    parser.add_argument("--no-throttle", action="store_true", help="do not limit requests per second and minute")
    parser.add_argument("--reset", action="store_true", help="forget what is there and generate afresh")
    return parser.parse_args()


def main() -> int:
    if sys.argv[1:2] == ["contacts"]:
        return contacts.main(sys.argv[2:])
    given = arguments()
    if given.reset and given.data.exists():
        shutil.rmtree(given.data)
    settings = Settings(
        data=given.data, port=given.port, size=given.size, seed=given.seed, companies=given.companies,
        app_url=given.app_url, webhook_format=given.webhook_format, client_id=given.client_id,
        client_secret=given.client_secret, verifier_token=given.verifier_token, access_seconds=given.access_seconds,
        grace_seconds=given.grace_seconds,
        throttle=OFF if given.no_throttle else Throttle(),
    )  # fmt: skip
    try:
        served = run(settings)
    except OSError as error:
        print(f"The sandbox cannot listen on port {given.port}: {error.strerror}. Choose another with --port.",
              file=sys.stderr)  # fmt: skip
        return 1
    companies = ", ".join(f"{name} ({realm})" for realm, name in served.store.companies())
    print(f"QuickBooks sandbox ready at {served.url} - {companies}", flush=True)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    stop(served)
    return 0


if __name__ == "__main__":
    sys.exit(main())
