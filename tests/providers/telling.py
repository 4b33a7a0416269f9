"""The part of the contract about what the books tell: changes, who bears a name, who owes what, and webhooks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from crm.domain.records import CustomerRecord, DocumentRecord
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Notification
from tests.providers.world import World, customers, pages
from tests.providers.writing import PERSON, draft, key, made, stands

BUCKETS = {"current", "1-30", "31-60", "61-90", "over-90"}
LATE = date(2090, 1, 1)
"""When everything is dated and due."""


def lately() -> datetime:
    """Before what this test does; the clock there may have whole seconds."""
    return datetime.now(UTC) - timedelta(seconds=2)


def a_customer(books: Accounting) -> CustomerRecord:
    """One of them, active, that owes nothing."""
    return next(one for _, one in sorted(customers(books).items()) if one.active and not one.balance_with_jobs)


class TellingContract:
    def test_the_spec_names_only_kinds_that_can_be_read(self, world: World) -> None:
        spec = registry.spec(world.name)
        for kinds in (spec.push_kinds, spec.change_kinds, spec.name_kinds):
            assert set(kinds) <= set(spec.kinds)
        assert "customer" in set(spec.push_kinds) & set(spec.change_kinds) & set(spec.name_kinds)
        assert spec.push_size >= 1

    # --- changes

    def test_nothing_changed_is_one_call_and_says_until_when(self, world: World) -> None:
        books = world.granted()
        told = books.changes(books.spec.change_kinds, datetime.now(UTC) + timedelta(days=1))
        assert (told.records, told.gone, told.refusals, told.complete) == ((), (), (), True)
        assert abs(told.until - datetime.now(UTC)) < timedelta(minutes=1)
        assert told.until.utcoffset() == timedelta(0)
        assert len(world.calls) == 1

    def test_what_is_new_changed_inactive_or_deleted_is_told_as_it_stands(self, world: World) -> None:
        books = world.granted()
        since = lately()
        quiet = [one for _, one in sorted(customers(books).items()) if one.active and not one.balance_with_jobs]
        changed, away = quiet[:2]
        new = made(world, books)
        world.rename(changed.origin.remote_id, "Renamed there")
        world.deactivate(away.origin.remote_id)
        invoice = sorted(world.ids("invoice"))[0]
        world.remove("invoice", invoice)
        told = books.changes(books.spec.change_kinds, since)
        found = {record.origin.remote_id: record for record in told.records if isinstance(record, CustomerRecord)}
        assert found[new.origin.remote_id] == new
        assert found[changed.origin.remote_id].display_name == "Renamed there"
        assert found[away.origin.remote_id] == stands(books, away.origin.remote_id)
        assert ("invoice", invoice) in {(gone.kind, gone.remote_id) for gone in told.gone}
        assert all(gone.at is None or gone.at.utcoffset() == timedelta(0) for gone in told.gone)
        assert told.complete

    def test_only_the_kinds_that_are_asked_for_are_told(self, world: World) -> None:
        books = world.granted()
        since = lately()
        made(world, books)
        world.remove("invoice", sorted(world.ids("invoice"))[0])
        told = books.changes(["invoice"], since)
        assert {gone.kind for gone in told.gone} == {"invoice"}
        assert not [record for record in told.records if isinstance(record, CustomerRecord)]

    def test_a_changed_record_that_cannot_be_read_hides_no_others(self, world: World) -> None:
        books = world.granted()
        since = lately()
        spoiled, new = a_customer(books), made(world, books)
        world.rename(spoiled.origin.remote_id, "Renamed there")
        world.spoil("customer", spoiled.origin.remote_id)
        told = books.changes(["customer"], since)
        assert spoiled.origin.remote_id in {refusal.remote_id for refusal in told.refusals}
        assert new in told.records

    def test_changes_of_a_kind_that_none_tells_of_are_a_fault_of_ours(self, world: World) -> None:
        with pytest.raises(ValueError, match="unicorn"):
            world.granted().changes(["unicorn"], lately())

    # --- who bears a name

    def test_names_are_found_in_any_case_inactive_ones_under_their_own(self, world: World) -> None:
        books = world.granted()
        first, second = made(world, books, "Zoë O'Brien \\ Partner"), made(world, books, "Zwei & Söhne")
        world.deactivate(second.origin.remote_id)
        page = books.find("customer", ["ZOË O'Brien \\ partner", "zwei & söhne", "Nobody at all", "Zwei & Söhne"])
        found = {record.origin.remote_id: record for record in page.records}
        assert found == {first.origin.remote_id: first, second.origin.remote_id: stands(books, second.origin.remote_id)}

    def test_every_kind_of_the_namespace_can_be_asked(self, world: World) -> None:
        books = world.granted()
        for kind in books.spec.name_kinds:
            for record in books.scan(kind).records[:2]:
                name = record.display_name  # type: ignore[union-attr]
                assert record in books.find(kind, [name]).records

    def test_a_name_is_only_ever_a_name(self, world: World) -> None:
        odd = ["x') OR Id IN ('1", "\\", "'", "%", "", "\n", "\U0001f600", "&x=1#"]
        books = world.granted()
        assert books.find("customer", odd).records == ()
        assert books.find("customer", []).records == ()

    def test_hundreds_of_names_are_asked_in_few_calls(self, world: World) -> None:
        books = world.granted()
        wanted = [customer.display_name for customer in customers(books).values() if customer.active]
        world.calls.clear()
        page = books.find("customer", [*wanted, *(f"Nobody {number}" for number in range(200))])
        assert {record.origin.remote_id for record in page.records} >= {
            remote_id for remote_id, customer in customers(books).items() if customer.active
        }
        assert len([call for call in world.calls if call.operation == world.calls[0].operation]) < 50

    def test_names_of_a_kind_without_any_are_a_fault_of_ours(self, world: World) -> None:
        with pytest.raises(ValueError, match="term"):
            world.granted().find("term", ["x"])

    # --- who owes what

    def test_the_aged_receivables_hold_each_customers_balance(self, world: World) -> None:
        books = world.granted()
        rows = {row.remote_id: row for row in books.receivables(LATE)}
        assert len(world.calls) == 1
        known = customers(books)
        for remote_id, customer in known.items():
            total = rows[remote_id].amounts["total"] if remote_id in rows else Decimal(0)
            assert total == (customer.balance or 0), customer.display_name
        assert rows
        for remote_id, row in rows.items():
            assert row.name.startswith(known[remote_id].display_name)
            assert set(row.amounts) == {*BUCKETS, "total"}
            assert all(type(amount) is Decimal for amount in row.amounts.values())
            assert sum(row.amounts[bucket] for bucket in BUCKETS) == row.amounts["total"]

    def test_what_is_owed_ages_with_the_day_that_is_asked_for(self, world: World) -> None:
        books = world.granted()
        late = books.receivables(LATE)
        assert late and all(row.amounts["over-90"] == row.amounts["total"] for row in late)
        assert tuple(books.receivables(date(1950, 1, 1))) == ()
        invoices = [record for page in pages(books, "invoice") for record in page.records]
        newest = max(
            record.due_date
            for record in invoices
            if isinstance(record, DocumentRecord) and record.due_date and record.balance
        )
        assert any(row.amounts["current"] for row in books.receivables(newest))
        assert any(row.amounts["1-30"] for row in books.receivables(newest + timedelta(days=1)))

    # --- webhooks

    def test_what_happens_is_posted_signed_and_can_be_read(self, world: World) -> None:
        books, webhooks = world.granted(), registry.webhooks(world.name)
        world.posted()
        changed, new = a_customer(books), made(world, books)  # in this order: the new one is not the one renamed
        world.rename(changed.origin.remote_id, "Renamed there")
        invoice = sorted(world.ids("invoice"))[0]
        world.remove("invoice", invoice)
        deliveries = world.posted()
        assert deliveries
        for body, headers in deliveries:
            assert webhooks.verify(body, headers, secret=world.secret)
            parsed = webhooks.parse(body)
            assert parsed.problems == ()
            assert {(event.kind, event.remote_id, event.verb) for event in parsed.notifications} >= {
                ("customer", new.origin.remote_id, "created"), ("customer", changed.origin.remote_id, "updated"),
                ("invoice", invoice, "deleted"),
            }  # fmt: skip
            assert {event.realm_id for event in parsed.notifications} == {world.realm_id}
            assert all(self._sound(event) for event in parsed.notifications)
            ids = [event.event_id for event in parsed.notifications]
            assert len(set(ids)) == len(ids)
            assert [event.event_id for event in webhooks.parse(body).notifications] == ids
        assert len({webhooks.parse(body).form for body, _ in deliveries}) == len(deliveries)

    def test_the_same_change_twice_is_two_events(self, world: World) -> None:
        books, webhooks = world.granted(), registry.webhooks(world.name)
        current = made(world, books)
        world.posted()
        seen: list[str] = []
        for number in range(2):
            wanted = replace(PERSON, email_text=f"{number}@contract.example")
            (outcome,) = books.push([draft(world, "update", wanted, fields=["email"], current=current)], key=key())
            assert isinstance(outcome.record, CustomerRecord)
            current = outcome.record
            seen += [event.event_id for body, _ in world.posted() for event in webhooks.parse(body).notifications]
        assert len(set(seen)) == len(seen) >= 2

    def test_a_post_that_was_not_signed_so_is_nobodys(self, world: World) -> None:
        webhooks = registry.webhooks(world.name)
        world.posted()
        made(world, world.granted())
        for body, headers in world.posted():
            assert not webhooks.verify(body + b" ", headers, secret=world.secret)
            assert not webhooks.verify(body, headers, secret="another")
            assert not webhooks.verify(body, headers, secret="")
            assert not webhooks.verify(body, {}, secret=world.secret)
            assert not webhooks.verify(body, dict.fromkeys(headers, "\xe9"), secret=world.secret)
            assert not set(webhooks.headers) & {name for name in headers if "signature" in name}

    @pytest.mark.parametrize("body", [b"", b"{", b"null", b"7", b'"x"', b"{}", b"\xff\xfe", b"<html>", b"[" * 9000])
    def test_a_body_that_is_nothing_is_refused_with_a_sentence(self, world: World, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"\.$"):
            registry.webhooks(world.name).parse(body)

    def _sound(self, event: Notification) -> bool:
        """Fit to be kept: within what a row holds."""
        aware = event.occurred_at is not None and event.occurred_at.utcoffset() == timedelta(0)
        return aware and 0 < len(event.event_id) <= 128 and len(event.remote_id) <= 40 and bool(event.entity)
