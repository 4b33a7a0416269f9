"""What the API reads of plans, conflicts and proofs, a page at a time by id, the newest first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from crm.db import db
from crm.domain.errors import NotFound
from crm.models import Conflict, Plan, PlanLine, Proof, ProofLine


def plans(*, before: int | None, limit: int, state: str = "") -> Sequence[Plan]:
    query = select(Plan)
    if before is not None:
        query = query.where(Plan.id < before)
    if state:
        query = query.where(Plan.state == state)
    return db.session.scalars(query.order_by(Plan.id.desc()).limit(limit)).all()


def plan_lines(plan_id: int, *, after: int, limit: int, action: str = "", outcome: str = "") -> Sequence[PlanLine]:
    """Lines in the order they were made. Raises NotFound without such a plan."""
    if db.session.get(Plan, plan_id) is None:
        raise NotFound(f"There is no plan {plan_id}.")
    query = select(PlanLine).where(PlanLine.plan_id == plan_id, PlanLine.id > after)
    if action:
        query = query.where(PlanLine.action == action)
    if outcome:
        query = query.where(PlanLine.outcome == outcome)
    return db.session.scalars(query.order_by(PlanLine.id).limit(limit)).all()


def conflicts(*, before: int | None, limit: int, state: str = "", contact_id: int | None = None) -> Sequence[Conflict]:
    query = select(Conflict)
    if before is not None:
        query = query.where(Conflict.id < before)
    if state:
        query = query.where(Conflict.state == state)
    if contact_id is not None:
        query = query.where(Conflict.kind == "customer", Conflict.local_id == contact_id)
    return db.session.scalars(query.order_by(Conflict.id.desc()).limit(limit)).all()


def proof_lines(proof_id: int, *, after: int, limit: int, kind: str = "") -> Sequence[ProofLine]:
    """Differences in the order they were kept. Raises NotFound without such a proof."""
    if db.session.get(Proof, proof_id) is None:
        raise NotFound(f"There is no proof {proof_id}.")
    query = select(ProofLine).where(ProofLine.proof_id == proof_id, ProofLine.id > after)
    if kind:
        query = query.where(ProofLine.kind == kind)
    return db.session.scalars(query.order_by(ProofLine.id).limit(limit)).all()
