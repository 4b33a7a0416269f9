"""Conditions of rules that are no figures: texts, choices, sets of tags, months and products, dates, distances.

Texts are compared in Python, by the distinct texts of a column, because databases fold letters differently. No
condition is ever NULL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    and_,
    cast,
    extract,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from crm.db import db
from crm.domain.names import fold
from crm.domain.regions import country_key, postal_key, state_key
from crm.domain.segment_values import circle
from crm.domain.segments import Rule
from crm.models import AutomationHold, Contact, ContactConsent, ContactPlace, SalesDocument, SalesLine
from crm.models.contacts import contact_tags
from crm.queries.segment_look import Condition, Look, on
from crm.queries.segment_measures import DAY, INVOICE

D = SalesDocument
MOST_LISTED = 500
"""Texts that are listed in the statement itself; more go in one value, as JSON."""


# --- texts ----------------------------------------------------------------------------------------------------


def _text(attribute: Any, key: Callable[[str], str]) -> Callable[[Rule, Look], Condition]:
    def those(rule: Rule, look: Look) -> Condition:
        if rule.op in ("known", "unknown"):
            return attribute != "" if rule.op == "known" else attribute == ""
        query = select(attribute).distinct()
        if look.scope is not None:
            query = query.where(Contact.id.in_(look.scope))
        wanted = tuple(map(key, rule.values))
        positive = {"none_of": "one_of", "not_contains": "contains"}.get(rule.op, rule.op)
        found = [text for text in db.session.scalars(query) if text_passes(positive, key(text), wanted)]
        return _among(attribute, found) if positive == rule.op else not_(_among(attribute, found))

    return those


def text_passes(op: str, text: str, wanted: tuple[str, ...]) -> bool:
    """Of texts made alike already."""
    if op == "one_of":
        return text in wanted
    if op == "contains":
        return wanted[0] in text
    if op == "begins":
        return text.startswith(wanted)
    return not text_passes({"none_of": "one_of", "not_contains": "contains"}[op], text, wanted)


def _among(attribute: Any, texts: Collection[str]) -> Condition:
    if len(texts) <= MOST_LISTED:
        return attribute.in_(texts)
    listed = json.dumps(list(texts))
    if db.engine.dialect.name == "sqlite":
        return attribute.in_(select(func.json_each(listed).table_valued("value").c.value))
    elements = func.jsonb_array_elements_text(cast(literal(listed, String()), JSONB))
    return attribute.in_(select(elements.column_valued("value")))


def _name(rule: Rule, look: Look) -> Condition:
    """`sort_name` is folded already."""
    wanted = [fold(one) for one in rule.values]
    found = {
        "one_of": lambda: Contact.sort_name.in_(wanted),
        "contains": lambda: Contact.sort_name.contains(wanted[0], autoescape=True),
        "begins": lambda: or_(*(Contact.sort_name.startswith(one, autoescape=True) for one in wanted)),
    }  # fmt: skip
    found["none_of"], found["not_contains"] = (lambda: not_(found["one_of"]())), (lambda: not_(found["contains"]()))
    return found[rule.op]()


# --- choices and sets -----------------------------------------------------------------------------------------


def _chosen(attribute: Any) -> Callable[[Rule, Look], Condition]:
    def those(rule: Rule, look: Look) -> Condition:
        among: Condition = attribute.in_(rule.values)
        return among if rule.op == "one_of" else not_(among)

    return those


def _owner(rule: Rule, look: Look) -> Condition:
    """A contact of nobody has no owner: NULL, which is put by as 0."""
    owner = func.coalesce(Contact.owner_id, 0)
    among = owner.in_([0 if one == "none" else int(one) for one in rule.values])
    return among if rule.op == "one_of" else not_(among)


def _kind(rule: Rule, look: Look) -> Condition:
    wanted = set(rule.values)
    if rule.op == "none_of":
        wanted = {"company", "person"} - wanted
    company: Condition = Contact.company_name != ""
    return or_(false(), *([company] if "company" in wanted else []), *([not_(company)] if "person" in wanted else []))


def _consent(channel: str) -> Callable[[Rule, Look], Condition]:
    def those(rule: Rule, look: Look) -> Condition:
        said = [one for one in rule.values if one != "unasked"]
        mine = (ContactConsent.channel == channel, *look.narrowed(ContactConsent.contact_id))
        query = select(ContactConsent.contact_id).where(*mine)
        parts: list[Condition] = [Contact.id.in_(query.where(ContactConsent.state.in_(said)))] if said else []
        if "unasked" in rule.values:
            parts.append(Contact.id.not_in(query))
        return or_(false(), *parts) if rule.op == "one_of" else not_(or_(false(), *parts))

    return those


def _set(each: Callable[[list[int], Rule, Look], Select[Any]]) -> Callable[[Rule, Look], Condition]:
    """`each` selects the contacts that have one of these values."""

    def those(rule: Rule, look: Look) -> Condition:
        wanted = [int(one) for one in rule.values]
        if rule.op == "has_all":
            return and_(*(Contact.id.in_(each([one], rule, look)) for one in wanted))
        among = Contact.id.in_(each(wanted, rule, look))
        return among if rule.op == "has_any" else not_(among)

    return those


def _tagged(wanted: list[int], rule: Rule, look: Look) -> Select[Any]:
    query = select(contact_tags.c.contact_id).where(contact_tags.c.tag_id.in_(wanted))
    return query if look.scope is None else query.where(contact_tags.c.contact_id.in_(look.scope))


def _in_months(wanted: list[int], rule: Rule, look: Look) -> Select[Any]:
    month = cast(extract("month", D.date), Integer)
    return select(D.contact_id).where(
        *INVOICE, *look.asked(rule).dated, DAY.is_not(None), month.in_(wanted), *look.narrowed(D.contact_id)
    )


def _bought(wanted: list[int], rule: Rule, look: Look) -> Select[Any]:
    taken = or_(SalesLine.optional.is_(False), SalesLine.chosen.is_(True))
    query = select(D.contact_id).join(SalesLine, SalesLine.document_id == D.id)
    return query.where(
        SalesLine.product_id.in_(wanted), taken, *INVOICE, *look.asked(rule).dated, *look.narrowed(D.contact_id)
    )


# --- the rest -------------------------------------------------------------------------------------------------


def _date_of(attribute: Any) -> Callable[[Rule, Look], Condition]:
    def those(rule: Rule, look: Look) -> Condition:
        if rule.op in ("ever", "never"):
            return attribute.is_not(None) if rule.op == "ever" else attribute.is_(None)
        passes = on(rule, attribute, look.today)
        return and_(attribute.is_not(None), passes) if Contact.__table__.c[attribute.key].nullable else passes

    return those


def _yes_no(has: Callable[[Look], Condition]) -> Callable[[Rule, Look], Condition]:
    return lambda rule, look: has(look) if rule.op == "yes" else not_(has(look))


def _held(look: Look) -> Condition:
    return Contact.id.in_(select(AutomationHold.contact_id).where(*look.narrowed(AutomationHold.contact_id)))


def _distance(rule: Rule, look: Look) -> Condition:
    known = select(ContactPlace.contact_id).where(*look.narrowed(ContactPlace.contact_id))
    if rule.op in ("known", "unknown"):
        return Contact.id.in_(known) if rule.op == "known" else Contact.id.not_in(known)
    point, reach = circle(rule.values)
    axes = list(zip((ContactPlace.x, ContactPlace.y, ContactPlace.z), point, strict=True))
    squares = [(cast(axis, BigInteger) - at) * (cast(axis, BigInteger) - at) for axis, at in axes]
    far = squares[0] + squares[1] + squares[2]
    if rule.op == "beyond":
        return Contact.id.in_(known.where(far > reach * reach))
    box = [axis.between(at - reach, at + reach) for axis, at in axes]
    return Contact.id.in_(known.where(*box, far <= reach * reach))


CONDITIONS: dict[str, Callable[[Rule, Look], Condition]] = {
    "name": _name,
    "company": _text(Contact.company_name, fold),
    "kind": _kind,
    "type": _chosen(Contact.type),
    "owner": _owner,
    "source": _chosen(Contact.source),
    "tags": _set(_tagged),
    "created": _date_of(Contact.created_at),
    "last_activity": _date_of(Contact.last_activity_at),
    "state": _text(Contact.region, state_key),
    "city": _text(Contact.city, fold),
    "postal_code": _text(Contact.postal_code, postal_key),
    "country": _text(Contact.country, country_key),
    "distance": _distance,
    "link": _chosen(Contact.link_state),
    "held": _yes_no(_held),
    "season": _set(_in_months),
    "bought": _set(_bought),
    "has_phone": _yes_no(lambda look: Contact.phone != ""),
    "has_email": _yes_no(lambda look: Contact.email != ""),
    **{f"consent_{channel}": _consent(channel) for channel in ("email", "sms", "call")},
}
"""Key of FIELDS that is no figure -> its condition."""
