"""`python -m tools.chaos`: so many rounds of trouble, then quiet, then the verdict; exit 1 with any violation."""

from __future__ import annotations

import argparse
import random
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from sqlalchemy import NullPool, create_engine, text

from crm import clock, config, create_app
from crm.db import db, transaction
from crm.models import Connection
from crm.services import accounts, grants, sync
from crm.services.audit import SYSTEM
from tools.chaos import kinds, quiet, verdict, waits
from tools.chaos.admins import Admins
from tools.chaos.edits import People
from tools.chaos.postgres import CannotMake, OwnServer
from tools.chaos.world import World, remove


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the same seed plans the same trouble")
    parser.add_argument("--size", type=int, default=40, help="customers of the company at the start (30 or more)")
    parser.add_argument("--pause", type=float, default=0.6, help="seconds of a round")
    parser.add_argument("--database-url", default="", help="a PostgreSQL server; a database of its own is made there. "
                        "Left out: the embedded SQLite")  # fmt: skip
    parser.add_argument("--own-postgres", action="store_true", help="a PostgreSQL of its own, which is restarted in "
                        "the middle of the rounds (of --database-url only connections are cut)")  # fmt: skip
    parser.add_argument("--redis-url", default="", help="a Redis database that may be emptied. Left out: the folder")
    parser.add_argument("--hurry", action="store_true", help="after the trouble do not wait for beat's schedule, ring")
    parser.add_argument("--keep", action="store_true", help="keep the logs even when all is well")
    given = parser.parse_args()
    if given.own_postgres and given.database_url:
        parser.error("--own-postgres makes its own server; leave --database-url out")
    return given


def main() -> int:
    given = arguments()
    started = time.monotonic()
    try:
        with server(given.own_postgres) as own, database(own.url if own else given.database_url, given.seed) as url:
            world = World(new_home(), random.Random(given.seed), given.size, given.seed, url, given.redis_url, own)
            violations = observed(world, given)
    except CannotMake as reason:
        sys.exit(f"chaos: {reason}")
    for line in violations:
        print(f"VIOLATION {line}")
    repeat = f"--seed {given.seed} --rounds {given.rounds} --size {given.size} --pause {given.pause}"
    repeat += " --own-postgres" if given.own_postgres else ""
    took = time.monotonic() - started
    print(f"chaos: {len(violations)} violations after {took:.0f} s (repeat with {repeat})", flush=True)
    if violations or given.keep:
        print(f"logs: {world.home / 'logs'}")
    else:
        remove(world.home.parent)
    return 1 if violations else 0


def observed(world: World, given: argparse.Namespace) -> list[str]:
    """Trouble, quiet, verdict; nothing of the installation runs on afterwards."""
    database = "PostgreSQL of its own" if world.server else "PostgreSQL" if world.database_url else "SQLite"
    broker = "Redis" if world.redis_url else "the embedded broker"
    print(f"chaos: seed {given.seed}, {given.rounds} rounds, {database} and {broker}", flush=True)
    if world.redis_url:
        redis.Redis.from_url(world.redis_url).flushdb()
    try:
        world.open(free_ports(2))
        return play(world, given)
    except quiet.NeverQuiet as stuck:
        return [str(stuck)]
    finally:
        world.close()


def play(world: World, given: argparse.Namespace) -> list[str]:
    app = create_app(config.read(world.environment))
    with app.app_context():
        connection_id, user_id = connect(world)
        imported(connection_id)
        people = People(world, connection_id, world.dice)
        admins = Admins(people, world, connection_id, user_id, random.Random(f"{world.seed}:admins"))
        people.learn(*(deeds(people) for deeds in kinds.DEEDS), admins.deeds())
        case = verdict.opened(world, connection_id, people)
        world.ask("DELETE", "/calls")
        world.start()
        world.begin_trouble()
        for number in range(1, given.rounds + 1):
            for _ in range(world.dice.randint(2, 5)):
                people.act()
            admins.look_after()
            strike(world)
            time.sleep(given.pause)
            if number % 25 == 0:
                print(f"  round {number}: {dict(sorted(world.did.items()))}", flush=True)
        struck = world.end_trouble()
        quiet.settle(world, connection_id, admins.put_right, hurry=given.hurry)
        found = kinds.violations(case)
        print(f"  did: {dict(sorted(world.did.items()))}")
        print(f"  struck: {struck}")
        print(f"  trouble on our own side: {dict(waits.defects())}", flush=True)
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
        world.strike_database()
    if dice.random() < 0.05:
        world.expire_tokens()


def connect(world: World) -> tuple[int, int]:
    """A connected company, as after a consent and an approved plan, and the admin who connected it."""
    tokens = world.ask("POST", "/tokens/issue", json={})
    realm, now = tokens["realm_id"], clock.now()
    with transaction() as session:
        user = accounts.create(
            "admin@chaos.example", role="admin", password=secrets.token_urlsafe(18), actor=SYSTEM, now=now
        )
        connection = Connection(
            provider="quickbooks", realm_id=realm, realm_fingerprint=grants.fingerprint(realm),
            company_name="Chaos", state="connected", read_only=False, environment="simulated", connected_at=now,
            country="US", currency="USD", time_zone="America/Chicago", access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"], access_expires_at=now + quiet.TOKEN_LIFE, refreshed_at=now,
            scopes=["com.intuit.quickbooks.accounting"],
        )  # fmt: skip
        session.add(connection)
        session.flush()
        return connection.id, user.id


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
                          isolation_level="AUTOCOMMIT", poolclass=NullPool)  # fmt: skip
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield f"{base}/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def server(wanted: bool) -> Iterator[OwnServer | None]:
    """A PostgreSQL of one's own while this lasts, where it is wanted."""
    if not wanted:
        yield None
        return
    own = OwnServer(*free_ports(1))
    try:
        yield own
    finally:
        own.close()


def new_home() -> Path:
    return Path(tempfile.mkdtemp(prefix="tradebook-chaos-")) / "home"


def free_ports(number: int) -> tuple[int, ...]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = tuple(probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())
