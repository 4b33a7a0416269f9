"""How many members a segment had over the last days: one statement over who came and left."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, func, literal, select

from crm.db import db
from crm.domain.segment_course import Course, bounds, course
from crm.models import Segment, SegmentChange


def of(segment: Segment, *, now: datetime, days: int = 90) -> Course:
    """Its course since it was made, at most `days` back."""
    moments = bounds(segment.created_at, now, days)
    if len(moments) < 3:  # made just now: nothing to draw yet
        return Course()
    c = SegmentChange
    stretch = case(*((c.at < end, literal(number)) for number, end in enumerate(moments[1:-1])), else_=len(moments) - 2)
    found = db.session.execute(
        select(stretch.label("stretch"), func.sum(case((c.entered, 1), else_=-1)))
        .where(c.segment_id == segment.id, c.at >= moments[0], c.at <= now)
        .group_by("stretch")
        .order_by("stretch")
    )
    return course(moments, {number: int(net) for number, net in found}, segment.members)
