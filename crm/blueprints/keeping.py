"""What the builder's one form does with a POST, for quotes and invoices alike: draw again, keep, or say what is wrong.

The two builders bring how they draw, save, and show that two people changed it; nothing typed is lost on any way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from crm.blueprints import building
from crm.blueprints.building import Built
from crm.db import transaction
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.sales_content import Content
from crm.domain.sales_forms import Typed


def keep(
    draw: Callable[..., Any],
    save: Callable[[Typed], Any],
    *,
    base: Content = building.EMPTY,
    document: Any = None,
    conflict: Callable[[int, Typed], Any] | None = None,
) -> tuple[Any, Any]:
    """(what was saved, None), or (None, the answer). `base`: what stands where the form says nothing; `document`: the
    one that is changed, None for a new one; `conflict` answers where somebody else changed it meanwhile."""
    if building.asks(request.form):
        return None, draw(building.acted(request.form, base=base), document=document, changed=True)
    typed = building.read(request.form, base=base, blanks=False)
    if typed.wrong:
        return None, draw(Built(typed), document=document, status=422)
    try:
        with transaction():
            return save(typed), None
    except Invalid as problem:
        return None, draw(Built(typed), document=document, errors=problem.fields, status=422)
    except Refused as problem:
        if document is None or conflict is None:
            raise
        if isinstance(problem, Changed):
            return None, conflict(document.id, typed)
        return None, draw(Built(typed), document=document, errors={"lines": str(problem)}, status=409)
