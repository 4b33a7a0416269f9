"""Rows for tests. Sensible by default; say only what the test is about."""

from __future__ import annotations

import factory
from factory.alchemy import SQLAlchemyModelFactory

from crm import clock, passwords
from crm.db import db
from crm.models import Contact, User

PASSWORD = "correct horse battery staple"


class Rows(SQLAlchemyModelFactory):
    class Meta:
        abstract = True
        sqlalchemy_session_factory = lambda: db.session  # noqa: E731
        sqlalchemy_session_persistence = "flush"


class UserFactory(Rows):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    name = factory.Sequence(lambda n: f"Person {n}")
    role = "rep"
    password_hash = factory.LazyFunction(lambda: passwords.digest(PASSWORD))
    created_at = factory.LazyFunction(clock.now)


class ContactFactory(Rows):
    class Meta:
        model = Contact

    display_name = factory.Sequence(lambda n: f"Contact {n}")
    sort_name = factory.LazyAttribute(lambda contact: contact.display_name.lower())
    created_at = factory.LazyFunction(clock.now)
    updated_at = factory.LazyFunction(clock.now)
