"""Both directions measured, each on a stage of its own: `push`, `sweep` and `burst` fill `found` under their names."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import burst as bursts
from bench import child, stage

Found = dict[str, Any]


def push(place: Path, given: Namespace, found: Found) -> None:
    """So many contacts become customers, our way and one by one, each in a company of its own that starts the same."""
    number = given.push
    say(f"push of {number:,}: generating the company and the contacts")
    child.run("company", directory=str(generated(place)), size=max(number, stage.LEAST), newcomers=number)
    measured = found["push"] = begun(given, number=number, measured=[])
    for server in ("", given.database_url) if given.database_url else ("",):
        with company(place, f"ours{len(measured['measured'])}", number) as served, stage.database(server) as url:
            measured["measured"].append(push_ours(served, url))
    with company(place, "usual", number) as served:
        measured["measured"].append(push_usual(served))


def push_ours(served: stage.Company, database_url: str) -> Found:
    name = "postgresql" if database_url else "sqlite"
    environment, connection = installed(served, database_url)
    child.run("ours", environment, connection_id=connection)
    list_of = str(served.contacts.with_name("newcomers.csv"))
    filled = child.run("push", environment, deed="fill", connection_id=connection, contacts=list_of)
    say(f"push: Tradebook ({name})")
    return counted(served, lambda: child.run(
        "push", environment, deed="send", connection_id=connection, ids=filled["ids"]
    ), way="ours", database=name)  # fmt: skip


def push_usual(served: stage.Company) -> Found:
    url = f"sqlite:///{served.contacts.with_name('usual.db')}"
    child.run("usual", deed="fill", url=url, contacts=str(served.contacts.with_name("newcomers.csv")))
    say("push: the usual way, one look-up and one create per customer")
    tokens = served.tokens()
    return counted(served, lambda: child.run(
        "usual_sync", deed="push", url=url, company_url=served.url, tokens=tokens
    ), way="singly", database="sqlite")  # fmt: skip


def sweep(place: Path, given: Namespace, found: Found) -> None:
    """Nothing changed, and each way finds that out."""
    number = given.sweep
    say(f"sweep of {number:,}: generating the company")
    child.run("company", directory=str(generated(place)), size=number)
    measured = found["sweep"] = begun(given, number=number, measured=[])
    with company(place, "served", number) as served:
        for server in ("", given.database_url) if given.database_url else ("",):
            with stage.database(server) as url:
                measured["measured"].append(sweep_ours(served, url))
        measured["measured"] += sweep_usual(served)


def sweep_ours(served: stage.Company, database_url: str) -> Found:
    name = "postgresql" if database_url else "sqlite"
    say(f"sweep: importing the company ({name})")
    environment, connection = installed(served, database_url)
    child.run("sweep", environment, deed="ready", connection_id=connection)
    say(f"sweep: Tradebook ({name})")
    return counted(served, lambda: child.run(
        "sweep", environment, deed="sweep", connection_id=connection
    ), way="ours", database=name)  # fmt: skip


def sweep_usual(served: stage.Company) -> list[Found]:
    url, tokens = f"sqlite:///{served.contacts.with_name('usual.db')}", served.tokens()
    where: Found = {"url": url, "company_url": served.url, "tokens": tokens}
    say("sweep: reading the company the usual way")
    child.run("usual", deed="fill", url=url, contacts=str(served.contacts.with_name("nobody.csv")))
    child.run("usual_sync", deed="mirror", **where)
    say("sweep: the usual ways, kind by kind and object by object")
    return [
        counted(served, lambda: child.run("usual_sync", deed="since", **where), way="since", database="sqlite"),
        counted(served, lambda: child.run("usual_sync", deed="compare", **where), way="compare", database="sqlite"),
    ]


def burst(place: Path, given: Namespace, found: Found) -> None:
    """Webhooks as fast as asked for, on SQLite and on PostgreSQL where there is one."""
    child.run("company", directory=str(generated(place)), size=bursts.OBJECTS)
    measured = found["burst"] = begun(given, measured=[])
    for server in (given.database_url, "") if given.database_url else ("",):
        name = "postgresql" if server else "sqlite"
        say(f"burst: {given.rate:g} deliveries a second for {given.burst_seconds:g} s ({name})")
        with company(place, name, bursts.OBJECTS) as served, stage.database(server) as url:
            measured["measured"].append(bursts.measure(
                served, place / f"{name}-installed", database_url=url, redis_url=given.redis_url if server else "",
                rate=given.rate, seconds=given.burst_seconds,
            ))  # fmt: skip


def plans(place: Path, given: Namespace, found: Found) -> None:
    """The plan of an import, carried out whole, and the first plan of what would be written; size after size."""
    measured = found["plans"] = begun(given, measured=[])
    for size in given.plans:
        say(f"plans of {size:,}: generating the company and its contact list")
        child.run("company", directory=str(generated(place / str(size))), size=size)
        for server in ("", given.database_url) if given.database_url else ("",):
            name = "postgresql" if server else "sqlite"
            with company(place / str(size), name, size) as served, stage.database(server) as url:
                environment = stage.environment(
                    served.contacts.with_name(name), company_url=served.url, database_url=url
                )
                filled = child.run("filling", environment, contacts=str(served.contacts), tokens=served.tokens())
                for deed in ("import", "write"):
                    say(f"plans of {size:,}: {deed} ({name})")
                    told = child.run("plans", environment, deed=deed, connection_id=filled["connection_id"])
                    measured["measured"].append({**told, "deed": deed, "database": name, "size": size})


# --- parts ----------------------------------------------------------------------------------------------------


def begun(given: Namespace, **more: Any) -> Found:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"load": load, **more}


def generated(place: Path) -> Path:
    (place / "generated").mkdir(parents=True)
    return place / "generated"


@contextmanager
def company(place: Path, name: str, size: int) -> Iterator[stage.Company]:
    """A copy of the generated company, as on its first day, served."""
    shutil.copytree(place / "generated", place / name)
    with stage.served(place / name, size) as served:
        yield served


def installed(served: stage.Company, database_url: str) -> tuple[dict[str, str], int]:
    """An installation without contacts, connected to the company: its environment, and the connection's id."""
    instance = served.contacts.with_name("postgresql" if database_url else "sqlite")
    environment = stage.environment(instance, company_url=served.url, database_url=database_url)
    nobody = str(served.contacts.with_name("nobody.csv"))
    return environment, child.run("filling", environment, contacts=nobody, tokens=served.tokens())["connection_id"]


def counted(served: stage.Company, measure: Any, *, entity: str = "Customer", **named: Any) -> Found:
    """What `measure` answers, with the calls the company counted meanwhile and how many of `entity` it has more."""
    before = len(served.ids(entity))
    served.forget_calls()
    told = measure()
    calls, batches = served.requests()
    return {**told, **named, "calls": calls, "batches": batches, "there": len(served.ids(entity)) - before}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
