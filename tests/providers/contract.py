"""What every accounting adapter must do, whatever its vendor: the house relies on nothing else.

An adapter joins by a subclass that gives the fixture `world`: a company at a look-alike of the vendor, reached as in
life (QuickBooks: over HTTP), with the handles of `world`. Whoever reads the port knows from here what it may rely on.
What is written is in `writing`, products and documents in `selling`; what the books tell of themselves (changes,
names, who owes, webhooks) in `telling`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import pytest

from crm.domain import errors
from crm.domain.records import KINDS, CompanyRecord, DocumentRecord, PaymentRecord
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting
from tests.providers.selling import SellingContract
from tests.providers.telling import TellingContract
from tests.providers.world import World, customers, grant, pages, read_ids
from tests.providers.writing import WritingContract

__all__ = ["AccountingContract", "World"]

Ask = Callable[[Accounting], object]

#: Every question of the port.
QUESTIONS: dict[str, Ask] = {
    "company": lambda books: books.company(),
    "preferences": lambda books: books.preferences(),
    "count": lambda books: books.count("customer"),
    "scan": lambda books: books.scan("customer"),
    "fetch": lambda books: books.fetch("customer", ["1"]),
    "changes": lambda books: books.changes(books.spec.change_kinds, datetime.now(UTC) - timedelta(days=1)),
    "find": lambda books: books.find("customer", ["Nobody"]),
    "recent": lambda books: books.recent("invoice", "1", datetime.now(UTC)),
    "receivables": lambda books: books.receivables(date(2030, 1, 1)),
}


class AccountingContract(WritingContract, TellingContract, SellingContract):
    """Subclass it as `Test...` and give the fixture `world`."""

    # --- the grant

    def test_a_person_who_agrees_gives_a_grant_that_opens_the_books(self, world: World) -> None:
        consent = world.oauth().authorize()
        back = world.consent(consent)
        assert back["state"] == consent.state
        tokens = world.oauth().exchange(back["code"], code_verifier=consent.code_verifier)
        assert world.books(tokens.access_token).company().name
        assert world.now < tokens.access_expires_at <= world.now + timedelta(hours=24)
        assert tokens.access_expires_at.tzinfo is not None
        assert tokens.refresh_expires_at is None or tokens.refresh_expires_at > tokens.access_expires_at

    def test_a_person_who_refuses_comes_back_without_a_code(self, world: World) -> None:
        consent = world.oauth().authorize()
        back = world.consent(consent, agree=False)
        assert "code" not in back
        assert (back["error"], back["state"]) == ("access_denied", consent.state)

    def test_a_code_is_worth_nothing_without_the_verifier_of_its_consent(self, world: World) -> None:
        code = world.consent(world.oauth().authorize())["code"]
        with pytest.raises(errors.NeedsReconnect):
            world.oauth().exchange(code, code_verifier=world.oauth().authorize().code_verifier)

    def test_a_code_works_once(self, world: World) -> None:
        consent = world.oauth().authorize()
        code = world.consent(consent)["code"]
        world.oauth().exchange(code, code_verifier=consent.code_verifier)
        with pytest.raises(errors.NeedsReconnect):
            world.oauth().exchange(code, code_verifier=consent.code_verifier)

    def test_a_refreshed_grant_replaces_the_old_one(self, world: World) -> None:
        first = grant(world)
        second = world.oauth().refresh(first.refresh_token)
        assert second.access_token != first.access_token
        assert world.books(second.access_token).company().name
        if second.refresh_token != first.refresh_token:
            with pytest.raises(errors.NeedsReconnect):
                world.oauth().refresh(first.refresh_token)

    def test_a_grant_given_back_opens_nothing_and_may_be_given_back_again(self, world: World) -> None:
        tokens = grant(world)
        world.oauth().revoke(tokens.refresh_token)
        with pytest.raises(errors.AccessExpired):
            world.books(tokens.access_token).company()
        with pytest.raises(errors.NeedsReconnect):
            world.oauth().refresh(tokens.refresh_token)
        world.oauth().revoke(tokens.refresh_token)

    def test_a_grant_ended_there_needs_a_reconnect(self, world: World) -> None:
        tokens = grant(world)
        world.disconnect()
        with pytest.raises(errors.NeedsReconnect):
            world.oauth().refresh(tokens.refresh_token)

    def test_wrong_keys_are_told_from_a_lost_grant(self, world: World) -> None:
        wrong = replace(world.config, client_id="someone-else", client_secret="wrong")
        with pytest.raises(errors.WrongKeys):
            world.oauth(wrong).refresh("whatever")
        with pytest.raises(errors.WrongKeys):
            world.oauth(wrong).revoke("whatever")

    # --- the books

    def test_the_company_says_who_it_is(self, world: World) -> None:
        company = world.granted().company()
        assert isinstance(company, CompanyRecord)
        assert company.name
        assert company.country
        assert isinstance(world.granted().preferences().extra, dict)

    def test_every_kind_is_one_of_the_house_and_comes_whole(self, world: World) -> None:
        books = world.granted()
        assert set(books.spec.kinds) <= set(KINDS)
        for kind in books.spec.kinds:
            found = pages(books, kind)
            assert sorted(read_ids(found)) == sorted(world.ids(kind)), kind
            assert not [refusal for page in found for refusal in page.refusals], kind
            assert books.count(kind) == len(world.ids(kind)), kind

    def test_a_scan_comes_in_bounded_pages_at_the_least_number_of_calls(self, world: World) -> None:
        books, total = world.granted(), len(world.ids("customer"))
        found = pages(books, "customer")
        assert len(found) > 2
        assert max(len(page.records) for page in found) <= world.page_size
        assert len(read_ids(found)) == len(set(read_ids(found))) == total
        assert len(world.calls) <= ceil(total / (world.page_size - 1)) + 1

    def test_a_scan_continues_from_a_cursor_in_another_process(self, world: World) -> None:
        first = world.granted().scan("customer")
        found, cursor = [first], first.cursor
        while cursor is not None:
            found.append(world.granted().scan("customer", str(cursor)))
            cursor = found[-1].cursor
        assert set(read_ids(found)) == world.ids("customer")

    def test_records_removed_during_a_scan_hide_no_others(self, world: World) -> None:
        books = world.granted()
        first = books.scan("invoice")
        for record in first.records[:2]:
            world.remove("invoice", record.origin.remote_id)
        found, cursor = [first], first.cursor
        while cursor is not None:
            found.append(books.scan("invoice", cursor))
            cursor = found[-1].cursor
        assert set(read_ids(found)) >= world.ids("invoice")

    def test_the_record_a_cursor_stands_on_may_go(self, world: World) -> None:
        books = world.granted()
        first = books.scan("invoice")
        world.remove("invoice", first.records[-1].origin.remote_id)
        found, cursor = [], first.cursor
        while cursor is not None:
            found.append(books.scan("invoice", cursor))
            cursor = found[-1].cursor
        assert set(read_ids([first, *found])) >= world.ids("invoice")

    def test_inactive_customers_come_too_marked_and_under_their_own_name(self, world: World) -> None:
        books = world.granted()
        before = customers(books)
        chosen = next(customer for customer in before.values() if customer.active and not customer.balance)
        world.deactivate(chosen.origin.remote_id)
        after = customers(books)[chosen.origin.remote_id]
        assert (after.active, after.display_name) == (False, chosen.display_name)

    def test_one_record_that_cannot_be_read_does_not_stop_the_others(self, world: World) -> None:
        spoiled = sorted(world.ids("customer"))[0]
        world.spoil("customer", spoiled)
        found = pages(world.granted(), "customer")
        (refusal,) = [refusal for page in found for refusal in page.refusals]
        assert (refusal.remote_id, refusal.kind) == (spoiled, "customer")
        assert refusal.reason.endswith(".")
        assert set(read_ids(found)) == world.ids("customer") - {spoiled}

    def test_fetching_gives_what_exists_of_what_was_asked(self, world: World) -> None:
        wanted = sorted(world.ids("customer"))[:3]
        page = world.granted().fetch("customer", [*wanted, "99999999", wanted[0]])
        assert sorted(read_ids([page])) == wanted
        assert world.granted().fetch("customer", []).records == ()

    def test_an_id_is_only_ever_an_id(self, world: World) -> None:
        odd = ["1') OR Id IN ('2", "\\", "'", "Amy's", "&x=1#", "../company", "/etc/passwd", ""]
        assert world.granted().fetch("customer", odd).records == ()

    def test_money_and_times_are_exact_and_aware(self, world: World) -> None:
        books = world.granted()
        invoices = [record for page in pages(books, "invoice") for record in page.records]
        assert invoices
        assert all(isinstance(i, DocumentRecord) and type(i.total) is Decimal for i in invoices)
        assert all(i.origin.updated_at and i.origin.updated_at.utcoffset() == timedelta(0) for i in invoices)
        assert not [value for value in _leaves(invoices) if isinstance(value, float)]

    def test_payments_credits_and_invoices_explain_each_customers_balance(self, world: World) -> None:
        books = world.granted()
        open_: dict[str, Decimal] = {}
        for kind in ("invoice", "credit_memo", "payment"):
            for page in pages(books, kind):
                for record in page.records:
                    assert isinstance(record, DocumentRecord | PaymentRecord)
                    amount = record.unapplied if isinstance(record, PaymentRecord) else record.balance or Decimal(0)
                    customer = record.customer.remote_id
                    open_[customer] = open_.get(customer, Decimal(0)) + (amount if kind == "invoice" else -amount)
        for customer in customers(books).values():
            if customer.balance is not None:
                assert customer.balance == open_.get(customer.origin.remote_id, Decimal(0)), customer.display_name

    # --- misfortune

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_an_access_token_that_ran_out_says_so_and_a_refresh_mends_it(self, world: World, question: str) -> None:
        tokens = grant(world)
        world.expire()
        with pytest.raises(errors.AccessExpired) as caught:
            QUESTIONS[question](world.books(tokens.access_token))
        assert tokens.access_token not in f"{caught.value} {caught.value.cause}"
        QUESTIONS[question](world.books(world.oauth().refresh(tokens.refresh_token).access_token))

    def test_a_token_for_another_company_does_not_open_this_one(self, world: World) -> None:
        tokens = grant(world)
        other = registry.open_books(world.name, world.config, realm_id="1", access_token=tokens.access_token)
        with pytest.raises(errors.PermissionLost):
            other.company()

    @pytest.mark.parametrize("what", ["down", "page", "dropped"])
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_passing_outage_is_not_noticed_by_a_reader(self, world: World, what: str, question: str) -> None:
        books = world.granted()
        world.trouble(what)
        QUESTIONS[question](books)
        failed, succeeded = world.calls[0], world.calls[-1]
        assert failed.error
        assert not failed.metered
        assert (succeeded.error, succeeded.metered) == ("", world.metered)

    @pytest.mark.parametrize(
        ("what", "kind"),
        [
            ("down", errors.Unavailable),
            ("page", errors.Unavailable),
            ("dropped", errors.Unavailable),
            ("garbled", errors.Unavailable),
            ("throttled", errors.RateLimited),
        ],
    )
    def test_a_lasting_misfortune_is_one_of_our_errors_and_the_scan_goes_on_after_it(
        self, world: World, what: str, kind: type[errors.ProviderError]
    ) -> None:
        books = world.granted()
        first = books.scan("customer")
        world.trouble(what, times=None)
        with pytest.raises(kind) as caught:
            books.scan("customer", first.cursor)
        assert type(caught.value) is kind
        assert caught.value.__context__ is None
        world.trouble(what, times=0)
        assert books.scan("customer", first.cursor).records

    @pytest.mark.parametrize("what", ["down", "page", "dropped", "throttled"])
    def test_misfortune_in_a_refresh_loses_no_grant(self, world: World, what: str) -> None:
        tokens = grant(world)
        world.trouble(what)
        with pytest.raises((errors.Unavailable, errors.RateLimited)):
            world.oauth().refresh(tokens.refresh_token)
        assert world.oauth().refresh(tokens.refresh_token).access_token

    def test_every_call_is_heard_of_with_a_trace_id(self, world: World) -> None:
        books = world.granted()
        for ask in QUESTIONS.values():
            ask(books)
        assert len(world.calls) == len(QUESTIONS)
        assert all(call.trace_id and call.status == world.status and call.duration_ms >= 0 for call in world.calls)

    def test_an_unknown_kind_is_a_fault_of_ours(self, world: World) -> None:
        with pytest.raises(ValueError, match="unicorn"):
            world.granted().scan("unicorn")


def _leaves(value: Any) -> list[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return [leaf for name in value.__dataclass_fields__ for leaf in _leaves(getattr(value, name))]
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
