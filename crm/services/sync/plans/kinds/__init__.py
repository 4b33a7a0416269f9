"""The kinds that plans show and take back in their own way, by name; every other kind that goes out is `Usual`."""

from __future__ import annotations

from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.plans.kinds.customer import CustomerPlans
from crm.services.sync.plans.kinds.item import ItemPlans
from crm.services.sync.plans.kinds.port import Deed, Drawn, Plannable, Seen, Usual
from crm.services.sync.plans.kinds.sales_document import DocumentPlans

PLANNED: dict[str, Plannable] = {
    "customer": CustomerPlans(),
    "item": ItemPlans(),
    "estimate": DocumentPlans("estimate"),
    "invoice": DocumentPlans("invoice"),
}

__all__ = ["PLANNED", "Deed", "Drawn", "Plannable", "Seen", "Usual", "kinds", "planned"]


def kinds() -> tuple[str, ...]:
    """Every kind that goes out, in the order plans look at them."""
    return tuple(OUTGOING)


def planned(kind: str) -> Plannable:
    return PLANNED.get(kind) or Usual(kind)
