"""How an operation of the API is declared, guarded and described: one table, so the OpenAPI document cannot lie.

`operation()` registers the route, checks the key and its scope, reads query and body through pydantic,
and sends the answer through the declared model. `document()` describes exactly what was registered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from crm import clock
from crm.blueprints.api import schemas
from crm.db import transaction
from crm.services import api_keys
from crm.services.audit import Actor
from crm.web import problem

SCOPES = {"read": ("read", "write"), "write": ("write",)}
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    name: str
    summary: str
    scope: str
    answer: type[BaseModel]
    status: int
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    refusals: tuple[int, ...]


OPERATIONS: list[Operation] = []
LARGEST_ID = 2**31 - 1
NO_NUL = r"^[^\x00]*$"
"""What `crm.web` asks of every text in an address."""
ID = {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    summary: str,
    scope: str,
    answer: type[BaseModel],
    status: int = 200,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    refusals: tuple[int, ...] = (),
) -> Callable[[Callable[..., BaseModel | Response]], Callable[..., Any]]:
    """Declare a view: it gets `query` and `body` as models and returns the answer's model."""

    def declare(view: Callable[..., BaseModel | Response]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(**values: Any) -> Any:
            refusal = _refuse(scope)
            if refusal is not None:
                return refusal
            if any(isinstance(value, int) and value > LARGEST_ID for value in values.values()):
                return problem(404, "Not found", "There is nothing with that id.")
            try:
                if query is not None:
                    values["query"] = query.model_validate(request.args.to_dict())
                if body is not None:
                    values["body"] = body.model_validate(_json())
            except ValidationError as wrong:
                return _invalid(wrong)
            result = view(**values)
            if isinstance(result, Response):
                return result
            return Response(result.model_dump_json(), status=status, mimetype="application/json")

        guarded.access = f"api:{scope}"  # type: ignore[attr-defined]
        OPERATIONS.append(Operation(method, path, view.__name__, summary, scope, answer, status, query, body, refusals))
        blueprint.add_url_rule(path, view.__name__, guarded, methods=[method])
        return guarded

    return declare


def _refuse(scope: str) -> Response | None:
    """The answer to a missing, wrong or too weak key; None when the caller may go on. Sets `g.actor`."""
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    row = api_keys.find(key.strip()) if kind.lower() == "bearer" and key.strip() else None
    if row is None:
        answer = problem(401, "Key needed", "Send a valid API key as: Authorization: Bearer <key>.")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Tradebook"'
        return answer
    if row.scope not in SCOPES[scope]:
        return problem(
            403, "Key too weak", f"This needs a key with the scope “{scope}”; “{row.name}” has “{row.scope}”."
        )
    g.actor = Actor(name=f"API key {row.name}", user_id=row.created_by_id, source="api", ip=request.remote_addr or "")
    now = clock.now()
    if api_keys.is_stale(row, now=now):
        with transaction():
            api_keys.note_use(row.id, now=now)
    return None


def _json() -> Any:
    """The body as JSON; an empty body counts as an empty object."""
    return request.get_json(silent=True) if request.get_data() else {}


def _invalid(wrong: ValidationError) -> Response:
    errors = {".".join(str(part) for part in error["loc"]) or "body": error["msg"] for error in wrong.errors()}
    detail = "; ".join(f"{name}: {text}" for name, text in errors.items())
    return problem(422, "Please check the request", detail, errors=errors)


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every declared operation."""
    bodies = {op.body for op in OPERATIONS if op.body}
    models: set[type[BaseModel]] = {schemas.Problem, *(op.answer for op in OPERATIONS), *bodies}
    found, shared = models_json_schema(
        [(model, "validation" if model in bodies else "serialization") for model in sorted(models, key=str)],
        ref_template="#/components/schemas/{model}",
    )
    refs = {model: ref for (model, _mode), ref in found.items()}
    paths: dict[str, Any] = {}
    for op in OPERATIONS:
        path = PREFIX + op.path.replace("<int:", "{").replace(">", "}")
        paths.setdefault(path, {})[op.method.lower()] = _describe(op, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tradebook API",
            "version": "1",
            "description": "Money is text in the currency beside it; times are UTC. Errors are problem+json.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": shared.get("$defs", {}),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe(op: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "description": f"Needs a key with the scope “{op.scope}”.",
        "parameters": _parameters(op),
        "responses": {str(op.status): _content("application/json", refs[op.answer], "As asked.")},
    }
    if op.body is not None:
        needed = any(field.is_required() for field in op.body.model_fields.values())
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": refs[op.body]}}}
    codes = {401, 403, *op.refusals} | ({422} if op.query or op.body else set())
    for code in sorted(codes):
        described["responses"][str(code)] = _content("application/problem+json", refs[schemas.Problem], REASONS[code])
    return described


def _content(kind: str, schema: Any, text: str) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _parameters(op: Operation) -> list[dict[str, Any]]:
    parameters = [
        {"name": part[5:-1], "in": "path", "required": True, "schema": ID}
        for part in op.path.split("/")
        if part.startswith("<int:")
    ]
    if op.query is not None:
        schema = op.query.model_json_schema()
        for name, shape in schema["properties"].items():
            text = shape.pop("description", "")
            if shape.get("type") == "string" and not shape.keys() & {"pattern", "enum", "const", "format"}:
                shape["pattern"] = NO_NUL
            parameters.append({"name": name, "in": "query", "required": False, "description": text, "schema": shape})
    return parameters


REASONS = {
    400: "Not possible now.",
    401: "No valid key was sent.",
    403: "The key's scope does not allow this.",
    404: "There is no such thing.",
    409: "It has changed meanwhile.",
    410: "It was merged into another contact: merged_into is its id.",
    422: "The request must be changed.",
}
