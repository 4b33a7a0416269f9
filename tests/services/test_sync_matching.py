"""Matching inside an import: made-up books against a handful of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.records import Address, CustomerRecord, Origin, PhoneField
from crm.models import Connection, Contact, ContactPoint, Customer, Link, Match, TimelineEntry
from crm.providers.accounting.base import Page
from crm.services import identity_keys
from tests.flows.imports import WITHOUT_LISTS, add_contact, opened, run_import

OFFICE = "(555) 010-7000"


class Books:
    """The given customers, `size` to a page."""

    spec = WITHOUT_LISTS

    def __init__(self, customers: Sequence[CustomerRecord], size: int = 1000) -> None:
        self.customers, self.size = customers, size

    def count(self, kind: str) -> int:
        return len(self.customers) if kind == "customer" else 0

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        if kind != "customer":
            return Page(())
        start = int(cursor or 0)
        end = start + self.size
        return Page(tuple(self.customers[start:end]), (), str(end) if end < len(self.customers) else None)

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        return Page(tuple(one for one in self.customers if kind == "customer" and one.origin.remote_id in ids))


def customer(
    id_: int, name: str, *, phone: str = "", email: str = "", version: str = "0", **values: object
) -> CustomerRecord:
    phones = (PhoneField("primary", phone),) if phone else ()
    return CustomerRecord(Origin(str(id_), version), name, phones=phones, email_text=email, **values)  # type: ignore[arg-type]


@pytest.fixture
def connection(app: Flask) -> Connection:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="one", state="connected", company_name="Bedrock",
            country="US", currency="USD", time_zone="America/Chicago", connected_at=clock.now(),
            read_at={"customer": clock.now().isoformat()},
        )  # fmt: skip
        session.add(row)
    return row


def have(*contacts: dict[str, object]) -> list[int]:
    with transaction() as session:
        ids = [add_contact(**values).id for values in contacts]  # type: ignore[arg-type]
        identity_keys.refresh_contacts(session, ids)
    return ids


def import_(connection: Connection, *customers: CustomerRecord, size: int = 1000):
    run = run_import(connection.id, open_books=opened(Books(customers, size)))
    assert run.state == "done", run.error
    return run


def test_the_same_person_is_linked_and_only_empty_fields_are_filled(connection: Connection) -> None:
    [id_] = have({"name": "Amy Lauterbach", "phones": ("555 010 3311",), "company_name": "Her own words"})
    address = Address(line1="4581 Finch St.", city="Bayshore", region="CA", postal_code="94326")
    run = import_(connection, customer(1, "Amy Lauterbach", phone="(555) 010-3311", email="amy@birds.example",
                                       company_name="Amy's Bird Sanctuary", billing_address=address))  # fmt: skip
    assert (run.counts["linked"], run.counts["filled"], run.counts.get("created")) == (1, 1, None)
    contact = db.session.get_one(Contact, id_)
    assert contact.company_name == "Her own words"
    assert (contact.street, contact.city, contact.postal_code) == ("4581 Finch St.", "Bayshore", "94326")
    assert contact.email == "amy@birds.example" and "birds.example" in contact.search_text
    assert contact.link_state == "linked" and contact.version == 2
    points = [(p.kind, p.value, p.source) for p in contact.points]
    assert points == [("phone", "555 010 3311", "person"), ("email", "amy@birds.example", "quickbooks")]
    verbs = db.session.scalars(select(TimelineEntry.verb).where(TimelineEntry.contact_id == id_)).all()
    assert sorted(verbs) == ["enriched", "linked"]


def test_a_shared_office_line_links_nobody(connection: Connection) -> None:
    names = ["Ruth Vega", "Omar Haddad", "Lin Zhao", "Piotr Nowak", "Grace Okoye"]
    have(*({"name": name, "phones": (OFFICE,)} for name in names))
    others = ["Sam Carter", "Elena Rossi", "Tom Byrne", "Yuki Mori"]
    run = import_(connection, *(customer(n, name, phone=OFFICE) for n, name in enumerate(others, 1)))
    assert run.counts.get("linked", 0) == 0


def test_thirty_strangers_on_the_office_line_do_not_crowd_out_the_contact_of_the_same_name(
    connection: Connection,
) -> None:
    have(*({"name": f"Stranger{n} Person{n}", "phones": (OFFICE,)} for n in range(30)))
    address = {"street": "4581 Finch St.", "city": "Bayshore", "postal_code": "94326"}
    [amy] = have({"name": "Amy Lauterbach", **address})
    at_work = Address(line1="4581 Finch Street", city="Bayshore", postal_code="94326")
    import_(connection, customer(1, "Amy Lauterbach", phone=OFFICE, billing_address=at_work))
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [amy]


def test_two_customers_that_want_one_contact_both_wait(connection: Connection) -> None:
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    twice = [customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2)]
    run = import_(connection, *twice)
    assert (run.counts.get("linked", 0), run.counts["review"], run.counts.get("created", 0)) == (0, 2, 0)
    assert db.session.get_one(Contact, id_).link_state == "review"


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("size", [1, 1000])
def test_who_gets_the_contact_does_not_depend_on_order_or_pages(
    connection: Connection, order: tuple[int, int], size: int
) -> None:
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",), "email": "dana@fox.example"})
    records = {
        1: customer(1, "Dana Fox", phone="555-010-4401", email="dana@fox.example"),
        2: customer(2, "Dana Fox", phone="555-010-4401", email="other@fox.example"),
    }
    import_(connection, *(records[n] for n in order), size=size)
    links = {row.remote_id: row.local_id for row in db.session.scalars(select(Link))}
    assert links == {"1": id_}


def test_a_customer_that_comes_later_and_fits_a_linked_contact_waits(connection: Connection) -> None:
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    import_(connection, one)
    run = import_(connection, one, two)
    assert run.counts["review"] == 1 and run.counts["unchanged"] == 1
    assert db.session.scalars(select(Link.local_id)).all() == [id_]
    assert db.session.get_one(Contact, id_).link_state == "linked"


def test_a_stranger_becomes_a_new_contact_with_all_lines(connection: Connection) -> None:
    emails = "r@d.example; office@d.example"
    run = import_(connection, customer(1, "Rosa Díaz", phone="555-010-9000 ext. 4", email=emails))
    assert run.counts["created"] == 1
    contact = db.session.scalars(select(Contact)).one()
    assert (contact.display_name, contact.source, contact.type) == ("Rosa Díaz", "quickbooks", "customer")
    points = [(p.kind, p.normal, p.extension) for p in db.session.scalars(select(ContactPoint).order_by("position"))]
    assert points == [("phone", "+15550109000", "4"), ("email", "r@d.example", ""), ("email", "office@d.example", "")]
    match = db.session.scalars(select(Match)).one()
    assert match.state == "linked" and match.evidence


def test_an_inactive_double_gives_way_to_the_active_customer(connection: Connection) -> None:
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    old = customer(1, "Dana Fox", phone="555-010-4401", active=False)
    run = import_(connection, old, customer(2, "Dana Fox", phone="555-010-4401"))
    assert (run.counts["linked"], run.counts["ignored"]) == (1, 1)
    assert {row.remote_id: row.local_id for row in db.session.scalars(select(Link))} == {"2": id_}


def test_an_inactive_stranger_stays_in_the_mirror_unless_money_is_open(connection: Connection) -> None:
    gone = customer(1, "Old Timer", active=False, balance=Decimal(0))
    owing = customer(2, "Owes Still", active=False, balance=Decimal("12.50"), balance_with_jobs=Decimal("12.50"))
    run = import_(connection, gone, owing)
    assert (run.counts["ignored"], run.counts["created"]) == (1, 1)
    contact = db.session.scalars(select(Contact)).one()
    assert (contact.display_name, contact.link_state) == ("Owes Still", "inactive")
    again = customer(1, "Old Timer", active=True, version="1")
    assert import_(connection, again, owing).counts["created"] == 1


def test_a_linked_customer_made_inactive_is_marked_and_kept(connection: Connection) -> None:
    import_(connection, customer(1, "Rosa Díaz"))
    import_(connection, customer(1, "Rosa Díaz", active=False, version="1"))
    assert db.session.scalars(select(Contact.link_state)).all() == ["inactive"]
    import_(connection, customer(1, "Rosa Díaz", version="2"))
    assert db.session.scalars(select(Contact.link_state)).all() == ["linked"]


def test_a_moved_version_alone_is_no_change_but_is_kept_for_writing(connection: Connection) -> None:
    import_(connection, customer(1, "Rosa Díaz", version="0"))
    run = import_(connection, customer(1, "Rosa Díaz", version="5"))
    assert run.counts["unchanged"] == 1
    assert db.session.scalars(select(Customer.version)).all() == ["5"]
    assert db.session.scalars(select(Link.version)).all() == ["5"]


def test_a_job_whose_parent_comes_later_belongs_to_the_parent(connection: Connection) -> None:
    job = customer(1, "Basement", parent_id="2", full_path="Rosa Díaz:Basement")
    run = import_(connection, job, customer(2, "Rosa Díaz"), size=1)
    assert (run.counts["jobs"], run.counts["created"]) == (1, 1)
    rows = {row.remote_id: row for row in db.session.scalars(select(Customer))}
    assert rows["1"].root_remote_id == "2" and rows["1"].match_state == "job"
    assert rows["1"].contact_id == rows["2"].contact_id is not None


def test_parents_in_a_circle_do_not_hang_the_import(connection: Connection) -> None:
    import_(connection, customer(1, "A", parent_id="2"), customer(2, "B", parent_id="1"))
    assert db.session.scalars(select(Customer.contact_id)).all() == [None, None]


def test_an_archived_contact_is_no_candidate(connection: Connection) -> None:
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    with transaction() as session:
        session.get_one(Contact, id_).archived_at = clock.now()
        session.flush()
        identity_keys.refresh_contacts(session, [id_])
    assert import_(connection, customer(1, "Dana Fox", phone="555-010-4401")).counts["created"] == 1
