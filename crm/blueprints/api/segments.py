"""The API's operations about segments: read, with their members, and why a contact is in one or not."""

from __future__ import annotations

from typing import Any

from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import segment_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.buying import company_day
from crm.domain import segment_evaluation, segment_reasons
from crm.domain import segments as trees
from crm.domain.errors import NotFound, Refused
from crm.domain.segment_reasons import Reason
from crm.queries import api_segments, contact_page, products, segment_names, segment_person, segments
from crm.services.contact_merge_checks import refuse_merged


@operation(
    blueprint, "GET", "/segments", summary="Segments, a page at a time", scope="read",
    answer=schemas.SegmentPage, query=schemas.SegmentQuery,
)  # fmt: skip
def list_segments(query: schemas.SegmentQuery) -> schemas.SegmentPage:
    rows = api_segments.page(
        after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, q=query.q, kind=query.kind,
        archived=query.archived,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    return schemas.SegmentPage(data=_segments(page), next_cursor=_cursor(page[-1].id) if more else None)


@operation(
    blueprint, "GET", "/segments/<int:segment_id>", summary="One segment", scope="read",
    answer=schemas.Segment, refusals=(404,),
)  # fmt: skip
def get_segment(segment_id: int) -> schemas.Segment:
    return _segments([_found(segment_id)])[0]


@operation(
    blueprint, "GET", "/segments/<int:segment_id>/members", summary="Who is in a segment, a page at a time",
    scope="read", answer=schemas.MemberPage, query=schemas.PageQuery, refusals=(404,),
)  # fmt: skip
def list_segment_members(segment_id: int, query: schemas.PageQuery) -> schemas.MemberPage:
    _found(segment_id)
    rows = api_segments.members(segment_id, after=_read_cursor(query.cursor) or 0, limit=query.limit + 1)
    page, more = rows[: query.limit], len(rows) > query.limit
    data = [schemas.Member(contact_id=id_, name=name, since=since) for id_, name, since in page]
    return schemas.MemberPage(data=data, next_cursor=_cursor(data[-1].contact_id) if more else None)


@operation(
    blueprint, "GET", "/segments/<int:segment_id>/why/<int:contact_id>", scope="read",
    summary="Why a contact is in a live segment or not, rule by rule", answer=schemas.Why, refusals=(400, 404, 410),
)  # fmt: skip
def explain_segment(segment_id: int, contact_id: int) -> schemas.Why:
    segment, contact = _found(segment_id), contact_page.contact(contact_id)
    if contact is None:
        raise NotFound(f"There is no contact {contact_id}.")
    refuse_merged(contact)
    if segment.kind != "live":
        raise Refused("A static segment has no rules that decide: somebody put each member into it.")
    group, today = trees.read(segment.rules), company_day().today
    outcome = segment_evaluation.evaluate(group, segment_person.person(contact_id, today), today)
    told = segment_reasons.reason(outcome, segment_names.names(group), products.home_currency())
    member = segments.membership(segment_id, contact_id)
    return schemas.Why(
        segment_id=segment_id, contact_id=contact_id, fits=outcome.passed, note=outcome.value,
        member_since=member.since if member else None, reason=_reason(told),
    )  # fmt: skip


def _found(segment_id: int) -> Any:
    segment = segments.one(segment_id)
    if segment is None:
        raise NotFound(f"There is no segment {segment_id}.")
    return segment


def _segments(rows: Any) -> list[schemas.Segment]:
    groups = {row.id: trees.read(row.rules) if row.rules else trees.Group() for row in rows}
    names, currency = segment_names.names(*groups.values()), products.home_currency()
    plain = [name for name in schemas.Segment.model_fields if name not in ("words", "owner", "archived")]
    return [
        schemas.Segment(
            **{name: getattr(row, name) for name in plain}, words=trees.words(groups[row.id], names, currency),
            owner=row.owner.email if row.owner else None, archived=row.archived_at is not None,
        )
        for row in rows
    ]  # fmt: skip


def _reason(one: Reason) -> schemas.Reason:
    return schemas.Reason(
        path=one.path, words=one.words, passed=one.passed, has=one.has, decides_alone=one.turns,
        parts=[_reason(part) for part in one.parts],
    )  # fmt: skip
