"""What a proof comes to: its figures, whether all is equal, and whether admins must hear of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.directions import EVERYTHING
from crm.domain.proof import BUCKETS, MONEY_KINDS, ZERO, figure
from crm.domain.proof_shown import NO_DIFFERENCE
from crm.models import Proof, ProofLine
from crm.queries.sync_settings import current
from crm.services import notices

DIFFERENT, FAILED = "proof_different", "proof_failed"
"""Topics of notices to admins."""
PAUSED = "paused_since"
"""In `progress`: since when the sync was paused while the proof was made (ISO, UTC)."""


def conclude(proof: Proof, *, now: datetime) -> None:
    """In the transaction that holds the proof."""
    real = (ProofLine.proof_id == proof.id, ProofLine.remedy.not_in(NO_DIFFERENCE))
    lines = db.session.scalar(select(func.count()).where(*real)) or 0
    proof.figures = figures(proof.progress, proof.currency)
    differs = bool(lines or proof.progress.get("left_out")) or not all(line["equal"] for line in proof.figures)
    proof.state, proof.finished_at = ("different" if differs else "equal"), now
    note_pause(proof)
    notices.settle(proof.connection_id, FAILED, now=now)
    if differs and PAUSED in proof.progress:
        return  # it was to be expected; the night after the pause tells
    if differs:
        text = f"Proof {proof.id}: ours and QuickBooks' figures differ. Open it to see where, why, and what mends it."
        notices.post(DIFFERENT, proof.connection_id, level="warning", text=text, now=now)
    else:
        notices.settle(proof.connection_id, DIFFERENT, now=now)


def note_pause(proof: Proof) -> None:
    """Remember on a proof that everything of the company is paused: ours are then the figures of that moment."""
    whole = current(db.session(), proof.connection_id, EVERYTHING)
    if whole.paused and whole.changed_at is not None and PAUSED not in proof.progress:
        proof.progress = {**proof.progress, PAUSED: whole.changed_at.isoformat()}


def figures(progress: dict[str, Any], currency: str) -> list[dict[str, Any]]:
    """Counts, open balances by currency, aged receivables, the sums of documents where those were compared, and what
    stands here against what was read."""
    sums = {name: (Decimal(mine), Decimal(there)) for name, (mine, there) in progress.get("sums", {}).items()}
    found = [figure(f"count:{kind}", mine, there) for kind, (mine, there) in progress["counts"].items()]
    same = {name: Decimal(amount) for name, amount in progress["balance"].items()}
    told = {name.partition(":")[2] for name in sums if name.startswith("balance:")}
    for name in sorted({*same, *told}, key=lambda one: (one != currency, one)):
        mine, there = sums.get(f"balance:{name}", (ZERO, ZERO))
        agreed = same.get(name, ZERO)
        found.append(figure("balance", agreed + mine, agreed + there, currency=name))
    for place in BUCKETS:
        mine, there = progress["aging"][place]
        found.append(figure(f"aging:{place}", Decimal(mine), Decimal(there), currency=currency))
    for kind in MONEY_KINDS:
        if kind in progress["documents"] and not progress.get("left_out"):
            mine, there = sums.get(f"total:{kind}", (ZERO, ZERO))
            agreed = Decimal(progress["documents"][kind]["same"])
            found.append(figure(f"total:{kind}", agreed + mine, agreed + there, currency=currency))
    for kind, (mine, read) in progress.get("own", {}).items():
        if Decimal(mine) or Decimal(read):
            found.append(figure(f"own:{kind}", Decimal(mine), Decimal(read), currency=currency))
    return found
