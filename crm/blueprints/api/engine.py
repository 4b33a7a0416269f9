"""The API's operations about the engine: is it in step, what happened, plans and conflicts, read and act."""

from __future__ import annotations

from typing import Any

from flask import current_app, g

from crm import clock
from crm.blueprints.api import _cursor, _fields, _read_cursor, blueprint
from crm.blueprints.api import engine_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.api.schemas import PageQuery
from crm.db import transaction
from crm.domain.conflicts import mark_of
from crm.domain.log_filters import LogFilters
from crm.queries import api_engine as queries
from crm.queries import engine as standings
from crm.queries import plans as plan_queries
from crm.queries import sync_log
from crm.services import conflicts
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice


@operation(
    blueprint, "GET", "/sync-status", summary="Is each company in step, and if not, why", scope="read",
    answer=schemas.Standings,
)  # fmt: skip
def sync_standing() -> schemas.Standings:
    budget = current_app.extensions["settings"].quickbooks_monthly_calls
    return schemas.Standings(data=[_company(one) for one in standings.standings(now=clock.now(), budget=budget)])


@operation(
    blueprint, "GET", "/logs", summary="The sync log over everything, newest first", scope="read",
    answer=schemas.EngineLogPage, query=schemas.EngineLogQuery,
)  # fmt: skip
def logs(query: schemas.EngineLogQuery) -> schemas.EngineLogPage:
    days = {name: day.isoformat() if day else "" for name, day in (("since", query.since), ("until", query.until))}
    filters = LogFilters(**query.model_dump(exclude={"cursor", "limit"}) | days)
    found = sync_log.page(filters, before=_read_cursor(query.cursor), size=query.limit)
    lines = [schemas.EngineLogEntry.model_validate(_fields(row.entry, schemas.EngineLogEntry)) for row in found.rows]
    return schemas.EngineLogPage(data=lines, next_cursor=_cursor(found.older) if found.older else None)


@operation(
    blueprint, "GET", "/plans", summary="Plans, newest first", scope="read", answer=schemas.PlanPage,
    query=schemas.PlanQuery,
)  # fmt: skip
def list_plans(query: schemas.PlanQuery) -> schemas.PlanPage:
    rows = queries.plans(before=_read_cursor(query.cursor), limit=query.limit + 1, state=query.state)
    page, cursor = _paged(rows, query)
    return schemas.PlanPage(data=[_plan(row) for row in page], next_cursor=cursor)


@operation(
    blueprint, "GET", "/plans/<int:plan_id>", summary="One plan with its totals", scope="read",
    answer=schemas.PlanDetail, refusals=(404,),
)  # fmt: skip
def get_plan(plan_id: int) -> schemas.PlanDetail:
    return _detail(plan_id)


@operation(
    blueprint, "GET", "/plans/<int:plan_id>/lines", summary="What a plan would do, line by line", scope="read",
    answer=schemas.PlanLinePage, query=schemas.PlanLineQuery, refusals=(404,),
)  # fmt: skip
def list_plan_lines(plan_id: int, query: schemas.PlanLineQuery) -> schemas.PlanLinePage:
    rows = queries.plan_lines(
        plan_id, after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, action=query.action,
        outcome=query.outcome,
    )  # fmt: skip
    page, cursor = _paged(rows, query)
    lines = [schemas.PlanLine.model_validate(_fields(row, schemas.PlanLine)) for row in page]
    return schemas.PlanLinePage(data=lines, next_cursor=cursor)


@operation(
    blueprint, "POST", "/plans/<int:plan_id>/approve", summary="Carry out a plan, or some of it", scope="write",
    answer=schemas.PlanDetail, status=202, body=schemas.Approval, refusals=(400, 404, 409),
)  # fmt: skip
def approve_plan(plan_id: int, body: schemas.Approval) -> schemas.PlanDetail:
    choice = Choice(body.what, tuple(body.ids), fields=tuple(body.fields), seen=body.seen)
    with transaction():
        plans.approve(plan_id, choice, actor=g.actor, now=clock.now())
    return _detail(plan_id)


@operation(
    blueprint, "POST", "/plans/<int:plan_id>/discard", summary="Give up a plan; nothing is written", scope="write",
    answer=schemas.PlanDetail, body=schemas.Nothing, refusals=(404, 409),
)  # fmt: skip
def discard_plan(plan_id: int, body: schemas.Nothing) -> schemas.PlanDetail:
    with transaction():
        plans.discard(plan_id, actor=g.actor, now=clock.now())
    return _detail(plan_id)


@operation(
    blueprint, "GET", "/conflicts", summary="Conflicts, newest first; the open ones unless asked otherwise",
    scope="read", answer=schemas.ConflictPage, query=schemas.ConflictQuery,
)  # fmt: skip
def list_conflicts(query: schemas.ConflictQuery) -> schemas.ConflictPage:
    rows = queries.conflicts(
        before=_read_cursor(query.cursor), limit=query.limit + 1, state=query.state, contact_id=query.contact_id
    )
    page, cursor = _paged(rows, query)
    return schemas.ConflictPage(data=[_conflict(row) for row in page], next_cursor=cursor)


@operation(
    blueprint, "POST", "/conflicts/<int:conflict_id>/resolve", summary="Decide a conflict", scope="write",
    answer=schemas.Decided, body=schemas.Decision, refusals=(400, 404, 409),
)  # fmt: skip
def resolve_conflict(conflict_id: int, body: schemas.Decision) -> schemas.Decided:
    side = body.choice.removeprefix("always_")
    with transaction():
        if side != body.choice:
            done = conflicts.always(conflict_id, side, seen=body.seen, actor=g.actor, now=clock.now())
        else:
            done = conflicts.resolve(
                conflict_id, side, value=body.value, seen=body.seen, actor=g.actor, now=clock.now()
            )
    return schemas.Decided(contact_id=done.contact_id, text=done.text)


def _paged(rows: Any, query: PageQuery) -> tuple[Any, str | None]:
    """The rows of the page and the cursor of the next one; `rows` are one more than a page holds if there is a next."""
    page = rows[: query.limit]
    return page, _cursor(page[-1].id) if len(rows) > query.limit else None


def _plan(row: Any) -> schemas.PlanRow:
    return schemas.PlanRow.model_validate(_fields(row, schemas.PlanRow))


def _detail(plan_id: int) -> schemas.PlanDetail:
    view = plan_queries.show(plan_id)
    totals = [
        schemas.PlanTotal(action=total.action, meaning=total.meaning, lines=total.lines, amount=total.money)
        for total in view.totals
    ]
    return schemas.PlanDetail(
        **_fields(view.plan, schemas.PlanRow), currency=view.connection.currency or "USD", totals=totals,
        writes=view.writes,
    )  # fmt: skip


def _conflict(row: Any) -> schemas.Conflict:
    own = ("contact_id", "mark")
    values = {name: getattr(row, name) for name in schemas.Conflict.model_fields if name not in own}
    return schemas.Conflict(**values, contact_id=row.local_id, mark=mark_of(row.ours, row.theirs))


def _company(one: standings.Standing) -> schemas.CompanyStanding:
    sweep, proof, light = one.sweep, one.proof, one.light
    reasons = [schemas.Reason(light=why.light, words=why.words, sentence=why.sentence) for why in light.reasons]
    return schemas.CompanyStanding(
        connection_id=one.id, company_name=one.name, state=one.state, light=light.light, words=light.words,
        sentence=light.sentence, reasons=reasons, read_only=one.read_only, paused=one.paused,
        kinds=[_kind(row) for row in standings.kinds(one)], conflicts=one.conflicts, plans_ready=one.plans,
        last_proof=schemas.ProofStanding.model_validate(proof) if proof else None,
        swept_at=sweep.swept_at if sweep else None, next_sweep_at=sweep.available_at if sweep else None,
        webhook_at=sweep.webhook_at if sweep else None, webhooks_silent_since=sweep.silent_since if sweep else None,
        current_run_id=one.run_id, calls_today=one.calls_today, calls_this_month=one.calls, calls_left=one.calls_left,
    )  # fmt: skip


def _kind(row: standings.KindRow) -> schemas.KindStanding:
    return schemas.KindStanding(
        kind=row.kind, direction=row.setting.direction, paused=row.setting.stopped, last_in=row.last_in,
        last_out=row.last_out, incoming=row.incoming.number, waiting=row.waiting.number, parked=row.parked.number,
        skipped=row.skipped, oldest=row.oldest,
    )  # fmt: skip
