"""Contacts of a state, city or postal code, however each spelled it: what sums by place and the lists they open ask.

How people wrote a place is read first (few spellings), so that the database compares text as it stands and the one
reading of it is `domain/sales_places`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.db import db
from crm.domain.sales_places import NONE, city_key, region_key
from crm.models import Contact


def of_place(column: Any, *, region: str = "", city: str = "", postal: str = "") -> ColumnElement[bool]:
    """That the contact whose id is in `column` lives there: keys of `domain/sales_places`, empty for anywhere."""
    return column.in_(select(Contact.id).where(*conditions(region=region, city=city, postal=postal)))


def conditions(*, region: str = "", city: str = "", postal: str = "") -> list[ColumnElement[bool]]:
    """Of a contact: that it lives there."""
    found: list[ColumnElement[bool]] = []
    if region:
        known = db.session.scalars(select(Contact.region).distinct()).all()
        found.append(Contact.region.in_([one for one in known if region_key(one) == region]))
    if city:
        known = db.session.scalars(select(Contact.city).where(*found).distinct()).all()
        found.append(Contact.city.in_([one for one in known if city_key(one) == city]))
    if postal:
        plain = func.trim(Contact.postal_code)
        of_five = and_(plain.like("_____-____"), func.substr(plain, 1, 5) == postal)
        found.append(plain == "" if postal == NONE else or_(and_(plain == postal), of_five))
    return found
