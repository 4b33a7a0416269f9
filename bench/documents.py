"""Part: invoices: pushed, imported, listed, and held against the company's own, to the cent.

`drafts` writes invoices of `lines` lines that nobody has sent; `push` finishes them all and sends until nothing waits;
`read` imports the kinds named, as a worker does; `prove` runs the product's own proof and compares every invoice with
the company's. The lists at their largest are measured by `documents_pages`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import requests
from sqlalchemy import select, update

from bench.child import answer, peak_mb
from bench.push import MOST_SECONDS, counted
from crm import clock, create_app
from crm.db import db, transaction
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import Connection, Customer, Item, Link, Product, Proof, SalesDocument, SyncRun
from crm.services import invoice_drafts, invoices, sync
from crm.services.audit import SYSTEM
from crm.services.sync.proof import proof

PRICES = ("19.99", "33.335", "120", "7.5")


def work(deed: str, connection_id: int, **given: Any) -> dict[str, Any]:
    with create_app().app_context():
        return DEEDS[deed](connection_id, **given)


def drafts(connection_id: int, number: int, lines: int) -> dict[str, Any]:
    """Invoices of customers and products that both sides know, and what the usual way needs to make the same."""
    read(connection_id, ["customer", "item"])
    with transaction() as session:
        session.get_one(Connection, connection_id).read_only = False
    sold, buyers = products(connection_id), customers(connection_id)
    made = []
    for at in range(number):
        contact_id, name = buyers[at % len(buyers)]
        chosen = [sold[(at * lines + line) % len(sold)] for line in range(lines)]
        content = Content(contact_id=contact_id, date=clock.now().date(), lines=tuple(
            Line(key=str(place), item=str(product_id), name=item, description=f"Work {at + 1}.{place}",
                 quantity=Decimal(place + 1), unit_price=Decimal(PRICES[place % len(PRICES)]), taxable=False)
            for place, (product_id, item) in enumerate(chosen)
        ))  # fmt: skip
        with transaction():
            invoice_drafts.create(content, actor=SYSTEM, now=clock.now())
        made.append({"customer": name, "lines": [
            [line.name, line.description, str(line.quantity), str(line.unit_price)] for line in content.lines
        ]})  # fmt: skip
    return {"invoices": made}


def products(connection_id: int) -> list[tuple[int, str]]:
    """(id, name) of a product for each service the company sells."""
    found = []
    with transaction() as session:
        mine = (Item.connection_id == connection_id, Item.type == "service", Item.active)
        for item in session.scalars(select(Item).where(*mine).order_by(Item.id)):
            if item.product_id is None:
                now = clock.now()
                product = Product(name=item.name, sort_name=item.name.lower(), created_at=now, updated_at=now)
                session.add(product)
                session.flush()
                item.product_id = product.id
                session.add(Link(connection_id=connection_id, kind="item", local_id=product.id,
                                 remote_id=item.remote_id, linked_at=now, synced_at=now))  # fmt: skip
            found.append((item.product_id, item.name))
    return found


def customers(connection_id: int) -> list[tuple[int, str]]:
    """(contact, name there) of all that are linked and active."""
    query = (
        select(Link.local_id, Customer.display_name)
        .join(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .where(Link.connection_id == connection_id, Link.kind == "customer", Link.state == "linked", Customer.active)
        .order_by(Link.id)
    )
    return [(row.local_id, row.display_name) for row in db.session.execute(query)]


def push(connection_id: int) -> dict[str, Any]:
    """All drafts are finished by one press each, then the outbox sends until nothing waits; both are timed."""
    ids = db.session.scalars(select(SalesDocument.id).where(SalesDocument.state == "draft",
                                                            SalesDocument.kind == "invoice")).all()  # fmt: skip
    db.session.rollback()
    at_rest, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    for id_ in ids:
        with transaction():
            invoices.finish(id_, lock=db.session.get_one(SalesDocument, id_).lock, actor=SYSTEM, now=clock.now())
    finished = time.monotonic() - began
    while (states := counted(connection_id)).keys() & {"pending", "frozen"}:
        if time.monotonic() - began > MOST_SECONDS:
            raise RuntimeError(f"the outbox does not become empty: {states}")
        if not sync.send(connection_id, clock=clock.now):
            time.sleep(0.2)  # what is left waits for a moment of its own
    return {
        "seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu, "at_rest_mb": round(at_rest, 1),
        "finish_seconds": finished, "states": states, "records": states.get("done", 0),
    }  # fmt: skip


def read(connection_id: int, kinds: list[str]) -> dict[str, Any]:
    at_rest = peak_mb()
    with transaction():
        run_id = sync.start_run(connection_id, resources=kinds, trigger="command", actor=SYSTEM, now=clock.now()).id
    began, cpu = time.monotonic(), time.process_time()
    while (run := db.session.get_one(SyncRun, run_id, populate_existing=True)).live and run.state != "waiting":
        sync.run(run_id, clock=clock.now)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    if run.state != "done":
        raise RuntimeError(f"the import ended as {run.state}: {run.error}")
    return {
        "seconds": seconds, "cpu_seconds": cpu, "at_rest_mb": round(at_rest, 1),
        "records": sum(step["done"] for kind, step in run.progress.items() if kind in kinds),
    }  # fmt: skip


def prove(connection_id: int, company_url: str, kinds: list[str]) -> dict[str, Any]:
    """The product's own proof, of every document, and beside it each invoice of the company against our row; `kinds`
    are read first."""
    read(connection_id, kinds)
    with transaction():
        proof_id = proof.start(connection_id, trigger="command", actor=SYSTEM, now=clock.now(), thorough=True).id
    began = time.monotonic()
    while db.session.get_one(Proof, proof_id, populate_existing=True).state in ("queued", "running"):
        if time.monotonic() - began > MOST_SECONDS:
            raise RuntimeError("the proof does not end")
        with transaction() as session:
            session.execute(update(Proof).where(Proof.id == proof_id).values(available_at=clock.now()))
        proof.run(proof_id, clock=clock.now)
    state = db.session.get_one(Proof, proof_id, populate_existing=True).state
    seconds, differing = time.monotonic() - began, different(connection_id, company_url)
    return {"state": state, "seconds": seconds, **differing}


def different(connection_id: int, company_url: str) -> dict[str, Any]:
    """How many invoices there are there, how many of them stand here otherwise (total, tax, balance), and their sum."""
    answered = requests.get(f"{company_url}/_sandbox/state", params={"entity": "Invoice"}, timeout=300)
    answered.raise_for_status()
    theirs = {
        one["Id"]: (Decimal(one["TotalAmt"]), Decimal(one.get("TxnTaxDetail", {}).get("TotalTax") or 0),
                    Decimal(one["Balance"]))
        for one in json.loads(answered.content, parse_float=Decimal)
    }  # fmt: skip
    mine = (Link.connection_id == connection_id, Link.kind == "invoice", SalesDocument.gone_at.is_(None))
    query = select(Link.remote_id, SalesDocument.total, SalesDocument.tax, SalesDocument.balance).join(
        SalesDocument, SalesDocument.id == Link.local_id
    )
    ours = {row.remote_id: (row.total, row.tax, row.balance) for row in db.session.execute(query.where(*mine))}
    wrong = [id_ for id_ in theirs.keys() | ours.keys() if theirs.get(id_) != ours.get(id_)]
    return {"invoices": len(theirs), "differing": len(wrong), "sum": str(sum(total for total, _, _ in ours.values()))}


DEEDS: dict[str, Callable[..., dict[str, Any]]] = {"drafts": drafts, "push": push, "read": read, "prove": prove}


if __name__ == "__main__":
    answer(work)
