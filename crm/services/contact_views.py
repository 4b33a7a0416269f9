"""Saved views of the list of contacts: filters under a name, one's own or shared with everybody."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy import select

from crm.db import db
from crm.domain.contact_filters import Filters
from crm.domain.contacts import clean
from crm.domain.errors import Forbidden, Invalid, NotFound
from crm.models import SavedView
from crm.services.audit import Actor

PAGE = "contacts"
MAX_NAME = 80


def save(name: str, filters: Filters, *, shared: bool, actor: Actor, now: datetime) -> SavedView:
    """Keep the filters under this name; one's own view of the same name is replaced."""
    name = clean(name)
    if not name:
        raise Invalid({"name": "A view needs a name, for example “My overdue customers”."})
    if len(name) > MAX_NAME:
        raise Invalid({"name": f"The name is too long: shorten it to {MAX_NAME} characters."})
    if actor.user_id is None:
        raise Forbidden("Only people who are signed in can save views.")
    query = select(SavedView).where(SavedView.user_id == actor.user_id, SavedView.page == PAGE, SavedView.name == name)
    view = db.session.scalar(query)
    if view is None:
        view = SavedView(user_id=actor.user_id, page=PAGE, name=name, created_at=now)
        db.session.add(view)
    view.query, view.shared = urlencode(filters.query()), shared
    db.session.flush()
    return view


def delete(view_id: int, *, actor: Actor, any_owner: bool = False) -> str:
    """Remove one's own view, or any with `any_owner`; answers its name."""
    view = db.session.get(SavedView, view_id)
    if view is None or view.page != PAGE:
        raise NotFound("There is no such view; somebody may have removed it.")
    if view.user_id != actor.user_id and not any_owner:
        raise Forbidden("This view belongs to somebody else. Ask them, or an admin, to remove it.")
    db.session.delete(view)
    return view.name
