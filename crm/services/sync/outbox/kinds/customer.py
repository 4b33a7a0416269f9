"""Customers on their way out: a contact becomes the body of a customer, and what comes back is kept.

What is sent decides `domain/merging`, with the same base, policies and edits as on the way in. Both directions of this
module use the same few statements for one entry or for thirty; storing is `customers.take`, as for every other source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import preflight, shared_fields
from crm.domain.errors import InvalidValue
from crm.domain.merging import Merged
from crm.domain.records import CustomerRecord, Record
from crm.domain.shared_fields import TITLES, line_key, line_keys_of
from crm.models import Contact, ContactPoint, Customer, Link, OutboxEntry
from crm.providers.accounting.base import Body
from crm.services.sync.merge.comparing import Compared, compare_linked
from crm.services.sync.mirror import customers, gone
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.outbox.kinds import customer_record as said
from crm.services.sync.outbox.kinds import customer_settled
from crm.services.sync.outbox.kinds import names as named
from crm.services.sync.outbox.kinds.names import holders_of, names_of, taken_by
from crm.services.sync.outbox.kinds.port import Answer, Nothing, Park, Prepared, Send
from crm.services.sync.work import Batch

UNLINKED = "The contact is not linked to a customer any more."
NO_CONTACT = "The contact is not here any more."
ARCHIVED = "The contact was archived before it was sent."
AGREED = "Both sides agree; there is nothing to send."
UNDECIDED = "Nothing is sent before somebody has decided about the conflict ({})."


@dataclass(frozen=True, slots=True)
class Here:
    """What the open transaction knows about the entries, read with a fixed number of statements."""

    contacts: Mapping[int, Any]
    compared: Mapping[int, Compared]
    """Contact -> held against its customer; without those whose customer is gone."""
    links: Mapping[int, Any]
    customers: Mapping[str, Any]
    points: Mapping[int, list[Any]]
    """The lines of contacts that are new there."""
    names: Mapping[str, list[dict[str, Any]]]
    """Name in lower case -> customers and vendors of the mirror that bear it."""
    region: str


class Customers:
    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        here = _look(batch, entries)
        found: dict[int, Prepared] = {}
        for entry in entries:
            try:
                found[entry.id] = _prepared(batch, entry, here, body)
            except InvalidValue as error:
                found[entry.id] = Park("bad_value", str(error))
        return found

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        return customer_settled.settle(batch, answers)

    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        held = select(Contact.id).where(Contact.id.in_(local_ids)).order_by(Contact.id)
        session.execute(held.with_for_update(key_share=True))

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        read = [record for record in records if isinstance(record, CustomerRecord)]
        customers.take(batch, read, customer_settled.known_names(batch))

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        gone.mark(batch, "customer", gone.rows_of(batch, "customer", remote_ids))

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        name = entry.changes.get("display_name", ["", ""])[1]
        city = batch.session.scalar(select(Contact.city).where(Contact.id == entry.local_id)) or ""
        holders = holders_of(batch.session, batch.books.id, bearers)
        return taken_by(batch.session, batch.books.id, name, holders, city=city)

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        return {id_: id_ for id_ in session.scalars(select(Contact.id).where(Contact.id.in_(local_ids)))}

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        return names_of(session, local_ids)


# --- what stands here -----------------------------------------------------------------------------------------


def _look(batch: Batch, entries: Sequence[OutboxEntry]) -> Here:
    session, ids = batch.session, [entry.local_id for entry in entries]
    contacts = {row.id: row for row in session.execute(select(table_of(Contact)).where(Contact.id.in_(ids)))}
    linked = (Link.connection_id == batch.books.id, Link.kind == "customer", Link.local_id.in_(ids))
    links = {row.local_id: row for row in session.execute(select(table_of(Link)).where(*linked))}
    remote_ids = [link.remote_id for link in links.values()]
    mirrored = (Customer.connection_id == batch.books.id, Customer.remote_id.in_(remote_ids))
    rows = {row.remote_id: row for row in session.execute(select(table_of(Customer)).where(*mirrored))}
    fresh = [entry for entry in entries if entry.local_id not in links and entry.local_id in contacts]
    return Here(
        contacts=contacts,
        compared=compare_linked(session, list(links), books=batch.books),
        links=links,
        customers=rows,
        points=_points(session, [entry.local_id for entry in fresh]),
        names=named.bearers(session, batch.books.id, [_name(one, contacts[one.local_id]) for one in fresh]),
        region=batch.books.region,
    )


def _points(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Any]]:
    points: dict[int, list[Any]] = {}
    mine = select(table_of(ContactPoint)).where(ContactPoint.contact_id.in_(contact_ids))
    for point in session.execute(mine.order_by(ContactPoint.contact_id, ContactPoint.position)):
        points.setdefault(point.contact_id, []).append(point)
    return points


def _name(entry: OutboxEntry, contact: Any) -> str:
    return str(entry.options.get("display_name") or contact.display_name)


# --- one entry ------------------------------------------------------------------------------------------------


def _prepared(batch: Batch, entry: OutboxEntry, here: Here, body: Body) -> Prepared:
    contact, link = here.contacts.get(entry.local_id), here.links.get(entry.local_id)
    if contact is None:
        return Nothing(NO_CONTACT)
    if link is None:
        return _create(batch, entry, contact, here, body) if entry.operation == "create" else Nothing(UNLINKED)
    customer = here.customers.get(link.remote_id)
    if customer is None or customer.gone_at is not None or link.state == "gone":
        return Park("gone", f"“{contact.display_name}” was deleted in QuickBooks, or merged into another customer.",
                    {"remote_id": link.remote_id})  # fmt: skip
    if entry.operation in ("deactivate", "reactivate"):
        return _switch(entry.operation, customer, body)
    if not customer.active:
        return Park("inactive", f"Customer “{customer.display_name}” is inactive in QuickBooks.",
                    {"remote_id": customer.remote_id})  # fmt: skip
    return _update(entry, here.compared[contact.id], customer, body)


def _create(batch: Batch, entry: OutboxEntry, contact: Any, here: Here, body: Body) -> Prepared:
    if contact.archived_at is not None:
        return Nothing(ARCHIVED)
    if contact.link_state == "review":
        return Park("doubtful", f"“{contact.display_name}” may be in QuickBooks already. Decide under Matches first.")
    lines = shared_fields.lines_here(contact, here.points.get(contact.id, ()), here.region)
    record = said.record_of(contact, said.lines_by_label(lines), name=str(entry.options.get("display_name", "")))
    changes = said.filled(record, contact)
    wrong = _problem(record, {*changes, "display_name"})
    if wrong is not None:
        return wrong
    holders = here.names.get(record.display_name.lower(), ())
    if holders:
        return taken_by(batch.session, batch.books.id, record.display_name, holders, city=contact.city)
    return Send("create", body("customer", "create", record), changes=changes)


def _update(entry: OutboxEntry, compared: Compared, customer: Any, body: Body) -> Prepared:
    contact, lines, theirs, merged = compared.contact, compared.lines, compared.theirs, compared.merged
    keys = dict(merged.values)
    fields = [field for field in merged.sent if not _left_out(entry, compared, field)]
    own = "\n".join(sorted({line_key(line) for line in lines if line.kind == "email"}))
    agreed = "email" in compared.edited and "email" in merged.agreed and not _left_out(entry, compared, "email")
    if agreed and line_keys_of(own) != line_keys_of(theirs.keys()["email"]):
        keys["email"], fields = own, [*fields, "email"]  # beside what was agreed on
    name = str(entry.options.get("display_name", ""))
    if name and name != customer.display_name and "display_name" not in fields:
        fields.append("display_name")
    if not fields:
        return Nothing(_why_nothing(merged))
    record = said.record_of(contact, said.lines_by_keys(lines, keys), name=name)
    wrong = _problem(record, fields)
    if wrong is not None:
        return wrong
    current = from_stored(CustomerRecord, customer.record)
    changes = {field: [theirs.shown(field), said.shown(record, contact, field)] for field in fields}
    made = body("customer", "update", record, fields=fields, current=current)
    return Send("update", made, customer.record, changes, customer.remote_id)


def _left_out(entry: OutboxEntry, compared: Compared, field: str) -> bool:
    """A plan that was approved without this field leaves it out, until somebody edits it again or approves it."""
    if "left" not in entry.options:
        return compared.left(field)
    left = entry.options["left"].get(field)
    return left is not None and entry.fields.get(field, "") <= left


def _why_nothing(merged: Merged) -> str:
    if merged.asked:
        return UNDECIDED.format(", ".join(TITLES[field] for field in merged.asked))
    return AGREED


def _switch(operation: str, customer: Any, body: Body) -> Prepared:
    """Made inactive or active again; one that owes or is owed stays."""
    current = from_stored(CustomerRecord, customer.record)
    if customer.active is (operation == "reactivate"):
        return Nothing(f"Customer “{customer.display_name}” is {'active' if customer.active else 'inactive'} already.")
    if operation == "deactivate" and (customer.balance or customer.balance_with_jobs):
        return Park("open_balance", f"Customer “{customer.display_name}” has an open balance. Settle it in QuickBooks"
                    " first.", {"remote_id": customer.remote_id})  # fmt: skip
    made = body("customer", operation, None, current=current)
    return Send(operation, made, customer.record, {}, customer.remote_id)


def _problem(record: CustomerRecord, fields: Any) -> Park | None:
    problems = preflight.customer(record, fields)
    if not problems:
        return None
    return Park(problems[0].cause, " ".join(problem.sentence for problem in problems),
                {"field": problems[0].field, "fields": [problem.field for problem in problems]})  # fmt: skip
