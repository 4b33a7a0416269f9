"""Segments as the API gives them: pages in the order of ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.names import fold
from crm.models import Contact, Segment, SegmentMember


def page(*, after: int, limit: int, q: str = "", kind: str = "", archived: bool = False) -> Sequence[Segment]:
    """Those with an id above `after`; archived ones only where asked for, in place of the others."""
    query = select(Segment).options(joinedload(Segment.owner)).where(Segment.id > after)
    query = query.where(Segment.archived_at.is_not(None) if archived else Segment.archived_at.is_(None))
    for term in fold(q).split():
        query = query.where(Segment.sort_name.contains(term, autoescape=True))
    if kind:
        query = query.where(Segment.kind == kind)
    return db.session.scalars(query.order_by(Segment.id).limit(limit)).all()


def members(segment_id: int, *, after: int, limit: int) -> list[tuple[int, str, datetime]]:
    """(id, name, since) of members with an id above `after`."""
    found = (
        select(Contact.id, Contact.display_name, SegmentMember.since)
        .join(SegmentMember, SegmentMember.contact_id == Contact.id)
        .where(SegmentMember.segment_id == segment_id, SegmentMember.contact_id > after)
        .order_by(SegmentMember.contact_id)
        .limit(limit)
    )
    return [(id_, name, since) for id_, name, since in db.session.execute(found)]
