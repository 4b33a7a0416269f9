"""Colleagues are called by their names on pages; the audit trail keeps the address that a renaming does not change."""

from collections.abc import Callable

from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft
from crm.models import AuditEntry, TimelineEntry, User
from crm.services import contacts
from crm.services.audit import Actor, record


def test_the_timeline_names_the_person_and_the_audit_trail_both(
    client: FlaskClient, sign_in: Callable[..., User]
) -> None:
    kim = sign_in("admin")
    name, email = kim.name, kim.email
    with transaction():
        made = contacts.create(Draft({"display_name": "Anna Ode"}), actor=Actor.of(kim), now=clock.now())
        record("role_changed", actor=Actor.of(kim), now=clock.now(), summary="somebody")
    assert db.session.query(TimelineEntry.actor).filter_by(contact_id=made.id).scalar() == name
    assert db.session.query(AuditEntry.actor).filter_by(action="role_changed").scalar() == email
    assert email in client.get("/audit/?action=role_changed").text
    assert name in client.get(f"/contacts/{made.id}").text


def test_somebody_without_a_name_is_called_by_their_address() -> None:
    assert Actor.of(User(id=1, email="kim@example.com", name="")).label == "kim@example.com"
