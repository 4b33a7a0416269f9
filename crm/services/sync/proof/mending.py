"""The buttons of a proof that mend: what differs is read again from the books, or set right from what was read.

The next proof says what it helped. Nothing is written to the books.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.domain.errors import NotFound, Refused
from crm.domain.proof import LIVE, MONEY_KINDS
from crm.domain.proof_shown import SET_RIGHT, base_kind
from crm.models import Document, Payment, Proof, ProofLine
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync.inbox.reading_again import read_again
from crm.services.sync.proof.setting_right import set_right as apply_again

MOST_AT_ONCE = 500
"""Objects set right by one press: a page answers within seconds."""


def mend(proof_id: int, *, line_id: int | None = None, actor: Actor, now: datetime) -> int:
    """Read again what one line is about, or every line that reading mends; answers how many objects that are.

    A customer is read with those of its documents that are listed. Raises NotFound, Refused where there is nothing.
    """
    proof = _through(proof_id)
    listed = _lines(proof_id, "read_again")
    chosen = [line for line in listed if line_id in (None, line.id)]
    if not chosen:
        raise Refused("There is nothing in this proof that reading again would mend.")
    objects = _objects(proof, chosen, listed)
    for line in listed:
        if line in chosen or (line.kind, line.remote_id) in objects:
            line.mended_at = now
    number = read_again(proof.connection_id, objects, asked_by=actor.label, now=now)
    audit.record(
        "proof_mended", actor=actor, now=now, subject=f"connection:{proof.connection_id}",
        summary=f"Asked for {number} objects to be read again from QuickBooks, after proof {proof_id}.",
    )  # fmt: skip
    return number


def set_right(proof_id: int, *, line_id: int | None = None, actor: Actor, now: datetime) -> int:
    """Apply again what was read, to what one line is about or to everything shown here that differs, at most
    `MOST_AT_ONCE` objects; answers how many that were. What was changed here meanwhile stays.

    Raises NotFound, Refused.
    """
    proof = _through(proof_id)
    listed = [line for line in _lines(proof_id, SET_RIGHT) if line.mended_at is None]
    chosen = [line for line in listed if line_id in (None, line.id)]
    if not chosen:
        raise Refused("There is nothing in this proof that can be set right here, or it was done already.")
    keys = sorted({(line.kind, line.remote_id) for line in chosen})[:MOST_AT_ONCE]
    objects: dict[str, set[str]] = {}
    for kind, remote_id in keys:
        objects.setdefault(base_kind(kind), set()).add(remote_id)
    apply_again(proof.connection_id, objects, now=now)
    done = set(keys)
    for line in listed:
        if (line.kind, line.remote_id) in done:
            line.mended_at = now
    audit.record(
        "proof_set_right", actor=actor, now=now, subject=f"connection:{proof.connection_id}",
        summary=f"Set {len(keys)} objects back to what was read of QuickBooks, after proof {proof_id}.",
    )  # fmt: skip
    return len(keys)


def _through(proof_id: int) -> Proof:
    proof = db.session.get(Proof, proof_id, populate_existing=True)
    if proof is None:
        raise NotFound("There is no such proof.")
    if proof.state in LIVE:
        raise Refused("This proof is still under way. What it finds can be mended when it is through.")
    return proof


def _lines(proof_id: int, remedy: str) -> list[ProofLine]:
    query = select(ProofLine).where(ProofLine.proof_id == proof_id, ProofLine.remedy == remedy)
    return list(db.session.scalars(query.order_by(ProofLine.id)))


def _objects(proof: Proof, chosen: Sequence[ProofLine], listed: Sequence[ProofLine]) -> set[tuple[str, str]]:
    """(kind, id): the lines' own, their customers, and of a customer its documents that are listed."""
    found = {("customer" if line.kind == "aging" else line.kind, line.remote_id) for line in chosen}
    documents = {(line.kind, line.remote_id) for line in listed if line.kind in MONEY_KINDS}
    owners = _owners(proof.connection_id, documents)
    customers = {remote_id for kind, remote_id in found if kind == "customer"}
    found |= {document for document, owner in owners.items() if owner in customers}
    return found | {("customer", owner) for document, owner in owners.items() if document in found}


def _owners(connection_id: int, documents: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Customer of each document we hold."""
    owners: dict[tuple[str, str], str] = {}
    for kind in MONEY_KINDS:
        ids = sorted(remote_id for one, remote_id in documents if one == kind)
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            if kind == "payment":
                query = select(Payment.remote_id, Payment.customer_remote_id).where(
                    Payment.connection_id == connection_id, Payment.remote_id.in_(some)
                )
            else:
                query = select(Document.remote_id, Document.customer_remote_id).where(
                    Document.connection_id == connection_id, Document.kind == kind, Document.remote_id.in_(some)
                )
            owners |= {(kind, row[0]): row[1] for row in db.session.execute(query)}
    return owners
