"""Invoices measured: pushed, imported and proved, each beside the usual way, and the lists of both databases."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from bench import child, stage
from bench.ways import Found, begun, company, counted, generated, installed, say

LINES = 4
PER_CUSTOMER = 8.0
"""Documents the company is generated with; about every third is an invoice."""
INVOICES_PER_CUSTOMER = 2.6
REST = ["estimate", "payment", "credit_memo"]
"""What a proof compares besides customers and invoices."""


def documents(place: Path, given: Namespace, found: Found) -> None:
    measured = found["documents"] = begun(given, push=[], imports=[], pages=[], lines=LINES)
    push(place / "push", given, measured)
    imports(place / "imports", given, measured)
    for server in ("", given.database_url) if given.database_url else ("",):
        measured["pages"].append(pages(place / "pages", given, server))


def push(place: Path, given: Namespace, measured: Found) -> None:
    size = max(stage.LEAST, given.invoices_pushed)
    say(f"documents: generating a company of {size:,} customers")
    child.run("company", directory=str(generated(place)), size=size)
    wanted = place / "invoices.json"
    for server in ("", given.database_url) if given.database_url else ("",):
        with company(place, f"ours{len(measured['push'])}", size) as served, stage.database(server) as url:
            measured["push"].append(push_ours(served, url, given.invoices_pushed, wanted))
    with company(place, "usual", size) as served:
        say("documents: push, the usual way")
        measured["push"].append(usual(served, "push", invoices=str(wanted)))


def push_ours(served: stage.Company, database_url: str, number: int, wanted: Path) -> Found:
    """`wanted`: where to say which invoices they are, for the usual way."""
    name = "postgresql" if database_url else "sqlite"
    environment, connection = listed(served, database_url)
    drafted = child.run("documents", environment, deed="drafts", connection_id=connection, number=number, lines=LINES)
    wanted.write_text(json.dumps(drafted["invoices"]))
    say(f"documents: push of {number:,} invoices, Tradebook ({name})")
    told = counted(served, lambda: child.run(
        "documents", environment, deed="push", connection_id=connection
    ), entity="Invoice", way="ours", database=name)  # fmt: skip
    return {**told, "proof": proved(served, environment, connection)}


def imports(place: Path, given: Namespace, measured: Found) -> None:
    size = max(stage.LEAST, round(given.invoices / INVOICES_PER_CUSTOMER))
    say(f"documents: generating a company of {size:,} customers with about {given.invoices:,} invoices")
    child.run("company", directory=str(generated(place)), size=size, documents=PER_CUSTOMER)
    with company(place, "served", size) as served:
        for server in ("", given.database_url) if given.database_url else ("",):
            with stage.database(server) as url:
                measured["imports"].append(import_ours(served, url))
        say("documents: import, the usual way")
        measured["imports"].append(usual(served, "pages"))


def import_ours(served: stage.Company, database_url: str) -> Found:
    name = "postgresql" if database_url else "sqlite"
    environment, connection = installed(served, database_url)
    child.run("documents", environment, deed="read", connection_id=connection, kinds=["customer", "item"])
    say(f"documents: import of invoices, Tradebook ({name})")
    told = counted(served, lambda: child.run(
        "documents", environment, deed="read", connection_id=connection, kinds=["invoice"]
    ), entity="Invoice", way="ours", database=name)  # fmt: skip
    return {**told, "proof": proved(served, environment, connection, read=("invoice",))}


def pages(place: Path, given: Namespace, server: str) -> Found:
    name = "postgresql" if server else "sqlite"
    say(f"documents: lists of {given.listed:,} invoices and quotes ({name})")
    (place / name).mkdir(parents=True)
    size = min(1000, max(stage.LEAST, given.listed))
    child.run("company", directory=str(place / name), size=size)
    with stage.served(place / name, size) as served, stage.database(server) as url:
        environment, connection = listed(served, url)
        return child.run("documents_pages", environment, connection_id=connection, number=given.listed,
                         repeats=given.repeats)  # fmt: skip


# --- parts ----------------------------------------------------------------------------------------------------


def listed(served: stage.Company, database_url: str) -> tuple[dict[str, str], int]:
    """As `installed`, with the firm's own contact list."""
    instance = served.contacts.with_name("postgresql" if database_url else "sqlite")
    environment = stage.environment(instance, company_url=served.url, database_url=database_url)
    filled = child.run("filling", environment, contacts=str(served.contacts), tokens=served.tokens())
    return environment, filled["connection_id"]


def proved(
    served: stage.Company, environment: dict[str, str], connection_id: int, *, read: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What is missing is read first, payments and credits included; nothing of it is part of the measurement."""
    kinds = [kind for kind in ("customer", "item", "invoice", *REST) if kind not in read]
    say("documents: proof")
    return child.run("documents", environment, deed="prove", connection_id=connection_id, company_url=served.url,
                     kinds=kinds)  # fmt: skip


def usual(served: stage.Company, deed: str, **more: Any) -> Found:
    url, tokens = f"sqlite:///{served.contacts.with_name('usual.db')}", served.tokens()
    return counted(served, lambda: child.run(
        "usual_documents", deed=deed, url=url, company_url=served.url, tokens=tokens, **more
    ), entity="Invoice", way=deed, database="sqlite")  # fmt: skip
