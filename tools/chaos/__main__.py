"""`python -m tools.chaos`: so many rounds of trouble, then quiet, then the verdict; exit 1 with any violation."""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from sqlalchemy import create_engine, text

from crm import clock, config, create_app
from crm.db import db, transaction
from crm.models import Connection
from crm.services import grants, sync
from crm.services.audit import SYSTEM
from tools.chaos import quiet, verdict
from tools.chaos.edits import People
from tools.chaos.world import World, remove


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the same seed plans the same trouble")
    parser.add_argument("--size", type=int, default=40, help="customers of the company at the start (30 or more)")
    parser.add_argument("--pause", type=float, default=0.6, help="seconds of a round")
    parser.add_argument("--database-url", default="", help="a PostgreSQL server; a database of its own is made there. "
                        "Left out: the embedded SQLite")  # fmt: skip
    parser.add_argument("--redis-url", default="", help="a Redis database that may be emptied. Left out: the folder")
    parser.add_argument("--keep", action="store_true", help="keep the logs even when all is well")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    started = time.monotonic()
    with database(given.database_url, given.seed) as database_url:
        home = Path(tempfile.mkdtemp(prefix="tradebook-chaos-")) / "home"
        dice = random.Random(given.seed)
        world = World(home, dice, given.size, given.seed, database_url, given.redis_url)
        print(f"chaos: seed {given.seed}, {given.rounds} rounds, {'PostgreSQL' if database_url else 'SQLite'} and "
              f"{'Redis' if given.redis_url else 'the embedded broker'}", flush=True)  # fmt: skip
        if given.redis_url:
            redis.Redis.from_url(given.redis_url).flushdb()
        try:
            world.open(free_ports())
            violations = play(world, given.rounds, given.pause)
        except quiet.NeverQuiet as stuck:
            violations = [str(stuck)]
        finally:
            world.close()
    seconds = time.monotonic() - started
    for line in violations:
        print(f"VIOLATION {line}")
    repeat = f"--seed {given.seed} --rounds {given.rounds} --size {given.size}"
    print(f"chaos: {len(violations)} violations after {seconds:.0f} s (repeat with {repeat})", flush=True)
    if violations:
        print(f"logs: {home / 'logs'}")
    elif not given.keep:
        remove(home.parent)
    return 1 if violations else 0


def play(world: World, rounds: int, pause: float) -> list[str]:
    app = create_app(config.read(world.environment))
    with app.app_context():
        connection_id = connect(world)
        imported(connection_id)
        people = People(world, connection_id, world.dice)
        before = verdict.differences(world, connection_id)
        world.ask("DELETE", "/calls")
        world.start()
        world.begin_trouble()
        for number in range(1, rounds + 1):
            for _ in range(world.dice.randint(1, 3)):
                people.act()
            strike(world)
            time.sleep(pause)
            if number % 25 == 0:
                print(f"  round {number}: {dict(sorted(world.did.items()))}", flush=True)
        struck = world.end_trouble()
        quiet.settle(world, connection_id)
        print(f"  did: {dict(sorted(world.did.items()))}")
        print(f"  struck: {struck}", flush=True)
        found = verdict.violations(world, connection_id, people, before=before)
        db.session.remove()
        db.engine.dispose()
        return found


def strike(world: World) -> None:
    """What else goes wrong in a round, besides what strikes single calls."""
    dice = world.dice
    if dice.random() < 0.3:
        world.kill(dice.choice(("web", "worker-1", "worker-2", "beat")))
    if dice.random() < 0.05:
        world.empty_broker()
    if dice.random() < 0.05:
        world.cut_database()
    if dice.random() < 0.05:
        world.expire_tokens()


def connect(world: World) -> int:
    """A connected company, as after a consent and an approved plan."""
    tokens = world.ask("POST", "/tokens/issue", json={})
    realm, now = tokens["realm_id"], clock.now()
    with transaction() as session:
        connection = Connection(
            provider="quickbooks", realm_id=realm, realm_fingerprint=grants.fingerprint(realm),
            company_name="Chaos", state="connected", read_only=False, environment="simulated", connected_at=now,
            country="US", currency="USD", time_zone="America/Chicago", access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"], access_expires_at=now + quiet.TOKEN_LIFE, refreshed_at=now,
            scopes=["com.intuit.quickbooks.accounting"],
        )  # fmt: skip
        session.add(connection)
        session.flush()
        return connection.id


def imported(connection_id: int) -> None:
    with transaction():
        run_id = sync.start_run(connection_id, resources=None, trigger="command", actor=SYSTEM, now=clock.now()).id
    sync.run(run_id)
    quiet.expect_done(run_id)


@contextmanager
def database(server_url: str, seed: int) -> Iterator[str]:
    """A database of its own on that server, dropped afterwards; empty text for the embedded one."""
    if not server_url:
        yield ""
        return
    base = server_url.rpartition("/")[0] if server_url.count("/") > 2 else server_url
    name = f"tradebook_chaos_{seed}"
    admin = create_engine(base.replace("postgresql://", "postgresql+psycopg://") + "/postgres",
                          isolation_level="AUTOCOMMIT")  # fmt: skip
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield f"{base}/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


def free_ports() -> tuple[int, int]:
    probes = [socket.socket() for _ in range(2)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    first, second = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return first, second


if __name__ == "__main__":
    sys.exit(main())
