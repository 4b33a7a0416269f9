"""The part of the contract about writing: what a push does, does once, and says of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from crm.domain import errors
from crm.domain.records import Address, CustomerRecord, Origin, PhoneField
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Draft, Pushed
from tests.providers.world import World, customers, grant

PERSON = CustomerRecord(
    Origin(""), "Contract Customer", given_name="Mary Ann", family_name="Ödegård", company_name="Contract & Sons",
    phones=(PhoneField("primary", "(555) 010-0001"), PhoneField("mobile", "555-0002"),
            PhoneField("alternate", "555-0003 ext. 4"), PhoneField("fax", "555-0004")),
    email_text="mary@contract.example", website="http://contract.example",
    billing_address=Address(line1="1 Main St", city="Springfield", region="IL", postal_code="62701", country="USA"),
)  # fmt: skip
#: Shared field -> (what of a record shows it, that part changed, and cleared).
SHARED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "given_name": ("given_name", {"given_name": "Ann"}, {"given_name": ""}),
    "family_name": ("family_name", {"family_name": "O'Dea \\ Söhne"}, {"family_name": ""}),
    "company_name": ("company_name", {"company_name": "Other"}, {"company_name": ""}),
    "website": ("website", {"website": "http://other.example"}, {"website": ""}),
    "email": ("email_text", {"email_text": "a@b.example, c@d.example"}, {"email_text": ""}),
    "address": ("billing_address", {"billing_address": Address(line1="2 Side St", city="Shelbyville")},
                {"billing_address": None}),
    **{field: ("phones", {"phones": tuple(replace(phone, text="555-9999") if phone.label == label else phone
                                          for phone in PERSON.phones)},
               {"phones": tuple(phone for phone in PERSON.phones if phone.label != label)})
       for field, label in (("phone", "primary"), ("mobile", "mobile"), ("other", "alternate"), ("fax", "fax"))},
}  # fmt: skip


def draft(
    world: World,
    operation: str,
    record: CustomerRecord | None,
    *,
    fields: Collection[str] = (),
    current: CustomerRecord | None = None,
    item: str = "e1",
) -> Draft:
    """The body goes through JSON and back, as it does when it is kept until it is sent."""
    body = registry.body(world.name)("customer", operation, record, fields=fields, current=current)
    return Draft(item, "customer", operation, json.loads(json.dumps(body)))


def key() -> str:
    return uuid4().hex


def one(pushed: Sequence[Pushed]) -> CustomerRecord:
    """The record of the only outcome."""
    (outcome,) = pushed
    assert isinstance(outcome.record, CustomerRecord), outcome.error
    return outcome.record


def made(world: World, books: Accounting, name: str = PERSON.display_name) -> CustomerRecord:
    return one(books.push([draft(world, "create", replace(PERSON, display_name=name))], key=key()))


def stands(books: Accounting, remote_id: str) -> CustomerRecord:
    """The customer as it is read."""
    (record,) = books.fetch("customer", [remote_id]).records
    assert isinstance(record, CustomerRecord)
    return record


class WritingContract:
    def test_a_customer_is_created_as_it_was_said_and_answered_as_it_stands(self, world: World) -> None:
        books = world.granted()
        before = world.ids("customer")
        record = made(world, books)
        assert world.ids("customer") - before == {record.origin.remote_id}
        assert record == stands(books, record.origin.remote_id)
        for name in ("display_name", "given_name", "family_name", "company_name", "phones", "email_text", "website",
                     "billing_address", "active", "parent_id"):  # fmt: skip
            assert getattr(record, name) == getattr(PERSON, name), name

    @pytest.mark.parametrize("field", SHARED)
    @pytest.mark.parametrize("cleared", [False, True], ids=["changed", "cleared"])
    def test_an_update_sends_the_fields_it_names_and_leaves_the_others(
        self, world: World, field: str, cleared: bool
    ) -> None:
        books = world.granted()
        current = made(world, books)
        shown, changed, empty = SHARED[field]
        wanted = replace(current, **(empty if cleared else changed))
        elsewhere = replace(wanted, display_name="Must not be sent", notes="Must not be sent")
        after = one(books.push([draft(world, "update", elsewhere, fields=[field], current=current)], key=key()))
        assert getattr(after, shown) == getattr(wanted, shown)
        for name in {shown for shown, _, _ in SHARED.values()} - {shown} | {"display_name", "notes", "active"}:
            assert getattr(after, name) == getattr(current, name), name
        assert after.origin.version != current.origin.version
        assert after == stands(books, current.origin.remote_id)

    def test_a_customer_gets_another_name(self, world: World) -> None:
        books = world.granted()
        current = made(world, books)
        wanted = replace(current, display_name="Another Name")
        after = one(books.push([draft(world, "update", wanted, fields=["display_name"], current=current)], key=key()))
        assert (after.display_name, after.email_text) == ("Another Name", current.email_text)

    def test_a_customer_is_deactivated_and_comes_back(self, world: World) -> None:
        books = world.granted()
        current = made(world, books)
        away = one(books.push([draft(world, "deactivate", None, current=current)], key=key()))
        assert (away.active, away.display_name) == (False, current.display_name)
        assert away == stands(books, current.origin.remote_id)
        back = one(books.push([draft(world, "reactivate", away, current=away)], key=key()))
        assert (back.active, back.display_name) == (True, current.display_name)
        assert back == stands(books, current.origin.remote_id)

    # --- once

    def test_the_same_drafts_with_the_same_key_do_nothing_twice(self, world: World) -> None:
        books = world.granted()
        drafts = [
            draft(world, "create", replace(PERSON, display_name=name), item=item)
            for item, name in (("e1", "First"), ("e2", "Second"))
        ]
        before, repeated = world.ids("customer"), key()
        first = {pushed.item: pushed.record for pushed in books.push(drafts, key=repeated)}
        assert {pushed.item: pushed.record for pushed in books.push(drafts, key=repeated)} == first
        (alone,) = books.push(drafts[1:], key=repeated)  # fewer are allowed
        assert alone.record == first["e2"] is not None
        assert len(world.ids("customer") - before) == 2

    @pytest.mark.parametrize("what", ["lost", "late"])
    def test_an_answer_lost_after_the_work_is_told_by_the_same_key(self, world: World, what: str) -> None:
        books = world.granted()
        before, repeated, drafts = world.ids("customer"), key(), [draft(world, "create", PERSON)]
        world.trouble(what)
        with pytest.raises(errors.OutcomeUnknown):
            books.push(drafts, key=repeated)
        record = one(books.push(drafts, key=repeated))
        assert world.ids("customer") - before == {record.origin.remote_id}

    @pytest.mark.parametrize("what", ["down", "page", "dropped"])
    def test_a_write_is_sent_once_and_repeated_only_by_who_keeps_its_key(self, world: World, what: str) -> None:
        books = world.granted()
        before, repeated, drafts = world.ids("customer"), key(), [draft(world, "create", PERSON)]
        world.trouble(what)
        with pytest.raises((errors.OutcomeUnknown, errors.Unavailable)) as caught:
            books.push(drafts, key=repeated)
        assert caught.value.__context__ is None
        assert len(world.calls) == 1
        assert world.ids("customer") == before
        assert one(books.push(drafts, key=repeated)).display_name == PERSON.display_name

    def test_a_throttled_write_is_not_done_and_says_how_long_to_wait(self, world: World) -> None:
        books = world.granted()
        before = world.ids("customer")
        world.trouble("throttled")
        with pytest.raises(errors.RateLimited) as caught:
            books.push([draft(world, "create", PERSON)], key=key())
        assert (caught.value.retry_after or 0) > 0
        assert world.ids("customer") == before

    def test_a_write_with_a_token_that_ran_out_says_so_and_is_not_done(self, world: World) -> None:
        tokens, repeated, drafts = grant(world), key(), [draft(world, "create", PERSON)]
        world.expire()
        with pytest.raises(errors.AccessExpired):
            world.books(tokens.access_token).push(drafts, key=repeated)
        renewed = world.books(world.oauth().refresh(tokens.refresh_token).access_token)
        assert one(renewed.push(drafts, key=repeated)).display_name == PERSON.display_name

    # --- refused

    def test_who_writes_over_another_version_is_refused_and_changes_nothing(self, world: World) -> None:
        books = world.granted()
        current = made(world, books)
        world.rename(current.origin.remote_id, "Renamed there")
        wanted = replace(current, email_text="new@contract.example")
        (refused,) = books.push([draft(world, "update", wanted, fields=["email"], current=current)], key=key())
        assert type(refused.error) is errors.Stale
        there = stands(books, current.origin.remote_id)
        assert (there.display_name, there.email_text) == ("Renamed there", current.email_text)
        again = replace(there, email_text="new@contract.example")
        after = one(books.push([draft(world, "update", again, fields=["email"], current=there)], key=key()))
        assert (after.display_name, after.email_text) == ("Renamed there", "new@contract.example")

    def test_a_name_that_is_taken_is_refused_whatever_its_case(self, world: World) -> None:
        books = world.granted()
        holder = made(world, books)
        twin = replace(PERSON, display_name=PERSON.display_name.upper())
        (refused,) = books.push([draft(world, "create", twin)], key=key())
        assert type(refused.error) is errors.DuplicateName
        assert refused.error.remote_id in (None, holder.origin.remote_id)
        assert str(refused.error).count(".") >= 1

    def test_an_update_of_what_is_not_there_finds_it_gone(self, world: World) -> None:
        books = world.granted()
        current = made(world, books)
        nobody = replace(current, origin=replace(current.origin, remote_id="99999999"))
        (refused,) = books.push([draft(world, "update", nobody, fields=["email"], current=nobody)], key=key())
        assert type(refused.error) is errors.Gone

    def test_one_bad_write_does_not_stop_the_others(self, world: World) -> None:
        books = world.granted()
        current = made(world, books)
        drafts = [
            draft(world, "create", replace(PERSON, display_name="Before"), item="e1"),
            draft(world, "create", PERSON, item="e2"),
            draft(world, "update", replace(current, website="http://x.example"), fields=["website"], current=current,
                  item="e3"),
            draft(world, "create", replace(PERSON, display_name="After"), item="e4"),
        ]  # fmt: skip
        found = {pushed.item: pushed for pushed in books.push(drafts, key=key())}
        assert set(found) == {"e1", "e2", "e3", "e4"}
        assert isinstance(found["e2"].error, errors.DuplicateName)
        assert [item for item, pushed in found.items() if pushed.record is None] == ["e2"]
        assert {"Before", "After"} <= {customer.display_name for customer in customers(books).values()}

    def test_a_refusal_carries_the_vendors_words_and_its_trace(self, world: World) -> None:
        books = world.granted()
        made(world, books)
        (refused,) = books.push([draft(world, "create", PERSON)], key=key())
        assert refused.error is not None
        assert refused.error.cause.trace_id
        assert refused.error.cause.code

    # --- the call

    def test_a_push_is_one_call_that_costs_nothing(self, world: World) -> None:
        books = world.granted()
        size = books.spec.push_size
        drafts = [
            draft(world, "create", replace(PERSON, display_name=f"Customer {number}"), item=f"e{number}")
            for number in range(size)
        ]
        assert len([pushed for pushed in books.push(drafts, key=key()) if pushed.record]) == size
        (call,) = world.calls
        assert (call.metered, call.status, call.error) == (False, world.status, "")
        assert call.trace_id

    def test_what_a_push_cannot_be_is_a_fault_of_ours(self, world: World) -> None:
        books = world.granted()
        small = draft(world, "create", PERSON)
        many = [replace(small, item=f"e{number}") for number in range(books.spec.push_size + 1)]
        for drafts in (many, [replace(small, kind="unicorn")], [replace(small, operation="frobnicate")]):
            with pytest.raises(ValueError):
                books.push(drafts, key=key())
        assert tuple(books.push([], key=key())) == ()
        assert world.calls == []

    def test_a_name_is_needed(self, world: World) -> None:
        with pytest.raises(errors.InvalidValue):
            draft(world, "create", replace(PERSON, display_name="", given_name="", family_name="", company_name=""))
