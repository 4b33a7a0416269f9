"""What ids in the rules of segments are called: owners, tags, products; and what can be chosen for a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select

from crm.db import db
from crm.domain.segments import Group, leaves
from crm.models import Product, Tag, User
from crm.queries import contacts

Names = Mapping[str, Mapping[str, str]]
"""`owners`, `tags`, `products` -> id as text -> name, as `domain/segments.words` takes them."""


def names(*groups: Group) -> Names:
    """The names of all that these rules speak of; what is gone is missing. Three statements at most."""
    asked: dict[str, set[str]] = {"owners": set(), "tags": set(), "products": set()}
    for group in groups:
        for _, rule in leaves(group):
            if rule.about.options:
                asked[rule.about.options].update(rule.values)
    found = {name: _ids(values) for name, values in asked.items()}
    return {
        "owners": _owners(found["owners"]) if found["owners"] else {},
        "tags": _tags(found["tags"]) if found["tags"] else {},
        "products": _products(found["products"]) if found["products"] else {},
    }


def options() -> dict[str, list[tuple[str, str]]]:
    """(id, name) of what a rule can choose from, for `owners` and `tags`."""
    return {"owners": [("none", "Nobody"), *contacts.owners()], "tags": contacts.tags()}


def products(values: Iterable[str]) -> Mapping[str, str]:
    """Names of these products, by their ids as text."""
    ids = _ids(values)
    return _products(ids) if ids else {}


def _ids(values: Iterable[str]) -> list[int]:
    return sorted({int(one) for one in values if one.isascii() and one.isdigit() and len(one) < 10})


def _owners(ids: Sequence[int]) -> dict[str, str]:
    found = db.session.execute(select(User.id, User.name, User.email).where(User.id.in_(ids)))
    return {str(id_): name or email for id_, name, email in found}


def _tags(ids: Sequence[int]) -> dict[str, str]:
    return {str(id_): name for id_, name in db.session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(ids)))}


def _products(ids: Sequence[int]) -> dict[str, str]:
    found = db.session.execute(select(Product.id, Product.name).where(Product.id.in_(ids)))
    return {str(id_): name for id_, name in found}
