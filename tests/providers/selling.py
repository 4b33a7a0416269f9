"""The part of the contract about the rep's day: products, quotes, invoices and payments, written and found again."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.domain import errors
from crm.domain.records import (
    Application,
    DocumentRecord,
    ItemRecord,
    LineRecord,
    LinkedDocument,
    ListRecord,
    Origin,
    PaymentRecord,
    Ref,
)
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Draft
from tests.providers.world import World, customers, pages
from tests.providers.writing import key

DAY = date(2026, 11, 20)
KINDS = ("item", "estimate", "invoice", "payment")


def drafted(
    world: World, kind: str, operation: str, record: Any, *, fields: Collection[str] = (), current: Any = None
) -> Draft:
    """The body goes through JSON and back, as it does when it is kept until it is sent."""
    made = registry.body(world.name)(kind, operation, record, fields=fields, current=current)
    return Draft("e1", kind, operation, json.loads(json.dumps(made)))


def written(
    world: World, books: Accounting, kind: str, operation: str, record: Any, *, fields: Collection[str] = (),
    current: Any = None,
) -> Any:  # fmt: skip
    draft = drafted(world, kind, operation, record, fields=fields, current=current)
    (outcome,) = books.push([draft], key=key())
    assert outcome.error is None, outcome.error
    if outcome.record is not None:
        assert books.fetch(kind, [outcome.record.origin.remote_id]).records == (outcome.record,)
    return outcome.record


def a_payer(books: Accounting) -> Ref:
    return Ref(next(remote_id for remote_id, one in sorted(customers(books).items()) if one.active))


def a_product(books: Accounting) -> ItemRecord:
    found = (record for page in pages(books, "item") for record in page.records if isinstance(record, ItemRecord))
    return next(one for one in found if one.active and one.type == "service")


def lines(item: Ref) -> tuple[LineRecord, ...]:
    """What comes to 8.33 + 100.00 + 0.05 = 108.38."""
    return (
        LineRecord(
            None, "item", "Fence", quantity=Decimal("2.5"), unit_price=Decimal("3.33"), item=item, taxable=False
        ),
        LineRecord(None, "item", "Labor", quantity=Decimal(4), unit_price=Decimal(25), item=item, taxable=False),
        LineRecord(None, "text", "Thanks for your business"),
        LineRecord(None, "item", "Nail", quantity=Decimal("0.5"), unit_price=Decimal("0.09"), item=item, taxable=False),
    )


def an_expense(books: Accounting) -> Ref | None:
    """An account that costs are booked to, in books that have accounts."""
    if "account" not in books.spec.kinds:
        return None
    accounts = (record for page in pages(books, "account") for record in page.records if isinstance(record, ListRecord))
    return next(Ref(one.origin.remote_id) for one in accounts if one.active and one.details.get("type") == "Expense")


TOTAL = Decimal("108.38")


def a_document(books: Accounting, kind: str, **changes: Any) -> DocumentRecord:
    item = a_product(books)
    said = DocumentRecord(kind, Origin(""), a_payer(books), date=DAY, customer_memo="Thanks", private_note="Ring twice",
                          lines=lines(Ref(item.origin.remote_id)))  # fmt: skip
    return replace(said, **changes)


def items_of(record: DocumentRecord) -> list[LineRecord]:
    return [line for line in record.lines if line.kind in ("item", "text")]


class SellingContract:
    # --- products

    def test_a_product_is_written_found_changed_and_put_aside(self, world: World) -> None:
        books = world.granted()
        income = a_product(books).income_account
        said = ItemRecord(Origin(""), "Contract Drain \\ Tile's", type="service", sku="C-77", description="Four inches",
                          price=Decimal("9.995"), cost=Decimal("4.50"), purchase_description="Buy by the foot",
                          income_account=income, expense_account=an_expense(books))  # fmt: skip
        new = written(world, books, "item", "create", said)
        for name in ("name", "sku", "description", "price", "type", "active"):
            assert getattr(new, name) == getattr(said, name), name
        for name in (said.name, said.name.upper(), said.sku):
            assert books.find("item", [name]).records == (new,)
        wanted = replace(new, price=Decimal("10.25"), name="Must not be sent")
        changed = written(world, books, "item", "update", wanted, fields=["price"], current=new)
        assert (changed.price, changed.name, changed.sku) == (Decimal("10.25"), said.name, said.sku)
        away = written(world, books, "item", "deactivate", None, current=changed)
        assert (away.active, away.name) == (False, said.name)
        assert books.find("item", [said.name]).records == (away,)
        back = written(world, books, "item", "reactivate", away, current=away)
        assert (back.active, back.name) == (True, said.name)

    def test_two_products_cannot_bear_one_name(self, world: World) -> None:
        books = world.granted()
        holder = a_product(books)
        twin = replace(holder, origin=Origin(""), full_path="", sku="", extra={})
        (refused,) = books.push([drafted(world, "item", "create", twin)], key=key())
        assert isinstance(refused.error, errors.DuplicateName)

    # --- quotes and invoices

    @pytest.mark.parametrize("kind", ["estimate", "invoice"])
    def test_a_document_is_created_as_it_was_said_and_comes_to_its_sum(self, world: World, kind: str) -> None:
        books = world.granted()
        before = world.ids(kind)
        said = a_document(books, kind)
        new = written(world, books, kind, "create", said)
        assert world.ids(kind) - before == {new.origin.remote_id}
        assert (new.total, new.date, new.customer.remote_id) == (TOTAL, DAY, said.customer.remote_id)
        assert (new.customer_memo, new.private_note, new.void) == ("Thanks", "Ring twice", False)
        assert new.number
        assert kind == "estimate" or new.balance == TOTAL
        shown = [(line.kind, line.description, line.quantity, line.unit_price, line.item and line.item.remote_id)
                 for line in items_of(new)]  # fmt: skip
        assert shown == [
            (line.kind, line.description, line.quantity, line.unit_price, line.item and line.item.remote_id)
            for line in said.lines
        ]
        assert [line.amount for line in items_of(new) if line.kind == "item"] == [
            Decimal("8.33"), Decimal(100), Decimal("0.05"),
        ]  # fmt: skip
        ids = [line.remote_id for line in items_of(new)]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    @pytest.mark.parametrize("kind", ["estimate", "invoice"])
    def test_lines_are_known_by_their_ids(self, world: World, kind: str) -> None:
        """One is changed, one taken out, one added: the others stay who they are."""
        books = world.granted()
        current = written(world, books, kind, "create", a_document(books, kind))
        fence, labor, text, _ = items_of(current)
        added = LineRecord(
            None, "item", "Gate", quantity=Decimal(1), unit_price=Decimal(7), item=fence.item, taxable=False
        )
        wanted = (fence, replace(labor, quantity=Decimal(5), amount=None), text, added)
        after = written(world, books, kind, "update", replace(current, lines=wanted), fields=["lines"], current=current)
        assert [line.remote_id for line in items_of(after)][:3] == [fence.remote_id, labor.remote_id, text.remote_id]
        assert items_of(after)[3].remote_id not in {None, fence.remote_id, labor.remote_id, text.remote_id}
        assert [line.description for line in items_of(after)] == ["Fence", "Labor", text.description, "Gate"]
        assert after.total == Decimal("140.33")
        assert (after.customer_memo, after.private_note) == ("Thanks", "Ring twice")

    @pytest.mark.parametrize("kind", ["estimate", "invoice"])
    def test_an_update_leaves_alone_what_it_does_not_name(self, world: World, kind: str) -> None:
        books = world.granted()
        current = written(world, books, kind, "create", a_document(books, kind))
        elsewhere = replace(current, customer_memo="New words", private_note="Must not be sent", lines=())
        after = written(world, books, kind, "update", elsewhere, fields=["customer_memo"], current=current)
        assert after.customer_memo == "New words"
        assert replace(after, customer_memo="", origin=Origin("")) == replace(
            current, customer_memo="", origin=Origin("")
        )
        bare = written(world, books, kind, "update", replace(after, private_note=""), fields=["private_note"],
                       current=after)  # fmt: skip
        assert (bare.private_note, bare.customer_memo, bare.lines) == ("", "New words", after.lines)
        assert bare.total == TOTAL

    def test_a_discount_is_taken_off_the_whole(self, world: World) -> None:
        books = world.granted()
        said = a_document(books, "invoice")
        tenth = LineRecord(None, "discount", discount_percent=Decimal(10))
        new = written(world, books, "invoice", "create", replace(said, lines=(*said.lines, tenth)))
        assert (new.total, new.discount_percent, new.discount_amount) == (Decimal("97.54"), 10, Decimal("10.84"))
        flat = LineRecord(None, "discount", amount=Decimal("8.38"))
        wanted = replace(new, lines=(*items_of(new), flat))
        after = written(world, books, "invoice", "update", wanted, fields=["lines"], current=new)
        assert (after.total, after.discount_percent, after.discount_amount) == (100, None, Decimal("8.38"))

    def test_a_quote_is_accepted_and_becomes_an_invoice_that_names_it(self, world: World) -> None:
        books = world.granted()
        quote = written(
            world, books, "estimate", "create", a_document(books, "estimate", expires_on=date(2026, 12, 31))
        )
        assert (quote.status, quote.expires_on) in (("pending", date(2026, 12, 31)), ("", date(2026, 12, 31)))
        yes = replace(quote, status="accepted", accepted_by="Mary", accepted_on=DAY)
        names = ["status", "accepted_by", "accepted_on"]
        accepted = written(world, books, "estimate", "update", yes, fields=names, current=quote)
        assert (accepted.status, accepted.accepted_by, accepted.accepted_on) == ("accepted", "Mary", DAY)
        link = LinkedDocument("estimate", quote.origin.remote_id)
        said = replace(a_document(books, "invoice"), customer=quote.customer, linked=(link,))
        invoice = written(world, books, "invoice", "create", said)
        assert [(one.kind, one.remote_id) for one in invoice.linked] == [("estimate", quote.origin.remote_id)]
        assert invoice.total == quote.total

    def test_an_invoice_is_voided_and_one_is_deleted(self, world: World) -> None:
        books = world.granted()
        new = written(world, books, "invoice", "create", a_document(books, "invoice"))
        void = written(world, books, "invoice", "void", None, current=new)
        assert (void.void, void.total, void.balance, void.number) == (True, 0, 0, new.number)
        other = written(world, books, "invoice", "create", a_document(books, "invoice"))
        assert written(world, books, "invoice", "delete", None, current=other) is None
        assert books.fetch("invoice", [other.origin.remote_id]).records == ()

    def test_documents_are_found_by_number_and_what_was_just_made_by_its_owner(self, world: World) -> None:
        books = world.granted()
        since = datetime.now(UTC) - timedelta(seconds=2)
        new = written(world, books, "invoice", "create", a_document(books, "invoice"))
        assert new in books.find("invoice", [new.number]).records
        assert books.find("invoice", ["Nobody's number"]).records == ()
        assert new in books.recent("invoice", new.customer.remote_id, since).records
        other = next(one for one in sorted(customers(books)) if one != new.customer.remote_id)
        assert new not in books.recent("invoice", other, since).records
        assert books.recent("invoice", "1') OR Id IN ('2", since).records == ()
        assert books.recent("invoice", new.customer.remote_id, since + timedelta(days=1)).records == ()
        assert set(books.spec.recent_kinds) >= {"estimate", "invoice", "payment"}
        with pytest.raises(ValueError, match="item"):
            books.recent("item", "1", since)

    # --- payments

    def test_a_payment_lowers_what_is_open_and_a_void_gives_it_back(self, world: World) -> None:
        books = world.granted()
        first, second = (written(world, books, "invoice", "create", a_document(books, "invoice")) for _ in range(2))
        parts = (Application("invoice", first.origin.remote_id, TOTAL),
                 Application("invoice", second.origin.remote_id, Decimal("8.38")))  # fmt: skip
        said = PaymentRecord(
            Origin(""), first.customer, date=DAY, total=Decimal(120), reference="No. 77", applied=parts
        )
        paid = written(world, books, "payment", "create", said)
        assert (paid.total, paid.unapplied, paid.reference) == (120, Decimal("3.24"), "No. 77")
        assert [(one.kind, one.remote_id, one.amount) for one in paid.applied] == [
            (one.kind, one.remote_id, one.amount) for one in parts
        ]
        assert self._open(books, first, second) == [0, 100]
        assert books.find("payment", ["No. 77"]).records == (paid,)
        wanted = replace(paid, private_note="Checked")
        noted = written(world, books, "payment", "update", wanted, fields=["private_note"], current=paid)
        assert (noted.private_note, noted.total, len(noted.applied)) == ("Checked", 120, 2)
        void = written(world, books, "payment", "void", None, current=noted)
        assert (void.void, void.total, void.applied) == (True, 0, ())
        assert self._open(books, first, second) == [TOTAL, TOTAL]

    def test_a_payment_that_is_deleted_gives_back_too(self, world: World) -> None:
        books = world.granted()
        invoice = written(world, books, "invoice", "create", a_document(books, "invoice"))
        part = Application("invoice", invoice.origin.remote_id, Decimal(8))
        said = PaymentRecord(Origin(""), invoice.customer, date=DAY, total=Decimal(8), applied=(part,))
        paid = written(world, books, "payment", "create", said)
        assert self._open(books, invoice) == [TOTAL - 8]
        assert written(world, books, "payment", "delete", None, current=paid) is None
        assert self._open(books, invoice) == [TOTAL]

    def test_more_than_was_paid_cannot_be_applied(self, world: World) -> None:
        said = PaymentRecord(Origin(""), Ref("1"), total=Decimal(8), applied=(Application("invoice", "1", Decimal(9)),))
        with pytest.raises(errors.InvalidValue, match=r"\.$"):
            drafted(world, "payment", "create", said)

    def _open(self, books: Accounting, *invoices: DocumentRecord) -> list[Any]:
        ids = [one.origin.remote_id for one in invoices]
        found = {record.origin.remote_id: record for record in books.fetch("invoice", ids).records}
        return [found[one].balance for one in ids]  # type: ignore[union-attr]

    # --- once, and in whose version

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_create_with_the_same_key_is_done_once(self, world: World, kind: str) -> None:
        books = world.granted()
        draft, repeated, before = self._new(world, books, kind), key(), world.ids(kind)
        world.trouble("lost")
        with pytest.raises(errors.OutcomeUnknown):
            books.push([draft], key=repeated)
        (told,) = books.push([draft], key=repeated)
        assert told.record is not None
        assert books.push([draft], key=repeated)[0].record == told.record
        assert world.ids(kind) - before == {told.record.origin.remote_id}

    @pytest.mark.parametrize("kind", ["estimate", "invoice"])
    def test_who_writes_over_another_version_changes_nothing(self, world: World, kind: str) -> None:
        books = world.granted()
        current = written(world, books, kind, "create", a_document(books, kind))
        wanted = replace(current, customer_memo="Theirs")
        there = written(world, books, kind, "update", wanted, fields=["customer_memo"], current=current)
        for operation in ("update", "delete"):
            late = drafted(world, kind, operation, replace(current, private_note="Ours"), fields=["private_note"],
                           current=current)  # fmt: skip
            (refused,) = books.push([late], key=key())
            assert type(refused.error) is errors.Stale
        assert books.fetch(kind, [current.origin.remote_id]).records == (there,)

    def _new(self, world: World, books: Accounting, kind: str) -> Draft:
        if kind == "item":
            said: Any = ItemRecord(Origin(""), "Contract Post", type="service",
                                   income_account=a_product(books).income_account)  # fmt: skip
        elif kind == "payment":
            said = PaymentRecord(Origin(""), a_payer(books), date=DAY, total=Decimal("0.37"))
        else:
            said = a_document(books, kind)
        return drafted(world, kind, "create", said)

    # --- e-mail and print

    def test_what_the_books_send_and_print_is_sent_once_and_printed(self, world: World) -> None:
        books = world.granted()
        for kind in books.spec.send_kinds:
            if kind not in ("estimate", "invoice"):
                continue
            new = written(world, books, kind, "create", a_document(books, kind))
            remote_id, once = new.origin.remote_id, key()
            world.calls.clear()
            sent = books.send(kind, remote_id, to="mary@contract.example", key=once)
            assert isinstance(sent, DocumentRecord)
            assert (sent.email_status, sent.email) == ("sent", "mary@contract.example")
            assert sent.delivered_at is not None
            assert abs(sent.delivered_at - datetime.now(UTC)) < timedelta(minutes=1)
            (call,) = world.calls
            assert (call.operation, call.metered, call.error) == ("send", False, "")
            assert books.send(kind, remote_id, to="mary@contract.example", key=once) == sent
            assert books.pdf(kind, remote_id).startswith(b"%PDF")
            with pytest.raises(errors.Gone):
                books.send(kind, "99999999", to="", key=key())
            with pytest.raises(errors.Gone):
                books.pdf(kind, "99999999")

    @pytest.mark.parametrize("what", ["lost", "late", "down", "dropped", "page"])
    def test_a_document_is_never_sent_again_by_itself(self, world: World, what: str) -> None:
        books = world.granted()
        if "invoice" not in books.spec.send_kinds:
            pytest.skip("these books send nothing")
        new = written(world, books, "invoice", "create", a_document(books, "invoice"))
        world.calls.clear()
        world.trouble(what)
        with pytest.raises(errors.OutcomeUnknown):
            books.send("invoice", new.origin.remote_id, to="mary@contract.example", key=key())
        assert len(world.calls) == 1

    def test_what_cannot_be_sent_or_printed_is_a_fault_of_ours(self, world: World) -> None:
        books = world.granted()
        with pytest.raises(ValueError):
            books.send("item", "1", to="", key=key())
        with pytest.raises(ValueError):
            books.pdf("item", "1")
        assert world.calls == []
