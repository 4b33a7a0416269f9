"""A POST that is refused answers on the page it was sent from: the sentence on top, what was typed kept, 409 or 422.

The page is drawn anew by its own route, so it shows what stands now. Its template finds the refusal as `g.refusal`, and
what was typed in `request.form`; `base.html` says the sentence. htmx gets the whole page and puts it into the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from flask import current_app, g, make_response, request

from crm.domain.errors import Changed, Forbidden, Invalid, NotFound, Refused, TooMany

View = TypeVar("View", bound=Callable[..., Any])
Place = tuple[str, Mapping[str, Any]]
"""Endpoint of a page and its values."""


@dataclass(frozen=True, slots=True)
class Refusal:
    title: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field -> what is wrong with it."""


def answers_on(page: str | Callable[..., Place]) -> Callable[[View], View]:
    """The page of a POST: an endpoint that takes some of the same values, or a function of these that says which.

    It stands below `@requires`: who may not press a button at all is told so on a page of its own. So is somebody whose
    page is not there any more.
    """

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(**values: Any) -> Any:
            try:
                return view(**values)
            except (Forbidden, TooMany):
                raise
            except Refused as problem:
                endpoint, own = page(**values) if callable(page) else (page, _shared(page, values))
                return _drawn(endpoint, own, problem)

        return guarded  # type: ignore[return-value]

    return declare


def _shared(endpoint: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the values that the page has in its address."""
    names = next(current_app.url_map.iter_rules(endpoint)).arguments
    return {name: value for name, value in values.items() if name in names}


def _drawn(endpoint: str, values: Mapping[str, Any], problem: Refused) -> Any:
    g.refusal = _refusal(problem)
    try:
        answer = make_response(current_app.view_functions[endpoint](**values))
    finally:
        del g.refusal
    answer.status_code = _status(problem)
    if request.headers.get("HX-Request") == "true":
        answer.headers.update({"HX-Retarget": "body", "HX-Reswap": "innerHTML show:top"})
    return answer


def _refusal(problem: Refused) -> Refusal:
    if isinstance(problem, Invalid):
        return Refusal("Please check this", str(problem), problem.fields)
    return Refusal("Changed meanwhile" if isinstance(problem, Changed) else "Not possible now", str(problem))


def _status(problem: Refused) -> int:
    if isinstance(problem, Invalid):
        return 422
    return 404 if isinstance(problem, NotFound) else 409
