"""The API's operations about products: read, made, changed, taken out of use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import product_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.db import transaction
from crm.domain import product_values
from crm.domain.errors import Invalid, NotFound
from crm.domain.product_filters import search_terms
from crm.domain.product_values import Values
from crm.domain.products import margin
from crm.queries import api_products as queries
from crm.services import products as service
from crm.web import problem


@operation(
    blueprint, "GET", "/products", summary="Products, a page at a time", scope="read",
    answer=schemas.ProductPage, query=schemas.ProductQuery,
)  # fmt: skip
def list_products(query: schemas.ProductQuery) -> schemas.ProductPage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    rows = queries.products(
        after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, terms=search_terms(query.q), type=query.type,
        updated_since=query.updated_since, inactive=query.inactive,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    cursor = _cursor(page[-1].product.id) if more else None
    return schemas.ProductPage(data=[_product(row) for row in page], next_cursor=cursor)


@operation(
    blueprint, "GET", "/products/<int:product_id>", summary="One product", scope="read",
    answer=schemas.Product, refusals=(404,),
)  # fmt: skip
def get_product(product_id: int) -> schemas.Product:
    return _product(_found(product_id))


@operation(
    blueprint, "POST", "/products", summary="A new product", scope="write",
    answer=schemas.Product, status=201, body=schemas.NewProduct, refusals=(409,),
)  # fmt: skip
def create_product(body: schemas.NewProduct) -> schemas.Product | Response:
    given = body.model_dump(exclude={"send"}, exclude_none=True)
    try:
        with transaction() as session:
            values = _values(service.beginning(session, body.type), given)
            made = service.create(session, values, send=body.send, actor=g.actor, now=clock.now())
    except Invalid as wrong:
        return _unfit(wrong)
    return _product(_found(made.id))


@operation(
    blueprint, "PATCH", "/products/<int:product_id>", summary="Change what is named of a product", scope="write",
    answer=schemas.Product, body=schemas.ProductChange, refusals=(400, 404, 409),
)  # fmt: skip
def change_product(product_id: int, body: schemas.ProductChange) -> schemas.Product | Response:
    given = body.model_dump(exclude={"lock", "active"}, exclude_unset=True)
    now, lock = clock.now(), body.lock
    try:
        with transaction() as session:
            if given:
                values = _values(product_values.of(_found(product_id).product), given)
                lock = service.change(session, product_id, values, lock=lock, actor=g.actor, now=now).lock
            if body.active is not None:
                turn = service.reactivate if body.active else service.deactivate
                turn(session, product_id, lock=lock, actor=g.actor, now=now)
    except Invalid as wrong:
        return _unfit(wrong)
    return _product(_found(product_id))


def _unfit(wrong: Invalid) -> Response:
    """The request is one we understand, and what is there already stands against it: a name taken, no such category."""
    return problem(409, "Not possible as things stand", str(wrong), errors=wrong.fields)


def _found(product_id: int) -> queries.ProductRow:
    row = queries.product(product_id)
    if row is None:
        raise NotFound(f"There is no product {product_id}.")
    return row


def _values(before: Values, given: dict[str, Any]) -> Values:
    """The texts are cleaned as those of a form are; null empties."""
    texts = {name: "" if value is None else str(value) for name, value in given.items() if name != "taxable"}
    read, _ = product_values.read(texts)
    named = {name: getattr(read, name) for name in texts}
    if given.get("taxable") is not None:
        named["taxable"] = given["taxable"]
    return replace(before, **named)


def _product(row: queries.ProductRow) -> schemas.Product:
    product, link, item = row.product, row.link, row.item
    plain = [name for name in schemas.Product.model_fields if name not in ("margin", "quickbooks")]
    earned = margin(product.price, product.cost, type_=product.type)
    there = None if link is None else schemas.ItemLink(
        connection_id=link.connection_id, item_id=link.remote_id, sync_version=link.version,
        name=item.name if item else "", state=link.state, as_of=item.seen_at if item else None,
    )  # fmt: skip
    values = {name: getattr(product, name) for name in plain}
    return schemas.Product(**values, margin=earned.amount if earned else None, quickbooks=there)
