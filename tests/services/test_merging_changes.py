"""Changes made in QuickBooks reach the linked contact; what a person changed here stays, and the page says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Entry
from crm.domain.errors import Changed
from crm.domain.records import Address, CustomerRecord, PhoneField
from crm.models import Connection, Contact, IdentityKey, Link, TimelineEntry
from crm.queries import contact_page
from crm.services import contacts
from crm.services.audit import SYSTEM
from tests.services.test_sync_matching import connection, customer, have, import_  # noqa: F401

HOME = Address(line1="1 Elm St", city="Troy", region="MO", postal_code="63379", country="USA")
AMY = customer(1, "Amy Fox", phone="(816) 555-0101", email="amy@fox.example", given_name="Amy", family_name="Fox",
               company_name="Fox Plumbing", billing_address=HOME, website="https://fox.example")  # fmt: skip


def only() -> Contact:
    db.session.remove()
    return db.session.scalars(select(Contact)).one()


def entries(verb: str) -> list[str]:
    told = select(TimelineEntry.summary).where(TimelineEntry.verb == verb)
    return list(db.session.scalars(told.order_by(TimelineEntry.id)))


def says() -> list[str]:
    view = contact_page.show(only().id)
    assert view is not None
    return [f"{one.title} {one.theirs}" for one in view.differences]


def edit(lines: dict[str, list[str]] | None = None, **values: str) -> None:
    contact = only()
    given = {kind: [Entry(kind, text) for text in texts] for kind, texts in (lines or {}).items()}
    with transaction():
        contacts.change(contact.id, values, lines=given, version=contact.version, actor=SYSTEM, now=clock.now())


def phones(contact: Contact) -> list[str]:
    return [point.normal for point in contact.points if point.kind == "phone"]


def test_a_change_there_alone_is_taken_with_everything_that_hangs_on_it(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    before = only().version
    moved = replace(HOME, line1="2 Oak St", region="")
    changed = replace(AMY, display_name="Amy Wolf", family_name="Wolf", email_text="amy@wolf.example",
                      phones=(PhoneField("primary", "816-555-0202"),), billing_address=moved)  # fmt: skip
    import_(connection, changed)
    contact = only()
    assert (contact.display_name, contact.sort_name, contact.family_name) == ("Amy Wolf", "amy wolf", "Wolf")
    assert (contact.phone, contact.email, phones(contact)) == ("816-555-0202", "amy@wolf.example", ["+18165550202"])
    assert (contact.street, contact.region, contact.version) == ("2 Oak St", "", before + 1)
    assert "wolf" in contact.search_text and "8165550202" in contact.search_text
    assert "5550101" not in contact.search_text and "elm" not in contact.search_text
    keys = db.session.scalars(select(IdentityKey.key).where(IdentityKey.owner_kind == "contact")).all()
    assert any("8165550202" in key for key in keys) and not any("8165550101" in key for key in keys)
    [told] = entries("changed")
    assert "Changed in QuickBooks: " in told and "phone (816) 555-0101 → 816-555-0202" in told
    assert "name Amy Fox → Amy Wolf" in told
    import_(connection, replace(changed, origin=replace(changed.origin, version="9")))
    assert only().version == before + 1 and says() == []
    with pytest.raises(Changed):
        contacts.change(contact.id, {"city": "Rome"}, version=before, actor=SYSTEM, now=clock.now())


def test_an_edit_here_stays_whatever_changes_there(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    edit({"phone": ["816 555 0303"]}, display_name="Amy F. Fox")
    assert says() == ["name Amy Fox", "phone (816) 555-0101"]
    import_(connection, replace(AMY, phones=(PhoneField("primary", "816-555-0202"),), company_name="Fox & Daughter"))
    contact = only()
    assert (contact.display_name, phones(contact), contact.phone) == ("Amy F. Fox", ["+18165550303"], "816 555 0303")
    assert contact.company_name == "Fox & Daughter"
    assert says() == ["name Amy Fox", "phone 816-555-0202"]
    assert entries("changed")[-1] == "Changed in QuickBooks: company Fox Plumbing → Fox & Daughter"


def test_what_a_person_removed_does_not_come_back(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    edit({"email": []}, website="")
    import_(connection, replace(AMY, notes="something else", company_name="Fox Inc"))
    contact = only()
    assert (contact.email, contact.website, contact.company_name) == ("", "", "Fox Inc")
    assert says() == ["website https://fox.example", "e-mail amy@fox.example"]


def test_an_emptied_field_there_empties_nothing_here(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    import_(connection, replace(AMY, phones=(), company_name="", billing_address=None))
    contact = only()
    assert (contact.company_name, contact.street, phones(contact)) == ("Fox Plumbing", "1 Elm St", ["+18165550101"])
    assert says() == ["company nothing", "address nothing", "phone nothing"]


def test_a_person_added_line_outlives_the_change_of_another(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    edit({"phone": ["(816) 555-0101", "816 555 0404"]})
    import_(connection, replace(AMY, phones=(PhoneField("primary", "816-555-0202"),)))
    assert phones(only()) == ["+18165550202", "+18165550404"]
    assert says() == []


def test_a_number_that_moves_to_another_label_is_not_lost(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    fields = (PhoneField("primary", "816-555-0202"), PhoneField("mobile", "(816) 555-0101"))
    import_(connection, replace(AMY, phones=fields))
    assert sorted(phones(only())) == ["+18165550101", "+18165550202"]
    assert says() == []


def test_a_change_of_notation_alone_changes_nothing(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    before = only().version
    import_(connection, replace(AMY, display_name="AMY FOX", phones=(PhoneField("primary", "816.555.0101"),)))
    assert only().version == before and not entries("changed")


def test_at_the_first_link_ours_stays_and_only_what_both_say_is_agreed(connection: Connection) -> None:  # noqa: F811
    have({"name": "Amy Fox", "email": "amy@fox.example", "company_name": "Amy's Pipes"})
    import_(connection, AMY)
    base = db.session.scalars(select(Link.base)).one()
    assert base["display_name"] == "amy fox" and base["phone"] == "+18165550101" and "company_name" not in base
    assert only().company_name == "Amy's Pipes" and says() == ["company Fox Plumbing"]
    import_(connection, replace(AMY, company_name="Fox & Daughter"))
    assert only().company_name == "Amy's Pipes" and says() == ["company Fox & Daughter"]


def test_made_inactive_and_active_again_is_told_once_each(connection: Connection) -> None:  # noqa: F811
    import_(connection, AMY)
    off: CustomerRecord = replace(AMY, display_name="Amy Fox (deleted)", active=False)
    for state in (off, off, AMY, AMY):
        import_(connection, state)
    assert entries("inactivated") == ["Made inactive in QuickBooks; nothing was deleted here."]
    assert entries("activated") == ["Active again in QuickBooks."]
    assert (only().link_state, only().display_name) == ("linked", "Amy Fox")
