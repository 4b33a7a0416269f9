"""The API's operations about proofs: the list, one with its figures and its differences, asking for one."""

from __future__ import annotations

from flask import g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import engine_proof_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.db import transaction
from crm.queries import api_engine as queries
from crm.queries import proofs
from crm.services.sync.proof import proof

OF_PROOF = ("id", "connection_id", "state", "trigger", "requested_by", "currency", "error", "created_at", "as_of",
            "finished_at")  # fmt: skip


@operation(
    blueprint, "GET", "/proofs", summary="Proofs, newest first", scope="read", answer=schemas.ProofPage,
    query=schemas.ProofQuery,
)  # fmt: skip
def list_proofs(query: schemas.ProofQuery) -> schemas.ProofPage:
    rows = proofs.newest(
        before=_read_cursor(query.cursor), limit=query.limit + 1, state=query.state, connection_id=query.connection_id
    )
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.ProofPage(
        data=[schemas.ProofRow.model_validate(_values(row)) for row in page],
        next_cursor=_cursor(page[-1].proof.id) if more else None,
    )


@operation(
    blueprint, "GET", "/proofs/<int:proof_id>", summary="One proof with its figures", scope="read",
    answer=schemas.ProofDetail, refusals=(404,),
)  # fmt: skip
def get_proof(proof_id: int) -> schemas.ProofDetail:
    return _detail(proof_id)


@operation(
    blueprint, "GET", "/proofs/<int:proof_id>/lines", summary="What differs, with its cause, line by line",
    scope="read", answer=schemas.ProofLinePage, query=schemas.ProofLineQuery, refusals=(404,),
)  # fmt: skip
def list_proof_lines(proof_id: int, query: schemas.ProofLineQuery) -> schemas.ProofLinePage:
    rows = queries.proof_lines(proof_id, after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, kind=query.kind)
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.ProofLinePage(
        data=[_line(proofs.LineView(row)) for row in page], next_cursor=_cursor(page[-1].id) if more else None
    )


@operation(
    blueprint, "POST", "/connections/<int:connection_id>/proofs",
    summary="Start a proof, or get the one under way", scope="write", answer=schemas.ProofDetail, status=202,
    body=schemas.ProofRequest, refusals=(400, 404),
)  # fmt: skip
def start_proof(connection_id: int, body: schemas.ProofRequest) -> schemas.ProofDetail:
    with transaction():
        started = proof.start(connection_id, trigger="api", actor=g.actor, now=clock.now(), thorough=body.thorough)
        proof_id = started.id
    return _detail(proof_id)


def _values(row: proofs.ProofRow) -> dict[str, object]:
    own = {name: getattr(row.proof, name) for name in OF_PROOF}
    return own | {"differences": row.differences, "paused_since": row.paused_since}


def _detail(proof_id: int) -> schemas.ProofDetail:
    row = proofs.one(proof_id)
    figures = [
        schemas.ProofFigure(
            name=one.name, title=one.title, unit="money" if one.currency else "count", currency=one.currency,
            ours=f"{one.ours:f}" if one.currency else str(one.ours),
            theirs=f"{one.theirs:f}" if one.currency else str(one.theirs),
            difference=f"{one.difference:f}" if one.currency else str(one.difference), equal=one.equal,
        )
        for one in row.figures
    ]  # fmt: skip
    return schemas.ProofDetail.model_validate(_values(row) | {"step": row.step if row.live else "", "figures": figures})


def _line(view: proofs.LineView) -> schemas.ProofLine:
    own = [name for name in schemas.ProofLine.model_fields if name != "difference"]
    values = {name: getattr(view.line, name) for name in own}
    return schemas.ProofLine.model_validate(values | {"difference": view.difference})
