"""The API, version 1: contacts with their money, connections, sync state and log, and starting a sync.

What it says and does about the engine is `engine` (standing, log over everything, plans, conflicts), `engine_outbox`
and `engine_proofs`.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, jsonify
from flask.typing import ResponseReturnValue

from crm import clock
from crm.blueprints.api import schemas
from crm.blueprints.api.contract import LARGEST_ID, PREFIX, document, operation
from crm.db import transaction
from crm.domain.contacts import search_terms
from crm.domain.errors import Invalid, NotFound
from crm.extensions import csrf
from crm.queries import api as queries
from crm.security import public
from crm.services import sync
from crm.services.contact_merge_checks import refuse_merged

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
csrf.exempt(blueprint)  # a key in a header cannot be sent by a foreign page


@blueprint.get("/openapi.json")
@public
def openapi() -> ResponseReturnValue:
    return jsonify(document())


@operation(
    blueprint, "GET", "/contacts", summary="Contacts, a page at a time", scope="read",
    answer=schemas.ContactPage, query=schemas.ContactQuery,
)  # fmt: skip
def list_contacts(query: schemas.ContactQuery) -> schemas.ContactPage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    rows = queries.contacts(
        after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, terms=search_terms(query.q),
        updated_since=query.updated_since, archived=query.archived,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    cursor = _cursor(page[-1].contact.id) if more else None
    return schemas.ContactPage(data=[_contact(row) for row in page], next_cursor=cursor)


@operation(
    blueprint, "GET", "/contacts/<int:contact_id>", summary="One contact", scope="read",
    answer=schemas.Contact, refusals=(404, 410),
)  # fmt: skip
def get_contact(contact_id: int) -> schemas.Contact:
    row = queries.contact(contact_id)
    if row is None:
        raise NotFound(f"There is no contact {contact_id}.")
    refuse_merged(row.contact)
    return _contact(row)


@operation(
    blueprint, "GET", "/connections", summary="Connected companies", scope="read",
    answer=schemas.ConnectionPage, query=schemas.PageQuery,
)  # fmt: skip
def list_connections(query: schemas.PageQuery) -> schemas.ConnectionPage:
    rows = list(queries.connections(after=_read_cursor(query.cursor) or 0, limit=query.limit + 1))
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.ConnectionPage(
        data=[_connection(row) for row in page], next_cursor=_cursor(page[-1].id) if more else None
    )


@operation(
    blueprint, "GET", "/connections/<int:connection_id>/sync-status", summary="How far a company is in step",
    scope="read", answer=schemas.SyncStatus, refusals=(404,),
)  # fmt: skip
def sync_status(connection_id: int) -> schemas.SyncStatus:
    connection = _found(connection_id)
    current, last = queries.runs(connection_id)
    return schemas.SyncStatus(
        connection_id=connection.id, state=connection.state, read_only=connection.read_only,
        last_contact_at=connection.last_contact_at, current_run=_run(current) if current else None,
        last_run=_run(last) if last else None,
        resources=[schemas.Mirrored.model_validate(row) for row in queries.mirrored(connection_id)],
    )  # fmt: skip


@operation(
    blueprint, "GET", "/connections/<int:connection_id>/logs", summary="The sync log, newest first", scope="read",
    answer=schemas.LogPage, query=schemas.LogQuery, refusals=(404,),
)  # fmt: skip
def list_logs(connection_id: int, query: schemas.LogQuery) -> schemas.LogPage:
    _found(connection_id)
    rows = list(queries.log(connection_id, before=_read_cursor(query.cursor), limit=query.limit + 1, level=query.level))
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.LogPage(
        data=[schemas.LogEntry.model_validate(_fields(row, schemas.LogEntry)) for row in page],
        next_cursor=_cursor(page[-1].id) if more else None,
    )


@operation(
    blueprint, "POST", "/connections/<int:connection_id>/sync", summary="Start a sync, or get the one under way",
    scope="write", answer=schemas.Run, status=202, body=schemas.SyncRequest, refusals=(400, 404),
)  # fmt: skip
def start_sync(connection_id: int, body: schemas.SyncRequest) -> schemas.Run:
    _found(connection_id)
    with transaction():
        run = sync.start_run(
            connection_id, resources=body.resources, trigger="api", actor=g.actor,
            now=clock.now(), plan_first=body.plan_first,
        )  # fmt: skip
    return _run(run)


def _cursor(number: int) -> str:
    return f"c{number}"


def _read_cursor(text: str | None) -> int | None:
    return min(int(text.removeprefix("c")), LARGEST_ID) if text else None


def _found(connection_id: int) -> Any:
    connection = queries.connection(connection_id)
    if connection is None:
        raise NotFound(f"There is no connection {connection_id}.")
    return connection


def _fields(row: Any, shape: type[schemas.Shape]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in shape.model_fields}


def _run(run: Any) -> schemas.Run:
    return schemas.Run.model_validate(_fields(run, schemas.Run))


def _connection(row: Any) -> schemas.Connection:
    ends = [moment for moment in (row.refresh_expires_at, row.hard_expires_at) if moment]
    values = {name: getattr(row, name) for name in schemas.Connection.model_fields if name != "grant_ends_at"}
    return schemas.Connection(**values, grant_ends_at=min(ends, default=None))


def _contact(row: queries.ContactRow) -> schemas.Contact:
    contact = row.contact
    plain = (
        "id", "display_name", "given_name", "family_name", "company_name", "type", "website", "source", "link_state",
        "created_at", "updated_at", "version",
    )  # fmt: skip
    phones = [
        schemas.Phone(label=p.label, value=p.value, e164=p.normal or None, extension=p.extension or None)
        for p in contact.points
        if p.kind == "phone"
    ]
    return schemas.Contact(
        **{name: getattr(contact, name) for name in plain},
        phones=phones,
        emails=[schemas.Email(label=p.label, value=p.value) for p in contact.points if p.kind == "email"],
        address=schemas.Address.model_validate(_fields(contact, schemas.Address)),
        owner=row.owner_email,
        tags=[tag.name for tag in contact.tags],
        archived=contact.archived_at is not None,
        quickbooks=_quickbooks(row),
        money=_money(row.money),
    )


def _quickbooks(row: queries.ContactRow) -> schemas.QuickBooks | None:
    link, customer = row.link, row.customer
    if link is None or customer is None:
        return None
    return schemas.QuickBooks(
        connection_id=link.connection_id, customer_id=link.remote_id, sync_version=link.version,
        name=customer.display_name, active=customer.active, customer_type=customer.customer_type, terms=customer.terms,
        tax_status=customer.tax_status, linked_at=link.linked_at, linked_by=link.linked_by, as_of=customer.seen_at,
    )  # fmt: skip


def _money(facts: Any) -> schemas.Money | None:
    if facts is None:
        return None
    aging = schemas.Aging(
        current=facts.aging_current, days_1_30=facts.aging_1_30, days_31_60=facts.aging_31_60,
        days_61_90=facts.aging_61_90, over_90=facts.aging_over_90,
    )  # fmt: skip
    plain = [name for name in schemas.Money.model_fields if name not in ("aging", "days_to_pay")]
    days = None if facts.days_to_pay is None else f"{facts.days_to_pay:.1f}"
    return schemas.Money(**{name: getattr(facts, name) for name in plain}, aging=aging, days_to_pay=days)


from crm.blueprints.api import (  # noqa: E402 - they add operations
    bills,  # noqa: F401
    engine,  # noqa: F401
    engine_outbox,  # noqa: F401
    engine_proofs,  # noqa: F401
    invoices,  # noqa: F401
    jobs,  # noqa: F401
    payments,  # noqa: F401
    products,  # noqa: F401
    quotes,  # noqa: F401
    segments,  # noqa: F401
    vendors,  # noqa: F401
)
